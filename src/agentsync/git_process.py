"""A git command in a process group of its own, under a deadline: the only module that imports GitPython.

GitPython copies this process's environment into git's, whatever environment it is given, so `env -u` removes
what was inherited. It is imported at the first command: its import takes 90 ms and fails where git is missing,
which has to be an error that a user can read.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Thread, Timer
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self, cast

from agentsync.errors import SourceUnavailableError
from agentsync.git_environment import base_environment
from agentsync.urls import printable, redact

if TYPE_CHECKING:
    from git import Git

MINIMUM_VERSION = (2, 31)
"""The first that reads GIT_CONFIG_COUNT; an older one would ignore every setting that it is given."""

READ_SECONDS = 60.0
"""How long a command may take that stays on this machine."""

_STDERR_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command.

    Attributes:
        status: its exit status; negative where a signal ended it.
        output: what it wrote to standard output.
        stderr: the end of what it wrote to standard error.
        timed_out: whether it was killed at its deadline.
    """

    status: int
    output: bytes
    stderr: str
    timed_out: bool

    @property
    def reason(self) -> str:
        """The last line in which git says what is wrong, safe to show."""
        if self.timed_out:
            return "git took too long"
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        fatal = [line for line in lines if line.startswith(("fatal: ", "error: "))] or lines
        last = fatal[-1] if fatal else f"git exited with status {self.status}"
        return printable(redact(last.removeprefix("fatal: ").removeprefix("error: ")))


class Process:
    """A git command in a process group of its own, killed whole at its deadline or when it is left early."""

    def __init__(
        self,
        command: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        until: float,
        *,
        stdin: bool = False,
    ) -> None:
        """Start it.

        Args:
            command: the program, by its path, and its arguments.
            directory: where it runs.
            environment: all that it gets; nothing else is inherited, save on Windows.
            until: the moment of the monotonic clock at which it is killed.
            stdin: whether it will be written to.

        Raises:
            SourceUnavailableError: GitPython cannot be loaded, or on Windows a variable would lead git astray.
        """
        self._popen = _start(command, directory, environment, stdin=stdin)
        self.stdout = cast("IO[bytes]", self._popen.stdout)
        self.timed_out = False
        self._stderr = bytearray()
        self._reader = Thread(target=self._drain, daemon=True)
        self._reader.start()
        self._timer = Timer(max(0.0, until - time.monotonic()), self._expire)
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        try:
            if kind is not None:
                self._kill()
            if self._popen.stdin:
                self._popen.stdin.close()
            self._popen.wait()
        finally:
            self._timer.cancel()
            self._reader.join(timeout=1)
            self.stdout.close()

    @property
    def status(self) -> int:
        return self._popen.wait()

    @property
    def stderr(self) -> str:
        return self._stderr.decode(errors="replace")

    def write(self, data: bytes) -> None:
        """Hand data to git; a git that is gone is noticed by what it answers."""
        stdin = cast("IO[bytes]", self._popen.stdin)
        with contextlib.suppress(BrokenPipeError):
            stdin.write(data)
            stdin.flush()

    def _drain(self) -> None:
        """Keep the end of what git says, so that a server cannot fill the memory with it."""
        with cast("IO[bytes]", self._popen.stderr) as stream:
            while chunk := os.read(stream.fileno(), _STDERR_BYTES):
                self._stderr += chunk
                del self._stderr[:-_STDERR_BYTES]

    def _expire(self) -> None:
        if self._popen.poll() is None:
            self.timed_out = True
            self._kill()

    def _kill(self) -> None:
        if self._popen.poll() is not None:
            return
        if sys.platform == "win32":
            self._popen.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)


def run(command: Sequence[str], directory: Path, environment: Mapping[str, str], until: float) -> Done:
    """Run a command to its end; the arguments are those of a Process."""
    with Process(command, directory, environment, until) as process:
        output = process.stdout.read()
    return Done(process.status, output, process.stderr, timed_out=process.timed_out and process.status != 0)


def _start(
    command: Sequence[str], directory: Path, environment: Mapping[str, str], *, stdin: bool = False
) -> Popen[bytes]:
    inherited = [name for name in os.environ if name not in environment]
    if sys.platform == "win32":
        # There is no env(1) there; what would lead git astray is refused instead of removed.
        if astray := [name for name in inherited if name.upper().startswith("GIT_")]:
            raise SourceUnavailableError(f"{astray[0]} is set and would change what git does", hint="unset it")
        isolated = list(command)
    else:
        isolated = ["env", *(part for name in inherited for part in ("-u", name)), *command]
    handle = _facade()(directory).execute(
        isolated,
        istream=PIPE if stdin else None,
        as_process=True,
        shell=False,
        env=environment,
        start_new_session=True,
    )
    # GitPython's wrapper would end the process whenever it is collected; from here on it is ours.
    popen, handle.proc = handle.proc, None
    return cast("Popen[bytes]", popen)


@cache
def _facade() -> type[Git]:
    try:
        from git import Git  # noqa: PLC0415 - see the module's docstring
    except ImportError as error:
        hint = "unset GIT_PYTHON_GIT_EXECUTABLE and GIT_PYTHON_REFRESH, or correct them"
        raise SourceUnavailableError("GitPython cannot start git", hint=hint) from error
    return Git


def executable() -> str:
    """The path of a git that is new enough.

    Raises:
        SourceUnavailableError: there is none.
    """
    path = shutil.which("git")
    if path is None:
        raise SourceUnavailableError("git was not found", hint=f"install git {_dotted(MINIMUM_VERSION)} or newer")
    version = _version(path)
    if version < MINIMUM_VERSION:
        message = f"git {_dotted(version)} is too old"
        raise SourceUnavailableError(message, place=path, hint=f"install git {_dotted(MINIMUM_VERSION)} or newer")
    return path


@cache
def _version(path: str) -> tuple[int, ...]:
    done = run([path, "version"], Path(path).parent, base_environment(), time.monotonic() + READ_SECONDS)
    match = re.match(rb"git version (\d+)\.(\d+)", done.output)
    return tuple(map(int, match.groups())) if match else (0,)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
