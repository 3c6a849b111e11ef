"""The inbox of the service's loop, filled by its threads and by its signal handlers.

A signal handler runs between any two steps of the main thread's code, so an exception that it raises can leave a
library's lock taken: it puts an event here instead. And a signal that arrives just before a wait begins is handled when
the wait is over, which may be minutes later: so the loop waits for a socket, to which Python itself writes at once when
a signal arrives (`signal.set_wakeup_fd`).
"""

from __future__ import annotations

import signal
import socket
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, Self, TypeVar

_WAKEUP_BYTES = 4096  # that are read at once; each means only that something arrived

Event = TypeVar("Event")


class Inbox(Generic[Event]):
    """A queue of events; a context manager of the main thread, within which signals wake up a waiting `get`."""

    def __init__(self) -> None:
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._wakeups, self._bell = socket.socketpair()
        self._bell.setblocking(False)  # noqa: FBT003 - takes no keyword

    def __enter__(self) -> Self:
        self._woken_before = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._woken_before)
        self._bell.close()
        self._wakeups.close()

    def put(self, event: Event) -> None:
        """Add an event, from any thread or a signal handler; it is never read once the inbox is closed."""
        self._events.put(event)
        with suppress(OSError):  # the socket is closed, or so full that the reader is sure to wake up
            self._bell.send(b"\0")

    def get(self, seconds: float) -> list[Event]:
        """Return all events; wait at most so many seconds for the first one."""
        until = time.monotonic() + seconds
        while self._events.empty() and (remaining := until - time.monotonic()) > 0:
            self._wakeups.settimeout(remaining)
            with suppress(TimeoutError):
                self._wakeups.recv(_WAKEUP_BYTES)
        events = []
        while not self._events.empty():
            events.append(self._events.get())
        return events
