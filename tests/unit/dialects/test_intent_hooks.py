"""Hooks as guards: a hook that may refuse a tool denies it to other tools."""

from __future__ import annotations

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, TOOLS, Approval
from agentsync.core.codes import Code
from agentsync.dialects._kit.hook_guards import guarded
from agentsync.dialects._kit.intent import intended_by
from support.grants import intended, opencode

DENY, ASK, SESSION, ALLOW = Approval
CHANGES = CHANGING - {"external_directory"}


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
def test_a_hook_guards_every_tool_that_its_matcher_may_cover(dialect: str, matcher: str, guarded: set[str]) -> None:
    granted = intended(dialect, f"hooks: {{PreToolUse: [{{matcher: {matcher}, command: x}}]}}")
    assert {tool for tool in TOOLS if DENY in granted.approvals(tool)} == guarded


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


def test_hooks_that_the_tool_does_not_run_are_reported() -> None:
    agent = opencode("hooks: {PreToolUse: [{matcher: Bash}]}")
    assert [diagnostic.code for diagnostic in agent.diagnostics] == [Code.NO_EFFECT]
    assert DENY in agent.agent.grants.approvals("bash")
    assert opencode("hooks: {Stop: [{command: x}]}").diagnostics == ()


@pytest.mark.parametrize(
    "dialect", ["junie", "auggie", "antigravity", "opencode", "kilo", "cursor", "goose", "rovodev"]
)
def test_servers_and_hooks_restrict_even_where_the_tool_reads_neither(dialect: str) -> None:
    granted = intended(dialect, "mcpServers: {gh: {command: x, disabledTools: [delete]}}")
    assert (granted.approval("mcp/gh/delete"), granted.approval("mcp/gh/search")) == (DENY, SESSION)
    guarded = intended(dialect, "hooks: {PreToolUse: [{matcher: Bash, command: x}]}")
    assert {tool for tool in TOOLS if DENY in guarded.approvals(tool)} == {"bash"}
