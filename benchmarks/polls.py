"""What a git server bears of a fleet that polls and finds nothing new, with the service's spreading and without it.

    .venv/bin/python benchmarks/polls.py --machines 1000 --document docs/fleet.md

A poll of agentsync is recorded, and simulated pollers send the very same bytes to `git http-backend` on this machine:
at the times of the service's schedule, as after an outage at whose end all start at once, and all at the same moment.
The interval is shortened, so that a whole one is measured; the arithmetic for larger fleets is by the real one. The
server works on a few requests at once, as a real one does, and the others wait.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from tables import replace

from agentsync.core.installation import own_fraction
from agentsync.service.schedule import Phased
from support.gitserver import GitServer
from support.machine import agent
from support.repository import Repository

INTERVAL: Final = 300.0
JITTER: Final = 0.1
FLEETS: Final = (1_000, 10_000, 100_000)
_WORKERS: Final = 32  # requests that the server works on at once
_SECONDS: Final = 45.0  # of an interval, as it is measured
_AFTER_OUTAGE: Final = INTERVAL * JITTER  # seconds over which a service that missed its time delays the fetch at most
_NOWHERE: Final = Path("/nonexistent")
_CONFIG: Final = """version = 1
[sources.team]
url = "{url}"
allow_http = true
[targets.claude]
create = true
"""


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request as it was sent, and the size of its answer."""

    request: bytes
    answered: int

    @property
    def line(self) -> str:
        return self.request.split(b"\r\n", 1)[0].decode()


class Recorder:
    """A proxy that keeps each request and the size of its answer."""

    def __init__(self, port: int) -> None:
        self.exchanges: list[Exchange] = []
        self._upstream = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            connection, _ = self._listening.accept()
            with connection:
                request = _received(connection)
                answer = exchange(self._upstream, request)
                connection.sendall(answer)
            self.exchanges.append(Exchange(request, len(answer)))


def _received(connection: socket.socket) -> bytes:
    """Receive a whole request."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(1 << 16)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = (int(lengths[0].split(b":")[1]) if lengths else 0) - len(body)
    while missing > 0:
        data += (part := connection.recv(1 << 16))
        missing -= len(part)
    return data


def exchange(port: int, request: bytes) -> bytes:
    """Send a request and return the answer; the server closes the connection after it."""
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


@dataclass(frozen=True, slots=True)
class Load:
    """What the server bore.

    Attributes:
        name: how the machines polled.
        polls: how many.
        seconds: from the first request to the last answer.
        busiest: the number of polls that began in the busiest second.
        waits: seconds from when each poll was due to its answer.
        cpu: seconds of processor time of git, of all polls.
    """

    name: str
    polls: int
    seconds: float
    busiest: int
    waits: tuple[float, ...]
    cpu: float


def bear(name: str, server: GitServer, poll: Sequence[Exchange], times: Sequence[float]) -> Load:
    """Let a machine poll at each of these times, in seconds from now.

    Raises:
        SystemExit: an answer is not as long as the one to the real poll.
    """
    began, cpu = time.monotonic(), _of_children()

    def run(at: float) -> float:
        time.sleep(max(0.0, began + at - time.monotonic()))
        for each in poll:
            if len(exchange(server.port, each.request)) != each.answered:
                raise SystemExit(f"another answer than that to the real poll: {each.line}")
        return time.monotonic() - began - at

    with ThreadPoolExecutor(_WORKERS) as pool:
        waits = tuple(pool.map(run, sorted(times)))
    busiest = max(Counter(int(at) for at in times).values())
    return Load(name, len(times), time.monotonic() - began, busiest, waits, _of_children() - cpu)


def _of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def scheduled(machines: int, interval: float) -> list[float]:
    """Return when each machine polls within one interval, by the service's schedule."""
    start = datetime.fromtimestamp(0, UTC)
    times = []
    for number in range(machines):
        schedule = Phased(interval, own_fraction(_NOWHERE, f"machine-{number}"), JITTER)
        times.append((schedule.get_next_fire_time(None, start) - start).total_seconds())
    return times


def recorded_poll(root: Path, server: GitServer) -> tuple[Exchange, ...]:
    """Return the requests of a `pull` that finds nothing new."""
    recorder = Recorder(server.port)
    config = root / "config.toml"
    config.write_text(_CONFIG.format(url=f"http://127.0.0.1:{recorder.port}/team.git"), encoding="utf-8")
    home = root / "home"
    home.mkdir()
    command = [str(Path(sys.executable).with_name("agentsync")), "--quiet", "--config", str(config), "pull"]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}
    for _ in range(2):
        subprocess.run(command, env=environment, check=True)
        time.sleep(2.1)  # from then on, a file is known by its stat
    subprocess.run(command, env=environment, check=True)
    recorder.exchanges.clear()
    subprocess.run(command, env=environment, check=True)
    return tuple(recorder.exchanges)


def measure(machines: int) -> Iterator[str]:
    """Yield the lines of a report."""
    with tempfile.TemporaryDirectory(prefix="agentsync-polls-") as directory:
        root = Path(directory)
        repository = Repository(root / "served/team.git")
        repository.write({f"agents/agent-{number}.md": agent(f"agent-{number}") for number in range(100)})
        repository.commit("Agents")
        with GitServer(root / "served") as server:
            poll = recorded_poll(root, server)
            chance = random.Random(7)  # noqa: S311 - not a secret
            outage = [chance.uniform(0, _AFTER_OUTAGE) for _ in range(machines)]
            loads = (
                bear(f"spread over the interval (here {_SECONDS:.0f} s)", server, poll, scheduled(machines, _SECONDS)),
                bear(f"all restart after an outage ({_AFTER_OUTAGE:.0f} s)", server, poll, outage),
                bear("at the same moment, as from cron", server, poll, [0.0] * machines),
            )
    yield (
        f"{machines:,} machines, {datetime.now(UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} cores (load {os.getloadavg()[0]:.1f}); `git http-backend`, {_WORKERS} requests at once"
    )
    yield ""
    yield "A poll that finds nothing new, as agentsync sends it:"
    yield ""
    yield from (f"- `{each.line}`: {len(each.request):,} bytes, and {each.answered:,} bytes of answer" for each in poll)
    yield ""
    yield "| polls | in all | seconds | busiest second | median wait, longest | git's ms of a poll |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: |"
    for load in loads:
        wait = f"{statistics.median(load.waits) * 1000:.0f} ms, {max(load.waits):.1f} s"
        cost = f"{load.cpu / load.polls * 1000:.1f}"
        yield f"| {load.name} | {load.polls:,} | {load.seconds:.0f} | {load.busiest} | {wait} | {cost} |"
    yield ""
    yield from _arithmetic(poll, loads[0].cpu / loads[0].polls)


def _arithmetic(poll: Sequence[Exchange], cost: float) -> Iterator[str]:
    sent = sum(each.answered for each in poll)
    yield f"For larger fleets, with an interval of {INTERVAL:.0f} s and {cost * 1000:.1f} ms of the server for a poll:"
    yield ""
    yield (
        "| machines | polls a second | requests a second | answers | cores | busiest second, spread"
        " | all restart: polls a second, cores | all at once: seconds of one core |"
    )
    yield f"| {' | '.join(['---:'] * 8)} |"
    for machines in FLEETS:
        rate, peak = machines / INTERVAL, machines / _AFTER_OUTAGE
        busiest = max(Counter(int(at) for at in scheduled(machines, INTERVAL)).values())
        yield (
            f"| {machines:,} | {rate:.1f} | {rate * len(poll):.0f} | {rate * sent / 1000:.1f} kB/s | {rate * cost:.2f}"
            f" | {busiest} polls | {peak:.0f}, {peak * cost:.1f} | {machines * cost:.0f} |"
        )


def main() -> None:
    """Measure, print, and replace what a document had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--machines", type=int, default=1_000)
    parser.add_argument("--document", type=Path, help="a page that has a place for it between two marks")
    arguments = parser.parse_args()
    made = "\n".join(measure(arguments.machines))
    print(made)
    if arguments.document:
        replace(arguments.document, "polls", f"{made}\n")


if __name__ == "__main__":
    main()
