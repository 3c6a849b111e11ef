"""Lets the service run for thousands of cycles against a server that changes, breaks and recovers.

    .venv/bin/python benchmarks/soak.py --cycles 2000 --json soak.json

Every few cycles something happens: a commit, a server that answers with an error, cuts off, is silent or refuses
requests for a while until its URL changes, a history that becomes shallow, a file that is edited or deleted here, a
configuration that changes or is broken, another run that holds the lock, a full disk, and no thread that is free. Root
has no limit of threads, so where root starts this, the service runs as another user.

What is watched is that every commit arrives, that every change is reported, that there are not too many cycles in a
minute, and that the process holds no more of anything at the end than at the beginning.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from agentsync.core.paths import AppPaths
from agentsync.state.lock import locked
from support.gitserver import GitServer, Mode
from support.machine import Machine, agent
from support.otheruser import give_away, limit
from support.repository import Repository
from support.service import Service

AGENTS: Final = 20
_SETTLED: Final = 0.1  # the share of the cycles after which the process has grown to its size
_MOST_IN_A_MINUTE: Final = 240
"""Cycles: four times what the shortest interval asks for; changes, requests and retries add to that."""
_BREAKS: Final[tuple[Mode, ...]] = ("error", "cut", "silent")


@dataclass(frozen=True)
class Sample:
    """What the process holds; memory in KiB."""

    cycle: int
    resident: int
    descriptors: int
    threads: int
    children: int
    cpu: float


class Soak:
    def __init__(self, root: Path, cycles: int, interval: float, seed: int) -> None:
        self._cycles = cycles
        self._random = random.Random(seed)  # noqa: S311 - the same story each time, no secret
        self._machine = Machine(root)
        self._repository = Repository(root / "served" / "team.git")
        self._repository.write({f"agents/a{n}.md": agent(f"a{n}", "First.", tools="Read, Grep") for n in range(AGENTS)})
        self._repository.commit("First")
        self._repository.path.with_name("moved.git").symlink_to(self._repository.path)
        self._names = ["team.git", "moved.git"]
        self._faults = ExitStack()
        self._interval = interval
        self._round = 0
        self._commit_times: dict[str, float] = {}
        self.arrivals: list[float] = []
        self.samples: list[Sample] = []
        self.most_in_a_minute = 0
        self.happened: Counter[str] = Counter()
        self.reported: Counter[str] = Counter()

    def run(self) -> None:
        with GitServer(self._repository.path.parent) as server:
            self._server = server
            self._configure()
            self._becoming = give_away(self._machine.root)
            if self._becoming:
                os.chown(self._repository.path, os.geteuid(), -1)  # git serves no repository of another user
            service = Service(self._machine, before=self._becoming)
            self._process = service.process.pid
            try:
                self._follow(service)
                self.code = service.end()
            finally:
                server.released.set()
                service.kill()

    @property
    def missed(self) -> int:
        """How many commits never arrived, of those that were the newest for long enough."""
        return len(self._commit_times)

    def _configure(self, extra: str = "") -> None:
        url = self._server.url(self._names[0])
        self._machine.configure(
            f'[sources.team]\nurl = "{url}"\nallow_http = true\ntimeout = 2\n'
            f"[targets.claude]\non_drift = 'restore'\n[targets.opencode]\n"
            f"[daemon]\ninterval = {self._interval}\n{extra}"
        )

    def _follow(self, service: Service) -> None:
        actions: tuple[Callable[[], None], ...] = (
            self._commit, self._commit, self._break, self._edit, self._delete, self._reload, self._spoil,
            self._bar, self._hold_lock, self._fill_disk, self._take_threads, self._make_shallow,
        )  # fmt: skip
        service.wait_for("sync.finished", exit_code=0)
        cycles = 0
        lately: deque[float] = deque()
        while cycles < self._cycles:
            event = service.next_event()
            name = event["event"]
            self.reported[name] += 1
            if name == "source.moved":
                self._arrived(event["commit"])
            if name not in ("sync.finished", "sync.failed"):
                continue
            cycles += 1
            lately.append(time.monotonic())
            while lately[0] < lately[-1] - 60:
                lately.popleft()
            self.most_in_a_minute = max(self.most_in_a_minute, len(lately))
            if cycles % 20 == 0:
                self.samples.append(_sample(cycles, service.process.pid))
            if cycles % 4 == 0:
                self._random.choice(actions)()
            elif cycles % 4 == 2:  # noqa: PLR2004 - half a story later
                self._mend()
        self._mend()
        last = self._repository.head
        while last in self._commit_times:
            event = service.next_event()
            self.reported[event["event"]] += 1
            if event["event"] == "source.moved":
                self._arrived(event["commit"])

    def _arrived(self, commit: str) -> None:
        """Takes note of a commit; those before it were overtaken."""
        if commit in self._commit_times:
            self.arrivals.append(time.monotonic() - self._commit_times[commit])
        self._commit_times.clear()

    def _commit(self) -> None:
        self.happened["commit"] += 1
        self._round += 1
        name = f"a{self._random.randrange(AGENTS)}"
        self._repository.write({f"agents/{name}.md": agent(name, f"Round {self._round}.", tools="Read, Grep")})
        commit = self._repository.commit(f"Round {self._round}")
        self._commit_times[commit] = time.monotonic()

    def _break(self) -> None:
        mode = self._random.choice(_BREAKS)
        self.happened[f"server: {mode}"] += 1
        self._server.mode = mode

    def _bar(self) -> None:
        """Refuse requests for a while; meanwhile the repository gets another URL."""
        self.happened["server: 429, then another URL"] += 1
        self._server.mode, self._server.status, self._server.headers = "error", 429, {"Retry-After": "5"}
        self._faults.callback(self._names.reverse)

    def _hold_lock(self) -> None:
        self.happened["lock held"] += 1
        self._faults.enter_context(locked(AppPaths(self._machine.state, self._machine.cache), lock_timeout=10))

    def _fill_disk(self) -> None:
        """Let the service write nothing, and no program that it starts."""
        self._limit("disk full", "fsize", 0)

    def _take_threads(self) -> None:
        self._limit("no thread", "nproc", 1)

    def _limit(self, what: str, kind: str, most: int) -> None:
        self.happened[what] += 1
        before = limit(self._process, kind, most, self._becoming)
        self._faults.callback(limit, self._process, kind, before, self._becoming)

    def _make_shallow(self) -> None:
        self.happened["shallow"] += 1
        self._repository.make_shallow()

    def _mend(self) -> None:
        self._faults.close()
        self._server.mode, self._server.status, self._server.headers = "serve", 500, {}
        self._configure()

    def _edit(self) -> None:
        self._touch("edit", lambda path: path.write_text("edited\n", encoding="utf-8"))

    def _delete(self) -> None:
        self._touch("delete", lambda path: path.unlink(missing_ok=True))

    def _touch(self, what: str, act: Callable[[Path], object]) -> None:
        self.happened[what] += 1
        act(self._machine.claude / f"a{self._random.randrange(AGENTS)}.md")

    def _reload(self) -> None:
        self.happened["reload"] += 1
        self._configure(f"jitter = {self._random.random():.3f}\n")

    def _spoil(self) -> None:
        self.happened["spoiled configuration"] += 1
        self._configure("no toml\n")


def _sample(cycle: int, process: int) -> Sample:
    place = Path("/proc", str(process))
    status = dict(line.split(":\t", 1) for line in (place / "status").read_text().splitlines() if ":\t" in line)
    times = (place / "stat").read_text().rpartition(")")[2].split()
    children = (place / "task" / str(process) / "children").read_text().split()
    return Sample(
        cycle=cycle,
        resident=int(status["VmRSS"].split()[0]),
        descriptors=len(list((place / "fd").iterdir())),
        threads=int(status["Threads"]),
        children=len(children),
        cpu=(int(times[11]) + int(times[12])) / 100,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=2000)
    parser.add_argument("--interval", type=float, default=1.0, help="seconds; 1 is the least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where the samples go")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="agentsync-soak-"))
    began = time.monotonic()
    try:
        soak = Soak(root, options.cycles, options.interval, options.seed)
        soak.run()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    settled = [sample for sample in soak.samples if sample.cycle >= _SETTLED * options.cycles]
    first, last = settled[0], settled[-1]
    print(f"{options.cycles} cycles in {time.monotonic() - began:.0f} s; exit status {soak.code}")
    print("happened:", dict(soak.happened))
    print("reported:", dict(soak.reported))
    print(f"cycles in a minute at most {soak.most_in_a_minute}")
    print(f"commits that arrived {len(soak.arrivals)}, missed {soak.missed}; slowest {max(soak.arrivals):.1f} s")
    print(f"resident {first.resident} -> {last.resident} KiB ({last.resident / first.resident - 1:+.1%})")
    print(f"descriptors {first.descriptors} -> {last.descriptors}, threads {first.threads} -> {last.threads}")
    print(f"children at most {max(sample.children for sample in settled)}")
    print(f"CPU a cycle {1000 * (last.cpu - first.cpu) / (last.cycle - first.cycle):.1f} ms")
    if options.json:
        options.json.write_text(json.dumps([asdict(sample) for sample in soak.samples], indent=1), encoding="utf-8")
    return int(bool(soak.missed) or soak.most_in_a_minute > _MOST_IN_A_MINUTE)


if __name__ == "__main__":
    sys.exit(main())
