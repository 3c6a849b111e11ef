"""Moments and spans of time in words; moments are seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


def span(seconds: float) -> str:
    """A span in its largest unit: `3 min`."""
    whole = max(0, int(seconds))
    for size, unit in _UNITS:
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def ago(moment: float, now: float) -> str:
    """How long ago it was, or how long it will be: `3 min ago`, `in 3 min`."""
    return f"{span(now - moment)} ago" if moment <= now else f"in {span(moment - now)}"


def utc(moment: float) -> str:
    """As `2026-01-01 12:00:00 UTC`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(moment: float) -> str:
    """As `2026-01-01T12:00:00Z`."""
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%S}Z"
