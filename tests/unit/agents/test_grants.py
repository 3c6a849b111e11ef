"""Rules, patterns, and the proof that one list of rules grants no more than another."""

from __future__ import annotations

import re
import time
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsync.agents.grants import EVERYTHING, NOTHING, READING, TOOLS, Approval, Grants, Rule, widenings, wider
from agentsync.agents.patterns import ANY, TooManyPatternsError, matches
from support.agents import thorough

DENY, ASK, SESSION, ALLOW = Approval

# Every distinguishable text over an alphabet of two letters and a space, and every tool of two letters.
TEXTS = ["".join(letters) for length in range(6) for letters in product("ab ", repeat=length)]
NAMES = ["mcp/" + "".join(letters) for length in range(4) for letters in product("ab", repeat=length)]
ALL_TOOLS = [*sorted(TOOLS), *NAMES]

arguments = st.text("ab *?", max_size=4)
tools = st.sampled_from([ANY, "bash", "read", "write"]) | st.text("ab*?", max_size=3).map("mcp/".__add__)
rules = st.builds(Rule, tools, st.sampled_from(Approval), arguments | st.just(ANY))
grants = st.lists(rules, max_size=4).map(lambda listed: Grants(tuple(listed)))


def strength(tool: str, approval: Approval) -> Approval:
    return min(approval, SESSION) if tool in READING else approval


def as_regex(pattern: str) -> re.Pattern[str]:
    """The documented meaning of a pattern as a regular expression."""
    escaped = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    if pattern.endswith(" *"):
        escaped = escaped.removesuffix(r"\ .*") + r"(\ .*)?"
    return re.compile(escaped, re.DOTALL)


@thorough
@given(arguments, st.text("ab *?", max_size=6))
def test_a_pattern_means_what_its_regular_expression_does(pattern: str, text: str) -> None:
    assert matches(pattern, text) == (as_regex(pattern).fullmatch(text) is not None)


@pytest.mark.parametrize(
    ("pattern", "text", "covered"),
    [
        ("git *", "git", True),
        ("git *", "git push", True),
        ("git *", "gitk", False),
        ("git*", "gitk", True),
        ("git ?", "git", False),
        (" *", "", True),
        ("*.env", "a/b.env", True),
        ("a*b*c", "a1b2b3c", True),
        ("?", "é", True),
        ("", "", True),
        ("", "x", False),
    ],
)
def test_patterns_cover(pattern: str, text: str, covered: bool) -> None:  # noqa: FBT001 (a column of the table)
    assert matches(pattern, text) is covered


def test_the_last_rule_that_matches_decides() -> None:
    granted = Grants((Rule("bash", ALLOW), Rule("bash", DENY, "git *"), Rule("bash", ASK, "git diff *")))
    assert granted.approval("bash", "ls") is ALLOW
    assert granted.approval("bash", "git push") is DENY
    assert granted.approval("bash", "git diff --stat") is ASK
    assert Grants((*granted.rules, Rule(ANY, DENY))).approval("bash", "ls") is DENY


def test_a_call_without_a_rule_is_denied() -> None:
    assert NOTHING.approval("read") is DENY
    assert Grants((Rule("bash", ALLOW, "ls"),)).approval("bash", "rm") is DENY
    assert NOTHING.everything_else is DENY
    assert EVERYTHING.everything_else is SESSION


@thorough
@given(grants, st.sampled_from(["bash", "mcp/ab"]))
def test_approvals_are_those_that_some_argument_gets(granted: Grants, tool: str) -> None:
    # Short patterns differ only in ways that texts of up to five characters and one strange one show.
    assert granted.approvals(tool) == {granted.approval(tool, text) for text in [*TEXTS, "z", "zz", "a z", "zzzzz"]}


@thorough
@given(grants, grants)
def test_wider_is_none_exactly_where_no_call_gets_more(output: Grants, source: Grants) -> None:
    texts = [*TEXTS, "z", "zz", "a z", "zzzzz"]
    names = [*ALL_TOOLS, "mcp/z", "mcp/az", "mcp/zz", "other/z"]
    found = widenings(output, source)
    assert wider(output, source) == (found[0] if found else None)
    assert len({call.tool for call in found}) == len(found)
    for call in found:
        gets, may = output.approval(call.tool, call.argument), source.approval(call.tool, call.argument)
        assert (gets, may) == (call.gets, call.may)
        assert strength(call.tool, gets) > strength(call.tool, may)
        assert matches(call.pattern, call.tool)
    names = [tool for tool in names if tool not in {call.tool for call in found}]
    if any(call.tool not in TOOLS for call in found):  # then it is an example for several
        names = [tool for tool in names if tool in TOOLS]
    for tool in names:
        given_rules, allowed_rules = Grants(output.for_tool(tool)), Grants(source.for_tool(tool))
        if given_rules == allowed_rules:
            continue
        for text in texts:
            gets, may = given_rules.approval(tool, text), allowed_rules.approval(tool, text)
            assert strength(tool, gets) <= strength(tool, may), (tool, text)


@thorough
@given(grants)
def test_nothing_is_wider_than_itself(granted: Grants) -> None:
    assert wider(granted, granted) is None
    assert wider(NOTHING, granted) is None


@pytest.mark.parametrize(
    ("output", "source", "call"),
    [
        (Grants((Rule("bash", ALLOW),)), EVERYTHING, ("bash", "")),
        (EVERYTHING, Grants((Rule("read", SESSION),)), ("bash", "")),
        (Grants((Rule("bash", ASK, "git *"),)), Grants((Rule("bash", ASK, "git diff *"),)), ("bash", "git")),
        (Grants((Rule("bash", ASK),)), Grants((Rule("bash", ASK), Rule("bash", DENY, "rm*"))), ("bash", "rm")),
        (Grants((Rule("mcp/gh_*", ASK),)), Grants((Rule("mcp/gh_*", ASK), Rule("mcp/gh_b", DENY))), ("mcp/gh_b", "")),
        (Grants((Rule("read", ASK),)), NOTHING, ("read", "")),
    ],
)
def test_wider_names_a_call_that_gets_more(output: Grants, source: Grants, call: tuple[str, str]) -> None:
    wider_call = wider(output, source)
    assert wider_call is not None
    assert (wider_call.tool, wider_call.argument) == call
    assert f"`{call[0]}`" in str(wider_call)


def test_reading_tools_ask_nowhere() -> None:
    assert wider(Grants((Rule("read", ALLOW),)), Grants((Rule("read", SESSION),))) is None
    assert wider(Grants((Rule("read", ALLOW),)), Grants((Rule("read", ASK),))) is not None


def test_a_character_that_represents_others_in_messages_is_no_loophole() -> None:
    """A pattern that names the representative itself must not hide the grants of other characters."""
    hostile = "\N{REPLACEMENT CHARACTER}"
    source = Grants((Rule("bash", ALLOW, hostile), Rule(f"mcp/{hostile}", ALLOW)))
    assert wider(Grants((Rule("bash", ALLOW, "?"),)), source) is not None
    assert wider(Grants((Rule("mcp/?", ALLOW),)), source) is not None


def test_an_unnamed_tool_is_reported_as_such() -> None:
    assert str(wider(EVERYTHING, Grants(tuple(Rule(tool, SESSION) for tool in sorted(TOOLS))))).startswith(
        "a tool that is not named"
    )


def test_flat_names_join_server_and_tool() -> None:
    nested = Grants((Rule("mcp/github/get_issue", ASK), Rule("mcp/github/*", DENY), Rule("bash", ALLOW, "a/b")))
    assert nested.with_flat_names() == Grants(
        (Rule("mcp/github_get_issue", ASK), Rule("mcp/github_*", DENY), Rule("bash", ALLOW, "a/b"))
    )


def test_a_free_shell_covers_files_and_the_web() -> None:
    effects = Grants((Rule("bash", ASK), Rule("write", ALLOW))).with_effects()
    assert {tool: effects.approval(tool) for tool in ("read", "edit", "webfetch", "write", "task")} == {
        "read": ASK,
        "edit": ASK,
        "webfetch": ASK,
        "write": ALLOW,
        "task": DENY,
    }


def test_a_shell_that_is_refused_some_commands_does_nothing_more() -> None:
    some = Grants((Rule("bash", ALLOW), Rule("bash", DENY, "rm *")))
    assert some.with_effects() == some


def test_reading_includes_searching() -> None:
    effects = Grants((Rule("read", SESSION),)).with_effects()
    assert [effects.approval(tool) for tool in ("grep", "glob", "list", "bash")] == [SESSION, SESSION, SESSION, DENY]


@pytest.mark.parametrize(
    ("rules", "reads"),
    [
        ((Rule("grep", SESSION),), SESSION),
        ((Rule("grep", ALLOW), Rule("glob", ALLOW)), ALLOW),
        ((Rule("grep", SESSION), Rule("read", DENY, "*.env")), DENY),
        ((Rule("re*", DENY), Rule("grep", SESSION)), DENY),
        ((Rule("grep", SESSION), Rule("grep", DENY, "*.env")), DENY),
        ((Rule("grep", ASK),), DENY),
        ((Rule("glob", SESSION),), DENY),
    ],
)
def test_searching_all_text_amounts_to_reading(rules: tuple[Rule, ...], reads: Approval) -> None:
    granted = Grants(rules).with_reading()
    assert granted.approvals("read") == {reads}
    assert granted.approvals("list") == {reads}
    assert reads is DENY or wider(granted, Grants(rules)) is not None


@thorough
@given(grants)
def test_effects_only_add(granted: Grants) -> None:
    effects = granted.with_effects()
    assert all(min(effects.approvals(tool)) >= min(granted.approvals(tool)) for tool in sorted(TOOLS))


@thorough
@given(grants, arguments)
def test_the_least_is_that_of_some_argument_that_the_pattern_covers(granted: Grants, pattern: str) -> None:
    covered = {granted.approval("bash", text) for text in TEXTS if matches(pattern, text)}
    assert granted.least("bash", pattern) == min(covered, default=granted.least("bash", pattern))


@thorough
@given(grants)
def test_everything_else_gets_the_lowest_level_of_its_arguments(granted: Grants) -> None:
    assert granted.everything_else == min(granted.approval("odd", text) for text in TEXTS)


def test_effects_leave_higher_levels_and_raise_lower_ones() -> None:
    granted = Grants((Rule("bash", SESSION), Rule("write", SESSION), Rule("write", DENY, "x*")))
    assert granted.with_effects().approvals("write") == {SESSION}
    granted = Grants((Rule("bash", SESSION), Rule("write", DENY), Rule("write", ALLOW, "x*")))
    assert granted.with_effects().approvals("write") == {SESSION, ALLOW}


def test_raising_lifts_levels_that_are_high_enough() -> None:
    raised = Grants((Rule("bash", SESSION), Rule("edit", ASK), Rule("read", DENY), Rule("write", ALLOW))).raised(
        ALLOW, above=SESSION
    )
    assert [rule.approval for rule in raised.rules] == [ALLOW, ASK, DENY, ALLOW]
    assert [rule.approval for rule in raised.raised(SESSION, above=ASK).rules] == [ALLOW, SESSION, DENY, ALLOW]


def test_patterns_that_cannot_be_compared_are_refused_soon() -> None:
    letters = "abcdefghij"
    hostile = Grants(tuple(Rule("bash", ASK, f"*{letter}*{letters}*{letter}*") for letter in letters))
    began = time.process_time()
    with pytest.raises(TooManyPatternsError) as refusal:
        wider(hostile, EVERYTHING)
    assert time.process_time() - began < 5
    assert refusal.value.hint


def test_many_plain_names_are_no_burden() -> None:
    names = tuple(Rule(f"mcp/server{index}/tool", ASK) for index in range(200))
    assert wider(Grants(names), EVERYTHING) is None
    assert wider(Grants(names), Grants(names[1:])) is not None
