"""Which commit of a source this machine uses, as far as its branch's rollout goes."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace

from agentsync.config.tables import SourceTable
from agentsync.core.errors import SourceRefusedError
from agentsync.core.installation import installation_id, kept_id
from agentsync.core.paths import AppPaths
from agentsync.git.mirror import Mirror
from agentsync.repository.manifest import FILE_NAME
from agentsync.rollout.choose import Choice, Machine, choose, mistake_of
from agentsync.rollout.line import Commit, Line, Sighting
from agentsync.rollout.tables import RolloutTable
from agentsync.state.records import Tip
from agentsync.sync.snapshot import manifest_in

_LONGEST_LINE = 1_000  # commits that may be held at or reverted
_LONGEST_HALT = 100  # commits back to the one that halted


def choose_commit(
    mirror: Mirror, tip: str, *, name: str, table: SourceTable, applied: str, tips: list[Tip], app_paths: AppPaths
) -> Choice:
    """Choose the commit of a fetched branch that this machine uses.

    Args:
        mirror: that it was fetched to.
        tip: the commit of the branch.
        name: of the source.
        table: its settings.
        applied: the commit that was applied last; empty for none.
        tips: what fetches found, oldest first.
        app_paths: where this installation's id is kept.

    Raises:
        SourceRefusedError: the manifest at the tip cannot be used, so nobody moves.
        SourceUnavailableError: the mirror cannot be read.
    """
    rollout = _rollout_at(mirror, tip)
    machine = Machine(installation_id(fallback=kept_id(app_paths)), name, table.rollout)
    records = mirror.first_parents(tip, _LONGEST_LINE)
    taken_back = mirror.merged_reverts(records) if rollout else {}
    line = [
        Commit(one.id, one.tree, one.time, one.message, takes_back=taken_back.get(one.id, frozenset()))
        for one in records
    ]
    if rollout and rollout.halt and not applied:
        line = [*_with_halts(mirror, line)]
    choice = choose(
        line,
        rollout,
        machine,
        now=time.time(),
        applied=applied,
        ahead=_ahead(mirror, line, applied),
        sightings=[Sighting(one.commit, one.first_at, one.last_at) for one in tips],
    )
    return replace(choice, mistake=mistake_of(machine, rollout)) if rollout and table.rollout.obey else choice


def _rollout_at(mirror: Mirror, commit: str) -> RolloutTable | None:
    return manifest_in(mirror, mirror.find(commit, FILE_NAME)).rollout


def _with_halts(mirror: Mirror, line: Line) -> Iterator[Commit]:
    """Yield the commits of a line, the newest of which are marked as far as their manifests halt the rollout."""
    halts = True
    for index, commit in enumerate(line):
        halts = halts and index < _LONGEST_HALT and _halts(mirror, commit.id)
        yield replace(commit, halts=halts)


def _halts(mirror: Mirror, commit: str) -> bool:
    try:
        rollout = _rollout_at(mirror, commit)
    except SourceRefusedError:  # no machine moved on to it
        return True
    return bool(rollout and rollout.halt)


def _ahead(mirror: Mirror, line: Line, applied: str) -> int | None:
    """Return how many commits of a line, from the newest on, contain another one and are not it; None for all."""
    if not applied:
        return None
    ids = [commit.id for commit in line]
    if applied in ids:
        return ids.index(applied)
    if not (mirror.has(applied) and mirror.is_ancestor(applied, ids[0])):
        return None
    # On a side that was merged: the commits from the merge on contain it.
    return bisect_left(ids, 1, key=lambda id_: int(not mirror.is_ancestor(applied, id_)))
