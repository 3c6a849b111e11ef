"""Third step of a cycle: make the planned changes, and record what became of them."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass

from agentsync.core.log import Event
from agentsync.state.backups import Backups
from agentsync.state.records import Action, Key, Suspension
from agentsync.state.store import State
from agentsync.sync.events import RunEvents
from agentsync.sync.observe import Observation
from agentsync.sync.plan import Planned
from agentsync.sync.report import Report, is_change
from agentsync.sync.request import Environment
from agentsync.sync.source_state import keep_commit, moved_sources, source_state_after
from agentsync.sync.sources import ResolvedSource
from agentsync.targets.apply import apply as apply_changes
from agentsync.targets.batch import WRITING, Outcome
from agentsync.targets.plan import recorded


@dataclass(frozen=True, slots=True)
class Applied:
    """What was done of a plan.

    Attributes:
        sources: as they are now; one whose commit cannot be kept has failed.
        outcomes: of each change that was tried, in the plan's order.
        moving: the sources whose commit is applied.
        suspension: since when and why nothing is applied.
        is_applied: whether the plan was applied, if only to find that there was nothing to change.
    """

    sources: tuple[ResolvedSource, ...]
    outcomes: tuple[Outcome, ...] = ()
    moving: frozenset[str] = frozenset()
    suspension: Suspension | None = None
    is_applied: bool = False


def apply(
    environment: Environment, state: State, observation: Observation, planned: Planned, events: RunEvents
) -> Generator[Event, None, Applied]:
    """Make the changes of a plan, unless pulling is suspended; yields an event for each change as soon as it is made.

    Raises:
        SourceUnavailableError: a mirror cannot be read.
        StateError: the state cannot be written.
    """
    if not _begin(state, observation, planned, events.sync_id):
        return Applied(observation.sources, suspension=state.suspension)
    outcomes = yield from _make_changes(environment, state, observation, planned, events)
    moving = moved_sources(observation.sources, observation.snapshots, planned.plan)
    files = {snapshot.name: snapshot.files for snapshot in observation.snapshots}
    sources = []
    for source in observation.sources:
        kept = keep_commit(files[source.name], source) if source.name in moving else source
        if kept is not source:
            yield from events.source(kept)
        sources.append(kept)
    return Applied(tuple(sources), outcomes, moving, is_applied=True)


def record(environment: Environment, state: State, applied: Applied, report: Report) -> None:
    """Record the result for each source, with the commit of those that moved, and finish the sync in the history.

    Raises:
        StateError: the state cannot be written.
    """
    held = report.plan.held_sources
    now = time.time()
    for source in report.sources:
        hold = held.get(source.name, "")
        known = state.source(source.name, source.url, source.ref)
        state.set_source(source_state_after(source, known, now, hold, moves=source.name in applied.moving))
        if source.fetched_at and source.fetched_at != (known.fetched_at if known else None):
            if source.tip:
                state.record_tip(source.name, source.url, source.ref, source.tip, source.fetched_at)
            else:  # the branch has no rollout any more, or this machine does not follow it
                state.forget_tips(source.name, source.url, source.ref)
    if any(is_change(outcome.change) for outcome in report.outcomes):
        result = report.exit_code.name.lower()
        state.finish_sync(report.sync_id, finished_at=now, result=result, counts=report.counts)
        if dropped := state.trim_history(environment.config.limits.history):
            with Backups.open(environment.app_paths.backups) as backups:
                backups.drop(dropped)


def _begin(state: State, observation: Observation, planned: Planned, sync_id: str) -> bool:
    """Begin the sync in the history, if anything changes; whether the plan may be applied.

    This is checked only now, so that a suspension takes effect at once, however long the fetches took.
    """
    if not any(is_change(change) for change in planned.plan.changes):
        return state.suspension is None
    commits = {snapshot.name: snapshot.commit for snapshot in observation.snapshots}
    return state.begin_sync(sync_id, started_at=observation.began_at, commits=commits)


def _make_changes(
    environment: Environment, state: State, observation: Observation, planned: Planned, events: RunEvents
) -> Generator[Event, None, tuple[Outcome, ...]]:
    changes = [change for change in planned.plan.changes if change.action is not Action.KEEP]
    if not changes:
        return ()
    contents, urls = observation.built.contents, observation.urls
    contents.load(change.wanted for change in changes if change.action in WRITING and change.wanted)
    outcomes: dict[Key, Outcome] = {}
    with Backups.open(environment.app_paths.backups) as backups:
        for outcome in apply_changes(
            planned.plan,
            contents,
            state,
            sync_id=events.sync_id,
            directories=observation.directories,
            rows=lambda change: recorded(change.wanted, urls[change.wanted.source]) if change.wanted else None,
            backups=backups,
        ):
            outcomes[outcome.change.key] = outcome
            yield events.outcome(outcome)
            environment.progress("writing", len(outcomes), len(changes))
    return tuple(outcomes[change.key] for change in changes)
