"""Overrides of an agent: by its own file, by its repository, and by the user of this machine."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import JsonValue

from agentsync.agents.grants import Approval, Grants, Rule, wider
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code, Severity
from agentsync.dialects import Dialect, dialects
from agentsync.repository.dialect_detection import ReadAgent
from agentsync.repository.overrides import (
    AgentFilter,
    Override,
    also_denied,
    check_override,
    chooses,
    following,
    overridden,
    prefixed,
)
from support.agents import grants
from support.conversion import read

CLAUDE, OPENCODE, CODEX = (dialects()[name] for name in ("claude", "opencode", "codex"))
TEAMS = b'---\nname: reviewer\ndescription: "Reviews."\ntools: Read, Bash\nmodel: opus\n---\nReview it.\n'


def team() -> ReadAgent:
    return read("reviewer.md", TEAMS, "claude")


def neutral(keys: str) -> ReadAgent:
    return read("x.md", f"---\nname: reviewer\ndescription: d\n{keys}\n---\nDo it.\n".encode(), "neutral")


def override_of(table: dict[str, JsonValue], pattern: str = "reviewer", text: str = "") -> Override:
    return Override(pattern, "overlays/reviewer.md", table, text)


def rendered(agent: ReadAgent, target: Dialect, *overrides: Override) -> RenderedFile:
    return render(agent, target, WriteOptions(), overrides)


def codes(file: RenderedFile) -> list[Code]:
    return [diagnostic.code for diagnostic in file.diagnostics]


def test_without_an_override_the_bytes_pass_through() -> None:
    assert rendered(team(), CLAUDE, override_of({"model": "haiku"}, "another")).data == TEAMS


def test_a_field_is_another_one() -> None:
    file = rendered(team(), CLAUDE, override_of({"model": "haiku"}))
    assert file.data == TEAMS.replace(b"model: opus", b"model: haiku")


def test_other_fields_stay() -> None:
    given = TEAMS.replace(b"model: opus", b"model: opus\nmaxTurns: 3\nskills:\n  - pdf\nmemory: user")
    file = rendered(read("reviewer.md", given, "claude"), CLAUDE, override_of({"model": "haiku"}))
    assert file.data == given.replace(b"opus", b"haiku")
    without = rendered(read("reviewer.md", given, "claude"), CLAUDE, override_of({"skills": []}))
    assert without.data == given.replace(b"skills:\n  - pdf\n", b"")


def test_the_last_override_counts() -> None:
    file = rendered(team(), CLAUDE, override_of({"model": "haiku"}), override_of({"model": "sonnet"}))
    assert file.data == TEAMS.replace(b"model: opus", b"model: sonnet")


def test_only_the_named_target_differs() -> None:
    override = override_of({"targets": {"opencode": {"temperature": 0.5}}})
    assert rendered(team(), CLAUDE, override).data == TEAMS
    assert b"temperature: 0.5" in (rendered(team(), OPENCODE, override).data or b"")


def test_a_text_follows_the_prompt() -> None:
    file = rendered(team(), CLAUDE, override_of({}, text="Also look at the tests.\n"))
    assert file.data == TEAMS + b"\nAlso look at the tests.\n"


def test_fewer_tools_are_taken_over() -> None:
    file = rendered(team(), CLAUDE, override_of({"tools": ["read"]}))
    assert file.data == TEAMS.replace(b"tools: Read, Bash", b"tools: Read")


@pytest.mark.parametrize(
    "table",
    [
        {"tools": ["read", "bash", "write"]},
        {"permissions": {"bash": "allow"}},
        {"permissions": {}},
        {"targets": {"claude": {"permissions": {"*": "session"}}}},
    ],
)
def test_more_than_the_author_gave_is_refused(table: dict[str, JsonValue]) -> None:
    file = rendered(team(), CLAUDE, override_of(table))
    assert file.data is None
    assert codes(file) == [Code.OVERRIDE_WIDER]


def test_native_keys_cannot_give_more_either() -> None:
    file = rendered(team(), CLAUDE, override_of({"targets": {"claude": {"native": {"tools": "Read, Bash, Write"}}}}))
    assert file.data is None
    assert Code.REFUSED_WIDER in codes(file)


GUARDED = TEAMS.replace(
    b"model: opus", b"hooks:\n  PreToolUse:\n    - matcher: Bash\n      hooks: [{type: command, command: guard}]"
)


@pytest.mark.parametrize("table", [{"hooks": {}}, {"native": {"hooks": None}}, {"native": {"hooks": {"Stop": []}}}])
def test_an_authors_guard_cannot_be_taken_away(table: dict[str, JsonValue]) -> None:
    file = rendered(read("reviewer.md", GUARDED, "claude"), CLAUDE, override_of({"targets": {"claude": table}}))
    assert (file.data, codes(file)) == (None, [Code.OVERRIDE_WIDER])


@pytest.mark.parametrize(
    ("target", "table"),
    [
        (CLAUDE, {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "id"}]}]}}),
        (CLAUDE, {"mcp_servers": {"db": {"command": "id"}}}),
        (CODEX, {"native": {"notify": ["id"]}}),
    ],
)
def test_only_the_author_adds_a_program_or_a_server(target: Dialect, table: dict[str, JsonValue]) -> None:
    file = rendered(team(), target, override_of({"targets": {target.name: table}}))
    assert (file.data, codes(file)[-1:]) == (None, [Code.OVERRIDE_WIDER])
    author = neutral(f"tools: [read, bash]\ntargets: {json.dumps({target.name: table})}")
    assert rendered(author, target).data is not None


@pytest.mark.parametrize(("target", "key"), [(CLAUDE, "model"), (CODEX, "model_provider")])
def test_a_tools_own_key_may_choose_a_model(target: Dialect, key: str) -> None:
    table: dict[str, JsonValue] = {"native": {key: "haiku"}}
    assert b"haiku" in (rendered(team(), target, override_of({"targets": {target.name: table}})).data or b"")


def test_an_authors_guard_stays_beside_native_keys() -> None:
    override = override_of({"targets": {"claude": {"native": {"omitClaudeMd": True}}}})
    assert b"guard" in (rendered(read("reviewer.md", GUARDED, "claude"), CLAUDE, override).data or b"")


@pytest.mark.parametrize("table", [{"disabled": False}, {"targets": {"opencode": {"native": {"disable": False}}}}])
def test_an_agent_that_its_author_switched_off_stays_off(table: dict[str, JsonValue]) -> None:
    file = rendered(neutral("disabled: true"), OPENCODE, override_of(table))
    assert (file.data, codes(file)) == (None, [Code.OVERRIDE_WIDER])
    assert b"disable: true" in (
        rendered(neutral("hidden: true"), OPENCODE, override_of({"disabled": True})).data or b""
    )


def test_native_keys_give_no_other_name() -> None:
    file = rendered(team(), CLAUDE, override_of({"targets": {"claude": {"native": {"name": "deployer"}}}}))
    assert (file.data, codes(file)) == (None, [Code.REFUSED_WIDER])


def test_an_author_may_grant_more_for_one_target() -> None:
    agent = neutral("tools: [read]\ntargets: {opencode: {tools: [read, bash]}}")
    assert b"bash" in (rendered(agent, OPENCODE).data or b"")
    assert b"Bash" not in (rendered(agent, CLAUDE).data or b"")


def test_no_one_else_may_grant_more_than_the_author_for_it() -> None:
    agent = neutral("tools: [read, bash]\ntargets: {opencode: {tools: [read]}}")
    assert codes(rendered(agent, OPENCODE, override_of({"tools": ["read", "bash"]}))) == [Code.OVERRIDE_WIDER]


def test_a_target_can_be_left_without_an_agent() -> None:
    file = rendered(team(), OPENCODE, override_of({"targets": {"opencode": {"exclude": True}}}))
    assert (file.data, codes(file)) == (None, [Code.EXCLUDED])
    assert all(diagnostic.severity is Severity.INFO for diagnostic in file.diagnostics)


def test_keys_that_the_target_does_not_have_are_reported_beside_native_ones() -> None:
    given = TEAMS.replace(b"model: opus", b"omitClaudeMd: true\nvibe: calm")
    override = override_of({"targets": {"opencode": {"native": {"variant": "fast"}}}})
    file = rendered(read("reviewer.md", given, "claude"), OPENCODE, override)
    assert b"variant: fast" in (file.data or b"")
    assert b"omitClaudeMd" not in (file.data or b"")
    messages = " ".join(diagnostic.message for diagnostic in file.diagnostics)
    assert "`omitClaudeMd`" in messages
    assert "`vibe`" in messages


@given(agents=grants, others=grants)
def test_an_override_never_grants_more(agents: object, others: object) -> None:
    """Whatever an override contains, the agent has no more than before."""
    agent = team().agent.model_copy(update={"grants": agents, "own_permissions": {}, "dialect": "neutral"})
    table = dialects()["neutral"].write(agent.model_copy(update={"grants": others}), WriteOptions()).data
    document = CLAUDE.parse(table or b"", "x")
    keys = {key: value for key, value in document.metadata.items() if key in ("tools", "permissions")}
    result = overridden(agent, OPENCODE, [override_of(keys)])
    if result.agent is not None:
        assert wider(result.agent.grants, agent.grants) is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"modle": "opus"}, "unknown key `modle`"),
        ({"name": "other"}, "unknown key `name`"),
        ({"targets": {"claude": {"tool": []}}}, "unknown key `tool`"),
        ({"targets": ["claude"]}, "`targets` must contain a map for each tool"),
        ({"tools": "Read"}, "`tools` must be a list of names; an empty one grants nothing"),
        ({"native": []}, "`native` must be a map of the tool's own keys"),
    ],
)
def test_a_mistake_is_reported_when_it_is_read(table: dict[str, JsonValue], message: str) -> None:
    assert [diagnostic.message for diagnostic in check_override(override_of(table))] == [message]


def test_agents_are_chosen_by_name_and_by_tag() -> None:
    agent = neutral("tags: [backend, review]").agent
    assert chooses("review*", agent)
    assert chooses("tag:back*", agent)
    assert not chooses("tag:front*", agent)
    assert AgentFilter().takes(agent)
    assert AgentFilter(("tag:backend",), ("legacy-*",)).takes(agent)
    assert not AgentFilter(("tag:backend",), ("tag:review",)).takes(agent)
    assert not AgentFilter(("other",), ()).takes(agent)


def test_a_prefix_begins_the_name() -> None:
    agent = prefixed(team().agent, "team-")
    assert (agent.name, agent.slug) == ("team-reviewer", "team-reviewer")
    assert prefixed(agent, "") is agent
    other = agent.model_copy(update={"name": "人類学者", "slug": "anthropologist"})
    assert (prefixed(other, "web-").name, prefixed(other, "web-").slug) == ("web-人類学者", "web-anthropologist")


def test_patterns_of_a_repository_count_under_its_prefix() -> None:
    agent = prefixed(neutral("tags: [backend]").agent, "web-")
    assert AgentFilter(("review*", "tag:x")).under("web-").takes(agent)
    assert AgentFilter(("tag:backend",)).under("web-").takes(agent)
    assert not AgentFilter(("web-*",)).under("web-").takes(agent)
    assert chooses(override_of({}, "reviewer").under("web-").pattern, agent)


@pytest.mark.parametrize("target", ["claude", "opencode", "kilo"])
def test_a_prefix_undoes_no_denial_of_an_agent(target: str) -> None:
    agent = neutral('permissions: {task: {"*": session, deployer: deny}}')
    renamed = replace(agent, agent=prefixed(agent.agent, "web-"), passes_through=False)
    overrides = also_denied(renamed.agent, "web-")
    declared_there = overridden(renamed.agent, dialects()[target], overrides).agent
    assert declared_there is not None
    assert not declared_there.grants.approval("task", "web-deployer")
    assert not declared_there.grants.approval("task", "deployer")
    assert declared_there.grants.approval("task", "web-tester")


def test_a_prefix_changes_nothing_where_no_agent_is_denied() -> None:
    assert also_denied(neutral("tools: [read]").agent, "web-") == ()


@pytest.mark.parametrize(
    ("rules", "name", "level"),
    [
        ('{"*": session, "deploy-*": deny}', "web-deploy-now", Approval.DENY),
        ('{"*": session, "deploy-*": ask}', "web-deploy-now", Approval.ASK),
        ('{"*": session, deployer: ask}', "web-deployer", Approval.ASK),
        ('{"*": session, "d*": ask, "deploy-*": deny}', "web-deploy-now", Approval.DENY),
        ('{"*": session, "d*": deny, "deploy-*": session}', "web-drop", Approval.DENY),
    ],
)
def test_a_prefix_undoes_no_restriction_by_a_pattern_or_a_question(rules: str, name: str, level: Approval) -> None:
    agent = prefixed(neutral(f"permissions: {{task: {rules}}}").agent, "web-")
    declared_there = overridden(agent, dialects()["opencode"], also_denied(agent, "web-")).agent
    assert declared_there is not None
    assert declared_there.grants.approval("task", name) is level
    assert declared_there.grants.approval("task", "tester") is Approval.SESSION
    assert wider(declared_there.grants, agent.grants) is None


def test_an_agent_whose_rules_for_others_cannot_be_compared_is_refused_under_a_prefix() -> None:
    rules = ", ".join(f'"*{letter}*{letter}*": deny' for letter in "abcdefghijkl")
    agent = prefixed(neutral(f'permissions: {{task: {{"*": session, {rules}}}}}').agent, "web-")
    assert overridden(agent, dialects()["opencode"], also_denied(agent, "web-")).agent is None


_NAMES = ["a", "b", "A b", "t-a", "t-b", "x"]
_PATTERNS = [*_NAMES, "*", "t-*", "A *", "?"]
_RULES = st.lists(
    st.builds(Rule, st.sampled_from(["task", "*", "read"]), st.sampled_from(Approval), st.sampled_from(_PATTERNS)),
    max_size=6,
)
_RENAMED = st.dictionaries(st.sampled_from(_NAMES[:4]), st.sampled_from(["n-1", "n-2", "t-a", "t-b"]), min_size=1)


_OPEN, _CLOSED = Rule("task", Approval.ALLOW), Rule("task", Approval.DENY)


@example([_OPEN, replace(_CLOSED, argument="a")], {"a": "n-1"}, ())
@example([_CLOSED, replace(_OPEN, argument="a")], {"a": "n-1"}, ())
@example([_CLOSED, replace(_OPEN, argument="A b"), replace(_CLOSED, argument="A *")], {"A b": "n-1"}, ())
@example([_OPEN, replace(_CLOSED, argument="b"), replace(_OPEN, argument="a")], {"a": "t-a"}, ("t-",))
@given(_RULES, _RENAMED.filter(lambda names: len({*names.values()}) == len(names)), st.sampled_from([(), ("t-",)]))
def test_a_renamed_agent_may_be_called_as_before_and_no_other_one_more(
    rules: list[Rule], names: dict[str, str], prefixes: tuple[str, ...]
) -> None:
    grants = Grants(tuple(rules))
    followed = following(grants, names, prefixes)
    for name, other in names.items():
        assert followed.approval("task", other) is grants.approval("task", name)
    for name in {*_NAMES, "t-A b", "y"} - {*names.values()}:
        assert followed.approval("task", name) <= grants.approval("task", name)
        assert followed.approval("read", name) is grants.approval("read", name)
