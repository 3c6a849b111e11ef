"""Makes the disk what a plan says, so that a run may be killed anywhere and the next one converges."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.state.backups import Backups
from agentsync.state.records import Action, Key, Known, Recorded
from agentsync.state.store import FileChange, Intent, State
from agentsync.targets.change import Actual, Change, absolute
from agentsync.targets.directory import TargetDirectory, TargetError
from agentsync.targets.observe import ChangedError
from agentsync.targets.plan import Plan, conflict
from agentsync.targets.shared_file import SharedEntries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from agentsync.dialects import SharedFile

BATCH = 512
"""How many changes share one pair of transactions: bounds memory, and what a crash leaves to be recovered."""

THREADS = 8
"""How many files are staged at once where the disk is what is waited for. 3,000 files took 7.0 s with one thread and
0.9 s with eight where an fsync takes 2 ms, but 0.13 s and 0.35 s where it is nearly free."""

TRIAL = 16
"""How many files are staged one after the other to find out which of the two it is."""

WORTH_THREADS = 0.000_25
"""Seconds for one file from which on several threads are faster than one."""

WRITING = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE, Action.RESTORE})
"""The actions that need a file's bytes."""

_TOUCHING = WRITING | {Action.DELETE}
_OVERWRITING = frozenset({Action.UPDATE, Action.REPLACE, Action.DELETE})

_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """How a target's directory may be opened; `files.Directory.open` explains each.

    Attributes:
        shared: how the file is edited that stands in the directory's place, for a tool that has one for all agents.
    """

    create: bool = False
    follow_symlinks: bool = False
    shared: SharedFile | None = None


Place = TargetDirectory | SharedEntries
"""Where a target's files are, or its entries: both have the same methods."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change; where it was not made, the finding that says why."""

    change: Change
    ok: bool
    diagnostic: Diagnostic | None = None


def observe(
    directories: Mapping[str, DirectoryOptions],
    wanted: Iterable[Key],
    inventory: Mapping[Key, Recorded],
    state: State,
) -> dict[Key, Actual]:
    """What stands at every path of these directories that is wanted or in the inventory.

    A file whose stat is still the cached one is not read again. Nothing stands in a directory that is missing; in
    one that cannot be used, every path is something that is not ours.
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
            opened = _open(directory, directories[directory], create=False)
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
    progress: Callable[[Change], None] | None = None,
) -> list[Outcome]:
    """Make every change of a plan but those that it holds.

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
        progress: called with each change once it is made, or has failed, and its batch is settled.

    Returns:
        One outcome for each change that is more than keep, in the plan's order.

    Raises:
        StateError: the state cannot be written; what was done already is recovered by the next run.
    """
    changes = [change for change in plan.changes if change.action is not Action.KEEP]
    outcomes: list[Outcome] = []
    with _Targets(directories) as targets, ThreadPoolExecutor(THREADS) as pool:
        staging = _Staging(pool)
        for start in range(0, len(changes), BATCH):
            batch = _Batch(changes[start : start + BATCH], targets, state, staging, backups, sync_id, rows)
            outcomes += batch.run(content)
            if progress:
                for change in batch.changes:
                    progress(change)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Targets:
    """The target directories of a run, each opened once."""

    options: Mapping[str, DirectoryOptions]
    opened: dict[str, Place] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for place in self.opened.values():
            place.close()

    def get(self, directory: str) -> Place:
        if directory not in self.opened:
            options = self.options[directory]
            self.opened[directory] = _open(directory, options, create=options.create)
        return self.opened[directory]


@dataclass(frozen=True, slots=True)
class _Staging:
    """Stages the files of a batch: in this thread where the disk is fast just now, in several where it is slow."""

    pool: Executor

    def run(self, stage: Callable[[Change], None], changes: Sequence[Change]) -> None:
        trial, changes = changes[:TRIAL], changes[TRIAL:]
        began = time.perf_counter()
        self._one_by_one(stage, trial)
        if time.perf_counter() - began > len(trial) * WORTH_THREADS:
            shares = [changes[start::THREADS] for start in range(THREADS)]
            # Using up what map gives raises here what was raised there.
            deque(self.pool.map(lambda share: self._one_by_one(stage, share), shares), maxlen=0)
        else:
            self._one_by_one(stage, changes)

    @staticmethod
    def _one_by_one(stage: Callable[[Change], None], changes: Iterable[Change]) -> None:
        for change in changes:
            stage(change)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Changes that are intended, staged, published and settled together."""

    changes: Sequence[Change]
    targets: _Targets
    state: State
    staging: _Staging
    backups: Backups
    sync_id: str
    rows: Callable[[Change], Recorded | None]
    failures: dict[Key, Diagnostic] = field(default_factory=dict)

    def run(self, content: Callable[[Change], bytes]) -> list[Outcome]:
        for change in self.changes:
            if change.action is Action.CONFLICT:
                self.failures[change.key] = change.diagnostic or conflict(change)
            elif change.action in _TOUCHING:
                self._attempt([change], _nothing)  # opens the target, here and not in several threads at once
        self._keep()
        intents = {change.key: self._intent(change) for change in self._remaining()}
        touching = [change for change in self._remaining() if change.action in _TOUCHING]
        data = {change.key: _content(change, content) for change in touching if change.action in WRITING}
        cleared = self._touch(touching, intents, data) if touching else []
        if intents:
            self.state.settle([intents[change.key] for change in self._remaining()], cleared)
        return [
            Outcome(change, ok=change.key not in self.failures, diagnostic=self.failures.get(change.key))
            for change in self.changes
        ]

    def _touch(
        self, changes: Sequence[Change], intents: Mapping[Key, Intent], data: Mapping[Key, bytes]
    ) -> list[Intent]:
        """Write and delete; the intents of which nothing is left behind, whether or not their change was made."""
        writing = [change for change in changes if change.key in data]
        self.state.intend(intents[change.key] for change in changes)

        def stage(change: Change) -> None:
            self._attempt([change], _stage, intents[change.key].temp, data[change.key])

        self.staging.run(stage, writing)
        for change in changes:
            if change.key not in self.failures:
                self._attempt([change], _publish, intents[change.key].temp, change)
        unsure: set[Key] = set()  # made, but perhaps not for good: the next run looks at what became of them
        for directory in dict.fromkeys(change.directory for change in changes):
            there = [change for change in changes if change.directory == directory]
            if not self._attempt(there, _sync):
                unsure.update(change.key for change in there)
        failed = [change for change in changes if change.key in self.failures]
        left = unsure | {c.key for c in failed if not self._attempt([c], _discard, intents[c.key].temp)}
        return [intents[change.key] for change in changes if change.key not in left]

    def _keep(self) -> None:
        """Puts away what is about to be overwritten or deleted."""
        contents: list[bytes] = []

        def read(place: Place, change: Change) -> None:
            data = place.read(change.path)
            if digest(data) != change.actual.digest:
                raise ChangedError("the file has changed since it was looked at", place=change.path)
            contents.append(data)

        for change in self._remaining():
            if change.action in _OVERWRITING:
                self._attempt([change], read, change)
        if contents:
            self.backups.keep(contents)

    def _attempt(
        self,
        changes: Sequence[Change],
        operation: Callable[Concatenate[Place, _P], None],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> bool:
        """Do something to the one directory of these changes; if it fails they fail, each with its first failure."""
        try:
            operation(self.targets.get(changes[0].directory), *args, **kwargs)
        except (AgentsyncError, OSError) as error:
            for change in changes:
                self.failures.setdefault(change.key, _problem(change, error))
            return False
        return True

    def _remaining(self) -> list[Change]:
        return [change for change in self.changes if change.key not in self.failures]

    def _intent(self, change: Change) -> Intent:
        wanted = change.wanted
        done = FileChange(
            sync_id=self.sync_id,
            directory=change.directory,
            path=change.path,
            action=change.action,
            agent=change.agent,
            target=change.target,
            old=change.actual.digest,
            new=wanted.digest if wanted else None,
            base=change.base,
        )
        temp = self.targets.get(change.directory).temporary(change.path) if change.action in _TOUCHING else ""
        return Intent(done, temp, self.rows(change))


def _open(directory: str, options: DirectoryOptions, *, create: bool) -> Place:
    path, follow = Path(directory), options.follow_symlinks
    if options.shared:
        return SharedEntries.open(path, options.shared, create=create, follow_symlinks=follow)
    return TargetDirectory.open(path, create=create, follow_symlinks=follow)


def _clean(intent: Intent, options: DirectoryOptions) -> str | None:
    """Delete what an intent left staged; the digest of what stands at its path."""
    try:
        opened = _open(intent.change.directory, options, create=False)
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


def _nothing(_: Place) -> None:
    pass


def _stage(place: Place, temp: str, data: bytes) -> None:
    place.stage(temp, data)


def _sync(place: Place) -> None:
    place.sync()


def _discard(place: Place, temp: str) -> None:
    place.discard(temp)


def _content(change: Change, content: Callable[[Change], bytes]) -> bytes:
    data = content(change)
    if change.wanted is None or digest(data) != change.wanted.digest:
        raise ValueError(f"the content of {change.path!r} is not what the plan wants")
    return data


def _publish(place: Place, temp: str, change: Change) -> None:
    expected = change.actual.digest or ""
    if change.action is Action.DELETE:
        place.remove(change.path, expected)
    elif change.action in (Action.UPDATE, Action.REPLACE):
        place.publish_over(temp, change.path, expected)
    else:
        place.publish_new(temp, change.path)


def _problem(change: Change, error: AgentsyncError | OSError) -> Diagnostic:
    if isinstance(error, TargetError):
        return Diagnostic(error.code, error.message, path=change.directory, target=change.target)
    if isinstance(error, ChangedError):
        return conflict(change)
    message = error.message if isinstance(error, AgentsyncError) else (error.strerror or str(error))
    return Diagnostic(
        Code.WRITE_FAILED,
        f"it could not be {'deleted' if change.action is Action.DELETE else 'written'}: {message}",
        path=absolute(change.directory, change.path),
        agent=change.agent,
        target=change.target,
    )
