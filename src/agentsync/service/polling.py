"""Which sources the service fetches in a cycle, and when to retry a source that failed.

A failing source is retried with exponential backoff up to an hour and full jitter, so that a fleet does not bring down
a server that has just come up. The others are fetched as usual.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final, TypeVar

from agentsync.core.errors import AgentsyncError, SourceUnavailableError
from agentsync.git.mirror import Mirror, Remote
from agentsync.git.objects import CommitFacts
from agentsync.git.poll import MirrorPlace
from agentsync.sync.fetch import Fetches

_Answer = TypeVar("_Answer")

MOST_SECONDS: Final = 3600.0
_FIRST_SECONDS: Final = 60.0


class FetchPolicy(IntEnum):
    """Which sources a cycle fetches, from few to many; the others stay at the commit that was applied last."""

    NONE = 0  # except a source that was never fetched
    RETRY = 1  # failed sources whose retry is due
    DUE = 2  # all except failed sources whose retry is not due
    ALL = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """The last error of a source, and the number of failures since its last success.

    Attributes:
        due: when it is retried, by a monotonic clock; None for together with the others, since its server answered.
        barred_until: until when its server refuses every request (Retry-After), by the same clock.
    """

    error: AgentsyncError
    count: int
    due: float | None
    barred_until: float = 0


class Polling:
    """The failures of sources, remembered between cycles."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, chance: Callable[[], float] = random.random
    ) -> None:
        """Take a monotonic clock in seconds, and a function that draws the jitter: a factor from 0 to 1."""
        self._clock = clock
        self._chance = chance
        self._failures: dict[Path, Failure] = {}

    def __getstate__(self) -> Mapping[Path, Failure]:
        """What another process gets: the clock and the chance are its own."""
        return self._failures

    def __setstate__(self, failures: Mapping[Path, Failure]) -> None:
        self.__init__()  # type: ignore[misc] # of this very class
        self.failures = failures

    @property
    def failures(self) -> Mapping[Path, Failure]:
        """The failure of each source that failed, by the directory of its mirror."""
        return self._failures

    @failures.setter
    def failures(self, failures: Mapping[Path, Failure]) -> None:
        self._failures = dict(failures)

    def fetches(self, policy: FetchPolicy) -> Polls:
        """The fetches of one cycle."""
        return Polls(self, policy)

    def wait(self, mirror: Mirror) -> float | None:
        """Seconds until this source is retried; None where it is not backed off."""
        failure = self._failures.get(mirror.directory)
        return failure.due - self._clock() if failure and failure.due is not None else None

    @property
    def next_wait(self) -> float | None:
        """Seconds until the first retry of a failed source, negative where it is overdue; None where there is none."""
        times = [failure.due for failure in self._failures.values() if failure.due is not None]
        return min(times) - self._clock() if times else None

    def forgive(self, configured: Iterable[Mirror]) -> None:
        """Forget all failures, since their cause may have been corrected, except where a server refuses requests.

        Args:
            configured: the sources that there are now; a failure of another one would never be retried, nor settled.
        """
        directories = {mirror.directory for mirror in configured}
        self._failures = {
            directory: failure
            for directory, failure in self._failures.items()
            if directory in directories and self.is_barred(failure)
        }

    def failure(self, mirror: Mirror | MirrorPlace) -> Failure | None:
        """The remembered failure of this source."""
        return self._failures.get(mirror.directory)

    def is_barred(self, failure: Failure | None) -> bool:
        return failure is not None and self._clock() < failure.barred_until

    def is_due(self, failure: Failure) -> bool:
        return failure.due is None or failure.due <= self._clock()

    def failed(self, mirror: Mirror, error: AgentsyncError, *, counts: bool, before: Failure | None = None) -> None:
        """Remember a failure; one that does not count starts no backoff and extends none.

        Args:
            mirror: of the source.
            error: why it failed.
            counts: whether the backoff grows.
            before: the failure that it follows; the last one that is remembered where left out.
        """
        error = copy(error)  # without its traceback, whose frames hold the failure before it, and so on
        before = before or self._failures.get(mirror.directory)
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


class Polls(Fetches):
    """The fetches of one cycle, by its policy."""

    def __init__(self, polling: Polling, policy: FetchPolicy) -> None:
        super().__init__()
        self._polling = polling
        self._policy = policy
        self._repeated: list[AgentsyncError] = []
        self._overcome: dict[Path, Failure] = {}  # by a fetch of this run; its content may fail yet

    @property
    def failures(self) -> Mapping[Path, Failure]:
        """The failures of sources that the next cycle is to know."""
        return self._polling.failures

    def repeats(self, error: AgentsyncError) -> bool:
        return any(error is repeated for repeated in self._repeated)

    def is_unmoved(
        self, place: MirrorPlace, name: str, remote: Remote, *, previous: str, tip: str, allow_rewrite: bool
    ) -> bool:
        if self._polling.failure(place):  # which a whole run reports, or overcomes
            return False
        return not self._is_fetched(None) or super().is_unmoved(
            place, name, remote, previous=previous, tip=tip, allow_rewrite=allow_rewrite
        )

    def _answer(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        failure = self._polling.failure(mirror)
        if not self._is_fetched(failure):
            if failure:
                error = copy(failure.error)  # an exception's traceback grows each time that it is raised
                self._repeated.append(error)
                raise error
            if previous and (applied := _applied_commit(mirror, previous)):
                return applied
        try:
            commit = super()._answer(mirror, name, remote, previous=previous, allow_rewrite=allow_rewrite)
        except AgentsyncError as error:
            # Repeated pulls by hand must not back the service off for an hour.
            self._polling.failed(mirror, error, counts=self._policy is not FetchPolicy.ALL)
            raise
        if failure:
            self._overcome[mirror.directory] = failure
        self._polling.succeeded(mirror)
        return commit

    def complete(self, mirror: Mirror, remote: Remote, bring: Callable[[Remote], _Answer]) -> _Answer:
        try:
            return super().complete(mirror, remote, bring)
        except SourceUnavailableError as error:
            counts, before = self._policy is not FetchPolicy.ALL, self._overcome.get(mirror.directory)
            self._polling.failed(mirror, error, counts=counts, before=before)
            raise

    def _is_fetched(self, failure: Failure | None) -> bool:
        match self._policy:
            case FetchPolicy.NONE:
                return False
            case FetchPolicy.RETRY:
                return failure is not None and failure.due is not None and self._polling.is_due(failure)
            case FetchPolicy.DUE:
                return failure is None or self._polling.is_due(failure)
            case FetchPolicy.ALL:
                return not self._polling.is_barred(failure)


def _applied_commit(mirror: Mirror, commit: str) -> CommitFacts | None:
    """The commit that was applied last; None where the mirror is gone, which only a fetch repairs."""
    try:
        return mirror.commit_facts(commit)
    except SourceUnavailableError:
        return None
