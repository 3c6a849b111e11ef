"""The control socket, through which `pull` asks a running service to pull now and receives the result.

The socket is in the state directory, which only its user can enter, so every client that reaches it may ask. A question
is one JSON document, and so is the answer; each side closes its half of the connection when it has sent everything.
Clients may be slow, broken or gone: each has a thread of its own, so that neither the others nor the service wait.
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
_QUESTION_SECONDS: Final = 5.0  # for receiving a whole question
_ANSWER_SECONDS: Final = 30.0  # for sending a whole answer
_BUSY_SECONDS: Final = 0.2  # between two attempts while no place, descriptor or thread is free
_CLOSE_SECONDS: Final = 5.0  # for the accepting thread to end


@dataclass(frozen=True, slots=True)
class Question:
    """A request for a pull.

    Attributes:
        config: the absolute path of the client's configuration.
        environment: a digest of each environment variable of the client, as made by `environment`.
        allow_deletions, allow_escalation, allow_scattered: what the user confirms.
        verbosity, json, colored, columns: how the result is to be shown; for no terminal there are 0 columns.
    """

    config: str
    environment: dict[str, str]
    allow_deletions: bool
    allow_escalation: bool
    allow_scattered: bool
    verbosity: int
    json: bool
    colored: bool
    columns: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The output and exit status of a command; `status` is None where the client must pull by itself."""

    stdout: str = ""
    stderr: str = ""
    status: int | None = None


_FIELDS: Final = {name: get_origin(kind) or kind for name, kind in get_type_hints(Question).items()}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that waits for its answer.

    Attributes:
        answer: takes the answer, which is sent later; the client may be gone by then.
    """

    question: Question
    answer: Callable[[Answer], None]


class Control:
    """The service's end of the control socket; a context manager, which removes the socket at its end."""

    def __init__(self, app_paths: AppPaths, take: Callable[[Asked], None]) -> None:
        """Start to listen; the caller must be the only service of this installation.

        Args:
            app_paths: where the state is.
            take: called with each question, from several threads at once.

        Raises:
            OSError: no socket can be created there.
        """
        self._take = take
        self._path = app_paths.socket
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with _short(self._path) as path:
                self._socket.bind(path)
            self._path.chmod(0o600)
            self._inode = self._path.stat().st_ino
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
        with suppress(OSError):
            if self._path.stat().st_ino == self._inode:  # else it is that of another service
                self._path.unlink()
        with suppress(OSError):  # an error may have closed it already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while not self._closed.is_set():
            if not self._free.acquire(timeout=_BUSY_SECONDS):
                continue
            try:
                self._accept()
            except (OSError, RuntimeError):  # it is closed, or no descriptor or thread is free for now
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
        """Pass a question on, and send its answer once there is one."""
        answers: SimpleQueue[Answer] = SimpleQueue()
        try:
            with connection, suppress(OSError, ValueError):  # the client is gone, silent, or not agentsync
                self._take(Asked(_question(_received(connection)), answers.put))
                answer = json.dumps(asdict(answers.get())).encode()
                connection.settimeout(_ANSWER_SECONDS)  # sendall applies it to the whole answer
                connection.sendall(answer)
        finally:
            self._free.release()


def environment() -> dict[str, str]:
    """Digest each environment variable of this process: a question holds no values, since one may be a secret."""
    return {name: sha256(os.fsencode(value)).hexdigest()[:16] for name, value in os.environ.items()}


def ask(app_paths: AppPaths, question: Question) -> Answer | None:
    """Ask the service to pull, and wait for the result as long as the service's process lives.

    Returns:
        None where no service runs, or it cannot answer this question.
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
    """Whether a service runs and accepts questions."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _short(app_paths.socket) as path:
            connection.connect(path)
    except OSError:
        return False
    return True


def _received(connection: socket.socket) -> bytes:
    """Receive everything until the other side closes its half of the connection.

    Raises:
        OSError: the client is gone, or too slow.
        ValueError: it sends too much.
    """
    deadline = time.monotonic() + _QUESTION_SECONDS
    data = bytearray()
    while (remaining := deadline - time.monotonic()) > 0:
        connection.settimeout(remaining)
        part = connection.recv(_MOST_BYTES)
        if not part:
            return bytes(data)
        data += part
        if len(data) > _MOST_BYTES:
            raise ValueError("too long")
    raise TimeoutError


def _question(data: bytes) -> Question:
    """Parse a question.

    Raises:
        ValueError: it is not a question, or one of another version.
    """
    try:
        document = json.loads(data)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    # The exact type, since isinstance takes a bool for an int.
    if not isinstance(document, dict) or {name: type(value) for name, value in document.items()} != _FIELDS:
        raise ValueError("not a question")
    return Question(**document)


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a short name to a socket: its path has room for about a hundred bytes only (unix(7))."""
    if not os.path.isdir("/proc/self/fd"):  # noqa: PTH112 - only Linux has it
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)
