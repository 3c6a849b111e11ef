"""A wall clock that is off by the seconds in a file."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import apscheduler.schedulers.base


def shift(file: Path) -> None:
    """Shift the wall clock of this process, and leave the monotonic one."""
    real = time.time

    def offset() -> float:
        return float(file.read_text(encoding="ascii") or 0)

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=offset())

    time.time = lambda: real() + offset()
    apscheduler.schedulers.base.datetime = Shifted
