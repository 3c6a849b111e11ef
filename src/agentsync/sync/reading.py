"""Reading of a source's agents once, for a run that needs to know them before it compiles them."""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from agentsync.core.build_id import engine
from agentsync.git.objects import Entry
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from agentsync.state.render_cache import Cache
from agentsync.sync.request import Progress
from agentsync.sync.snapshot import Snapshot

_MOST_BYTES: Final = 16 << 20
_LONG_SECONDS: Final = 1.0


def remembering(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with a memory of the agents that are read, for files that are compiled several times.

    It has those of 16 MiB, which take several times as much memory.
    """
    return replace(snapshot, read=_RememberingReader())


class _RememberingReader:
    """A `read_agent` with a memory. What took long is read again, so that it counts in the file's time budget."""

    def __init__(self) -> None:
        self._results: dict[tuple[str, str | None], tuple[bytes, ReadAgent | NoAgent]] = {}
        self._room = _MOST_BYTES

    def __call__(self, path: str, data: bytes, dialect: str | None) -> ReadAgent | NoAgent:
        """As `read_agent`."""
        known = self._results.get((path, dialect))
        if known and known[0] == data:
            return known[1]
        started = time.monotonic()
        result = read_agent(path, data, dialect)
        if not known and len(data) <= self._room and time.monotonic() - started < _LONG_SECONDS:
            self._room -= len(data)
            self._results[path, dialect] = data, result
        return result


def tools_of(snapshot: Snapshot, cache: Cache | None, progress: Progress) -> dict[str, bool]:
    """Find the dialects of the agents, and whether one of that dialect has rules for calling particular agents.

    Args:
        snapshot: what to read.
        cache: of what was read before; None to use none.
        progress: called after each file that is read.

    Raises:
        SourceUnavailableError: a mirror cannot be read.
        ConfigError: a working tree cannot be read, or has changed.
        StateError: the cache cannot be used.
    """
    keys = {entry: _key(snapshot, entry) for entry in snapshot.entries}
    cached = cache.get_many(keys.values()) if cache else ()
    found: dict[str, tuple[str, bool] | None] = {key: _decode(value) for key, value in cached}
    fresh: dict[str, bytes] = {}
    missing = [entry for entry, key in keys.items() if key not in found]
    for entry, data in _contents(snapshot, missing):
        read = snapshot.read(entry.path, data, snapshot.selection.dialect_of(entry.path))
        of_agent = (read.dialect.name, bool(read.needs.agents)) if isinstance(read, ReadAgent) else None
        found[keys[entry]], fresh[keys[entry]] = of_agent, json.dumps(of_agent).encode()
        progress("reading", len(fresh), len(missing))
    if cache:
        cache.put_many(fresh.items())
    tools: dict[str, bool] = {}
    for dialect, calls in filter(None, found.values()):
        tools[dialect] = calls or tools.get(dialect, False)
    return tools


def _key(snapshot: Snapshot, entry: Entry) -> str:
    inputs = ["tools", engine(), entry.path, entry.blob, snapshot.selection.dialect_of(entry.path)]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


def _decode(value: bytes) -> tuple[str, bool] | None:
    record = json.loads(value)
    return (str(record[0]), bool(record[1])) if record else None


def _contents(snapshot: Snapshot, entries: list[Entry]) -> Iterator[tuple[Entry, bytes]]:
    by_blob: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_blob[entry.blob].append(entry)
    for blob, data in snapshot.blobs(by_blob) if by_blob else ():
        yield from ((entry, data) for entry in by_blob[blob])
