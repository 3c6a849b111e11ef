"""Run the program in a child of a process that has imported it, which saves the start of an interpreter.

Such a run is a process of its own, with its own environment, directory, standard streams and signals. What it shares
with others is what imports leave behind, so nothing may be cached there that depends on the environment.

The parent of these children is a process of its own as well: it has no threads, so forking it is safe at any time.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any, Final, NoReturn, Self, TextIO

_MAX_REQUEST: Final = 1 << 20
_MAX_ANSWER: Final = 1 << 10
_STREAMS: Final = 3
_START_SECONDS: Final = 60.0
_LATE: Final = ("apscheduler.triggers.cron", "email.utils", "structlog.dev", "watchdog.observers")
"""Modules that the program imports on demand, beside GitPython, which is imported in its own way."""


class _Server:
    """One parent; it runs one child at a time."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "support.forkserver", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "LC_ALL": "C.UTF-8",
                    "PYTHONPATH": str(Path(__file__).parents[1]),
                    **measured,
                },
            )
        self._received = b""

    def start(self, request: Mapping[str, object], streams: Sequence[int]) -> int:
        """Start a child; return its number."""
        data = json.dumps(request).encode()
        socket.send_fds(self._socket, [len(data).to_bytes(4, "big") + data], streams)
        return self.answer(_START_SECONDS)

    def answer(self, seconds: float) -> int:
        """The next number that it sends, which is the child's, and then its exit status.

        Raises:
            TimeoutError: it sent none in time.
        """
        self._socket.settimeout(max(seconds, 1e-6))  # 0 would be another kind of socket
        while b"\n" not in self._received:
            data = self._socket.recv(_MAX_ANSWER)
            assert data, "the parent of forked runs has ended"
            self._received += data
        line, _, self._received = self._received.partition(b"\n")
        return int(line)

    def close(self) -> None:
        """Let it end, which it does by itself once its socket is closed."""
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)


_idle: list[_Server] = []


@atexit.register
def _close_all() -> None:
    while _idle:
        _idle.pop().close()


class Child:
    """The program in progress, used as `subprocess.Popen` is.

    Attributes:
        pid: the number of its process.
        returncode: its exit status, negative where a signal ended it; None where no one has waited for its end.
        stdout: its output, where that is a pipe.
        stderr: the same for its errors.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        cwd: Path,
        clock: Path | None = None,
        streams: Sequence[int] | None = None,
    ) -> None:
        """Start it.

        Args:
            arguments: its command line.
            environment: all of its variables.
            cwd: its directory.
            clock: a file with the number of seconds by which its clock is off.
            streams: descriptors of its standard streams; without them, it reads nothing and writes into pipes.
        """
        request = {
            "arguments": list(arguments),
            "environment": dict(environment),
            "cwd": str(cwd),
            "clock": str(clock or ""),
        }
        self.stdout: TextIO | None = None
        self.stderr: TextIO | None = None
        self.returncode: int | None = None
        self._server = _idle.pop() if _idle else _Server()
        if streams:
            self.pid = self._server.start(request, streams)
            return
        (out, their_out), (err, their_err) = os.pipe(), os.pipe()
        with open(os.devnull, "rb") as nothing, open(their_out, "wb"), open(their_err, "wb"):  # noqa: PTH123 - descriptors
            self.pid = self._server.start(request, [nothing.fileno(), their_out, their_err])
        self.stdout, self.stderr = (open(number, encoding="utf-8") for number in (out, err))  # noqa: SIM115, PTH123 - the same

    def wait(self, timeout: float) -> int:
        """Wait for its end for so many seconds; return the exit status.

        Raises:
            subprocess.TimeoutExpired: it has not ended.
        """
        if self.returncode is None:
            try:
                self.returncode = self._server.answer(timeout)
            except TimeoutError as error:
                raise subprocess.TimeoutExpired("agentsync", timeout) from error
            _idle.append(self._server)
        return self.returncode

    def communicate(self, timeout: float = 20) -> tuple[str, str]:
        """Wait for its end; return what is still in its pipes, which must hold all that it writes.

        Raises:
            subprocess.TimeoutExpired: it has not ended.
        """
        self.wait(timeout)
        assert self.stdout is not None
        assert self.stderr is not None
        out, err = ("" if stream.closed else stream.read() for stream in (self.stdout, self.stderr))
        self.stdout.close()
        self.stderr.close()
        return out, err

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it has not ended."""
        with suppress(subprocess.TimeoutExpired):
            self.wait(0)
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wait(_START_SECONDS)
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()


def run(
    arguments: Sequence[str],
    *,
    stdin: str,
    environment: Mapping[str, str],
    cwd: Path,
    seconds: float,
    clock: Path | None = None,
) -> tuple[int, str, str]:
    """Run the program to its end: exit status, standard output and standard error.

    Raises:
        subprocess.TimeoutExpired: it took longer than it may, and was killed.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        streams = [stream.fileno() for stream in (given, out, err)]
        child = Child(arguments, environment=environment, cwd=cwd, clock=clock, streams=streams)
        try:
            code = child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(_START_SECONDS)
            raise
        for stream in (out, err):
            stream.seek(0)
        return code, out.read().decode(), err.read().decode()


# From here on it is the parent's side.


def _serve(requests: socket.socket) -> None:
    import_everything()
    while request := _next_request(requests):
        child = os.fork()
        if child == 0:
            requests.close()
            exit_with(partial(_run, *request))
        for stream in request[1]:
            os.close(stream)
        requests.sendall(f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        requests.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _next_request(requests: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    data, streams, _, _ = socket.recv_fds(requests, _MAX_REQUEST, _STREAMS)
    if not data:
        return None
    size = int.from_bytes(data[:4], "big")
    data = data[4:]
    while len(data) < size:
        data += requests.recv(size - len(data))
    return json.loads(data), streams


def import_everything() -> None:
    """Import all that a run of the program may import, so that a forked child has it."""
    import agentsync  # noqa: PLC0415 - only the parent needs it
    from agentsync.git import process as git_process  # noqa: PLC0415 - the same

    modules = (module.name for module in walk_packages(agentsync.__path__, "agentsync."))
    for name in (*(name for name in modules if not name.endswith("__main__")), *_LATE):
        import_module(name)
    git_process._facade()
    gc.freeze()  # so that a child's collections copy nothing


def _run(request: Mapping[str, Any], streams: Sequence[int]) -> int:
    """Run the program in a child of its own; return its exit status."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(_STREAMS, max(streams) + 1)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    os.fsync = lambda _descriptor: None  # type: ignore[assignment]  # that it is called is for tests/fault to see; here it only takes time
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    errors = ("surrogateescape", "surrogateescape", "backslashreplace")  # as Python itself opens them
    sys.stdin, sys.stdout, sys.stderr = (
        open(number, mode, buffering, encoding="utf-8", errors=lenient)  # noqa: SIM115, PTH123 - for the life of this process
        for number, (mode, buffering, lenient) in enumerate(zip("rww", (-1, -1, 1), errors, strict=True))
    )
    if request["clock"]:
        from support.shifted import shift  # noqa: PLC0415 - only these runs need it

        shift(Path(request["clock"]))
    sys.modules["__main__"] = program = import_module("agentsync.__main__")
    sys.argv = [str(program.__file__), *request["arguments"]]
    warnings.resetwarnings()
    warnings.simplefilter("error")
    return int(program.main())


def exit_with(run: Callable[[], int]) -> NoReturn:
    """End a forked child with the status of what it runs; it must not go on in its parent's code."""
    code = 99
    try:
        code = run()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 98
    except BaseException:  # noqa: BLE001 - see above
        traceback.print_exc()
    with suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        _serve(requests)
