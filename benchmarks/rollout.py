"""A team of machines in one process follows a rollout: what its git server bears, and who gets a commit when.

    .venv/bin/python benchmarks/rollout.py --machines 500 --document docs/performance.md

The clock is simulated; the rest is real: each machine has an identity, a mirror of its own, the service's schedule and
the choice of a commit, and fetches by HTTP from `git http-backend` on this machine. A fetch is left out only where its
answer is known, since nothing was pushed after the one before; what such a fetch costs is measured for all of them in
one interval. Some of the machines are switched off for hours.
"""

from __future__ import annotations

import argparse
import platform
import random
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from heapq import heapify, heapreplace
from pathlib import Path
from typing import Final
from urllib.request import Request, urlopen

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from agentsync.core.installation import installation_id, own_fraction
from agentsync.git.mirror import Mirror, Remote
from agentsync.repository.manifest import FILE_NAME
from agentsync.rollout.choose import Choice, Machine, choose, stage_of
from agentsync.rollout.line import Commit, Sighting
from agentsync.rollout.tables import RolloutTable
from agentsync.service.schedule import Phased
from agentsync.sync.snapshot import manifest_in
from support.gitserver import GitServer
from support.machine import agent
from support.repository import Repository

HOUR: Final = 3600.0
INTERVAL: Final = 300.0
JITTER: Final = 0.1
MANY: Final = 10_000
START: Final = datetime(2026, 3, 3, tzinfo=UTC).timestamp()
STAGES: Final = """stages = [
  { name = "canary", share = 5 },
  { name = "early", share = 25, after = "2h" },
  { name = "everyone", share = 100, after = "1d" },
]
"""
_NOWHERE: Final = Path("/nonexistent")
_MARKS: Final = ("<!-- measured: rollout -->", "<!-- end of what was measured: rollout -->")
_POLLS_MEASURED: Final = 200
_OFFLINE: Final = 0.1  # the share of the machines


@dataclass(eq=False)
class Follower:
    """A simulated machine.

    Attributes:
        number: which one.
        mirror: of its own.
        offline: from when until when it is switched off.
        moves: when it moved to which commit.
    """

    number: int
    mirror: Mirror
    offline: tuple[float, float]
    tip: str = ""
    applied: str = ""
    sightings: list[Sighting] = field(default_factory=list)
    moves: list[tuple[float, Choice]] = field(default_factory=list)

    def __post_init__(self) -> None:
        identity = f"machine-{self.number}"
        self.machine = Machine(installation_id(_NOWHERE, identity), "team", zone=UTC)
        self.schedule = Phased(INTERVAL, own_fraction(_NOWHERE, identity), JITTER)

    def next_poll(self, now: float) -> float:
        return self.schedule.get_next_fire_time(None, datetime.fromtimestamp(now, UTC)).timestamp()

    def poll(self, line: Sequence[Commit], rollout: RolloutTable, now: float) -> None:
        """Choose, apply and record, as a cycle does."""
        ids = [commit.id for commit in line]
        ahead = ids.index(self.applied) if self.applied else None
        choice = choose(
            line, rollout, self.machine, now=now, applied=self.applied, ahead=ahead, sightings=self.sightings
        )
        if choice.commit != self.applied:
            self.moves.append((now, choice))
            self.applied = choice.commit
        if self.sightings and self.sightings[-1].tip == ids[0]:
            self.sightings[-1] = replace(self.sightings[-1], last_at=now)
        else:
            self.sightings.append(Sighting(ids[0], now, now))


class Team:
    """Machines, the repository that they follow, and its server."""

    def __init__(self, root: Path, machines: int) -> None:
        self.repository = Repository(root / "served/team.git")
        self.server = GitServer(root / "served")
        chance = random.Random(7)  # noqa: S311 - who is switched off, not a secret
        self.followers = [
            Follower(number, Mirror(root / f"mirrors/{number}.git", root / "home"), _offline(chance))
            for number in range(machines)
        ]
        self.requests: Counter[int] = Counter()
        self.polls: Counter[int] = Counter()
        self.fetched: list[tuple[float, int]] = []
        self.unchanged: list[tuple[float, int]] = []
        self._line: list[Commit] = []
        self._rollout: RolloutTable | None = None

    def push(self, at: float, prompt: str, message: str = "change", more: str = "") -> str:
        self.repository.write({FILE_NAME: f"[rollout]\n{STAGES}{more}", "agents/helper.md": agent("helper", prompt)})
        self._line = []
        return self.repository.commit(message, when=int(at))

    def run(self, since: float, until: float, *, all_fetch: bool = False) -> None:
        """Let each machine poll when its schedule says so."""
        queue = [(follower.next_poll(since), follower.number) for follower in self.followers]
        heapify(queue)
        while queue[0][0] < until:
            now, number = queue[0]
            follower = self.followers[number]
            if not follower.offline[0] <= now < follower.offline[1]:
                self._poll(follower, now, fetches=all_fetch)
            heapreplace(queue, (follower.next_poll(now), number))

    def _poll(self, follower: Follower, now: float, *, fetches: bool) -> None:
        head = self._line[0].id if self._line else ""
        requests = 2
        if fetches or follower.tip != head or not head:
            before, began = len(self.server.seen), time.perf_counter()
            tip = follower.mirror.fetch(Remote(self.server.url("team.git"), "refs/heads/main", allow_http=True)).id
            requests = len(self.server.seen) - before
            (self.unchanged if tip == follower.tip else self.fetched).append((time.perf_counter() - began, requests))
            follower.tip = tip
            if tip != head:
                records = follower.mirror.first_parents(tip, 1_000)
                self._line = [Commit(one.id, one.tree, one.time, one.message) for one in records]
                self._rollout = manifest_in(follower.mirror, follower.mirror.find(tip, FILE_NAME)).rollout
        self.polls[int(now)] += 1
        self.requests[int(now)] += requests
        assert self._rollout is not None  # noqa: S101 - each commit here has one
        follower.poll(self._line, self._rollout, now)

    def moved_to(self, commit: str) -> Iterator[tuple[Follower, float]]:
        for follower in self.followers:
            for at, choice in follower.moves:
                if choice.commit == commit:
                    yield follower, at


def _offline(chance: random.Random) -> tuple[float, float]:
    """One machine of ten is switched off for eight hours of the first day."""
    if chance.random() > _OFFLINE:
        return 0, 0
    begin = START + chance.uniform(0, 16) * HOUR
    return begin, begin + 8 * HOUR


def server_cost(team: Team) -> tuple[float, float]:
    """Return the processor seconds and the bytes of a poll that finds nothing new, without a client of git."""
    url, before, received = team.server.url("team.git"), _children(), 0
    body = b"0014command=ls-refs\n0001" + b"001fref-prefix refs/heads/main\n" + b"0000"
    headers = {"Git-Protocol": "version=2", "Content-Type": "application/x-git-upload-pack-request"}
    for _ in range(_POLLS_MEASURED):
        for request in (
            Request(f"{url}/info/refs?service=git-upload-pack", headers={"Git-Protocol": "version=2"}),  # noqa: S310
            Request(f"{url}/git-upload-pack", body, headers),  # noqa: S310 - loopback
        ):
            with urlopen(request) as answer:  # noqa: S310 - loopback
                received += len(answer.read())
    return (_children() - before) / _POLLS_MEASURED, received / _POLLS_MEASURED


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def busiest_second(machines: int) -> tuple[float, int]:
    """Return the mean and the greatest number of polls in a second of one hour, by the service's schedule alone."""
    seconds: Counter[int] = Counter()
    for number in range(machines):
        schedule = Phased(INTERVAL, own_fraction(_NOWHERE, f"machine-{number}"), JITTER)
        now = START
        while (now := schedule.get_next_fire_time(None, datetime.fromtimestamp(now, UTC)).timestamp()) < START + HOUR:
            seconds[int(now)] += 1
    return seconds.total() / HOUR, max(seconds.values())


def measure(machines: int) -> Iterator[str]:
    """Yield the lines of a report.

    Raises:
        SystemExit: a machine was early, moved while the rollout was halted, or was left behind.
    """
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="agentsync-rollout-") as root:
        team = Team(Path(root), machines)
        with team.server:
            team.push(START - 72 * HOUR, "One.")
            team.run(START, START + HOUR)
            good = team.push(pushed := START + HOUR, "Two.")
            team.run(pushed, pushed + 26 * HOUR)
            team.run(pushed + 26 * HOUR, pushed + 26 * HOUR + INTERVAL, all_fetch=True)
            urgent = "Fix\n\nAgentsync-Rollout: now\n"
            halted_at = pushed + 27 * HOUR
            halting = team.push(halted_at, "Three.", urgent, 'halt = "INC-142"\n')
            team.run(halted_at, halted_at + HOUR)
            resumed = team.push(resumed_at := halted_at + HOUR, "Four.", urgent)
            team.run(resumed_at, resumed_at + HOUR)
            cost, size = server_cost(team)
    yield f"{machines} machines, {datetime.now(UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, a busy machine"
    yield ""
    yield from _stages(team, good, pushed)
    late = [at - resumed_at for _, at in team.moved_to(resumed)]
    if [*team.moved_to(halting)] or len(late) != machines:
        raise SystemExit("a machine moved during the halt, or was left behind after it")
    polls = team.polls.total() / (resumed_at + HOUR - START)
    busiest = max(team.requests.values())
    yield ""
    yield "| what | measured |"
    yield "| --- | ---: |"
    yield f"| an urgent commit that halts the rollout: machines that moved to it | 0 of {machines} |"
    yield f"| an urgent commit after that: all machines have it after | {max(late):.0f} s |"
    yield f"| polls, and fetches for real | {team.polls.total()}, {len(team.fetched) + len(team.unchanged)} |"
    yield f"| a fetch with nothing new: median, requests at most | {_fetches(team.unchanged)} |"
    yield f"| a fetch with a new commit: median, requests at most | {_fetches(team.fetched)} |"
    yield f"| polls in a second, mean | {polls:.2f} |"
    yield f"| requests in the busiest second | {busiest} |"
    yield f"| server: processor time for a poll with nothing new; bytes sent | {cost * 1000:.1f} ms, {size:.0f} |"
    simulated, took = (resumed_at + HOUR - START) / HOUR, time.perf_counter() - began
    yield f"| the whole simulation of {simulated:.0f} h | {took:.0f} s |"
    mean, most = busiest_second(MANY)
    yield ""
    yield f"For {MANY:,} machines, by the same schedule and these costs:"
    yield ""
    yield f"- {MANY:,} machines / {INTERVAL:.0f} s = {mean:.1f} polls a second, {most} in the busiest second of an hour"
    yield f"- {mean:.1f} polls x 2 requests = {mean * 2:.0f} requests a second, {most * 2} in the busiest one"
    yield f"- {mean:.1f} polls x {cost * 1000:.1f} ms = {mean * cost:.2f} processor cores of the server"
    yield f"- {mean:.1f} polls x {size:.0f} bytes = {mean * size / 1000:.1f} kB a second, headers left out"
    yield f"- after a push, each machine fetches once: {MANY / INTERVAL:.0f} small packs a second for {INTERVAL:.0f} s"


def _stages(team: Team, good: str, pushed: float) -> Iterator[str]:
    rollout = team._rollout  # noqa: SLF001 - of this file
    assert rollout is not None  # noqa: S101 - as above
    yield "| stage | share | machines, expected | machines | first | median | last, not offline | early |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    moved, lower, early = dict(team.moved_to(good)), 0.0, 0
    for stage in rollout.stages:
        of_stage = [one for one in team.followers if stage_of(one.machine, rollout) is stage]
        times = {one: moved[one] - pushed for one in of_stage}
        awake = [at for one, at in times.items() if not one.offline[1]]
        too_soon = sum(at < stage.after for at in times.values())
        early += too_soon
        expected, lower = (stage.share - lower) / 100, stage.share
        if not awake:
            yield f"| {stage.name} | {stage.share:g} % | no machine that was on all the time | | | | | |"
            continue
        machines = len(team.followers)
        spread = (machines * expected * (1 - expected)) ** 0.5
        yield (
            f"| {stage.name} | {stage.share:g} % | {machines * expected:.0f} ± {spread:.0f} | {len(of_stage)}"
            f" | {' | '.join(map(_hours, (min(times.values()), statistics.median(times.values()), max(awake))))}"
            f" | {too_soon} |"
        )
    if early:
        raise SystemExit(f"{early} machines were early")


def _hours(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _fetches(fetches: Sequence[tuple[float, int]]) -> str:
    seconds = statistics.median(seconds for seconds, _ in fetches)
    return f"{seconds * 1000:.0f} ms, {max(requests for _, requests in fetches)}"


def main() -> None:
    """Measure, print, and replace what a document had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=500)
    parser.add_argument("--document", type=Path, help="a page that has a place for it between two marks")
    arguments = parser.parse_args()
    report = "\n".join(measure(arguments.machines))
    print(report)
    if arguments.document:
        text = arguments.document.read_text(encoding="utf-8")
        before, _, rest = text.partition(_MARKS[0])
        after = rest.partition(_MARKS[1])[2]
        made = f"{before}{_MARKS[0]}\n\n{report}\n\n{_MARKS[1]}{after}"
        arguments.document.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
