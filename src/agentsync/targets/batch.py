"""One batch of changes: intended, staged, published and settled together."""

from __future__ import annotations

import time
from collections import deque
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Concatenate, ParamSpec, Self

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.state.backups import Backups
from agentsync.state.records import Action, FileChange, Intent, Key, Recorded
from agentsync.state.store import State
from agentsync.targets.change import Change, absolute
from agentsync.targets.observe import ChangedError
from agentsync.targets.plan import conflict
from agentsync.targets.target_directory import TargetError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

from agentsync.targets.target_place import DirectoryOptions, Place, open_place

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
OVERWRITING = frozenset({Action.UPDATE, Action.REPLACE, Action.DELETE})

_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one change; where it was not made, or may not last, with the diagnostic of the reason."""

    change: Change
    ok: bool
    diagnostic: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class OpenTargets:
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
            self.opened[directory] = open_place(directory, options, create=options.create)
        return self.opened[directory]


@dataclass(frozen=True, slots=True)
class Staging:
    """Stage the files of a batch: in this thread while the disk is fast, in several while it is slow."""

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
class Batch:
    """Changes that are intended, staged, published and settled together."""

    changes: Sequence[Change]
    targets: OpenTargets
    state: State
    staging: Staging
    backups: Backups
    sync_id: str
    rows: Callable[[Change], Recorded | None]
    failures: dict[Key, Diagnostic] = field(default_factory=dict)
    reported: dict[Key, bool] = field(default_factory=dict)

    def run(self, content: Callable[[Change], bytes]) -> Iterator[Outcome]:
        """Make the changes; yields each outcome once it is known, and another one where a change may not last."""
        for change in self.changes:
            if change.action is Action.CONFLICT:
                self.failures[change.key] = change.diagnostic or conflict(change)
            elif change.action in _TOUCHING:
                self._attempt([change], _nothing)  # opens the target, here and not in several threads at once
        replaced = self._read_replaced()
        yield from self._outcomes(self._failed())
        intents = {change.key: self._intent(change) for change in self._remaining()}
        touching = [change for change in self._remaining() if change.action in _TOUCHING]
        data = {change.key: _content(change, content) for change in touching if change.action in WRITING}
        # What is written is kept too: the next version is compared with it, whatever becomes of the file.
        self.backups.keep([*replaced, *data.values()])
        cleared = (yield from self._touch(touching, intents, data)) if touching else []
        if intents:
            self.state.settle([intents[change.key] for change in self._remaining()], cleared)
        yield from self._outcomes(self.changes)

    def _touch(
        self, changes: Sequence[Change], intents: Mapping[Key, Intent], data: Mapping[Key, bytes]
    ) -> Generator[Outcome, None, list[Intent]]:
        """Write and delete; the intents of which nothing is left behind, whether or not their change was made."""
        writing = [change for change in changes if change.key in data]
        self.state.intend(intents[change.key] for change in changes)

        def stage(change: Change) -> None:
            self._attempt([change], _stage, intents[change.key].temp, data[change.key])

        self.staging.run(stage, writing)
        yield from self._outcomes(self._failed())
        for change in changes:
            if change.key not in self.failures:
                self._attempt([change], _publish, intents[change.key].temp, change)
                if not self.targets.options[change.directory].shared:  # its entries are written together, below
                    yield from self._outcomes([change])
        unsure: set[Key] = set()  # made, but perhaps not for good: the next run looks at what became of them
        for directory in dict.fromkeys(change.directory for change in changes):
            there = [change for change in changes if change.directory == directory]
            if not self._attempt(there, _sync):
                unsure.update(change.key for change in there)
            yield from self._outcomes(there)
        failed = [change for change in changes if change.key in self.failures]
        left = unsure | {c.key for c in failed if not self._attempt([c], _discard, intents[c.key].temp)}
        return [intents[change.key] for change in changes if change.key not in left]

    def _outcomes(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """Yield the outcomes of these changes that were not reported yet."""
        for change in changes:
            ok = change.key not in self.failures
            if self.reported.get(change.key) is not ok:
                self.reported[change.key] = ok
                yield Outcome(change, ok, self.failures.get(change.key))

    def _read_replaced(self) -> list[bytes]:
        """Read what is about to be overwritten or deleted, and what is taken over as it is."""
        contents: list[bytes] = []

        def read(place: Place, change: Change) -> None:
            data = place.read(change.path)
            if digest(data) != change.actual.digest:
                raise ChangedError("the file has changed since it was looked at", place=change.path)
            contents.append(data)

        for change in self._remaining():
            if change.action in OVERWRITING or _is_new_content(change):
                self._attempt([change], read, change)
        return contents

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

    def _failed(self) -> list[Change]:
        return [change for change in self.changes if change.key in self.failures]

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


def _is_new_content(change: Change) -> bool:
    """Whether a file is taken over with content that agentsync did not write there itself."""
    return change.action is Action.TAKE and not (change.base and change.base.digest == change.actual.digest)


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
