"""What an author clearly restricted, in words or in a form that the agent's own tool passes over."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, READING, TOOLS, Approval, Grants, Rule
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.core.naming import folded_key
from agentsync.dialects import antigravity, auggie, cline, dialects, factory, junie
from agentsync.dialects._kit.hook_guards import guarded
from agentsync.dialects._kit.intent import excepted, intended_by
from agentsync.dialects._kit.mcp_limits import limited
from agentsync.dialects._kit.tool_names import ToolNames
from agentsync.dialects.copilot import tools as copilot
from agentsync.dialects.kiro import grants as kiro
from agentsync.dialects.qwen import tools as qwen
from support.conversion import read
from support.grants import available, claude, codex, opencode

DENY, ASK, SESSION, ALLOW = Approval
READS = READING | {"external_directory"}
CHANGES = CHANGING - {"external_directory"}


def written(dialect: str, keys: str) -> Grants:
    """What an agent of this dialect is meant to be able to do."""
    named = dialects()[dialect]
    head = f"---\nname: checker\ndescription: d\n{keys}\n---\nLook with care.\n"
    return read(f"checker{named.suffix}", head.encode(), dialect).agent.grants


def vibe(keys: str) -> Grants:
    data = f'description = "d"\nagent_type = "agent"\ninstructions = "p"\n{keys}\n'
    return read("x.toml", data.encode(), "vibe").agent.grants


# Names


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
def test_a_name_in_a_denial_means_what_it_does_in_any_tool(name: str, tools: set[str]) -> None:
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
def test_a_denial_by_a_name_of_another_tool_is_meant(dialect: str, key: str, name: str) -> None:
    assert "bash" not in available(written(dialect, f"{key}: ['{name}']"))


def test_kiro_excludes_by_names_of_other_tools_and_agents_by_theirs() -> None:
    assert "bash" not in available(written("kiro", "tools: ['*']\nexcludedTools: [Bash]"))
    granted = written("kiro", "tools: ['*']\nexcludedTools: [subagent/x, '#image']")
    assert granted.approval("task", "y") is SESSION
    assert "bash" in available(granted)


@pytest.mark.parametrize(
    "key", ["shell", "execute", "Bash(git push *)", "Bash (git *)", "Bash:git *", "run_shell_command"]
)
def test_a_permission_of_opencode_by_a_name_of_another_tool_is_meant(key: str) -> None:
    assert available(opencode(f"permission: {{'{key}': deny}}").agent.grants) == TOOLS - {"bash"}
    assert opencode(f"permission: {{'{key}': ask}}").agent.grants.approval("bash") is ASK
    assert opencode(f"permission: {{bash: deny, '{key}': ask}}").agent.grants.approval("bash") is DENY
    assert opencode(f"permission: {{'{key}': allow}}").agent.grants.approval("bash") is SESSION
    assert available(opencode(f"tools: {{'{key}': false}}").agent.grants) == TOOLS - {"bash"}


def test_a_permission_of_opencode_by_a_name_of_another_tool_may_have_arguments() -> None:
    granted = opencode("permission: {shell: {'*': allow, 'rm *': deny}}").agent.grants
    assert (granted.approval("bash", "ls"), granted.approval("bash", "rm x")) == (SESSION, DENY)
    for key in ("Bash(git *)", "Bash:git"):
        assert "bash" not in available(opencode(f"permission: {{'{key}': {{'push *': deny}}}}").agent.grants)


def test_of_two_patterns_below_the_home_directory_one_hides_no_denial_by_the_other() -> None:
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
def test_nothing_that_opencode_does_not_read_gives_back_what_other_such_keys_deny(keys: str) -> None:
    assert opencode(keys).agent.grants.approval("bash", "git push x") is DENY


def test_what_opencode_does_not_read_and_only_allows_takes_nothing_away() -> None:
    granted = opencode("permission: {bash: {'*': allow, 'rm *': deny}}\npermissions: {bash: allow}").agent.grants
    assert (granted.approval("bash", "ls"), granted.approval("bash", "rm x")) == (ALLOW, DENY)
    granted = opencode("permission: {Bash: deny}\npermissions: {'*': allow, edit: ask}").agent.grants
    assert (granted.approval("webfetch"), granted.approval("edit"), granted.approval("mcp/x")) == (
        SESSION,
        ASK,
        SESSION,
    )


def test_a_permission_of_kilos_that_is_left_empty_denies() -> None:
    assert "bash" not in available(written("kilo", "permission: {shell: null}"))


@pytest.mark.parametrize("dialect", ["opencode", "kilo"])
@pytest.mark.parametrize("pattern", ["mcp/bash", "mcp/b*", "mcp/*"])
def test_no_server_of_opencodes_is_called_as_its_own_tools(dialect: str, pattern: str) -> None:
    assert dialects()[dialect].capabilities.server_name(pattern) is None


def test_a_permission_of_opencode_for_a_server_as_claude_code_calls_it_is_meant() -> None:
    granted = opencode("permission: {'mcp__github__*': deny}").agent.grants
    assert granted.approval("mcp/github/x") is DENY
    assert granted.approval("mcp/gitlab/x") is SESSION


def test_a_loop_that_opencode_looks_for_is_no_tool_of_a_server() -> None:
    file = render(opencode("permission: {doom_loop: deny, bash: deny}"), dialects()["claude"], WriteOptions())
    assert b"\ndisallowedTools: Bash\n" in (file.data or b"")
    assert b"\ntools:" not in (file.data or b"")


def test_claude_code_denies_a_server_whose_name_ends_in_lines() -> None:
    granted = claude("disallowedTools: mcp__github__, mcp__gitlab__*").agent.grants
    assert (granted.approval("mcp/github/x"), granted.approval("mcp/gitlab/x")) == (DENY, DENY)


def test_claude_code_gives_nothing_for_parentheses_in_parentheses() -> None:
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


# Exceptions


@pytest.mark.parametrize(
    ("names", "granted", "denied"),
    [
        (["*", "!Bash"], ["*"], ["Bash"]),
        (["*", "-Bash"], ["*"], ["Bash"]),
        (["All tools except Bash", "Write"], ["All tools"], ["Bash", "Write"]),
        (["All", "tools", "except", "Bash"], ["All", "tools"], ["Bash"]),
        (["Read", "-"], ["Read", "-"], []),
        (["no"], [], []),
        (["*", "!", "Bash"], ["*"], ["Bash"]),
        (["*", "-", "Bash"], ["*"], ["Bash"]),
        (["-", "Read", "-", "Bash"], ["-", "Read", "-", "Bash"], []),
        (["* (except Bash)"], ["*"], ["Bash"]),
        (["*", "(except", "Bash,", "Edit)"], ["*"], ["Bash,", "Edit"]),
        (["* except: Bash"], ["*"], ["Bash"]),
        (["*", "!"], ["*"], []),
    ],
)
def test_a_list_may_except_something(names: list[str], granted: list[str], denied: list[str]) -> None:
    assert excepted(names) == (granted, denied)


@pytest.mark.parametrize(
    ("dialect", "keys"),
    [
        ("claude", "tools: '*, !Bash'"),
        ("claude", "tools: ['*', '-Bash']"),
        ("claude", "tools: '*, !Bash'\npermissionMode: default"),
        ("claude", "tools: '*, !Bash'\npermissionMode: bypassPermissions"),
        ("claude", "tools: All tools except Bash"),
        ("claude", "tools: '* (except Bash)'"),
        ("claude", "tools: '*, ! Bash'"),
        ("claude", "tools: '* - Bash'"),
        ("claude", "tools: ['*', {exclude: [Bash]}]"),
        ("claude", "tools: [Read, Bash, {Bash: false}]"),
        ("claude", "tools: ['*', ['!Bash']]"),
        ("qwen", "tools: ['*', {exclude: [Bash]}]"),
        ("qwen", "tools: [run_shell_command, {run_shell_command: false}]"),
        ("copilot", "tools: ['*', '!execute']"),
        ("copilot", "tools: ['*', '!shell/edit']"),
        ("qwen", "tools: ['*', '!run_shell_command']"),
        ("kiro", "tools: ['*', '!shell']"),
        ("cline", "tools: [bash, '!bash']"),
        ("auggie", "tools: ['!launch-process', view]"),
        ("antigravity", "tools: ['*', '!run_command']\ncommandExecutionPolicy: eager"),
        ("junie", "tools: ['*', '!Bash']\nmcpServers: [gh]"),
        ("kiro", "tools: ['*', '!shell']\nallowedTools: ['*']"),
        ("kiro", "tools: ['*', '!shell']\npermissions: {rules: [{capability: all, effect: allow}]}"),
        ("qwen", "tools: ['*', '!run_shell_command']\napprovalMode: yolo"),
    ],
)
def test_what_a_list_excepts_is_denied(dialect: str, keys: str) -> None:
    assert "bash" not in available(written(dialect, keys))


def test_what_a_list_of_vibes_excepts_is_denied() -> None:
    assert "bash" not in available(vibe('enabled_tools = ["*", "!bash"]'))
    assert "bash" not in available(vibe('bypass_tool_permissions = true\nenabled_tools = ["*", "!bash"]'))


def test_a_map_within_a_list_of_tools_gives_nothing_whatever_its_author_means() -> None:
    assert available(claude("tools: ['*', {only: [Read]}]").agent.grants) == set()
    assert "bash" not in available(written("auggie", "tools: ['*', {exclude: [terminal]}]"))


def test_an_argument_that_is_excepted_is_denied() -> None:
    granted = claude("tools: Bash(git *, ! git push)").agent.grants
    assert (granted.approval("bash", "git log"), granted.approval("bash", "git push")) == (SESSION, DENY)


def test_what_claude_code_gives_although_its_author_excepts_it_is_told() -> None:
    agent = claude("tools: All tools except Bash")
    assert [found.message for found in agent.diagnostics if found.code is Code.NO_EFFECT] == [
        "Claude Code gives `Bash`, which `tools` is to except"
    ]
    assert Code.NO_EFFECT not in {found.code for found in claude("tools: '*, !Bash'").diagnostics}


def test_no_mode_gives_back_the_reading_that_a_list_excepts() -> None:
    assert "read" not in available(written("qwen", "tools: ['*', '!read_file']\napprovalMode: default"))
    assert "read" not in available(claude("tools: '*, !Read'\npermissionMode: default").agent.grants)


def test_arguments_may_be_excepted_from_a_tool() -> None:
    for tools in ("Bash(git *, !git push *)", "Bash(git *), Bash(!git push:*)", "Bash(!git push *), Bash(git *)"):
        for mode in ("default", "bypassPermissions", "plan"):
            granted = claude(f"tools: {tools}\npermissionMode: {mode}").agent.grants
            assert granted.approval("bash", "git push x") is DENY
        granted = claude(f"tools: {tools}").agent.grants
        assert granted.approval("bash", "git status") is SESSION
    granted = claude("tools: 'Agent(*, !deployer)'").agent.grants
    assert (granted.approval("task", "tester"), granted.approval("task", "deployer")) == (SESSION, DENY)


def test_of_several_modes_in_a_list_the_one_that_takes_away_is_meant() -> None:
    assert "bash" not in available(claude("permissionMode: [default, plan]").agent.grants)
    assert "bash" not in available(claude("permissionMode: [plan, acceptEdits]").agent.grants)
    assert claude("permissionMode: []").agent.grants.approval("bash") is ASK
    assert "bash" not in available(written("qwen", "permissionMode: [default, plan]"))
    assert "bash" not in available(written("qwen", "permissionMode: [plan]"))


# Keys


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
def test_another_tools_list_of_denials_takes_from_claudes_agents_what_it_names(key: str) -> None:
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
        "copilot: [{model: m}, {tools: [read]}]",
        "codex-cli: {sandbox_mode: read-only}",
        "claudecode: {disallowed-tools: Bash}",
        "copilot: {tools: [read]}",
        "copilot: [{tools: [read]}]",
        "augment: {disabled_tools: [launch-process]}",
        "targets: {copilot: {tools: [read]}}",
        "settings: {permissions: {deny: [Bash]}}",
    ],
)
def test_a_key_that_only_restricts_leaves_reading_only(dialect: str, keys: str) -> None:
    assert available(written(dialect, keys)) <= READS


@pytest.mark.parametrize(
    "keys",
    [
        *("codex: {model: m}", "copilot: {tools: null}", "dependencies: {tools: [rg]}"),
        *("targets: [claude, copilot]", "targets: {copilot: {model: m}}", "readonly: 'no'"),
    ],
)
def test_what_is_said_for_one_tool_or_of_something_else_restricts_nothing(keys: str) -> None:
    assert available(claude(keys).agent.grants) == TOOLS


@pytest.mark.parametrize("dialect", ["claude", "cursor", "factory", "junie", "qwen"])
def test_a_mode_that_takes_away_counts_where_the_tool_has_no_such_key(dialect: str) -> None:
    everything = available(written(dialect, "color: red"))
    for mode, granted in (("plan", READS), ("Read-Only", READS), ("subagent", TOOLS), ("[plan]", TOOLS), ("", TOOLS)):
        assert available(written(dialect, f"mode: {mode}")) == everything & granted
    assert available(written(dialect, "phase: plan")) == everything


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
    ("mode", "shell", "task"),
    [("readOnly", DENY, DENY), ("read-only", DENY, DENY), ("'plan '", DENY, SESSION), ("plan mode", DENY, SESSION)],
)
def test_a_mode_means_what_it_says(mode: str, shell: Approval, task: Approval) -> None:
    granted = claude(f"permissionMode: {mode}").agent.grants
    assert (granted.approval("bash"), granted.approval("task")) == (shell, task)


def test_beside_another_mode_one_of_qwen_codes_that_frees_is_no_clear_word() -> None:
    for freeing in ("auto-edit", "yolo"):
        assert written("qwen", f"approvalMode: {freeing}\npermissionMode: auto").approval("edit") is SESSION
    for freeing in ("acceptEdits", "bypassPermissions"):
        assert written("qwen", f"approvalMode: auto\npermissionMode: {freeing}").approval("edit") is SESSION


def test_a_mode_of_qwen_codes_means_what_it_says() -> None:
    assert available(written("qwen", "permissionMode: read-only")) <= READS
    assert written("qwen", "permissionMode: careful").approval("bash") is ASK


@pytest.mark.parametrize("sign", ["[ab]", "{a,b}", "?"])
def test_a_sign_that_may_mean_more_to_kiro_is_neither_written_nor_taken_for_itself(sign: str) -> None:
    rule = f"{{capability: shell, effect: allow, match: ['git {sign}']}}"
    assert written("kiro", f"tools: ['*']\npermissions: {{rules: [{rule}]}}").approval("bash", "git a") is SESSION
    rule = f"{{capability: shell, effect: deny, match: ['git {sign}']}}"
    assert written("kiro", f"tools: ['*']\npermissions: {{rules: [{rule}]}}").approval("bash", "git a") is DENY
    agent = opencode(f"permission: {{bash: {{'*': ask, 'git {sign}': allow, 'git push': deny}}}}")
    file = render(agent, dialects()["kiro"], WriteOptions())
    assert b"git" not in (file.data or b"")


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


@pytest.mark.parametrize(
    "rule",
    [
        "{capability: write, effect: deny}",
        "{capability: Shell, effect: deny}",
        "{capability: [shell, fs_write], effect: deny}",
        "{capability: shell, effect: allow, matches: ['git *']}",
        "{capability: shell, effect: allow, match: {command: 'git *'}}",
        "{capability: shell, effect: allow, match: []}",
        "{capability: shell, effect: deny}, {capability: odd, effect: deny}",
        "3",
        "{capability: shell, effect: allow, match: ['git *'], excludes: ['git push *']}",
        "{capability: shell, effect: allow, match: ['git *'], exclude: {command: 'git push *'}}",
    ],
)
def test_a_rule_of_kiros_that_cannot_be_made_out_leaves_reading_only(rule: str) -> None:
    assert available(written("kiro", f"tools: ['*']\npermissions: {{rules: [{rule}]}}")) <= READS


@pytest.mark.parametrize("table", ["enabled = false", "disabled = true", 'permission = "never"'])
@pytest.mark.parametrize("name", ["bash", "Bash", "shell"])
def test_a_tool_that_is_off_in_a_table_of_vibes_is_denied(table: str, name: str) -> None:
    assert "bash" not in available(vibe(f"[tools.{name}]\n{table}"))


def test_a_table_of_vibes_may_be_for_a_tool_of_a_server() -> None:
    assert vibe('[tools.github_create]\npermission = "never"').approval("mcp/github_create") is DENY
    assert vibe('[tools.github_create]\npermission = "ask"').approval("mcp/github_create") is ASK
    assert vibe('[tools.github_create]\npermission = "always"').approval("mcp/github_create") is SESSION
    denied = 'disabled_tools = ["github_*"]\n[tools.github_create]\npermission = "ask"'
    assert vibe(denied).approval("mcp/github_create") is DENY
    assert "bash" not in available(vibe('disabled_tools = ["shell"]'))
    assert "bash" not in available(vibe('base_disabled = ["shell"]'))
    assert not available(vibe('disabled_tools = ["Write/Edit"]')) & {"write", "edit"}
    assert "bash" in available(vibe('disabled_tools = ["github_*"]'))


@pytest.mark.parametrize(
    ("keys", "level"),
    [
        ("", SESSION),
        ('disabled_tools = ["skill"]', DENY),
        ('enabled_tools = ["read_file"]', DENY),
        ('[tools.skill]\npermission = "never"', DENY),
        ('[tools.skill]\npermission = "ask"', ASK),
        ('[tools.skill]\ndenylist = ["x"]', DENY),
    ],
)
def test_a_list_of_skills_of_vibes_brings_none_without_the_tool_for_them(keys: str, level: Approval) -> None:
    granted = vibe(f'enabled_skills = ["x"]\n{keys}')
    assert (granted.approval("skill", "x"), granted.approval("skill", "y")) == (level, DENY)


def test_clines_list_of_skills_brings_none_that_its_tools_except() -> None:
    assert written("cline", "tools: [bash, '!skills']\nskills: [x]").approval("skill", "x") is DENY


def test_a_table_of_vibes_brings_no_tool_of_a_server_to_an_agent_that_has_none() -> None:
    data = (
        b'description = "d"\nagent_type = "subagent"\ninstructions = "p"\n[tools.github_create]\npermission = "ask"\n'
    )
    assert read("x.toml", data, "vibe").agent.grants.approval("mcp/github_create") is DENY


@pytest.mark.parametrize("tables", [("bash", "Bash"), ("Bash", "bash"), ("BASH", "Bash")])
@pytest.mark.parametrize("levels", [("never", "always"), ("ask", "never"), ("always", "never")])
def test_of_two_tables_of_vibes_for_one_tool_the_narrower_counts(
    tables: tuple[str, str], levels: tuple[str, str]
) -> None:
    keys = [f'[tools.{name}]\npermission = "{level}"' for name, level in zip(tables, levels, strict=True)]
    assert "bash" not in available(vibe("\n".join(keys)))


@pytest.mark.parametrize("name", ["bash", "Bash", "shell", "run_command"])
def test_what_a_table_of_vibes_denies_in_part_is_denied_under_any_name(name: str) -> None:
    assert vibe(f'[tools.{name}]\ndenylist = ["rm"]').approvals("bash") == {SESSION, DENY}
    assert "bash" not in available(vibe(f'[tools.{name}]\nenabled = "no"'))


@pytest.mark.parametrize("off", ["false", "'false'", "no", "off", "0"])
def test_a_switch_of_antigravitys_is_off_in_any_word_for_it(off: str) -> None:
    for key in ("inheritMcp", "inheritCustomizations"):
        assert written("antigravity", f"{key}: {off}").approval("mcp/gh/x") is DENY
        assert written("antigravity", f"{key}: true").approval("mcp/gh/x") is SESSION
        assert written("antigravity", f"{key}: null").approval("mcp/gh/x") is SESSION


@pytest.mark.parametrize("policy", ["deny", "never", "none", "plan"])
def test_a_policy_for_commands_that_there_is_not_may_refuse_them(policy: str) -> None:
    assert "bash" not in available(written("antigravity", f"commandExecutionPolicy: {policy}"))


@pytest.mark.parametrize("on", ["true", "'true'", "yes", "1"])
def test_skills_are_disabled_in_any_word_for_it(on: str) -> None:
    assert "skill" not in available(written("auggie", f"disable_skills: {on}"))
    assert "skill" in available(written("auggie", "disable_skills: no"))


def test_a_list_of_vibes_skills_may_except_some() -> None:
    granted = vibe('enabled_skills = ["*", "!deploy"]')
    assert (granted.approval("skill", "pdf"), granted.approval("skill", "deploy")) == (SESSION, DENY)


# Hooks


@pytest.mark.parametrize("dialect", ["claude", "qwen", "copilot"])
@pytest.mark.parametrize(
    ("matcher", "guarded"),
    [
        ("Read", {"read"}),
        ("[Read, Grep]", {"read", "grep"}),
        ("'^Read$'", CHANGES | {"read"}),
        ("'(Read|Grep).*'", CHANGES | {"read", "grep"}),
        ("'.*'", CHANGES),
        ("all", CHANGES),
        ("''", CHANGES),
        ("null", CHANGES),
        ("[]", CHANGES),
    ],
)
def test_a_hook_guards_the_tools_that_its_matcher_may_mean(dialect: str, matcher: str, guarded: set[str]) -> None:
    granted = written(dialect, f"hooks: {{PreToolUse: [{{matcher: {matcher}, command: x}}]}}")
    assert {tool for tool in TOOLS if DENY in granted.approvals(tool)} == guarded


# Servers


SERVERS = [
    ("claude", "mcpServers: {gh: {command: x, SAID}}"),
    ("claude", "tools: Read, mcp__gh\nmcpServers: [{gh: {command: x, SAID}}]"),
    ("qwen", "mcpServers: {gh: {command: x, SAID}}"),
    ("kiro", "tools: ['*']\nmcpServers: {gh: {command: x, SAID}}"),
    ("kiro", "tools: ['@gh', read]\nmcpServers: {gh: {command: x, SAID}}"),
    ("copilot", "tools: ['gh/*']\nmcp-servers: {gh: {type: local, command: x, SAID}}"),
    ("gemini", "tools: [read_file]\nmcp_servers: {gh: {command: x, SAID}}"),
]


@pytest.mark.parametrize(("dialect", "keys"), SERVERS)
@pytest.mark.parametrize(
    ("declared", "search", "delete"),
    [
        ("disabledTools: [delete]", SESSION, DENY),
        ("exclude_tools: [delete(x)]", SESSION, DENY),
        ("includeTools: [search]", SESSION, DENY),
        ("tools: [search]", SESSION, DENY),
        ("tools: []", DENY, DENY),
        ("tools: ['*']", SESSION, SESSION),
        ("enabled: false", DENY, DENY),
        ("disabled: true", DENY, DENY),
    ],
)
def test_what_a_server_may_not_do_nobody_elses_does(
    dialect: str, keys: str, declared: str, search: Approval, delete: Approval
) -> None:
    granted = written(dialect, keys.replace("SAID", declared))
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (search, delete)


def test_a_list_of_a_servers_tools_brings_none_that_is_not_there() -> None:
    granted = written("kiro", "tools: [read]\nmcpServers: {gh: {command: x, includeTools: [search]}}")
    assert granted.approval("mcp/gh/search") is DENY
    granted = written("copilot", "tools: [gh/search]\nmcp-servers: {gh: {type: local, command: x, tools: [delete]}}")
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (DENY, DENY)


def test_servers_of_codex_and_vibe_are_limited_too() -> None:
    table = '[mcp_servers.gh]\ncommand = "x"\nenabled_tools = ["search"]'
    granted = codex(table).agent.grants
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (SESSION, DENY)
    granted = vibe('[[mcp_servers]]\nname = "gh"\ncommand = "x"\ndisabled_tools = ["delete"]')
    assert granted.approval("mcp/gh/delete") is DENY


@pytest.mark.parametrize(
    ("keys", "denied"),
    [
        ("inheritCustomizations: false", {"skill", "task"}),
        ("inheritCustomizations: 'no'", {"skill", "task"}),
        ("inheritCustomizations: true\ninheritMcp: false", set()),
    ],
)
def test_what_antigravity_does_not_inherit_is_denied(keys: str, denied: set[str]) -> None:
    granted = written("antigravity", keys)
    assert {"skill", "task"} - available(granted) == denied
    assert granted.approval("mcp/gh/x") is DENY
    assert "task" in available(written("antigravity", f"{keys}\ntools: [invoke_subagent]"))


@pytest.mark.parametrize(
    ("matcher", "tools"),
    [
        ("mcp__gh__delete", {"mcp/gh/delete"}),
        ("mcp__gh__delete|Bash", {"mcp/gh/delete", "bash"}),
        (["Read", "B.*"], {"read", "mcp/*", *CHANGES}),
        ("", {"mcp/*", *CHANGES}),
        ("CronCreate", set()),
    ],
)
def test_a_hook_guards_what_its_matcher_names(matcher: JsonValue, tools: set[str]) -> None:
    forms: list[JsonValue] = [{"PreToolUse": [{"matcher": matcher}]}, {"pre_tool_use": {"matcher": matcher}}]
    for hooks in forms:
        rules = [*guarded(hooks, intended_by)]
        assert {rule.tool for rule in rules} == tools
        assert {rule.approval for rule in rules} <= {DENY}


def test_hooks_that_the_tool_does_not_run_are_told() -> None:
    agent = opencode("hooks: {PreToolUse: [{matcher: Bash}]}")
    assert [found.code for found in agent.diagnostics] == [Code.NO_EFFECT]
    assert DENY in agent.agent.grants.approvals("bash")
    assert opencode("hooks: {Stop: [{command: x}]}").diagnostics == ()


def test_what_was_meant_and_is_not_read_is_told() -> None:
    agent = claude("disallowedTools: shell\nexcludedTools: [Bash]")
    assert {Code.UNKNOWN_TOOL, Code.NO_EFFECT} <= {found.code for found in agent.diagnostics}


# Forms


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
def test_a_denial_in_another_form_than_a_list_is_meant(dialect: str, key: str, value: str) -> None:
    assert "bash" not in available(written(dialect, f"{key}: {value}"))


def test_what_a_map_of_denied_tools_switches_off_is_not_denied() -> None:
    assert "bash" in available(written("qwen", "disallowedTools: {bash: false, edit: true}"))


def test_a_server_that_junie_shows_brings_no_tool_of_it_that_is_denied() -> None:
    granted = written("junie", "mcpServers: [gh]\ndisallowedTools: [mcp__gh__delete]")
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (SESSION, DENY)
    granted = written("junie", "tools: [Read, '!mcp__gh__delete']\nmcpServers: [gh]")
    assert granted.approval("mcp/gh/delete") is DENY


def test_a_list_of_junies_servers_may_except_one() -> None:
    granted = written("junie", "mcpServers: ['*', '!gh']")
    assert (granted.approval("mcp/gh/x"), granted.approval("mcp/other/x")) == (DENY, SESSION)


def test_a_server_that_junie_shows_brings_nothing_where_everything_is_denied() -> None:
    assert written("junie", "mcpServers: [gh]\ndisallowedTools: ['*']").approval("mcp/gh/x") is DENY


def test_kiro_excludes_a_tool_by_the_name_that_the_agent_gives_it() -> None:
    keys = "tools: [read, '@gh/delete', '@gh/search']\ntoolAliases: {'@gh/delete': rmx}\nexcludedTools: [rmx]"
    granted = written("kiro", keys)
    assert (granted.approval("mcp/gh/search"), granted.approval("mcp/gh/delete")) == (SESSION, DENY)


def test_a_tool_of_a_server_that_was_granted_in_part_is_not_granted_whole_by_the_servers_list() -> None:
    rules = [Rule("mcp/gh/x", SESSION), Rule("mcp/gh/x", DENY, "secret*")]
    left = Grants(tuple(limited({"gh": {"tools": ["x"]}}, rules)))
    assert left.approvals("mcp/gh/x") == {DENY}


@pytest.mark.parametrize(
    ("key", "granted", "denied"),
    [
        *(
            (key, "y", "x")
            for key in ("disabledTools", "excludeTools", "excludedTools", "disallowedTools", "denied_tools")
        ),
        *((key, "x", "y") for key in ("enabledTools", "includeTools", "allowed_tools", "tools")),
    ],
)
@pytest.mark.parametrize("pattern", ["mcp/gh/*", "mcp/g?/*", "mcp/*"])
def test_each_key_beside_a_server_limits_it_however_it_was_granted(
    key: str, granted: str, denied: str, pattern: str
) -> None:
    left = Grants(tuple(limited({"gh": {key: ["x"]}}, [Rule(pattern, SESSION)])))
    assert left.approvals(f"mcp/gh/{granted}") == {SESSION}
    assert left.approvals(f"mcp/gh/{denied}") == {DENY}


@pytest.mark.parametrize("pattern", ["mcp/g?/x", "mcp/?h/x", "*h/x"])
def test_what_a_pattern_grants_of_a_server_is_limited_too(pattern: str) -> None:
    left = Grants(tuple(limited({"gh": {"tools": ["y"]}}, [Rule(pattern, SESSION)])))
    assert left.approvals("mcp/gh/x") == {DENY}
    assert left.approvals("mcp/eh/x") == Grants((Rule(pattern, SESSION),)).approvals("mcp/eh/x")


def test_a_pattern_in_a_servers_list_grants_nothing_that_it_may_mean() -> None:
    rules = [Rule("read", SESSION), Rule("mcp/*", SESSION), Rule("mcp/gh/secret", DENY), Rule("mcp/g/x", DENY)]
    given: list[JsonValue] = [{"gh": {"tools": ["se*"]}}, {"gh": {"tools": ["secre?"]}}, {"g*": {"tools": ["x"]}}]
    for servers in given:
        left = Grants(tuple(limited(servers, rules)))
        assert left.approvals("mcp/g/x") == {DENY}
        assert left.approvals("mcp/gh/secret") == {DENY}
        assert left.approvals("read") == {SESSION}


def test_a_servers_list_may_be_one_name_and_stand_beside_what_is_no_server() -> None:
    servers: JsonValue = {"name": "mine", "gh": {"tools": "search"}}
    left = Grants(tuple(limited(servers, [Rule("mcp/*", SESSION)])))
    assert left.approvals("mcp/gh/search") == {SESSION}
    assert left.approvals("mcp/gh/delete") == {DENY}


def test_permissions_by_a_name_of_another_tool_are_meant() -> None:
    assert available(opencode("permissions: {shell: deny}").agent.grants) == TOOLS - {"bash"}


@pytest.mark.parametrize("value", ["true", "'true'", "[x]"])
def test_a_switch_that_restricts_counts_where_it_is_on(value: str) -> None:
    assert available(opencode(f"readonly: {value}").agent.grants) <= READS
    assert available(claude(f"readonly: {value}").agent.grants) <= READS


@pytest.mark.parametrize(
    "declared",
    [
        *("tools: {search: true, delete: false}", "tools: {delete: 'no'}", "tools: ['*', '!delete']"),
        *("tools: '* except delete'", "excludeTools: {delete: true}", "excludeTools: [[delete]]"),
        *("excludeTools: [mcp__gh__delete]", "excludeTools: [gh/delete]", "excludeTools: ['@gh/delete']"),
        *("blocked_tools: [delete]", "denyTools: delete", "deny: [delete]", "disable-tools: [delete]"),
    ],
)
def test_a_tool_of_a_server_is_denied_in_whatever_form_its_denial_stands(declared: str) -> None:
    granted = written("claude", f"mcpServers: {{gh: {{command: x, {declared}}}}}")
    assert (granted.approval("mcp/gh/delete"), granted.approval("mcp/gh/search")) == (DENY, SESSION)


@pytest.mark.parametrize(
    ("declared", "level"),
    [
        *((switch, DENY) for switch in ("enabled: 'false'", "enabled: no", "Enabled: false", "disabled: 'yes'")),
        *((switch, SESSION) for switch in ("enabled: 'true'", "disabled: no", "enabled: null", "disabled: null")),
        *((nothing, SESSION) for nothing in ("tools: null", "tools: {search: {timeout: 3}}", "tools: {search: null}")),
    ],
)
def test_a_server_is_off_where_its_switch_says_so_in_any_spelling(declared: str, level: Approval) -> None:
    assert written("claude", f"mcpServers: {{gh: {{command: x, {declared}}}}}").approval("mcp/gh/search") is level


def test_a_server_may_be_off_by_its_name_alone() -> None:
    granted = written("claude", "mcpServers: {gh: false, git: true}")
    assert (granted.approval("mcp/gh/x"), granted.approval("mcp/git/x")) == (DENY, SESSION)


@pytest.mark.parametrize(
    "dialect", ["junie", "auggie", "antigravity", "opencode", "kilo", "cursor", "goose", "rovodev"]
)
def test_servers_and_hooks_restrict_also_where_the_tool_reads_neither(dialect: str) -> None:
    granted = written(dialect, "mcpServers: {gh: {command: x, disabledTools: [delete]}}")
    assert (granted.approval("mcp/gh/delete"), granted.approval("mcp/gh/search")) == (DENY, SESSION)
    guarded = written(dialect, "hooks: {PreToolUse: [{matcher: Bash, command: x}]}")
    assert {tool for tool in TOOLS if DENY in guarded.approvals(tool)} == {"bash"}


@pytest.mark.parametrize(
    "servers", ["other", "[]", "none", "{other: {command: x}}", "{gh: {disabled: true}}", "['!gh']"]
)
def test_servers_of_junies_that_are_no_list_are_meant(servers: str) -> None:
    granted = written("junie", f"mcpServers: {servers}")
    assert granted.approval("mcp/gh/search") is DENY
    assert "bash" in available(granted)
