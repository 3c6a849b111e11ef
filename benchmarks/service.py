"""What the service takes while nothing happens: its memory, and its processor time for a poll with nothing new.

    .venv/bin/python benchmarks/service.py --files 100 3000 30000 --document docs/performance.md

The numbers are those of /proc, so this is for Linux. The service runs without rich, which an installation does not
have: it comes with the tools of development, and structlog imports it where it is there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from goals import Goal
from scene import Scene
from tables import replace

MIB: Final = 45.0
MILLISECONDS: Final = 15.0
_CYCLES: Final = 15
_TARGETS: Final = 3
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_START: Final = "import sys; sys.modules['rich'] = None; from agentsync.__main__ import main; sys.exit(main())"
_LIBRARIES: Final = (
    "click, filelock, git, platformdirs, structlog, watchdog.observers, apscheduler.schedulers.background"
)
_ALONE: Final = (
    f"import sys; sys.modules['rich'] = None; import {_LIBRARIES}; "
    "sys.stdout.write('ready\\n'); sys.stdout.flush(); sys.stdin.read()"
)


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident and proportional memory of a process, in MiB."""

    resident: float
    proportional: float


@dataclass(frozen=True, slots=True)
class Idle:
    """What a service takes.

    Attributes:
        files: that it manages.
        own, of_git: milliseconds of processor time of one poll, of the service and of git.
    """

    files: int
    memory: Memory
    own: float
    of_git: float


def measure(files: int) -> Idle:
    """Run a service for so many files, and look at it while it polls and finds nothing new."""
    with tempfile.TemporaryDirectory(prefix="agentsync-service-") as directory:
        scene = Scene(Path(directory), max(1, round(files / _TARGETS)))
        scene.build()
        text = scene.config.read_text(encoding="utf-8")
        scene.config.write_text(f"{text}\n[daemon]\ninterval = 2\njitter = 0\n", encoding="utf-8")
        command = [sys.executable, "-c", _START, "--config", str(scene.config), "daemon"]
        service = subprocess.Popen(
            command,
            cwd=scene.root,
            env=scene.environment(),
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        try:
            _wait_until_quiet(service)
            before = _spent(service.pid)
            _wait_for_cycles(service, _CYCLES)
            own, of_git = ((now - then) / _CYCLES * 1000 for now, then in zip(_spent(service.pid), before, strict=True))
            return Idle(sum(scene.written().values()), memory_of(service.pid), own, of_git)
        finally:
            service.send_signal(signal.SIGTERM)
            service.communicate()


def libraries() -> Memory:
    """Return the memory of a Python that has imported the libraries that a service needs, and nothing else."""
    with subprocess.Popen([sys.executable, "-c", _ALONE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout  # noqa: S101 - a pipe
        process.stdout.readline()
        memory = memory_of(process.pid)
        process.communicate()
    return memory


def memory_of(process: int) -> Memory:
    """Return the memory of a process, as smaps_rollup has it."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()[1:]
    values = {line.split(":")[0]: int(line.split()[1]) / 1024 for line in lines}
    return Memory(values["Rss"], values["Pss"])


def _events(service: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert service.stderr  # noqa: S101 - a pipe
    for line in service.stderr:
        if line.startswith("{"):
            yield json.loads(line)
    raise RuntimeError("the service ended")


def _wait_for_cycles(service: subprocess.Popen[str], cycles: int) -> None:
    events = _events(service)
    for _ in range(cycles):
        next(event for event in events if event["event"] == "sync.finished")


def _wait_until_quiet(service: subprocess.Popen[str]) -> None:
    """Wait for cycles that start no Python: the time of a service's children is then that of git, a few ms."""
    quiet, before = 0, _spent(service.pid)[1]
    while quiet < 3:  # noqa: PLR2004 - one might come between two syncs
        _wait_for_cycles(service, 1)
        now = _spent(service.pid)[1]
        quiet = quiet + 1 if now - before < 0.1 else 0  # noqa: PLR2004 - seconds
        before = now


def _spent(process: int) -> tuple[float, float]:
    """Return the seconds of processor time of a process, and of its children that ended (proc_pid_stat(5))."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    user, system, children_user, children_system = map(int, fields[11:15])
    return (user + system) / _TICKS, (children_user + children_system) / _TICKS


def report(measured: Sequence[Idle], alone: Memory) -> Iterator[str]:
    """Yield the lines of a report."""
    load = os.getloadavg()[0]
    yield (
        f"{datetime.now(UTC):%Y-%m-%d}; {platform.system()} {platform.machine()}, {os.cpu_count()} cores "
        f"(load {load:.1f}), Python {platform.python_version()}"
    )
    yield ""
    yield "| idle service, files | resident MiB | proportional MiB | own ms of a poll | git's ms of it |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for idle in measured:
        numbers = (idle.memory.resident, idle.memory.proportional, idle.own, idle.of_git)
        yield f"| {idle.files:,} | {' | '.join(f'{number:.1f}' for number in numbers)} |"
    yield f"| the required libraries alone | {alone.resident:.1f} | {alone.proportional:.1f} | | |"
    yield ""
    yield "| goal | measured | wanted |  |"
    yield "| --- | ---: | ---: | ---: |"
    for goal in _goals(measured):
        yield f"| {' | '.join((goal.name, *goal.words))} |"


def _goals(measured: Sequence[Idle]) -> Iterator[Goal]:
    for idle in measured:
        yield Goal(f"idle memory, {idle.files:,} files", idle.memory.resident, MIB, "MiB", at_least=False)
    for idle in measured:
        yield Goal(f"a poll with nothing new, {idle.files:,} files", idle.own, MILLISECONDS, "ms", at_least=False)


def main() -> None:
    """Measure, print, and replace what a document had."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, nargs="+", default=[100, 3_000, 30_000])
    parser.add_argument("--document", type=Path, help="a page that has a place for it between two marks")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        sys.exit("the numbers of an idle service come from /proc, which only Linux has")
    made = "\n".join(report([measure(files) for files in arguments.files], libraries()))
    print(made)
    if arguments.document:
        replace(arguments.document, "service", f"{made}\n")


if __name__ == "__main__":
    main()
