"""Fetching of sources, with retries for passing failures and no step back from a trusted commit.

Most polls find nothing new, and take one command of git (`git.poll`). What only a fetch needs is imported for one.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from agentsync.core.errors import AgentsyncError, SourceRefusedError, SourceUnavailableError
from agentsync.core.paths import AppPaths
from agentsync.git.poll import Answer, MirrorPlace, ask
from agentsync.git.remote import Remote

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentsync.git.mirror import Mirror
    from agentsync.git.objects import CommitFacts


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


def place_of(app_paths: AppPaths, name: str, url: str) -> MirrorPlace:
    """Return where the mirror of a source is; each name and URL has its own."""
    key = sha256(f"{name}\n{url}".encode()).hexdigest()[:16]
    return MirrorPlace(app_paths.mirror(key), app_paths.git_home)


def mirror_of(app_paths: AppPaths, name: str, url: str) -> Mirror:
    """Return the mirror that a source is fetched to."""
    return _mirror_at(place_of(app_paths, name, url))


def _mirror_at(place: MirrorPlace) -> Mirror:
    from agentsync.git.mirror import Mirror  # noqa: PLC0415 - see the module's docstring

    return Mirror(place.directory, place.home)


class Fetches:
    """Fetches of one run: a repeated fetch returns the first result, or raises its error, without network access."""

    def __init__(self) -> None:
        self._answered: set[Path] = set()
        self._answers: dict[tuple[Path, Remote, str | None, bool], CommitFacts | AgentsyncError] = {}
        self._unmoved: dict[Path, tuple[Remote, str]] = {}
        self._failed: dict[Path, Answer] = {}

    def is_unmoved(
        self, place: MirrorPlace, name: str, remote: Remote, *, previous: str, tip: str, allow_rewrite: bool
    ) -> bool:
        """Whether a ref still leads to the commit of an earlier fetch; there is a fetch only where it may not.

        Args:
            place: of the mirror.
            name: the source's name, for messages.
            remote: what is asked for.
            previous: the applied commit, as for `fetch`.
            tip: the commit that the ref led to.
            allow_rewrite: as for `fetch`.

        Raises:
            AgentsyncError: as for `fetch`.
        """
        answer = ask(place, remote)
        if answer and answer.id == tip:
            self._unmoved[place.directory] = remote, tip
            self._answered.add(place.directory)
            return True
        if answer and answer.failed:
            self._failed[place.directory] = answer
        found = self(_mirror_at(place), name, remote, previous=previous, allow_rewrite=allow_rewrite)
        return found.id == (tip if self.asked(place) else previous)

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

    def asked(self, mirror: Mirror | MirrorPlace) -> bool:
        """Whether the remote of this mirror was asked in this run, and answered."""
        return mirror.directory in self._answered

    def repeats(self, error: AgentsyncError) -> bool:  # noqa: ARG002 - only a subclass keeps errors of earlier runs
        """Whether this error is that of an earlier run, and the remote was not asked again."""
        return False

    def _answer(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        if known := self._known(mirror, remote, previous):
            return known
        failed = self._failed.pop(mirror.directory, None)
        commit = fetch(mirror, name, remote, previous=previous, allow_rewrite=allow_rewrite, failed=failed)
        self._answered.add(mirror.directory)
        return commit

    def _known(self, mirror: Mirror, remote: Remote, previous: str | None) -> CommitFacts | None:
        """Return the applied commit, where a poll of this run found it and the mirror has it still."""
        if previous is None or self._unmoved.pop(mirror.directory, None) != (remote, previous):
            return None
        try:
            return mirror.commit_facts(previous)
        except SourceUnavailableError:  # a fetch replaces the mirror
            return None


def fetch(
    mirror: Mirror,
    name: str,
    remote: Remote,
    *,
    previous: str | None,
    allow_rewrite: bool,
    retries: Retries = _RETRIES,
    failed: Answer | None = None,
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
        failed: a poll that has just failed, which counts as the first try.

    Raises:
        SourceUnavailableError: it could not be fetched.
        SourceRefusedError: the branch was rewritten or the tag was moved.
    """
    bring = partial(mirror.fetch, may_start_over=allow_rewrite or previous is None)
    if failed:
        bring = partial(_after, [failed], mirror, bring)
        remote = replace(remote, deadline=remote.deadline - failed.seconds)
    commit = _with_retries(bring, remote, retries)
    if previous and not allow_rewrite and not remote.is_commit and commit.id != previous:
        _refuse_steps_back(mirror, name, remote, mirror.id_in_history(previous, commit.id), commit.id)
    return commit


def _after(failed: list[Answer], mirror: Mirror, bring: Callable[[Remote], CommitFacts], remote: Remote) -> CommitFacts:
    """Take a poll that failed for the first try, unless its failure may be one that a fetch does not have."""
    from agentsync.git.failures import UnexplainedError  # noqa: PLC0415 - see the module's docstring

    if failed and (done := failed.pop().failed):
        error = mirror.explain(done, remote)
        if not isinstance(error, UnexplainedError):
            raise error
    return bring(remote)


def _with_retries(bring: Callable[[Remote], _Answer], remote: Remote, retries: Retries) -> _Answer:
    """Retry with exponential backoff, until the attempts or the remote's deadline are used up."""
    from agentsync.git.failures import TransientError  # noqa: PLC0415 - see the module's docstring

    end = retries.clock() + remote.deadline
    for attempt in range(1, retries.attempts):
        try:
            return bring(replace(remote, deadline=end - retries.clock()))
        except TransientError as error:
            wait = retries.jitter() * retries.first_wait * 2 ** (attempt - 1)
            # A server that names a time is asked again by a later run, and not within this one.
            if error.retry_after or retries.clock() + wait >= end:
                raise
            retries.sleep(wait)
    return bring(replace(remote, deadline=end - retries.clock()))


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
