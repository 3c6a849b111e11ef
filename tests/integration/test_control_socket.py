"""Questions to a service over real sockets, also from callers that do not speak the protocol."""

from __future__ import annotations

import json
import select
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import pytest

from agentsync.core.paths import AppPaths
from agentsync.service import control_socket as control
from agentsync.service.control_socket import Answer, Asked, Control, Question, ask, environment, listens

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")

QUESTION = Question(
    config="/c.toml",
    environment=environment(),
    allow_deletions=False,
    allow_escalation=True,
    allow_scattered=False,
    verbosity=1,
    json=True,
    colored=False,
    columns=80,
)


@pytest.fixture
def where(tmp_path: Path) -> AppPaths:
    """A state directory with a path that is too long for a socket's."""
    state = tmp_path / ("long" * 30) if sys.platform == "linux" else tmp_path
    state.mkdir(exist_ok=True)
    return AppPaths(state, tmp_path / "cache")


@pytest.fixture
def questions(where: AppPaths) -> Iterator[SimpleQueue[Asked]]:
    """A service that takes questions."""
    taken: SimpleQueue[Asked] = SimpleQueue()
    with Control(where, taken.put):
        yield taken


def called(where: AppPaths, monkeypatch: pytest.MonkeyPatch) -> socket.socket:
    """A raw connection to the service, to send any bytes."""
    monkeypatch.chdir(where.state)
    caller = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    caller.settimeout(20)
    caller.connect(where.socket.name)
    return caller


def speak_slowly(caller: socket.socket) -> None:
    """Send a byte each tenth of a second for ten seconds; an OSError means that the service hung up."""
    caller.settimeout(0.1)
    for _ in range(100):
        caller.sendall(b" ")
        with suppress(TimeoutError):
            assert caller.recv(1) == b""


def assert_answered(where: AppPaths, questions: SimpleQueue[Asked], monkeypatch: pytest.MonkeyPatch) -> None:
    """Assert that a question gets its answer within 20 seconds."""
    with called(where, monkeypatch) as caller:
        caller.sendall(json.dumps(asdict(QUESTION)).encode())
        caller.shutdown(socket.SHUT_WR)
        asked = questions.get(timeout=20)
        assert asked.question == QUESTION
        asked.answer(Answer("done\n", status=0))
        received = b"".join(iter(lambda: caller.recv(1 << 16), b""))
    assert Answer(**json.loads(received)) == Answer("done\n", status=0)


def test_a_question_arrives_whole_and_so_does_its_answer(where: AppPaths, questions: SimpleQueue[Asked]) -> None:
    answer = Answer("out\n" * 100_000, "é\n", 4)

    def serve() -> None:
        asked = questions.get(timeout=20)
        assert asked.question == QUESTION
        asked.answer(answer)

    serving = Thread(target=serve)
    serving.start()
    assert ask(where, QUESTION) == answer
    serving.join(20)


def test_a_caller_that_has_to_run_by_itself_gets_no_answer(where: AppPaths, questions: SimpleQueue[Asked]) -> None:
    serving = Thread(target=lambda: questions.get(timeout=20).answer(Answer()))
    serving.start()
    assert ask(where, QUESTION) is None
    serving.join(20)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"[" * 60_000,
        b" " * (1 << 17),
        json.dumps({"config": 1, "other": 2}).encode(),
        json.dumps(asdict(QUESTION) | {"verbosity": "x"}).encode(),
        json.dumps(asdict(QUESTION) | {"verbosity": True}).encode(),
        json.dumps(asdict(QUESTION) | {"allow_deletions": 1}).encode(),
        json.dumps(asdict(QUESTION) | {"config": None}).encode(),
        json.dumps(asdict(QUESTION) | {"environment": ["HOME"]}).encode(),
        json.dumps(asdict(QUESTION) | {"dry_run": True}).encode(),
        json.dumps({"config": "/c.toml"}).encode(),
    ],
    ids=lambda sent: sent[:40].decode(errors="replace"),
)
def test_a_caller_with_another_protocol_is_disconnected_and_the_next_is_answered(
    where: AppPaths, questions: SimpleQueue[Asked], sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The service may hang up before all of it is sent.
    with called(where, monkeypatch) as caller, suppress(ConnectionError):
        caller.sendall(sent)
        caller.shutdown(socket.SHUT_WR)
        assert caller.recv(1) == b""
    assert_answered(where, questions, monkeypatch)
    assert questions.empty()


def test_a_silent_caller_keeps_nobody_waiting(
    where: AppPaths, questions: SimpleQueue[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        for _ in range(control._CALLERS - 1):
            stack.enter_context(called(where, monkeypatch))
        began = time.monotonic()
        assert_answered(where, questions, monkeypatch)
        assert time.monotonic() - began < control._QUESTION_SECONDS / 2


def test_a_caller_that_waits_for_a_free_place_is_answered(
    where: AppPaths, questions: SimpleQueue[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_QUESTION_SECONDS", 0.2)
    with ExitStack() as stack:
        for _ in range(control._CALLERS * 2):
            stack.enter_context(called(where, monkeypatch))
        assert_answered(where, questions, monkeypatch)


@pytest.mark.usefixtures("questions")
def test_a_caller_that_trickles_is_disconnected(where: AppPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_QUESTION_SECONDS", 0.3)
    with called(where, monkeypatch) as caller, pytest.raises(ConnectionError):
        speak_slowly(caller)


def test_a_caller_that_does_not_read_a_long_answer_keeps_nobody_waiting(
    where: AppPaths, questions: SimpleQueue[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    with called(where, monkeypatch) as deaf:
        deaf.sendall(json.dumps(asdict(QUESTION)).encode())
        deaf.shutdown(socket.SHUT_WR)
        asked = questions.get(timeout=20)
        began = time.monotonic()
        asked.answer(Answer("out\n" * 1_000_000))
        assert time.monotonic() - began < 1
        assert_answered(where, questions, monkeypatch)


def test_a_caller_that_never_reads_its_answer_is_disconnected(
    where: AppPaths, questions: SimpleQueue[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "_ANSWER_SECONDS", 0.2)
    with called(where, monkeypatch) as deaf:
        deaf.sendall(json.dumps(asdict(QUESTION)).encode())
        deaf.shutdown(socket.SHUT_WR)
        questions.get(timeout=20).answer(Answer("out\n" * 1_000_000))
        hung_up = select.poll()
        hung_up.register(deaf, 0)
        assert hung_up.poll(20_000)
        received = b"".join(iter(lambda: deaf.recv(1 << 16), b""))
    assert 0 < len(received) < 1_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="it lowers the limit of Linux")
def test_a_lack_of_descriptors_passes(
    where: AppPaths, questions: SimpleQueue[Asked], monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource  # noqa: PLC0415 - Windows has none

    _, hard = before = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.chdir(where.state)
    callers = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(2)]
    second = callers[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # all below are in use
    try:
        for caller in callers:
            caller.settimeout(20)
            caller.connect(where.socket.name)
            caller.shutdown(socket.SHUT_WR)
        second.settimeout(0.5)  # for the first of them Linux may have taken a descriptor before
        with pytest.raises(TimeoutError):
            second.recv(1)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    second.settimeout(20)
    for caller in callers:
        assert caller.recv(1) == b""
        caller.close()
    assert_answered(where, questions, monkeypatch)


@pytest.mark.usefixtures("questions")
def test_the_socket_is_its_users_alone(where: AppPaths) -> None:
    assert stat.S_IMODE(where.socket.stat().st_mode) == 0o600


def test_without_a_service_nobody_answers(where: AppPaths, tmp_path: Path) -> None:
    assert ask(where, QUESTION) is None
    with Control(where, lambda _asked: None):
        assert listens(where)
    assert not where.socket.exists()
    assert not listens(where)
    assert ask(AppPaths(tmp_path / "nowhere", tmp_path), QUESTION) is None


def test_the_socket_of_a_killed_service_is_replaced(where: AppPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(where.state)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(where.socket.name)
    assert ask(where, QUESTION) is None
    with Control(where, lambda _asked: None):
        assert listens(where)
