"""Every list and table of Vibe's that restricts or allows: as intended, and as enforced at most."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import READING, Approval, Grants
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.dialects import dialects
from agentsync.dialects._kit.guards import restricted
from agentsync.dialects.vibe.permissions import PERMISSIONS
from agentsync.formats.toml import parse_toml
from support.conversion import read
from support.grants import available

DENY, ASK, SESSION, ALLOW = Approval
VIBE = dialects()["vibe"]
OWN = {"read", "write", "edit", "skill", "bash"}
USERS = OWN | {"webfetch", "websearch", "todo", "question", "task"}


def both(keys: str, kind: str = "subagent") -> tuple[Grants, Grants]:
    document = parse_toml(f'agent_type = "{kind}"\n{keys}\n'.encode(), "x.toml")
    least = restricted(PERMISSIONS.intended(document.metadata), document.metadata, PERMISSIONS.keys)
    return least, PERMISSIONS.enforced(document)


def inside(granted: Grants) -> set[str]:
    return available(granted) - {"external_directory"}


@pytest.mark.parametrize(
    ("keys", "least", "most"),
    [
        ("", OWN, OWN),
        ("enabled_tools = []", set(), OWN),
        ('enabled_tools = ["read_file"]', {"read"}, {"read"}),
        ('enabled_tools = ["re:read.*"]', set(), OWN),
        ('enabled_tools = ["READ_FILE"]', {"read"}, {"read"}),
        ('enabled_tools = ["*_file"]', {"read", "write"}, {"read", "write"}),
        ('enabled_tools = ["git_bash"]', {"bash"}, {"bash"}),
        ('enabled_tools = ["read_file"]\ndisabled_tools = ["read_file"]', set(), set()),
        ('disabled_tools = ["edit"]', OWN - {"edit"}, OWN - {"edit"}),
        ('disabled_tools = ["bash"]', OWN - {"bash"}, OWN),
        ('disabled_tools = ["powershell"]', OWN - {"bash"}, OWN),
        ('disabled_tools = ["bash", "git_bash", "powershell"]', OWN - {"bash"}, OWN - {"bash"}),
        ('disabled_tools = ["read"]', OWN - {"read"}, OWN),
        ('disabled_tools = ["re:x"]', set(), OWN),
        ('disabled_tools = ["*"]', set(), set()),
        ('base_disabled = ["edit"]', OWN - {"edit"}, OWN - {"edit"}),
        ("readonly = true", {"read", "skill"}, OWN),
        ('sandbox_mode = "read-only"', {"read", "skill"}, OWN),
    ],
)
def test_which_tools_there_are(keys: str, least: set[str], most: set[str]) -> None:
    intended, wide = both(keys)
    assert (inside(intended), inside(wide)) == (least, most)


@pytest.mark.parametrize(
    ("name", "tool"),
    [("web_fetch", "webfetch"), ("web_search", "websearch"), ("todo", "todo"), ("ask_user_question", "question")],
)
def test_each_tool_that_only_users_agents_have_is_granted_and_denied_by_its_name(name: str, tool: str) -> None:
    for grants in both(f'enabled_tools = ["{name}"]', "agent"):
        assert inside(grants) == {tool, "task"}
    assert tool not in inside(both(f'disabled_tools = ["{name}"]', "agent")[0])


@pytest.mark.parametrize(("keys", "denied"), [("", ["bash"]), ('disabled_tools = ["edit"]\n', ["edit", "bash"])])
def test_a_denial_under_either_name_is_written_again(keys: str, denied: list[str]) -> None:
    agent = read("x.toml", f'{keys}base_disabled = ["bash"]\n'.encode(), "vibe")
    assert agent.agent.own_permissions == {"disabled_tools": denied}
    assert not agent.passes_through


@pytest.mark.parametrize(
    ("keys", "least", "most"),
    [
        ("", USERS, USERS),
        ("enabled_tools = []", {"task"}, USERS),
        ('enabled_tools = ["web_search"]', {"websearch", "task"}, {"websearch", "task"}),
        ('disabled_tools = ["web_search", "todo"]', USERS - {"websearch", "todo"}, USERS - {"websearch", "todo"}),
        ("bypass_tool_permissions = true", USERS, USERS),
    ],
)
def test_which_tools_there_are_for_users(keys: str, least: set[str], most: set[str]) -> None:
    intended, wide = both(keys, "agent")
    assert (inside(intended), inside(wide)) == (least, most)


@pytest.mark.parametrize(
    ("table", "subagent", "users"),
    [
        ('permission = "always"', (SESSION, SESSION), (ALLOW, ALLOW)),
        ('permission = "ask"', (ASK, ASK), (ASK, ASK)),
        ('permission = "never"', (DENY, DENY), (DENY, DENY)),
        ('permission = "never"\nallowlist = ["x"]', (DENY, DENY), (DENY, SESSION)),
        ('permission = "Never"', (DENY, SESSION), (DENY, SESSION)),
        *(
            (f'permission = "{word}"', (DENY, SESSION), (DENY, SESSION))
            for word in "deny denied none off false".split()
        ),
        ("permission = false", (DENY, SESSION), (DENY, SESSION)),
        ('permission = "odd"', (ASK, SESSION), (ASK, SESSION)),
        ("x = 1", (SESSION, SESSION), (SESSION, SESSION)),
    ],
)
@pytest.mark.parametrize(("name", "tool"), [("edit", "edit"), ("write_file", "write")])
def test_a_table_of_a_tool(
    table: str, subagent: tuple[Approval, Approval], users: tuple[Approval, Approval], name: str, tool: str
) -> None:
    for kind, expected in (("subagent", subagent), ("agent", users)):
        intended, wide = both(f"[tools.{name}]\n{table}", kind)
        assert (intended.approval(tool), wide.approval(tool)) == expected
        assert (intended.approval("read"), wide.approval("read")) == (SESSION, SESSION)


def test_a_table_under_another_spelling_is_intended_but_not_read() -> None:
    intended, wide = both('[tools.Edit]\npermission = "never"')
    assert (intended.approval("edit"), wide.approval("edit")) == (DENY, SESSION)
    intended, wide = both('[tools]\nedit = "never"')
    assert (intended.approval("edit"), wide.approval("edit")) == (DENY, SESSION)


def test_the_most_restricted_shell_is_intended_and_the_widest_enforced() -> None:
    intended, wide = both('[tools.powershell]\npermission = "never"\n[tools.git_bash]\npermission = "always"', "agent")
    assert (intended.approval("bash"), wide.approval("bash")) == (DENY, ALLOW)


def test_permissions_are_bypassed_only_for_users_and_grant_no_tool() -> None:
    keys = 'disabled_tools = ["edit"]\nbypass_tool_permissions = true\n[tools.bash]\npermission = "ask"'
    for grants in both(keys):
        assert (grants.approval("bash"), grants.approval("edit"), grants.approval("read")) != (ALLOW, DENY, ALLOW)
        assert grants.approval("read") is SESSION
    for grants in both(keys, "agent"):
        assert (grants.approval("write"), grants.approval("edit")) == (ALLOW, DENY)
    denied = both('bypass_tool_permissions = true\n[tools.edit]\npermission = "never"', "agent")
    assert [grants.approval("edit") for grants in denied] == [DENY, DENY]


@pytest.mark.parametrize(
    ("keys", "least", "most"),
    [
        ("", SESSION, SESSION),
        ('outside_workdir = "ask"', SESSION, SESSION),
        ('outside_workdir = "deny"', DENY, DENY),
        ('[tools.bash]\noutside_workdir = "deny"', DENY, SESSION),
        ('outside_workdir = "deny"\n[tools.bash]\noutside_workdir = "ask"', DENY, SESSION),
        ('outside_workdir = "deny"\n[tools.bash]\noutside_workdir = "deny"', DENY, SESSION),
    ],
)
def test_paths_outside_the_project(keys: str, least: Approval, most: Approval) -> None:
    intended, wide = both(keys)
    assert (intended.approval("external_directory"), wide.approval("external_directory")) == (least, most)


@pytest.mark.parametrize(
    ("keys", "tool", "least", "most"),
    [
        ("", "mcp/gh_x", SESSION, SESSION),
        ('enabled_tools = ["read_file"]', "mcp/gh_x", DENY, DENY),
        ('enabled_tools = ["gh_*"]', "mcp/gh_x", SESSION, SESSION),
        ('enabled_tools = ["gh_*"]', "mcp/jira_x", DENY, DENY),
        ('enabled_tools = ["gh_*", "re:x"]', "mcp/jira_x", DENY, SESSION),
        ('enabled_tools = ["gh_[x]"]', "mcp/jira_x", DENY, SESSION),
        ("enabled_tools = []", "mcp/gh_x", DENY, SESSION),
        ('disabled_tools = ["gh_*"]', "mcp/gh_x", DENY, DENY),
        ('disabled_tools = ["gh_*"]', "mcp/jira_x", SESSION, SESSION),
        ('disabled_tools = ["re:gh.*"]', "mcp/jira_x", DENY, SESSION),
        ('disabled_tools = ["gh_[x]"]', "mcp/jira_x", DENY, SESSION),
        ('disabled_tools = ["*"]', "mcp/gh_x", DENY, DENY),
        ('disabled_tools = ["edit"]', "mcp/edit", SESSION, SESSION),
    ],
)
def test_servers_are_there_for_users(keys: str, tool: str, least: Approval, most: Approval) -> None:
    intended, wide = both(keys, "agent")
    assert (intended.approval(tool), wide.approval(tool)) == (least, most)
    assert [grants.approval(tool) for grants in both(keys)] == [DENY, DENY]


@pytest.mark.parametrize(("key", "level"), [("denylist", DENY), ("sensitive_patterns", ASK)])
def test_a_restriction_of_some_commands_covers_some_arguments(key: str, level: Approval) -> None:
    for name, tool in (("bash", "bash"), ("read_file", "read")):
        intended, wide = both(f'[tools.{name}]\n{key} = ["x"]')
        assert level in intended.approvals(tool)
        assert wide.approvals(tool) == {SESSION}
        assert level not in both(f"[tools.{name}]\n{key} = []")[0].approvals(tool)


@pytest.mark.parametrize(
    ("keys", "skill", "least"),
    [
        ('enabled_skills = ["pdf"]', "pdf", SESSION),
        ('enabled_skills = ["pdf"]', "deploy", DENY),
        ('enabled_skills = ["re:p.*"]', "pdf", DENY),
        ('enabled_skills = ["pdf"]\ndisabled_skills = ["deploy"]', "deploy", DENY),
        ('enabled_skills = ["pdf"]\ndisabled_skills = ["pdf"]', "pdf", DENY),
        ('disabled_skills = ["deploy"]', "deploy", DENY),
        ('disabled_skills = ["deploy"]', "pdf", SESSION),
    ],
)
def test_skills(keys: str, skill: str, least: Approval) -> None:
    intended, wide = both(keys)
    assert (intended.approval("skill", skill), wide.approval("skill", skill)) == (least, SESSION)


def test_skills_that_an_expression_denies_are_left_out_elsewhere() -> None:
    data = b'description = "d"\nagent_type = "subagent"\ninstructions = "Look."\ndisabled_skills = ["re:d.*"]\n'
    target = dialects()["opencode"]
    written = render(read("x.toml", data, "vibe"), target, WriteOptions()).data
    assert written is not None
    assert inside(target.enforced(target.parse(written, "x.md"))) == OWN - {"skill"}


@pytest.mark.parametrize(("name", "tool"), [("web_fetch", "webfetch"), ("gh_x", "mcp/gh_x")])
def test_a_partial_restriction_holds_for_tools_of_users_agents(name: str, tool: str) -> None:
    assert DENY in both(f'[tools.{name}]\ndenylist = ["x"]', "agent")[0].approvals(tool)


@pytest.mark.parametrize("tool", sorted(OWN))
def test_every_tool_of_a_subagent_can_be_made_to_ask(tool: str) -> None:
    data = f"---\nname: x\ndescription: d\npermissions: {{{tool}: ask}}\n---\nLook.\n".encode()
    written = render(read("x.md", data, "neutral"), VIBE, WriteOptions()).data
    assert written is not None
    assert VIBE.enforced(VIBE.parse(written, "x.toml")).approvals(tool) == {ASK}


def test_a_restriction_of_another_tool_that_is_off_restricts_nothing() -> None:
    assert not inside(both("readonly = false")[0]) <= READING
