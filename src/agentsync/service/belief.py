"""When the service may believe its watches, instead of looking at each file in each cycle.

A watch is a hint, and events are lost: of a change through another name of the same file, by a program that maps it, in
a directory that was mounted over. So a belief is limited in time: by then every file is looked at, whatever the watches
reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Belief:
    """How long ago all files were looked at; never, at first."""

    def __init__(self, *, timer: Callable[[], float] | None = None, clock: Callable[[], float] | None = None) -> None:
        """Take a monotonic clock and the wall clock, both in seconds."""
        self._timer = timer or time.monotonic
        self._clock = clock or time.time
        self._looked_at: tuple[float, float] | None = None

    def now(self) -> tuple[float, float]:
        """The time by both clocks, for `looked`."""
        return self._timer(), self._clock()

    def looked(self, at: tuple[float, float]) -> None:
        """Note that all files were looked at, in a run that began then."""
        self._looked_at = at

    def doubt(self) -> None:
        """Forget it, since a run failed: the next one looks at all files."""
        self._looked_at = None

    def holds(self, limit: float, wait: float | None) -> bool:
        """Whether files need not be looked at now.

        The monotonic clock stops while the machine sleeps, and the other one may be set: the later one counts.

        Args:
            limit: seconds in which all files are looked at once.
            wait: seconds until the next regular run at the latest, which has to be within that limit; None for never.
        """
        if self._looked_at is None or wait is None:
            return False
        ages = [now - at for now, at in zip(self.now(), self._looked_at, strict=True)]
        return min(ages) >= 0 and max(ages) + wait <= limit
