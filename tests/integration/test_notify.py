"""Notifications to systemd on a real socket, also where nobody reads from it."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentsync.service.notify import Notifier

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd and abstract sockets are Linux's")


class Manager:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.name = address.replace("\0", "@", 1)
        self.channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.channel.bind(address)
        self.channel.settimeout(0)

    def received(self) -> dict[str, str]:
        """The next message."""
        return dict(line.split("=", 1) for line in self.channel.recv(4096).decode().split("\n"))

    def receives_nothing(self) -> bool:
        try:
            self.channel.recv(4096)
        except BlockingIOError:
            return True
        return False

    def notifier(self, **more: str) -> Notifier:
        return Notifier({"NOTIFY_SOCKET": self.name, **more})


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    where = {"path": str(tmp_path / "notify"), "abstract": f"\0agentsync-test/{tmp_path.name}-{os.getpid()}"}
    manager = Manager(where[request.param])
    with manager.channel:
        yield manager


def test_each_word_is_a_message_of_its_own(manager: Manager) -> None:
    notifier = manager.notifier()
    notifier.ready("5 files")
    assert manager.received() == {"READY": "1", "STATUS": "5 files"}
    notifier.status("fetching")
    assert manager.received() == {"STATUS": "fetching"}
    notifier.stopping()
    assert manager.received() == {"STOPPING": "1"}
    assert manager.receives_nothing()


def test_a_reload_has_its_time_on_the_clock_that_systemd_uses(manager: Manager) -> None:
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    manager.notifier().reloading()
    received = manager.received()
    assert received.keys() == {"RELOADING", "MONOTONIC_USEC"}
    assert before <= int(received["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_the_watchdog_gets_the_time_of_the_next_notification(manager: Manager) -> None:
    notifier = manager.notifier(WATCHDOG_USEC="60000000", WATCHDOG_PID=str(os.getpid()))
    notifier.ready("up")
    manager.received()
    notifier.alive(330.5)
    assert manager.received() == {"WATCHDOG": "1", "WATCHDOG_USEC": "330500000"}


@pytest.mark.parametrize("variables", [{}, {"WATCHDOG_USEC": "60000000"}])
def test_until_it_is_ready_the_start_may_take_as_long_as_it_asks_for(
    manager: Manager, variables: dict[str, str]
) -> None:
    notifier = manager.notifier(**variables)
    watchdog = {"WATCHDOG": "1", "WATCHDOG_USEC": "720000000"} if variables else {}
    notifier.alive(720)
    assert manager.received() == {"EXTEND_TIMEOUT_USEC": "720000000", **watchdog}
    sent = _fill(manager)
    notifier.alive(720)
    notifier.ready("up")
    for _ in range(sent):
        manager.channel.recv(4096)
    notifier.alive(720)
    notifier.status("later")
    assert manager.received() == {"READY": "1", "STATUS": "up" if variables else "later", **watchdog}


@pytest.mark.parametrize("variables", [{}, {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_missing_or_not_ours_gets_nothing(manager: Manager, variables: dict[str, str]) -> None:
    notifier = manager.notifier(**variables)
    notifier.ready("up")
    manager.received()
    notifier.alive(10)
    assert manager.receives_nothing()


def test_a_status_is_one_short_line(manager: Manager) -> None:
    manager.notifier().status("a source:\nno\tanswer\nREADY=1 " + "ü" * 5000 + "\udcff")
    received = manager.received()
    assert received.keys() == {"STATUS"}
    assert received["STATUS"].startswith("a source: no answer READY=1 ü")
    assert len(received["STATUS"]) == 500


def test_a_message_that_a_full_socket_refused_comes_with_the_next_one(manager: Manager) -> None:
    sent = _fill(manager)
    notifier = manager.notifier()
    notifier.reloading()
    notifier.ready("first")
    notifier.status("second")
    for _ in range(sent):
        manager.channel.recv(4096)
    assert manager.receives_nothing()
    notifier.status("third")
    names = manager.channel.recv(4096).decode().split("\n")
    assert [name for name in names if not name.startswith("MONOTONIC_USEC=")] == [
        "RELOADING=1",
        "READY=1",
        "STATUS=third",
    ]
    notifier.status("fourth")
    assert manager.received() == {"STATUS": "fourth"}


def _fill(manager: Manager) -> int:
    """Send until the receiver's queue is full; each time from a new socket, since a sender has a limit of its own."""
    for count in range(100_000):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.settimeout(0)
            try:
                other.sendto(b"X=1", manager.channel.getsockname())
            except BlockingIOError:
                return count
    pytest.fail("the socket takes everything")


def test_a_manager_that_comes_back_gets_the_messages_that_it_missed(tmp_path: Path) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    notifier.ready("up")
    manager = Manager(str(tmp_path / "notify"))
    with manager.channel:
        notifier.status("later")
        assert manager.received() == {"READY": "1", "STATUS": "later"}
    notifier.stopping()


@pytest.mark.parametrize("name", ["", "relative/path", "vsock:2:1234", "/" + "long/" * 100, "@" + "l" * 200])
def test_a_socket_that_cannot_be_used_stops_nothing(name: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "1000000"})
    notifier.ready("up")
    notifier.reloading()
    notifier.alive(1)
    notifier.stopping()


def test_without_systemd_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Notifier().ready("up")
