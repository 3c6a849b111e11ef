"""The service as a process, with its log read while it runs, and a service manager that listens."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from support.forkserver import Child
from support.machine import Machine, agent
from support.repository import Repository

_SECONDS = 60.0


class Manager:
    """systemd's side of the notification socket."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.messages: list[str] = []

    def wait_for(self, text: str) -> str:
        """The next message with this in it."""
        while True:
            self.messages.append(self._channel.recv(1 << 16).decode())
            if text in self.messages[-1]:
                return self.messages[-1]


class Service:
    """`agentsync daemon`.

    Attributes:
        process: its process.
        events: its log so far, as far as it was waited for.
    """

    def __init__(
        self,
        machine: Machine,
        *,
        environment: Mapping[str, str] | None = None,
        clock: Path | None = None,
        before: Sequence[str] = (),
    ) -> None:
        """Start it.

        Args:
            machine: where it runs.
            environment: variables beside those that every run gets.
            clock: a file with the number of seconds by which the clock is off.
            before: a command that becomes the program.
        """
        variables = machine.environment | {"AGENTSYNC_LOG_FORMAT": ""} | dict(environment or {})  # it logs JSON unasked
        self.events: list[dict[str, Any]] = []
        self._lines: SimpleQueue[str | None] = SimpleQueue()
        self.process: Child | subprocess.Popen[str]
        if before:
            self.process = subprocess.Popen(
                [*before, *machine.command("daemon")],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=machine.root,
                env=variables,
            )
        else:
            self.process = Child(["daemon"], environment=variables, cwd=machine.root, clock=clock)
        self._reader = Thread(target=self._read)
        self._reader.start()

    def wait_for(self, name: str, **facts: object) -> dict[str, Any]:
        """The next event of this name with these facts.

        Raises:
            AssertionError: the service ended, or logged nothing for long.
        """
        while True:
            event = self._next()
            assert event is not None, f"it ended without {name}: {self.events}"
            if event["event"] == name and facts.items() <= event.items():
                return event

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; return the exit status."""
        self.process.send_signal(number)
        code = self.process.wait(_SECONDS)
        while self._next() is not None:
            pass
        return code

    def kill(self) -> None:
        """End it at once, if it is still there."""
        self.process.kill()
        self.process.wait(_SECONDS)
        self._reader.join(_SECONDS)

    def _read(self) -> None:
        assert self.process.stdout
        assert self.process.stderr
        with self.process.stdout, self.process.stderr as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put(None)

    def next_event(self) -> dict[str, Any]:
        """The next event, whatever it is.

        Raises:
            AssertionError: the service ended, or logged nothing for long.
        """
        event = self._next()
        assert event is not None, "it ended"
        return event

    def _next(self) -> dict[str, Any] | None:
        try:
            line = self._lines.get(timeout=_SECONDS)
        except Empty as error:
            raise AssertionError(f"nothing was logged for long, after {self.events}") from error
        if line is None:
            return None
        self.events.append(json.loads(line) if line.startswith("{") else {"event": "", "text": line})
        return self.events[-1]

    @staticmethod
    def until(holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        end = time.monotonic() + _SECONDS
        while not holds():
            assert time.monotonic() < end, "it did not come to hold in time"
            time.sleep(0.01)

    @staticmethod
    @contextmanager
    def manager(path: Path) -> Iterator[Manager]:
        """A service manager that listens at this path."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(_SECONDS)
            channel.bind(str(path))
            yield Manager(channel)


def change(repository: Repository, name: str = "reviewer", prompt: str = "You review with care.") -> str:
    """Commit another prompt for one agent; return the commit's id."""
    repository.write({f"agents/{name}.md": agent(name, prompt, tools="Read, Grep")})
    return repository.commit(f"Change {name}")
