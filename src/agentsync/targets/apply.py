"""Carry out a plan so that a run may be killed anywhere and the next one converges."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from agentsync.core.codes import Code
from agentsync.state.backups import Backups
from agentsync.state.records import Action, Intent, Key, Known, Recorded
from agentsync.state.store import State
from agentsync.targets.batch import THREADS, Batch, OpenTargets, Outcome, Staging
from agentsync.targets.change import Actual, Change
from agentsync.targets.plan import Plan
from agentsync.targets.target_directory import TargetError
from agentsync.targets.target_place import DirectoryOptions, open_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


BATCH = 512
"""How many changes share one pair of transactions: bounds memory, and what a crash leaves to be recovered."""


def observe(
    directories: Mapping[str, DirectoryOptions],
    wanted: Iterable[Key],
    inventory: Mapping[Key, Recorded],
    state: State,
) -> dict[Key, Actual]:
    """What is at every path of these directories that is wanted or in the inventory.

    A file whose stat is still the cached one is not read again. A missing directory has nothing in it; in one that
    cannot be used, every path counts as something that is not ours.
    """
    paths: dict[str, set[str]] = defaultdict(set)
    for directory, path in (*wanted, *inventory):
        if directory in directories:
            paths[directory].add(path)
    cached = state.cached_stats(paths)
    disk: dict[Key, Actual] = {}
    fresh: dict[Key, Known] = {}
    for directory, names in paths.items():
        try:
            opened = open_place(directory, directories[directory], create=False)
        except TargetError as error:
            missing = error.code is Code.TARGET_MISSING
            actual = Actual(None) if missing else Actual("", reason=error.message, code=error.code)
            disk |= dict.fromkeys(((directory, name) for name in names), actual)
            continue
        with opened:
            for name in names:
                key = directory, name
                known = cached.get(key)
                found = opened.observe(name, known)
                disk[key] = found.actual
                if found.known and found.known is not known and key in inventory:
                    fresh[key] = found.known
    if fresh:
        state.cache_stats(fresh)
    return disk


def recover(state: State, directories: Mapping[str, DirectoryOptions]) -> None:
    """Clean up after a run that was killed: call it before the inventory is read.

    Staged files are deleted, what was done is recorded, what was not is left to the next plan. Intents in a
    directory that cannot be used now are kept until it can.
    """
    done, cleared = [], []
    for intent in state.intents():
        directory = intent.change.directory
        try:
            actual = _clean(intent, directories.get(directory, DirectoryOptions()))
        except (TargetError, OSError):  # nothing is lost: whoever uses the directory next meets the same error
            continue
        if actual == intent.change.new:  # not the row's digest: a rollback may bring back what the user wrote
            done.append(intent)
        cleared.append(intent)
    if cleared:
        state.settle(done, cleared)


def apply(
    plan: Plan,
    content: Callable[[Change], bytes],
    state: State,
    *,
    sync_id: str,
    directories: Mapping[str, DirectoryOptions],
    rows: Callable[[Change], Recorded | None],
    backups: Backups,
) -> Iterator[Outcome]:
    """Make every change of a plan but those that it holds; yields each outcome as soon as it is known.

    What one file or target cannot take does not keep the others from being made. An update, replacement or deletion
    goes through only while the file is the one that was observed (`change.actual`).

    Args:
        plan: what to do.
        content: the bytes of a change's wanted file; called in this thread, once for each file that is written.
        state: where `sync_id` has begun.
        sync_id: what history files the changes under.
        directories: how each target's directory may be opened.
        rows: the inventory's row once a change is made; None where there is to be none.
        backups: where the bytes of what is overwritten or deleted are kept, before that is done.

    Yields:
        One outcome for each change that is more than keep: a change that was made is on disk, and is recorded once its
        batch is settled. A second one, which counts, where it turns out that a change that was made may not last.

    Raises:
        StateError: the state cannot be written; what was done already is recovered by the next run.
    """
    changes = [change for change in plan.changes if change.action is not Action.KEEP]
    with OpenTargets(directories) as targets, ThreadPoolExecutor(THREADS) as pool:
        staging = Staging(pool)
        for start in range(0, len(changes), BATCH):
            batch = Batch(changes[start : start + BATCH], targets, state, staging, backups, sync_id, rows)
            yield from batch.run(content)


def _clean(intent: Intent, options: DirectoryOptions) -> str | None:
    """Delete what an intent left staged; the digest of what is at its path."""
    try:
        opened = open_place(intent.change.directory, options, create=False)
    except TargetError as error:
        if error.code is not Code.TARGET_MISSING:
            raise
        return None
    with opened:
        if intent.temp:
            opened.discard(intent.temp)
        actual = opened.observe(intent.change.path).actual.digest
        if actual is None:
            opened.prune(intent.change.path)
        return actual
