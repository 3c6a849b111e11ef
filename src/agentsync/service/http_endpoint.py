"""A small HTTP server for people and monitors on this machine; it answers GET and HEAD only.

Clients may be slow, broken or hostile. So there are few threads, a request must be short and arrive soon, one
connection gets one answer, and a browser that was led here by a foreign host name gets none (DNS rebinding). Nothing
but a connection wakes it up.
"""

from __future__ import annotations

import errno
import io
import os
import selectors
import socket
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import BoundedSemaphore, Thread
from typing import Final, Self

from agentsync.core.address import Address, is_loopback
from agentsync.core.errors import ConfigError
from agentsync.service.events import log_unhealthy

_THREADS: Final = 8
_WAITING: Final = 16  # connections that the system keeps until one is free
_MOST_BYTES: Final = 16 * 1024  # of a request, up to the empty line
_REQUEST_SECONDS: Final = 1.0  # for a whole request: the next client may have to wait as long
_ANSWER_SECONDS: Final = 30.0  # for sending the answer
_GOODBYE_SECONDS: Final = 1.0  # for the client to hang up
_BUSY_SECONDS: Final = 0.2  # between two attempts while no thread is free
_CLOSE_SECONDS: Final = 2.0  # for answers in progress when it is closed

_METHODS: Final = ("GET", "HEAD")
_PLAIN: Final = "text/plain; charset=utf-8"

# Answers must not be cached, framed, sniffed, or sent to or read by another site.
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response.

    Attributes:
        headers: added to those that every answer has, or replacing them.
    """

    status: HTTPStatus
    body: bytes
    content_type: str = _PLAIN
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def text(cls, status: HTTPStatus, text: str) -> Self:
        """Make an answer of one line for people."""
        return cls(status, f"{text}\n".encode())


class Endpoint:
    """An HTTP server with threads of its own, from `start` to `close`.

    Attributes:
        address: where it listens, with the port that the system chose if none was set.
    """

    def __init__(self, address: Address, respond: Callable[[str], Answer]) -> None:
        """Bind the address.

        Args:
            address: where to listen.
            respond: makes the answer for a path, without its query; called in several threads at once.

        Raises:
            ConfigError: the address is not available.
        """
        self._respond = respond
        self._listener = _listen(address)
        self.address = _bound_address(address, self._listener)
        self._inode = _inode(address)
        self._free = BoundedSemaphore(_THREADS)
        self._woken, self._wake = socket.socketpair()
        self._thread = Thread(target=self._run, name="endpoint", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop accepting connections; answers in progress get a little time."""
        self._wake.close()
        if self._thread.ident is not None:
            self._thread.join()
        self._listener.close()
        self._woken.close()
        if self._inode is not None and _inode(self.address) == self._inode:
            Path(self.address.path).unlink(missing_ok=True)
        deadline = time.monotonic() + _CLOSE_SECONDS
        for _ in range(_THREADS):
            self._free.acquire(timeout=max(0.0, deadline - time.monotonic()))

    def is_known(self, host: str | None) -> bool:
        """Whether a request may use this host name: a foreign name for a loopback address is a sign of DNS rebinding.

        A browser always sends one, and cannot connect to a Unix socket. Where other machines are let in, they may
        know this one by any name.
        """
        if host is None or self.address.path or not self.address.is_local:
            return True
        name, separator, port = host.rpartition(":")
        return is_loopback(name if separator and (port.isdigit() or not port) else host)

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while self._woken not in {key.fileobj for key, _ in selector.select()}:
                if not self._free.acquire(timeout=_BUSY_SECONDS):
                    continue
                try:
                    self._accept()
                except (OSError, RuntimeError):  # the client is gone, or no descriptor or thread is free for now
                    self._free.release()
                    time.sleep(_BUSY_SECONDS)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        try:
            Thread(target=self._serve, args=(connection,), name="endpoint-answer", daemon=True).start()
        except RuntimeError:
            connection.close()
            raise

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, suppress(OSError):  # the client may be gone
                _Handler(connection, self)
        finally:
            self._free.release()

    def answer(self, path: str) -> Answer:
        """Answer a request for a path."""
        try:
            return self._respond(path)
        except Exception as error:  # noqa: BLE001 - a bug here must be logged, and must not end the service
            log_unhealthy(f"http {path}", f"{type(error).__name__}: {error}")
            return Answer.text(HTTPStatus.INTERNAL_SERVER_ERROR, "this is a bug in agentsync; see its log")


class _Handler(BaseHTTPRequestHandler):
    """One request on one connection."""

    error_content_type = _PLAIN
    error_message_format = "%(message)s\n"

    def __init__(self, connection: socket.socket, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        super().__init__(connection, ("", 0), endpoint)  # type: ignore[arg-type] # it only keeps the server

    def setup(self) -> None:
        self.rfile = io.BytesIO(_received(self.request))
        self.request.settimeout(_ANSWER_SECONDS)
        self.wfile = self._out = io.BytesIO()

    def handle(self) -> None:
        self.raw_requestline = self.rfile.readline()
        if self.raw_requestline and self.parse_request():
            self._send(self._answer())

    def finish(self) -> None:
        self.request.sendall(self._out.getvalue())
        self.request.shutdown(socket.SHUT_WR)
        # Closing with unread input sends a reset, by which the client can lose the answer (RFC 9112, 9.6).
        deadline = time.monotonic() + _GOODBYE_SECONDS
        while (remaining := deadline - time.monotonic()) > 0:
            self.request.settimeout(remaining)
            if not self.request.recv(_MOST_BYTES):
                return

    def version_string(self) -> str:
        return "agentsync"

    def log_message(self, *_: object) -> None:
        """Log nothing: monitors ask every few seconds."""

    def _answer(self) -> Answer:
        hosts = self.headers.get_all("Host", [])
        if len(hosts) > 1:
            return Answer.text(HTTPStatus.BAD_REQUEST, "there are two Host headers")
        if not self._endpoint.is_known(hosts[0].strip() if hosts else None):
            return Answer.text(HTTPStatus.MISDIRECTED_REQUEST, "this is not the host that was asked for")
        if self.command not in _METHODS:
            text = "there is nothing to change here"
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, f"{text}\n".encode(), headers={"Allow": ", ".join(_METHODS)})
        return self._endpoint.answer(self.path.partition("?")[0])

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        size = {"Content-Type": answer.content_type, "Content-Length": str(len(answer.body))}
        for name, value in (_HEADERS | size | dict(answer.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)


def _received(connection: socket.socket) -> bytes:
    """Receive a request up to its empty line; return nothing where it is too slow or too long.

    The deadline is for the whole request: a client that sends a byte now and then would hold a thread for ever.
    """
    deadline = time.monotonic() + _REQUEST_SECONDS
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or len(head) > _MOST_BYTES:
            return b""
        connection.settimeout(remaining)
        part = connection.recv(_MOST_BYTES)
        if not part:
            return b""
        head += part
    return head


def _listen(address: Address) -> socket.socket:
    try:
        if address.path:
            return _listen_at_path(Path(address.path))
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listener = socket.create_server((address.host, address.port), family=family, backlog=_WAITING)
    except OSError as error:
        hint = "another program listens there" if error.errno == errno.EADDRINUSE else ""
        reason = error.strerror or str(error)
        raise ConfigError(f"`health.listen`: cannot listen at {address}: {reason}", hint=hint) from error
    listener.settimeout(0)
    return listener


def _listen_at_path(path: Path) -> socket.socket:
    """Listen at a path; a socket that a dead process left there is removed, and nothing else.

    Raises:
        OSError: the path is not available, or is in use.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
    with _locked(path.parent):
        if _is_in_use(path):
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(path))
            path.chmod(0o600)  # before it listens, so no other user can have connected
            listener.listen(_WAITING)
        except OSError:
            listener.close()
            raise
    listener.settimeout(0)
    return listener


def _is_in_use(path: Path) -> bool:
    """Whether there is anything at a path but the socket of a dead process."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return True
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_CLOSE_SECONDS)
            probe.connect(str(path))
    except ConnectionRefusedError:
        return False
    except FileNotFoundError:
        return False
    except OSError:
        return True  # unclear, so it is left alone
    return True


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Lock a directory, so that no other agentsync takes over a socket in it at the same time."""
    import fcntl  # noqa: PLC0415 - missing where there are no Unix sockets either

    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _bound_address(address: Address, listener: socket.socket) -> Address:
    return address if address.path else Address(address.host, listener.getsockname()[1])


def _inode(address: Address) -> int | None:
    """The inode of the socket, so that only our own is removed."""
    try:
        return Path(address.path).lstat().st_ino if address.path else None
    except OSError:
        return None
