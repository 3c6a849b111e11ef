"""Run git commands in process groups of their own, with a deadline. Only this module imports GitPython.

GitPython always copies this process's environment into that of git, whatever environment it is given, so `env -u`
removes the inherited variables. It is imported at the first command, since its import takes 90 ms.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import PIPE, Popen
from threading import Thread, Timer
from types import TracebackType
from typing import IO, TYPE_CHECKING, Self, cast

from agentsync.core.errors import SourceShortageError, SourceUnavailableError, shortage
from agentsync.core.urls import printable, redact
from agentsync.git.environment import base_environment

if TYPE_CHECKING:
    from git import Git

MINIMUM_VERSION = (2, 31)
"""The first version that reads GIT_CONFIG_COUNT; an older one would ignore all settings."""

READ_SECONDS = 60.0
"""Timeout of a command that uses no network."""

_VERSION_SECONDS = 10.0
_NO_GIT_AT_IMPORT = {"GIT_PYTHON_GIT_EXECUTABLE": os.devnull, "GIT_PYTHON_REFRESH": "quiet"}
_STDERR_BYTES = 64 * 1024
_PRIVATE = 0o077  # the umask of every command: nobody else reads or writes what git creates
_MORE = "allow this user, service or container more processes and open files (TasksMax, pids.max, ulimit -u and -n)"
_REAP_SECONDS = 1.0
_groups: set[int] = set()  # process groups that were started and may have children left
_LAST_LINES = 3
_LONGEST_LINE = 300
# Lines that git adds to whatever ssh and a server reported before.
_GENERAL_LINES = frozenset(
    {
        "Could not read from remote repository.",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
    }
)
_TRACED = re.compile(r"^\d\d:\d\d:\d\d\.\d+ http\.c:\d+ +([^\n]*)\n?", re.MULTILINE)
_OUTPUT_BYTES = 64 << 20  # the names of several 100,000 files; a tree of a few KB can have a billion

# A limit can only be refused if a lower one is in force or the system has none of this kind (`-v` on macOS). XFSZ is
# ignored so that a write beyond the limit fails, which git reports. A signal would end git's children without a report.
_LIMITED = 'trap "" XFSZ; ulimit -f "$1" 2>/dev/null; ulimit -v "$2" 2>/dev/null; shift 2; exec "$@"'
_BLOCK_BYTES = 512  # the unit of `ulimit -f`, by POSIX


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits of a command and all its children, enforced by the system except on Windows.

    Attributes:
        file: bytes of any one file that is written; a write beyond this fails.
        memory: bytes of address space of each process; None for no limit.
    """

    file: int
    memory: int | None


@dataclass(frozen=True, slots=True)
class Done:
    """Result of a command.

    Attributes:
        status: the exit status; negative where a signal ended the command.
        output: its standard output.
        stderr: the end of its standard error, without the trace.
        trace: the trace of HTTP requests and answers (GIT_TRACE_CURL in git(1)), where it was requested.
        timed_out: whether it was killed at its deadline.
        overflowed: whether it was killed because its output was too large.
    """

    status: int
    output: bytes
    stderr: str
    timed_out: bool
    overflowed: bool = False
    trace: str = ""

    @property
    def reason(self) -> str:
        """The last lines of what git and the programs that it ran put out, safe to show."""
        if self.timed_out:
            return "git took too long"
        if self.overflowed:
            return f"git put out more than {_OUTPUT_BYTES >> 20} MiB"
        return self.last_lines or f"git exited with status {self.status}"

    @property
    def last_lines(self) -> str:
        """The last lines of standard error, safe to show; empty where there are none."""
        lines = [line.strip() for line in self.stderr.splitlines()]
        lines = [line.removeprefix("fatal: ").removeprefix("error: ") for line in lines if line]
        telling = [line for line in lines if line not in _GENERAL_LINES] or lines
        shown = dict.fromkeys(printable(redact(line))[:_LONGEST_LINE] for line in telling[-_LAST_LINES:])
        return "; ".join(shown)


class Process:
    """A git command in its own process group, killed with its children at the deadline or when an error leaves it."""

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
        """Start the command.

        Args:
            command: the program, by its path, and its arguments.
            directory: its working directory.
            environment: all of its environment; nothing else is inherited, except on Windows.
            until: the time of the monotonic clock at which it is killed.
            stdin: whether it will be written to.
            quota: its limits; without one, those of this process.

        Raises:
            SourceUnavailableError: on Windows, an inherited variable would change what git does.
        """
        self._popen = _start(command, directory, environment, stdin=stdin, quota=quota)
        self.stdout = cast("IO[bytes]", self._popen.stdout)
        self.timed_out = False
        self._stderr = bytearray()
        self._reader = Thread(target=self._drain, daemon=True)
        self._timer = Timer(max(0.0, until - time.monotonic()), self._expire)
        self._timer.daemon = True
        try:
            self._timer.start()
            self._reader.start()
        except RuntimeError as error:  # without its deadline, git is not left running
            self._abandon()
            raise SourceShortageError("git cannot be run: no thread can be started", hint=_MORE) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        try:
            if kind is not None:
                self.kill()
            if self._popen.stdin:
                self.end_input()
            self._popen.wait()
        finally:
            self._timer.cancel()
            self._reader.join(timeout=1)
            self.stdout.close()
            _reap(self._popen.pid)

    @property
    def status(self) -> int:
        return self._popen.wait()

    @property
    def stderr(self) -> str:
        return self._stderr.decode(errors="replace")

    def write(self, data: bytes) -> None:
        """Send data to git; if git has exited, the missing answer shows it."""
        stdin = cast("IO[bytes]", self._popen.stdin)
        with contextlib.suppress(BrokenPipeError):
            stdin.write(data)
            stdin.flush()

    def end_input(self) -> None:
        """Close git's standard input; if git has exited, the missing answer shows it."""
        with contextlib.suppress(BrokenPipeError):
            cast("IO[bytes]", self._popen.stdin).close()

    def kill(self) -> None:
        """Kill the command and all its children."""
        if self._popen.poll() is not None:
            return
        if sys.platform == "win32":
            self._popen.kill()
        else:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    def _abandon(self) -> None:
        self._timer.cancel()
        self.kill()
        self._popen.wait()
        for stream in (self._popen.stdin, self._popen.stdout, self._popen.stderr):
            if stream:
                stream.close()
        _reap(self._popen.pid)

    def _drain(self) -> None:
        """Read standard error and keep its end only, so that a server cannot fill the memory."""
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
    data: bytes | None = None,
) -> Done:
    """Run a command until it finishes, or exceeds the limit of output; the arguments are those of Process.

    `data` is what it reads, all of it before it writes anything; without it, it reads nothing.
    """
    with Process(command, directory, environment, until, quota=quota, stdin=data is not None) as process:
        if data is not None:
            process.write(data)
            process.end_input()
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
        # Windows has no env(1), so a variable that git would read is refused instead of removed.
        if unwanted := [name for name in inherited if name.upper().startswith("GIT_")]:
            raise SourceUnavailableError(f"{unwanted[0]} is set and would change what git does", hint="unset it")
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
            umask=_PRIVATE,
        )
    except OSError as error:  # out of processes or file descriptors, or more variables than the system passes on
        hint = "unset the largest variables of its environment" if error.errno == errno.E2BIG else _MORE
        kind = SourceShortageError if shortage(error) else SourceUnavailableError
        raise kind(f"git cannot be started: {error.strerror}", hint=hint) from error
    # Detach the process from GitPython's wrapper, which would end it when garbage-collected.
    popen, handle.proc = handle.proc, None
    return cast("Popen[bytes]", popen)


def _reap(group: int) -> None:
    """Take the exit status of what git's own children left, which is ours to do where this process is the first (init).

    Elsewhere the system's first process does it. What has not ended soon is taken care of after the next command; until
    then the number of its group is not used again.
    """
    if sys.platform == "win32":
        return
    _groups.add(group)
    end = time.monotonic() + _REAP_SECONDS
    while _groups:
        for each in tuple(_groups):
            try:
                while os.waitpid(-each, os.WNOHANG) != (0, 0):
                    pass
            except ChildProcessError:
                _groups.discard(each)
        if not _groups or time.monotonic() > end:
            return
        time.sleep(_REAP_SECONDS / 100)


def _limited(quota: Quota | None) -> list[str]:
    """Command prefix that enforces a quota; empty without one."""
    if quota is None:
        return []
    memory = "unlimited" if quota.memory is None else str(quota.memory // 1024)
    return ["sh", "-c", _LIMITED, "sh", str(quota.file // _BLOCK_BYTES), memory]


@cache
def _facade() -> type[Git]:
    """Import GitPython's command class."""
    # The import itself would run git, in the inherited environment and without a deadline: these variables prevent it.
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


_checked: set[str] = set()  # identities of programs whose version was checked, in this run or in an earlier one


def checked() -> frozenset[str]:
    """Return the identities of the programs whose version was found new enough, for `accept` in a later run."""
    return frozenset(_checked)


def accept(identities: Iterable[str]) -> None:
    """Take these programs, as `checked` returned them, for new enough: to ask each time would take a process more."""
    _checked.update(identities)


def executable() -> str:
    """Path of a git that is new enough.

    Raises:
        SourceUnavailableError: git is missing, too old, or does not answer.
    """
    path = shutil.which("git")
    if path is None:
        raise SourceUnavailableError("git was not found", hint=f"install git {_dotted(MINIMUM_VERSION)} or newer")
    identity = _identity(path)
    if identity in _checked:
        return path
    version = _version(path)
    if version < MINIMUM_VERSION:
        message = f"git {_dotted(version)} is too old"
        raise SourceUnavailableError(message, place=path, hint=f"install git {_dotted(MINIMUM_VERSION)} or newer")
    if identity:
        _checked.add(identity)
    return path


def _identity(path: str) -> str:
    """Return what changes with a program; empty for a script, which may run another program each time."""
    try:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            is_script = file.read(2) == b"#!"
    except OSError:
        return ""
    facts = (os.path.realpath(path), status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return "" if is_script else repr(facts)


@cache
def _version(path: str) -> tuple[int, ...]:
    done = run([path, "version"], Path(path).parent, base_environment(), time.monotonic() + _VERSION_SECONDS)
    hint = "this git is run without HOME and other variables: put one that needs none of them first in PATH"
    if done.timed_out:
        raise SourceUnavailableError("git does not answer", place=path, hint=f"see what `{path} version` does")
    match = re.match(rb"git version (\d+)\.(\d+)", done.output)
    if match is None:
        raise SourceUnavailableError(f"git does not report its version: {done.reason}", place=path, hint=hint)
    return tuple(map(int, match.groups()))


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
