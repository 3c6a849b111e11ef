"""Pending fetches after a cycle that could not be run, or after the machine was off."""

from __future__ import annotations

import pytest

from agentsync.service.overdue import LEAST_SECONDS, PendingFetches
from agentsync.service.polling import FetchPolicy
from support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pending(clock: Clock) -> PendingFetches:
    """Pending fetches with the longest random wait."""
    return PendingFetches(clock=clock, chance=lambda _least, most: most)


def test_nothing_is_pending_at_first(pending: PendingFetches) -> None:
    assert pending.wait is None
    assert pending.due is FetchPolicy.NONE
    assert pending.with_failed(FetchPolicy.RETRY) is FetchPolicy.RETRY


def test_a_pending_fetch_is_due_when_its_time_has_come(pending: PendingFetches, clock: Clock) -> None:
    pending.schedule(FetchPolicy.DUE, 30)
    assert (pending.wait, pending.due) == (30, FetchPolicy.NONE)
    assert pending.with_failed(FetchPolicy.NONE) is FetchPolicy.NONE  # it has its own time
    clock.now += 31
    assert (pending.wait, pending.due) == (0, FetchPolicy.DUE)


@pytest.mark.parametrize(
    ("policy", "wait"),
    [(FetchPolicy.NONE, 30), (FetchPolicy.RETRY, 30), (FetchPolicy.DUE, None), (FetchPolicy.ALL, None)],
)
def test_a_cycle_with_the_same_scope_settles_it(
    pending: PendingFetches, policy: FetchPolicy, wait: float | None
) -> None:
    pending.schedule(FetchPolicy.DUE, 30)
    pending.succeeded(policy)
    assert pending.wait == wait


def test_a_failed_cycle_is_retried_later_and_later_for_ten_minutes_at_most(
    pending: PendingFetches, clock: Clock
) -> None:
    waits = []
    for _ in range(12):
        pending.failed(FetchPolicy.NONE)
        waits.append(pending.wait)
        clock.now += 1000
    assert waits[:3] == [4, 8, 16]
    assert waits[-1] == 600
    pending.succeeded(FetchPolicy.NONE)
    pending.failed(FetchPolicy.NONE)
    assert pending.wait == 4


def test_while_cycles_cannot_be_run_a_retry_that_is_overdue_waits_for_their_backoff(pending: PendingFetches) -> None:
    assert pending.next_retry(None) is None
    assert pending.next_retry(30) == 30
    assert pending.next_retry(-30) == LEAST_SECONDS
    pending.failed(FetchPolicy.RETRY)
    assert pending.next_retry(-30) == pending.next_retry(3) == 4


def test_the_cycle_after_one_that_failed_makes_up_for_it(pending: PendingFetches) -> None:
    pending.failed(FetchPolicy.ALL)
    pending.failed(FetchPolicy.NONE)
    assert pending.with_failed(FetchPolicy.NONE) is FetchPolicy.ALL
    pending.succeeded(FetchPolicy.ALL)
    assert pending.with_failed(FetchPolicy.NONE) is FetchPolicy.NONE


def test_an_earlier_pending_fetch_is_not_forgotten_by_a_failed_cycle(pending: PendingFetches) -> None:
    pending.schedule(FetchPolicy.DUE, 30)
    pending.failed(FetchPolicy.NONE)
    assert pending.with_failed(FetchPolicy.NONE) is FetchPolicy.DUE
