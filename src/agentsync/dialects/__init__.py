"""The dialects: one module or package for each tool, discovered by being here."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache

from agentsync.dialects import _unread
from agentsync.dialects._base import Dialect, Kind, SettingsFile, SharedFile, UneditableError, Writing, refused
from agentsync.dialects._evidence import in_agent_directory, in_documentation, is_template, looks_like_agent
from agentsync.dialects._registry import dialects

__all__ = [
    "Dialect",
    "Kind",
    "SettingsFile",
    "SharedFile",
    "UneditableError",
    "Writing",
    "default_dialect",
    "dialects",
    "in_agent_directory",
    "in_documentation",
    "is_template",
    "looks_like_agent",
    "moving_variables",
    "no_dialect",
    "other_directories",
    "refused",
    "restrictions",
]


@cache
def default_dialect() -> Dialect:
    """The dialect of agents that show no tool's signs."""
    return max(dialects().values(), key=lambda dialect: dialect.recognition.prior)


def other_directories() -> frozenset[str]:
    """The directories of tools in which nothing is an agent, apart from a tool's own directories for agents."""
    return _unread.DIRECTORIES.union(*(dialect.other_directories for dialect in dialects().values()))


@cache
def restrictions() -> frozenset[str]:
    """The keys, folded, by which agents of some dialect are restricted."""
    return frozenset(key for dialect in dialects().values() for key in dialect.restrictions)


def moving_variables() -> frozenset[str]:
    """The environment variables that move a tool's directory."""
    return frozenset(moved.variable for dialect in dialects().values() for moved in dialect.environment)


def no_dialect(name: str) -> str:
    """The error message for an unknown dialect: suggests the nearest name, or lists all."""
    near = get_close_matches(name, dialects(), n=1)
    other = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(dialects())}"
    return f"there is no dialect `{name}`; {other}"
