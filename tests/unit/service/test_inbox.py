"""The inbox of the service's loop."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from threading import Event, Thread, Timer

import pytest

from agentsync.service.inbox import Inbox

_SECONDS = 60.0  # that no wait of these tests takes


@pytest.fixture
def inbox() -> Iterator[Inbox[str]]:
    with Inbox[str]() as inbox:
        yield inbox


def test_items_are_returned_in_their_order(inbox: Inbox[str]) -> None:
    inbox.put("first")
    inbox.put("second")
    assert inbox.get(0) == ["first", "second"]
    assert inbox.get(0) == []


def test_the_first_is_waited_for(inbox: Inbox[str]) -> None:
    Thread(target=inbox.put, args=["late"]).start()
    assert inbox.get(_SECONDS) == ["late"]


def test_a_wait_is_over_when_its_time_is(inbox: Inbox[str]) -> None:
    began = time.monotonic()
    assert inbox.get(0.05) == []
    assert 0.05 <= time.monotonic() - began < _SECONDS


def test_more_than_a_socket_holds_is_kept(inbox: Inbox[str]) -> None:
    for _ in range(10_000):
        inbox.put("again")
    assert len(inbox.get(0)) == 10_000


def test_items_after_the_end_are_dropped() -> None:
    with Inbox[str]() as inbox:
        pass
    inbox.put("late")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
def test_a_signal_that_does_not_interrupt_the_wait_ends_it(inbox: Inbox[str]) -> None:
    """As if it came just before the wait: the system interrupts another thread, and not this wait."""
    ended = Event()
    thread = Thread(target=ended.wait)
    before = signal.signal(signal.SIGUSR1, lambda *_: inbox.put("signal"))
    try:
        thread.start()
        Timer(0.1, signal.pthread_kill, args=[thread.ident, signal.SIGUSR1]).start()  # most often once it waits
        assert inbox.get(_SECONDS) == ["signal"]
    finally:
        signal.signal(signal.SIGUSR1, before)
        ended.set()
        thread.join()
