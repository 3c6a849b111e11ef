"""The comparison of abilities, beyond the grants that tests of `wider` cover."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentsync.agents.abilities import Abilities, Gain, brought, gained
from agentsync.agents.grants import EVERYTHING, NOTHING, Approval, Grants, Rule
from agentsync.dialects import dialects

if TYPE_CHECKING:
    from pydantic import JsonValue

DENY, ASK, SESSION, ALLOW = Approval
DB: JsonValue = {"db": {"command": "db"}}
OTHER_DB: JsonValue = {"db": {"command": "other"}}


def names(gains: tuple[Gain, ...]) -> list[str]:
    return [gain.name for gain in gains]


def having(dialect: str = "claude", /, **keys: JsonValue) -> Abilities:
    return Abilities(brought=tuple(brought(dialects()[dialect].effects_of, keys.items())))


@pytest.mark.parametrize(
    ("before", "after", "gains"),
    [
        # Which spelling counts is the tool's own to know, so neither hides a change of the other.
        ({"mcpServers": DB, "mcp_servers": DB}, {"mcpServers": OTHER_DB, "mcp_servers": DB}, ["MCP server `db`"]),
        ({"permission-mode": "auto"}, {"permissionMode": "auto"}, ["permission mode `auto`"]),
        ({"mcpServers": [{"name": "a", "x": 1}]}, {"mcpServers": [{"name": "a", "x": True}]}, ["MCP server `a`"]),
        ({"mcpServers": [{"db": {}}, {"db": {"x": 1}}]}, {"mcpServers": [{"db": {"x": 1}}, {"db": {}}]}, []),
        ({"mcpServers": {"a": {"x": 1, "y": 2}}}, {"mcpServers": {"a": {"y": 2, "x": 1}}}, []),
        ({}, {"mcpServers": ["a"]}, []),
        ({"mcpServers": DB}, {}, []),
    ],
)
def test_what_keys_bring_is_compared_as_it_is_declared(
    before: dict[str, JsonValue], after: dict[str, JsonValue], gains: list[str]
) -> None:
    assert names(gained(having(**before), having(**after))) == gains


def test_a_model_is_marked_and_a_missing_guard_counts() -> None:
    hooks = having(hooks={"PreToolUse": []}).brought
    assert names(gained(Abilities(guards=hooks), Abilities())) == ["hooks"]
    assert gained(Abilities(brought=hooks), Abilities()) == ()
    routed = gained(having("vibe"), having("vibe", models=["m"]))
    assert [gain.is_model for gain in (*routed, *gained(Abilities(), Abilities(model="a/b")))] == [True, True]


def test_each_rule_that_grants_more_is_named_once() -> None:
    before = Abilities(Grants((Rule("bash", ALLOW, "git *"), Rule("mcp/gh/*", DENY))))
    after = Abilities(Grants((Rule("bash", ALLOW), Rule("mcp/gh/*", ASK), Rule("mcp/gh/x", SESSION))))
    assert names(gained(before, after)) == ["`bash`", "`mcp/gh/*`", "`mcp/gh/x`"]
    assert names(gained(Abilities(EVERYTHING), Abilities(Grants((Rule("*", ALLOW),))))) == [
        *(f"`{tool}`" for tool in "bash edit external_directory notebook task webfetch websearch write".split()),
        "a tool that is not named",
    ]
    assert names(gained(Abilities(NOTHING), Abilities(EVERYTHING))) == ["every tool that its session has"]


def test_grants_that_cannot_be_compared_count_unless_they_are_equal() -> None:
    hostile = Grants(tuple(Rule(f"mcp/*{letter}*abcdefghij*{letter}*", ASK) for letter in "abcdefghij"))
    (gain,) = gained(Abilities(EVERYTHING), Abilities(hostile))
    assert gain.name == "permissions that cannot be compared"
    assert "too many" in gain.reason
    assert gained(Abilities(hostile), Abilities(hostile)) == ()
