"""Fetching of sources, with retries for passing failures and no step back from a trusted commit."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agentsync.core.errors import AgentsyncError, SourceRefusedError
from agentsync.core.paths import AppPaths
from agentsync.git.mirror import Mirror, Remote, TransientError
from agentsync.git.objects import CommitFacts

if TYPE_CHECKING:
    from collections.abc import Callable


_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Retries:
    """How a fetch is retried: with exponential backoff and full jitter.

    Attributes:
        attempts: how often to try while the failure may be a passing one.
        first_wait: seconds, multiplied by the jitter and doubled with each try.
        clock: monotonic time in seconds.
        sleep: waits that many seconds.
        jitter: a number from 0 to 1.
    """

    attempts: int = 3
    first_wait: float = 0.5
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


_RETRIES = Retries()


def mirror_of(app_paths: AppPaths, name: str, url: str) -> Mirror:
    """Return the mirror that a source is fetched to; each name and URL has its own."""
    key = sha256(f"{name}\n{url}".encode()).hexdigest()[:16]
    return Mirror(app_paths.mirror(key), app_paths.git_home)


class Fetches:
    """Fetches of one run: a repeated fetch returns the first result, or raises its error, without network access."""

    def __init__(self) -> None:
        self._answered: set[Path] = set()
        self._answers: dict[tuple[Path, Remote, str | None, bool], CommitFacts | AgentsyncError] = {}

    def __call__(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        """Fetch as `fetch` does."""
        question = mirror.directory, remote, previous, allow_rewrite
        if question not in self._answers:
            try:
                self._answers[question] = self._answer(
                    mirror, name, remote, previous=previous, allow_rewrite=allow_rewrite
                )
            except AgentsyncError as error:
                self._answers[question] = error
        answer = self._answers[question]
        if isinstance(answer, AgentsyncError):
            raise answer
        return answer

    def complete(self, _mirror: Mirror, remote: Remote, bring: Callable[[Remote], _Answer]) -> _Answer:
        """Fetch what is missing of the commit that was fetched last: `bring` does, with the retries of a fetch."""
        return _with_retries(bring, remote, _RETRIES)

    def asked(self, mirror: Mirror) -> bool:
        """Whether the remote of this mirror was asked in this run, and answered."""
        return mirror.directory in self._answered

    def repeats(self, error: AgentsyncError) -> bool:  # noqa: ARG002 - only a subclass keeps errors of earlier runs
        """Whether this error is that of an earlier run, and the remote was not asked again."""
        return False

    def _answer(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        commit = fetch(mirror, name, remote, previous=previous, allow_rewrite=allow_rewrite)
        self._answered.add(mirror.directory)
        return commit


def fetch(
    mirror: Mirror,
    name: str,
    remote: Remote,
    *,
    previous: str | None,
    allow_rewrite: bool,
    retries: Retries = _RETRIES,
) -> CommitFacts:
    """Fetch a source's ref and check that it only moved forward; the trusted commit is not changed.

    A branch, HEAD or the newest tag of a pattern may only move to descendants of `previous`, a single tag not at all. A
    commit id is set in the configuration, so nothing is compared. A commit that differs from `previous` by its
    signature only is the same one. A `previous` that the mirror does not have after its whole history was fetched is
    not an ancestor: the branch was rewritten. The same is true for a mirror that was lost. Where a shallow source has
    too little history to compare, a branch may move to any commit that is not known to be an earlier one.

    Args:
        mirror: where to fetch to.
        name: the source's name, for messages.
        remote: what to fetch; its deadline holds for all attempts together.
        previous: the commit that was trusted last for this very URL and ref; None to compare with nothing.
        allow_rewrite: whether a rewritten branch or a moved tag is accepted.
        retries: how often and when to try again.

    Raises:
        SourceUnavailableError: it could not be fetched.
        SourceRefusedError: the branch was rewritten or the tag was moved.
    """
    ask = partial(mirror.fetch, may_start_over=allow_rewrite or previous is None)
    commit = _with_retries(ask, remote, retries)
    if previous and not allow_rewrite and not remote.is_commit and commit.id != previous:
        _refuse_steps_back(mirror, name, remote, mirror.id_in_history(previous, commit.id), commit.id)
    return commit


def _with_retries(ask: Callable[[Remote], _Answer], remote: Remote, retries: Retries) -> _Answer:
    """Retry with exponential backoff, until the attempts or the remote's deadline are used up."""
    end = retries.clock() + remote.deadline
    for attempt in range(1, retries.attempts):
        try:
            return ask(replace(remote, deadline=end - retries.clock()))
        except TransientError as error:
            wait = retries.jitter() * retries.first_wait * 2 ** (attempt - 1)
            # A server that names a time is asked again by a later run, and not within this one.
            if error.retry_after or retries.clock() + wait >= end:
                raise
            retries.sleep(wait)
    return ask(replace(remote, deadline=end - retries.clock()))


def is_unproven(mirror: Mirror, previous: str, commit: str) -> bool:
    """Whether a shallow source has too little history to show that a commit descends from the previous one."""
    return not (mirror.has(previous) and mirror.is_ancestor(previous, commit)) and mirror.is_cut(commit)


def _refuse_steps_back(mirror: Mirror, name: str, remote: Remote, previous: str, commit: str) -> None:
    if previous == commit:
        return
    if remote.is_fixed:
        message = f"the tag was moved from {previous[:12]} to {commit[:12]}"
    elif mirror.has(previous) and mirror.is_ancestor(previous, commit):
        return
    elif not mirror.is_cut(commit):
        line = "newest tag is on another line" if remote.is_pattern else "branch was rewritten"
        message = f"the {line}: {commit[:12]} does not descend from {previous[:12]}"
    elif mirror.has(previous) and mirror.is_ancestor(commit, previous):
        message = went_back(commit, previous)
    else:
        return  # a shallow source has too little history to decide
    raise SourceRefusedError(message, place=remote.place, hint=accepting(name), commit=commit)


def went_back(commit: str, previous: str) -> str:
    """Message for a source that leads to an earlier commit than the previous one."""
    return f"the branch went back: {commit[:12]} is older than {previous[:12]}"


def accepting(name: str) -> str:
    """Hint for a source whose commit is refused, although it may be intended."""
    return f"if that was intended, set allow_rewrite = true for the source {name}"
