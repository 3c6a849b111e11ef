"""Random histories of a branch, followed by machines of every stage: what must hold at each poll of each of them.

What is expected is stated in terms of what was really pushed and when, of which a machine sees a part: branches are
rewritten, dates forged, clocks wrong, machines switched off, and the manifest changes on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentsync.rollout.choose import Choice, Machine, Reason, bucket, choose
from agentsync.rollout.line import Commit, Sighting
from agentsync.rollout.tables import MachineRolloutTable, RolloutTable, Stage
from support.thorough import SAME_EXAMPLES, THOROUGH

HOUR = 3600
NOBODY = -1
ALL = 6
"""Polls all of the machines."""
START = datetime(2026, 3, 3, 12, tzinfo=UTC).timestamp()  # a Tuesday
UNSET = datetime(1980, 1, 1, tzinfo=UTC).timestamp()
"""What a clock shows that lost its battery."""
STAGES = {
    wide: (
        Stage(name="canary", share=20 if wide else 5),
        Stage(name="early", share=60 if wide else 25, after=HOUR if wide else 2 * HOUR),
        Stage(name="everyone", share=100, after=24 * HOUR),
    )
    for wide in (False, True)
}


@dataclass(frozen=True)
class Pushed:
    """A commit, when it came, what it undoes, and what its manifest says of the rollout."""

    commit: Commit
    at: float
    number: int
    parent: int = NOBODY
    undoes: frozenset[int] = frozenset()
    halt: str = ""
    hold: int | None = None
    wide: bool = False
    window: bool = False
    bare: bool = False
    """Whether it declares no rollout at all, whatever else is set."""

    @property
    def is_honest(self) -> bool:
        return self.commit.time >= self.at


@dataclass
class Branch:
    """A branch: everything that was ever pushed, and the numbers of what its line consists of now, oldest first."""

    pushed: list[Pushed] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    @property
    def tip(self) -> Pushed:
        return self.pushed[self.numbers[-1]]

    def push(self, kind: str, at: float, *, target: int = 0, skew: float = 0) -> None:
        if kind == "rewrite":
            del self.numbers[max(1, len(self.numbers) - 1 - target % 3) :]
        number = len(self.pushed)
        tree, message, undoes = f"tree-{number}", "change", frozenset[int]()
        before = self.tip if self.numbers else Pushed(Commit("", "", 0), 0, NOBODY)
        settings: dict[str, object] = {}
        place = target % len(self.numbers) if self.numbers else 0
        match kind:
            case "halt":
                settings = {"halt": "" if before.halt else "incident"}
            case "hold":
                settings = {"hold": None if before.hold is not None else target % number}
            case "shares":
                settings = {"wide": not before.wide}
            case "window":
                settings = {"window": not before.window}
            case "bare":
                settings = {"bare": not before.bare}
            case "urgent":
                message = "change\n\nAgentsync-Rollout: now\n"
            case "revert":
                message = f'Revert "it"\n\nThis reverts commit {_id(self.numbers[place])}.\n'
                undoes = frozenset(self.numbers[place:])
            case "reset":
                tree = self.pushed[self.numbers[place]].commit.tree
                same = max(index for index, one in enumerate(self.numbers) if self.pushed[one].commit.tree == tree)
                undoes = frozenset(self.numbers[same + 1 :])
            case _:  # a plain one, or a rewrite
                pass
        halts = bool(settings.get("halt", before.halt)) and not settings.get("bare", before.bare)
        commit = Commit(_id(number), tree, at + skew, message, halts)
        made = replace(before, commit=commit, at=at, number=number, parent=before.number, undoes=undoes)
        self.pushed.append(replace(made, **settings))  # type: ignore[arg-type] # each has its type above
        self.numbers.append(number)

    def settle(self, at: float) -> None:
        """Push a commit with which nothing holds anybody back."""
        self.push("plain", at)
        self.pushed[-1] = tip = replace(self.pushed[-1], halt="", hold=None, bare=False)
        self.pushed[-1] = replace(tip, commit=replace(tip.commit, halts=False))

    def line(self) -> list[Commit]:
        return [self.pushed[number].commit for number in reversed(self.numbers)]

    def rollout(self) -> RolloutTable | None:
        tip = self.tip
        if tip.bare:
            return None
        hold_at = None if tip.hold is None else _id(tip.hold)[:9]
        window = "Mon-Fri 09:00-16:00" if tip.window else None
        return RolloutTable(stages=STAGES[tip.wide], halt=tip.halt, hold_at=hold_at, window=window)

    def dead(self) -> frozenset[int]:
        """What is reverted, by a commit that is not reverted itself."""
        dead: set[int] = set()
        for number in reversed(self.numbers):
            if number not in dead:
                dead |= self.pushed[number].undoes
        return frozenset(dead)

    def contents(self, number: int) -> Iterator[int]:
        while number != NOBODY:
            yield number
            number = self.pushed[number].parent


@dataclass(frozen=True)
class Poll:
    """When a machine polled, really and by its clock, and which tip it found."""

    at: float
    clock: float
    tip: int

    @property
    def error(self) -> float:
        return self.clock - self.at


@dataclass
class Follower:
    """A machine that polls, and keeps what it saw."""

    machine: Machine
    applied: int = NOBODY
    sightings: list[Sighting] = field(default_factory=list)
    polls: list[Poll] = field(default_factory=list)
    error: float | None = 0.0
    """By which its clock is ahead; None where it is not set."""

    def clock(self, now: float) -> float:
        return UNSET if self.error is None else now + self.error

    def poll(self, branch: Branch, now: float) -> Choice:
        """Fetch, choose, and then record what was fetched, as a cycle does."""
        line, clock = branch.line(), self.clock(now)
        applied = _id(self.applied) if self.applied != NOBODY else ""
        ids = [commit.id for commit in line]
        ahead = ids.index(applied) if applied in ids else None
        choice = choose(
            line, branch.rollout(), self.machine, now=clock, applied=applied, ahead=ahead, sightings=self.sightings
        )
        last = self.sightings[-1] if self.sightings else None
        if last and last.tip == ids[0] and last.last_at <= clock:
            self.sightings[-1] = replace(last, last_at=clock)
        else:
            self.sightings.append(Sighting(ids[0], clock, clock))
        self.polls.append(Poll(now, clock, branch.numbers[-1]))
        return choice


def _id(number: int) -> str:
    return f"{number:07x}{'0' * 33}"


KINDS = ["plain"] * 4 + ["urgent", "revert", "reset", "halt", "hold", "shares", "window", "rewrite", "bare"]
pushes = st.tuples(
    st.just("push"),
    st.sampled_from(KINDS),
    st.integers(0, 9),
    st.sampled_from([0.0, -48 * HOUR, 48 * HOUR]),  # a committer's date may be old, forged or from a wrong clock
)
polls = st.tuples(
    st.just("poll"),
    st.sampled_from([0, 1, 2, 3, 4, 5, ALL, ALL, ALL]),
    st.sampled_from([0.1, 0.5, 1, 3, 30]),
    st.none(),
)
clocks = st.tuples(
    st.just("clock"), st.integers(0, 5), st.just(0), st.sampled_from([0.0, 0.0, -5.0 * HOUR, 40.0 * HOUR, None])
)


PLAIN = ("push", "plain", 0, 0.0)
OLD = ("push", "plain", 0, -48.0 * HOUR)
REWRITE = ("push", "rewrite", 2, -48.0 * HOUR)
SOON = ("poll", 1, 0.1, None)
RIGHT = ("clock", 2, 0, 0.0)


def followers() -> list[Follower]:
    tables = [
        MachineRolloutTable(stage="canary"),
        MachineRolloutTable(stage="early"),
        MachineRolloutTable(stage="everyone"),
        MachineRolloutTable(stage="early", after_at_least=4 * HOUR),
        MachineRolloutTable(stage="everyone", urgent="refuse"),
        MachineRolloutTable(),
    ]
    return [Follower(Machine(f"machine-{number}", "team", table, UTC)) for number, table in enumerate(tables)]


@settings(
    max_examples=20_000 if THOROUGH else 300,
    deadline=None,
    derandomize=SAME_EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(pushes | polls | polls | clocks, min_size=4, max_size=40))
# A clock that is not set when a machine is new, one that was ahead for a while, and one that is behind.
@example([PLAIN, ("clock", 2, 0, None), ("poll", 2, 0.1, None), ("clock", 2, 0, 0.0), ("poll", 2, 0.1, None)])
@example(
    [("poll", 2, 0.1, None), ("clock", 2, 0, 40.0 * HOUR), ("poll", 2, 0.1, None), OLD, RIGHT, ("poll", 2, 0.1, None)]
)
@example([("poll", 2, 0.1, None), ("clock", 2, 0, -5.0 * HOUR), PLAIN, ("poll", 2, 0.1, None), REWRITE])
@example([PLAIN, ("clock", 2, 0, None), ("poll", 2, 0.1, None), PLAIN, ("clock", 2, 0, 0.0), ("poll", 2, 0.1, None)])
# A machine that is new long after the halt, a revert that is reverted, a hold at what is gone, and a date to come.
@example([PLAIN, ("push", "halt", 0, 0.0), ("poll", 1, 3, None)])
@example(
    [PLAIN, SOON, ("poll", 0, 1, None), ("push", "revert", 1, 0.0), ("push", "revert", 2, 0.0), ("poll", 1, 1.5, None)]
)
@example([PLAIN, REWRITE, ("push", "hold", 1, 0.0), ("poll", ALL, 0.1, None)])
# A manifest without a rollout, and a hold at what is new, for machines with a delay of their own.
@example([("poll", ALL, 0.1, None), ("push", "bare", 0, 0.0), ("poll", ALL, 1, None)])
@example([("poll", ALL, 0.1, None), PLAIN, ("push", "hold", 1, 0.0), ("poll", ALL, 3, None), ("poll", ALL, 3, None)])
@example([PLAIN, ("poll", 3, 30, None), ("push", "rewrite", 0, 0.0), ("push", "hold", 0, 0.0), ("poll", 3, 0.1, None)])
@example([("poll", ALL, 0.1, None), ("push", "plain", 0, 48.0 * HOUR), ("poll", ALL, 3, None), ("poll", ALL, 30, None)])
def test_every_poll_of_every_history(steps: list[tuple[str, str | int, float, float | None]]) -> None:
    branch, machines, now = Branch(), followers(), START
    branch.push("plain", now, skew=-72 * HOUR)
    for step, what, number, skew in steps:
        if step == "push":
            branch.push(str(what), now, target=int(number), skew=skew or 0)
        elif step == "clock":
            machines[int(what)].error = skew
        else:
            now += number * HOUR
            for follower in machines if what == ALL else [machines[int(what)]]:
                _poll(branch, follower, now)
    branch.settle(now)
    for follower in machines:
        follower.error = 0
    choices = [_poll(branch, follower, now) for follower in machines]
    for _ in range(300):  # all of them converge once changes stop, if they poll when the next step is due
        dues = [choice.due_at for choice in choices if choice.due_at is not None]
        if not dues:
            break
        assert min(dues) > now, "a step was due, and nobody took it"
        now = min(dues)
        choices = [_poll(branch, follower, now) for follower in machines]
    assert {follower.applied for follower in machines} == {branch.numbers[-1]}
    assert {choice.reason for choice in choices} == {Reason.CURRENT}


def _poll(branch: Branch, follower: Follower, now: float) -> Choice:
    """Poll once, and check the choice against everything that was pushed."""
    before, tip, dead = follower.applied, branch.tip, branch.dead()
    choice = follower.poll(branch, now)
    after = int(choice.commit[:7], 16) if choice.commit else NOBODY
    halt, hold = ("", None) if tip.bare else (tip.halt, tip.hold)
    if hold is not None and hold in branch.numbers:
        _check_held(branch, follower, after, now)
    elif hold is not None:
        assert after == before, "it moved while it is unclear where to"
    elif halt and before != NOBODY:
        assert after == before, "it moved while the rollout was halted"
    else:
        assert after not in dead, "it has what was reverted"
        if before in branch.numbers:
            assert branch.numbers.index(after) >= branch.numbers.index(before), "it went back unasked"
        if not halt:
            _check_urgent(branch, follower, after, dead)
            _check_not_late(branch, follower, after, now, dead)
        if after != before:
            _check_move(branch, follower, after, now, dead)
    follower.applied = after
    return choice


def _check_held(branch: Branch, follower: Follower, after: int, now: float) -> None:
    """Check that a machine is where all were taken, unless that is newer than its own delay allows."""
    hold, before, table = branch.tip.hold, follower.applied, follower.machine.table
    assert hold is not None
    pushed = branch.pushed[hold]
    delay = max(table.after_at_least, _stage(branch, follower).after if table.urgent == "refuse" else 0)
    is_urgent = pushed.commit.is_urgent and table.urgent == "obey"
    leads_back = before in branch.numbers and hold in {*branch.contents(before)}
    if after != hold:
        assert after == before, "it moved elsewhere"
        assert delay, "it is not where all were taken"
        assert not leads_back, "it was not taken back at once"
        assert not is_urgent, "it was not taken at once"
        if not any(poll.error for poll in follower.polls):
            polls = [poll for poll in follower.polls if poll.tip in branch.numbers]
            with_it = [poll.at for poll in polls if hold in branch.contents(poll.tip)]
            assert now < min(with_it) + delay, "it is late"
    elif hold != before and not leads_back and not is_urgent and not follower.error:
        assert now >= _known_at(branch, follower, pushed) + delay, "it came early"


def _check_urgent(branch: Branch, follower: Follower, after: int, dead: frozenset[int]) -> None:
    urgent = [one for one in branch.numbers if branch.pushed[one].commit.is_urgent and one not in dead]
    if urgent and follower.machine.table.urgent == "obey":
        after_place = branch.numbers.index(after) if after in branch.numbers else NOBODY
        assert after_place >= branch.numbers.index(urgent[-1]), "it has not what is urgent"


def _check_not_late(branch: Branch, follower: Follower, after: int, now: float, dead: frozenset[int]) -> None:
    """Check that a machine has what it saw long enough ago, by a tip that the branch still has, whatever its date."""
    stage = _stage(branch, follower)
    if any(poll.error for poll in follower.polls) or _has_window(branch, follower):
        return
    delay = max(stage.after, follower.machine.table.after_at_least)
    polls = [poll for poll in follower.polls if poll.tip in branch.numbers and poll.at + delay <= now]
    seen = {number for poll in polls for number in branch.contents(poll.tip)}
    due = [place for place, number in enumerate(branch.numbers) if number in seen and number not in dead]
    place = branch.numbers.index(after) if after in branch.numbers else NOBODY
    assert not due or place >= due[-1], "it is late"


def _check_move(branch: Branch, follower: Follower, after: int, now: float, dead: frozenset[int]) -> None:
    """Check that a machine that moved to a commit might do so by its stage, or that this was urgent."""
    assert after in branch.numbers, "it got what the branch does not have"
    table, chosen, decided_at = follower.machine.table, branch.pushed[after], now
    if branch.tip.halt and not branch.tip.bare:  # so it is a new machine
        halting = _halting(branch)
        assert chosen.number < halting.number, "it got what came after the halt"
        if not any(poll.error for poll in follower.polls):
            dates = [branch.pushed[number].commit.time for number in branch.contents(halting.number)]
            decided_at = min(now, max(halting.at, *dates))
    urgent = chosen.commit.is_urgent and table.urgent == "obey"
    if urgent or (follower.applied in dead and follower.applied in chosen.undoes):
        return
    if _has_window(branch, follower) and follower.applied != NOBODY:
        clock = datetime.fromtimestamp(follower.clock(now), UTC)
        assert clock.weekday() < 5, "it moved on a day without a window"
        assert 9 <= clock.hour < 16, "it moved outside the window"
    if follower.error != 0:
        return  # a wrong clock may be wrong
    delay = max(_stage(branch, follower).after, table.after_at_least)
    had = {*branch.contents(follower.applied)}
    for number in branch.contents(after):
        if number not in had:
            assert decided_at >= _known_at(branch, follower, branch.pushed[number]) + delay, "it came early"


def _halting(branch: Branch) -> Pushed:
    """The oldest of the newest commits that halt the rollout."""
    halting = branch.tip
    for number in reversed(branch.numbers):
        if not branch.pushed[number].commit.halts:
            break
        halting = branch.pushed[number]
    return halting


def _has_window(branch: Branch, follower: Follower) -> bool:
    return branch.tip.window and not branch.tip.bare and _stage(branch, follower).name != "canary"


def _stage(branch: Branch, follower: Follower) -> Stage:
    stages, rollout = STAGES[branch.tip.wide], branch.rollout()
    if rollout is None:
        return Stage(name="all", share=100)
    if named := [stage for stage in stages if stage.name == follower.machine.table.stage]:
        return named[0]
    number = bucket(follower.machine, rollout)
    return next(stage for stage in stages if number < stage.share)


def _known_at(branch: Branch, follower: Follower, pushed: Pushed) -> float:
    """Return the time at which a machine whose clock is right now counts a commit as published, at the earliest.

    An honest date counts, unless a fetch since then was by a clock that is behind and set. Any other gains at most the
    time since the last fetch without it by a right clock, unless some clocks were ahead and some behind.
    """
    with_it = [poll for poll in follower.polls if pushed.number in branch.contents(poll.tip)]
    if pushed.is_honest and not any(poll.error < 0 and poll.clock != UNSET for poll in with_it):
        return pushed.at
    if {poll.error > 0 for poll in follower.polls if poll.error} == {True, False}:
        return float("-inf")
    first = min((poll.at for poll in with_it), default=float("inf"))
    without = [poll.at for poll in follower.polls if poll not in with_it and not poll.error and poll.at <= first]
    return max(without, default=float("-inf"))
