"""The socket by which `pull` asks a service that is under way to do it now, and is told what came of it.

It lies in the directory of the state, which only its user can enter, so whoever reaches it may ask. A question is one
JSON document, and so is the answer; each side closes its half when it has said all. Whoever asks may be slow, broken or
gone: each has a thread, so that nobody waits for them, neither the others nor the service.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from threading import BoundedSemaphore, Event, Thread
from typing import Final, Self, get_origin, get_type_hints

from agentsync.core.paths import AppPaths

_MOST_BYTES: Final = 1 << 16  # of a question
_CALLERS: Final = 32  # at once; the system keeps others waiting until one is done
_QUESTION_SECONDS: Final = 5.0  # for all of it
_ANSWER_SECONDS: Final = 30.0  # for taking all of it
_BUSY_SECONDS: Final = 0.2  # between two looks whether a place, a descriptor or a thread is free, while none is
_CLOSE_SECONDS: Final = 5.0  # for the thread that accepts to end


@dataclass(frozen=True, slots=True)
class Question:
    """A pull that is asked for.

    Attributes:
        config: the absolute path of the configuration that is meant.
        environment: a digest of each variable of whoever asks, as `environment` makes it.
        allow_deletions, allow_escalation: what the user confirms.
        verbosity, json, colored: how the result is to be shown.
    """

    config: str
    environment: dict[str, str]
    allow_deletions: bool
    allow_escalation: bool
    verbosity: int
    json: bool
    colored: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command would have printed, and its exit status; `status` is None where it must run by itself."""

    stdout: str = ""
    stderr: str = ""
    status: int | None = None


_FIELDS: Final = {name: get_origin(kind) or kind for name, kind in get_type_hints(Question).items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that waits for its answer.

    Attributes:
        answer: is given the answer, which is sent later; whoever asked may be gone.
    """

    question: Question
    answer: Callable[[Answer], None]


class Control:
    """Takes questions; a context manager, which takes the socket away."""

    def __init__(self, app_paths: AppPaths, take: Callable[[Asked], None]) -> None:
        """Listens from now on; the caller is the only service of this installation.

        Args:
            app_paths: where the state is.
            take: called with each question, from several threads at once.

        Raises:
            OSError: there can be no socket there.
        """
        self._take = take
        self._path = app_paths.socket
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short(self._path) as path:
                self._socket.bind(path)
            self._path.chmod(0o600)
            self._socket.listen()
        except OSError:
            self._socket.close()
            raise
        self._closed = Event()
        self._free = BoundedSemaphore(_CALLERS)
        self._thread = Thread(target=self._run, name="control", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._path.unlink(missing_ok=True)
        with suppress(OSError):  # it may be closed already, by an error of its own
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._closed.is_set():
            if not self._free.acquire(timeout=_BUSY_SECONDS):
                continue
            try:
                self._accept()
            except (OSError, RuntimeError):  # it is closed; or no descriptor or thread is left for now
                self._free.release()
                self._closed.wait(_BUSY_SECONDS)

    def _accept(self) -> None:
        connection, _ = self._socket.accept()
        try:
            Thread(target=self._serve, args=(connection,), name="control-answer", daemon=True).start()
        except RuntimeError:
            connection.close()
            raise

    def _serve(self, connection: socket.socket) -> None:
        """Takes a question on, and sends its answer when there is one."""
        answers: SimpleQueue[Answer] = SimpleQueue()
        try:
            with connection, suppress(OSError, ValueError):  # gone, silent, or not one of us
                self._take(Asked(_question(_received(connection)), answers.put))
                answer = json.dumps(asdict(answers.get())).encode()
                connection.settimeout(_ANSWER_SECONDS)  # which sendall counts for all of it
                connection.sendall(answer)
        finally:
            self._free.release()


def environment() -> dict[str, str]:
    """A digest of each variable of this process: a question names no values, since one may be a secret."""
    return {name: sha256(os.fsencode(value)).hexdigest()[:16] for name, value in os.environ.items()}


def ask(app_paths: AppPaths, question: Question) -> Answer | None:
    """Asks the service to pull, and waits for what came of it, as long as the service's process lives.

    None where there is no service, or none that can answer.
    """
    if not hasattr(socket, "AF_UNIX"):
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            with _short(app_paths.socket) as path:
                connection.connect(path)
            connection.sendall(json.dumps(asdict(question)).encode())
            connection.shutdown(socket.SHUT_WR)
            answer = Answer(**json.loads(b"".join(iter(lambda: connection.recv(_MOST_BYTES), b""))))
    except (OSError, ValueError, TypeError):
        return None
    return answer if answer.status is not None else None


def listens(app_paths: AppPaths) -> bool:
    """Whether a service is under way that can be asked."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _short(app_paths.socket) as path:
            connection.connect(path)
    except OSError:
        return False
    return True


def _received(connection: socket.socket) -> bytes:
    """All that the other side says until it closes its half.

    Raises:
        OSError: it is gone, or does not say it soon.
        ValueError: it says too much.
    """
    deadline = time.monotonic() + _QUESTION_SECONDS
    declared = bytearray()
    while (left := deadline - time.monotonic()) > 0:
        connection.settimeout(left)
        part = connection.recv(_MOST_BYTES)
        if not part:
            return bytes(declared)
        declared += part
        if len(declared) > _MOST_BYTES:
            raise ValueError("too long")
    raise TimeoutError


def _question(declared: bytes) -> Question:
    """The question in what was said.

    Raises:
        ValueError: it is none, or one of another version.
    """
    try:
        document = json.loads(declared)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    # By the very type: to isinstance, a truth is a number.
    if not isinstance(document, dict) or {name: type(value) for name, value in document.items()} != _FIELDS:
        raise ValueError("not a question")
    return Question(**document)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A short name of a socket: its path has room for about a hundred bytes only (unix(7))."""
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - Linux alone has it
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
