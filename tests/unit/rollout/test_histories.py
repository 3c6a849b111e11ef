"""Random histories of a branch, followed by machines of every stage: what must hold at each poll of each of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentsync.rollout.choose import Choice, Machine, Reason, choose, stage_of
from agentsync.rollout.line import Commit, Sighting, reverted
from agentsync.rollout.tables import MachineRolloutTable, RolloutTable
from support.thorough import SAME_EXAMPLES, THOROUGH

HOUR = 3600
STAGES = [
    {"name": "canary", "share": 5},
    {"name": "early", "share": 25, "after": "2h"},
    {"name": "everyone", "share": 100, "after": "1d"},
]
ALL = 6
"""Polls all of the machines."""
START = 1_000_000.0


@dataclass(frozen=True)
class Pushed:
    """A commit, when it came, and what its manifest says of the rollout."""

    commit: Commit
    at: float
    halt: str = ""


@dataclass
class Branch:
    """A branch that only grows; the newest commit is the last."""

    pushed: list[Pushed] = field(default_factory=list)

    def push(self, kind: str, at: float, *, target: int, skew: float) -> None:
        number = len(self.pushed)
        halt = self.pushed[-1].halt if self.pushed else ""
        tree, message = f"tree-{number}", "change"
        if kind == "halt":
            halt = "" if halt else "incident"
        elif kind == "urgent":
            message = "change\n\nAgentsync-Rollout: now\n"
        elif kind in ("revert", "reset") and self.pushed:
            older = self.pushed[target % number].commit
            if kind == "revert":
                message = f'Revert "it"\n\nThis reverts commit {older.id}.\n'
            else:
                tree = older.tree
        commit = Commit(f"{number:07x}{'0' * 33}", tree, at + skew, message, halts=bool(halt))
        self.pushed.append(Pushed(commit, at, halt))

    def line(self) -> list[Commit]:
        return [one.commit for one in reversed(self.pushed)]

    def number(self, id_: str) -> int:
        return next((number for number, one in enumerate(self.pushed) if one.commit.id == id_), -1)


@dataclass
class Follower:
    """A machine that polls, and keeps what it saw."""

    machine: Machine
    applied: str = ""
    sightings: list[Sighting] = field(default_factory=list)
    last_poll: float | None = None

    def poll(self, branch: Branch, rollout: RolloutTable, now: float) -> Choice:
        line = branch.line()
        tip = line[0].id
        if self.sightings and self.sightings[-1].tip == tip:
            self.sightings[-1] = Sighting(tip, self.sightings[-1].first_at, now)
        else:
            self.sightings.append(Sighting(tip, now, now))
        ahead = len(line) - 1 - branch.number(self.applied) if self.applied else None
        return choose(line, rollout, self.machine, now=now, applied=self.applied, ahead=ahead, sightings=self.sightings)


pushes = st.tuples(
    st.just("push"),
    st.sampled_from(["plain", "plain", "plain", "urgent", "revert", "reset", "halt"]),
    st.integers(0, 9),
    st.sampled_from([0.0, -48 * HOUR, 48 * HOUR]),  # a committer's date may be old, forged or from a wrong clock
)
polls = st.tuples(
    st.just("poll"),
    st.sampled_from([0, 1, 2, 3, 4, 5, ALL, ALL, ALL]),
    st.sampled_from([0.1, 0.5, 1, 3, 30]),
    st.just(0.0),
)


def followers() -> list[Follower]:
    tables = [
        MachineRolloutTable(stage="canary"),
        MachineRolloutTable(stage="early"),
        MachineRolloutTable(stage="everyone"),
        MachineRolloutTable(stage="early", after_at_least=4 * HOUR),
        MachineRolloutTable(stage="everyone", urgent="refuse"),
        MachineRolloutTable(),
    ]
    return [Follower(Machine(f"machine-{number}", "team", table)) for number, table in enumerate(tables)]


@settings(
    max_examples=20_000 if THOROUGH else 300,
    deadline=None,
    derandomize=SAME_EXAMPLES,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(st.lists(pushes | polls, min_size=4, max_size=40))
def test_every_poll_of_every_history(steps: list[tuple[str, str | int, int | float, float]]) -> None:
    branch, machines, now = Branch(), followers(), START
    branch.push("plain", now, target=0, skew=-72 * HOUR)
    for step, what, number, skew in steps:
        if step == "push":
            branch.push(str(what), now, target=int(number), skew=skew)
        else:
            now += number * HOUR
            for follower in machines if what == ALL else [machines[int(what)]]:
                _poll(branch, follower, now)
    if branch.pushed[-1].halt:
        branch.push("halt", now, target=0, skew=0)
    for _ in range(3):  # all of them converge once changes stop, however far behind one is
        now += 25 * HOUR
        for follower in machines:
            choice = _poll(branch, follower, now)
    assert {follower.applied for follower in machines} == {branch.line()[0].id}
    assert choice.reason is Reason.CURRENT


def _poll(branch: Branch, follower: Follower, now: float) -> Choice:
    """Poll once, and check the choice against everything that was pushed, which the machine sees a part of only."""
    rollout = RolloutTable(stages=STAGES, halt=branch.pushed[-1].halt)
    choice = follower.poll(branch, rollout, now)
    before, after = branch.number(follower.applied), branch.number(choice.commit)
    assert after >= before, "it went back unasked"
    if not branch.pushed[-1].halt:
        assert choice.commit not in reverted(branch.line()), "it kept what was reverted"
    if after > before:
        _check_move(branch, follower, choice, rollout, now)
    follower.applied, follower.last_poll = choice.commit, now
    return choice


def _check_move(branch: Branch, follower: Follower, choice: Choice, rollout: RolloutTable, now: float) -> None:
    marked = reverted(branch.line())
    assert choice.commit not in marked, "it got what was reverted"
    chosen = branch.pushed[branch.number(choice.commit)]
    if branch.pushed[-1].halt:
        assert not follower.applied, "it moved while the rollout was halted"
        return
    table = follower.machine.table
    news = branch.pushed[branch.number(follower.applied) + 1 : branch.number(choice.commit) + 1]
    is_urgent = chosen.commit.is_urgent and table.urgent == "obey"
    if is_urgent or marked.get(follower.applied) == choice.commit:
        return
    delay = max(stage_of(follower.machine, rollout).after, table.after_at_least)
    # A date gains a commit at most the time between two fetches; a new machine has nothing but the dates.
    if follower.last_poll is not None:
        for one in news:
            known = one.at if one.commit.time >= one.at else _seen_before(follower, one, branch)
            assert now >= known + delay, "it came early"


def _seen_before(follower: Follower, pushed: Pushed, branch: Branch) -> float:
    """The last time at which the machine fetched the branch without this commit."""
    number = branch.number(pushed.commit.id)
    earlier = [one.last_at for one in follower.sightings if branch.number(one.tip) < number]
    return max(earlier, default=float("-inf"))
