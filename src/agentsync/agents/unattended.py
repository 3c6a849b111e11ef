"""Calls that change or send something and that an agent's file lets through without asking anybody.

A tool's file decides that in many ways: a mode, a list of tools that are allowed, a sandbox. All of them are read into
grants, where such a call is at `allow`; at `session` it is the user's own settings that decide, not the agent's file.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from agentsync.agents.grants import CHANGING, MCP, READING, Approval, Grants
from agentsync.agents.patterns import ANY, UNNAMED, matches

SERVERS: Final = f"{MCP}{ANY}"
"""The pattern of all tools of servers."""

# An agent that is started asks for itself, and is judged by its own file.
_CHANGING: Final = CHANGING - {"task"}
_HARMLESS: Final = frozenset({*READING, "task", ANY})  # as the name of a rule's tool

_ANY_SERVER: Final = MCP + UNNAMED
"""A tool of a server that no rule names."""


def unattended_calls(grants: Grants) -> tuple[str, ...]:
    """Return the tools of which some call that changes or sends something runs without asking.

    Raises:
        TooManyPatternsError: the patterns cannot be compared within bounds.
    """
    return tuple(tool for tool in _candidates(grants) if Approval.ALLOW in grants.approvals(tool))


def unattended_tools(grants: Grants, usual: Collection[str]) -> tuple[str, ...]:
    """Return the tools of which a call that no rule names runs without asking, beside those that usually do.

    Args:
        grants: of an agent's file.
        usual: patterns of tools that run without asking anyway.
    """
    return tuple(
        tool
        for tool in _candidates(grants)
        if grants.approval(tool, UNNAMED) is Approval.ALLOW and not any(matches(pattern, tool) for pattern in usual)
    )


def shown(tool: str) -> str:
    """Return a tool as text for a message."""
    return {_ANY_SERVER: "tools of servers", "external_directory": "files outside the project"}.get(tool, f"`{tool}`")


def _candidates(grants: Grants) -> list[str]:
    """The tools that may be let through and are not known only to read; a pattern represents those that it matches."""
    freed = [rule.tool for rule in grants.rules if rule.approval is Approval.ALLOW]
    if ANY not in freed and _HARMLESS.issuperset(freed):
        return []
    return [*dict.fromkeys((*sorted(_CHANGING), *(tool for tool in freed if tool not in _HARMLESS), _ANY_SERVER))]
