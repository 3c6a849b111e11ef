"""Fetching a source: another try where that may help, and no step back from a commit that was trusted."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from agentsync.core.errors import AgentsyncError, SourceRefusedError
from agentsync.core.paths import AppPaths
from agentsync.git.mirror import Mirror, Remote, TransientError
from agentsync.git.objects import CommitFacts

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_WAIT = 0.5  # seconds; doubled with each try


def mirror_of(app_paths: AppPaths, name: str, url: str) -> Mirror:
    """Where a source is fetched to; under another name or URL it is another one."""
    key = sha256(f"{name}\n{url}".encode()).hexdigest()[:16]
    return Mirror(app_paths.mirror(key), app_paths.git_home)


class Fetches:
    """The fetches of one run: who asks for the same again gets the same answer, be it an error, from no network."""

    def __init__(self) -> None:
        self._asked: set[Path] = set()
        self._answers: dict[tuple[Path, Remote, str | None, bool], CommitFacts | AgentsyncError] = {}

    def __call__(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        """As `fetch`."""
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

    def asked(self, mirror: Mirror) -> bool:
        """Whether the remote of this mirror was asked and gave its answer."""
        return mirror.directory in self._asked

    def repeats(self, error: AgentsyncError) -> bool:  # noqa: ARG002 - only a subclass remembers other runs
        """Whether this error is that of an earlier run, and the remote was not asked again."""
        return False

    def _answer(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        commit = fetch(mirror, name, remote, previous=previous, allow_rewrite=allow_rewrite)
        self._asked.add(mirror.directory)
        return commit


def fetch(
    mirror: Mirror,
    name: str,
    remote: Remote,
    *,
    previous: str | None,
    allow_rewrite: bool,
    attempts: int = 3,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> CommitFacts:
    """Fetch a source's ref and make sure that it went forward; what is trusted stays as it is.

    A branch or HEAD may only move to descendants of `previous`, a tag not at all. A commit id is what the
    configuration says, so nothing is compared. A `previous` that the mirror does not hold, after its whole
    history was fetched, is no ancestor: the branch was rewritten, and the same is true for a mirror that was lost.

    Args:
        mirror: where to.
        name: the source's name, for messages.
        remote: what; its deadline holds for all attempts together.
        previous: the commit that was trusted last for this very URL and ref; None to compare with nothing.
        allow_rewrite: whether a rewritten branch or a moved tag is taken all the same.
        attempts: how often to try while the failure may be a passing one.
        clock: seconds that only go up.
        sleep: waits that many seconds.
        jitter: a number from 0 to 1, by which each wait is multiplied.

    Raises:
        SourceUnavailableError: it could not be fetched.
        SourceRefusedError: the branch was rewritten or the tag was moved.
    """
    commit = _fetch_patiently(mirror, remote, attempts=attempts, clock=clock, sleep=sleep, jitter=jitter)
    if previous and not allow_rewrite and not remote.is_commit and commit.id != previous:
        _refuse_steps_back(mirror, name, remote, previous, commit.id)
    return commit


def _fetch_patiently(
    mirror: Mirror,
    remote: Remote,
    *,
    attempts: int,
    clock: Callable[[], float],
    sleep: Callable[[float], None],
    jitter: Callable[[], float],
) -> CommitFacts:
    end = clock() + remote.deadline
    for attempt in range(1, attempts):
        try:
            return mirror.fetch(replace(remote, deadline=end - clock()))
        except TransientError as error:
            wait = jitter() * _FIRST_WAIT * 2 ** (attempt - 1)
            if error.retry_after or clock() + wait >= end:
                raise
            sleep(wait)
    return mirror.fetch(replace(remote, deadline=end - clock()))


def _refuse_steps_back(mirror: Mirror, name: str, remote: Remote, previous: str, commit: str) -> None:
    accept = f"if that was meant, set allow_rewrite = true for the source {name}"
    if remote.ref.startswith("refs/tags/"):
        message = f"the tag was moved from {previous[:12]} to {commit[:12]}"
    elif not (mirror.has(previous) and mirror.is_ancestor(previous, commit)):
        message = f"the branch was rewritten: {commit[:12]} does not descend from {previous[:12]}"
    else:
        return
    raise SourceRefusedError(message, place=remote.place, hint=accept, commit=commit)
