"""One run of a command or a function, and what several runs come to."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_KIB_PER_MIB = 1024 if sys.platform == "linux" else 1024 * 1024


@dataclass(frozen=True, slots=True)
class Run:
    """What one run took.

    Attributes:
        wall, cpu: seconds; cpu is user and system time of the whole process tree.
        peak: MiB of resident memory of the biggest process in the tree; 0 for what ran in this process.
    """

    wall: float
    cpu: float
    peak: float = 0.0


@dataclass(frozen=True, slots=True)
class Summary:
    """What all runs of one case come to: medians, the fastest, and the highest peak of memory."""

    name: str
    runs: tuple[Run, ...]

    @property
    def wall(self) -> float:
        return median(run.wall for run in self.runs)

    @property
    def fastest(self) -> float:
        return min(run.wall for run in self.runs)

    @property
    def cpu(self) -> float:
        return median(run.cpu for run in self.runs)

    @property
    def peak(self) -> float:
        return max(run.peak for run in self.runs)

    def as_dict(self) -> dict[str, object]:
        """The JSON form: seconds and MiB."""
        return {
            "name": self.name,
            "wall": round(self.wall, 4),
            "fastest": round(self.fastest, 4),
            "cpu": round(self.cpu, 4),
            "peak_mib": round(self.peak, 1),
            "runs": [[round(run.wall, 4), round(run.cpu, 4), round(run.peak, 1)] for run in self.runs],
        }


def run_command(
    command: Sequence[str], *, cwd: Path, environment: Mapping[str, str], expected: Collection[int] = (0,)
) -> Run:
    """Runs a command to its end, its output thrown away.

    The peak is never below this process's own, since a child starts as its parent's image: keep this one small.

    Raises:
        RuntimeError: it failed, so its time would mean nothing.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with process:
        stderr = process.stderr.read() if process.stderr else b""
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in expected:
        declared = stderr.decode(errors="replace").strip()[-500:]
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {declared}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _KIB_PER_MIB)


def run_function(function: Callable[[], object]) -> Run:
    """Times a function in this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    return Run(time.perf_counter() - wall, time.process_time() - cpu)
