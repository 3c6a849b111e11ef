"""Keys of formats that are open: their tool acts on keys beyond a fixed list, so any other key may have any effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from pydantic import JsonValue

from agentsync.agents.key_effects import KEY_EFFECTS, KeyEffect
from agentsync.core.naming import folded_key


def undeclared_by(
    effects: Mapping[str, tuple[KeyEffect, ...]], agent: Iterable[str], tables: Mapping[str, frozenset[str]]
) -> Callable[[Mapping[str, JsonValue]], Iterator[str]]:
    """Build `Dialect.undeclared`.

    Args:
        effects: those that the dialect declares.
        agent: the keys that make up the agent, which its reader judges.
        tables: by the names of tables that are open, too, the keys in them whose effect is declared.
    """
    declared = frozenset({*KEY_EFFECTS, *effects, *map(folded_key, agent)})

    def undeclared(metadata: Mapping[str, JsonValue]) -> Iterator[str]:
        for key, value in metadata.items():
            if folded_key(key) not in declared:
                yield key
            elif key in tables and isinstance(value, dict):
                yield from (f"{key}.{name}" for name in value if name not in tables[key])

    return undeclared
