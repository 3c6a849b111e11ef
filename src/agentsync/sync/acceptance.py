"""What a run's diagnostics are sorted by: the entries of `accept` in force, and the agents that diagnostics are on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime

from agentsync.config import Config
from agentsync.core.diagnostics import Diagnostic
from agentsync.repository.acceptance import Declared, Subject
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.snapshot import Snapshot


def day_of(timestamp: float) -> date:
    """Return the day of a time in seconds since the epoch, in UTC."""
    return datetime.fromtimestamp(timestamp, UTC).date()


def declared_in(config: Config | None, snapshots: Iterable[Snapshot]) -> tuple[Declared, ...]:
    """Return the entries of the configuration, where there is one, and of the sources' manifests."""
    of_machine = config.accept if config else ()
    return (
        *(Declared(entry) for entry in of_machine),
        *(Declared(entry, snapshot.name) for snapshot in snapshots for entry in snapshot.accept),
    )


def subjects(compiled: Sequence[CompiledAgent]) -> Callable[[Diagnostic], Subject]:
    """Return the function that finds what a diagnostic is on: by its path in a source, else by the agent's name."""
    by_path, by_name = defaultdict(list), defaultdict(list)
    for one in compiled:
        by_path[one.path].append(one)
        by_name[one.name].append(one)

    def find(diagnostic: Diagnostic) -> Subject:
        found = by_path.get(diagnostic.path, ()) or (by_name.get(diagnostic.agent, ()) if diagnostic.agent else ())
        return Subject(
            sources=frozenset(one.source for one in found),
            slugs=tuple(slug for one in found for slug in (*one.slugs, *one.claims) if slug),
            tags=tuple(tag for one in found for tag in one.tags),
        )

    return find
