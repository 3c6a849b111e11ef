"""What the service owes: the sources that a cycle was to ask and did not, and when that will be made good."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from agentsync.service.polling import FetchPolicy

_FIRST_SECONDS: Final = 2.0  # until a cycle that could not be run at all is tried again; doubled each time
_MOST_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class _Pending:
    """Who is still to be asked, and when that is due, by a clock that only goes forward."""

    asks: FetchPolicy
    due: float


class PendingFetches:
    """What is owed since the machine was off, or since a cycle could not be run; nothing at first."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Args: seconds that only go forward; a number between two others."""
        self._clock = clock
        self._chance = chance
        self._waiting: _Pending | None = None
        self._failures = 0

    def owe(self, asks: FetchPolicy, seconds: float) -> None:
        """These are to be asked in so many seconds."""
        self._waiting = _Pending(asks, self._clock() + seconds)

    @property
    def wait(self) -> float | None:
        """In how many seconds what is owed is due; None where nothing is."""
        return max(0.0, self._waiting.due - self._clock()) if self._waiting else None

    @property
    def due(self) -> FetchPolicy:
        """Who is to be asked now; nobody where nothing is due."""
        return self._waiting.asks if self._waiting and self._waiting.due <= self._clock() else FetchPolicy.NONE

    def with_failed(self, asks: FetchPolicy) -> FetchPolicy:
        """Who a cycle asks: with these, those whom the one before was to ask and could not."""
        return max(asks, self._waiting.asks) if self._waiting and self._failures else asks

    def asked(self, asks: FetchPolicy) -> None:
        """A cycle asked these, and so did what is owed, where that is no more."""
        self._failures = 0
        if self._waiting and self._waiting.asks <= asks:
            self._waiting = None

    def failed(self, asks: FetchPolicy) -> None:
        """A cycle was to ask these and could not be run: they are owed, later and later."""
        self._failures += 1
        most = min(_MOST_SECONDS, _FIRST_SECONDS * 2.0 ** min(self._failures, 16))
        pending = max(asks, self._waiting.asks) if self._waiting else asks
        self.owe(pending, self._chance(_FIRST_SECONDS / 2, most))
