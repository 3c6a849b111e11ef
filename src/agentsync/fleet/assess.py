"""Which machines are where they should be: one pure function of what they report, the branch if known, and the time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from agentsync.core.durations import span
from agentsync.fleet.model import UNKNOWN_STAGE, FleetMachine, FleetView, Followed, Unreadable
from agentsync.fleet.placement import (
    Branch,
    Placement,
    State,
    Version,
    by_branch,
    by_themselves,
    error_of,
    goals,
    silent,
)

# How far a machine may be ahead, in seconds.
_CLOCKS_DIFFER = 300.0


@dataclass(frozen=True, slots=True)
class StageView:
    """The machines of one stage of a source; the stage is empty for those that follow no rollout.

    Those that fail and report no stage, although the source has some, are of an unknown one.
    """

    source: str
    stage: str
    placements: tuple[Placement, ...]

    def count(self, state: State) -> int:
        return sum(one.state is state for one in self.placements)

    @property
    def reporting(self) -> tuple[Placement, ...]:
        """The machines that are not silent."""
        return tuple(one for one in self.placements if one.state is not State.SILENT)

    @property
    def refused(self) -> int:
        return sum(bool(one.refused) for one in self.placements)

    @property
    def failing(self) -> int:
        return sum(bool(one.error) for one in self.placements)

    @property
    def expected(self) -> Version:
        """The newest commit that a machine of the stage should have; unknown where all are silent."""
        versions = [one.expected for one in self.reporting if one.expected.is_known]
        return max(versions, key=lambda one: (one.committed_at or 0, one.commit), default=Version())

    @property
    def versions(self) -> list[tuple[Version, int]]:
        """The commits that machines of the stage have, each with their number, the most frequent first."""
        return Counter(one.version for one in self.reporting if one.version.is_known).most_common()


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source over all machines.

    Attributes:
        name: the source's, as the machines call it.
        goal: the commit that all machines are to have in the end.
        subject: the first line of that commit's message, where a clone has it.
        is_held: whether the repository names that commit, and not the newest.
        halted: why the rollout is halted; empty where it is not.
        stages: from the first one on.
        mistake: why the clone's manifest cannot be used; empty where it can, or without a clone.
    """

    name: str
    goal: Version
    subject: str
    is_held: bool
    halted: str
    stages: tuple[StageView, ...]
    mistake: str = ""

    @property
    def placements(self) -> list[Placement]:
        return [one for stage in self.stages for one in stage.placements]


@dataclass(frozen=True, slots=True)
class Assessment:
    """All sources of a fleet.

    Attributes:
        at: when, in seconds since the epoch.
        machines: how many there are.
        reporting: how many of them are not silent.
        mistake: why the clone's manifest cannot be used; empty where it can, or without a clone.
    """

    at: float
    machines: int
    reporting: int
    sources: tuple[SourceView, ...]
    unreadable: tuple[Unreadable, ...] = ()
    mistake: str = ""


@dataclass(frozen=True, slots=True)
class Criteria:
    """What machines are compared with.

    Attributes:
        now: in seconds since the epoch.
        silent_after: the age of a machine's last cycle, in seconds, from which nothing is known of it.
        branches: by source, what a clone knows.
    """

    now: float
    silent_after: float
    branches: Mapping[str, Branch] = field(default_factory=dict)

    def is_silent(self, machine: FleetMachine) -> bool:
        return machine.seen_at is not None and self.now - machine.seen_at > self.silent_after

    def checked(self, machine: FleetMachine) -> FleetMachine:
        """Return a machine with an error where it runs, names none, and has had no good sync for long all the same."""
        if machine.seen_at is None or machine.error or any(followed.error for followed in machine.sources):
            return machine
        if machine.succeeded_at is None:
            return replace(machine, error="it has never had a good sync")
        if self.now - machine.succeeded_at > self.silent_after:
            return replace(machine, error=f"it has had no good sync for over {span(self.silent_after)}")
        return machine


def assess(view: FleetView, criteria: Criteria) -> Assessment:
    """Compare every machine with what it should have.

    Without a clone, the newest commit is the one that the machine that reported last knows as such, or else the one
    with the latest date that any machine has; and a machine that reports that it waits for its rollout is where it
    should be. A machine whose clock is ahead does not count for that: it would be the one that reported last for as
    long as it is. With a clone, its branch decides by the same function as each machine does. A machine's own delay and
    what it has seen of the branch are not known here, so it also counts that it reports to wait, unless its commit was
    reverted.
    """
    by_source: defaultdict[str, list[tuple[FleetMachine, Followed]]] = defaultdict(list)
    for machine in (criteria.checked(machine) for machine in view.machines):
        for followed in machine.sources or (Followed(""),):
            by_source[followed.source].append((machine, followed))
    sources = tuple(
        _source(name, by_source[name], criteria) for name in sorted(by_source, key=lambda one: (not one, one))
    )
    reporting = sum(not criteria.is_silent(machine) for machine in view.machines)
    mistake = next((branch.mistake for branch in criteria.branches.values() if branch.mistake), "")
    return Assessment(criteria.now, len(view.machines), reporting, sources, view.unreadable, mistake)


def _source(name: str, followers: Sequence[tuple[FleetMachine, Followed]], criteria: Criteria) -> SourceView:
    branch = criteria.branches.get(name)
    if branch:
        goal, place = branch.at(branch.goal), by_branch(branch, criteria.now)
        rollout, subject = branch.rollout, branch.commits[branch.goal].message.partition("\n")[0]
        halted, is_held = (rollout.halt, rollout.hold_at is not None) if rollout else ("", False)
        order = [stage.name for stage in rollout.stages] if rollout else []
    else:
        known = goals([one for one in followers if (one[0].seen_at or 0) <= criteria.now + _CLOCKS_DIFFER])
        goal, is_held = known.goal, known.held is not None
        place, subject, order = by_themselves(known), "", []
        halted = known.halted
    is_staged = bool(order) or any(followed.stage for _, followed in followers)
    stages: defaultdict[str, list[Placement]] = defaultdict(list)
    for machine, followed in followers:
        if criteria.is_silent(machine):
            placed = silent(machine, followed)
        elif is_staged and not followed.stage and error_of(machine, followed):
            placed = place(machine, replace(followed, stage=UNKNOWN_STAGE))
        else:
            placed = place(machine, followed)
        stages[placed.followed.stage].append(placed)
    views = [StageView(name, stage, tuple(placements)) for stage, placements in stages.items()]
    views.sort(key=lambda one: _place_in(order, one))
    return SourceView(name, goal, subject, is_held, halted, tuple(views), branch.mistake if branch else "")


def _place_in(order: Sequence[str], view: StageView) -> tuple[bool, bool, int, float, int, str]:
    """Return what stages are sorted by: as declared, or else the ones that are further, and the smaller ones, first."""
    declared = order.index(view.stage) if view.stage in order else len(order)
    return (
        not view.stage,
        view.stage == UNKNOWN_STAGE,
        declared,
        -(view.expected.committed_at or 0),
        len(view.placements),
        view.stage,
    )
