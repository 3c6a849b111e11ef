"""One cycle: fetch every source, gather what the targets should hold, plan, apply, record and report.

`pull`, `plan`, `status` and the daemon all run this, so they cannot disagree.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from agentsync.apply import DirectoryOptions, Outcome, apply, observe, recover
from agentsync.cache import Cache
from agentsync.config import Config, Target
from agentsync.diagnostics import Code, Diagnostic
from agentsync.errors import LockedError, SourceRefusedError, StateError
from agentsync.events import tell
from agentsync.gather import Gathered, Snapshot, gather
from agentsync.paths import Places
from agentsync.plan import Action, Change, Key, Plan, Recorded, TargetState, make_plan
from agentsync.report import Report, Scope, is_change
from agentsync.snapshot import Progress, SourceReport, finding, take_snapshots
from agentsync.state import SourceState, State


def run(
    config: Config,
    places: Places,
    scope: Scope,
    *,
    allow_deletions: bool = False,
    progress: Progress = lambda _what, _done, _total: None,
) -> Report:
    """One cycle over all sources and targets.

    Args:
        config: what to sync.
        places: where state and caches are.
        scope: how far to go; only APPLY changes a target.
        allow_deletions: deletes also what a source drops all at once, or what its former URL left behind.
        progress: told how far a fetch or an apply is.

    Raises:
        LockedError: another run is under way.
        StateError: the state cannot be used.
    """
    with _locked(places, scope), State.open(places.database) as state:
        return _Cycle(config, places, scope, state, progress, allow_deletions=allow_deletions).run()


@contextmanager
def _locked(places: Places, scope: Scope) -> Iterator[None]:
    """Holds the lock of this installation; looking needs none."""
    if scope is Scope.LOOK:
        yield
        return
    lock = FileLock(places.lock)
    try:
        places.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(timeout=0)
    except Timeout as error:
        hint = "wait for it to end, then try again"
        raise LockedError("another run is under way", place=str(places.lock), hint=hint) from error
    except OSError as error:
        message = f"the directory of the state cannot be used: {error.strerror}"
        raise StateError(message, place=str(places.state), hint="check its owner, mode and space") from error
    try:
        yield
    finally:
        lock.release()


class _Cycle:
    def __init__(
        self, config: Config, places: Places, scope: Scope, state: State, progress: Progress, *, allow_deletions: bool
    ) -> None:
        self._config = config
        self._places = places
        self._scope = scope
        self._state = state
        self._progress = progress
        self._allow_deletions = allow_deletions
        self._id = uuid.uuid4().hex[:12]
        self._targets, self._missing = _reachable(config.resolved_targets())
        self._directories = {
            str(target.directory): DirectoryOptions(create=True, follow_symlinks=target.follow_symlinks)
            for target in self._targets
        }

    def run(self) -> Report:
        started, began = time.time(), time.perf_counter()
        applying = self._scope is Scope.APPLY
        sources, snapshots = take_snapshots(
            self._config,
            self._places,
            self._state,
            fetching=self._scope is not Scope.LOOK,
            progress=self._progress,
        )
        self._progress("reading", 0, 0)
        with Cache.open(self._places.outcomes) as cache:
            gathered = gather(snapshots, self._targets, cache)
        if applying:
            recover(self._state, self._directories)
        inventory = self._state.inventory(self._directories)
        states, former = self._keep_former_urls(gathered.states, inventory, snapshots)
        plan = self._plan(states, inventory, snapshots)
        outcomes = self._apply(plan, gathered, snapshots, started) if applying else ()
        found = [
            *(diagnostic for source in sources if (diagnostic := finding(source))),
            *self._missing,
            *gathered.diagnostics,
            *_kept_last_good(gathered, inventory),
            *_without_agents(snapshots, gathered),
            *former,
            *self._left_targets(snapshots),
            *plan.diagnostics,
            *(outcome.diagnostic for outcome in outcomes if outcome.diagnostic),
        ]
        report = Report(
            sync_id=self._id,
            scope=self._scope,
            seconds=time.perf_counter() - began,
            sources=tuple(sources),
            targets=self._targets,
            products=gathered.products,
            states=states,
            plan=plan,
            outcomes=outcomes,
            diagnostics=tuple(dict.fromkeys(found)),
            inventory=inventory,
            contents=gathered.contents,
            recovered=self._state.recovered,
        )
        if applying:
            self._record(report, snapshots)
            tell(report)
        return report

    def _left_targets(self, snapshots: Sequence[Snapshot]) -> list[Diagnostic]:
        """A finding for each directory that was a target of these sources and is none any more."""
        configured = {str(target.directory) for target in self._config.resolved_targets()}
        found = []
        for directory, paths in sorted(self._state.elsewhere(configured, _urls(snapshots)).items()):
            if there := sum(Path(directory, path).is_file() for path in paths):
                message = f"no target any more, and files that agentsync wrote stay: {there}"
                found.append(Diagnostic(Code.TARGET_LEFT, message, path=directory))
        return found

    def _plan(
        self,
        states: Sequence[TargetState],
        inventory: Mapping[Key, Recorded],
        snapshots: Sequence[Snapshot],
    ) -> Plan:
        wanted = [(state.directory, path) for state in states for path in state.files]
        return make_plan(
            states,
            inventory,
            observe(self._directories, wanted, inventory, self._state),
            prunable=frozenset(snapshot.name for snapshot in snapshots),
            source_urls=_urls(snapshots),
            limits=self._config.deletion_limits(allow_deletions=self._allow_deletions),
        )

    def _keep_former_urls(
        self,
        states: Sequence[TargetState],
        inventory: Mapping[Key, Recorded],
        snapshots: Sequence[Snapshot],
    ) -> tuple[tuple[TargetState, ...], list[Diagnostic]]:
        """Keeps what a source of the same name wrote from another URL: nothing of it is deleted unasked."""
        urls = _urls(snapshots)
        former = {
            (row.source, row.source_path)
            for row in inventory.values()
            if row.source in urls and row.source_url != urls[row.source]
        }
        if not former or self._allow_deletions:
            return tuple(states), []
        names = ", ".join(sorted({f"`{source}`" for source, _ in former}))
        message = f"the URL of source {names} changed; what only the former one has is kept"
        kept = tuple(replace(state, kept=state.kept | former) for state in states)
        return kept, [Diagnostic(Code.SOURCE_CHANGED, message)]

    def _apply(
        self, plan: Plan, gathered: Gathered, snapshots: Sequence[Snapshot], started: float
    ) -> tuple[Outcome, ...]:
        changes = [change for change in plan.changes if change.action is not Action.KEEP]
        if not changes:
            return ()
        if any(is_change(change) for change in changes):
            commits = {snapshot.name: snapshot.commit for snapshot in snapshots}
            self._state.begin_sync(self._id, started_at=started, commits=commits)
        gathered.contents.load(change for change in changes if change.action in _WRITING)
        done = 0

        def advance(_change: Change) -> None:
            nonlocal done
            done += 1
            self._progress("writing", done, len(changes))

        return tuple(
            apply(
                plan,
                gathered.contents,
                self._state,
                sync_id=self._id,
                directories=self._directories,
                source_urls=_urls(snapshots),
                progress=advance,
            )
        )

    def _record(self, report: Report, snapshots: Sequence[Snapshot]) -> None:
        """Moves each source's trusted commit on, unless its changes are held, and closes the sync."""
        held = {change.source for change in report.plan.held}
        by_name = {snapshot.name: snapshot for snapshot in snapshots}
        now = time.time()
        for source in report.sources:
            snapshot = by_name.get(source.name)
            moves = snapshot is not None and source.error is None and source.name not in held
            if snapshot and moves and source.commit != source.previous:
                snapshot.mirror.trust(source.name, source.commit)
                snapshot.mirror.maintain()
            hold = "" if source.name not in held else "it would delete too much and is held"
            known = self._state.source(source.name, source.url, source.ref)
            self._state.set_source(_source_state(source, known, now, hold, moves=moves))
        if any(is_change(outcome.change) for outcome in report.outcomes):
            result = report.exit_code.name.lower()
            self._state.finish_sync(self._id, finished_at=now, result=result, counts=report.counts)
            self._state.trim_history(self._config.limits.history)


def _reachable(targets: Sequence[Target]) -> tuple[tuple[Target, ...], list[Diagnostic]]:
    """The targets whose tool is on this machine, and a finding for each of the others.

    A tool's directory of agents may be made where the tool's own directory is there, or where the user says so.
    """
    found = []
    there = []
    for target in targets:
        if target.create or target.directory.is_dir() or target.directory.parent.is_dir():
            there.append(target)
        else:
            message = f"neither this directory nor its parent is there, so {target.written.title} gets nothing"
            found.append(Diagnostic(Code.TARGET_MISSING, message, path=str(target.directory), target=target.name))
    return tuple(there), found


_WRITING = frozenset({Action.CREATE, Action.UPDATE, Action.RESTORE})


def _source_state(
    source: SourceReport, known: SourceState | None, now: float, hold: str, *, moves: bool
) -> SourceState:
    """What is to be known of a source after this run; `known` is what was."""
    refused = isinstance(source.error, SourceRefusedError)
    return SourceState(
        name=source.name,
        url=source.url,
        ref=source.ref,
        commit=source.commit if moves else source.previous,
        fetched_at=source.fetched_at,
        applied_at=now if moves else known.applied_at if known else None,
        rejected_reason=str(source.error) if refused else hold,
        error=str(source.error) if source.error and not refused else "",
    )


def _urls(snapshots: Sequence[Snapshot]) -> dict[str, str]:
    return {snapshot.name: snapshot.url for snapshot in snapshots}


def _without_agents(snapshots: Sequence[Snapshot], gathered: Gathered) -> list[Diagnostic]:
    """A finding for each source in which there is not one agent: most often a folder or a pattern is wrong."""
    with_agents = {product.source for product in gathered.products if product.name or product.refused}
    return [
        Diagnostic(Code.NO_AGENTS, f"source `{snapshot.name}` has no agents at {snapshot.commit[:12]}")
        for snapshot in snapshots
        if snapshot.name not in with_agents
    ]


def _kept_last_good(gathered: Gathered, inventory: Mapping[Key, Recorded]) -> list[Diagnostic]:
    """A finding for each file that cannot be used now and has a version here that stays."""
    kept = {pair for state in gathered.states for pair in state.kept}
    rows = {(row.source, row.source_path): row for row in inventory.values()}
    return [
        Diagnostic(Code.KEPT_LAST_GOOD, "the last good version stays", path=path, agent=rows[source, path].agent)
        for source, path in sorted(kept & rows.keys())
    ]
