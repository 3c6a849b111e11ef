"""Run the fuzz targets one after the other, each in a process of its own, and keep inputs that fail.

Below `.fuzz/` lie for each target its corpus, which the next run goes on from, and the inputs that failed. An input
that failed belongs into `corpus/<target>` here once the fault is mended: test_targets.py runs all that is there, and
a new corpus starts with it. `--keep` adds the shortest inputs that reach further lines.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import Any

import click

HERE = Path(__file__).resolve().parent
KEPT = HERE.parents[1] / ".fuzz"

_CPU_SECONDS = 5.0
_HANG_SECONDS = 60
_KEPT_BYTES = 6_000
_FURTHER_LINES = 2


class SlowError(AssertionError):
    """One input took longer than any may."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="*", help="which targets; all where none is named")
    parser.add_argument("--seconds", type=int, default=60, help="how long each target runs")
    parser.add_argument("--keep", action="store_true", help="fuzz nothing, but keep the best inputs of the corpus here")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "src")]
    if asked.inside:
        _fuzz(asked.targets[0], asked.seconds)
    names = asked.targets or [*import_module("fuzz.targets").targets()]
    if asked.keep:
        for name in names:
            _keep(name)
        return 0
    failed = [name for name in names if _run(name, asked.seconds)]
    click.echo(f"failed: {', '.join(failed)}; see {KEPT}" if failed else f"{len(names)} targets, nothing failed")
    return 1 if failed else 0


def _keep(name: str) -> None:
    """Copy inputs that reach lines of the package which no seed and no shorter input reaches, up to a few kilobytes."""
    module = import_module("fuzz.targets")
    target, reached, size = module.targets()[name], set[tuple[str, int]](), 0

    def note(frame: FrameType, _event: str, _argument: object) -> Any:
        if "agentsync" not in frame.f_code.co_filename:
            return None
        reached.add((frame.f_code.co_filename, frame.f_lineno))
        return note

    def more(data: bytes) -> int:
        before = len(reached)
        sys.settrace(note)
        try:
            target(data)
        finally:
            sys.settrace(None)
        return len(reached) - before

    for data in module.seeds(name):
        more(data)
    directory = HERE / "corpus" / name
    inputs = {path: path.read_bytes() for path in (KEPT / name / "corpus").iterdir()}
    for path, data in sorted(inputs.items(), key=lambda one: len(one[1])):
        if size + len(data) <= _KEPT_BYTES and more(data) >= _FURTHER_LINES:
            directory.mkdir(parents=True, exist_ok=True)
            (directory / path.name).write_bytes(data)
            size += len(data)
    click.echo(f"{name}: {size} bytes added")


def _run(name: str, seconds: int) -> int:
    """Run one target and print its result in one line."""
    crashes = _prepared(name)
    done = subprocess.run(
        [sys.executable, __file__, "--inside", "--seconds", str(seconds), name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    log = done.stdout.decode(errors="replace")
    (crashes.parent / "log.txt").write_text(log, encoding="utf-8")
    statistics = [line for line in log.splitlines() if line.startswith(("stat::number_of_executed_units", "Done "))]
    click.echo(f"{name}: {statistics[-1] if statistics else 'stopped'}{', FAILED' if done.returncode else ''}")
    return done.returncode


def _prepared(name: str) -> Path:
    """Make a target's directories, with its first inputs; return the one for inputs that fail."""
    corpus, crashes = KEPT / name / "corpus", KEPT / name / "crashes"
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(exist_ok=True)
    for data in import_module("fuzz.targets").seeds(name):
        (corpus / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)
    return crashes


def _fuzz(name: str, seconds: int) -> None:
    """Fuzz in this process until the time is over; never returns."""
    atheris: Any = import_module("atheris")
    with atheris.instrument_imports(include=["agentsync"]):
        module = import_module("fuzz.targets")
        target = module.targets()[name]

    def one(data: bytes) -> None:
        started = time.process_time()
        target(data)
        taken = time.process_time() - started
        if taken > _CPU_SECONDS:
            raise SlowError(f"{len(data)} bytes took {taken:.1f} s")

    directory = KEPT / name
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={module.MAX_BYTES}",
        f"-timeout={_HANG_SECONDS}",
        f"-artifact_prefix={directory / 'crashes'}/",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        "-len_control=20",
    ]
    atheris.Setup([sys.argv[0], *options, str(directory / "corpus")], one)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
