"""Every sandbox, policy and switch of Codex: what it denies, what it leaves, and what is reported."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import READING, TOOLS, Approval
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import read_agent
from support.conversion import read
from support.grants import CHANGES, available, codex

DENY, ASK, SESSION, ALLOW = Approval


TABLE = "approval_policy = {granular = {sandbox_approval = true}}"


READ_ONLY, WORKSPACE, FULL = (
    f'sandbox_mode = "{mode}"\n' for mode in ("read-only", "workspace-write", "danger-full-access")
)


NEVER, REQUEST, FAILURE, UNTRUSTED = (
    f'approval_policy = "{policy}"' for policy in ("never", "on-request", "on-failure", "untrusted")
)


@pytest.mark.parametrize(
    ("keys", "enforced", "shell", "edit", "task"),
    [
        ("", SESSION, SESSION, SESSION, SESSION),
        (UNTRUSTED, SESSION, ASK, ASK, ASK),
        (REQUEST, SESSION, SESSION, SESSION, SESSION),
        (NEVER, SESSION, SESSION, SESSION, SESSION),
        (TABLE, SESSION, SESSION, SESSION, SESSION),
        (READ_ONLY, SESSION, DENY, DENY, SESSION),
        (READ_ONLY + NEVER, DENY, DENY, DENY, SESSION),
        (READ_ONLY + REQUEST, ASK, ASK, ASK, SESSION),
        (READ_ONLY + FAILURE, ASK, ASK, ASK, SESSION),
        (READ_ONLY + UNTRUSTED, ASK, ASK, ASK, ASK),
        (READ_ONLY + TABLE, ASK, DENY, DENY, SESSION),
        (WORKSPACE, ALLOW, ASK, ALLOW, SESSION),
        (WORKSPACE + NEVER, ALLOW, DENY, ALLOW, SESSION),
        (WORKSPACE + REQUEST, ALLOW, ASK, ALLOW, SESSION),
        (WORKSPACE + UNTRUSTED, ALLOW, ASK, ASK, ASK),
        (WORKSPACE + TABLE, ALLOW, DENY, ALLOW, SESSION),
        (FULL, ALLOW, SESSION, SESSION, SESSION),
        (FULL + NEVER, ALLOW, ALLOW, ALLOW, SESSION),
        (FULL + UNTRUSTED, ALLOW, ASK, ASK, ASK),
    ],
)
def test_a_sandbox_and_a_policy_of_codex(
    keys: str, enforced: Approval, shell: Approval, edit: Approval, task: Approval
) -> None:
    agent = codex(keys)
    most = agent.dialect.enforced(agent.document)
    assert {most.approval(tool) for tool in ("bash", "write", "edit", "notebook", "webfetch")} == {enforced}
    assert {"read", "grep", "glob", "list", "websearch"} <= available(most)
    granted = agent.agent.grants
    assert {granted.approval(tool) for tool in ("bash", "notebook", "webfetch", "external_directory")} == {shell}
    assert {granted.approval(tool) for tool in ("write", "edit")} == {edit}
    assert granted.approval("task") is task
    assert {granted.approval(tool) for tool in READING} == {SESSION}


@pytest.mark.parametrize(
    ("switch", "tools"),
    [
        ("features.shell_tool", {"read", "grep", "glob", "list", "bash", "webfetch"}),
        ("features.apply_patch_freeform", CHANGES),
        ("features.web_search_request", {"websearch"}),
        ("features.web_search_cached", {"websearch"}),
        ("features.multi_agent", {"task"}),
        ("features.multi_agent_v2", {"task"}),
        ("tools.web_search", {"websearch"}),
        ("agents.enabled", {"task"}),
    ],
)
def test_a_switch_of_codex_that_is_off_takes_its_tools_away(switch: str, tools: set[str]) -> None:
    table, _, key = switch.partition(".")
    for value in ("false", "{enabled = false}"):
        agent = codex(f"[{table}]\n{key} = {value}")
        assert available(agent.agent.grants) == TOOLS - tools
        assert Code.OWN_RESTRICTION in [diagnostic.code for diagnostic in agent.diagnostics]
    assert available(codex(f"[{table}]\n{key} = true").agent.grants) == TOOLS


# Files that Codex 0.171.0 does not load (all seen), of which it is clear what other tools may be given.
@pytest.mark.parametrize(
    "keys",
    [
        'short-description = "style"',
        'tags = ["a"]',
        "mcp = {x = 1}",
        'skills = "a"',
        "model_context_window = true",
        'hide_agent_reasoning = "yes"',
        'notify = "x"',
        "[features]\nshell_tool = {enabled = false}",
        "[agents]\nenabled = {enabled = false}",
    ],
)
def test_what_codex_does_not_load_costs_the_agent_there_and_nowhere_else(keys: str) -> None:
    agent = codex(keys)
    file = render(agent, agent.dialect, WriteOptions())
    assert (file.data, [diagnostic.code for diagnostic in file.diagnostics]) == (None, [Code.NOT_LOADED])
    assert render(agent, dialects()["neutral"], WriteOptions()).data is not None


@pytest.mark.parametrize(
    "keys",
    ['[features]\nshell_tool = "off"', "[agents]\nmax_agents = 5", "features = false", 'sandbox-mode = "read-only"'],
)
def test_what_codex_does_not_load_and_may_be_a_restriction_costs_the_agent_everywhere(keys: str) -> None:
    with pytest.raises(AssertionError, match=r"WRONG_TYPE|WRONG_DIALECT"):
        codex(keys)


# Keys of tables that Codex 0.171.0 ignores, and forms that it takes (all seen).
@pytest.mark.parametrize(
    "keys",
    [
        "[tools]\nfoo = true",
        "[features]\nfoo = true",
        "[features]\nmulti_agent_v2 = {enabled = true}",
        "[sandbox_workspace_write]\nfoo = true",
        "[agents]\nmax_threads = 5\nhelper = {foo = 1}",
        '[mcp_servers.x]\ncommand = "x"\nfoo = 1',
        "[skills]\nfoo = 1",
        "[windows]\nfoo = 1",
    ],
)
def test_what_codex_ignores_in_a_table_keeps_no_agent_from_it(keys: str) -> None:
    agent = codex(keys)
    assert render(agent, agent.dialect, WriteOptions()).data == agent.document.data


def test_instructions_in_a_table_are_one_error() -> None:
    data = b'name = "x"\ndescription = "d"\n[developer_instructions]\ntext = "p"\n'
    assert [diagnostic.code for diagnostic in read_agent("x.toml", data, "codex").diagnostics] == [Code.WRONG_TYPE]


def test_a_misspelt_key_of_codex_is_reported_with_the_one_that_was_meant() -> None:
    agent = codex('model_verbocity = "low"')
    (diagnostic,) = render(agent, agent.dialect, WriteOptions()).diagnostics
    assert diagnostic.message.endswith("`model_verbocity` (did you mean `model_verbosity`?)")
    assert diagnostic.line == 4


@pytest.mark.parametrize("keys", ['default_permissions = "mine"', "[permissions.mine]\nx = 1"])
def test_a_codex_profile_that_has_no_equivalent_leaves_no_shell(keys: str) -> None:
    granted = codex(keys).agent.grants
    assert available(granted) == TOOLS - {"bash", "webfetch", "external_directory", *CHANGES}
    assert all(DENY in granted.approvals(tool) for tool in ("read", "grep", "glob", "list"))


def test_the_narrower_of_a_codex_sandbox_and_a_profile_counts() -> None:
    intended, wide = 'default_permissions = ":read-only"\n', 'default_permissions = ":danger-full-access"\n'
    assert codex(WORKSPACE + intended).agent.grants.approval("edit") is DENY
    assert codex(READ_ONLY + wide).agent.grants.approval("edit") is DENY
    assert codex('default_permissions = ":workspace"').agent.grants.approval("edit") is ALLOW


@pytest.mark.parametrize("keys", ["", READ_ONLY, FULL])
def test_a_search_of_the_web_is_taken_away_by_its_own_key(keys: str) -> None:
    agent = codex(f'{keys}web_search = "disabled"')
    assert agent.agent.grants.approval("websearch") is DENY
    assert agent.dialect.enforced(agent.document).approval("websearch") is DENY
    for value in ("cached", "indexed", "live"):
        assert codex(f'web_search = "{value}"').agent.grants.approval("websearch") is SESSION


@pytest.mark.parametrize(
    ("entry", "levels"),
    [
        ('name = "deploy"', [DENY, SESSION]),
        ('path = "/home/x/.codex/skills/deploy/SKILL.md"', [DENY, SESSION]),
        ('path = "/home/x/.codex/skills/deploy"', [DENY, SESSION]),
        (r"path = 'C:\Users\x\.codex\skills\deploy\SKILL.md'", [DENY, SESSION]),
        ('name = "pdf"', [SESSION, DENY]),
    ],
)
def test_a_skill_that_codex_switches_off_is_denied(entry: str, levels: list[Approval]) -> None:
    granted = codex(f"[[skills.config]]\n{entry}\nenabled = false").agent.grants
    assert [granted.approval("skill", name) for name in ("deploy", "pdf")] == levels
    granted = codex(f"[[skills.config]]\n{entry}\nenabled = true").agent.grants
    assert granted.approvals("skill") == {SESSION}
    assert DENY in codex("[[skills.config]]\nenabled = false").agent.grants.approvals("skill")


def test_tools_of_servers_before_which_codex_asks_are_asked_for() -> None:
    server = '[mcp_servers.gh]\ncommand = "x"\n'
    for keys, levels in (
        ('default_tools_approval_mode = "prompt"', [ASK, ASK]),
        ('tools.delete = {approval_mode = "prompt"}', [ASK, SESSION]),
        ('tools.delete = {approval_mode = "approve"}', [SESSION, SESSION]),
        ('default_tools_approval_mode = "prompt"\nenabled_tools = ["search"]', [DENY, ASK]),
        ('default_tools_approval_mode = "auto"\ndisabled_tools = ["delete"]', [DENY, SESSION]),
    ):
        granted = codex(server + keys).agent.grants
        assert [granted.approval(f"mcp/gh/{tool}") for tool in ("delete", "search")] == levels
        assert granted.approval("mcp/git/delete") is SESSION


def test_a_profile_of_the_users_counts_as_the_widest_there_is() -> None:
    agent = codex(f'{READ_ONLY}{NEVER}\nprofile = "free"')
    assert agent.dialect.enforced(agent.document).approval("bash") is ALLOW


def test_a_profile_of_the_users_may_let_through_more_than_the_sandbox() -> None:
    data = b"---\nname: x\ndescription: d\ntools: [read]\ntargets: {codex: {native: {profile: free}}}\n---\np\n"
    assert render(read("x.md", data, "neutral"), dialects()["codex"], WriteOptions()).data is None


@pytest.mark.parametrize("target", ["codex", "cursor"])
@pytest.mark.parametrize(
    ("tools", "is_written"), [("[search]", True), ("[grep]", True), ("[glob]", False), ("[search, '!read']", False)]
)
def test_an_agent_that_may_search_all_text_is_written_where_every_agent_reads(
    target: str, tools: str, *, is_written: bool
) -> None:
    source = read("x.agent.md", f"---\ndescription: d\ntools: {tools}\n---\np\n".encode(), "copilot")
    file = render(source, dialects()[target], WriteOptions())
    assert (file.data is not None) is is_written, file.diagnostics
    if file.document is not None:
        assert not CHANGES & available(dialects()[target].enforced(file.document))
    # Elsewhere reading is a tool of its own, and not granted.
    assert b"Read" not in (render(source, dialects()["claude"], WriteOptions()).data or b"")
