"""Ordered rules, written for a tool where the most restrictive rule counts."""

from __future__ import annotations

import pytest

from agentsync.agents.grants import EVERYTHING, Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, read_agent

KIRO = dialects()["kiro"]
DENY, ASK, SESSION, ALLOW = Approval


def rules(*declared: Rule) -> object:
    agent = Agent(
        name="x", slug="x", description="d", dialect="elsewhere", grants=Grants((*EVERYTHING.rules, *declared))
    )
    data = KIRO.write(agent, WriteOptions()).data
    assert data is not None
    permissions = KIRO.parse(data, "x.md").metadata.get("permissions")
    return permissions["rules"] if isinstance(permissions, dict) else None


def test_a_call_that_a_later_rule_allows_is_an_exception_of_the_earlier_rule() -> None:
    declared = rules(Rule("bash", DENY), Rule("bash", ASK, "git *"))
    assert declared == [
        {"capability": "shell", "effect": "deny", "match": ["*"], "exclude": ["git *", "git"]},
        {"capability": "shell", "effect": "ask", "match": ["git *", "git"]},
    ]


def test_a_later_restriction_needs_no_exception() -> None:
    declared = rules(Rule("bash", ALLOW, "git *"), Rule("bash", DENY, "git push *"))
    assert declared == [
        {"capability": "shell", "effect": "allow", "match": ["git *", "git"]},
        {"capability": "shell", "effect": "deny", "match": ["git push *", "git push"]},
    ]


def test_a_call_left_to_the_session_is_an_exception_without_a_rule() -> None:
    declared = rules(Rule("bash", ALLOW, "git *"), Rule("bash", SESSION, "git push *"))
    assert declared == [
        {"capability": "shell", "effect": "allow", "match": ["git *", "git"], "exclude": ["git push *", "git push"]}
    ]


def test_a_pattern_that_kiro_cannot_express_leaves_the_tool_out() -> None:
    assert rules(Rule("bash", DENY, "rm ?")) == [{"capability": "shell", "effect": "deny"}]


@pytest.mark.parametrize("name", ["My_Agent", "人類学者"])
def test_an_agent_that_is_called_otherwise_here_is_not_denied_by_a_name_that_is_gone(name: str) -> None:
    assert rules(Rule("task", DENY, name)) == [{"capability": "subagent", "effect": "deny"}]


@pytest.mark.parametrize("tools", ["{read: true}", "read", "[1]", "null"])
def test_tools_that_are_not_a_list_are_refused(tools: str) -> None:
    result = read_agent("x.md", f"---\ndescription: d\ntools: {tools}\n---\nLook.\n".encode(), "kiro")
    assert isinstance(result, NoAgent)
