"""When the service pulls: at a moment of each interval that is this machine's own, or as cron says.

A fleet must not come all at once, and no machine may be forgotten. So each has its own place in the interval, told
by a digest of its id, and each run is late by a little chance on top. APScheduler only says when: what is to be done
is done elsewhere, one thing after the other.
"""

from __future__ import annotations

import os
import random
import secrets
import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.date import DateTrigger

from agentsync.config.tables import DaemonTable
from agentsync.core.paths import AppPaths
from agentsync.report.service_status import Trigger

GRACE_SECONDS: Final = 5.0
"""By how much a run may be late before the clock is suspected."""

_CRON_SPREAD: Final = 60.0  # seconds, since a cron's own field is the minute
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MACHINE_ID: Final = Path("/etc/machine-id")
_NO_IDS: Final = frozenset({"", "uninitialized"})  # what machine-id(5) has in an image, until its first boot
_KEPT_ID: Final = "installation-id"


def own_fraction(machine_id: Path = _MACHINE_ID, fallback: str = "") -> float:
    """This user's place on this machine, from 0 to 1, the same each time.

    Args:
        machine_id: machine-id(5); it is told to nobody, a digest of it is used.
        fallback: what stands in for it where there is none, as in most containers.
    """
    try:
        identity = machine_id.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        identity = ""
    if identity in _NO_IDS:
        identity = fallback
    user = os.getuid() if hasattr(os, "getuid") else 0
    number = int.from_bytes(sha256(f"agentsync\n{identity}\n{user}".encode()).digest()[:8])
    return number / 2**64


def kept_id(app_paths: AppPaths) -> str:
    """An id of this installation: made by chance once, and kept with its state.

    Where it cannot be kept, the host's name stands in: in a fleet of containers each has another one.
    The caller is the only service of this installation.
    """
    path = app_paths.state / _KEPT_ID
    try:
        path.touch(mode=0o600)
        if kept := path.read_text(encoding="utf-8", errors="replace").strip():
            return kept
        made = secrets.token_hex(16)
        path.write_text(f"{made}\n", encoding="utf-8")
    except OSError:
        return socket.gethostname()
    return made


class Phased(BaseTrigger):  # type: ignore[misc] # APScheduler ships no types
    """Once an interval, at this machine's place in it, late by chance.

    Attributes:
        late: by how much at most.
    """

    def __init__(self, interval: float, fraction: float, jitter: float) -> None:
        """Args: the interval in seconds; the place in it and the share of it to be late by, both from 0 to 1."""
        self._interval = timedelta(seconds=interval)
        self._first = _EPOCH + self._interval * fraction
        self.late = self._interval * jitter

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        """The next run, after `previous_fire_time` and after `now`: of an interval that is over, none is made up."""
        turn = (max(now, previous_fire_time or now) - self._first) // self._interval + 1
        return self._first + self._interval * turn + self.late * random.random()  # noqa: S311 - no secret


class Spread(BaseTrigger):  # type: ignore[misc] # the same
    """As cron says, and later by this machine's own part of a minute; `late` by chance by nothing."""

    late = timedelta(0)

    def __init__(self, cron: str, fraction: float) -> None:
        self._cron = CronTrigger.from_crontab(cron, timezone=UTC)
        self._spread = timedelta(seconds=_CRON_SPREAD * fraction)

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The next run; None where cron's fields never meet again."""
        previous = previous_fire_time - self._spread if previous_fire_time else None
        moment: datetime | None = self._cron.get_next_fire_time(previous, now - self._spread)
        return moment + self._spread if moment else None


class Schedule:
    """Calls `tick` from a thread of its own when it is time; a context manager, which ends that thread.

    `follow` comes first.
    """

    def __init__(self, tick: Callable[[Trigger], None], fraction: float) -> None:
        self._tick = tick
        self._fraction = fraction
        self._trigger: Phased | Spread
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            # In the scheduler's own thread: a tick is put into a queue and never waits.
            executors={"default": DebugExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def __enter__(self) -> Self:
        self._scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._scheduler.shutdown()

    def follow(self, table: DaemonTable) -> None:
        """Runs as this table says from now on."""
        if table.cron:
            self._trigger = Spread(table.cron, self._fraction)
        else:
            self._trigger = Phased(table.interval, self._fraction, table.jitter)
        self._set(Trigger.SCHEDULE, self._trigger)

    def retry_in(self, seconds: float | None) -> None:
        """Runs once more in so many seconds; None for no more."""
        if seconds is not None:
            self._set(Trigger.RETRY, DateTrigger(datetime.fromtimestamp(time.time() + seconds, UTC)))
        elif self._scheduler.get_job(Trigger.RETRY):
            self._scheduler.remove_job(Trigger.RETRY)

    def look_at_clock(self) -> None:
        """Runs what is due by the clock on the wall, which a machine that slept has not noticed."""
        self._scheduler.wakeup()

    def has_missed(self, since: float) -> bool:
        """Whether a regular run would have been due between a moment, in seconds since the epoch, and now."""
        moment = self._trigger.get_next_fire_time(None, datetime.fromtimestamp(since, UTC))
        return moment is not None and moment <= datetime.fromtimestamp(time.time(), UTC)

    @property
    def next_run_at(self) -> float | None:
        """The next regular run, in seconds since the epoch; None where there is none."""
        job = self._scheduler.get_job(Trigger.SCHEDULE)
        return job.next_run_time.timestamp() if job and job.next_run_time else None

    def seconds_until_suspicious(self) -> float | None:
        """How long to wait for a tick before the clock must have been set back; None for ever.

        The scheduler goes by the clock on the wall: where that is set back, the run that it waits for is further away
        than one that would be planned now.
        """
        now = datetime.fromtimestamp(time.time(), UTC)
        moment = self._trigger.get_next_fire_time(None, now)
        return (moment - now + self._trigger.late).total_seconds() + GRACE_SECONDS if moment else None

    def _set(self, trigger: Trigger, when: BaseTrigger) -> None:
        self._scheduler.add_job(self._tick, when, args=[trigger], id=trigger, replace_existing=True)
