"""Asking a service: real sockets, and callers that are none."""

from __future__ import annotations

import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest

from agentsync.paths import Places
from agentsync.service.control import Answer, Asked, Control, Question, ask, listens

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")

QUESTION = Question(config="/c.toml", allow_deletions=False, allow_growth=True, verbosity=1, json=True, colored=False)


@pytest.fixture
def where(tmp_path: Path) -> Places:
    """A state directory with a path that is too long for a socket's."""
    state = tmp_path / ("long" * 30) if sys.platform == "linux" else tmp_path
    state.mkdir(exist_ok=True)
    return Places(state, tmp_path / "cache")


@pytest.fixture
def questions(where: Places) -> Iterator[SimpleQueue[Asked]]:
    """A service that takes questions."""
    taken: SimpleQueue[Asked] = SimpleQueue()
    with Control(where, taken.put):
        yield taken


def test_a_question_arrives_whole_and_so_does_its_answer(where: Places, questions: SimpleQueue[Asked]) -> None:
    answer = Answer("out\n" * 100_000, "é\n", 4)

    def serve() -> None:
        asked = questions.get(timeout=20)
        assert asked.question == QUESTION
        asked.answer(answer)

    serving = Thread(target=serve)
    serving.start()
    assert ask(where, QUESTION) == answer
    serving.join(20)


def test_whoever_is_told_to_run_alone_gets_no_answer(where: Places, questions: SimpleQueue[Asked]) -> None:
    serving = Thread(target=lambda: questions.get(timeout=20).answer(Answer()))
    serving.start()
    assert ask(where, QUESTION) is None
    serving.join(20)


@pytest.mark.parametrize(
    "said", [b"", b"\xff", b"[]", b"{}", b'{"config": 1, "other": 2}', b"[" * 100_000, b" " * (1 << 17)]
)
def test_who_speaks_another_language_is_hung_up_on(
    where: Places, questions: SimpleQueue[Asked], said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(where.state)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(20)
        caller.connect(where.socket.name)
        try:
            caller.sendall(said)
            caller.shutdown(socket.SHUT_WR)
            assert caller.recv(1) == b""
        except ConnectionError:
            pass  # it was hung up on in the middle of what it said
    assert listens(where)
    assert questions.empty()


@pytest.mark.usefixtures("questions")
def test_the_socket_is_its_users_alone(where: Places) -> None:
    assert stat.S_IMODE(where.socket.stat().st_mode) == 0o600


def test_without_a_service_nobody_answers(where: Places, tmp_path: Path) -> None:
    assert ask(where, QUESTION) is None
    with Control(where, lambda _asked: None):
        assert listens(where)
    assert not where.socket.exists()
    assert not listens(where)
    assert ask(Places(tmp_path / "nowhere", tmp_path), QUESTION) is None


def test_what_a_killed_service_left_is_replaced(where: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(where.state)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(where.socket.name)
    assert ask(where, QUESTION) is None
    with Control(where, lambda _asked: None):
        assert listens(where)
