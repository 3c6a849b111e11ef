"""The process in which the service runs a sync, reads a configuration or makes a page.

It is no command for people: `agentsync.service.child_process` starts it, and explains what it is sent.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from threading import Thread
from typing import IO, Final

import click

from agentsync.cli.daemon import show
from agentsync.cli.error_boundary import run
from agentsync.core.build_id import engine
from agentsync.core.errors import AgentsyncError, ExitCode, shortage
from agentsync.core.log import also_handled_by
from agentsync.service.child_process import Logged, Message, Outdated, Progress, Result, Task
from agentsync.service.local_work import LocalWork

_SIGN_SECONDS: Final = 1.0  # between two signs of progress


@click.command("service-child")
def command() -> int:
    """Do one piece of the service's work."""
    output = _own_output()
    task: Task = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the service, of which this is a part
    if task.engine != engine():
        _send(output, Outdated())
        return ExitCode.OK
    task.log.start()
    relaying = also_handled_by(lambda event: _send(output, Logged({**event}))) if task.relays else nullcontext()
    try:
        Thread(target=_end_with_the_service, name="agentsync-service", daemon=True).start()
        with relaying:
            result = Result(_do(task, _Signs(output)))
    except AgentsyncError as error:
        result = Result(error=error)
    except Exception as error:
        if not (short := shortage(error)):
            raise
        result = Result(error=short)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the service closes its end as soon as it has the result
    _send(output, result)
    return ExitCode.OK


class _Signs:
    """Sends signs of progress, not too many."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output = output
        self._sent_at = time.monotonic()

    def __call__(self) -> None:
        if time.monotonic() - self._sent_at >= _SIGN_SECONDS:
            self._sent_at = time.monotonic()
            _send(self._output, Progress())


def _do(task: Task, progress: Callable[[], None]) -> object:
    work = LocalWork(show)
    match task.method:
        case "load":
            return work.load(task.argument)
        case "sync":
            return work.sync(task.argument, progress)
        case _:
            return work.look(task.argument)


def _own_output() -> IO[bytes]:
    """Return what standard output was; from now on, what is printed there is dropped."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return output


def _send(output: IO[bytes], message: Message) -> None:
    pickle.dump(message, output)
    output.flush()


def _end_with_the_service() -> None:
    """Wait for the service's end of the pipe to be closed, and end this process as a signal would."""
    os.read(sys.stdin.fileno(), 1)
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Do one piece of work and return the exit status."""
    return run(command)
