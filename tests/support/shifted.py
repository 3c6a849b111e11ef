"""Run agentsync by a clock that is off by the seconds in a file: `python -m support.shifted FILE COMMAND...`."""

from __future__ import annotations

import sys
import time
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import apscheduler.schedulers.base

from agentsync.cli import main


def shift(file: Path) -> None:
    """Shift the wall clock, and leave the monotonic one."""
    real = time.time

    def offset() -> float:
        return float(file.read_text(encoding="ascii") or 0)

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(seconds=offset())

    time.time = lambda: real() + offset()
    apscheduler.schedulers.base.datetime = Shifted


if __name__ == "__main__":
    shift(Path(sys.argv.pop(1)))
    sys.exit(main())
