"""What the service tells systemd of itself: the protocol of sd_notify(3), in the standard library's words.

systemd names a datagram socket in NOTIFY_SOCKET and, where a watchdog is set, a time in WATCHDOG_USEC. Without the
first nothing is said at all.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

_LONGEST_STATUS: Final = 500
"""Characters: `systemctl status` shows one line, and systemd reads no message of more than 4096 bytes."""


class Notifier:
    """Tells systemd how the service is; what it cannot be told now goes along with the next message.

    No method blocks or raises: a manager that is busy or gone must not stop a sync. But a READY that got lost would
    have systemd kill a service that is well, so nothing is dropped for good.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._watched = "WATCHDOG_USEC" in environment and _is_meant(environment.get("WATCHDOG_PID"))
        self._starting = True
        self._due: dict[str, str] = {}

    def ready(self, status: str) -> None:
        """The service runs, for the first time or again after `reloading`."""
        self._starting = False
        self._due.pop("EXTEND_TIMEOUT_USEC", None)
        self._send(READY="1", STATUS=_one_line(status))

    def status(self, text: str) -> None:
        """What the service does, in a line for people."""
        self._send(STATUS=_one_line(text))

    def reloading(self) -> None:
        """The configuration is read anew; `ready` ends that. systemd tells by the time which request it answers."""
        self._send(RELOADING="1", MONOTONIC_USEC=str(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))

    def stopping(self) -> None:
        """The service ends."""
        self._send(STOPPING="1")

    def alive(self, within: float) -> None:
        """The loop goes on, and says so again before `within` seconds are over; else systemd may restart it.

        So no timer is needed that would say it whether the loop goes on or not. Before the first `ready`, the start may
        take until then, whatever TimeoutStartSec says: the first sync waits for all sources.
        """
        microseconds = str(round(within * 1_000_000))
        watchdog = {"WATCHDOG": "1", "WATCHDOG_USEC": microseconds} if self._watched else {}
        start = {"EXTEND_TIMEOUT_USEC": microseconds} if self._starting else {}
        if watchdog or start:
            self._send(**watchdog, **start)

    def _send(self, **variables: str) -> None:
        if not self._address:
            return
        older = {name: value for name, value in self._due.items() if name not in variables}
        self._due = older | variables  # of READY, RELOADING and STOPPING in one message, systemd heeds the last
        message = "\n".join(f"{name}={value}" for name, value in self._due.items()).encode(errors="replace")
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(0)
            channel.sendto(message, self._address)
            self._due = {}


def _address(name: str) -> str:
    """A path, or a name in the abstract namespace; other kinds are for virtual machines, and count as none."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _is_meant(process: str | None) -> bool:
    """Whether the watchdog is for this process, and not for one that left its variables to it."""
    return process is None or process == str(os.getpid())


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_STATUS]
