"""Where one machine is, and where it should be: by its own word, or by the branch of a clone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import Final

from agentsync.fleet.model import FleetMachine, Followed, Refusal
from agentsync.rollout.choose import Choice, Machine, Reason, choose
from agentsync.rollout.line import Line, reverted
from agentsync.rollout.tables import MachineRolloutTable, RolloutTable

_KEPT_BACK: Final = frozenset({Reason.WAITING, Reason.OUTSIDE_WINDOW, Reason.HALTED, Reason.STAYING})


class State(StrEnum):
    """How a machine's commit compares with the newest one; each machine is in one of these states."""

    CURRENT = "current"
    """It has the commit that all machines are to have."""
    WAITING = "waiting"
    """It has an older one, as the rollout wants for now."""
    BEHIND = "behind"
    """It has another one than it should."""
    SILENT = "silent"
    """It has reported nothing for long, so nothing is known."""


@dataclass(frozen=True, slots=True)
class Version:
    """A commit; metrics know its date only, in seconds since the epoch, and old documents its id only."""

    commit: str = ""
    committed_at: float | None = None

    @property
    def is_known(self) -> bool:
        return bool(self.commit) or self.committed_at is not None

    def is_same(self, other: Version) -> bool:
        """Whether both are the same commit, as far as both are known."""
        if self.commit and other.commit:
            return self.commit == other.commit
        return self.committed_at is not None and self.committed_at == other.committed_at


@dataclass(frozen=True)
class Branch:
    """The branch that a source follows, from a clone.

    Attributes:
        line: its first-parent line, the newest commit first; never empty.
        rollout: of the manifest at its tip.
    """

    line: Line
    rollout: RolloutTable | None = None

    @cached_property
    def goal(self) -> int:
        """Position of the commit that all machines are to have in the end."""
        held = self.rollout.hold_at if self.rollout else None
        return next((index for index, one in enumerate(self.line) if held and one.id.startswith(held)), 0)

    @cached_property
    def reverted(self) -> Mapping[str, str]:
        return reverted(self.line)

    @cached_property
    def positions(self) -> Mapping[str | float, int]:
        """Positions of commits by id and by date; of two with one date, that of the newer one."""
        found: dict[str | float, int] = {}
        for index, commit in enumerate(self.line):
            found[commit.id] = index
            found.setdefault(commit.time, index)
        return found

    def at(self, index: int) -> Version:
        return Version(self.line[index].id, self.line[index].time)

    def find(self, followed: Followed) -> int | None:
        """Return the position of a machine's commit; None where the line does not have it."""
        key = followed.commit or followed.committed_at
        return None if key is None else self.positions.get(key)


@dataclass(frozen=True, slots=True)
class Placement:
    """One machine in one source's rollout.

    Attributes:
        machine: which one; its sources and its refusals are those of all sources.
        followed: the source as it follows it; the commit's id is filled in where a clone knows it.
        state: how its commit compares.
        expected: the commit that it should have now; unknown for a silent machine.
        refused: what it refuses of this source, or of any where that is unknown; nothing of a silent machine.
        error: why it fails; empty where it does not, or is silent.
        reason: why it is waiting or behind, in words.
    """

    machine: FleetMachine
    followed: Followed
    state: State
    expected: Version
    refused: tuple[Refusal, ...] = ()
    error: str = ""
    reason: str = ""

    @property
    def version(self) -> Version:
        return Version(self.followed.commit, self.followed.committed_at)


Place = Callable[[FleetMachine, Followed], Placement]


@dataclass(frozen=True, slots=True)
class Goals:
    """The commit that all machines are to have in the end, as far as they know.

    Attributes:
        newest: of the branch.
        held: which the repository names instead; None where it names none.
        halted: why the rollout is halted, or `yes` where that is not known; empty where it is not.
    """

    newest: Version
    held: Version | None = None
    halted: str = ""

    @property
    def goal(self) -> Version:
        return self.held or self.newest


def goals(followers: Iterable[tuple[FleetMachine, Followed]]) -> Goals:
    """Return what the machines follow, of which the one that was heard last knows most."""
    versions = [Version(one.commit, one.committed_at) for _, one in followers]
    latest = max(
        ((machine, followed) for machine, followed in followers if followed.stage or followed.tip),
        key=lambda pair: pair[0].seen_at or 0,
        default=None,
    )
    followed = latest[1] if latest else Followed("")
    held = Version(followed.commit, followed.committed_at) if followed.reason is Reason.HELD else None
    halted = followed.detail or "yes" if followed.reason is Reason.HALTED else ""
    if followed.tip and followed.tip not in [one.commit for one in versions]:
        return Goals(Version(followed.tip), held, halted)  # nobody has it yet
    dated = [one for one in versions if one.committed_at is not None]
    return Goals(max(dated, key=lambda one: one.committed_at or 0, default=Version(followed.tip)), held, halted)


def by_themselves(goals: Goals) -> Place:
    """Return a function that places a machine by what it says of its rollout."""

    def place(machine: FleetMachine, followed: Followed) -> Placement:
        own = Version(followed.commit, followed.committed_at)
        goal = goals.goal if followed.stage else goals.newest  # a hold is part of the rollout
        if own.is_known and own.is_same(goal):
            state, expected = State.CURRENT, goal
        elif _says_it_waits(followed):
            state, expected = State.WAITING, own
        else:
            state, expected = State.BEHIND, goal
        return _placement(machine, followed, state, expected)

    return place


def by_branch(branch: Branch, now: float) -> Place:
    """Return a function that places a machine by what the rollout chooses for its stage and its commit."""
    # Of thousands of machines most have the same stage and commit, and each choice looks at the whole line.
    choices: dict[tuple[str, int | None], Choice] = {}

    def place(machine: FleetMachine, followed: Followed) -> Placement:
        index = branch.find(followed)
        if index is not None:
            commit = branch.line[index]
            followed = replace(followed, commit=commit.id, committed_at=commit.time)
        goal = branch.goal if followed.stage else 0  # a hold is part of the rollout, which some do not follow
        if index == goal:
            return _placement(machine, followed, State.CURRENT, branch.at(index))
        key = followed.stage, index
        choice = choices.get(key) or choices.setdefault(key, _choice(branch, *key, now))
        expected = branch.positions.get(choice.commit, None if choice.commit else index)
        on_line = index is not None or not Version(followed.commit, followed.committed_at).is_known
        is_reverted = index is not None and branch.line[index].id in branch.reverted
        says_it_waits = _says_it_waits(followed) and choice.reason is not Reason.HELD and not is_reverted
        if on_line and (expected == index or says_it_waits):
            own = Version() if index is None else branch.at(index)
            if expected == index:
                due_at = followed.due_at if says_it_waits else choice.due_at
                followed = replace(followed, reason=choice.reason, detail=choice.detail, due_at=due_at)
            return _placement(machine, followed, State.WAITING, own)
        behind = _placement(machine, followed, State.BEHIND, branch.at(goal if expected is None else expected))
        if not on_line:
            return replace(behind, reason="its commit is not on the clone's branch, which may be older")
        return replace(behind, reason="its commit was reverted") if is_reverted else behind

    return place


def _choice(branch: Branch, stage: str, index: int | None, now: float) -> Choice:
    names = [one.name for one in branch.rollout.stages] if branch.rollout else []
    known = stage if stage in names else next(reversed(names), None)  # any text, which counts as the last one
    machine = Machine("", "", MachineRolloutTable(obey=bool(stage), stage=known))
    applied = branch.line[index].id if index is not None else ""
    return choose(branch.line, branch.rollout, machine, now=now, applied=applied, ahead=index)


def _says_it_waits(followed: Followed) -> bool:
    return followed.reason in _KEPT_BACK or (followed.reason is Reason.URGENT and followed.due_at is not None)


def silent(machine: FleetMachine, followed: Followed) -> Placement:
    return Placement(machine, followed, State.SILENT, Version())


def _placement(machine: FleetMachine, followed: Followed, state: State, expected: Version) -> Placement:
    error = machine.error or followed.error
    if not error and not followed.source:
        error = "it follows no source"
    if not error and machine.seen_at is None:
        error = "it has had no cycle yet"
    reason = ""
    if state is State.WAITING:
        reason = f"{followed.reason}: {followed.detail}" if followed.detail else str(followed.reason)
    elif state is State.BEHIND:
        has_one = bool(followed.commit) or followed.committed_at is not None
        causes = {
            "pulling is suspended": machine.suspended,
            "it fails": bool(error),
            "it has no commit yet": not has_one,
        }
        reason = next((cause for cause, holds in causes.items() if holds), "")
    refused = tuple(one for one in machine.refused if one.source in ("", followed.source))
    return Placement(machine, followed, state, expected, refused, error, reason)
