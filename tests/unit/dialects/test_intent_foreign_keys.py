"""Keys of other tools and misspelled keys: they restrict as their author intended."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import READING, TOOLS, Approval
from agentsync.core.codes import Code, Severity
from agentsync.core.naming import folded_key
from agentsync.dialects import dialects
from support.grants import available, claude, intended, opencode

DENY, ASK, SESSION, ALLOW = Approval
READS = READING | {"external_directory"}


@pytest.mark.parametrize(
    "key",
    [
        "disallowed-Tools",
        "disallowed tools",
        "dis\N{CYRILLIC SMALL LETTER A}llowedTools",
        "dis\N{ZERO WIDTH SPACE}allowedTools",
        "\N{FULLWIDTH LATIN SMALL LETTER D}isallowedTools",
    ],
)
def test_a_key_counts_as_it_looks(key: str) -> None:
    assert folded_key(key) == "disallowedtools"
    assert "bash" not in available(claude(f"{key}: Bash").agent.grants)


@pytest.mark.parametrize("key", ["excludedTools", "excluded_tools", "blocked-tools", "forbiddenTools"])
def test_a_deny_list_of_another_tool_restricts_a_claude_code_agent(key: str) -> None:
    assert available(claude(f"{key}: [shell, edit_file]").agent.grants) == TOOLS - {"bash", "edit", "write", "notebook"}
    assert available(claude(f"{key}: [Bash, compile]").agent.grants) <= READS


@pytest.mark.parametrize("dialect", ["claude", "copilot", "factory", "cursor", "junie", "opencode", "qwen", "kilo"])
@pytest.mark.parametrize(
    "keys",
    [
        "excludedTools: [edit by hand]",
        "excluded_tools: [~]",
        "blocked-tools: 3",
        "forbiddenTools: {}\ndeny: [Bash]",
        "deny: [Bash]",
        "disallowed: Bash",
        "allow: [Read]",
        "sandbox: read-only",
        "permissions.deny: [Bash]",
        "readonly: 'yes'",
        "allow: none",
        "settings: {permissions: {deny: [Bash]}}",
    ],
)
def test_a_key_that_only_restricts_leaves_reading_only(dialect: str, keys: str) -> None:
    assert available(intended(dialect, keys)) <= READS


@pytest.mark.parametrize("dialect", ["claude", "copilot", "cursor", "factory", "gemini", "kilo", "opencode", "qwen"])
@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ("copilot: [{model: m}, {tools: [read]}]", "copilot.tools"),
        ("codex-cli: {sandbox_mode: read-only}", "codex-cli.sandbox_mode"),
        ("claudecode: {model: m, disallowed-tools: Bash}", "claudecode.disallowed-tools"),
        ("Claude Code: {permissionMode: plan}", "Claude Code.permissionMode"),
        ("augment: {disabled_tools: [launch-process]}", "augment.disabled_tools"),
        ("platforms: {copilot: {tools: [read]}}", "platforms.copilot.tools"),
    ],
)
def test_a_restriction_in_a_table_for_one_tool_refuses_the_agent(dialect: str, keys: str, path: str) -> None:
    text = f"---\nname: a\ndescription: d\n{keys}\n---\nInstructions.\n"
    tool = dialects()[dialect]
    reading = tool.read(tool.parse(text.encode(), f"a{tool.suffix}"), "a")
    errors = [each for each in reading.diagnostics if each.severity is Severity.ERROR]
    assert reading.agent is None
    assert [(each.code, each.line) for each in errors] == [(Code.RESTRICTED_BELOW, 4)]
    assert f"`{path}`" in errors[0].message


@pytest.mark.parametrize(
    "keys",
    [
        *("codex: {model: m}", "copilot: {tools: null}", "dependencies: {tools: [rg]}"),
        *("targets: [claude, copilot]", "targets: {copilot: {model: m}}", "readonly: 'no'"),
    ],
)
def test_keys_for_another_tool_or_another_purpose_restrict_nothing(keys: str) -> None:
    assert available(claude(keys).agent.grants) == TOOLS


def test_each_spelling_of_a_key_counts() -> None:
    granted = claude("disallowedTools: Bash\ndisallowed-tools: Write\ndenied_tools: WebFetch").agent.grants
    assert available(granted) == TOOLS - {"bash", "write", "webfetch"}
    granted = claude("tools: Read, Write, Bash\nallowed-tools: Read, Bash(git *)").agent.grants
    assert available(granted) <= {"read", "external_directory"}
    granted = claude("tools: '*'\nallowed-tools: Read").agent.grants
    assert available(granted) == {"read", "external_directory"}
    granted = claude("permissionMode: bypassPermissions\npermission-mode: plan").agent.grants
    assert (granted.approval("bash"), granted.approval("webfetch")) == (DENY, SESSION)
    for freeing in ("acceptEdits", "auto", "bypassPermissions"):
        granted = claude(f"permissionMode: {freeing}\npermission-mode: default").agent.grants
        assert (granted.approval("write"), granted.approval("read")) == (ASK, SESSION)
        granted = claude(f"permissionMode: default\npermission-mode: {freeing}\npermission_mode: plan").agent.grants
        assert (granted.approval("write"), granted.approval("webfetch"), granted.approval("read")) == (
            DENY,
            ASK,
            SESSION,
        )
    granted = claude("permissionMode: plan\npermission_mode: default").agent.grants
    assert (granted.approval("bash"), granted.approval("webfetch")) == (DENY, ASK)


@pytest.mark.parametrize(
    "keys",
    [
        "permissions: {deny: [bash, edit]}",
        "permissions: {allow: [read]}",
        "permissions: [read, grep]",
        "permissions: {bash: deny, allow: [read]}",
        "permissions: {bash: {allow: ['git *']}}",
        "permissions: {mode: readonly}",
        "permissions: false",
        "permission: {read: allow}\npermissions: {deny: [bash]}",
    ],
)
def test_permissions_in_another_form_leave_reading_only(keys: str) -> None:
    assert available(opencode(keys).agent.grants) <= READS


def test_permissions_may_have_arguments_where_the_tool_takes_none() -> None:
    granted = opencode("permissions: {webfetch: {'*': deny}, bash: {'*': deny}}").agent.grants
    assert available(granted) == TOOLS - {"webfetch", "bash"}


def test_permissions_count_beside_permission() -> None:
    granted = opencode("permission: {edit: deny}\npermissions: {bash: deny}").agent.grants
    assert not available(granted) & {"bash", "edit"}


def test_an_intended_restriction_that_is_not_read_is_reported() -> None:
    agent = claude("disallowedTools: shell\nexcludedTools: [Bash]")
    assert {Code.UNKNOWN_TOOL, Code.NO_EFFECT} <= {diagnostic.code for diagnostic in agent.diagnostics}


@pytest.mark.parametrize("value", ["true", "'true'", "[x]"])
def test_a_switch_that_restricts_counts_where_it_is_on(value: str) -> None:
    assert available(opencode(f"readonly: {value}").agent.grants) <= READS
    assert available(claude(f"readonly: {value}").agent.grants) <= READS
