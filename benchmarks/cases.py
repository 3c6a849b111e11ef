"""What is timed, in the order of one round."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from floors import floors
from measure import Run, run_command, run_function
from real_files import forget, read_and_parse, real_files
from scene import Scene

BARE_PYTHON = "python -c pass"
VERSION = "agentsync --version"
COMPLETION = "completion of an option"
COLD = "agentsync pull, cold"
UNCHANGED = "agentsync pull, nothing changed"
ONE_CHANGED = "agentsync pull, one agent changed"
CHECK = "agentsync check"
CHECK_REAL = "agentsync check of real files, cold"
CHECK_REAL_AGAIN = "agentsync check of real files, warm"
REAL_FLOOR = "read and parse the real files (libyaml)"
FETCH = "git fetch, nothing new"
PEER_VERSION = "rulesync --version"
PEER_COLD = "rulesync generate, cold"
PEER_UNCHANGED = "rulesync generate, nothing changed"

# agentsync trusts a file's stat once the file was two seconds old when it was looked at.
_SETTLING_SECONDS = 2.1


@dataclass(frozen=True, slots=True)
class Case:
    """Something to time.

    Attributes:
        run: does it once.
        before: makes things ready for it, untimed.
    """

    name: str
    run: Callable[[], Run]
    before: Callable[[], object] = lambda: None


def peers() -> Path | None:
    """Where the peers are installed; None where they are not."""
    root = Path(os.environ.get("AGENTSYNC_PEERS", "~/.cache/agentsync-peers")).expanduser()
    return root if _rulesync(root).exists() else None


def cases(scene: Scene, peer_root: Path | None) -> Iterator[Case]:
    """Every case; the order matters, since nothing has changed only after a pull."""
    run = partial(run_command, cwd=scene.root, environment=scene.environment())
    agentsync = str(Path(sys.executable).with_name("agentsync"))
    pull = partial(run, [agentsync, "--quiet", "--config", str(scene.config), "pull"])
    yield Case(BARE_PYTHON, partial(run, [sys.executable, "-c", "pass"]))
    yield Case(VERSION, partial(run, [agentsync, "--version"]))
    completing = scene.environment() | {"_AGENTSYNC_COMPLETE": "bash"}
    yield Case(COMPLETION, partial(run, [agentsync, "pull", "--"], environment=completing))
    yield Case(COLD, pull, before=scene.empty_home)
    if peer_root:
        yield from _rulesync_cases(scene, peer_root)
    yield Case(UNCHANGED, pull, before=partial(_settle, pull))
    yield Case(ONE_CHANGED, pull, before=scene.change_one)
    yield Case(CHECK, partial(run, [agentsync, "--quiet", "check", str(scene.team)]), before=partial(forget, scene))
    if directory := real_files():
        # With findings it exits with 1.
        check = partial(run, [agentsync, "--quiet", "check", str(directory)], expected=(0, 1))
        yield Case(CHECK_REAL, check, before=partial(forget, scene))
        yield Case(CHECK_REAL_AGAIN, check)
        yield Case(REAL_FLOOR, partial(run_function, partial(read_and_parse, directory)))
    options = ("--quiet", "--no-tags", "--no-write-fetch-head")
    fetch = ["git", "-C", str(scene.mirror), "fetch", *options, str(scene.team), "+refs/heads/main:refs/heads/main"]
    yield Case(FETCH, partial(run, fetch), before=partial(run, fetch))
    for name, function in floors(scene.team / "agents", scene.root).items():
        yield Case(name, partial(run_function, function))


def _settle(pull: Callable[[], Run]) -> None:
    """One pull more, once the files are old enough to be known by their stat: it leaves a memory for the next."""
    time.sleep(_SETTLING_SECONDS)
    pull()


def _rulesync_cases(scene: Scene, root: Path) -> Iterator[Case]:
    environment = scene.environment(root / "node22/node_modules/.bin")
    run = partial(run_command, cwd=scene.rulesync, environment=environment)
    program = str(_rulesync(root))
    tools = ("--targets", "claudecode,opencode,codexcli", "--features", "subagents")
    generate = partial(run, [program, "generate", *tools, "--silent"])
    yield Case(PEER_VERSION, partial(run, [program, "--version"]))
    yield Case(PEER_COLD, generate, before=scene.empty_rulesync)
    yield Case(PEER_UNCHANGED, generate)


def _rulesync(root: Path) -> Path:
    return root / "rs17/node_modules/.bin/rulesync"
