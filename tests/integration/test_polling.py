"""Which sources a cycle of the service fetches: real mirrors, a real remote, and a clock that the test sets."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace

import pytest

from agentsync.core.errors import SourceRefusedError, SourceUnavailableError
from agentsync.git.mirror import Mirror, Remote
from agentsync.service.polling import MOST_SECONDS, FetchPolicy, Polling
from agentsync.sync.fetch import Retries, fetch
from support.clock import Clock
from support.gitserver import GitServer
from support.mirror import local, over_http
from support.repository import Repository


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def polling(clock: Clock) -> Polling:
    return Polling(clock=clock, chance=lambda: 1.0)


@pytest.fixture
def away(repository: Repository) -> Remote:
    """A remote that is not there, until it is moved back."""
    return replace(local(repository), url=repository.path.with_name("gone.git").as_uri())


def ask(polling: Polling, asks: FetchPolicy, mirror: Mirror, remote: Remote, previous: str | None = None) -> str:
    fetches = polling.fetches(asks)
    return fetches(mirror, "team", remote, previous=previous, allow_rewrite=False).id


def test_a_known_source_is_not_fetched(polling: Polling, mirror: Mirror, repository: Repository) -> None:
    remote = local(repository)
    first = ask(polling, FetchPolicy.NONE, mirror, remote)  # it was never asked, so it is
    repository.write({"agents/reviewer.md": "two\n"})
    second = repository.commit("second")
    fetches = polling.fetches(FetchPolicy.NONE)
    assert fetches(mirror, "team", remote, previous=first, allow_rewrite=False).id == first
    assert not fetches.asked(mirror)
    fetches = polling.fetches(FetchPolicy.DUE)
    assert fetches(mirror, "team", remote, previous=first, allow_rewrite=False).id == second
    assert fetches.asked(mirror)


def test_01_a_source_that_fails_is_asked_less_and_less_often(
    polling: Polling, clock: Clock, mirror: Mirror, away: Remote
) -> None:
    waits = []
    for _ in range(10):
        with pytest.raises(SourceUnavailableError):
            ask(polling, FetchPolicy.DUE, mirror, away)
        wait = polling.next_wait
        assert wait is not None
        assert wait == polling.wait(mirror)
        waits.append(wait)
        clock.now += wait
    assert waits[:4] == [120, 240, 480, 960]
    assert waits[-1] == MOST_SECONDS


@pytest.mark.parametrize("asks", [FetchPolicy.NONE, FetchPolicy.ALL])
def test_a_repeated_failure_is_stored_once(polling: Polling, mirror: Mirror, away: Remote, asks: FetchPolicy) -> None:
    with pytest.raises(SourceUnavailableError) as caught:
        ask(polling, FetchPolicy.ALL, mirror, away)
    first = weakref.ref(caught.value)
    del caught
    for _ in range(3):
        with pytest.raises(SourceUnavailableError):
            ask(polling, asks, mirror, away)
    gc.collect()
    assert first() is None
    failure = polling.failure(mirror)
    assert failure
    assert failure.error.__traceback__ is None


@pytest.mark.parametrize("asks", [FetchPolicy.NONE, FetchPolicy.RETRY, FetchPolicy.DUE])
def test_before_the_next_attempt_is_due_the_last_error_is_reported_again(
    polling: Polling, mirror: Mirror, repository: Repository, away: Remote, asks: FetchPolicy
) -> None:
    with pytest.raises(SourceUnavailableError):
        ask(polling, FetchPolicy.DUE, mirror, away)
    repository.path.rename(repository.path.with_name("gone.git"))  # the remote is there again
    with pytest.raises(SourceUnavailableError):
        ask(polling, asks, mirror, away)
    assert ask(polling, FetchPolicy.ALL, mirror, away)
    assert polling.next_wait is None


def test_an_attempt_by_hand_postpones_nothing(polling: Polling, clock: Clock, mirror: Mirror, away: Remote) -> None:
    for asks in (FetchPolicy.DUE, *[FetchPolicy.ALL] * 5):
        with pytest.raises(SourceUnavailableError):
            ask(polling, asks, mirror, away)
        clock.now += 1
    assert polling.next_wait == 120 - 6


def test_after_the_configuration_changed_all_are_asked_again(
    polling: Polling, mirror: Mirror, repository: Repository, away: Remote, server: GitServer
) -> None:
    with pytest.raises(SourceUnavailableError):
        ask(polling, FetchPolicy.DUE, mirror, away)
    polling.forgive([mirror])
    assert ask(polling, FetchPolicy.DUE, mirror, local(repository))
    server.mode, server.status, server.headers = "error", 429, {"Retry-After": "5000"}
    with pytest.raises(SourceUnavailableError):
        ask(polling, FetchPolicy.DUE, mirror, over_http(server))
    polling.forgive([mirror])
    assert polling.next_wait == 5000
    polling.forgive([])
    assert polling.next_wait is None


def test_a_retry_fetches_only_failed_sources(
    polling: Polling, clock: Clock, mirror: Mirror, repository: Repository, away: Remote
) -> None:
    other = Mirror(mirror.directory.with_name("other"), mirror.directory.with_name("home"))
    first = ask(polling, FetchPolicy.DUE, other, local(repository))
    with pytest.raises(SourceUnavailableError):
        ask(polling, FetchPolicy.DUE, mirror, away)
    repository.write({"agents/reviewer.md": "two\n"})
    second = repository.commit("second")
    away_path = repository.path.with_name("gone.git")
    away_path.symlink_to(repository.path)
    clock.now += 120
    assert ask(polling, FetchPolicy.RETRY, other, local(repository), first) == first
    assert ask(polling, FetchPolicy.RETRY, mirror, away) == second


def test_39_a_refused_source_is_asked_when_the_others_are(
    polling: Polling, mirror: Mirror, repository: Repository
) -> None:
    remote = local(repository)
    first = ask(polling, FetchPolicy.DUE, mirror, remote)
    other = repository.git("commit-tree", "-m", "rewritten", f"{first}^{{tree}}")
    repository.git("update-ref", "refs/heads/main", other)
    with pytest.raises(SourceRefusedError):
        ask(polling, FetchPolicy.DUE, mirror, remote, first)
    assert polling.next_wait is None
    with pytest.raises(SourceRefusedError):
        ask(polling, FetchPolicy.NONE, mirror, remote, first)
    repository.git("update-ref", "refs/heads/main", first)
    assert ask(polling, FetchPolicy.DUE, mirror, remote, first) == first


def test_01_retry_after_holds_for_every_caller(
    clock: Clock, polling: Polling, mirror: Mirror, server: GitServer
) -> None:
    server.mode, server.status, server.headers = "error", 429, {"Retry-After": "5000"}
    remote = over_http(server)
    for asks in (FetchPolicy.DUE, FetchPolicy.ALL):
        with pytest.raises(SourceUnavailableError):
            ask(polling, asks, mirror, remote)
    assert len(server.seen) == 1
    assert polling.next_wait == 5000
    server.mode = "serve"
    clock.now += 5000
    assert ask(polling, FetchPolicy.DUE, mirror, remote)


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("120", 120),
        ("999999999999", 86400),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 86400),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("-1", 0),
        ("soon", 0),
        ("", 0),
    ],
)
def test_01_a_server_that_is_out_of_order_is_left_alone_for_the_time_it_states(
    mirror: Mirror, server: GitServer, retry_after: str, seconds: float
) -> None:
    server.mode, server.status, server.headers = "error", 503, {"Retry-After": retry_after}
    retries = Retries(sleep=lambda _seconds: None)
    with pytest.raises(SourceUnavailableError) as caught:
        fetch(mirror, "team", over_http(server), previous=None, allow_rewrite=False, retries=retries)
    assert caught.value.retry_after == seconds
    assert len(server.seen) == (1 if seconds else 3)


def test_a_mirror_that_is_gone_is_fetched_although_nobody_is_asked(
    polling: Polling, mirror: Mirror, repository: Repository
) -> None:
    remote = local(repository)
    first = ask(polling, FetchPolicy.DUE, mirror, remote)
    mirror.directory.rename(mirror.directory.with_name("lost"))
    assert ask(polling, FetchPolicy.NONE, mirror, remote, first) == first
