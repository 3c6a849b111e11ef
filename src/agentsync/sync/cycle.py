"""One cycle: observe the sources and the targets, plan, and apply.

`pull`, `plan`, `status` and the daemon all run this, so they cannot disagree.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Generator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Final

from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode
from agentsync.core.log import Event, unlogged
from agentsync.dialects import moving_variables
from agentsync.repository.acceptance import expires_at, sort_accepted
from agentsync.state.lock import locked
from agentsync.state.records import Action
from agentsync.state.store import State
from agentsync.sync.acceptance import day_of, declared_in, subjects
from agentsync.sync.apply import Applied, apply, record
from agentsync.sync.build import BuildResult
from agentsync.sync.cycle_diagnostics import suspended
from agentsync.sync.events import RunEvents
from agentsync.sync.fingerprint import AppliedSource, Fingerprint, remember
from agentsync.sync.observe import observe
from agentsync.sync.plan import Planned, plan
from agentsync.sync.refusals import record_refusals
from agentsync.sync.report import Report
from agentsync.sync.reported import set_reported
from agentsync.sync.request import Environment, Scope, SyncRequest, key_fields, paths_of
from agentsync.sync.sources import findings
from agentsync.sync.up_to_date import condition_of, content_of, expansions, key_of


def run(environment: Environment, request: SyncRequest) -> Report:
    """Run one cycle whose events nobody needs. It is otherwise as `cycle`."""
    return unlogged(cycle(environment, request))


def cycle(environment: Environment, request: SyncRequest) -> Generator[Event, None, Report]:
    """Run one cycle over all sources and targets; yields its events as they happen, for the caller to log.

    There are events only where changes are applied, and none of a run that finds pulling suspended.

    Raises:
        ConfigError: the machine's policy cannot be used.
        LockedError: another run is in progress.
        SourceUnavailableError: a mirror cannot be read.
        StateError: the state cannot be used.
    """
    app_paths = paths_of(environment.app_paths, request)
    environment = replace(environment, app_paths=app_paths)
    read = {str(path): content_of(path) for path in environment.inputs}  # before the run reads them
    environment.progress("waiting for another run", 0, 0)
    is_looking = request.scope is Scope.LOOK  # which needs no lock
    lock = nullcontext() if is_looking else locked(app_paths, lock_timeout=request.lock_timeout)
    with lock, State.open(app_paths.database) as state:
        events = RunEvents(secrets.token_hex(6))
        report, built = yield from _steps(environment, request, state, events)
        at_rest = _is_at_rest(report, built, state, request)
        is_noop = at_rest and report.unmoved
        if report.scope is Scope.APPLY and not (request.quiet_noop and is_noop):
            yield from events.of(report.sources).report(report)
        if at_rest and not report.recovered and (key := key_of(key_fields(environment), request)):
            remember(state, app_paths, key, fingerprint_of(environment, report, read))
        return report


def _steps(
    environment: Environment, request: SyncRequest, state: State, events: RunEvents
) -> Generator[Event, None, tuple[Report, BuildResult]]:
    """Observe, plan and apply; the events of looking around are dropped where nothing will be applied."""
    began = time.perf_counter()
    is_applying = request.scope is Scope.APPLY
    is_reported = is_applying and state.suspension is None
    if is_reported and state.recovered:
        yield events.recovered()
    observing = observe(environment, request, state, events)
    observation = (yield from observing) if is_reported else unlogged(observing)
    planned = plan(environment.config, request, observation)
    if is_applying:
        applied = yield from apply(environment, state, observation, planned, events.of(observation.sources))
    else:
        applied = Applied(observation.sources, suspension=state.suspension)
    declared, today = declared_in(environment.config, observation.snapshots), day_of(observation.began_at)
    diagnostics = sort_accepted(
        _diagnostics(planned, applied, observation.began_at),
        declared,
        subject_of=subjects(observation.built.compiled),
        targets={target.name: target.dialect for target in observation.targets},
        today=today,
    )
    report = Report(
        sync_id=events.sync_id,
        scope=Scope.PLAN if is_applying and not applied.is_applied else request.scope,
        seconds=time.perf_counter() - began,
        sources=applied.sources,
        targets=observation.targets,
        missing=observation.missing,
        compiled=observation.built.compiled,
        states=planned.states,
        plan=planned.plan,
        outcomes=applied.outcomes,
        diagnostics=diagnostics.left,
        accepted=diagnostics.accepted,
        accepted_until=expires_at(declared, today),
        inventory=observation.inventory,
        contents=observation.built.contents,
        not_synced={snapshot.name: snapshot.not_synced for snapshot in observation.snapshots},
        recovered=state.recovered,
        suspension=applied.suspension,
        reported=None if request.ad_hoc else state.reported(),
        refused_since=state.refused_since(),
    )
    if is_applying:
        unread = {source.name for source in report.sources} - {snapshot.name for snapshot in observation.snapshots}
        report = record_refusals(state, report, observation.began_at, unread=unread)
        record(environment, state, applied, report)
        if not request.ad_hoc:
            set_reported(state, report.diagnostics, is_complete=not unread)
    return report, observation.built


def _diagnostics(planned: Planned, applied: Applied, now: float) -> tuple[Diagnostic, ...]:
    """Return the diagnostics of a cycle, each once."""
    diagnostics = (
        *(diagnostic for source in applied.sources for diagnostic in findings(source, now)),
        *suspended(applied.suspension),
        *planned.diagnostics,
        *(outcome.diagnostic for outcome in applied.outcomes if outcome.diagnostic),
    )
    return tuple(dict.fromkeys(diagnostics))


def _is_at_rest(report: Report, built: BuildResult, state: State, request: SyncRequest) -> bool:
    """Whether a run that finds all of this again, as it is now, has nothing to do and nothing new to report.

    What the build reports follows from what is fingerprinted: warnings were reported then, and refused agents are
    counted again. Any other error or warning may be over, so it takes a whole run. A trial reports everything again
    each time, so it rests only where there is nothing to report; what others left elsewhere is not its concern.
    """
    plan = report.plan
    directories = {str(target.directory) for target in report.targets}
    urls = {source.name: source.url for source in report.sources}
    return (
        report.scope is Scope.APPLY
        and report.exit_code in (ExitCode.OK, ExitCode.INCOMPLETE)
        and all(source.commit for source in report.sources)
        and not (plan.held or state.intents())
        and _is_as_wanted(report)
        and _has_only_lasting_news(report, built)
        and not (report.news if request.ad_hoc else state.elsewhere(directories, urls))
    )


def _is_as_wanted(report: Report) -> bool:
    """Whether all that is wanted is there, and nothing else of ours: it was before, or is since this run."""
    done = {outcome.change.key for outcome in report.outcomes if outcome.ok}
    return all(
        change.key in done or (change.action is Action.KEEP and change.wanted and change.base)
        for change in report.plan.changes
    )


_LASTING: Final = (Code.PATTERN_UNUSED, Code.SOURCE_STALE, Code.ROLLOUT_NAME, Code.ROLLOUT_OVERRULED)


def _has_only_lasting_news(report: Report, built: BuildResult) -> bool:
    news = [one for one in report.news if one.severity is not Severity.INFO]
    news += [one.diagnostic for one in report.accepted if report.changes]  # of a change, which is not made again
    return not news or _lasting(report, built).issuperset(news)


def _lasting(report: Report, built: BuildResult) -> frozenset[Diagnostic]:
    """Return the warnings of the build and those on sources that last, and the errors on refused agents."""
    refused = report.refused
    paths, agents = {one.path for one in refused}, {one.agent for one in refused if one.agent}
    lasting = (one for one in report.diagnostics if one.code in _LASTING)
    return frozenset(
        one
        for one in (*built.diagnostics, *lasting)
        if one.severity is not Severity.ERROR or one.path in paths or one.agent in agents
    )


def fingerprint_of(environment: Environment, report: Report, read: Mapping[str, str]) -> Fingerprint:
    """Build the fingerprint of a run that had nothing to do; `read` has the digest of each file that it read."""
    config = environment.config
    resolved = {source.name: source for source in report.sources}
    sources = [
        AppliedSource(name, config.remote_of(name), table.allow_rewrite, resolved[name].commit, resolved[name].tip)
        for name, table in config.sources.items()
    ]
    dues = [source.rollout.due_at for source in report.sources if source.rollout and source.rollout.due_at]
    now = time.time()
    dues += [source.fresh_until for source in report.sources if source.fresh_until and source.fresh_until > now]
    targets = {str(target.directory): target.follow_symlinks for target in report.targets}
    app_paths = environment.app_paths
    return Fingerprint(
        expansions(environment.text, moving_variables()),
        read,
        sources,
        targets,
        accepted=len(report.accepted),
        holds_from=time.time(),
        holds_until=min([*dues, *([report.accepted_until] if report.accepted_until else [])], default=None),
        exit_code=int(report.exit_code),
        refused=len(report.refused),
        kept=report.installed_though_refused,
        rollouts={source.name: source.rollout.facts for source in report.sources if source.rollout},
        keep=sum(change.wanted is not None for change in report.plan.changes),
        managed=condition_of(app_paths.counterpart.database) if app_paths.trials else "",
    )
