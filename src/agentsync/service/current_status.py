"""The service's status after a cycle, from the cycle's result and from the state, and in one line."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from agentsync.core.errors import AgentsyncError, ExitCode
from agentsync.core.paths import AppPaths
from agentsync.core.urls import redact
from agentsync.report.service_status import CycleResult, ServiceStatus, SourceStatus, TargetStatus, Trigger
from agentsync.rollout.choose import Choice
from agentsync.service.polling import Polling
from agentsync.service.settings import SourceSettings
from agentsync.state.records import SourceState
from agentsync.state.store import State
from agentsync.sync.fetch import mirror_of
from agentsync.sync.up_to_date import UpToDate

if TYPE_CHECKING:  # a report comes only where a sync was run, and that imports it
    from agentsync.sync.report import Report

Result: TypeAlias = "Report | UpToDate | AgentsyncError"
"""The result of a cycle."""


def status_after(result: Result, before: ServiceStatus, trigger: Trigger, seconds: float = 0) -> ServiceStatus:
    """Return the status after a cycle that took so many seconds."""
    return replace(
        before,
        last=outcome(result, trigger, seconds, before=before.last),
        cycles=before.cycles + 1,
        targets=targets_after(result, before.targets),
        rollouts=rollouts_after(result, before.rollouts),
    )


def outcome(result: Result, trigger: Trigger, seconds: float, *, before: CycleResult | None) -> CycleResult:
    """Summarize the result of a cycle; one that found everything up to date repeats the diagnostics before it."""
    codes = before.codes if before else {}
    sync_id, exit_code, counts, error = "", ExitCode.OK, dict[str, int](), ""
    match result:
        case UpToDate():
            sync_id, exit_code, counts = result.sync_id, result.exit_code, result.counts
        case AgentsyncError():
            exit_code, error = result.exit_code, str(result)
        case _:
            sync_id, exit_code, counts = result.sync_id, result.exit_code, result.counts
            codes = Counter(diagnostic.code.id for diagnostic in result.diagnostics)
    return CycleResult(sync_id, trigger, time.time(), seconds, exit_code, counts, codes, error)


def targets_after(result: Result, before: Sequence[TargetStatus]) -> tuple[TargetStatus, ...]:
    """The status of each target; as before where the cycle could not be run."""
    match result:
        case UpToDate():
            return tuple(replace(target, drifted=0, conflicts=0) for target in before)
        case AgentsyncError():
            return tuple(before)
        case _:
            return tuple(
                TargetStatus(
                    target.name,
                    target.dialect,
                    str(target.directory),
                    counts.files,
                    counts.drifted,
                    counts.conflicts,
                    counts.refused,
                )
                for target in result.targets
                for counts in [result.counts_of(target.name)]
            )


def rollouts_after(result: Result, before: Mapping[str, Choice]) -> Mapping[str, Choice]:
    """What the rollout of each source chose, by the source's name; as before where no source was read."""
    if isinstance(result, (UpToDate, AgentsyncError)):
        return before
    return {source.name: source.rollout for source in result.sources if source.rollout}


def service_status_of(
    service_status: ServiceStatus, settings: Sequence[SourceSettings], app_paths: AppPaths, polling: Polling
) -> ServiceStatus:
    """Update a status with what the state records about the sources.

    Raises:
        StateError: the state cannot be used.
    """
    with State.open(app_paths.database) as state:
        known = known_sources(settings, state)
        suspension = state.suspension
    sources = tuple(_source(source, app_paths, known.get(source.name), polling) for source in settings)
    waiting = service_status.rollouts  # a new machine of a late stage has nothing yet, as it should
    fetched = [
        source.fetched_at
        for source in sources
        if source.fetched_at and (source.applied or source.name in waiting) and not source.error
    ]
    return replace(
        service_status,
        sources=sources,
        suspended=suspension.reason if suspension else "",
        succeeded_at=min(fetched) if fetched and len(fetched) == len(sources) else service_status.succeeded_at,
    )


def known_sources(settings: Iterable[SourceSettings], state: State) -> dict[str, SourceState]:
    """The recorded state of each source that was ever fetched."""
    recorded = {source.name: state.source(source.name, redact(source.url), source.ref) for source in settings}
    return {name: source for name, source in recorded.items() if source}


def in_words(service_status: ServiceStatus) -> str:
    """The status in one line."""
    if service_status.config_error:
        return f"degraded: {service_status.config_error}"
    if service_status.suspended:
        return f"suspended: {service_status.suspended}"
    if service_status.last is None:
        return "starting"
    errors = [
        service_status.last.error,
        *(f"{source.name}: {source.error}" for source in service_status.sources if source.error),
    ]
    if any(errors):
        return "failing: " + "; ".join(filter(None, errors))
    files = sum(target.files for target in service_status.targets)
    commits = ", ".join(f"{source.name} at {source.applied[:12]}" for source in service_status.sources)
    drifted = sum(target.drifted for target in service_status.targets)
    counts = {"drifted": drifted, **service_status.last.counts}
    problems = [f"{counts[key]} {key}" for key in ("drifted", "held", "failed", "refused") if counts.get(key)]
    return "; ".join([commits, f"{files} files", *problems])


def _source(settings: SourceSettings, app_paths: AppPaths, known: SourceState | None, polling: Polling) -> SourceStatus:
    wait = polling.wait(mirror_of(app_paths, settings.name, settings.url))
    return SourceStatus(
        name=settings.name,
        url=redact(settings.url),
        ref=settings.ref,
        applied=known.commit if known else "",
        desired=(known.rejected_commit or known.commit) if known else "",
        fetched_at=known.fetched_at if known else None,
        error=(known.error or known.rejected_reason) if known else "it was never fetched",
        retry_at=None if wait is None else time.time() + wait,
        committed_at=known.committed_at if known else None,
    )
