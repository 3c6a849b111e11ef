"""Times a start, and a pull in which nothing changed: by output, number of agents and length of the history.

The cases of a round run one after another, beside what nothing that uses these libraries can be faster than: importing
them, and one `git fetch`. docs/performance.md has the result.
"""

from __future__ import annotations

import argparse
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from cases import BARE_PYTHON, FETCH, Case
from goals import Goal
from measure import Run, Summary, run_command
from scene import Scene
from tables import machine, publish

_LIBRARIES: Final = "python -c 'import git, click'"
_VERSION, _HELP = "agentsync --version", "agentsync --help"
_FEW, _USUAL, _MANY = 100, 1_000, 10_000
_TOOLS: Final = 3
_TRIAL: Final = f"{_USUAL} agents, --source and --to, -q"
_HISTORY: Final = 20
_LONG: Final = f"{_USUAL} agents, -q, after {_HISTORY} syncs of all"
_SETTLING_SECONDS: Final = 2.1  # a file's stat is trusted once it was two seconds old when it was looked at


def _quiet(count: int) -> str:
    return f"{count} agents, -q"


_OUTPUTS: Final = {
    _quiet(_USUAL): ("--quiet",),
    f"{_USUAL} agents, to a terminal": (),
    f"{_USUAL} agents, without a terminal": (),
    f"{_USUAL} agents, --log-format json": ("--log-format", "json"),
}


def main() -> int:
    """Runs the benchmark as the command line says; the exit status is 0 whatever the goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9, help="how often each case is run (9)")
    parser.add_argument("--document", type=Path, metavar="FILE", help="also renew the tables in a Markdown file")
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="agentsync-bench-"))
    try:
        scenes = {count: _settled(root / str(count), count) for count in (_FEW, _USUAL, _MANY)}
        summaries = _measured([*_cases(scenes)], options.rounds)
        long = scenes[_USUAL]
        for number in range(_HISTORY):
            long.change_all(number)
            _pull(long, "--quiet")
        _settle(long)
        summaries += _measured([Case(_LONG, partial(_pull, long, "--quiet"))], options.rounds)
    finally:
        shutil.rmtree(root)
    reached = [*_goals({summary.name: summary for summary in summaries})]
    described = machine(f"nothing changed, {_TOOLS} tools, {options.rounds} rounds")
    publish(described, summaries, reached, document=options.document, part="unchanged")
    return 0


def _settled(root: Path, count: int) -> Scene:
    """Makes a scene in which everything was pulled, and everything is known to be up to date."""
    root.mkdir()
    scene = Scene(root, count)
    scene.build()
    _pull(scene, "--quiet")
    if count == _USUAL:
        _trial(scene)
    _settle(scene)
    return scene


def _settle(scene: Scene) -> None:
    time.sleep(_SETTLING_SECONDS)
    _pull(scene, "--quiet")
    if scene.count == _USUAL:
        _trial(scene)


def _cases(scenes: Mapping[int, Scene]) -> Iterator[Case]:
    usual = scenes[_USUAL]
    run = partial(run_command, cwd=usual.root, environment=usual.environment())
    options = ("--quiet", "--no-tags", "--no-write-fetch-head")
    fetch = ["git", "-C", str(usual.mirror), "fetch", *options, str(usual.team), "+refs/heads/main:refs/heads/main"]
    yield Case(BARE_PYTHON, partial(run, [sys.executable, "-c", "pass"]))
    yield Case(_LIBRARIES, partial(run, [sys.executable, "-c", "import git, click"]))
    yield Case(FETCH, partial(run, fetch))
    yield Case(_VERSION, partial(run, [_program(), "--version"]))
    yield Case(_HELP, partial(run, [_program(), "--help"]))
    for name, words in _OUTPUTS.items():
        yield Case(name, partial(_pull_at_terminal if "to a terminal" in name else _pull, usual, *words))
    yield Case(_TRIAL, partial(_trial, usual))
    for count in (_FEW, _MANY):
        yield Case(_quiet(count), partial(_pull, scenes[count], "--quiet"))


def _program() -> str:
    return str(Path(sys.executable).with_name("agentsync"))


def _command(scene: Scene, *words: str) -> list[str]:
    return [_program(), *words, "--config", str(scene.config), "pull"]


def _pull(scene: Scene, *words: str) -> Run:
    return run_command(_command(scene, *words), cwd=scene.root, environment=scene.environment())


def _trial(scene: Scene) -> Run:
    targets = [f"{tool}={scene.root / 'trial' / tool}" for tool in ("claude", "opencode", "codex")]
    places = ["--source", str(scene.team), *(word for target in targets for word in ("--to", target))]
    return run_command([_program(), "--quiet", "pull", *places], cwd=scene.root, environment=scene.environment())


def _pull_at_terminal(scene: Scene, *words: str) -> Run:
    """Times a pull whose output goes to a terminal.

    Raises:
        RuntimeError: it failed.
    """
    ours, theirs = pty.openpty()
    started = time.perf_counter()
    with subprocess.Popen(
        _command(scene, *words),
        cwd=scene.root,
        env=scene.environment(),
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
    os.close(ours)
    os.close(theirs)
    if process.returncode:
        raise RuntimeError(f"a pull at a terminal ended with {process.returncode}")
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _measured(cases: Sequence[Case], rounds: int) -> list[Summary]:
    runs: dict[str, list[Run]] = {case.name: [] for case in cases}
    for _ in range(rounds):
        for case in cases:
            runs[case.name].append(case.run())
    return [Summary(name, tuple(taken)) for name, taken in runs.items()]


def _goals(summaries: Mapping[str, Summary]) -> Iterator[Goal]:
    fastest = {name: summary.fastest for name, summary in summaries.items()}
    floor = fastest[_LIBRARIES] + fastest[FETCH]
    for name, wanted in (*((name, 1.45) for name in _OUTPUTS), (_TRIAL, 1.6)):
        yield Goal(f"{name}, to libraries and fetch", fastest[name] / floor, wanted, "times", at_least=False)
    files = (_MANY - _FEW) * _TOOLS
    each = (fastest[_quiet(_MANY)] - fastest[_quiet(_FEW)]) / files
    yield Goal("each further file", each * 1e6, 3, "us", at_least=False)
    yield Goal(f"{_LONG}, to without", fastest[_LONG] / fastest[_quiet(_USUAL)], 1.05, "times", at_least=False)
    for name, most in ((_VERSION, 25), (_HELP, 40)):
        over = fastest[name] - fastest[BARE_PYTHON]
        yield Goal(f"{name}, over bare Python", over * 1000, most, "ms", at_least=False)


if __name__ == "__main__":
    sys.exit(main())
