"""Report of a cycle: one value that the command line shows and the log is written from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from agentsync.config import Target
from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode, SourceUnavailableError
from agentsync.dialects import Kind
from agentsync.repository.acceptance import Accepted
from agentsync.state.records import Action, Key, Recorded, Suspension
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.contents import ContentStore
from agentsync.sync.request import Scope
from agentsync.sync.sources import ResolvedSource
from agentsync.targets.batch import Outcome
from agentsync.targets.change import Change, TargetState
from agentsync.targets.plan import Plan


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """Counts of a target's files: all, drifted, in conflict, and to be changed by the next pull.

    Attributes:
        drifted: includes the conflicts.
        held: changes that wait for the user's confirmation.
    """

    files: int
    drifted: int
    conflicts: int
    pending: int
    held: int


@dataclass(frozen=True, slots=True)
class Report:
    """Immutable report of a cycle.

    Attributes:
        seconds: how long it took.
        compiled: the result for each file; states: what each target should contain.
        outcomes: of the changes that were tried; empty unless the scope was to apply.
        inventory: what agentsync had written before.
        contents: the bytes of the wanted files, for showing differences.
        not_synced: by source, the number of things of each kind that tools read and that are not synced.
        accepted: diagnostics that the configuration or a manifest accepts; these are in `diagnostics` no more.
        accepted_until: when the first of these no longer is, in seconds since the epoch; None where they always are.
        recovered: whether the state was damaged and created again.
        suspension: since when and why nothing is applied.
    """

    sync_id: str
    scope: Scope
    seconds: float
    sources: tuple[ResolvedSource, ...]
    targets: tuple[Target, ...]
    compiled: tuple[CompiledAgent, ...]
    states: tuple[TargetState, ...]
    plan: Plan
    outcomes: tuple[Outcome, ...]
    diagnostics: tuple[Diagnostic, ...]
    inventory: Mapping[Key, Recorded]
    contents: ContentStore
    not_synced: Mapping[str, Mapping[Kind, int]] = field(default_factory=dict)
    accepted: tuple[Accepted, ...] = ()
    accepted_until: float | None = None
    recovered: bool = False
    suspension: Suspension | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        """Changes that were made, or that would be."""
        if self.scope is Scope.APPLY:
            return tuple(outcome.change for outcome in self.outcomes if outcome.ok)
        return tuple(change for change in self.plan.changes if is_change(change))

    @property
    def differing(self) -> tuple[Change, ...]:
        """Changes for the paths that are not as they should be."""
        return tuple(change for change in self.plan.changes if change.action is not Action.KEEP)

    @property
    def in_sync(self) -> bool:
        """Whether every target matches its sources as far as the scope goes, and nothing is refused, held or failed."""
        has_failed_source = any(source.last_error or not (source.commit or source.rollout) for source in self.sources)
        is_blocked = self.suspension is not None or bool(self.plan.held)
        return not (self.differing or has_failed_source or is_blocked) and self.exit_code is ExitCode.OK

    @property
    def unmoved(self) -> bool:
        """Whether every source is at the same commit as before and nothing changes."""
        moved = any(source.error or source.commit != source.previous for source in self.sources)
        return not moved and not self.changes

    @property
    def counts(self) -> dict[str, int]:
        """Number of changes by action, of paths by what keeps them as they are, and of refused and accepted things."""
        counts = Counter(change.action.value for change in self.changes)
        counts["keep"] = sum(change.action is Action.KEEP for change in self.plan.changes)
        counts["conflict"] = sum(change.action is Action.CONFLICT for change in self.plan.changes)
        counts["held"] = len(self.plan.held)
        counts["failed"] = sum(
            not outcome.ok and outcome.change.action is not Action.CONFLICT for outcome in self.outcomes
        )
        counts["refused"] = sum(compiled_agent.refused for compiled_agent in self.compiled)
        counts["accepted"] = len(self.accepted)
        return dict(counts)

    def counts_of(self, target: str) -> TargetCounts:
        """Count the files of one target, as they are after this run."""
        done = {outcome.change.key for outcome in self.outcomes if outcome.ok}
        changes = [change for change in self.plan.changes if change.target == target]
        remaining = [change for change in changes if change.key not in done]
        drifted = [change for change in remaining if is_drifted(change)]
        held = [change for change in self.plan.held if change.target == target]
        known = [change.wanted if change.key in done else change.base for change in (*changes, *held)]
        return TargetCounts(
            files=sum(row is not None for row in known),
            drifted=len(drifted),
            conflicts=sum(change.action is Action.CONFLICT for change in remaining),
            pending=sum(is_change(change) and not is_drifted(change) for change in remaining),
            held=len(held),
        )

    @property
    def news(self) -> tuple[Diagnostic, ...]:
        """Diagnostics worth reporting again: errors, those on no single agent, and losses of changed agents."""
        changed = {change.agent for change in self.changes}
        return tuple(
            diagnostic
            for diagnostic in self.diagnostics
            if diagnostic.severity is Severity.ERROR or not diagnostic.agent or diagnostic.agent in changed
        )

    @property
    def exit_code(self) -> ExitCode:
        if any(source.error and source.error.exit_code is ExitCode.SHORTAGE for source in self.sources):
            return ExitCode.SHORTAGE
        if any(isinstance(source.error, SourceUnavailableError) for source in self.sources):
            return ExitCode.SOURCE_UNAVAILABLE
        if any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics):
            return ExitCode.INCOMPLETE
        return ExitCode.OK


def is_change(change: Change) -> bool:
    """Whether it does more than leave the path as it is."""
    return change.action not in (Action.KEEP, Action.CONFLICT)


def is_drifted(change: Change) -> bool:
    """Whether the file on disk is no longer what agentsync wrote, or is in the way of what it would write."""
    return change.action is Action.CONFLICT or (change.base is not None and change.actual.digest != change.base.digest)
