"""When the service pulls: once an interval, at this machine's own offset, or as a cron expression specifies.

A fleet must not fetch all at once, and no machine may be forgotten. So each machine has its own offset in the interval,
derived from a digest of its id, plus a random delay for each run. APScheduler decides only the times: the work itself
is done in the service's loop.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, Self

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from agentsync.report.service_status import Trigger

GRACE_SECONDS: Final = 5.0
"""How late a run may be before the clock is suspected."""

_CRON_SPREAD: Final = 60.0  # seconds, since cron's finest field is the minute
_EPOCH: Final = datetime.fromtimestamp(0, UTC)


class Timing(Protocol):
    """When to pull: the interval in seconds and its jitter, or a cron expression instead."""

    @property
    def interval(self) -> float: ...
    @property
    def jitter(self) -> float: ...
    @property
    def cron(self) -> str | None: ...


class Phased(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """A trigger that fires once an interval, at this machine's offset, with a random delay.

    Attributes:
        late: the longest delay.
    """

    def __init__(self, interval: float, fraction: float, jitter: float) -> None:
        """Take the interval in seconds; the offset and the longest delay are fractions of it, from 0 to 1."""
        self._interval = timedelta(seconds=interval)
        self._first = _EPOCH + self._interval * fraction
        self.late = self._interval * jitter

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next run, after `previous_fire_time` and after `now`: a run that was missed is not made up for."""
        turn = (max(now, previous_fire_time or now) - self._first) // self._interval + 1
        return self._first + self._interval * turn + self.late * random.random()  # noqa: S311 - no secret


class Spread(BaseTrigger):  # type: ignore[misc] # the same
    """A trigger that fires as a cron expression specifies, delayed by this machine's offset in a minute.

    The delay is always the same, so nothing is random and `late` is zero.
    """

    late = timedelta(0)

    def __init__(self, cron: str, fraction: float) -> None:
        self._cron = CronTrigger.from_crontab(cron, timezone=UTC)
        self._spread = timedelta(seconds=_CRON_SPREAD * fraction)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The next run; None where the expression never matches again."""
        previous = previous_fire_time - self._spread if previous_fire_time else None
        next_match: datetime | None = self._cron.get_next_fire_time(previous, now - self._spread)
        return next_match + self._spread if next_match else None


class Schedule:
    """Calls `tick` from a thread of its own when a run is due; a context manager, which ends that thread.

    Call `follow` first.
    """

    def __init__(self, tick: Callable[[Trigger], None], fraction: float) -> None:
        self._tick = tick
        self._fraction = fraction
        self._trigger: Phased | Spread
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # In the scheduler's own thread: a tick only puts an event into a queue, and never blocks.
            executors={"default": DebugExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def __enter__(self) -> Self:
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.shutdown()

    def follow(self, timing: Timing) -> None:
        """Use this schedule from now on."""
        if timing.cron:
            self._trigger = Spread(timing.cron, self._fraction)
        else:
            self._trigger = Phased(timing.interval, self._fraction, timing.jitter)
        self._set(Trigger.SCHEDULE, self._trigger)

    def retry_in(self, seconds: float | None) -> None:
        """Schedule one extra run in so many seconds; None cancels it."""
        if seconds is not None:
            self._set(Trigger.RETRY, DateTrigger(datetime.fromtimestamp(time.time() + seconds, UTC), timezone=UTC))
        elif self._scheduler.get_job(Trigger.RETRY):
            self._scheduler.remove_job(Trigger.RETRY)

    def look_at_clock(self) -> None:
        """Run what is due by the wall clock, since a sleeping machine misses its timers."""
        self._scheduler.wakeup()

    def has_missed(self, since: float) -> bool:
        """Whether a regular run was due between a time, in seconds since the epoch, and now."""
        next_run = self._trigger.get_next_fire_time(None, datetime.fromtimestamp(since, UTC))
        return next_run is not None and next_run <= datetime.fromtimestamp(time.time(), UTC)

    @property
    def next_run_at(self) -> float | None:
        """The time of the next regular run, in seconds since the epoch; None where there is none."""
        job = self._scheduler.get_job(Trigger.SCHEDULE)
        return job.next_run_time.timestamp() if job and job.next_run_time else None

    def seconds_until_suspicious(self) -> float | None:
        """Seconds to wait for a tick before the clock must have been set back; None for ever.

        The scheduler goes by the wall clock: where that is set back, the run that it waits for is further away than one
        that would be scheduled now.
        """
        now = datetime.fromtimestamp(time.time(), UTC)
        next_run = self._trigger.get_next_fire_time(None, now)
        return (next_run - now + self._trigger.late).total_seconds() + GRACE_SECONDS if next_run else None

    def _set(self, trigger: Trigger, when: BaseTrigger) -> None:
        self._scheduler.add_job(self._tick, when, args=[trigger], id=trigger, replace_existing=True)
