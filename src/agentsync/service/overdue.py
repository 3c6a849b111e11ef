"""Fetches that are overdue, and when to retry them."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agentsync.service.polling import FetchPolicy

_FIRST_SECONDS: Final = 2.0  # until a cycle that could not be run at all is retried; doubled each time
_MOST_SECONDS: Final = 600.0
LEAST_SECONDS: Final = 1.0
"""Between a cycle and the next one that nothing but a retry asks for."""


@dataclass(frozen=True, slots=True)
class _Pending:
    """The sources to fetch, and when that is due by a monotonic clock."""

    policy: FetchPolicy
    due: float


class PendingFetches:
    """Fetches missed while the machine was off, or in a cycle that could not be run; none at first."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Take a monotonic clock in seconds, and a function that draws a number between two others."""
        self._clock = clock
        self._chance = chance
        self._pending: _Pending | None = None
        self._failures = 0

    def schedule(self, policy: FetchPolicy, seconds: float) -> None:
        """Make these fetches due in so many seconds."""
        self._pending = _Pending(policy, self._clock() + seconds)

    @property
    def wait(self) -> float | None:
        """Seconds until the pending fetches are due; None where there are none."""
        return max(0.0, self._pending.due - self._clock()) if self._pending else None

    def next_retry(self, source_wait: float | None) -> float | None:
        """Seconds until the next cycle out of turn; None where there is none.

        While cycles cannot be run, only their own backoff counts: the time at which a source is to be retried passes,
        and asking for a cycle at once would ask again and again.

        Args:
            source_wait: seconds until the first retry of a failed source, negative where that time has passed.
        """
        if self._failures:
            source_wait = None
        waits = [wait for wait in (source_wait, self.wait) if wait is not None]
        return max(LEAST_SECONDS, min(waits)) if waits else None

    @property
    def due(self) -> FetchPolicy:
        """The fetches that are due now."""
        return self._pending.policy if self._pending and self._pending.due <= self._clock() else FetchPolicy.NONE

    def with_failed(self, policy: FetchPolicy) -> FetchPolicy:
        """Widen a cycle's policy by the fetches of the last cycle, where that could not be run."""
        return max(policy, self._pending.policy) if self._pending and self._failures else policy

    def succeeded(self, policy: FetchPolicy) -> None:
        """Note that a cycle ran with this policy, which settles the pending fetches where it covers them."""
        self._failures = 0
        if self._pending and self._pending.policy <= policy:
            self._pending = None

    def failed(self, policy: FetchPolicy) -> None:
        """Note that a cycle with this policy could not be run; it is retried with exponential backoff and jitter."""
        self._failures += 1
        most = min(_MOST_SECONDS, _FIRST_SECONDS * 2.0 ** min(self._failures, 16))
        pending = max(policy, self._pending.policy) if self._pending else policy
        self.schedule(pending, self._chance(_FIRST_SECONDS / 2, most))
