"""The authors of what was written for a tool, by tables of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance import generated
from conformance.access import AGENTS
from conformance.authors import Author, author, generated_access
from conformance.reported import ABLE
from conformance.sync import Synced

_SEEDS = {"agents/seed-0.md": "opencode", "agents/seed-3.md": "opencode"}


def authors(synced: Synced, tool: str, repository: str) -> dict[str, Author]:
    """By file of a tool, its author; without agents that are the tool's own and written as they are."""
    found: dict[str, Author] = {}
    for file, source in synced.origins(tool).items():
        dialect = _SEEDS.get(source, "claude") if repository == "seeds" else source.partition("/")[0]
        if dialect == tool:
            continue
        if repository == "generated":
            agent = generated.author_of(source)
            found[file] = Author(generated_access(agent, dialect), frozenset(), agent.model or "")
        else:
            found[file] = author(dialect, synced.files[source])
    return found


def able(tool: str, keys: Mapping[str, Any]) -> frozenset[str]:
    """The abilities of a tool to compare for a file with these keys: a list of the agents to call limits that one."""
    return ABLE[tool] - {AGENTS} if "Agent(" in str(keys.get("tools")) else ABLE[tool]
