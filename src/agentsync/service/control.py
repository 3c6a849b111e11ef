"""The socket by which `pull` asks a service that is under way to do it now, and is told what came of it.

It lies in the directory of the state, which only its user can enter, so whoever reaches it may ask. A question is one
JSON document, and so is the answer; each side closes its half when it has said all.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any, Final, Self

from agentsync.paths import Places

_MOST_BYTES: Final = 1 << 16  # of a question
_PATIENCE: Final = 5.0  # seconds for the other side to take or give what it should


@dataclass(frozen=True, slots=True)
class Question:
    """A pull that is asked for.

    Attributes:
        config: the absolute path of the configuration that is meant.
        allow_deletions, allow_growth: what the user confirms.
        verbosity, json, colored: how the result is to be shown.
    """

    config: str
    allow_deletions: bool
    allow_growth: bool
    verbosity: int
    json: bool
    colored: bool


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command would have printed, and its exit status; `status` is None where it must run by itself."""

    stdout: str = ""
    stderr: str = ""
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that waits for its answer."""

    question: Question
    _connection: socket.socket

    def answer(self, answer: Answer) -> None:
        """Answers and hangs up; whoever asked may be gone."""
        with closing(self._connection), suppress(OSError):
            self._connection.sendall(json.dumps(asdict(answer)).encode())


class Control:
    """Takes questions; a context manager, which takes the socket away."""

    def __init__(self, places: Places, take: Callable[[Asked], None]) -> None:
        """Listens from now on; the caller is the only service of this installation.

        Args:
            places: where the state is.
            take: called with each question, from a thread of its own.

        Raises:
            OSError: there can be no socket there.
        """
        self._take = take
        self._path = places.socket
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
        self._thread = Thread(target=self._run, name="control", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        with suppress(OSError):  # it may be closed already, by an error of its own
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(_PATIENCE)

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # closed
            try:
                connection.settimeout(_PATIENCE)
                question = Question(**_received(connection, _MOST_BYTES))
            except (OSError, ValueError, TypeError):  # gone, silent, or not one of us
                connection.close()
                continue
            self._take(Asked(question, connection))


def ask(places: Places, question: Question) -> Answer | None:
    """Asks the service to pull, and waits for what came of it; None where there is none, or none that can answer."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            with _short(places.socket) as path:
                connection.connect(path)
            connection.sendall(json.dumps(asdict(question)).encode())
            connection.shutdown(socket.SHUT_WR)
            answer = Answer(**_received(connection))
    except (OSError, ValueError, TypeError):
        return None
    return answer if answer.status is not None else None


def listens(places: Places) -> bool:
    """Whether a service is under way that can be asked."""
    if not hasattr(socket, "AF_UNIX"):
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection, _short(places.socket) as path:
            connection.connect(path)
    except OSError:
        return False
    return True


def _received(connection: socket.socket, most: int | None = None) -> Mapping[str, Any]:
    """The document that the other side says until it hangs up."""
    parts: list[bytes] = []
    while part := connection.recv(1 << 16):
        parts.append(part)
        if most is not None and sum(map(len, parts)) > most:
            raise ValueError("too long")
    document: Mapping[str, Any] = json.loads(b"".join(parts))
    return document


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
