"""Windows of time, such as `Mon-Fri 09:00-16:00`, in a machine's time zone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Final, Self

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FORM: Final = re.compile(r"(?P<days>[A-Za-z,-]+) (?P<start>\d\d:\d\d)-(?P<end>\d\d:\d\d)")
_EXAMPLE: Final = "such as `Mon-Fri 09:00-16:00` or `Sat,Sun 22:00-04:00`"


@dataclass(frozen=True, slots=True)
class Window:
    """Hours of some weekdays; where the end is not after the start, it is on the next day.

    Attributes:
        days: 0 for Monday to 6 for Sunday.
    """

    days: frozenset[int]
    start: time
    end: time

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a window.

        Raises:
            ValueError: it has another form; the message gives an example.
        """
        found = _FORM.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"`{text}` is no window {_EXAMPLE}")
        try:
            start, end = (time.fromisoformat(found[name]) for name in ("start", "end"))
        except ValueError as error:
            raise ValueError(f"`{text}` has no such time of day; a window is {_EXAMPLE}") from error
        return cls(frozenset(_days(found["days"])), start, end)

    def contains(self, timestamp: float, zone: tzinfo | None) -> bool:
        """Whether a time, in seconds since the epoch, is within the window; without a zone, in the machine's own."""
        return any(opens <= timestamp < closes for opens, closes in self._around(timestamp, zone))

    def next_open(self, timestamp: float, zone: tzinfo | None) -> float:
        """Return the first time from this one on, in seconds since the epoch, that is within the window."""
        if self.contains(timestamp, zone):
            return timestamp
        return min(opens for opens, _ in self._around(timestamp, zone) if opens > timestamp)

    def _around(self, timestamp: float, zone: tzinfo | None) -> Iterator[tuple[float, float]]:
        """Yield when the window opens and closes, from the day before to the same weekday of the next week."""
        day = datetime.fromtimestamp(timestamp, zone).date()
        overnight = timedelta(days=self.end <= self.start)
        for offset in range(-1, 8):
            date = day + timedelta(days=offset)
            if date.weekday() in self.days:
                opens = datetime.combine(date, self.start, zone)
                yield opens.timestamp(), datetime.combine(date + overnight, self.end, zone).timestamp()


def _days(text: str) -> Iterator[int]:
    """Yield the days of a list of days and ranges."""
    for part in text.lower().split(","):
        first, _, last = part.partition("-")
        numbers = [_DAYS.index(day) if day in _DAYS else None for day in (first, last or first)]
        if numbers[0] is None or numbers[1] is None:
            raise ValueError(
                f"`{part}` is no day: write Mon, Tue, Wed, Thu, Fri, Sat or Sun, or two of them with a dash"
            )
        span = (numbers[1] - numbers[0]) % len(_DAYS)
        yield from ((numbers[0] + step) % len(_DAYS) for step in range(span + 1))
