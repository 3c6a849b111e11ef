"""What comes in to the service's loop: from its threads, and from the handlers of signals.

A handler runs between two steps of the main thread's code only, and what it raises, wherever that is, can leave a lock
of a library taken. So it puts an event here. And a signal that comes just before a wait begins is handled when that
is over, which may be minutes later. So the wait is one for a socket, to which Python itself writes at once that there
was a signal (`signal.set_wakeup_fd`).
"""

from __future__ import annotations

import signal
import socket
import time
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, Self, TypeVar

_RINGS = 4096  # bytes that are read at once: each is a sign that something came in

Event = TypeVar("Event")


class Inbox(Generic[Event]):
    """Events, first come, first served; a context manager of the main thread, which only then hears signals."""

    def __init__(self) -> None:
        self._events: SimpleQueue[Event] = SimpleQueue()
        self._received, self._bell = socket.socketpair()
        self._bell.setblocking(False)  # noqa: FBT003 - takes no keyword

    def __enter__(self) -> Self:
        self._woken_before = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._woken_before)
        self._bell.close()
        self._received.close()

    def put(self, event: Event) -> None:
        """Adds an event, from any thread or a signal's handler; nobody hears it once this is closed."""
        self._events.put(event)
        with suppress(OSError):  # it is closed; or so full that it is sure to be heard
            self._bell.send(b"\0")

    def get(self, seconds: float) -> list[Event]:
        """All that came in; waits for the first, but no longer than so many seconds."""
        until = time.monotonic() + seconds
        while self._events.empty() and (left := until - time.monotonic()) > 0:
            self._received.settimeout(left)
            with suppress(TimeoutError):
                self._received.recv(_RINGS)
        events = []
        while not self._events.empty():
            events.append(self._events.get())
        return events
