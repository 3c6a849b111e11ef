"""Names in denials: a tool is denied by any name it has in any tool, in any form of list."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import CHANGING, TOOLS, Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.dialects import antigravity, auggie, cline, dialects, factory, junie
from agentsync.dialects._kit.intent import intended_by
from agentsync.dialects._kit.tool_names import ToolNames
from agentsync.dialects.copilot import tools as copilot
from agentsync.dialects.kiro import permissions as kiro
from agentsync.dialects.qwen import tools as qwen
from support.grants import available, claude, intended, opencode

DENY, ASK, SESSION, ALLOW = Approval
CHANGES = CHANGING - {"external_directory"}


@pytest.mark.parametrize(
    ("name", "tools"),
    [
        ("run_shell_command", {"bash"}),
        ("developer__shell", {"bash"}),
        ("Shell", {"bash"}),
        ("launch_process", {"bash"}),
        ("Write/Edit", {"write", "edit", "notebook"}),
        ("Write|Bash", {"write", "bash"}),
        ("write-file save-file", {"write"}),
        ("Shell(rm *)", {"bash"}),
        ("*Edit", {"write", "edit", "notebook"}),
        ("web", {"webfetch", "websearch"}),
        ("all", {"*"}),
        ("MCP", {"mcp/*"}),
        ("Mcp__github__delete", {"mcp/github/delete"}),
        ("mcp:github", {"mcp/github/*"}),
        ("github/*", {"mcp/github/*"}),
        ("@github/delete", {"mcp/github/delete"}),
        ("Bash:rm", {"bash"}),
        ("Shell:git push", {"bash"}),
        ("github:delete", set()),
        ("github/delete (x)", {"mcp/github/delete"}),
        ("github/delete(x)", {"mcp/github/delete"}),
        ("mcp/github/delete", {"mcp/github/delete"}),
        ("ask first/Write", {"write"}),
        ("Re?d", {"read"}),
        ("/", CHANGES | {"mcp/*"}),
        ("\N{CYRILLIC CAPITAL LETTER VE}ash", {"bash"}),
        ("Ba\N{ZERO WIDTH SPACE}sh", {"bash"}),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER B}ash", {"bash"}),
        ("CronCreate", set()),
        ("odd_*", CHANGES | {"mcp/*"}),
        ("\N{LATIN CAPITAL LETTER THORN}", CHANGES | {"mcp/*"}),
        ("!Read", CHANGES | {"mcp/*"}),
    ],
)
def test_a_name_in_a_denial_covers_what_it_names_in_any_tool(name: str, tools: set[str]) -> None:
    assert set(intended_by(name)) == tools


@pytest.mark.parametrize(
    ("dialect", "key"),
    [
        ("claude", "disallowedTools"),
        ("qwen", "disallowedTools"),
        ("junie", "disallowedTools"),
        ("auggie", "disabled_tools"),
    ],
)
@pytest.mark.parametrize("name", ["shell", "execute", "Terminal", "run_shell_command", "Bash(rm *)"])
def test_a_denial_by_a_name_of_another_tool_counts(dialect: str, key: str, name: str) -> None:
    assert "bash" not in available(intended(dialect, f"{key}: ['{name}']"))


def test_kiro_excludes_tools_by_foreign_names_and_agents_by_their_own() -> None:
    assert "bash" not in available(intended("kiro", "tools: ['*']\nexcludedTools: [Bash]"))
    granted = intended("kiro", "tools: ['*']\nexcludedTools: [subagent/x, '#image']")
    assert granted.approval("task", "y") is SESSION
    assert "bash" in available(granted)


@pytest.mark.parametrize(
    "key", ["shell", "execute", "Bash(git push *)", "Bash (git *)", "Bash:git *", "run_shell_command"]
)
def test_an_opencode_permission_by_a_name_of_another_tool_counts(key: str) -> None:
    assert available(opencode(f"permission: {{'{key}': deny}}").agent.grants) == TOOLS - {"bash"}
    assert opencode(f"permission: {{'{key}': ask}}").agent.grants.approval("bash") is ASK
    assert opencode(f"permission: {{bash: deny, '{key}': ask}}").agent.grants.approval("bash") is DENY
    assert opencode(f"permission: {{'{key}': allow}}").agent.grants.approval("bash") is SESSION
    assert available(opencode(f"tools: {{'{key}': false}}").agent.grants) == TOOLS - {"bash"}


def test_an_opencode_permission_by_a_name_of_another_tool_may_have_arguments() -> None:
    granted = opencode("permission: {shell: {'*': allow, 'rm *': deny}}").agent.grants
    assert (granted.approval("bash", "ls"), granted.approval("bash", "rm x")) == (SESSION, DENY)
    for key in ("Bash(git *)", "Bash:git"):
        assert "bash" not in available(opencode(f"permission: {{'{key}': {{'push *': deny}}}}").agent.grants)


def test_one_pattern_below_the_home_directory_hides_no_denial_by_another() -> None:
    granted = opencode("permission: {bash: {'*': allow, '~/a': deny, '~/b': allow}}").agent.grants
    assert DENY in granted.approvals("bash")


@pytest.mark.parametrize(
    "keys",
    [
        "permission: {Bash: deny}\npermissions: {bash: allow}",
        "permission: {Bash: deny}\npermissions: {'*': allow, edit: ask}",
        "permission: {Bash: deny, BASH: {'*': allow, 'rm *': ask}}",
        "permission: {shell: {'git push *': deny}, terminal: {'*': allow, 'rm *': deny}}",
        "permission: {shell: {'git push *': deny}}\npermissions: {terminal: {'*': allow, 'rm *': ask}}",
        "tools: {Bash: false}\npermissions: {bash: allow, webfetch: deny}",
        "permissions: {bash: {git: {push: deny}}}",
        "permissions: {deny: {Bash: {'git push': true}}}",
    ],
)
def test_keys_that_opencode_ignores_give_back_nothing_that_other_such_keys_deny(keys: str) -> None:
    assert opencode(keys).agent.grants.approval("bash", "git push x") is DENY


def test_an_ignored_opencode_key_that_only_allows_takes_nothing_away() -> None:
    granted = opencode("permission: {bash: {'*': allow, 'rm *': deny}}\npermissions: {bash: allow}").agent.grants
    assert (granted.approval("bash", "ls"), granted.approval("bash", "rm x")) == (ALLOW, DENY)
    granted = opencode("permission: {Bash: deny}\npermissions: {'*': allow, edit: ask}").agent.grants
    assert (granted.approval("webfetch"), granted.approval("edit"), granted.approval("mcp/x")) == (
        SESSION,
        ASK,
        SESSION,
    )


def test_an_empty_kilo_permission_denies() -> None:
    assert "bash" not in available(intended("kilo", "permission: {shell: null}"))


@pytest.mark.parametrize("dialect", ["opencode", "kilo"])
@pytest.mark.parametrize("pattern", ["mcp/bash", "mcp/b*", "mcp/*"])
def test_no_opencode_server_is_named_like_a_built_in_tool(dialect: str, pattern: str) -> None:
    assert dialects()[dialect].capabilities.server_name(pattern) is None


def test_an_opencode_permission_by_claude_codes_name_of_a_server_counts() -> None:
    granted = opencode("permission: {'mcp__github__*': deny}").agent.grants
    assert granted.approval("mcp/github/x") is DENY
    assert granted.approval("mcp/gitlab/x") is SESSION


def test_doom_loop_of_opencode_is_not_a_server_tool() -> None:
    file = render(opencode("permission: {doom_loop: deny, webfetch: deny}"), dialects()["claude"], WriteOptions())
    assert b"\ndisallowedTools: WebFetch\n" in (file.data or b"")
    assert b"\ntools:" not in (file.data or b"")


def test_claude_code_denies_a_server_by_a_name_that_ends_in_underscores() -> None:
    granted = claude("disallowedTools: mcp__github__, mcp__gitlab__*").agent.grants
    assert (granted.approval("mcp/github/x"), granted.approval("mcp/gitlab/x")) == (DENY, DENY)


def test_nested_parentheses_grant_nothing_in_claude_code() -> None:
    assert available(claude("tools: Read, Bash(a(b))").agent.grants) == {"read", "external_directory"}


VOCABULARIES = {
    "antigravity": antigravity._TOOLS,
    "auggie": auggie._TOOLS,
    "cline": cline._TOOLS,
    "copilot": copilot.TOOLS,
    "factory": factory._TOOLS,
    "junie": junie._TOOLS,
    "kiro": kiro.NAMES,
    "qwen": qwen.TOOLS,
}


@pytest.mark.parametrize("names", VOCABULARIES.values(), ids=VOCABULARIES)
def test_a_tools_own_name_is_denied_in_any_case_and_with_arguments(names: ToolNames) -> None:
    for name, covered in {**names.gone, **names.read, **names.written}.items():
        for spelled in (name, name.upper(), name.title()):
            for form in ("{}", "{} (x)", "{}(x)"):
                assert set(names.denied(form.format(spelled))) >= set(covered), form.format(spelled)


@pytest.mark.parametrize(
    ("dialect", "key"),
    [
        ("claude", "disallowed-tools"),
        ("qwen", "disallowedTools"),
        ("junie", "disallowedTools"),
        ("auggie", "disabled_tools"),
        ("kiro", "tools: ['*']\nexcludedTools"),
    ],
)
@pytest.mark.parametrize(
    "value", ["bash", "'edit, bash'", "{bash: true}", "[[bash]]", "[{bash: 'rm *'}]", "{x: [bash]}", "[3, bash]"]
)
def test_a_denial_in_another_form_than_a_list_counts(dialect: str, key: str, value: str) -> None:
    assert "bash" not in available(intended(dialect, f"{key}: {value}"))


def test_a_false_entry_in_a_map_of_denied_tools_is_not_denied() -> None:
    assert "bash" in available(intended("qwen", "disallowedTools: {bash: false, edit: true}"))


def test_kiro_excludes_a_tool_by_its_alias() -> None:
    keys = "tools: [read, '@gh/delete', '@gh/search']\ntoolAliases: {'@gh/delete': rmx}\nexcludedTools: [rmx]"
    granted = intended("kiro", keys)
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (SESSION, DENY)


def test_permissions_by_a_name_of_another_tool_count() -> None:
    assert available(opencode("permissions: {shell: deny}").agent.grants) == TOOLS - {"bash"}
