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

from agentsync.core.errors import AgentsyncError, SourceUnavailableError
from agentsync.git.mirror import Mirror, Remote
from agentsync.git.objects import CommitFacts
from agentsync.sync.fetch import Fetches

MOST_SECONDS: Final = 3600.0
_FIRST_SECONDS: Final = 60.0


class FetchPolicy(IntEnum):
    """Who is asked in a cycle, from few to many; of the others the commit that was applied last counts."""

    NONE = 0  # but a source that was never asked
    FAILED = 1  # those that failed and whose time has come
    DUE = 2  # all but those that failed and whose time has not come
    ALL = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source failed, and how often without a success in between.

    Attributes:
        due: when it may be asked again, by a clock that only goes forward; None for whenever others are: it answered.
        barred_until: until when its server wants to be left alone, whoever asks, by the same clock.
    """

    error: AgentsyncError
    count: int
    due: float | None
    barred_until: float = 0


class Polling:
    """What is remembered of failures between cycles."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        """Args: seconds that only go forward; a number from 0 to 1, by which each limit is multiplied."""
        self._clock = clock
        self._chance = chance
        self._failures: dict[Path, Failure] = {}

    def fetches(self, asks: FetchPolicy) -> Fetches:
        """The fetches of one cycle."""
        return _Polls(self, asks)

    def wait(self, mirror: Mirror) -> float | None:
        """In how many seconds this source may be asked again, where that is put off."""
        failure = self._failures.get(mirror.directory)
        return failure.due - self._clock() if failure and failure.due is not None else None

    @property
    def next_wait(self) -> float | None:
        """In how many seconds the first of those that failed may be asked again."""
        moments = [failure.due for failure in self._failures.values() if failure.due is not None]
        return min(moments) - self._clock() if moments else None

    def forgive(self) -> None:
        """Lets everybody be asked again, but those who want to be left alone: what failed may have been corrected."""
        self._failures = {mirror: failure for mirror, failure in self._failures.items() if self.is_barred(failure)}

    def failure(self, mirror: Mirror) -> Failure | None:
        """The failure that counts for this source."""
        return self._failures.get(mirror.directory)

    def is_barred(self, failure: Failure | None) -> bool:
        return failure is not None and self._clock() < failure.barred_until

    def is_due(self, failure: Failure) -> bool:
        return failure.due is None or failure.due <= self._clock()

    def failed(self, mirror: Mirror, error: AgentsyncError, *, counts: bool) -> None:
        """Remembers a failure; one that does not count puts nothing off that was not put off before."""
        error = copy(error)  # without its traceback, whose frames hold the failure before, and that the one before it
        before = self._failures.get(mirror.directory)
        count = before.count + counts if before else 1
        if not isinstance(error, SourceUnavailableError):
            self._failures[mirror.directory] = Failure(error, count, None)
            return
        now = self._clock()
        due = before.due if before else None
        if counts or due is None:
            due = now + self._chance() * min(MOST_SECONDS, _FIRST_SECONDS * 2.0 ** min(count, 16))
        barred_until = now + error.retry_after
        self._failures[mirror.directory] = Failure(error, count, max(due, barred_until), barred_until)

    def succeeded(self, mirror: Mirror) -> None:
        self._failures.pop(mirror.directory, None)


class _Polls(Fetches):
    def __init__(self, polling: Polling, asks: FetchPolicy) -> None:
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
            # Somebody who tries again and again by hand must not keep the service away for an hour.
            self._polling.failed(mirror, error, counts=self._asks is not FetchPolicy.ALL)
            raise
        self._polling.succeeded(mirror)
        return commit

    def _is_asked(self, failure: Failure | None) -> bool:
        match self._asks:
            case FetchPolicy.NONE:
                return False
            case FetchPolicy.FAILED:
                return failure is not None and failure.due is not None and self._polling.is_due(failure)
            case FetchPolicy.DUE:
                return failure is None or self._polling.is_due(failure)
            case FetchPolicy.ALL:
                return not self._polling.is_barred(failure)


def _kept(mirror: Mirror, commit: str) -> CommitFacts | None:
    """What was applied last; None where the mirror is gone, which only its remote can mend."""
    try:
        return mirror.commit_facts(commit)
    except SourceUnavailableError:
        return None
