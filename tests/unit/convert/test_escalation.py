"""Changes that give an agent more than its version before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentsync.agents.abilities import Abilities, gained
from agentsync.convert.abilities import enforced_abilities
from agentsync.dialects import dialects
from support.policies import HOOK, document, file_with

if TYPE_CHECKING:
    from pydantic import JsonValue

CLAUDE = dialects()["claude"]


def grown(before: Abilities, after: Abilities) -> tuple[str, ...]:
    return tuple(gain.name for gain in gained(before, after))


def test_escalation_names_each_key_that_has_its_tool_do_more() -> None:
    vibe = dialects()["vibe"]
    before, after = (
        enforced_abilities(vibe, file_with("vibe", keys), "x") for keys in ('tool_paths = ["a"]', 'tool_paths = ["b"]')
    )
    assert grown(before, after) == ("`tool_paths`",)
    assert grown(before, before) == ()
    claude = [enforced_abilities(CLAUDE, document(permissionMode=mode), "x") for mode in ("plan", "acceptEdits")]
    assert grown(*claude)[-1] == "permission mode `acceptEdits`"
    assert len([word for word in grown(*claude) if "ermission" in word]) == 1


def given_by(dialect: str = "claude", /, **keys: JsonValue) -> Abilities:
    return enforced_abilities(dialects()[dialect], document(dialect, **keys), "x")


@pytest.mark.parametrize(
    ("before", "after", "names"),
    [
        ({"tools": "Read"}, {"tools": "Read"}, ()),
        ({"tools": "Read, Bash"}, {"tools": "Read"}, ()),
        ({}, {"tools": "Read"}, ()),
        ({"tools": "Read"}, {"tools": "Read, Bash, Write"}, ("`bash`", "`edit`", "`write`")),
        ({"tools": "Write"}, {"tools": "Write, Edit"}, ()),  # Write replaces whole files
        ({"tools": "Read"}, {"tools": "Read, mcp__gh__*"}, ("`mcp/gh/*`",)),
        ({"tools": "Read"}, {}, ("every tool that its session has",)),
        ({}, {"permissionMode": "plan"}, ()),
        ({"permissionMode": "plan"}, {"permissionMode": "default"}, ("`bash`", "`edit`", "`notebook`", "`write`")),
        ({"tools": "Bash", "permissionMode": "default"}, {"tools": "Bash"}, ("`bash`",)),
        ({}, {"permissionMode": "auto"}, ("permission mode `auto`",)),
        ({"permissionMode": "auto"}, {}, ()),
        ({}, {"hooks": HOOK}, ("hooks",)),
        ({"hooks": HOOK}, {}, ("hooks",)),
        ({"hooks": HOOK}, {"hooks": HOOK}, ()),
        ({}, {"mcpServers": {"db": {"command": "db"}}}, ("MCP server `db`",)),
        ({"mcpServers": [{"db": {"command": "db"}}]}, {"mcpServers": [{"db": {"command": "x"}}]}, ("MCP server `db`",)),
        ({"mcpServers": {"db": {"command": "db"}}}, {"mcpServers": {"db": {"command": "db"}}}, ()),
        ({"mcpServers": {"db": {"command": "db"}}}, {}, ()),
        ({"model": "haiku"}, {"model": "opus"}, ("model `anthropic/opus`",)),
        ({"model": "opus"}, {}, ()),
    ],
)
def test_new_abilities_of_a_change_are_named(
    before: dict[str, JsonValue], after: dict[str, JsonValue], names: tuple[str, ...]
) -> None:
    assert grown(given_by(**before), given_by(**after)) == names


def test_escalation_sees_arguments_and_switches() -> None:
    def allowed(*commands: str) -> Abilities:
        return given_by("opencode", permission={"*": "deny", "bash": dict.fromkeys(commands, "allow")})

    assert grown(allowed("git diff"), allowed("git diff", "rm")) == ("`bash` with `rm`",)
    assert grown(allowed("git *"), allowed("git diff")) == ()
    assert grown(given_by("opencode", disable=True), given_by("opencode")) == ("to be switched on",)
