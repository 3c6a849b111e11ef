"""A git command in a process group of its own, under a deadline: the only module that imports GitPython.

GitPython copies this process's environment into git's, whatever environment it is given, so `env -u` removes
what was inherited. It is imported at the first command, since its import takes 90 ms.
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

from agentsync.core.errors import SourceUnavailableError
from agentsync.core.urls import printable, redact
from agentsync.git.environment import base_environment

if TYPE_CHECKING:
    from git import Git

MINIMUM_VERSION = (2, 31)
"""The first that reads GIT_CONFIG_COUNT; an older one would ignore every setting that it is given."""

READ_SECONDS = 60.0
"""How long a command may take that stays on this machine."""

_VERSION_SECONDS = 10.0
_NO_GIT_AT_IMPORT = {"GIT_PYTHON_GIT_EXECUTABLE": os.devnull, "GIT_PYTHON_REFRESH": "quiet"}
_STDERR_BYTES = 64 * 1024
_TRACED = re.compile(r"^\d\d:\d\d:\d\d\.\d+ http\.c:\d+ +([^\n]*)\n?", re.MULTILINE)
_OUTPUT_BYTES = 64 << 20  # the names of several 100,000 files; a tree of a few KB can have a billion

# A limit that is refused leaves a lower one in force, or a system that has none of this kind (`-v` on macOS). A write
# that goes beyond is to fail, which git tells, and not to end git by a signal, which it does not tell of its children.
_LIMITED = 'trap "" XFSZ; ulimit -f "$1" 2>/dev/null; ulimit -v "$2" 2>/dev/null; shift 2; exec "$@"'
_BLOCK_BYTES = 512  # what `ulimit -f` counts, by POSIX


@dataclass(frozen=True, slots=True)
class Quota:
    """What a command and all that it starts may take; the system enforces it, save on Windows.

    Attributes:
        file: bytes of any one file that is written; a write that goes beyond fails.
        memory: bytes of address space of each process; None for any number.
    """

    file: int
    memory: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a command.

    Attributes:
        status: its exit status; negative where a signal ended it.
        output: what it wrote to standard output.
        stderr: the end of what it wrote to standard error, without its trace.
        trace: that trace of what was said over HTTP (GIT_TRACE_CURL in git(1)), where it was asked for.
        timed_out: whether it was killed at its deadline.
        overflowed: whether it was killed since its output was larger than anybody asked for.
    """

    status: int
    output: bytes
    stderr: str
    timed_out: bool
    overflowed: bool = False
    trace: str = ""

    @property
    def reason(self) -> str:
        """The last line in which git says what is wrong, safe to show."""
        if self.timed_out:
            return "git took too long"
        if self.overflowed:
            return f"git put out more than {_OUTPUT_BYTES >> 20} MiB"
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
        quota: Quota | None = None,
    ) -> None:
        """Start it.

        Args:
            command: the program, by its path, and its arguments.
            directory: where it runs.
            environment: all that it gets; nothing else is inherited, save on Windows.
            until: the moment of the monotonic clock at which it is killed.
            stdin: whether it will be written to.
            quota: what it may take; without one, whatever this process may.

        Raises:
            SourceUnavailableError: on Windows, a variable would lead git astray.
        """
        self._popen = _start(command, directory, environment, stdin=stdin, quota=quota)
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
                self.kill()
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

    def kill(self) -> None:
        """End it, and all that it started."""
        if self._popen.poll() is not None:
            return
        if sys.platform == "win32":
            self._popen.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    def _drain(self) -> None:
        """Keep the end of what git says, so that a server cannot fill the memory with it."""
        with cast("IO[bytes]", self._popen.stderr) as stream:
            while chunk := os.read(stream.fileno(), _STDERR_BYTES):
                self._stderr += chunk
                del self._stderr[:-_STDERR_BYTES]

    def _expire(self) -> None:
        if self._popen.poll() is None:
            self.timed_out = True
            self.kill()


def run(
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    until: float,
    *,
    quota: Quota | None = None,
) -> Done:
    """Run a command to its end, or to that of what its output may be; the arguments are those of a Process."""
    with Process(command, directory, environment, until, quota=quota) as process:
        output = process.stdout.read(_OUTPUT_BYTES + 1)
        overflowed = len(output) > _OUTPUT_BYTES
        if overflowed:
            process.kill()
    timed_out = process.timed_out and process.status != 0
    stderr, trace = _TRACED.sub("", process.stderr), "\n".join(_TRACED.findall(process.stderr))
    return Done(process.status, output, stderr, timed_out=timed_out, overflowed=overflowed, trace=trace)


def _start(
    command: Sequence[str],
    directory: Path,
    environment: Mapping[str, str],
    *,
    stdin: bool = False,
    quota: Quota | None = None,
) -> Popen[bytes]:
    inherited = [name for name in os.environ if name not in environment]
    if sys.platform == "win32":
        # There is no env(1) there; what would lead git astray is refused instead of removed.
        if astray := [name for name in inherited if name.upper().startswith("GIT_")]:
            raise SourceUnavailableError(f"{astray[0]} is set and would change what git does", hint="unset it")
        isolated = list(command)
    else:
        isolated = ["env", *(part for name in inherited for part in ("-u", name)), *_limited(quota), *command]
    try:
        handle = _facade()(directory).execute(
            isolated,
            istream=PIPE if stdin else None,
            as_process=True,
            shell=False,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:  # no process or descriptor left
        raise SourceUnavailableError(f"git cannot be started: {error.strerror}") from error
    # GitPython's wrapper would end the process whenever it is collected; from here on it is ours.
    popen, handle.proc = handle.proc, None
    return cast("Popen[bytes]", popen)


def _limited(quota: Quota | None) -> list[str]:
    """What stands before a command that has a quota."""
    if quota is None:
        return []
    memory = "unlimited" if quota.memory is None else str(quota.memory // 1024)
    return ["sh", "-c", _LIMITED, "sh", str(quota.file // _BLOCK_BYTES), memory]


@cache
def _facade() -> type[Git]:
    """GitPython's way to run a command; its import would run a git itself, with all that is inherited and for ever."""
    inherited = {name: os.environ.get(name) for name in _NO_GIT_AT_IMPORT}
    os.environ |= _NO_GIT_AT_IMPORT
    try:
        from git import Git  # noqa: PLC0415 - see the module's docstring
    finally:
        for name, value in inherited.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    return Git


def executable() -> str:
    """The path of a git that is new enough.

    Raises:
        SourceUnavailableError: there is none, or it does not answer.
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
    done = run([path, "version"], Path(path).parent, base_environment(), time.monotonic() + _VERSION_SECONDS)
    hint = f"see what `{path} version` does"
    if done.timed_out:
        raise SourceUnavailableError("git does not answer", place=path, hint=hint)
    match = re.match(rb"git version (\d+)\.(\d+)", done.output)
    if match is None:
        raise SourceUnavailableError("git does not tell its version", place=path, hint=hint)
    return tuple(map(int, match.groups()))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
