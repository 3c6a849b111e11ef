"""Fetching with retries, and never backwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from agentsync.core.errors import SourceRefusedError, SourceUnavailableError
from agentsync.git.mirror import Mirror, Remote, TransientError
from agentsync.git.objects import CommitFacts
from agentsync.git.poll import MirrorPlace
from agentsync.sync.fetch import Fetches, Retries, fetch, is_unproven
from support.mirror import trusted

if TYPE_CHECKING:
    from pathlib import Path

    from support.gitserver import GitServer
    from support.repository import Repository


@dataclass
class Clock:
    """A clock that only sleeping moves, and that lets the server recover meanwhile."""

    now: float = 1_000.0
    slept: list[float] = field(default_factory=list)
    heals: GitServer | None = None
    after: int = 1

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        if self.heals and len(self.slept) == self.after:
            self.heals.mode = "serve"


def pull(
    mirror: Mirror,
    repository: Repository,
    previous: str | None,
    ref: str = "refs/heads/main",
    *,
    allow_rewrite: bool = False,
) -> CommitFacts:
    remote = Remote(repository.url, ref, allow_local=True)
    return fetch(mirror, "team", remote, previous=previous, allow_rewrite=allow_rewrite)


def test_a_first_fetch_brings_the_facts(repository: Repository, mirror: Mirror) -> None:
    fetched = pull(mirror, repository, None)
    assert (fetched.id, fetched.subject) == (repository.head, "first")


def test_nothing_new_is_the_same_commit(repository: Repository, mirror: Mirror) -> None:
    first = pull(mirror, repository, None)
    assert pull(mirror, repository, first.id) == first


def test_a_branch_moves_forward(repository: Repository, mirror: Mirror) -> None:
    first = pull(mirror, repository, None).id
    repository.write({"a.md": "a"})
    second = repository.commit()
    assert pull(mirror, repository, first).id == second


def test_a_rewritten_branch_is_refused_unless_it_may_be(repository: Repository, mirror: Mirror) -> None:
    repository.write({"a.md": "a"})
    repository.commit()
    old = pull(mirror, repository, None).id
    new = repository.rewrite()
    with pytest.raises(SourceRefusedError, match="the branch was rewritten") as caught:
        pull(mirror, repository, old)
    assert "allow_rewrite = true" in caught.value.hint
    assert "team" in caught.value.hint
    assert mirror.has(old)
    assert pull(mirror, repository, old, allow_rewrite=True).id == new


def test_a_branch_that_went_back_is_refused(repository: Repository, mirror: Mirror) -> None:
    first = repository.head
    repository.write({"a.md": "a"})
    second = repository.commit()
    pull(mirror, repository, None)
    repository.reset(first)
    with pytest.raises(SourceRefusedError, match="the branch was rewritten"):
        pull(mirror, repository, second)


def test_a_commit_that_the_whole_history_does_not_hold_is_a_rewrite(repository: Repository, mirror: Mirror) -> None:
    with pytest.raises(SourceRefusedError, match="the branch was rewritten"):
        pull(mirror, repository, "1" * 40)


def test_a_shallow_source_may_move_on_but_not_back(repository: Repository, mirror: Mirror) -> None:
    previous = pull(mirror, repository, None).id
    for number in range(2):
        repository.write({"a.md": str(number)})
        repository.commit()
    newest = repository.head
    repository.make_shallow()
    assert pull(mirror, repository, previous).id == newest
    assert is_unproven(mirror, previous, newest)
    repository.write({"a.md": "the parent is known"})
    following = repository.commit()
    assert pull(mirror, repository, newest).id == following
    assert not is_unproven(mirror, newest, following)
    repository.reset(newest)
    with pytest.raises(SourceRefusedError, match="went back"):
        pull(mirror, repository, following)


def test_a_lost_mirror_proves_ancestry_again(repository: Repository, mirror: Mirror, tmp_path: Path) -> None:
    first = pull(mirror, repository, None).id
    repository.write({"a.md": "a"})
    second = repository.commit()
    other = Mirror(tmp_path / "other" / "mirror", tmp_path / "other" / "home")
    assert pull(other, repository, first).id == second


@pytest.mark.parametrize("ref", ["HEAD", "refs/heads/main", "refs/tags/v1"])
def test_a_poll_asks_once_and_a_fetch_repeats_nothing(
    server: GitServer, repository: Repository, mirror: Mirror, tmp_path: Path, ref: str
) -> None:
    repository.tag("v1", annotated=True)
    remote = Remote(server.url("source.git"), ref, allow_http=True)
    first = fetch(mirror, "team", remote, previous=None, allow_rewrite=False)
    place = MirrorPlace(mirror.directory, tmp_path / "cache" / "home")

    def unmoved(fetches: Fetches) -> bool:
        return fetches.is_unmoved(place, "team", remote, previous=first.id, tip=first.id, allow_rewrite=False)

    def whole(fetches: Fetches) -> CommitFacts:
        return fetches(mirror, "team", remote, previous=first.id, allow_rewrite=False)

    server.seen.clear()
    polled = Fetches()
    assert unmoved(polled)
    assert (len(server.seen), server.packs) == (2, 1)
    assert whole(polled) == first
    assert len(server.seen) == 2
    server.mode, server.status, server.headers = "error", 429, {"Retry-After": "60"}
    refused = Fetches()
    for ask in (unmoved, whole):
        with pytest.raises(SourceUnavailableError, match="429"):
            ask(refused)
        assert len(server.seen) == 3
    server.mode = "serve"
    repository.write({"a.md": "a"})
    second = repository.commit()
    if ref.startswith("refs/tags"):
        return
    moved = Fetches()
    assert not unmoved(moved)
    asked = len(server.seen)
    assert whole(moved).id == second
    assert len(server.seen) == asked


@pytest.mark.parametrize("annotated", [True, False])
def test_a_moved_tag_is_refused_though_it_went_forward(
    repository: Repository, mirror: Mirror, *, annotated: bool
) -> None:
    repository.tag("v1", annotated=annotated)
    first = pull(mirror, repository, None, "refs/tags/v1").id
    repository.write({"a.md": "a"})
    second = repository.commit()
    repository.tag("v1", annotated=annotated)
    with pytest.raises(SourceRefusedError, match="the tag was moved"):
        pull(mirror, repository, first, "refs/tags/v1")
    assert pull(mirror, repository, first, "refs/tags/v1", allow_rewrite=True).id == second


def test_a_commit_id_may_go_back_since_it_is_configured(repository: Repository, mirror: Mirror) -> None:
    first = repository.head
    repository.write({"a.md": "a"})
    second = repository.commit()
    assert pull(mirror, repository, second, first).id == first


def test_the_trusted_commit_stays_as_it_was(repository: Repository, mirror: Mirror) -> None:
    pull(mirror, repository, None)
    assert trusted(mirror) == []


def fetch_with_retries(mirror: Mirror, server: GitServer, clock: Clock, deadline: float = 60.0) -> CommitFacts:
    remote = Remote(server.url("source.git"), allow_http=True, deadline=deadline)
    retries = Retries(clock=clock, sleep=clock.sleep, jitter=lambda: 1.0)
    return fetch(mirror, "team", remote, previous=None, allow_rewrite=False, retries=retries)


def test_a_passing_failure_is_tried_again_with_growing_waits(
    repository: Repository, mirror: Mirror, server: GitServer
) -> None:
    server.mode = "error"
    clock = Clock(heals=server, after=2)
    assert fetch_with_retries(mirror, server, clock).id == repository.head
    assert clock.slept == [0.5, 1.0]


def test_after_the_last_attempt_the_failure_stays(mirror: Mirror, server: GitServer) -> None:
    server.mode = "error"
    clock = Clock()
    with pytest.raises(TransientError):
        fetch_with_retries(mirror, server, clock)
    assert len(clock.slept) == 2
    assert len(server.seen) == 3


def test_no_attempt_begins_after_the_deadline(mirror: Mirror, server: GitServer) -> None:
    server.mode = "error"
    clock = Clock()
    with pytest.raises(TransientError):
        fetch_with_retries(mirror, server, clock, deadline=0.5)
    assert clock.slept == []


def test_a_permanent_failure_is_not_tried_again(mirror: Mirror, server: GitServer) -> None:
    server.authorization = "Bearer x"
    clock = Clock()
    with pytest.raises(SourceUnavailableError, match="credentials"):
        fetch_with_retries(mirror, server, clock)
    assert clock.slept == []


def test_a_password_is_not_in_the_refusal(repository: Repository, mirror: Mirror, server: GitServer) -> None:
    remote = Remote(server.url("source.git", "ada:s3cret@"), allow_http=True)
    old = fetch(mirror, "team", remote, previous=None, allow_rewrite=False).id
    repository.rewrite()
    with pytest.raises(SourceRefusedError) as caught:
        fetch(mirror, "team", remote, previous=old, allow_rewrite=False)
    assert "s3cret" not in str(caught.value)
    assert "source.git" in caught.value.place
