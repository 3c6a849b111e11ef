"""Which sources the service asks in a cycle, and when one that failed is asked again.

A source that fails is asked less and less often, by chance within a limit that doubles up to an hour (full jitter), so
that a fleet does not bring down a server that has just come up. The others are asked as ever.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

from agentsync.errors import AgentsyncError, SourceUnavailableError
from agentsync.fetch import Fetches
from agentsync.git import CommitFacts, Mirror, Remote

MOST_SECONDS: Final = 3600.0
_FIRST_SECONDS: Final = 60.0


class Asks(IntEnum):
    """Who is asked in a cycle, from few to many; of the others the commit that was applied last counts."""

    NOBODY = 0  # but a source that was never asked
    FAILED = 1  # those that failed and whose time has come
    DUE = 2  # all but those that failed and whose time has not come
    EVERYONE = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source failed, and how often without a success in between.

    Attributes:
        retry_at: when it may be asked again, in seconds since the epoch; None for whenever others are: it answered.
        barred_until: until when its server wants to be left alone, whoever asks.
    """

    error: AgentsyncError
    count: int
    retry_at: float | None
    barred_until: float = 0


class Polling:
    """What is remembered of failures between cycles."""

    def __init__(self, *, clock: Callable[[], float] = time.time, chance: Callable[[], float] = random.random) -> None:
        """Args: the clock in seconds since the epoch; a number from 0 to 1, by which each limit is multiplied."""
        self._clock = clock
        self._chance = chance
        self._failures: dict[Path, Failure] = {}

    def fetches(self, asks: Asks) -> Fetches:
        """The fetches of one cycle."""
        return _Polls(self, asks)

    def retry_at(self, mirror: Mirror) -> float | None:
        """When this source is asked again, where it failed."""
        failure = self._failures.get(mirror.directory)
        return failure.retry_at if failure else None

    @property
    def next_retry_at(self) -> float | None:
        """When the first of those that failed is to be asked again."""
        moments = [failure.retry_at for failure in self._failures.values()]
        return min((moment for moment in moments if moment is not None), default=None)

    def failure(self, mirror: Mirror) -> Failure | None:
        """The failure that counts for this source."""
        return self._failures.get(mirror.directory)

    def is_barred(self, failure: Failure | None) -> bool:
        return failure is not None and self._clock() < failure.barred_until

    def is_due(self, failure: Failure) -> bool:
        return failure.retry_at is None or failure.retry_at <= self._clock()

    def failed(self, mirror: Mirror, error: AgentsyncError) -> None:
        """Remembers one more failure."""
        error = copy(error)  # without its traceback, whose frames hold the failure before, and that the one before it
        before = self._failures.get(mirror.directory)
        count = before.count + 1 if before else 1
        if not isinstance(error, SourceUnavailableError):
            self._failures[mirror.directory] = Failure(error, count, None)
            return
        wait = self._chance() * min(MOST_SECONDS, _FIRST_SECONDS * 2.0 ** min(count, 16))
        barred_until = self._clock() + error.retry_after
        retry_at = max(self._clock() + wait, barred_until)
        self._failures[mirror.directory] = Failure(error, count, retry_at, barred_until)

    def succeeded(self, mirror: Mirror) -> None:
        self._failures.pop(mirror.directory, None)


class _Polls(Fetches):
    def __init__(self, polling: Polling, asks: Asks) -> None:
        super().__init__()
        self._polling = polling
        self._asks = asks
        self._repeated: list[AgentsyncError] = []

    def repeats(self, error: AgentsyncError) -> bool:
        return any(error is repeated for repeated in self._repeated)

    def _answer(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        failure = self._polling.failure(mirror)
        if not self._is_asked(failure):
            if failure:
                error = copy(failure.error)  # each time that one is raised, its traceback grows
                self._repeated.append(error)
                raise error
            if previous and (kept := _kept(mirror, previous)):
                return kept
        try:
            commit = super()._answer(mirror, name, remote, previous=previous, allow_rewrite=allow_rewrite)
        except AgentsyncError as error:
            self._polling.failed(mirror, error)
            raise
        self._polling.succeeded(mirror)
        return commit

    def _is_asked(self, failure: Failure | None) -> bool:
        match self._asks:
            case Asks.NOBODY:
                return False
            case Asks.FAILED:
                return failure is not None and failure.retry_at is not None and self._polling.is_due(failure)
            case Asks.DUE:
                return failure is None or self._polling.is_due(failure)
            case Asks.EVERYONE:
                return not self._polling.is_barred(failure)


def _kept(mirror: Mirror, commit: str) -> CommitFacts | None:
    """What was applied last; None where the mirror is gone, which only its remote can mend."""
    try:
        return mirror.commit_facts(commit)
    except SourceUnavailableError:
        return None
