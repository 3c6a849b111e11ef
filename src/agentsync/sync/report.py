"""What a cycle found and did, as one value that the command line shows and the log tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from agentsync.config import Target
from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode, SourceUnavailableError
from agentsync.state.records import Action, Key, Recorded
from agentsync.state.store import Suspension
from agentsync.sync.build import ContentStore
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.sources import ResolvedSource
from agentsync.targets.apply import Outcome
from agentsync.targets.change import Change, TargetState
from agentsync.targets.plan import Plan


class Scope(Enum):
    """How far a cycle goes: look at what is known, fetch and plan, or fetch, plan and apply."""

    LOOK = "look"
    PLAN = "plan"
    APPLY = "apply"


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """How many files of a target there are, drifted, in conflict, and to be changed by the next pull.

    Attributes:
        drifted: the conflicts are among them.
        held: how many changes wait for the user's word.
    """

    files: int
    drifted: int
    conflicts: int
    pending: int
    held: int


@dataclass(frozen=True, slots=True)
class Report:
    """What a cycle found and did.

    Attributes:
        seconds: how long it took.
        compiled: what came of each file; states: what each target should hold.
        outcomes: of the changes that were tried; empty unless the scope was to apply.
        inventory: what agentsync had written before.
        contents: the bytes of what is wanted, for showing differences.
        recovered: whether the state was damaged and begun anew.
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
    recovered: bool = False
    suspension: Suspension | None = None

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes that were made, or that would be."""
        if self.scope is Scope.APPLY:
            return tuple(outcome.change for outcome in self.outcomes if outcome.ok)
        return tuple(change for change in self.plan.changes if is_change(change))

    @property
    def differing(self) -> tuple[Change, ...]:
        """The paths that are not as they should be, with what would be done about each."""
        return tuple(change for change in self.plan.changes if change.action is not Action.KEEP)

    @property
    def in_sync(self) -> bool:
        """Whether all is as every source says, as far as was asked, and nothing is refused, held or failed."""
        troubled = any(source.last_error or not source.commit for source in self.sources)
        stopped = self.suspension is not None or bool(self.plan.held)
        return not (self.differing or troubled or stopped) and self.exit_code is ExitCode.OK

    @property
    def unmoved(self) -> bool:
        """Whether every source is where it was and nothing changes."""
        moved = any(source.error or source.commit != source.previous for source in self.sources)
        return not moved and not self.changes

    @property
    def counts(self) -> dict[str, int]:
        """How many changes there are of each action, and how many paths stay as they are or are in conflict."""
        counts = Counter(change.action.value for change in self.changes)
        counts["keep"] = sum(change.action is Action.KEEP for change in self.plan.changes)
        counts["conflict"] = sum(change.action is Action.CONFLICT for change in self.plan.changes)
        counts["held"] = len(self.plan.held)
        counts["failed"] = sum(
            not outcome.ok and outcome.change.action is not Action.CONFLICT for outcome in self.outcomes
        )
        counts["refused"] = sum(compiled_agent.refused for compiled_agent in self.compiled)
        return dict(counts)

    def counts_of(self, target: str) -> TargetCounts:
        """The files of one target, after what this run did."""
        done = {outcome.change.key for outcome in self.outcomes if outcome.ok}
        changes = [change for change in self.plan.changes if change.target == target]
        left = [change for change in changes if change.key not in done]
        drifted = [change for change in left if is_drifted(change)]
        held = [change for change in self.plan.held if change.target == target]
        known = [change.wanted if change.key in done else change.base for change in (*changes, *held)]
        return TargetCounts(
            files=sum(row is not None for row in known),
            drifted=len(drifted),
            conflicts=sum(change.action is Action.CONFLICT for change in left),
            pending=sum(is_change(change) and not is_drifted(change) for change in left),
            held=len(held),
        )

    @property
    def news(self) -> tuple[Diagnostic, ...]:
        """The findings worth telling again: errors, what concerns the whole, and what changed agents lost."""
        changed = {change.agent for change in self.changes}
        return tuple(
            found
            for found in self.diagnostics
            if found.severity is Severity.ERROR or not found.agent or found.agent in changed
        )

    @property
    def exit_code(self) -> ExitCode:
        if any(isinstance(source.error, SourceUnavailableError) for source in self.sources):
            return ExitCode.SOURCE_UNAVAILABLE
        if any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics):
            return ExitCode.INCOMPLETE
        return ExitCode.OK


def is_change(change: Change) -> bool:
    """Whether it is more than leaving things as they are."""
    return change.action not in (Action.KEEP, Action.CONFLICT)


def is_drifted(change: Change) -> bool:
    """Whether what is on disk is no longer what agentsync wrote, or stands in its way."""
    return change.action is Action.CONFLICT or (change.base is not None and change.actual.digest != change.base.digest)
