"""Does the service's work in processes that end with it, so that the service itself stays small, whatever it manages.

A sync needs memory for each agent and each file, and for the libraries that read them; a process that ends gives all of
it back. Each piece of work has a process of its own, which is a new Python: a fork would copy the threads' locks. It
gets its task on standard input, which stays open until its result is there: where that ends before, so has the service,
and so does the process. It sends its signs of progress and its result on standard output, and logs to the same
standard error as the service. All of these are pickled, since both ends are this very code.
"""

from __future__ import annotations

import pickle
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any, Final

from agentsync.core.build_id import engine
from agentsync.core.durations import span
from agentsync.core.errors import AgentsyncError, ExitCode, shortage
from agentsync.core.log import configure, has_listeners, relay
from agentsync.service.http_endpoint import Answer
from agentsync.service.work import Loaded, LookTask, Synced, SyncTask

_PATIENCE_SECONDS: Final = 300.0  # for a configuration or a page
_SIGNAL_SECONDS: Final = 1.0  # after which a signal is handled that came just before a wait
_END_SECONDS: Final = 10.0  # that a process has to end by itself


class OutdatedError(Exception):
    """Another version of agentsync is installed by now, so the service has to be started again."""


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How events are logged, as in `core.log.configure`."""

    level: int
    readable: bool
    colors: bool | None

    def start(self) -> None:
        """Log so from now on."""
        configure(self.level, readable=self.readable, colors=self.colors)


@dataclass(frozen=True, slots=True)
class Task:
    """What a process is asked to do.

    Attributes:
        engine: the version and the build that ask; another one does not answer, since its records may differ.
        method: of `Work`.
        argument: of that method.
        log: how to log.
        relays: whether events are sent too.
    """

    engine: str
    method: str
    argument: Any
    log: LogSettings
    relays: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """A sign of progress."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An event that was logged, for what handles the service's events beside the log."""

    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Result:
    """What a method returned, or the error that it raised."""

    value: Any = None
    error: AgentsyncError | None = None


@dataclass(frozen=True, slots=True)
class Outdated:
    """A refusal to answer another build."""


Message = Progress | Logged | Result | Outdated


class ChildProcesses:
    """Does each piece of work in a process of its own; see `Work`."""

    def __init__(self, command: Sequence[str], log: LogSettings) -> None:
        """Take the command of such a process, and how it logs."""
        self._command = [*command]
        self._log = log
        self._engine = engine()  # of the code that runs, before another one is installed

    def load(self, path: Path) -> Loaded:
        """Read a configuration.

        Raises:
            AgentsyncError: it has a mistake, or the process was ended.
            OutdatedError: another version of agentsync is installed by now.
        """
        loaded: Loaded = self._call("load", path, _PATIENCE_SECONDS)
        return loaded

    def sync(self, task: SyncTask, progress: Callable[[], None]) -> Synced:
        """Run a sync.

        Raises:
            AgentsyncError: the process was ended before it had a result.
            OutdatedError: another version of agentsync is installed by now.
        """
        synced: Synced = self._call("sync", task, task.patience, progress)
        return synced

    def look(self, task: LookTask) -> Answer:
        """Make a page or a document; from any thread.

        Raises:
            AgentsyncError: the process was ended before it had a result.
        """
        try:
            answer: Answer = self._call("look", task, _PATIENCE_SECONDS)
        except (SystemExit, OutdatedError) as error:  # which end the main thread only
            raise AgentsyncError("this cannot be shown for now; see the service's log") from error
        return answer

    def _call(self, method: str, argument: object, patience: float, progress: Callable[[], None] | None = None) -> Any:
        with _started(self._command) as process:
            _send(process, Task(self._engine, method, argument, self._log, has_listeners()))
            match _answer(process, patience, progress or (lambda: None)):
                case Result(value, error):
                    if error:
                        raise error
                    return value
                case Outdated():
                    raise OutdatedError
                case _:
                    raise _failure(process)


@contextmanager
def _started(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, in a group of its own, which no terminal sends a signal; and end it at last."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        raise shortage(error) or _not_started(error) from error
    try:
        yield process
    except BaseException:
        process.terminate()
        raise
    finally:
        with suppress(OSError):  # it is gone already, with a task that it never read
            _pipe(process.stdin).close()
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _pipe(process.stdout).close()


def _send(process: subprocess.Popen[bytes], task: Task) -> None:
    with suppress(OSError):  # it ended, of which there is a report
        pickle.dump(task, _pipe(process.stdin))
        _pipe(process.stdin).flush()


def _answer(process: subprocess.Popen[bytes], patience: float, progress: Callable[[], None]) -> Message | None:
    """Wait for the result; None where the process ends without one.

    Raises:
        AgentsyncError: it shows no sign of progress for so many seconds.
    """
    messages: SimpleQueue[Message | None] = SimpleQueue()
    reader = Thread(target=_receive, args=(_pipe(process.stdout), messages), name="agentsync-work", daemon=True)
    try:
        reader.start()
    except RuntimeError as error:
        raise shortage(error) or error from error
    signed_at = time.monotonic()
    while True:
        try:
            message = messages.get(timeout=_SIGNAL_SECONDS)
        except Empty:
            if time.monotonic() - signed_at > patience:
                hint = "it was ended; the next run goes on where it stopped"
                raise AgentsyncError(f"a sync showed no sign of progress for {span(patience)}", hint=hint) from None
            continue
        if not isinstance(message, (Progress, Logged)):
            return message
        if isinstance(message, Logged):
            relay(message.event)
        signed_at = time.monotonic()
        progress()


def _receive(stream: IO[bytes], messages: SimpleQueue[Message | None]) -> None:
    message: Message | None = Progress()
    while isinstance(message, (Progress, Logged)):
        try:
            message = pickle.load(stream)  # noqa: S301 - from a process of this program
        except Exception:  # noqa: BLE001 - it ended, in the middle of a message too
            message = None
        messages.put(message)


def _failure(process: subprocess.Popen[bytes]) -> BaseException:
    """The error for a process that ended without a result."""
    try:
        code = process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:  # its output is closed, and it goes on
        code = -int(signal.SIGTERM)
    if code == ExitCode.BUG:  # it has reported it
        return SystemExit(code)
    hint = "the next run goes on where it stopped"
    if code < 0:
        name = signal.Signals(-code).name if -code in {*signal.Signals} else str(-code)
        hint += "; a system that is short of memory kills too, of which its log knows"
        return AgentsyncError(f"the process of a sync was killed ({name})", hint=hint)
    return AgentsyncError(f"the process of a sync ended with status {code}", hint=f"{hint}; its error is in the log")


def _not_started(error: OSError) -> AgentsyncError:
    hint = "was agentsync moved or updated? start the service again"
    return AgentsyncError(f"no process can be started for a sync: {error.strerror or error}", hint=hint)


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise ValueError("it is not a pipe")
    return stream
