"""OpenCode's own rules, as the tool itself resolves them (version 1.18.33, `opencode debug agent`)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, NOTHING, Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from agentsync.formats.frontmatter import format_markdown, parse_markdown
from agentsync.repository.dialect_detection import ReadAgent
from support.conversion import read, widening

CLAUDE, OPENCODE = dialects()["claude"], dialects()["opencode"]
OPTIONS = WriteOptions()
DENY, ASK, SESSION, ALLOW = Approval


def from_claude(**keys: JsonValue) -> ReadAgent:
    return read("x.md", format_markdown({"name": "x", "description": "d", **keys}, "p\n"), "claude")


def from_opencode(**keys: JsonValue) -> ReadAgent:
    return read("x.md", format_markdown({"description": "d", **keys}, "p\n"), "opencode")


def permission(file: RenderedFile) -> Mapping[str, JsonValue]:
    """The permissions of a file for OpenCode."""
    assert file.data is not None, file.diagnostics
    value = parse_markdown(file.data, file.path).metadata.get("permission", {})
    assert isinstance(value, dict)
    return value


def written(grants: Grants) -> RenderedFile:
    """OpenCode's file for grants of an unknown tool, which are proven to be no wider."""
    agent = Agent(name="x", slug="x", description="d", dialect="elsewhere", grants=grants)
    writing = OPENCODE.write(agent, OPTIONS)
    assert writing.data is not None
    assert widening(agent, writing.data, OPENCODE, OPTIONS) is None
    return RenderedFile("x.md", writing.data, writing.diagnostics)


def without(tool: str, argument: str) -> Grants:
    """Everything but one argument of a tool."""
    return Grants((*EVERYTHING.rules, Rule(tool, DENY, argument)))


def codes(file: RenderedFile) -> set[Code]:
    return {diagnostic.code for diagnostic in file.diagnostics}


def test_a_color_may_be_any_number() -> None:
    assert from_opencode(color="#123456").agent.color == "#123456"


@pytest.mark.parametrize(("name", "written"), [("plan", b"---\nname: Plan"), ("x", b"---\ndescription")])
def test_an_agent_of_its_own_may_change_a_built_in_one_and_keeps_its_name(name: str, written: bytes) -> None:
    agent = from_opencode(name=name.title() if name == "plan" else name).agent
    writing = OPENCODE.write(agent, OPTIONS)
    assert agent.slug == name
    assert (writing.data or b"").startswith(written)
    assert Code.REFUSED_REQUIRED not in {diagnostic.code for diagnostic in writing.diagnostics}


# JavaScript orders keys that look like an array's index before all others, and the last match counts.


@pytest.mark.parametrize("number", ["0", "404", "4294967294"])
def test_an_agent_called_like_an_index_is_not_spelled(number: str) -> None:
    file = written(without("task", number))
    assert permission(file) == {"task": "deny"}
    assert Code.GLOB_NARROWED in codes(file)


@pytest.mark.parametrize("name", ["007", "4294967295", "4-4"])
def test_other_numbers_keep_their_place(name: str) -> None:
    assert permission(written(without("task", name))) == {"task": {"*": "ask", name: "deny"}}


def test_a_server_called_like_an_index_has_no_name() -> None:
    assert permission(written(Grants((Rule("mcp/404", ASK), Rule("read", ASK))))).keys() == {"*", "read"}


@pytest.mark.parametrize("name", ["404", "0", "4294967294"])
def test_an_argument_like_an_index_is_read_first(name: str) -> None:
    source = from_opencode(permission={"task": {"*": "ask", "b": "allow", name: "deny"}})
    for grants in (source.agent.grants, OPENCODE.enforced(source.document)):
        assert (grants.approval("task", name), grants.approval("task", "b")) == (ASK, ALLOW)


def test_arguments_like_indices_are_read_in_ascending_order() -> None:
    source = from_opencode(permission={"bash": {"10": "allow", "9": "deny"}})
    assert [rule.argument for rule in source.agent.grants.rules[1:]] == ["9", "10"]


def test_a_permission_like_an_index_is_read_first() -> None:
    source = from_opencode(tools={"*": False, "12": True}, permission={"bash": "ask", "7": "ask"})
    for grants in (source.agent.grants, OPENCODE.enforced(source.document)):
        assert [rule.tool for rule in grants.rules[:5]] == ["*", "mcp/7", "mcp/12", "*", "bash"]


# OpenCode expands the home directory where a pattern starts with `~`, `~/` or `$HOME`.


@pytest.mark.parametrize("command", ["~/bin/deploy *", "~", "$HOME/x", "$HOME", "$HOMEX"])
def test_a_command_below_the_home_directory_is_not_spelled(command: str) -> None:
    file = written(without("bash", command))
    assert permission(file) == {"bash": "deny"}
    assert Code.GLOB_NARROWED in codes(file)


@pytest.mark.parametrize("command", ["~x", "~*", "cat ~/x", "echo $HOME"])
def test_a_pattern_that_opencode_does_not_expand_is_written(command: str) -> None:
    assert permission(written(without("bash", command))) == {"bash": {"*": "ask", command: "deny"}}


@pytest.mark.parametrize("pattern", ["~/bin/deploy *", "~", "$HOME/x"])
@pytest.mark.parametrize("action", ["allow", "ask", "deny"])
def test_a_pattern_below_the_home_directory_is_for_opencode_alone(pattern: str, action: str) -> None:
    source = from_opencode(permission={"bash": {"*": "deny", pattern: action}})
    assert source.agent.grants.approval("bash", pattern) is DENY


@pytest.mark.parametrize("later", [{}, {"*a*": "allow"}, {"*~/bin*": "allow"}, {"*:*": "allow"}])
def test_a_denial_below_the_home_directory_takes_the_tool_away_elsewhere(later: dict[str, JsonValue]) -> None:
    """No later pattern hides it: whether that one covers the home directory is unknown."""
    source = from_opencode(permission={"bash": {"*": "allow", "~/bin/deploy *": "deny", **later}})
    assert DENY in source.agent.grants.approvals("bash")
    file = render(source, CLAUDE, OPTIONS)
    assert file.data is not None
    assert max(read(file.path, file.data, "claude").agent.grants.approvals("bash")) is DENY


def test_a_denial_that_everything_overrides_has_no_effect() -> None:
    source = from_opencode(permission={"bash": {"~/bin/deploy *": "deny", "*": "allow"}})
    assert source.agent.grants.approvals("bash") == {ALLOW}


def test_a_grant_below_the_home_directory_stays_what_it_was_beside_others() -> None:
    source = from_opencode(permission={"bash": {"*": "ask", "~/bin/x *": "allow"}})
    assert source.agent.grants.approvals("bash") == {ASK, ALLOW}


@pytest.mark.parametrize("key", ["*", "ba*"])
def test_a_grant_below_the_home_directory_overrides_no_tool_that_is_named_later(key: str) -> None:
    source = from_opencode(permission={key: {"~/bin/x": "allow"}, "bash": "deny"})
    assert source.agent.grants.approvals("bash") == {DENY}


def test_a_grant_below_the_home_directory_overrides_no_later_denial() -> None:
    source = from_opencode(permission={"bash": {"*": "ask", "~/bin/x": "allow", "*x": "deny"}})
    assert source.agent.grants.approvals("bash") == {ASK, DENY}


def test_a_backslash_which_opencode_takes_for_a_slash_is_not_spelled() -> None:
    file = render(from_claude(tools=["Read", "Bash(a\\b)"]), OPENCODE, OPTIONS)
    assert "bash" not in permission(file)


# One permission of OpenCode governs every tool that changes files.


@pytest.mark.parametrize(
    ("tools", "write", "edit"),
    [
        ({"write": False, "edit": True}, DENY, ALLOW),
        ({"edit": False, "write": True}, ALLOW, DENY),
        ({"patch": False, "write": True}, ALLOW, DENY),
        ({"write": True, "edit": True, "multiedit": False}, ALLOW, DENY),
        ({"edit": True, "write": False}, DENY, DENY),
        ({"edit": False, "multiedit": True}, DENY, DENY),
    ],
)
def test_a_tool_that_was_switched_off_stays_so_elsewhere(
    tools: dict[str, JsonValue], write: Approval, edit: Approval
) -> None:
    grants = from_opencode(tools=tools).agent.grants
    assert (grants.approval("write"), grants.approval("edit")) == (write, edit)


@pytest.mark.parametrize(
    ("tools", "level"),
    [
        ({"write": False, "edit": True}, ALLOW),
        ({"edit": True, "write": False}, DENY),
        ({"edit": False, "multiedit": True}, DENY),
        ({"multiedit": False}, SESSION),
    ],
)
def test_opencode_enforces_the_last_of_them(tools: dict[str, JsonValue], level: Approval) -> None:
    grants = OPENCODE.enforced(from_opencode(tools=tools).document)
    assert (grants.approval("write"), grants.approval("edit")) == (level, level)


def test_a_removed_todo_tool_has_no_effect() -> None:
    source = from_opencode(tools={"todoread": False})
    assert OPENCODE.enforced(source.document).approval("todo") is SESSION
    assert source.agent.grants.approval("todo") is DENY
    assert Code.NO_EFFECT in {diagnostic.code for diagnostic in source.diagnostics}


# agentsync writes every agent under the slug of its name here, but for names that are not ASCII.


def test_a_denied_agent_is_denied_under_both_its_names() -> None:
    task = permission(written(without("task", "Code Reviewer")))["task"]
    assert task == {"*": "ask", "Code Reviewer": "deny", "code-reviewer": "deny"}


def test_a_denied_agent_is_denied_under_the_name_that_replaces_a_built_in_one() -> None:
    task = permission(
        written(Grants((Rule("task", SESSION), Rule("task", DENY, "plan"), Rule("task", DENY, "人類学者"))))
    )
    assert task["task"] == {"*": "ask", "plan": "deny", "人類学者": "deny", "plan-agent": "deny"}


def test_the_lowest_of_several_agents_with_one_slug_counts() -> None:
    rules = (Rule("task", SESSION), Rule("task", DENY, "A B"), Rule("task", ASK, "a_b"), Rule("task", ALLOW, "a-b"))
    task = permission(written(Grants(rules)))["task"]
    assert isinstance(task, dict)
    assert list(task.items())[-1] == ("a-b", "deny")


def test_an_agent_whose_slug_is_granted_too_keeps_both_names() -> None:
    file = written(Grants((Rule("task", SESSION, "A B"), Rule("task", SESSION, "a-b"))))
    assert permission(file)["task"] == {"*": "deny", "A B": "ask", "a-b": "ask"}
    assert file.diagnostics == ()


def test_an_agent_that_cannot_be_called_by_its_new_name_is_reported() -> None:
    file = written(Grants((Rule("task", SESSION, "A B"),)))
    assert permission(file)["task"] == {"*": "deny", "A B": "ask"}
    assert "`A B` is called `a-b` here, which this agent may not call" in {f.message for f in file.diagnostics}


@pytest.mark.parametrize("pattern", ["Code *", "a_?", "*.x", "?lan"])
def test_a_pattern_of_names_that_differ_here_is_not_written(pattern: str) -> None:
    assert permission(written(without("task", pattern))) == {"task": "deny"}


@pytest.mark.parametrize("name", ["404!", "4.0.4"])
def test_a_slug_like_an_index_is_not_spelled_either(name: str) -> None:
    task = permission(written(without("task", name)))["task"]
    assert task == ("deny" if name == "404!" else {"*": "ask", "4.0.4": "deny", "4-0-4": "deny"})


# A subagent has no user to ask, so OpenCode denies `question` by itself.


def test_a_question_is_never_granted() -> None:
    file = render(from_claude(tools="Read, AskUserQuestion"), OPENCODE, OPTIONS)
    assert permission(file).keys() == {"*", "read", "external_directory"}
    assert "`question` is left out: an agent here has no user to ask" in {f.message for f in file.diagnostics}


@pytest.mark.parametrize("rules", [(Rule("*", ASK),), (Rule("*", ALLOW),), (Rule("*", ASK), Rule("question", ALLOW))])
def test_a_question_stays_denied_where_everything_else_is_written(rules: tuple[Rule, ...]) -> None:
    assert permission(written(Grants(rules)))["question"] == "deny"


@pytest.mark.parametrize(
    ("rules", "wanted"),
    [
        ((), None),
        ((Rule("question", ALLOW),), None),
        ((Rule("question", ASK),), "deny"),
        ((Rule("question", DENY),), "deny"),
    ],
)
def test_a_question_is_left_to_opencode_or_denied(rules: tuple[Rule, ...], wanted: str | None) -> None:
    assert permission(written(Grants((*EVERYTHING.rules, *rules)))).get("question") == wanted


def test_nothing_is_written_for_a_question_that_was_not_granted() -> None:
    assert written(NOTHING).diagnostics == ()
    assert written(EVERYTHING).diagnostics == ()


# A tool of a server is called `server_tool`, each with `_` for what is no ASCII letter, digit, `_` or `-`.


@pytest.mark.parametrize(
    ("tool", "name"),
    [
        ("mcp__my.server__get.it", "my_server_get_it"),
        ("mcp__my.server", "my_server_*"),
        ("mcp__é-1__x", "_-1_x"),
        ("mcp__\N{GRINNING FACE}__x", "___x"),
    ],
)
def test_names_of_servers_and_tools_are_written_as_opencode_makes_them(tool: str, name: str) -> None:
    assert permission(render(from_claude(disallowedTools=[tool]), OPENCODE, OPTIONS)) == {name: "deny"}
    assert permission(render(from_claude(tools=[tool]), OPENCODE, OPTIONS)) == {"*": "deny", name: "ask"}


def test_a_key_that_javascript_drops_is_not_a_name() -> None:
    assert permission(written(Grants((Rule("mcp/_/proto__", ASK),)))) == {"*": "deny"}


@pytest.mark.parametrize(
    "rules",
    [
        (Rule("mcp/a_b/*", DENY), Rule("mcp/a.b/*", ALLOW)),
        (Rule("mcp/a.b/*", ALLOW), Rule("mcp/a_b/*", DENY)),
        (Rule("mcp/a_b/*", ALLOW), Rule("mcp/a_b/x", DENY), Rule("mcp/a.b/*", ALLOW)),
        (Rule("mcp/a_b/x", DENY), Rule("mcp/a/*", ALLOW)),
        (Rule("mcp/a/b_x", DENY), Rule("mcp/a_b/x", ALLOW)),
        (Rule("mcp/a_b/*", DENY), Rule("mcp/a.b/x", ALLOW)),
    ],
)
def test_servers_that_share_one_name_get_the_lowest_approval(rules: tuple[Rule, ...]) -> None:
    file = written(Grants((*EVERYTHING.rules, *rules)))
    back = OPENCODE.enforced(parse_markdown(file.data or b"", "x.md"))
    assert back.approval("mcp/a_b_x") is DENY


def test_a_tool_of_the_same_server_is_still_granted() -> None:
    file = written(Grants((*EVERYTHING.rules, Rule("mcp/a/*", DENY), Rule("mcp/a/x", ALLOW))))
    assert permission(file) == {"a_*": "deny", "a_x": "allow"}


def test_the_proof_covers_servers_that_share_one_name() -> None:
    rules = (*EVERYTHING.rules, Rule("mcp/a_b/*", DENY), Rule("mcp/a.b/*", ALLOW))
    agent = Agent(name="x", slug="x", description="d", dialect="elsewhere", grants=Grants(rules))
    careless = format_markdown({"description": "d", "permission": {"a_b_*": "allow"}}, "p\n")
    assert widening(agent, careless, OPENCODE, OPTIONS) is not None


def test_a_server_restricted_by_another_of_the_same_name_is_reported() -> None:
    file = written(Grants((*EVERYTHING.rules, Rule("mcp/a_b/*", DENY), Rule("mcp/a.b/*", ALLOW))))
    assert Code.COARSE in codes(file)


# A file that OpenCode reads differently than this dialect is rewritten.

OTHERWISE = {
    "equal-keys": 'permission:\n  task:\n    "*": deny\n    1: allow\n    1.0: deny\n',
    "decimal": "permission:\n  task: {1.0: allow}\n",
    "hexadecimal": "permission:\n  0x10: allow\n",
    "octal": "permission:\n  010: allow\n",
    "exponent": "permission:\n  1e3: allow\n",
    "signed": "permission:\n  +1: allow\n",
    "negative-zero": "permission:\n  -0: allow\n",
    "base-sixty": "permission:\n  1:30: allow\n",
    "infinite": "permission:\n  .inf: allow\n",
    "date": "permission:\n  2001-01-01: allow\n",
    "true": "permission:\n  True: allow\n",
    "null": "permission:\n  ~: allow\n",
    "explicit": "permission:\n  ? 1.0\n  : allow\n",
    "dashes-in-a-value": 'model: "a/b\n\n--- b"\n',
    "long-dashes-in-a-value": 'model: "a/b\n\n----\n\n  b"\n',
}
ALIKE = {
    "integer": "permission:\n  task:\n    12: allow\n    -5: ask\n",
    "quoted": 'permission:\n  task: {"1.0": allow}\n',
    "words": "permission:\n  task:\n    2fa*: allow\n    true: ask\n",
    "dashes-within-a-line": 'model: "a/b --- c"\n',
    "value": "temperature: 1.0\n",
}


@pytest.mark.parametrize("head", OTHERWISE.values(), ids=OTHERWISE.keys())
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_file_that_opencode_reads_differently_is_rewritten(head: str, end: str) -> None:
    data = f"---\ndescription: d\n{head}---\np\n".replace("\n", end).encode()
    source = read("x.md", data, "opencode")
    assert not source.passes_through
    file = render(source, OPENCODE, OPTIONS)
    assert file.data is not None
    assert read("x.md", file.data, "opencode").passes_through


@pytest.mark.parametrize("head", ALIKE.values(), ids=ALIKE.keys())
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_a_file_that_opencode_reads_alike_passes_through(head: str, end: str) -> None:
    data = f"---\ndescription: d\n{head}---\n---\np 1.0: x\n".replace("\n", end).encode()
    assert read("x.md", data, "opencode").passes_through
