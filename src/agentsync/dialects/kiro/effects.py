"""Keys with which an agent of either Kiro format does more than restrict itself."""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import Effect, effects_by_key, row
from agentsync.dialects._kit.harmless import is_within_project

_PARTS_OF_RESOURCE: Final = frozenset("type source name description indexType include exclude autoUpdate".split())
"""Keys of a resource that is not a plain path: https://kiro.dev/docs/cli/custom-agents (November 2026)."""


def _are_within_project(value: JsonValue) -> bool:
    """Whether all resources are in the project, each a path or a table with its source."""
    match value:
        case list():
            return all(map(_are_within_project, value))
        case dict():
            return "source" in value and value.keys() <= _PARTS_OF_RESOURCE and is_within_project(value["source"])
        case _:
            return is_within_project(value)


# What the model reads as part of its input.
EFFECTS: Final = effects_by_key(row("resources", Effect.READS_FILE, unless=_are_within_project))
"""By folded key."""
