"""What the service owes after a cycle that could not be run, or after the machine was off."""

from __future__ import annotations

import pytest

from agentsync.service.overdue import Arrears
from agentsync.service.polling import Asks
from support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def arrears(clock: Clock) -> Arrears:
    """The longest that chance can make each wait."""
    return Arrears(clock=clock, chance=lambda _least, most: most)


def test_nothing_is_owed_at_first(arrears: Arrears) -> None:
    assert arrears.wait is None
    assert arrears.due is Asks.NOBODY
    assert arrears.with_failed(Asks.FAILED) is Asks.FAILED


def test_what_is_owed_is_due_when_its_time_has_come(arrears: Arrears, clock: Clock) -> None:
    arrears.owe(Asks.DUE, 30)
    assert (arrears.wait, arrears.due) == (30, Asks.NOBODY)
    assert arrears.with_failed(Asks.NOBODY) is Asks.NOBODY  # it has its own time
    clock.now += 31
    assert (arrears.wait, arrears.due) == (0, Asks.DUE)


@pytest.mark.parametrize(
    ("asked", "left"), [(Asks.NOBODY, 30), (Asks.FAILED, 30), (Asks.DUE, None), (Asks.EVERYONE, None)]
)
def test_whoever_asks_as_many_settles_it(arrears: Arrears, asked: Asks, left: float | None) -> None:
    arrears.owe(Asks.DUE, 30)
    arrears.asked(asked)
    assert arrears.wait == left


def test_a_cycle_that_fails_is_owed_later_and_later_for_ten_minutes_at_most(arrears: Arrears, clock: Clock) -> None:
    waits = []
    for _ in range(12):
        arrears.failed(Asks.NOBODY)
        waits.append(arrears.wait)
        clock.now += 1000
    assert waits[:3] == [4, 8, 16]
    assert waits[-1] == 600
    arrears.asked(Asks.NOBODY)
    arrears.failed(Asks.NOBODY)
    assert arrears.wait == 4


def test_the_cycle_after_one_that_failed_makes_up_for_it(arrears: Arrears) -> None:
    arrears.failed(Asks.EVERYONE)
    arrears.failed(Asks.NOBODY)
    assert arrears.with_failed(Asks.NOBODY) is Asks.EVERYONE
    arrears.asked(Asks.EVERYONE)
    assert arrears.with_failed(Asks.NOBODY) is Asks.NOBODY


def test_what_was_owed_before_is_not_forgotten_by_a_cycle_that_fails(arrears: Arrears) -> None:
    arrears.owe(Asks.DUE, 30)
    arrears.failed(Asks.NOBODY)
    assert arrears.with_failed(Asks.NOBODY) is Asks.DUE
