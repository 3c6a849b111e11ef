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
from typing import IO, Any, Final, NoReturn

_MAX_REQUEST: Final = 1 << 20
_STREAMS: Final = 3
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
        self._answers = self._socket.makefile("r")

    def run(self, request: Mapping[str, object], streams: Sequence[IO[bytes]], seconds: float) -> int:
        """The exit status of one child, negative where a signal ended it."""
        self._socket.settimeout(seconds)
        data = json.dumps(request).encode()
        socket.send_fds(self._socket, [len(data).to_bytes(4, "big") + data], [stream.fileno() for stream in streams])
        child = int(self._answers.readline())
        try:
            return int(self._answers.readline())
        except TimeoutError as error:
            os.kill(child, signal.SIGKILL)
            self.close()
            raise subprocess.TimeoutExpired(str(request["arguments"]), seconds) from error

    def close(self) -> None:
        """Let it end, which it does by itself once its socket is closed."""
        self._answers.close()
        self._socket.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(5)


_idle: list[_Server] = []


@atexit.register
def _close_all() -> None:
    while _idle:
        _idle.pop().close()


def run(
    arguments: Sequence[str], *, stdin: str, environment: Mapping[str, str], cwd: Path, seconds: float
) -> tuple[int, str, str]:
    """Run the program to its end: exit status, standard output and standard error.

    Raises:
        subprocess.TimeoutExpired: it took longer than it may, and was killed.
    """
    server = _idle.pop() if _idle else _Server()
    request = {"arguments": list(arguments), "environment": dict(environment), "cwd": str(cwd)}
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        code = server.run(request, (given, out, err), seconds)
        _idle.append(server)
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
        open(number, mode, encoding="utf-8", errors=lenient)  # noqa: SIM115, PTH123 - for the life of this process
        for number, (mode, lenient) in enumerate(zip("rww", errors, strict=True))
    )
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
