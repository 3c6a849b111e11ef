"""Times what grows with the number of agents: a first pull, one with one agent changed, and the one after that.

docs/performance.md has the result. What a first pull is compared with is the bare work: the fetch, and the same files
written and made durable by eight threads.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from goals import Goal
from measure import Run, Summary, run_command
from scene import Scene
from tables import machine, publish

_USUAL, _MANY = 1_000, 10_000
_THREADS: Final = 8
_SETTLING_SECONDS: Final = 2.1  # a file's stat is trusted once it was two seconds old when it was looked at
_TEN_TOOLS: Final = ("claude", "opencode", "codex", "gemini", "copilot", "cursor", "kiro", "qwen", "factory", "kilo")
_COLD, _FLOOR = f"{_USUAL} agents, cold", f"fetch, and {_USUAL} x 3 files by {_THREADS} threads"
_UNCHANGED, _CHANGED = f"{_MANY} agents, nothing changed", f"{_MANY} agents, one changed"
_FOLLOWING, _LARGEST = f"{_MANY} agents, the pull after that", f"{_MANY} agents, {len(_TEN_TOOLS)} tools, cold"


def main() -> int:
    """Runs the benchmark as the command line says; the exit status is 0 whatever the goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="how often each case is run (3); the largest once")
    parser.add_argument("--document", type=Path, metavar="FILE", help="also renew the tables in a Markdown file")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="agentsync-bench-"))
    try:
        summaries = [*_cold(_scene(root / "usual", _USUAL), options.rounds)]
        many = _scene(root / "many", _MANY)
        summaries += _after_changes(many, options.rounds)
        summaries.append(Summary(_LARGEST, (_largest(many),)))
    finally:
        shutil.rmtree(root)
    reached = [*_goals({summary.name: summary for summary in summaries})]
    described = machine(f"changes, 3 tools, {options.rounds} rounds")
    publish(described, summaries, reached, document=options.document, part="changes")
    return 0


def _scene(root: Path, count: int) -> Scene:
    root.mkdir()
    scene = Scene(root, count)
    scene.build()
    return scene


def _pull(scene: Scene) -> Run:
    program = str(Path(sys.executable).with_name("agentsync"))
    command = [program, "--quiet", "--config", str(scene.config), "pull"]
    return run_command(command, cwd=scene.root, environment=scene.environment())


def _cold(scene: Scene, rounds: int) -> Iterator[Summary]:
    ours, floor = [], []
    for _ in range(rounds):
        scene.empty_home()
        ours.append(_pull(scene))
        files = [path.read_bytes() for path in scene.home.rglob("*") if path.is_file() and "agents" in path.parts]
        floor.append(_bare(scene, files))
    yield Summary(_COLD, tuple(ours))
    yield Summary(_FLOOR, tuple(floor))


def _bare(scene: Scene, files: Sequence[bytes]) -> Run:
    """Fetches into an empty repository, and writes files, each of them synced and renamed."""
    mirror, directory = scene.root / "bare.git", scene.root / "bare"
    for path in (mirror, directory):
        shutil.rmtree(path, ignore_errors=True)
    directory.mkdir()
    started, spent = time.perf_counter(), time.process_time()
    subprocess.run(["git", "clone", "--quiet", "--bare", "--no-local", str(scene.team), str(mirror)], check=True)
    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(partial(_write, directory), range(len(files)), files))
    return Run(time.perf_counter() - started, time.process_time() - spent)


def _write(directory: Path, number: int, data: bytes) -> None:
    temporary = directory / f".{number}"
    with temporary.open("xb", buffering=0) as file:
        file.write(data)
        os.fsync(file.fileno())
    temporary.rename(directory / str(number))


def _after_changes(scene: Scene, rounds: int) -> Iterator[Summary]:
    _pull(scene)
    time.sleep(_SETTLING_SECONDS)
    _pull(scene)
    runs: dict[str, list[Run]] = {_UNCHANGED: [], _CHANGED: [], _FOLLOWING: []}
    for _ in range(rounds):
        runs[_UNCHANGED].append(_pull(scene))
        scene.change_one()
        runs[_CHANGED].append(_pull(scene))
        runs[_FOLLOWING].append(_pull(scene))
        time.sleep(_SETTLING_SECONDS)
        _pull(scene)
    yield from (Summary(name, tuple(taken)) for name, taken in runs.items())


def _largest(scene: Scene) -> Run:
    """A first pull for ten tools."""
    source = scene.config.read_text(encoding="utf-8").partition("[targets")[0]
    targets = "".join(f"[targets.{tool}]\ncreate = true\n" for tool in _TEN_TOOLS)
    scene.config.write_text(source + targets, encoding="utf-8")
    scene.empty_home()
    return _pull(scene)


def _goals(summaries: Mapping[str, Summary]) -> Iterator[Goal]:
    fastest = {name: summary.fastest for name, summary in summaries.items()}
    for name, floor, wanted in ((_COLD, _FLOOR, 1.6), (_CHANGED, _UNCHANGED, 1.6), (_FOLLOWING, _UNCHANGED, 1.1)):
        yield Goal(f"{name}, to {floor}", fastest[name] / fastest[floor], wanted, "times", at_least=False)
    yield Goal(f"{_LARGEST}, peak memory", summaries[_LARGEST].peak, 150, "MiB", at_least=False)


if __name__ == "__main__":
    sys.exit(main())
