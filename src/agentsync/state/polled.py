"""Times of polls that found nothing new: a small file beside the database.

They are for people and monitors only, so writing one need not wait for the disk, as the database does. A time counts as
long as the database has the one that it follows, so whatever is recorded there later takes precedence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agentsync.core.files import replace_quickly

Polled = tuple[float | None, float]
"""The time that the database has, and the later one of a poll, in seconds since the epoch."""


def source_key(name: str, url: str, ref: str) -> str:
    """Return how a source is called in the file."""
    return f"{name}\n{url}\n{ref}"


def record_polls(database: Path, polls: Mapping[str, Polled]) -> None:
    """Record polls, by source; a time that cannot be written is only older than it could be."""
    path = _path(database)
    with suppress(OSError):
        replace_quickly(path, json.dumps({**_read(path), **polls}))


def polled_at(database: Path, source: str, recorded: float | None) -> float | None:
    """Return when a source was polled last, where the database has this time for it."""
    match _read(_path(database)).get(source):
        case [before, float(later)] if before == recorded:
            return later
    return recorded


def _path(database: Path) -> Path:
    return database.with_name(f"{database.name}.polled")


def _read(path: Path) -> dict[str, object]:
    try:
        polls = json.loads(path.read_bytes())
    except (OSError, ValueError):  # none yet, or the machine went down
        return {}
    return polls if isinstance(polls, dict) else {}
