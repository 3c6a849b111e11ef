"""Structured log events of a cycle: one for each change, each refusal and the whole. docs/events.md lists them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode
from agentsync.core.log import logger
from agentsync.state.records import Action
from agentsync.state.store import RECOVERED
from agentsync.sync.sources import code_of
from agentsync.targets.change import Change, absolute

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

    from agentsync.sync.report import Report
    from agentsync.sync.up_to_date import UpToDate

_NAMES = {
    Action.CREATE: "agent.created",
    Action.UPDATE: "agent.updated",
    Action.REPLACE: "agent.replaced",
    Action.DELETE: "agent.pruned",
    Action.RESTORE: "agent.restored",
    Action.TAKE: "agent.taken",
    Action.FORGET: "agent.forgotten",
}


def log_sync(report: Report) -> None:
    """Log the report of a cycle."""
    log = logger().bind(sync_id=report.sync_id)
    if report.recovered:
        log.warning("state.recovered", message=RECOVERED)
    _log_sources(log, report)
    _log_outcomes(log, report)
    _log_diagnostics(log, report)
    commits = {source.name: source.commit for source in report.sources}
    _log_end(log, report.seconds, report.exit_code, commits, report.counts)


def log_up_to_date(result: UpToDate) -> None:
    """Log what a full cycle with nothing to do would log."""
    log = logger().bind(sync_id=result.sync_id)
    _log_end(log, result.seconds, ExitCode.OK, result.commits, result.counts)


def log_rollback(sync_id: str, to: str, changes: Iterable[Change], diagnostics: Iterable[Diagnostic]) -> None:
    """Log a rollback."""
    log = logger().bind(sync_id=sync_id)
    for change in changes:
        _log_change(log, change)
    for diagnostic in diagnostics:
        event = "agent.conflict" if diagnostic.severity is Severity.ERROR else "agent.diagnostic"
        log.log(_LEVELS[diagnostic.severity], event, **diagnostic.as_dict())
    log.info("sync.rolled_back", to=to)


def _log_end(
    log: FilteringBoundLogger,
    seconds: float,
    exit_code: ExitCode,
    commits: Mapping[str, str],
    counts: Mapping[str, int],
) -> None:
    log.info("sync.finished", seconds=round(seconds, 3), exit_code=int(exit_code), commits=commits, **counts)


def _log_sources(log: FilteringBoundLogger, report: Report) -> None:
    for source in report.sources:
        if source.error is not None:
            if source.repeated:  # logged by the run that it is from
                continue
            log.error(
                "source.failed",
                source=source.name,
                url=source.url,
                ref=source.ref,
                commit=source.rejected,
                code=code_of(source.error).id,
                error=str(source.error),
                hint=source.error.hint,
            )
        elif source.commit != source.previous:
            log.info("source.moved", source=source.name, url=source.url, commit=source.commit, previous=source.previous)


def _log_outcomes(log: FilteringBoundLogger, report: Report) -> None:
    for outcome in report.outcomes:
        if outcome.ok:
            _log_change(log, outcome.change)
        elif outcome.diagnostic is not None:
            conflict = outcome.change.action is Action.CONFLICT
            event = "agent.conflict" if conflict else "agent.failed"
            place = absolute(outcome.change.directory, outcome.change.path)
            log.warning(event, **{**_facts(outcome.change), **outcome.diagnostic.as_dict(), "path": place})
    for change in report.plan.held:
        why = change.diagnostic.as_dict() if change.diagnostic else {}
        log.warning("agent.held", **{**why, **_facts(change)}, action=change.action.value)


def _log_diagnostics(log: FilteringBoundLogger, report: Report) -> None:
    logged = {outcome.diagnostic for outcome in report.outcomes} | {change.diagnostic for change in report.plan.held}
    origins = _origins(report)
    for diagnostic in report.news:
        if diagnostic not in logged and diagnostic.code not in _OF_SOURCES:
            facts = {**origins.get(diagnostic.path, {}), **diagnostic.as_dict()}
            log.log(_LEVELS[diagnostic.severity], _name(diagnostic), **facts)


def _name(diagnostic: Diagnostic) -> str:
    if diagnostic.code in (Code.HELD_EMPTY, Code.HELD_DELETIONS, Code.HELD_CROWD):
        return "source.held"
    return "agent.refused" if diagnostic.severity is Severity.ERROR else "agent.diagnostic"


def _origins(report: Report) -> dict[str, dict[str, str]]:
    """Map each path to the source and commit of its file; to nothing where several sources have the path."""
    commits = {source.name: source.commit for source in report.sources}
    origins: dict[str, dict[str, str]] = {}
    for compiled_agent in report.compiled:
        origin = {"source": compiled_agent.source, "commit": commits[compiled_agent.source]}
        origins[compiled_agent.path] = {} if compiled_agent.path in origins else origin
    return origins


_OF_SOURCES = (Code.SOURCE_FAILED, Code.SOURCE_REFUSED, Code.SOURCE_UNVERIFIED)
_LEVELS = {Severity.ERROR: logging.WARNING, Severity.WARNING: logging.INFO, Severity.INFO: logging.DEBUG}


def _log_change(log: FilteringBoundLogger, change: Change) -> None:
    log.info(_NAMES[change.action], **_facts(change))


def _facts(change: Change) -> dict[str, str]:
    owner = change.wanted or change.base
    if owner is None:
        return {"target": change.target, "path": absolute(change.directory, change.path)}
    return {
        "source": owner.source,
        "commit": owner.commit,
        "agent": owner.agent,
        "dialect": owner.dialect,
        "target": change.target,
        "path": absolute(change.directory, change.path),
        "digest": owner.digest,
    }
