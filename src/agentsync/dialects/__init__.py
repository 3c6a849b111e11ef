"""The dialects: one module or package for each tool, discovered by being here."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from agentsync.agents.key_effects import add_own_restrictions
from agentsync.dialects import _unread
from agentsync.dialects._base import Dialect, SharedFile, UneditableError, Writing, refused

__all__ = [
    "Dialect",
    "SharedFile",
    "UneditableError",
    "Writing",
    "default_dialect",
    "dialects",
    "moving_variables",
    "no_dialect",
    "other_directories",
    "refused",
    "restrictions",
]


@cache
def dialects() -> Mapping[str, Dialect]:
    """Every dialect by name, in alphabetical order."""
    # What begins with an underscore is shared code, not a dialect.
    modules = (import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__) if info.name[0] != "_")
    found = {module.DIALECT.name: module.DIALECT for module in modules}
    add_own_restrictions(key for dialect in found.values() for key in dialect.restrictions)
    return found


@cache
def default_dialect() -> Dialect:
    """The dialect of agents that show no tool's signs."""
    return next(dialect for dialect in dialects().values() if dialect.recognition.is_default)


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
