"""The real command line in a forked child, which is killed or meets an error at its n-th step.

The child has everything imported already, so a run costs what the program does and not half a second of start.

A step is what changes something that lasts: an `open` for writing, a `write` (half of its bytes are written before the
child dies or the error is raised), `fsync`, `link`, `rename`, `replace`, `unlink`, `mkdir`, `rmdir` and `chmod` of this
process, each SQLite statement that goes through `database.py`, and each start of a git process (to be killed at, not to
fail at). It is counted before it is made, so to die at step n is to have made n - 1 of them.

Not counted: what only reads (`stat`, `open` for reading, `scandir`; SQLite's queries, which are reported to the test
all the same), `flock`, and what other programs do: git's own calls and SQLite's, whose transactions are taken at their
word. A statement over many rows is one step. A kill loses no page cache, so what a loss of power does is not tried, and
nothing is really synced: that would be most of the time of such a run.
"""

from __future__ import annotations

import errno
import gc
import io
import os
import signal
import sqlite3
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO, Any

from agentsync.cli import main
from agentsync.git.process import executable
from agentsync.targets import apply as apply_module
from support.forkserver import exit_with, import_everything
from support.machine import Machine, Result

_CALLS = ("link", "rename", "replace", "unlink", "mkdir", "rmdir", "chmod")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_READING = ("SELECT", "PRAGMA QUICK_CHECK", "PRAGMA TABLE_INFO", "PRAGMA FOREIGN_KEYS", "PRAGMA SYNCHRONOUS")

_SYNCED, _UNSYNCED = "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"

_SQLITE = {
    errno.ENOSPC: sqlite3.SQLITE_FULL,
    errno.EIO: sqlite3.SQLITE_IOERR,
    errno.EACCES: sqlite3.SQLITE_READONLY,
}
"""SQLite's error for a system's error; for the others it has none, so its statements are no steps there."""

_LATER_NS = 10_000_000_000
"""The time between two runs: long enough that the stat of a file proves its content."""


@dataclass(frozen=True, slots=True)
class At:
    """The step at which something happens to a run.

    Attributes:
        number: counted from 1.
        error: the error of that step; None to be killed there.
        lasting: whether every later step fails too, as on a disk that is full.
    """

    number: int
    error: int | None = None
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """The result of a run.

    Attributes:
        command: its arguments.
        result: its code is -9 where it was killed.
        steps: the names of the steps that it reached.
        idle: the numbers of steps that changed nothing: to be killed before or after them is the same, unless a write
            comes next, half of which is made.
        hit: whether it reached the step at which something was to happen.
    """

    command: tuple[str, ...]
    result: Result
    steps: list[str]
    idle: frozenset[int]
    hit: bool


@dataclass
class Stepwise(Machine):
    """A machine that runs the program in a forked child.

    Attributes:
        batch: how many changes share a transaction.
    """

    root: Path
    batch: int = apply_module.BATCH
    _runs: Iterator[int] = field(default_factory=lambda: count(1), init=False)

    def __post_init__(self) -> None:
        super().__init__(self.root)
        import_everything()
        executable()  # which runs git once to find it

    def step(self, *arguments: str, at: At | None = None) -> Run:
        """Run the program to its end, or to a step."""
        later = next(self._runs) * _LATER_NS
        outputs = [self.root / name for name in ("stdout", "stderr", "steps")]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with threads: this child needs none of them
            child = os.fork()
        if child == 0:
            exit_with(partial(_run, self, arguments, outputs, at, later))
        _, status = os.waitpid(child, 0)
        stdout, stderr, steps = (path.read_text() for path in outputs)
        code = os.waitstatus_to_exitcode(status)
        lines = [line.split(" ", 1) for line in steps.splitlines()]
        hit = ["!"] in lines
        assert (code == -signal.SIGKILL) == (hit and at is not None and at.error is None), stderr
        idle = frozenset(int(words[1]) for words in lines if words[0] == "-")
        return Run(arguments, Result(code, stdout, stderr), [words[1] for words in lines if words[0] == "+"], idle, hit)


def _run(machine: Stepwise, arguments: Sequence[str], outputs: list[Path], at: At | None, later: int) -> int:
    gc.freeze()  # so that this child's collections copy nothing of the tests' own
    os.environ.clear()
    os.environ.update(machine.environment)
    os.chdir(machine.root)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    stdout, stderr, steps = (os.open(path, flags, 0o600) for path in outputs)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    sys.stdin = open(os.devnull)  # noqa: SIM115, PTH123 - for the life of this process
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115 - the same
    sys.argv = ["agentsync", *arguments]
    apply_module.BATCH = machine.batch
    now = time.time_ns
    time.time_ns = lambda: now() + later
    _Counting(steps, at).start()
    return main()


class _Counting:
    """Counts the steps of this process, and kills it or raises an error at one of them."""

    def __init__(self, report: int, at: At | None) -> None:
        self._report = report
        self._at = at
        self._numbers = count(1)
        self._write = os.write

    def start(self) -> None:
        for name in _CALLS:
            self._count(name)
        os.fsync = lambda _descriptor: self._idle(self._step("fsync", _os_error))  # type: ignore[assignment]
        self._count_opens()
        self._count_writes()
        self._count_statements()
        sys.addaudithook(self._audit)

    def _step(
        self, name: str, error: Callable[[int], Exception | None], before: Callable[[], object] | None = None
    ) -> int:
        """The number of a step that is about to be made; `before` is what is done of it before it is cut short."""
        at = self._at
        if at and at.error is not None and error(at.error) is None:
            return 0
        number = next(self._numbers)
        self._write(self._report, f"+ {name}\n".encode())
        if at is None or not (number == at.number or (at.lasting and number > at.number)):
            return number
        if before:
            before()
        self._write(self._report, b"!\n")
        if at.error is None:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()
        elif failure := error(at.error):
            raise failure
        return number

    def _idle(self, number: int) -> None:
        """Report that a step changed nothing."""
        self._write(self._report, f"- {number}\n".encode())

    def _count(self, name: str) -> None:
        call = getattr(os, name)

        def counted(*args: Any, **kwargs: Any) -> Any:
            number = self._step(name, _os_error)
            try:
                return call(*args, **kwargs)
            except OSError:
                self._idle(number)
                raise

        setattr(os, name, counted)

    def _count_opens(self) -> None:
        call, stat = os.open, os.stat

        def counted(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if not flags & _WRITING or path == os.devnull:
                return call(path, flags, mode, dir_fd=dir_fd)
            number = self._step("open", _os_error)
            with suppress(OSError):
                if stat(path, dir_fd=dir_fd, follow_symlinks=False).st_size == 0 or not flags & os.O_TRUNC:
                    self._idle(number)
            return call(path, flags, mode, dir_fd=dir_fd)

        os.open = counted

    def _count_writes(self) -> None:
        step, fdopen = self._step, os.fdopen

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                half = super().write
                step("write", _os_error, lambda: half(data[: len(data) // 2]))
                return super().write(data)

        def opened(descriptor: int, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:
            if mode == "wb" and kwargs.get("buffering", -1) == 0:
                return File(descriptor, "wb")
            return fdopen(descriptor, mode, *args, **kwargs)

        os.fdopen = opened  # type: ignore[assignment]

    def _count_statements(self) -> None:
        step, idle = self._step, self._idle
        connect: Callable[..., sqlite3.Connection] = sqlite3.connect

        def count_statement(sql: str) -> int:
            words = " ".join(sql.split()[:2]).upper()
            return step(words, _sqlite_error) if words and not words.startswith(_READING) else 0

        class Connection(sqlite3.Connection):
            def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
                number = count_statement(sql)
                cursor = super().execute(_UNSYNCED if sql == _SYNCED else sql, *args)
                if number and self.in_transaction:
                    idle(number)
                return cursor

            def executemany(self, sql: str, *args: Any) -> sqlite3.Cursor:
                number = count_statement(sql)
                cursor = super().executemany(sql, *args)
                if number and self.in_transaction:
                    idle(number)
                return cursor

        sqlite3.connect = lambda *args, **kwargs: connect(*args, **kwargs, factory=Connection)  # type: ignore[assignment]

    def _audit(self, event: str, _arguments: object) -> None:
        if event == "subprocess.Popen":
            self._step("git", lambda _: None)  # no disk fails there


def _os_error(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def _sqlite_error(number: int) -> sqlite3.Error | None:
    if number not in _SQLITE:
        return None
    error = sqlite3.OperationalError(os.strerror(number))
    error.sqlite_errorcode = _SQLITE[number]
    return error
