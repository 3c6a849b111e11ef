"""Which commit a machine uses: one pure function of the branch's line, the manifest, the machine and the time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import tzinfo
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from agentsync.rollout.line import Commit, Line, Sighting, published, reverted
from agentsync.rollout.window import Window

if TYPE_CHECKING:
    from agentsync.rollout.tables import MachineRolloutTable, RolloutTable, Stage

_BUCKET_BYTES: Final = 8


def _no_table() -> MachineRolloutTable:
    """Import the tables only here: the service shows choices, and keeps no library that reads tables."""
    from agentsync.rollout.tables import MachineRolloutTable  # noqa: PLC0415 - see above

    return MachineRolloutTable()


class Reason(StrEnum):
    """Why a machine uses the commit that it does."""

    CURRENT = "current"
    """It is the newest one."""
    WAITING = "waiting"
    """A newer one is not old enough for this machine's stage."""
    OUTSIDE_WINDOW = "outside the window"
    """A newer one waits for the window in which machines of this stage move."""
    URGENT = "urgent"
    """Its trailer declares it, or it reverts what the machine has."""
    HALTED = "halted"
    HELD = "held at"
    """The manifest names it."""
    STAYING = "staying"
    """What the manifest asks for cannot be done, or every newer commit contains something reverted."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as a rollout sees it, for one source.

    Attributes:
        id: its own, the same in each run.
        source: the source's name, so that no machine is the first for all sources.
        table: what its configuration declares.
        zone: its time zone; its operating system's where left out.
    """

    id: str
    source: str
    table: MachineRolloutTable = field(default_factory=_no_table)
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """The commit to use.

    Attributes:
        commit: its id; empty where there is none yet.
        tip: the newest commit of the branch.
        reason: why it is this one.
        stage: the machine's; empty where no rollout applies.
        detail: what the reason refers to: why it is halted, or why nothing newer can be used.
        due_at: when the next step is due as far as is known now, in seconds since the epoch; None where none is.
        mistake: which of the machine's own settings name what the rollout does not have; empty where none does.
    """

    commit: str
    tip: str
    reason: Reason
    stage: str = ""
    detail: str = ""
    due_at: float | None = None
    mistake: str = ""


def stage_of(machine: Machine, rollout: RolloutTable) -> Stage:
    """Return a machine's stage: its own, else the earlier one of its group's and of its bucket's.

    A stage that the manifest does not have is the last one: a mistake must not bring commits earlier.
    """
    last = rollout.stages[-1]
    if machine.table.stage is not None:
        return next((stage for stage in rollout.stages if stage.name == machine.table.stage), last)
    number = bucket(machine, rollout)
    return next(
        (
            stage
            for stage in rollout.stages
            if number < stage.share or machine.table.group in rollout.groups.get(stage.name, ())
        ),
        last,
    )


def mistake_of(machine: Machine, rollout: RolloutTable) -> str:
    """Return which of a machine's settings name what the rollout does not have; empty where none does."""
    own = machine.table
    stages = [stage.name for stage in rollout.stages]
    if own.stage is not None and own.stage not in stages:
        return f"the rollout has no stage `{own.stage}`: it has {', '.join(stages)}"
    groups = sorted({group for stage in rollout.groups.values() for group in stage})
    if own.stage is None and own.group is not None and own.group not in groups:
        known = f"it has {', '.join(groups)}" if groups else "it has none"
        return f"no stage of the rollout has the group `{own.group}`: {known}"
    return ""


def bucket(machine: Machine, rollout: RolloutTable) -> float:
    """Return a number from 0 to below 100 that stays the same while shares change, and differs between sources."""
    salted = "\0".join((machine.id, machine.source, *(stage.name for stage in rollout.stages)))
    first = sha256(salted.encode()).digest()[:_BUCKET_BYTES]
    return int.from_bytes(first) / (1 << 8 * _BUCKET_BYTES) * 100


def choose(
    line: Line,
    rollout: RolloutTable | None,
    machine: Machine,
    *,
    now: float,
    applied: str = "",
    ahead: int | None = None,
    sightings: Sequence[Sighting] = (),
) -> Choice:
    """Choose the commit that a machine uses.

    In this order: `hold_at`, `halt`, urgent commits, stages. In doubt the machine stays where it is.

    Args:
        line: the branch's first-parent line as fetched now, as far back as commits may still be reverted or held at;
            never empty.
        rollout: of the manifest at the tip; None where it has none.
        machine: which one.
        now: in seconds since the epoch.
        applied: the commit that the machine has; empty for a new one.
        ahead: how many commits of the line, from its first one on, contain the applied one and are not it; None for
            all of them, where the machine is new or its commit is on the branch no more.
        sightings: the tips that this machine has fetched, in the order of time.
    """
    tip = line[0].id
    if rollout is None or not machine.table.obey:
        return Choice(tip, tip, Reason.CURRENT)
    stage = stage_of(machine, rollout)
    if rollout.hold_at is not None:
        held = [commit.id for commit in line if commit.id.startswith(rollout.hold_at)]
        if len(held) == 1:
            return Choice(held[0], tip, Reason.HELD, stage.name)
        trouble = "begins the ids of several commits" if held else "is not on the branch"
        return Choice(applied, tip, Reason.STAYING, stage.name, f"`hold_at` {rollout.hold_at} {trouble}")
    halting = next((index for index, commit in enumerate(line) if not commit.halts), len(line))
    if rollout.halt and (applied or halting in (0, len(line))):
        return Choice(applied, tip, Reason.HALTED, stage.name, rollout.halt)
    times = published(line, sightings, now)
    steps = _Steps(line[:ahead], reverted(line), times, rollout, machine, stage, now, applied)
    if rollout.halt:  # a new machine gets what its stage had when the rollout was halted
        then = replace(steps, newer=line[halting:], now=times[line[halting - 1].id])
        return Choice(then.choice().commit, tip, Reason.HALTED, stage.name, rollout.halt)
    return steps.choice() if steps.newer else Choice(applied, tip, Reason.CURRENT, stage.name)


@dataclass(frozen=True, slots=True)
class _Steps:
    """The choice among the commits that a machine does not have, by stage and urgency.

    Attributes:
        newer: these commits, from the newest on.
        reverted: of the whole line, as `line.reverted` returns it.
        times: when each commit was published.
    """

    newer: Line
    reverted: Mapping[str, str]
    times: Mapping[str, float]
    rollout: RolloutTable
    machine: Machine
    stage: Stage
    now: float
    applied: str

    def choice(self) -> Choice:
        candidates = [commit for commit in self.newer if commit.id not in self.reverted]
        urgent = next(filter(self._is_urgent, candidates), None)
        may_move = self._opens_at(self.now) <= self.now
        aged = next((one for one in candidates if may_move and self._ripe_at(one) <= self.now), None)
        chosen = next((one for one in candidates if one in (urgent, aged)), None)
        commit = chosen.id if chosen else self.applied
        waiting = candidates[: candidates.index(chosen)] if chosen else candidates
        if not waiting:
            moved = Reason.CURRENT if chosen is aged else Reason.URGENT
            detail = "" if candidates else "every newer commit contains something that was reverted"
            return Choice(commit, self.newer[0].id, moved if chosen else Reason.STAYING, self.stage.name, detail)
        ripe_at = min(map(self._ripe_at, waiting))
        blocked = Reason.WAITING if ripe_at > self.now else Reason.OUTSIDE_WINDOW
        reason = blocked if chosen is aged else Reason.URGENT
        return Choice(commit, self.newer[0].id, reason, self.stage.name, due_at=self._opens_at(max(ripe_at, self.now)))

    def _ripe_at(self, commit: Commit) -> float:
        return self.times[commit.id] + max(self.stage.after, self.machine.table.after_at_least)

    def _is_urgent(self, commit: Commit) -> bool:
        is_revert_of_ours = self.reverted.get(self.applied) == commit.id
        return is_revert_of_ours or (commit.is_urgent and self.machine.table.urgent == "obey")

    def _opens_at(self, timestamp: float) -> float:
        """Return when this machine may move, from a time on; a new one and one of the first stage always may."""
        is_first = self.stage.name == self.rollout.stages[0].name
        if self.rollout.window is None or is_first or not self.applied:
            return timestamp
        return Window.parse(self.rollout.window).next_open(timestamp, self.machine.zone)
