"""Status messages to systemd: the protocol of sd_notify(3), with the standard library alone.

systemd names a datagram socket in NOTIFY_SOCKET and, where a watchdog is set, a time in WATCHDOG_USEC. Without the
socket nothing is sent.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

_LONGEST_STATUS: Final = 500
"""In characters: `systemctl status` shows one line, and systemd reads no message of more than 4096 bytes."""


class Notifier:
    """Sends the service's status to systemd; what cannot be sent now goes along with the next message.

    No method blocks or raises: a manager that is busy or gone must not stop a sync. But systemd would kill a healthy
    service if READY were lost, so nothing is dropped for good.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = _address(environment.get("NOTIFY_SOCKET", ""))
        self._watched = "WATCHDOG_USEC" in environment and _is_ours(environment.get("WATCHDOG_PID"))
        self._starting = True
        self._unsent: dict[str, str] = {}

    def ready(self, status: str) -> None:
        """Report that the service runs, for the first time or again after `reloading`."""
        self._starting = False
        self._unsent.pop("EXTEND_TIMEOUT_USEC", None)
        self._send(READY="1", STATUS=_one_line(status))

    def status(self, text: str) -> None:
        """Report what the service does, in a line for people."""
        self._send(STATUS=_one_line(text))

    def reloading(self) -> None:
        """Report that the configuration is read again, until `ready`; systemd matches the request by the time."""
        self._send(RELOADING="1", MONOTONIC_USEC=str(time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000))

    def stopping(self) -> None:
        """Report that the service ends."""
        self._send(STOPPING="1")

    def alive(self, within: float) -> None:
        """Report that the loop is alive, and will report again within so many seconds; else systemd may restart it.

        The loop itself reports, since a timer would go on even when the loop hangs. Before the first `ready`, the start
        may take until then, whatever TimeoutStartSec is set to: the first sync waits for all sources.
        """
        microseconds = str(round(within * 1_000_000))
        watchdog = {"WATCHDOG": "1", "WATCHDOG_USEC": microseconds} if self._watched else {}
        start = {"EXTEND_TIMEOUT_USEC": microseconds} if self._starting else {}
        if watchdog or start:
            self._send(**watchdog, **start)

    def _send(self, **variables: str) -> None:
        if not self._address:
            return
        older = {name: value for name, value in self._unsent.items() if name not in variables}
        self._unsent = older | variables  # of READY, RELOADING and STOPPING in one message, systemd obeys the last
        message = "\n".join(f"{name}={value}" for name, value in self._unsent.items()).encode(errors="replace")
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(0)
            channel.sendto(message, self._address)
            self._unsent = {}


def _address(name: str) -> str:
    """Parse a path, or a name in the abstract namespace; other kinds are for virtual machines, and are ignored."""
    if name.startswith("@"):
        return "\0" + name[1:]
    return name if name.startswith("/") else ""


def _is_ours(process: str | None) -> bool:
    """Whether the watchdog is for this process, and not for a parent from which the variables were inherited."""
    return process is None or process == str(os.getpid())


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_STATUS]
