"""Points in time and durations as text; times are in seconds since the epoch."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from math import ceil
from typing import Final

_MINUTE: Final = 60
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"))


def span(seconds: float) -> str:
    """Format a duration in its largest whole unit, as `3 min`."""
    whole = max(0, int(seconds))
    for size, unit in _UNITS:
        if whole >= size:
            return f"{whole // size} {unit}"
    return f"{whole} s"


def time_left(seconds: float) -> str:
    """Format how long something still takes, rounded up, in at most two units, as `1 h 51 min`."""
    if seconds <= _MINUTE:
        return f"{max(0, ceil(seconds))} s"
    minutes = ceil(seconds / _MINUTE)
    parts = [(minutes // 1440, "d"), (minutes // 60 % 24, "h"), (minutes % 60, "min")]
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2])


def ago(timestamp: float, now: float) -> str:
    """Format a time relative to now, as `3 min ago` or `in 3 min`."""
    return f"{span(now - timestamp)} ago" if timestamp <= now else f"in {span(timestamp - now)}"


def utc(timestamp: float) -> str:
    """Format a time as `2026-01-01 12:00:00 UTC`."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(timestamp: float) -> str:
    """Format a time as `2026-01-01T12:00:00Z`."""
    return f"{datetime.fromtimestamp(timestamp, UTC):%Y-%m-%dT%H:%M:%S}Z"


_PARSED: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_DURATION: Final = re.compile(r"(\d{1,9}) ?(s|m|min|h|d|w)")


def parse_duration(text: str) -> float:
    """Parse a duration such as `90s`, `5m`, `2h`, `1d` or `1w` into seconds.

    Raises:
        ValueError: it has another form; the message gives examples.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"`{text}` is no duration such as `90s`, `5m`, `2h` or `1d`")
    return float(int(found[1]) * _PARSED[found[2]])
