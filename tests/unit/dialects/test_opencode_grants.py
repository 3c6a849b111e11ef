"""Every restricting key and name of OpenCode: what it denies, what it leaves, and what is reported."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import TOOLS, Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support.conversion import read
from support.grants import CHANGES, available, opencode, reported

DENY, ASK, SESSION, ALLOW = Approval
CLAUDE, OPENCODE = (dialects()[name] for name in ("claude", "opencode"))


# OpenCode's keys, and the tools that each governs.
OPENCODE_KEYS = {
    "read": {"read"},
    "edit": {"write", "edit"},
    "glob": {"glob"},
    "grep": {"grep"},
    "list": {"list"},
    "bash": {"bash"},
    "task": {"task"},
    "external_directory": {"external_directory"},
    "lsp": {"lsp"},
    "skill": {"skill"},
    "todowrite": {"todo"},
    "question": {"question"},
    "webfetch": {"webfetch"},
    "websearch": {"websearch"},
}


# The tools that a denial by a name other than OpenCode's permissions is intended for.
OPENCODE_INTENDED = {
    "write": {"write", "edit", "notebook"},
    "patch": {"write", "edit", "notebook"},
    "multiedit": {"write", "edit", "notebook"},
    "apply_patch": {"write", "edit", "notebook"},
    "todoread": {"todo"},
    "Bash": {"bash"},
    "Write": {"write", "edit", "notebook"},
    "MultiEdit": {"write", "edit", "notebook"},
    "TodoRead": {"todo"},
    "Edit": {"write", "edit", "notebook"},
}


OPENCODE_SWITCHES = {
    "write": {"write"},
    "edit": {"edit", "notebook"},
    "patch": {"edit", "notebook"},
    "multiedit": {"edit", "notebook"},
}


@pytest.mark.parametrize(("key", "tools"), OPENCODE_KEYS.items())
def test_a_key_of_opencode_decides_about_its_tools_and_no_other(key: str, tools: set[str]) -> None:
    agent = opencode(f"permission: {{{key}: deny}}")
    assert available(agent.dialect.enforced(agent.document)) == TOOLS - tools - {"notebook"}
    assert available(agent.agent.grants) == TOOLS - tools - ({"notebook"} if key == "edit" else set())
    agent = opencode(f"permission: {{'*': deny, {key}: allow}}")
    assert available(agent.dialect.enforced(agent.document)) == tools
    assert available(agent.agent.grants) == tools


@pytest.mark.parametrize(("key", "tools"), OPENCODE_INTENDED.items())
def test_a_key_that_opencode_does_not_read_denies_what_its_author_intended(key: str, tools: set[str]) -> None:
    for keys in (f"permission: {{{key}: deny}}", f"permissions: {{{key}: deny}}"):
        assert available(opencode(keys).agent.grants) == TOOLS - tools


@pytest.mark.parametrize(("key", "tools"), OPENCODE_SWITCHES.items())
def test_a_switch_that_is_off_denies_its_tools(key: str, tools: set[str]) -> None:
    granted = opencode(f"tools: {{{key}: false}}\npermission: {{edit: allow}}").agent.grants
    assert tools.isdisjoint(available(granted))
    alone = opencode(f"tools: {{{key}: false}}").agent.grants
    assert available(alone) == TOOLS - tools - (CHANGES if key in ("write", "edit", "patch") else set())


@pytest.mark.parametrize(
    "keys",
    [
        "tools: {bash: false, read: 3}",
        "tools: [bash]",
        "permission: 3",
        "permission: {bash: [deny]}",
        "permission: {read: {x: {y: deny}}}",
        "permission: {read: {x: [deny]}}",
        "permission: maybe",
        "permission: {bash: deny, read: maybe}",
        "permission: {read: {x: maybe, y: deny}}",
    ],
)
def test_a_file_that_opencode_would_not_load_is_reported(keys: str) -> None:
    assert Code.WRONG_DIALECT in reported(keys, "opencode")


@pytest.mark.parametrize(("word", "level"), [("deny", DENY), ("ask", ASK), ("allow", ALLOW)])
@pytest.mark.parametrize("key", ["permission", "permissions"])
def test_a_single_action_covers_every_tool(key: str, word: str, level: Approval) -> None:
    granted = opencode(f"{key}: {word}").agent.grants
    expected = min(level, SESSION) if key == "permissions" else level
    assert {granted.approval(tool) for tool in ("bash", "read", "edit", "mcp/gh/x")} == {expected}


def test_a_list_that_opencode_does_not_read_grants_nothing() -> None:
    granted = opencode("permission: {bash: deny, read: ask}\npermissions: {bash: allow}").agent.grants
    assert granted.approval("bash") is DENY
    granted = opencode("permission: {bash: deny, Bash: allow, webfetch: ask, WebFetch: allow}").agent.grants
    assert (granted.approval("bash"), granted.approval("webfetch")) == (DENY, ASK)


@pytest.mark.parametrize("pattern", ["~", "~/x/*", "$HOME/x", "$HOMEx"])
def test_a_pattern_below_the_home_directory_is_never_allowed_elsewhere(pattern: str) -> None:
    granted = opencode(f"permission: {{bash: {{'*': allow, '{pattern}': deny}}}}").agent.grants
    assert DENY in granted.approvals("bash")
    file = render(opencode(f"permission: {{bash: {{'*': deny, '{pattern}': allow}}}}"), CLAUDE, WriteOptions())
    assert file.document is not None
    assert CLAUDE.enforced(file.document).approvals("bash") == {DENY}


@pytest.mark.parametrize("key", ["todowrite", "question", "webfetch", "websearch", "doom_loop"])
def test_a_key_of_opencode_that_takes_no_arguments_is_read_and_written_without(key: str) -> None:
    assert Code.WRONG_DIALECT in reported(f"permission: {{{key}: {{'x*': deny}}}}", "opencode")
    for tool in OPENCODE_KEYS.get(key, set()):
        data = f"---\nname: x\ndescription: d\npermissions: {{{tool}: {{'*': session, 'x*': deny}}}}\n---\np\n"
        file = render(read("x.md", data.encode(), "neutral"), OPENCODE, WriteOptions())
        assert f"{key}: deny\n" in (file.data or b"").decode()


def test_a_name_of_a_server_keeps_its_case() -> None:
    granted = opencode("permission: {'GH_*': deny}").agent.grants
    assert (granted.approval("mcp/GH_x"), granted.approval("mcp/gh_x")) == (DENY, SESSION)


@pytest.mark.parametrize(
    ("rule", "further", "level"),
    [
        ("bash: {'*': ask, 'rm *': deny}", "notebook_execute", "deny"),
        ("bash: {'*': allow, 'rm *': ask}", "notebook_execute", "ask"),
        ("task: {'*': ask, x: deny}", "agent_manager", "deny"),
        ("read: deny", "notebook_read", "deny"),
        ("edit: deny", "write", "deny"),
        ("grep: deny", "semantic_search", "deny"),
        ("webfetch: ask", "browser_open", "ask"),
    ],
)
def test_a_similar_tool_is_restricted_too(rule: str, further: str, level: str) -> None:
    file = render(opencode(f"permission: {{{rule}}}"), dialects()["kilo"], WriteOptions())
    assert f"  {further}: {level}\n" in (file.data or b"").decode()


def test_the_guard_for_secrets_is_an_ordinary_rule_for_other_tools() -> None:
    guard = "{'*': allow, '*.env': ask, '*.env.*': ask, '*.env.example': allow}"
    granted = opencode(f"permission: {{bash: {guard}, read: {guard}}}").agent.grants
    assert granted.approval("bash", "cat .env") is ASK
    assert granted.approval("read", ".env") is ALLOW


def test_a_pattern_over_the_keys_of_opencode_decides_about_each() -> None:
    agent = opencode("permission: {'web*': deny, 'e*t': ask}")
    for granted in (agent.agent.grants, agent.dialect.enforced(agent.document)):
        assert [granted.approval(tool) for tool in ("webfetch", "websearch", "edit", "write", "mcp/web_x")] == [
            *(DENY, DENY, ASK, ASK, DENY)
        ]


def test_keys_that_opencode_does_not_read_lift_no_denial() -> None:
    granted = opencode("permission: {bash: {'*': allow, 'rm *': deny}, Bash: {'rm *': allow}}").agent.grants
    assert granted.approval("bash", "rm x") is DENY
    granted = opencode("tools: {gh_a: false}\npermissions: {'gh_*': allow}").agent.grants
    assert granted.approval("mcp/gh_a") is DENY


@pytest.mark.parametrize("target", ["opencode", "kilo"])
@pytest.mark.parametrize(
    ("rules", "path", "level"),
    [
        ("{'*': session, '*.pem': deny}", "x/.env", ASK),
        ("{'*': session, '*.pem': deny}", "x/.env.local", ASK),
        ("{'*': session, '*.pem': deny}", "x/.env.example", ALLOW),
        ("{'*': session, '*.pem': deny}", "x.pem", DENY),
        ("{'*': session, '*.env': deny}", "x/.env", DENY),
        ("{'*': session, '*.env': ask}", "x/.env", ASK),  # results in the tool's default map
        ("{'*': deny, 'src/*': session}", "src/.env", ASK),
        ("{'*': deny, 'src/*': session}", "doc/.env", DENY),
        ("{'*': deny, 'src/*': session}", "src/x", ALLOW),
        ("{'*': deny, 'src/*': allow}", "src/.env", ALLOW),
    ],
)
def test_default_guards_stay_beside_rules_for_other_paths(target: str, rules: str, path: str, level: Approval) -> None:
    data = f"---\nname: x\ndescription: d\npermissions: {{read: {rules}}}\n---\np\n"
    tool = dialects()[target]
    file = render(read("x.md", data.encode(), "neutral"), tool, WriteOptions())
    assert file.data is not None
    assert tool.enforced(tool.parse(file.data, file.path)).approval("read", path) is level


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("agent", "`task`"),
        ("Agents", "`task`"),
        ("shell", "`bash`"),
        ("execute", "`bash`"),
        ("search", "`glob` or `grep`"),
        ("webfech", "`webfetch`"),
        ("web_fetch", "`webfetch`"),
        ("skil", "`skill`"),
        ("mcp", "the name of each tool"),
    ],
)
@pytest.mark.parametrize("dialect", ["opencode", "kilo"])
def test_a_permission_that_is_the_name_of_no_tool_is_reported_with_the_tool_that_was_meant(
    dialect: str, name: str, meant: str
) -> None:
    for keys, code in (
        (f"permission: {{{name}: deny}}", Code.NO_EFFECT),
        (f"permission: {{{name}: {{'*': ask}}}}", Code.NO_EFFECT),
        (f"tools: {{{name}: false}}", Code.NO_EFFECT),
        (f"permission: {{{name}: allow}}", Code.UNKNOWN_TOOL),
        (f"tools: {{{name}: true}}", Code.UNKNOWN_TOOL),
    ):
        (diagnostic,) = read("x.md", f"---\ndescription: d\n{keys}\n---\np\n".encode(), dialect).diagnostics
        assert diagnostic.code is code
        assert f"no tool `{name}`" in diagnostic.message
        assert diagnostic.message.endswith(f"did you mean {meant}?")


@pytest.mark.parametrize("name", ["gh_*", "tracker_get_issue", "github", "deploy", "doom_loop", "*", "my-tool", "web*"])
def test_a_permission_that_may_be_that_of_a_server_or_an_added_tool_is_not_reported(name: str) -> None:
    assert reported(f"permission: {{'{name}': deny}}", "opencode") == []
