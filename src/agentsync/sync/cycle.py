"""One cycle: fetch every source, build what the targets should hold, plan, apply, record and report.

`pull`, `plan`, `status` and the daemon all run this, so they cannot disagree.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from agentsync.config import Config, Target, policy_of
from agentsync.convert.policy import Rules
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode
from agentsync.core.naming import slug
from agentsync.core.paths import is_file
from agentsync.dialects import moving_variables
from agentsync.repository.overlays import read_overlays
from agentsync.state.backups import Backups
from agentsync.state.lock import locked
from agentsync.state.records import Action, Key, Recorded
from agentsync.state.render_cache import Cache
from agentsync.state.store import State
from agentsync.sync.build import BuildResult, build
from agentsync.sync.cycle_diagnostics import kept_last_good, left_sources, suspended, without_agents
from agentsync.sync.escalation import hold_escalations
from agentsync.sync.events import log_sync
from agentsync.sync.report import Report, is_change
from agentsync.sync.request import Environment, Scope, SyncRequest
from agentsync.sync.snapshot import Snapshot
from agentsync.sync.source_state import keep_commit, moved_sources, source_state_after
from agentsync.sync.sources import finding, resolve_sources
from agentsync.sync.up_to_date import AppliedSource, Fingerprint, content_of, expansions, remember
from agentsync.targets.apply import apply, observe, recover
from agentsync.targets.batch import WRITING, Outcome
from agentsync.targets.change import Change, TargetState
from agentsync.targets.plan import Plan, make_plan, recorded
from agentsync.targets.relocation import find_relocations, relocated
from agentsync.targets.target_place import DirectoryOptions


def run(environment: Environment, request: SyncRequest) -> Report:
    """Run one cycle over all sources and targets.

    Raises:
        ConfigError: the machine's policy cannot be used.
        LockedError: another run is in progress.
        StateError: the state cannot be used.
    """
    app_paths, text = environment.app_paths, environment.text
    inputs = {str(path): content_of(path) for path in environment.inputs}
    environment.progress("waiting for another run", 0, 0)
    is_looking = request.scope is Scope.LOOK  # which needs no lock
    lock = nullcontext() if is_looking else locked(app_paths, lock_timeout=request.lock_timeout)
    with lock, State.open(app_paths.database) as state:
        cycle = _Cycle(environment, request, state)
        report = cycle.run()
        at_rest = cycle.is_at_rest(report)
        if report.scope is Scope.APPLY and not (request.quiet_noop and at_rest):
            log_sync(report)
        if text and not report.recovered and at_rest:
            remember(state, text, fingerprint_of(environment.config, report, text, inputs))
        return report


class _Cycle:
    def __init__(self, environment: Environment, request: SyncRequest, state: State) -> None:
        self._environment = environment
        self._request = request
        self._state = state
        self._config = environment.config
        self._app_paths = environment.app_paths
        self._consent = request.consent
        self._policy = policy_of(self._config, self._app_paths.policy)
        self._id = secrets.token_hex(6)
        self._targets, self._missing = _reachable(self._config.resolved_targets())
        self._directories = {
            str(target.directory): DirectoryOptions(
                create=True, follow_symlinks=target.follow_symlinks, shared=target.written.shared
            )
            for target in self._targets
        }

    def run(self) -> Report:
        started, began = time.time(), time.perf_counter()
        overlays, overlay_diagnostics = read_overlays(self._config.overlays)
        sources, snapshots = resolve_sources(self._environment, self._request, self._state, overlays)
        self._environment.progress("reading", 0, 0)
        with Cache.open(self._app_paths.outcomes) as cache:
            built = build(snapshots, self._targets, cache, self._policy)
        moved = find_relocations(self._state, self._directories)
        if self._request.scope is Scope.APPLY:
            self._state.relocate(moved)
            recover(self._state, self._directories)
        inventory = relocated(self._state.inventory({*self._directories, *moved}), moved)
        states, former = self._keep_former_urls(built.states, inventory, snapshots)
        plan = self._with_escalations(self._plan(states, inventory, snapshots), built, snapshots)
        applying = self._request.scope is Scope.APPLY and self._begin(plan, snapshots, started)
        suspension = None if applying else self._state.suspension
        outcomes = self._apply(plan, built, snapshots) if applying else ()
        moving = moved_sources(sources, snapshots, plan) if applying else frozenset[str]()
        if applying:
            files = {snapshot.name: snapshot.files for snapshot in snapshots}
            sources = [keep_commit(files[s.name], s) if s.name in moving else s for s in sources]
        diagnostics = [
            *(diagnostic for source in sources if (diagnostic := finding(source))),
            *suspended(suspension),
            *self._missing,
            *overlay_diagnostics,
            *built.diagnostics,
            *kept_last_good(built, inventory),
            *without_agents(snapshots, built),
            *former,
            *self._left_targets(snapshots),
            *left_sources(plan, self._gone(inventory)),
            *plan.diagnostics,
            *(outcome.diagnostic for outcome in outcomes if outcome.diagnostic),
        ]
        report = Report(
            sync_id=self._id,
            scope=Scope.PLAN if self._request.scope is Scope.APPLY and not applying else self._request.scope,
            seconds=time.perf_counter() - began,
            sources=tuple(sources),
            targets=self._targets,
            compiled=built.compiled,
            states=states,
            plan=plan,
            outcomes=outcomes,
            diagnostics=tuple(dict.fromkeys(diagnostics)),
            inventory=inventory,
            contents=built.contents,
            recovered=self._state.recovered,
            suspension=suspension,
        )
        if self._request.scope is Scope.APPLY:
            self._record(report, moving)
        return report

    def is_at_rest(self, report: Report) -> bool:
        """Whether a run that finds all of this again has nothing to do and nothing to report."""
        plan = report.plan
        return (
            report.scope is Scope.APPLY
            and report.exit_code is ExitCode.OK
            and all(diagnostic.severity is Severity.INFO for diagnostic in report.news)
            and not (plan.held or self._state.intents())
            and all(source.commit and source.commit == source.previous for source in report.sources)
            and all(change.action is Action.KEEP and change.wanted and change.base for change in plan.changes)
            and not self._state.elsewhere(self._directories, {source.name: source.url for source in report.sources})
        )

    def _left_targets(self, snapshots: Sequence[Snapshot]) -> list[Diagnostic]:
        """A diagnostic for each directory that was a target of these sources and no longer is."""
        configured = {str(target.directory) for target in self._config.resolved_targets()}
        diagnostics = []
        for directory, paths in sorted(self._state.elsewhere(configured, _urls(snapshots)).items()):
            shared = is_file(Path(directory))
            if there := sum(shared or is_file(Path(directory, path)) for path in paths):
                message = f"no longer a target, and files that agentsync wrote stay: {there}"
                diagnostics.append(Diagnostic(Code.TARGET_LEFT, message, path=directory))
        return diagnostics

    def _gone(self, inventory: Mapping[Key, Recorded]) -> frozenset[str]:
        """The sources that wrote here and are no longer configured; none where that cannot be known."""
        written = frozenset() if self._request.ad_hoc else frozenset(row.source for row in inventory.values())
        return written - self._config.sources.keys()

    def _plan(
        self,
        states: Sequence[TargetState],
        inventory: Mapping[Key, Recorded],
        snapshots: Sequence[Snapshot],
    ) -> Plan:
        wanted = [(state.directory, path) for state in states for path in state.files]
        gone = self._gone(inventory)
        prunable = frozenset(snapshot.name for snapshot in snapshots)
        return make_plan(
            states,
            inventory,
            observe(self._directories, wanted, inventory, self._state),
            prunable=prunable | gone if self._consent.deletions else prunable,
            gone=gone,
            source_urls=_urls(snapshots),
            limits=self._config.deletion_limits(allow_deletions=self._consent.deletions),
            replaces=lambda change: self._consent.replaces(change) or self._restores(change),
        )

    def _with_escalations(self, plan: Plan, built: BuildResult, snapshots: Sequence[Snapshot]) -> Plan:
        """The plan, with escalations reported or held."""
        urls = _urls(snapshots)

        def rules(change: Change) -> Sequence[Rules]:
            return self._policy.of_source(change.source, urls[change.source]).rules(slug(change.agent))

        return hold_escalations(
            plan,
            built.contents,
            self._directories,
            rules=rules,
            is_confirmed=lambda change: self._consent.escalation or self._consent.replaces(change),
        )

    def _restores(self, change: Change) -> bool:
        """Whether a conflict is an edited file of ours in a target that restores such files."""
        return (
            self._request.allow_restore
            and change.base is not None
            and any(target.allow_restore and target.name == change.target for target in self._targets)
        )

    def _keep_former_urls(
        self,
        states: Sequence[TargetState],
        inventory: Mapping[Key, Recorded],
        snapshots: Sequence[Snapshot],
    ) -> tuple[tuple[TargetState, ...], list[Diagnostic]]:
        """Keep what a source of the same name wrote from another URL: nothing of it is deleted without consent."""
        urls = _urls(snapshots)
        former = {
            (row.source, row.source_path)
            for row in inventory.values()
            if row.source in urls and row.source_url != urls[row.source]
        }
        if not former or self._consent.deletions:
            return tuple(states), []
        names = ", ".join(sorted({f"`{source}`" for source, _ in former}))
        message = f"the URL of source {names} changed; what only the former one has is kept"
        kept = tuple(replace(state, kept=state.kept | former) for state in states)
        return kept, [Diagnostic(Code.SOURCE_CHANGED, message)]

    def _begin(self, plan: Plan, snapshots: Sequence[Snapshot], started: float) -> bool:
        """Begin the sync in the history, if anything changes; whether the plan may be applied.

        This is checked only now, so that a suspension takes effect at once, however long the fetches took.
        """
        if not any(is_change(change) for change in plan.changes):
            return self._state.suspension is None
        commits = {snapshot.name: snapshot.commit for snapshot in snapshots}
        return self._state.begin_sync(self._id, started_at=started, commits=commits)

    def _apply(self, plan: Plan, built: BuildResult, snapshots: Sequence[Snapshot]) -> tuple[Outcome, ...]:
        changes = [change for change in plan.changes if change.action is not Action.KEEP]
        if not changes:
            return ()
        built.contents.load(change for change in changes if change.action in WRITING)
        done = 0

        def advance(_change: Change) -> None:
            nonlocal done
            done += 1
            self._environment.progress("writing", done, len(changes))

        urls = _urls(snapshots)
        with Backups.open(self._app_paths.backups) as backups:
            return tuple(
                apply(
                    plan,
                    built.contents,
                    self._state,
                    sync_id=self._id,
                    directories=self._directories,
                    rows=lambda change: recorded(change.wanted, urls[change.wanted.source]) if change.wanted else None,
                    backups=backups,
                    progress=advance,
                )
            )

    def _record(self, report: Report, moving: Collection[str]) -> None:
        """Record the result for each source, with the commit of those that moved, and finish the sync."""
        held = report.plan.held_sources
        now = time.time()
        for source in report.sources:
            hold = "" if source.name not in held else "it would delete too much and is held"
            known = self._state.source(source.name, source.url, source.ref)
            self._state.set_source(source_state_after(source, known, now, hold, moves=source.name in moving))
        if any(is_change(outcome.change) for outcome in report.outcomes):
            result = report.exit_code.name.lower()
            self._state.finish_sync(self._id, finished_at=now, result=result, counts=report.counts)
            if dropped := self._state.trim_history(self._config.limits.history):
                with Backups.open(self._app_paths.backups) as backups:
                    backups.drop(dropped)


def _reachable(targets: Sequence[Target]) -> tuple[tuple[Target, ...], list[Diagnostic]]:
    """The targets whose tool is on this machine, and a diagnostic for each of the others."""
    absences = {target.name: target.absence for target in targets}
    there = tuple(target for target in targets if absences[target.name] is None)
    return there, [absence for absence in absences.values() if absence]


def _urls(snapshots: Sequence[Snapshot]) -> dict[str, str]:
    return {snapshot.name: snapshot.url for snapshot in snapshots}


def fingerprint_of(config: Config, report: Report, text: str, read: Mapping[str, str]) -> Fingerprint:
    """Build the fingerprint of a run that had nothing to do."""
    commits = {source.name: source.commit for source in report.sources}
    sources = [
        AppliedSource(name, config.remote_of(name), table.allow_rewrite, commits[name])
        for name, table in config.sources.items()
    ]
    targets = {str(target.directory): target.follow_symlinks for target in report.targets}
    return Fingerprint(expansions(text, moving_variables()), read, sources, targets)
