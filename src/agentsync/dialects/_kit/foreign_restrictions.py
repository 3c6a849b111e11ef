"""Keys that restrict an agent in another tool: intended, whether or not the agent's own tool reads them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import Meaning, is_foreign_restriction, meaning
from agentsync.agents.model import NEUTRAL
from agentsync.core.naming import folded_key
from agentsync.dialects._kit.intent import intended_mode
from agentsync.dialects._registry import dialects

_MODES: Final = meaning(Meaning.MODE)

_AROUND: Final = frozenset({"overrides", "platforms", "settings", "targets", "vendors"})
"""Keys, folded, under which some authors keep settings for several tools, or their restrictions."""


def foreign_restrictions(metadata: Mapping[str, JsonValue], own: Collection[str]) -> list[str]:
    """The keys that restrict in another tool, without the tool's own keys and those that are off or empty."""
    return [
        key
        for key, value in metadata.items()
        if key not in own and value not in (None, False) and _restricts(key, value)
    ]


def restrictions_of_one_tool(metadata: Mapping[str, JsonValue], known: Collection[str]) -> dict[str, str]:
    """The restricting keys in tables for single tools, as dotted paths, with the top-level key that each is below.

    Such a table is one that some generator of agents reads (`claudecode:` is rulesync's), and no tool.

    Args:
        metadata: the keys of a file.
        known: those that the file's own tool reads, however deep they go.
    """
    return {
        path: key
        for key, value in metadata.items()
        if key not in known
        for path in _paths_below(key, value, of_tool=folded_key(key).startswith(_tools()))
    }


def _paths_below(path: str, value: JsonValue, *, of_tool: bool) -> Iterator[str]:
    for table in _tables(value):
        if of_tool:
            yield from (f"{path}.{key}" for key in foreign_restrictions(table, ()))
        elif folded_key(path.rpartition(".")[2]) in _AROUND:
            for key, inner in table.items():
                yield from _paths_below(f"{path}.{key}", inner, of_tool=folded_key(key).startswith(_tools()))


def _restricts(key: str, value: JsonValue) -> bool:
    if is_foreign_restriction(key, value):
        return True
    key = folded_key(key)
    below = _tables(value)
    if below:
        several = key in _AROUND or key.startswith(_tools())
        return several and any(foreign_restrictions(each, ()) for each in below)
    # A mode is the kind of agent in most tools; a value that takes tools away is intended as a permission mode.
    return key in _MODES and isinstance(value, str) and intended_mode(value) is not None


def _tables(value: JsonValue) -> list[dict[str, JsonValue]]:
    """A value that is a table, or the tables in a list."""
    return [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]


@cache
def _tools() -> tuple[str, ...]:
    """Prefixes of keys, folded, under which some authors keep settings for one tool only."""
    tools = (dialect for dialect in dialects().values() if dialect.name != NEUTRAL)
    return tuple(folded_key(name) for dialect in tools for name in (dialect.name, *dialect.recognition.aliases))
