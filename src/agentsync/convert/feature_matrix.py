"""Feature matrix: the parts of an agent that each tool supports, built from the tables of the dialects."""

from __future__ import annotations

from agentsync.agents.grants import TOOLS, Approval, Rule
from agentsync.dialects import Dialect

_HEADINGS = {
    "model": "model",
    "effort": "effort",
    "temperature": "temperature",
    "top_p": "top_p",
    "max_turns": "turns",
    "mode": "mode",
    "hidden": "hidden",
    "disabled": "disabled",
    "color": "color",
    "skills": "skills",
    "memory": "memory",
    "background": "background",
    "isolation": "isolation",
    "initial_prompt": "first prompt",
}
"""Fields of Agent, with the headings of their columns."""

_COMMANDS = (Rule("bash", Approval.SESSION), Rule("bash", Approval.DENY, "rm *"))


def matrix_row(dialect: Dialect) -> dict[str, str]:
    """Return the support of a tool by column: `yes`, `no`, or a share."""
    capabilities = dialect.capabilities
    # Tools that have a name of their own, and so can be granted without another.
    single = {covered[0] for covered in capabilities.units.values() if len(covered) == 1}
    permissions = {
        "tools": f"{len(single)}/{len(TOOLS)}",
        "asks": f"{len(capabilities.asks & capabilities.tools)}/{len(TOOLS)}",
        "commands": _yes(
            capabilities.exact or ("bash" in capabilities.tools and capabilities.spells("bash", _COMMANDS))
        ),
        "MCP tools": _yes(capabilities.exact or capabilities.server_name("mcp/server/tool") is not None),
    }
    return permissions | {title: _yes(field in dialect.carries) for field, title in _HEADINGS.items()}


def _yes(holds: object) -> str:
    return "yes" if holds else "no"
