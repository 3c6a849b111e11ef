"""Trial runs and the machine's own: each has records of its own, and knows by these which files the other wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from agentsync.core.codes import Code
from agentsync.core.paths import AppPaths, is_file
from agentsync.state.records import Key, Recorded
from agentsync.state.sqlite import DamagedError
from agentsync.state.store import State
from agentsync.targets.change import Actual, Wanted
from agentsync.targets.plan import recorded


def written_by_others(app_paths: AppPaths, directories: Iterable[str]) -> dict[Key, Recorded]:
    """Return what the other kind of run wrote in these directories: the machine's for a trial, trials for the machine.

    Records that are damaged, or of an earlier version, count as none: only their own runs may set them aside.

    Raises:
        StateError: the records cannot be read, or were written by a newer version.
    """
    database = app_paths.counterpart.database
    if not is_file(database):
        return {}
    try:
        with State(database) as state:
            return state.inventory(directories)
    except DamagedError:
        return {}


def keep_managed(
    inventory: Mapping[Key, Recorded],
    disk: Mapping[Key, Actual],
    wanted: Mapping[Key, Wanted],
    *,
    managed: Mapping[Key, Recorded],
    urls: Mapping[str, str],
) -> tuple[dict[Key, Recorded], dict[Key, Actual]]:
    """Return a trial's inventory and what is on disk so that no file of the machine's own runs is changed.

    One that is as the trial wants it counts as up to date, any other is in conflict.

    Args:
        inventory: what trials wrote.
        disk: what is at each path.
        wanted: the file that the trial wants at each path.
        managed: what the machine's own runs wrote; it takes precedence over what a trial wrote there earlier.
        urls: the URL of each of the trial's sources.
    """
    rows = {key: row for key, row in inventory.items() if key not in managed}
    met = wanted.keys() & managed.keys()
    same = {key for key in met if disk[key].digest == wanted[key].digest}
    rows |= {key: recorded(wanted[key], urls[wanted[key].source]) for key in same}
    differing = {key for key in met - same if not disk[key].code}
    numbers = Counter(directory for directory, _ in differing)
    reasons = {
        directory: f"files that this machine's configuration manages differ and are kept: {number}"
        for directory, number in numbers.items()
    }
    kept = {key: replace(disk[key], reason=reasons[key[0]], code=Code.MANAGED) for key in differing}
    return rows, {**disk, **kept}


def left_by_trials(
    inventory: Mapping[Key, Recorded],
    disk: Mapping[Key, Actual],
    wanted: Iterable[Key],
    written: Mapping[Key, Recorded],
) -> frozenset[Key]:
    """Return the wanted paths with a file that is still as a trial wrote it: no user's work is in there."""
    return frozenset(
        key for key in wanted if key in written and key not in inventory and disk[key].digest == written[key].digest
    )
