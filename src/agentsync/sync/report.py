"""Report of a cycle: one value that the command line shows and the log is written from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from agentsync.config import Target
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode, SourceUnavailableError
from agentsync.dialects import Kind
from agentsync.repository.acceptance import Accepted
from agentsync.state.records import Action, Key, Recorded, Refusal, Suspension
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.contents import ContentStore
from agentsync.sync.reported import identity, is_reported_once
from agentsync.sync.request import Scope
from agentsync.sync.sources import ResolvedSource
from agentsync.targets.batch import Outcome
from agentsync.targets.change import Change, TargetState
from agentsync.targets.plan import Plan


@dataclass(frozen=True, slots=True)
class Refused:
    """Agent that is not written to a target that should have it, since the agent or its output there is refused.

    This is the only definition of what counts as refused. Counted is each agent by its file, so two files of one name
    are two: once in all (`Report.counts`), and once for each of its targets (`TargetCounts.refused`). An agent that is
    excluded, in conflict or held is not refused, nor is a file whose name another file is written under.

    Attributes:
        agent: its name, as far as it is known; else empty.
        targets: the names of the targets that do not get it; none where there is no target.
        kept: those of them where a version that was written earlier stays.
        since: when the first of them began to refuse it, in seconds since the epoch; None where no run recorded it yet.
    """

    source: str
    path: str
    agent: str
    targets: tuple[str, ...]
    kept: tuple[str, ...] = ()
    since: float | None = None


@dataclass(frozen=True, slots=True)
class TargetCounts:
    """Counts of a target's files: all, drifted, in conflict, and to be changed by the next pull.

    Attributes:
        drifted: includes the conflicts.
        held: changes that wait for the user's confirmation.
        refused: agents that the target should have and does not get; see `Refused`.
        refused_since: when the first of these was refused, in seconds since the epoch; None where there is none.
    """

    files: int
    drifted: int
    conflicts: int
    pending: int
    held: int
    refused: int = 0
    refused_since: float | None = None


@dataclass(frozen=True)  # without slots, for the properties that are computed once
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
        missing: targets whose tool is not on this machine, so that they get nothing; also those where that is accepted.
        recovered: whether the state was damaged and created again.
        suspension: since when and why nothing is applied.
        reported: the identities of the diagnostics that were reported before; None where that is not recorded, as for
            sources and targets that are given for one run.
        refused_since: since when each agent is refused that was in the last run that applied changes, or is in this.
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
    missing: tuple[Target, ...] = ()
    recovered: bool = False
    suspension: Suspension | None = None
    reported: frozenset[int] | None = None
    refused_since: Mapping[Refusal, float] = field(default_factory=dict)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Changes that were made, or that would be."""
        if self.scope is Scope.APPLY:
            return tuple(outcome.change for outcome in self.outcomes if outcome.ok)
        return tuple(change for change in self.plan.changes if is_change(change))

    @cached_property
    def differing(self) -> tuple[Change, ...]:
        """Changes for the paths that are not as they should be; without conflicts that are accepted."""
        accepted = self.accepted_conflicts
        return tuple(
            change for change in self.plan.changes if change.action is not Action.KEEP and change.key not in accepted
        )

    @cached_property
    def accepted_conflicts(self) -> frozenset[Key]:
        """The files in conflict where that is accepted."""
        accepted = {one.diagnostic for one in self.accepted}
        conflicts = (change for change in self.plan.changes if change.action is Action.CONFLICT)
        return frozenset(change.key for change in conflicts if change.diagnostic in accepted)

    @property
    def in_sync(self) -> bool:
        """Whether every target is here and matches its sources as far as the scope goes, and nothing is in trouble."""
        has_failed_source = any(source.last_error or not (source.commit or source.rollout) for source in self.sources)
        is_blocked = self.suspension is not None or bool(self.plan.held or self.lacking)
        return not (self.differing or has_failed_source or is_blocked) and self.exit_code is ExitCode.OK

    @property
    def lacking(self) -> tuple[Target, ...]:
        """Missing targets, without those where that is accepted."""
        lacking = {one.target for one in self.diagnostics if one.code is Code.TARGET_MISSING}
        return tuple(target for target in self.missing if target.name in lacking)

    @property
    def unmoved(self) -> bool:
        """Whether every source is at the same commit as before and nothing changes."""
        moved = any(source.error or source.commit != source.previous for source in self.sources)
        return not moved and not self.changes

    @cached_property
    def counts(self) -> dict[str, int]:
        """Number of changes by action, of paths that stay or are blocked, of refused agents, and of accepted things."""
        counts = Counter(change.action.value for change in self.changes)
        counts["keep"] = sum(change.action is Action.KEEP for change in self.plan.changes)
        counts["conflict"] = sum(change.action is Action.CONFLICT for change in self.differing)
        counts["held"] = len(self.plan.held)
        counts["failed"] = sum(
            not outcome.ok and outcome.change.action is not Action.CONFLICT for outcome in self.outcomes
        )
        counts["refused"] = len(self.refused)
        counts["accepted"] = len(self.accepted)
        return dict(counts)

    def counts_of(self, target: str) -> TargetCounts:
        """Count the files of one target, as they are after this run."""
        done = {outcome.change.key for outcome in self.outcomes if outcome.ok}
        changes = [change for change in self.plan.changes if change.target == target]
        apart = done | self.accepted_conflicts
        remaining = [change for change in changes if change.key not in apart]
        drifted = [change for change in remaining if is_drifted(change)]
        held = [change for change in self.plan.held if change.target == target]
        refused = [one for one in self.refused if target in one.targets]
        known = [change.wanted if change.key in done else change.base for change in (*changes, *held)]
        return TargetCounts(
            files=sum(row is not None for row in known),
            drifted=len(drifted),
            conflicts=sum(change.action is Action.CONFLICT for change in remaining),
            pending=sum(is_change(change) and not is_drifted(change) for change in remaining),
            held=len(held),
            refused=len(refused),
            refused_since=self._since((one.source, one.path, target) for one in refused),
        )

    @cached_property
    def refused(self) -> tuple[Refused, ...]:
        """Refused agents, each once, in the order of the sources; without refusals that are accepted."""
        is_accepted = self._accepted_refusals()
        named = {
            (target, name)
            for one in self.compiled
            for target, output in one.outputs.items()
            if output.digest
            for name in one.slugs
        }
        here = [target.name for target in self.targets]
        staying = {
            (change.target, change.base.source, change.base.source_path)
            for change in self.plan.changes
            if change.action is Action.KEEP and change.base and change.actual.digest
        }
        return tuple(
            Refused(
                one.source,
                one.path,
                one.name or next(filter(None, one.claims), ""),
                targets,
                tuple(target for target in targets if (target, one.source, one.path) in staying),
                self._since((one.source, one.path, target) for target in targets or ("",)),
            )
            for one in self.compiled
            for targets in [
                tuple(
                    target for target in here if _is_refused(one, target, named) and not is_accepted(one.path, target)
                )
            ]
            if targets or (one.refused and not is_accepted(one.path, ""))
        )

    def _since(self, refusals: Iterable[Refusal]) -> float | None:
        return min((self.refused_since[key] for key in refusals if key in self.refused_since), default=None)

    @property
    def installed_though_refused(self) -> int:
        """Number of refused agents of which a target still has an earlier version."""
        return sum(bool(one.kept) for one in self.refused)

    def _accepted_refusals(self) -> Callable[[str, str], bool]:
        """Return whether each error that keeps a file from a target is accepted, given both; or from all of them."""
        left = {(one.path, one.target) for one in self.diagnostics if one.severity is Severity.ERROR}
        accepted = {
            (one.diagnostic.path, one.diagnostic.target)
            for one in self.accepted
            if one.diagnostic.severity is Severity.ERROR
        }

        def is_accepted(path: str, target: str) -> bool:
            reasons = {(path, target), (path, "")}
            return not reasons.isdisjoint(accepted) and reasons.isdisjoint(left)

        return is_accepted

    @property
    def written(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """By source and path of an agent's file, the targets that have what was written from it, in their order."""
        done = {outcome.change.key: outcome.change.wanted for outcome in self.outcomes if outcome.ok}
        order = {target.name: index for index, target in enumerate(self.targets)}
        names: dict[tuple[str, str], set[str]] = {}
        for change in (*self.plan.changes, *self.plan.held):
            if row := done.get(change.key, change.base):
                names.setdefault((row.source, row.source_path), set()).add(change.target)
        return {file: tuple(sorted(targets, key=lambda name: order[name])) for file, targets in names.items()}

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
    def fresh(self) -> tuple[Diagnostic, ...]:
        """Diagnostics that people have not seen: those that were not reported before."""
        if self.reported is None:
            return self.news
        return tuple(one for one in self.diagnostics if not is_reported_once(one) or identity(one) not in self.reported)

    @cached_property
    def exit_code(self) -> ExitCode:
        if any(source.error and source.error.exit_code is ExitCode.SHORTAGE for source in self.sources):
            return ExitCode.SHORTAGE
        if any(isinstance(source.error, SourceUnavailableError) for source in self.sources):
            return ExitCode.SOURCE_UNAVAILABLE
        if self.refused or any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics):
            return ExitCode.INCOMPLETE
        return ExitCode.OK


def _is_refused(compiled_agent: CompiledAgent, target: str, named: Collection[tuple[str, str]]) -> bool:
    """Whether a target should have this agent and does not get it; `named` has the names that each target gets."""
    if target in compiled_agent.excluded:
        return False
    if compiled_agent.refused:
        return not any((target, name) in named for name in (*compiled_agent.claims, *compiled_agent.slugs) if name)
    output = compiled_agent.outputs.get(target)
    return output is not None and not output.digest


def is_change(change: Change) -> bool:
    """Whether it does more than leave the path as it is."""
    return change.action not in (Action.KEEP, Action.CONFLICT)


def is_drifted(change: Change) -> bool:
    """Whether the file on disk is no longer what agentsync wrote, or is in the way of what it would write."""
    return change.action is Action.CONFLICT or (change.base is not None and change.actual.digest != change.base.digest)
