"""Narrowing grants to a target's capabilities: each option on examples, and the proof on generated grants."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsync.agents.grants import CHANGING, EVERYTHING, NOTHING, UNTRANSLATED, Approval, Grants, Rule, wider
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, Choice, Narrowed, WriteOptions, narrow, upper_bound
from agentsync.agents.patterns import ANY, TooManyPatternsError
from agentsync.core.codes import Code, Severity
from agentsync.dialects import Dialect, dialects
from support.agents import grants, thorough
from support.conversion import widening
from support.thorough import THOROUGH

DENY, ASK, SESSION, ALLOW = Approval

PLAIN = Capabilities(units={"Read": ("read",), "Shell": ("bash",), "Edit": ("edit", "write")}, asks=CHANGING)
MUTE = Capabilities(units=PLAIN.units)
SPELLING = Capabilities(units=PLAIN.units, asks=CHANGING, spells=lambda tool, _rules: tool == "bash")
SERVING = Capabilities(units=PLAIN.units, asks=CHANGING, server_name=lambda pattern: pattern.removeprefix("mcp/"))

SOME_COMMANDS = Grants((Rule("read", SESSION), Rule("bash", SESSION, "git *")))
CHOICES: tuple[Choice, ...] = ("narrow", "refuse", "accept")
OPTIONS = [
    replace(options, unenforceable=unenforceable, coarse=coarse, strict_approval=strict)
    for options in (WriteOptions(), WriteOptions(approval="allow"))
    for unenforceable, coarse, strict in product(CHOICES, CHOICES, (False, True))
]


def codes(narrowed: Narrowed) -> list[Code]:
    return [diagnostic.code for diagnostic in narrowed.diagnostics]


def test_everything_stays_everything_without_a_word() -> None:
    narrowed = narrow(EVERYTHING, PLAIN, WriteOptions())
    assert narrowed.default is SESSION
    assert set(narrowed.units.values()) == {SESSION}
    assert narrowed.diagnostics == ()


def test_nothing_stays_nothing() -> None:
    narrowed = narrow(NOTHING, SERVING, WriteOptions())
    assert (narrowed.default, set(narrowed.units.values()), narrowed.servers) == (DENY, {DENY}, {})


def test_a_tool_that_is_denied_some_arguments_is_left_out() -> None:
    narrowed = narrow(SOME_COMMANDS, PLAIN, WriteOptions())
    assert narrowed.units == {"Read": SESSION, "Shell": DENY, "Edit": DENY}
    assert codes(narrowed) == [Code.GLOB_NARROWED]


def test_or_the_agent_is_refused() -> None:
    narrowed = narrow(SOME_COMMANDS, PLAIN, WriteOptions(unenforceable="refuse"))
    assert narrowed.units["Shell"] is DENY
    assert [diagnostic.severity for diagnostic in narrowed.diagnostics] == [Severity.ERROR]


def test_or_it_is_accepted_at_the_lowest_level_that_any_argument_has() -> None:
    some = Grants((Rule("bash", ALLOW, "git *"), Rule("bash", ASK, "npm *")))
    narrowed = narrow(some, PLAIN, WriteOptions(unenforceable="accept"))
    assert narrowed.units["Shell"] is ASK
    assert codes(narrowed) == [Code.ACCEPTED_WIDER]
    assert upper_bound(some, PLAIN, WriteOptions(unenforceable="accept")).approval("bash", "rm") is ASK
    assert upper_bound(some, PLAIN, WriteOptions()).approval("bash", "rm") is DENY


@pytest.mark.parametrize("some", [SOME_COMMANDS, Grants((*EVERYTHING.rules, Rule("bash", DENY, "rm *")))])
def test_a_target_that_distinguishes_arguments_gets_them_in_order(some: Grants) -> None:
    """One rule alone is enough: `Bash(git *)` has no second."""
    narrowed = narrow(some, SPELLING, WriteOptions())
    assert narrowed.arguments == {"Shell": some.for_tool("bash")}
    assert narrowed.diagnostics == ()


def test_arguments_that_change_nothing_are_not_spelled() -> None:
    narrowed = narrow(Grants((Rule("bash", ASK), Rule("bash", ASK, "git *"))), SPELLING, WriteOptions())
    assert narrowed.arguments == {}
    assert narrowed.units["Shell"] is ASK


def test_arguments_that_ask_and_others_that_do_not_all_ask() -> None:
    narrowed = narrow(Grants((Rule("bash", ASK), Rule("bash", ALLOW, "git *"))), PLAIN, WriteOptions())
    assert narrowed.units["Shell"] is ASK
    assert codes(narrowed) == [Code.APPROVAL_NARROWED]


@pytest.mark.parametrize(
    ("coarse", "level", "code"),
    [("narrow", DENY, Code.COARSE), ("refuse", DENY, Code.REFUSED_WIDER), ("accept", SESSION, Code.ACCEPTED_WIDER)],
)
def test_a_unit_that_covers_more_than_was_granted(coarse: Choice, level: Approval, code: Code) -> None:
    options = WriteOptions(coarse=coarse)
    only_edit = Grants((Rule("edit", SESSION),))
    narrowed = narrow(only_edit, PLAIN, options)
    assert narrowed.units["Edit"] is level
    assert codes(narrowed) == [code]
    assert upper_bound(only_edit, PLAIN, options).approval("write") is level


def test_a_unit_gets_the_lowest_level_that_it_covers() -> None:
    narrowed = narrow(Grants((Rule("edit", ALLOW), Rule("write", ASK))), PLAIN, WriteOptions())
    assert narrowed.units["Edit"] is ASK
    assert codes(narrowed) == [Code.APPROVAL_NARROWED]


def test_a_tool_that_cannot_ask_is_left_to_the_session() -> None:
    asks = Grants((Rule("bash", ASK),))
    narrowed = narrow(asks, MUTE, WriteOptions())
    assert narrowed.units["Shell"] is SESSION
    assert codes(narrowed) == [Code.APPROVAL_SESSION]
    assert upper_bound(asks, MUTE, WriteOptions()).approval("bash") is SESSION


def test_or_refused_where_approval_is_strict() -> None:
    asks = Grants((Rule("bash", ASK),))
    strict = WriteOptions(strict_approval=True)
    assert codes(narrow(asks, MUTE, strict)) == [Code.REFUSED_WIDER]
    assert codes(narrow(asks, PLAIN, strict)) == []
    assert upper_bound(asks, MUTE, strict).approval("bash") is ASK


def test_session_becomes_allow_only_where_the_target_needs_it() -> None:
    session = Grants((Rule("bash", SESSION), Rule("edit", ASK)))
    assert upper_bound(session, PLAIN, WriteOptions()).approval("bash") is SESSION
    freed = upper_bound(session, PLAIN, WriteOptions(approval="allow"))
    assert (freed.approval("bash"), freed.approval("edit"), freed.approval("write")) == (ALLOW, ASK, DENY)


def test_servers_keep_their_order_and_the_last_of_two_counts() -> None:
    rules = (Rule("mcp/b", ASK), Rule("mcp/a", DENY), Rule("mcp/b", DENY), Rule("mcp/c", SESSION))
    assert list(narrow(Grants(rules), SERVING, WriteOptions()).servers.items()) == [
        ("a", DENY),
        ("b", DENY),
        ("c", SESSION),
    ]


def test_a_server_that_a_later_rule_switches_off_stays_off() -> None:
    rules = (Rule("mcp/a", ALLOW), Rule(ANY, DENY), Rule("mcp/b", ASK))
    assert narrow(Grants(rules), SERVING, WriteOptions()).servers == {"a": DENY, "b": ASK}


def test_a_server_with_arguments_is_left_out() -> None:
    some = Grants((Rule("mcp/a", SESSION, f"{UNTRANSLATED}x"),))
    narrowed = narrow(some, SERVING, WriteOptions())
    assert narrowed.servers == {"a": DENY}
    assert codes(narrowed) == [Code.GLOB_NARROWED]


def test_a_servers_tools_with_arguments_are_lifted_only_where_that_is_accepted_and_can_be_expressed() -> None:
    partly = Grants((Rule("mcp/gh/*", SESSION), Rule("mcp/gh/*", DENY, "rm*")))
    accepting = WriteOptions(unenforceable="accept")
    for capabilities, options, level in (
        (SERVING, WriteOptions(), DENY),
        (SERVING, WriteOptions(unenforceable="refuse"), DENY),
        (SERVING, accepting, SESSION),
        (PLAIN, accepting, DENY),
    ):
        most = upper_bound(partly, capabilities, options)
        assert (most.approval("mcp/gh/x", "rm"), most.approval("mcp/gh/x", "ls")) == (level, SESSION)
    assert upper_bound(Grants((Rule("bash", SESSION, "ls"),)), SERVING, accepting).approval("mcp/gh/x") is DENY
    asking = Grants((Rule("mcp/gh/*", SESSION), Rule("mcp/gh/*", ASK, "rm*")))
    assert upper_bound(asking, SERVING, accepting).approval("mcp/gh/x", "rm") is ASK


def test_a_restricted_server_without_a_name_here_closes_the_list() -> None:
    narrowed = narrow(Grants((*EVERYTHING.rules, Rule("mcp/a", DENY))), PLAIN, WriteOptions())
    assert narrowed.default is DENY
    assert narrowed.units["Shell"] is SESSION
    assert codes(narrowed) == [Code.TOOL_LOST]


def test_tools_without_a_name_here_are_reported() -> None:
    some = Grants((Rule("webfetch", SESSION), Rule("mcp/a", SESSION), Rule("other/codebase", SESSION)))
    messages = [diagnostic.message for diagnostic in narrow(some, PLAIN, WriteOptions()).diagnostics]
    assert messages == [
        "there is no `webfetch` here",
        "`a` has no name here and is left out",
    ]


def test_bounds_of_the_project_that_cannot_be_expressed_are_reported() -> None:
    inside = Grants((*EVERYTHING.rules, Rule("external_directory", DENY)))
    assert codes(narrow(inside, PLAIN, WriteOptions())) == [Code.APPROVAL_SESSION]
    assert upper_bound(inside, PLAIN, WriteOptions()).approval("external_directory") is SESSION


def test_bounds_of_the_project_that_are_lifted_stay_so() -> None:
    outside = Grants((*EVERYTHING.rules, Rule("external_directory", ALLOW)))
    assert upper_bound(outside, PLAIN, WriteOptions()).approval("external_directory") is ALLOW


def test_a_foreign_denial_does_not_affect_tools_here() -> None:
    some = Grants((*EVERYTHING.rules, Rule("other/*", DENY)))
    assert wider(EVERYTHING, upper_bound(some, PLAIN, WriteOptions())) is None


@pytest.mark.parametrize("target", dialects().values(), ids=lambda target: target.name)
@settings(thorough, max_examples=thorough.max_examples if THOROUGH else 50)  # twenty targets share most code
@given(granted=grants, options=st.sampled_from(OPTIONS))
def test_no_dialect_writes_more_than_the_upper_bound(target: Dialect, granted: Grants, options: WriteOptions) -> None:
    """Every output of a writer stays within the upper bound by itself, wherever the writer does not refuse.

    The render's own proof refuses the rest; here it is counted as an error of the writer, but for what patterns of
    servers' names cannot help.
    """
    agent = Agent(name="x", slug="x", description="d", dialect="elsewhere", prompt="p\n", grants=granted)
    try:
        writing = target.write(agent, options)
        if writing.data is None or any(diagnostic.severity is Severity.ERROR for diagnostic in writing.diagnostics):
            return
        widened = widening(agent, writing.data, target, options)
    except TooManyPatternsError:
        return
    assert widened is None or widened.tool.startswith("mcp/"), widened


def _raised_by_acceptance(tool: str, *rules: Rule) -> frozenset[Approval]:
    """Levels of a tool in the upper bound of a target that names every server and tells arguments of tools apart."""
    capabilities = Capabilities({"Shell": ("bash",)}, server_name=lambda pattern: pattern, spells=lambda *_: True)
    grants = Grants((*EVERYTHING.rules, *rules))
    return upper_bound(grants, capabilities, WriteOptions(unenforceable="accept")).approvals(tool)


def test_what_a_server_is_denied_for_some_arguments_may_be_accepted_for_all() -> None:
    some = (Rule("mcp/gh/push", SESSION), Rule("mcp/gh/push", DENY, "main*"))
    assert _raised_by_acceptance("mcp/gh/push", *some) == {SESSION}


def test_acceptance_raises_nothing_that_is_denied_for_every_argument_or_for_none() -> None:
    assert _raised_by_acceptance("mcp/gh/push", Rule("mcp/gh/push", DENY)) == {DENY}
    assert _raised_by_acceptance("mcp/gh/push", Rule("mcp/gh/push", ALLOW, "main*")) == {SESSION, ALLOW}


def test_acceptance_for_servers_raises_no_tool_whose_arguments_the_target_tells_apart() -> None:
    assert _raised_by_acceptance("bash", Rule("bash", DENY, "rm *")) == {SESSION, DENY}
