"""Rollback of the targets to an earlier sync, planned and written as in a pull, with content from the backups."""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import dropwhile

from agentsync.config import Config
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ConfigError, ExitCode, LockedError
from agentsync.core.log import Event
from agentsync.core.paths import AppPaths
from agentsync.state.backups import Backups
from agentsync.state.lock import LOCK_TIMEOUT, RETRY_HINT, locked
from agentsync.state.records import ROLLED_BACK, Action, FileChange, Key, Recorded, Suspension, Sync
from agentsync.state.store import State
from agentsync.sync.events import RunEvents
from agentsync.sync.observe import directories_of, reachable
from agentsync.sync.report import is_change
from agentsync.sync.request import Progress, no_progress
from agentsync.targets.apply import apply, observe, recover
from agentsync.targets.batch import WRITING, Outcome
from agentsync.targets.change import Actual, Change, Wanted, absolute
from agentsync.targets.plan import Plan, conflict, decide
from agentsync.targets.target_place import DirectoryOptions


@dataclass(frozen=True, slots=True)
class Rollback:
    """Result of a rollback, or of its dry run.

    Attributes:
        sync_id: of the rollback itself.
        to: the sync whose result is restored; empty for the state before the first one.
        changes: the changes that were made, or would be.
        diagnostics: files that stay as they are, and why.
        is_noop: whether every file was as it should be already: nothing was changed then, and pulling not suspended.
    """

    sync_id: str
    to: str
    changes: tuple[Change, ...]
    diagnostics: tuple[Diagnostic, ...]
    is_noop: bool

    @property
    def exit_code(self) -> ExitCode:
        has_errors = any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)
        return ExitCode.INCOMPLETE if has_errors else ExitCode.OK


def roll_back(
    config: Config,
    app_paths: AppPaths,
    to: str | None,
    *,
    dry_run: bool,
    lock_timeout: float = LOCK_TIMEOUT,
    progress: Progress = no_progress,
) -> Generator[Event, None, Rollback]:
    """Restore what the targets had after a sync, and suspend pulling; yields its events as they happen.

    Pulling is suspended before waiting for another run, which then applies only what it has begun. Files that the user
    edited since are kept and reported, as in a pull. Where nothing has to be restored, nothing is changed, and pulling
    is as it was before.

    Args:
        config: with the targets.
        app_paths: where state and backups are.
        to: the sync, or what was before it with a `~` at its end; without it, the one before the last.
        dry_run: only return what would be done, without an event.
        lock_timeout: how many seconds to wait for another run.
        progress: called with each step.

    Raises:
        ConfigError: there is no such sync, or nothing to go back to.
        LockedError: another run is in progress and did not finish in time.
        StateError: the state cannot be used.
    """
    targets, absences = reachable(config.resolved_targets())
    directories = directories_of(targets)
    with ExitStack() as stack:
        wait = None
        try:
            stack.enter_context(locked(app_paths))
        except LockedError:
            if not dry_run:
                wait = _suspended_at_once(app_paths, to)
            progress("waiting for the run in progress", 0, 0)
            hint = f"pulling is suspended; {RETRY_HINT}" if wait else RETRY_HINT
            stack.enter_context(locked(app_paths, lock_timeout=lock_timeout, hint=hint))
        state = stack.enter_context(State.open(app_paths.database))
        backups = stack.enter_context(Backups.open(app_paths.backups))
        progress("reading", 0, 0)
        recover(state, directories)
        destination = _destination(state, to)
        rollback = _Rollback(state, backups, directories, destination, limit=config.limits.history, progress=progress)
        result = yield from rollback.run(absences, dry_run=dry_run)
        if wait and result.is_noop:
            wait.undo(state)
        return result


@dataclass(frozen=True, slots=True)
class _Wait:
    """Suspension while a rollback waits for another run, and the one that it replaced."""

    suspension: Suspension
    former: Suspension | None

    def undo(self, state: State) -> None:
        """Restore the former suspension, unless somebody changed it meanwhile."""
        if state.suspension == self.suspension:
            state.suspend(self.former) if self.former else state.resume()


def _suspended_at_once(app_paths: AppPaths, to: str | None) -> _Wait:
    with State.open(app_paths.database) as state:
        _destination(state, to)  # raises before anything is suspended
        wait = _Wait(Suspension(time.time(), "a rollback was asked for"), state.suspension)
        state.suspend(wait.suspension)
        return wait


def _destination(state: State, to: str | None) -> str:
    syncs = state.syncs(-1)  # SQLite takes this for no limit
    if not syncs:
        raise ConfigError("nothing was changed here yet, so there is nothing to go back to")
    if to is None:
        return _before_last(state, syncs)
    ids = [sync.id for sync in syncs]
    id_ = to.removesuffix("~")
    if id_ not in ids:
        raise ConfigError(f"there is no sync {id_}", hint="`agentsync history` lists them")
    return id_ if id_ == to else next(iter(ids[ids.index(id_) + 1 :]), "")


def _before_last(state: State, syncs: Iterable[Sync]) -> str:
    """Return the sync before the last one that changed something; an incomplete rollback is repeated, not undone."""
    remaining = dropwhile(lambda sync: sync.is_incomplete_rollback or not state.changes(sync.id), syncs)
    next(remaining, None)
    return next((sync.id for sync in remaining), "")


class _Rollback:
    def __init__(
        self,
        state: State,
        backups: Backups,
        directories: Mapping[str, DirectoryOptions],
        to: str,
        *,
        limit: int,
        progress: Progress,
    ) -> None:
        self._state = state
        self._backups = backups
        self._directories = directories
        self._to = to
        self._limit = limit
        self._progress = progress
        self._events = RunEvents(secrets.token_hex(6))
        # Of several changes of one path the oldest one has what was there before all of them.
        self._before: dict[Key, FileChange] = {change.key: change for change in state.changes_after(to)}

    def run(self, absences: Sequence[Diagnostic], *, dry_run: bool) -> Generator[Event, None, Rollback]:
        changes = [*self._changes()]
        diagnostics = [*absences, *(change.diagnostic for change in changes if change.diagnostic)]
        is_noop = not changes
        if not (dry_run or is_noop):
            blocked = [change for change in changes if change.action is Action.CONFLICT]
            outcomes = yield from self._apply([change for change in changes if change.action is not Action.CONFLICT])
            diagnostics += [outcome.diagnostic for outcome in outcomes if outcome.diagnostic]
            changes = [outcome.change for outcome in outcomes if outcome.ok]
            for change in blocked:
                yield self._events.outcome(Outcome(change, ok=False, diagnostic=change.diagnostic))
            for absence in absences:
                yield self._events.diagnostic(absence, {})
            yield self._events.rolled_back(self._to)
        done = tuple(change for change in changes if is_change(change))
        return Rollback(self._events.sync_id, self._to, done, tuple(diagnostics), is_noop)

    def _changes(self) -> Iterable[Change]:
        inventory = self._state.inventory(self._directories)
        keys = [key for key in self._before if key[0] in self._directories]
        disk = observe(self._directories, keys, inventory, self._state)
        for key in sorted(keys):
            change = self._change(key, inventory.get(key), disk[key])
            if change.action is not Action.KEEP:
                yield change

    def _change(self, key: Key, base: Recorded | None, actual: Actual) -> Change:
        before = self._before[key]
        change = Change(before.target, *key, Action.KEEP, base, actual, _wanted(before))
        action = decide(base.digest if base else None, actual.digest, before.old)
        if actual.digest == before.old:  # only the inventory's row has to be restored
            action = Action.KEEP if base == before.base else Action.TAKE if before.base else Action.FORGET
        change = Change(before.target, *key, action, base, actual, _wanted(before))
        if action in WRITING and self._backups.content(before.old or "") is None:
            message = "the earlier content is no longer backed up, so this file stays as it is"
            diagnostic = Diagnostic(
                Code.NOT_KEPT, message, path=absolute(*key), agent=before.agent, target=before.target
            )
        elif action is Action.CONFLICT:
            diagnostic = conflict(change)
        else:
            return change
        return Change(before.target, *key, Action.CONFLICT, base, actual, _wanted(before), diagnostic)

    def _apply(self, changes: Sequence[Change]) -> Generator[Event, None, Sequence[Outcome]]:
        reason = f"rolled back to {self._to}" if self._to else "rolled back to before the first sync"
        self._state.suspend(Suspension(time.time(), reason))
        if not changes:
            return ()
        sync_id = self._events.sync_id
        self._state.begin_sync(sync_id, started_at=time.time(), commits={}, while_suspended=True)
        self._progress("writing", 0, 0)
        outcomes: dict[Key, Outcome] = {}
        for outcome in apply(
            Plan(tuple(changes), (), ()),
            lambda change: self._backups.content(self._before[change.key].old or "") or b"",
            self._state,
            sync_id=sync_id,
            directories=self._directories,
            rows=lambda change: self._before[change.key].base,
            backups=self._backups,
        ):
            outcomes[outcome.change.key] = outcome
            yield self._events.outcome(outcome)
        counts: dict[str, int] = {}
        for outcome in outcomes.values():
            name = outcome.change.action.value if outcome.ok else "failed"
            counts[name] = counts.get(name, 0) + 1
        complete = all(outcome.ok for outcome in outcomes.values())
        result = ROLLED_BACK if complete else ExitCode.INCOMPLETE.name.lower()
        self._state.finish_sync(sync_id, finished_at=time.time(), result=result, counts=counts)
        self._backups.drop(self._state.trim_history(self._limit))
        return [outcomes[change.key] for change in changes]


def _wanted(before: FileChange) -> Wanted | None:
    """Return the file that was there before a change; its source is empty where the user wrote it."""
    if before.old is None:
        return None
    row = before.base
    if row is None:
        return Wanted(before.old, before.agent, "", "", "", "", "")
    return Wanted(before.old, row.agent, row.dialect, row.source, row.source_path, row.commit, row.blob)
