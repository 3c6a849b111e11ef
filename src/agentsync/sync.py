"""One cycle: fetch every source, gather what the targets should hold, plan, apply, record and report.

`pull`, `plan`, `status` and the daemon all run this, so they cannot disagree.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from agentsync.apply import WRITING, DirectoryOptions, Outcome, apply, observe, recover
from agentsync.cache import Cache
from agentsync.config import Config, Target
from agentsync.diagnostics import Code, Diagnostic, Severity
from agentsync.dialects import dialects
from agentsync.errors import ExitCode, SourceRefusedError
from agentsync.events import tell
from agentsync.fetch import Fetches
from agentsync.folder import is_directory, is_file
from agentsync.gather import Gathered, Snapshot, gather
from agentsync.lock import locked
from agentsync.overlays import read_overlays
from agentsync.paths import Places
from agentsync.plan import Action, Change, Key, Plan, Recorded, TargetState, make_plan, recorded
from agentsync.report import Report, Scope, is_change
from agentsync.snapshot import Progress, SourceReport, finding, take_snapshots
from agentsync.state import SourceState, State, Suspension
from agentsync.unchanged import Followed, Memory, content_of, expansions, remember
from agentsync.vault import Vault


def run(
    config: Config,
    places: Places,
    scope: Scope,
    *,
    allow_deletions: bool = False,
    replaces: Callable[[Change], bool] = lambda _conflict: False,
    progress: Progress = lambda _what, _done, _total: None,
    fetches: Fetches | None = None,
    text: str = "",
    inputs: Sequence[Path] = (),
) -> Report:
    """One cycle over all sources and targets.

    Args:
        config: what to sync.
        places: where state and caches are.
        scope: how far to go; only APPLY changes a target, and while pulling is suspended it only plans.
        replaces: whether the user wants the source's file in the place of what is in conflict with it.
        allow_deletions: deletes also what a source drops all at once, or what its former URL left behind.
        progress: told how far a fetch or an apply is.
        fetches: asks the remotes; those that were made already are not made again.
        text: what the configuration was read from; a run that ends with nothing to do is remembered for it.
        inputs: the other files and directories of this machine that decide what is written.

    Raises:
        LockedError: another run is under way.
        StateError: the state cannot be used.
    """
    read = {str(path): content_of(path) for path in inputs}
    # Looking needs no lock.
    with nullcontext() if scope is Scope.LOOK else locked(places), State.open(places.database) as state:
        if scope is Scope.APPLY and state.suspension:
            scope = Scope.PLAN
        cycle = _Cycle(
            config,
            places,
            scope,
            state,
            progress=progress,
            fetches=fetches or Fetches(),
            allow_deletions=allow_deletions,
            replaces=replaces,
        )
        report = cycle.run()
        if text and not report.recovered and cycle.is_at_rest(report):
            remember(state, text, _memory(config, report, text, read))
        return report


class _Cycle:
    def __init__(
        self,
        config: Config,
        places: Places,
        scope: Scope,
        state: State,
        *,
        progress: Progress,
        fetches: Fetches,
        allow_deletions: bool,
        replaces: Callable[[Change], bool],
    ) -> None:
        self._config = config
        self._places = places
        self._scope = scope
        self._state = state
        self._progress = progress
        self._fetches = fetches
        self._allow_deletions = allow_deletions
        self._replaces = replaces
        self._id = secrets.token_hex(6)
        self._targets, self._missing = _reachable(config.resolved_targets())
        self._directories = {
            str(target.directory): DirectoryOptions(
                create=True, follow_symlinks=target.follow_symlinks, shared=target.written.shared
            )
            for target in self._targets
        }

    def run(self) -> Report:
        started, began = time.time(), time.perf_counter()
        suspension = self._state.suspension
        applying = self._scope is Scope.APPLY
        overlays, overlay_found = read_overlays(self._config.overlays)
        sources, snapshots = take_snapshots(
            self._config,
            self._places,
            self._state,
            fetches=None if self._scope is Scope.LOOK else self._fetches,
            progress=self._progress,
            overlays=overlays,
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
            *_suspended(suspension),
            *self._missing,
            *overlay_found,
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
            suspension=suspension,
        )
        if applying:
            self._record(report, snapshots)
            tell(report)
        return report

    def is_at_rest(self, report: Report) -> bool:
        """Whether a run that finds all of this again has nothing to do and nothing to tell."""
        plan = report.plan
        return (
            self._scope is Scope.APPLY
            and report.exit_code is ExitCode.OK
            and all(found.severity is Severity.INFO for found in report.news)
            and not (plan.held or self._state.intents())
            and all(source.commit and source.commit == source.previous for source in report.sources)
            and all(change.action is Action.KEEP and change.wanted and change.base for change in plan.changes)
            and not self._state.elsewhere(self._directories, {source.name: source.url for source in report.sources})
        )

    def _left_targets(self, snapshots: Sequence[Snapshot]) -> list[Diagnostic]:
        """A finding for each directory that was a target of these sources and is none any more."""
        configured = {str(target.directory) for target in self._config.resolved_targets()}
        found = []
        for directory, paths in sorted(self._state.elsewhere(configured, _urls(snapshots)).items()):
            shared = is_file(Path(directory))
            if there := sum(shared or is_file(Path(directory, path)) for path in paths):
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
            replaces=self._replaces,
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
        gathered.contents.load(change for change in changes if change.action in WRITING)
        done = 0

        def advance(_change: Change) -> None:
            nonlocal done
            done += 1
            self._progress("writing", done, len(changes))

        urls = _urls(snapshots)
        with Vault.open(self._places.vault) as vault:
            return tuple(
                apply(
                    plan,
                    gathered.contents,
                    self._state,
                    sync_id=self._id,
                    directories=self._directories,
                    rows=lambda change: recorded(change.wanted, urls[change.wanted.source]) if change.wanted else None,
                    vault=vault,
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
            hold = "" if source.name not in held else "it would delete too much and is held"
            known = self._state.source(source.name, source.url, source.ref)
            self._state.set_source(_source_state(source, known, now, hold, moves=moves))
        if any(is_change(outcome.change) for outcome in report.outcomes):
            result = report.exit_code.name.lower()
            self._state.finish_sync(self._id, finished_at=now, result=result, counts=report.counts)
            self._state.trim_history(self._config.limits.history)
            with Vault.open(self._places.vault) as vault:
                vault.trim(self._state.replaced_digests())


def _memory(config: Config, report: Report, text: str, read: Mapping[str, str]) -> Memory:
    """What decided a run at rest."""
    commits = {source.name: source.commit for source in report.sources}
    sources = [
        Followed(name, table.remote(), table.allow_rewrite, commits[name]) for name, table in config.sources.items()
    ]
    variables = [dialect.environment for dialect in dialects().values() if dialect.environment]
    targets = {str(target.directory): target.follow_symlinks for target in report.targets}
    return Memory(expansions(text, variables), read, sources, targets)


def _reachable(targets: Sequence[Target]) -> tuple[tuple[Target, ...], list[Diagnostic]]:
    """The targets whose tool is on this machine, and a finding for each of the others.

    A tool's directory of agents may be made where the tool's own directory is there, or where the user says so.
    """
    found = []
    there = []
    for target in targets:
        if target.create or is_directory(target.directory) or is_directory(target.directory.parent):
            there.append(target)
        else:
            message = f"neither this directory nor its parent is there, so {target.written.title} gets nothing"
            found.append(Diagnostic(Code.TARGET_MISSING, message, path=str(target.directory), target=target.name))
    return tuple(there), found


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


def _suspended(suspension: Suspension | None) -> list[Diagnostic]:
    return [Diagnostic(Code.SUSPENDED, f"pulling is suspended: {suspension.reason}")] if suspension else []


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
