"""Targets for a test, changed by the real apply, in a process that can be killed at any step."""

from __future__ import annotations

import os
import signal
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from agentsync.core.codes import Code
from agentsync.core.digest import digest
from agentsync.dialects import SharedFile
from agentsync.state.backups import Backups
from agentsync.state.records import Recorded
from agentsync.state.store import State
from agentsync.targets.apply import apply, observe, recover
from agentsync.targets.batch import Outcome
from agentsync.targets.change import TargetState, Wanted
from agentsync.targets.deletion_limits import DeletionLimits
from agentsync.targets.plan import Plan, make_plan, recorded
from agentsync.targets.target_place import DirectoryOptions

URLS = {"team": "https://git.example/team"}

Tree = Mapping[str, bytes]

SYSTEM_CALLS = ("open", "fdopen", "fsync", "link", "replace", "unlink", "mkdir", "rmdir")

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is killed at a step of its own choice")


@dataclass
class Machine:
    """Target directories and a state database side by side; the wanted files are a tree of bytes for each target."""

    home: Path
    options: dict[str, DirectoryOptions] = field(default_factory=dict)
    runs: int = 0

    def add(self, name: str, *, create: bool = True, shared: SharedFile | None = None) -> Path:
        path = self.home / name
        self.options[str(path)] = DirectoryOptions(create=create, shared=shared)
        return path

    @property
    def backups(self) -> Backups:
        return Backups.open(self.home / "kept.db")

    @contextmanager
    def state(self) -> Iterator[State]:
        with State.open(self.home / "state.db") as state:
            yield state

    def plan(self, state: State, trees: Mapping[str, Tree], limits: DeletionLimits | None = None) -> Plan:
        targets = [
            TargetState(
                name,
                str(self.home / name),
                {path: Wanted(digest(data), path, "claude", "team", path, "c", "b") for path, data in tree.items()},
            )
            for name, tree in trees.items()
        ]
        inventory = state.inventory(self.options)
        wanted = [(target.directory, path) for target in targets for path in target.files]
        return make_plan(
            targets,
            inventory,
            observe(self.options, wanted, inventory, state),
            prunable=frozenset(URLS),
            source_urls=URLS,
            limits=limits or DeletionLimits(allow_deletions=True),
        )

    def apply(
        self,
        state: State,
        plan: Plan,
        trees: Mapping[str, Tree],
    ) -> list[Outcome]:
        """The last outcome of each change, in the plan's order."""
        last = {outcome.change.key: outcome for outcome in self.outcomes(state, plan, trees)}
        return [last[change.key] for change in plan.changes if change.key in last]

    def outcomes(self, state: State, plan: Plan, trees: Mapping[str, Tree]) -> Iterator[Outcome]:
        """The outcomes as they happen."""
        self.runs += 1
        sync_id = f"{os.getpid()}-{self.runs}"
        state.begin_sync(sync_id, started_at=0, commits={})
        return apply(
            plan,
            lambda change: trees[change.target][change.path],
            state,
            sync_id=sync_id,
            directories=self.options,
            rows=lambda change: recorded(change.wanted, URLS[change.wanted.source]) if change.wanted else None,
            backups=self.backups,
        )

    def sync(self, **trees: Tree) -> list[Outcome]:
        """One whole run; arguments are target names."""
        with self.state() as state:
            recover(state, self.options)
            return self.apply(state, self.plan(state, trees), trees)

    def inventory(self) -> dict[tuple[str, str], Recorded]:
        with self.state() as state:
            assert state.intents() == []
            return state.inventory(self.options)


def actions(outcomes: list[Outcome]) -> dict[str, str]:
    return {outcome.change.path: outcome.change.action.value for outcome in outcomes}


def codes(outcomes: list[Outcome]) -> dict[str, Code]:
    return {outcome.change.path: outcome.diagnostic.code for outcome in outcomes if outcome.diagnostic}


def run_and_kill(machine: Machine, wanted: Tree, *, at: Callable[[str], bool], name: str = "target") -> str:
    """Sync in a child that is killed when a step's name meets `at`; the step's name, or nothing if none did."""
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with threads: this child needs none of them
        child = os.fork()
    if child == 0:
        with suppress(BaseException):
            kill_at(writer, at)
            machine.sync(**{name: wanted})
            os._exit(0)
        os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        step = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert status == (signal.SIGKILL if step else 0)
    return step


def kill_at(report: int, at: Callable[[str], bool]) -> None:
    """Arm the kill: before each system call that changes a file and each statement that bounds a transaction."""
    write = os.write
    connect: Callable[..., sqlite3.Connection] = sqlite3.connect

    def step(name: str) -> None:
        if at(name):
            write(report, name.encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(sql: str) -> None:
        if sql in {"BEGIN IMMEDIATE", "COMMIT"}:
            step(sql)

    def connected(*args: Any, **kwargs: Any) -> sqlite3.Connection:
        connection = connect(*args, **kwargs)
        connection.set_trace_callback(statement)
        return connection

    def wrap(name: str) -> None:
        call = getattr(os, name)

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            step(name)
            return call(*args, **kwargs)

        setattr(os, name, wrapped)

    sqlite3.connect = connected  # type: ignore[assignment]
    for name in SYSTEM_CALLS:
        wrap(name)


def nth(number: int) -> Callable[[str], bool]:
    """Whether this is the call with that number."""
    calls = count(1)
    return lambda _: next(calls) == number


def tree(path: Path) -> dict[str, bytes | None]:
    """Every file's bytes and every directory below a directory."""
    return {
        child.relative_to(path).as_posix(): child.read_bytes() if child.is_file() else None for child in path.rglob("*")
    }


def identities(path: Path) -> dict[Path, tuple[int, int]]:
    """Inode and change time of every file and directory below a directory, which differ after a write."""
    return {child: (child.stat().st_ino, child.stat().st_ctime_ns) for child in path.rglob("*")}
