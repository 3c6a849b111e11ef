"""Points in time and durations as text; times are in seconds since the epoch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


def span(seconds: float) -> str:
    """Format a duration in its largest whole unit, as `3 min`."""
    whole = max(0, int(seconds))
    for size, unit in _UNITS:
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def ago(timestamp: float, now: float) -> str:
    """Format a time relative to now, as `3 min ago` or `in 3 min`."""
    return f"{span(now - timestamp)} ago" if timestamp <= now else f"in {span(timestamp - now)}"


def utc(timestamp: float) -> str:
    """Format a time as `2026-01-01 12:00:00 UTC`."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(timestamp: float) -> str:
    """Format a time as `2026-01-01T12:00:00Z`."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%M:%S}Z"
