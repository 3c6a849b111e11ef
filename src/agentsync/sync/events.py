"""Events of a cycle and of a rollback: one for each change, each refusal and the whole. docs/events.md lists them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.log import Event
from agentsync.state.records import Action
from agentsync.state.store import RECOVERED
from agentsync.sync.finished import finished, finished_run
from agentsync.sync.sources import ResolvedSource, code_of
from agentsync.targets.batch import Outcome
from agentsync.targets.change import Change, absolute

if TYPE_CHECKING:
    from agentsync.sync.report import Report
    from agentsync.sync.up_to_date import UpToDate

_NAMES: Final = {
    Action.CREATE: "agent.created",
    Action.UPDATE: "agent.updated",
    Action.REPLACE: "agent.replaced",
    Action.DELETE: "agent.pruned",
    Action.RESTORE: "agent.restored",
    Action.TAKE: "agent.taken",
    Action.FORGET: "agent.forgotten",
}
_OF_SOURCES: Final = (Code.SOURCE_FAILED, Code.SOURCE_REFUSED, Code.SOURCE_UNVERIFIED)
_LEVELS: Final = {Severity.ERROR: logging.WARNING, Severity.WARNING: logging.INFO, Severity.INFO: logging.DEBUG}


@dataclass(frozen=True, slots=True)
class RunEvents:
    """The events of one run, each with the run's id.

    Attributes:
        stages: this machine's stage in the rollout of each source, which the events of its agents name.
    """

    sync_id: str
    stages: Mapping[str, str] = field(default_factory=dict)

    def of(self, sources: Iterable[ResolvedSource]) -> RunEvents:
        """Return the events of the same run, once it is known which commits are used."""
        return replace(self, stages={source.name: source.rollout.stage for source in sources if source.rollout})

    def recovered(self) -> Event:
        """The state was damaged, and was made again."""
        return self._event("state.recovered", logging.WARNING, message=RECOVERED)

    def source(self, source: ResolvedSource) -> Iterator[Event]:
        """A source that failed, unless the run that its error is from reported it; or one that moved."""
        if source.error is not None:
            if not source.repeated:
                yield self._event(
                    "source.failed",
                    logging.ERROR,
                    source=source.name,
                    url=source.url,
                    ref=source.ref,
                    commit=source.rejected,
                    code=code_of(source.error).id,
                    error=str(source.error),
                    hint=source.error.hint,
                    **_stage(source),
                )
        elif source.commit and source.commit != source.previous:
            facts = {"source": source.name, "url": source.url, "commit": source.commit, "previous": source.previous}
            yield self._event("source.moved", logging.INFO, **facts, **_stage(source))

    def outcome(self, outcome: Outcome) -> Event:
        """A change that was made, or was not."""
        change, diagnostic = outcome.change, outcome.diagnostic
        if diagnostic is None:
            return self._event(_NAMES[change.action], logging.INFO, **_facts(change))
        name = "agent.conflict" if change.action is Action.CONFLICT else "agent.failed"
        facts = {**_facts(change), **diagnostic.as_dict(), "path": absolute(change.directory, change.path)}
        return self._event(name, logging.WARNING, **facts)

    def report(self, report: Report) -> Iterator[Event]:
        """What a cycle reports at its end: what is held, diagnostics beside those of changes, and the whole."""
        held = report.plan.held
        for change in held:
            why = change.diagnostic.as_dict() if change.diagnostic else {}
            facts = {**why, **_facts(change), "action": change.action.value}
            yield self._event("agent.held", logging.WARNING, **facts)
        reported = {outcome.diagnostic for outcome in report.outcomes} | {change.diagnostic for change in held}
        origins = _origins(report)
        news = report.news
        if any(source.error for source in report.sources):  # each cycle of an outage is a whole one
            fresh = frozenset(report.fresh)
            news = tuple(one for one in news if one in fresh)
        for diagnostic in news:
            if diagnostic not in reported and diagnostic.code not in _OF_SOURCES:
                yield self.diagnostic(diagnostic, origins.get(diagnostic.path, {}))
        commits = {source.name: source.commit for source in report.sources}
        rollouts = {
            source.name: f"{source.rollout.stage}: {source.rollout.reason}"
            for source in report.sources
            if source.rollout
        }
        event = finished_run(self.sync_id, report.seconds, report.exit_code, commits, report.counts)
        yield replace(event, facts={**event.facts, "rollouts": rollouts}) if rollouts else event

    def up_to_date(self, result: UpToDate) -> Event:
        """What a whole cycle with nothing to do reports at its end."""
        return finished(result)

    def diagnostic(self, diagnostic: Diagnostic, origin: Mapping[str, str]) -> Event:
        """A diagnostic, with the source and the commit that its file is from where these are known."""
        # They are no failure of the run, but what whoever watches the log must find.
        must_be_found = diagnostic.code in (Code.TARGET_MISSING, Code.SOURCE_STALE)
        level = logging.WARNING if must_be_found else _LEVELS[diagnostic.severity]
        return self._event(_name(diagnostic), level, **origin, **diagnostic.as_dict())

    def rolled_back(self, to: str) -> Event:
        """A rollback is done."""
        return self._event("sync.rolled_back", logging.INFO, to=to)

    def _event(self, name: str, level: int, /, **facts: Any) -> Event:
        stage = self.stages.get(facts.get("source", ""))
        return Event(name, level, {"sync_id": self.sync_id, **({"stage": stage} if stage else {}), **facts})


def _stage(source: ResolvedSource) -> dict[str, str]:
    return {"stage": source.rollout.stage} if source.rollout and source.rollout.stage else {}


def _name(diagnostic: Diagnostic) -> str:
    if diagnostic.code in (Code.HELD_EMPTY, Code.HELD_DELETIONS, Code.HELD_CROWD):
        return "source.held"
    if diagnostic.code is Code.SOURCE_STALE:
        return "source.stale"
    return "agent.refused" if diagnostic.severity is Severity.ERROR else "agent.diagnostic"


def _origins(report: Report) -> dict[str, dict[str, str]]:
    """Map each path to the source and commit of its file; to nothing where several sources have the path."""
    commits = {source.name: source.commit for source in report.sources}
    origins: dict[str, dict[str, str]] = {}
    for compiled_agent in report.compiled:
        origin = {"source": compiled_agent.source, "commit": commits[compiled_agent.source]}
        origins[compiled_agent.path] = {} if compiled_agent.path in origins else origin
    return origins


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
