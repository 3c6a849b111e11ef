"""The health endpoint over real sockets: answers, hostile clients and addresses."""

from __future__ import annotations

import re
import socket
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agentsync.core.address import parse_address
from agentsync.core.errors import ConfigError
from agentsync.service import http_endpoint as endpoint
from agentsync.service.http_endpoint import Answer, Endpoint
from support.endpoint import Watched, connect

PATHS = ("/", "/healthz", "/readyz", "/metrics", "/status.json")


needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")


def raw(address: str, sent: bytes) -> bytes:
    """Send these bytes and return the whole answer, until the other side hangs up."""
    with connect(address) as connection:
        connection.sendall(sent)
        return b"".join(iter(lambda: connection.recv(4096), b""))


# Answers


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_keeps_browsers_from_mischief(watched: Watched, path: str) -> None:
    response = watched.get(path)
    assert response.status == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    if path == "/":  # it has a filter
        policy = re.sub(r"; script-src 'sha256-[^' ]{44}'(?=;)", "", policy)
    assert "script" not in policy
    assert "python" not in response.headers["Server"].lower()


@pytest.mark.parametrize("path", PATHS)
def test_a_head_has_the_headers_and_no_body(watched: Watched, path: str) -> None:
    head = raw(watched.health.address, f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    assert head.startswith(b"HTTP/1.0 200 ")
    assert head.endswith(b"\r\n\r\n")
    [size] = re.findall(rb"Content-Length: (\d+)", head)
    assert int(size) > 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_nothing_can_be_sent(watched: Watched, method: str) -> None:
    response = watched.get("/healthz", method)
    assert (response.status, response.headers["Allow"]) == (405, "GET, HEAD")


def test_a_body_that_nobody_wants_does_not_cost_its_sender_the_answer(watched: Watched) -> None:
    body = b"x" * 1_000_000
    answer = raw(watched.health.address, b"POST / HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + body)
    assert answer.startswith(b"HTTP/1.0 405 ")


def test_an_unknown_path_is_not_found_and_a_query_is_ignored(watched: Watched) -> None:
    missing = watched.get("/healthz/../../etc/passwd")
    assert missing.status == 404
    assert "/status.json" in missing.text
    assert watched.get("/healthz?verbose=1").text == "alive\n"


def test_a_bug_ends_one_answer_and_nothing_else() -> None:
    def fail(_path: str) -> Answer:
        raise ZeroDivisionError

    server = Endpoint(parse_address("127.0.0.1:0"), fail)
    server.start()
    try:
        with capture_logs() as events:
            for _ in range(2):
                assert raw(str(server.address), b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 500 ")
    finally:
        server.close()
    assert {(event["event"], event["what"], event["error"]) for event in events} == {
        ("health.failed", "http /", "ZeroDivisionError: ")
    }


# Clients


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:9417", "[::1]:9417", "[::1]", "LOCALHOST:1"]
)
def test_this_machine_s_own_names_are_known(watched: Watched, host: str) -> None:
    assert watched.get("/healthz", Host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:9417", "127.0.0.1.evil.example", "10.0.0.1", ""])
def test_a_browser_that_was_led_here_by_another_name_gets_nothing(watched: Watched, host: str) -> None:
    response = watched.get("/status.json", Host=host)
    assert response.status == 421
    assert b"sync_id" not in response.body


def test_two_hosts_are_one_too_many(watched: Watched) -> None:
    answer = raw(watched.health.address, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 400 ")


def test_old_monitors_that_name_no_host_are_answered(watched: Watched) -> None:
    assert raw(watched.health.address, b"GET /healthz HTTP/1.0\r\n\r\n").endswith(b"\r\n\r\nalive\n")


@pytest.mark.parametrize(
    "sent",
    [
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n",
        b"GET / HTTP/1.1\r\na: " + b"b" * 20_000,
        b"",
    ],
    ids=["version", "tls", "short", "many headers", "long", "nothing"],
)
def test_a_broken_request_gets_no_page_and_does_no_harm(watched: Watched, sent: bytes) -> None:
    with connect(watched.health.address) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        except ConnectionResetError:
            answer = b""
    assert b"200 OK" not in answer
    assert watched.get("/healthz").status == 200


def test_a_silent_client_is_disconnected(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_REQUEST_SECONDS", 0.1)
    with connect(watched.health.address) as silent:
        assert silent.recv(1) == b""


def test_a_silent_client_keeps_nobody_waiting(watched: Watched) -> None:
    silent = [connect(watched.health.address) for _ in range(endpoint._THREADS - 1)]
    assert watched.get("/healthz").status == 200
    for connection in silent:
        connection.close()


def test_one_that_waits_for_a_thread_is_answered_when_there_is_one(watched: Watched) -> None:
    silent = [connect(watched.health.address) for _ in range(endpoint._THREADS)]
    began = time.monotonic()
    assert watched.get("/healthz").status == 200
    assert time.monotonic() - began < 3  # a monitor's timeout
    for connection in silent:
        connection.close()


def test_a_client_that_trickles_is_disconnected(watched: Watched) -> None:
    with connect(watched.health.address) as slow:
        slow.settimeout(0.1)  # between two bytes
        began = time.monotonic()
        with suppress(ConnectionError):  # the connection may be reset instead of closed
            while not _is_closed(slow):
                slow.sendall(b"G")
    assert 0.5 < time.monotonic() - began < 10


def _is_closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


# Addresses


def test_a_port_in_use_is_a_mistake_in_the_configuration(watched: Watched, tmp_path: Path) -> None:
    other = Watched(tmp_path / "other", listen=watched.health.address)
    with pytest.raises(ConfigError, match=r"`health.listen`: cannot listen at 127\.0\.0\.1:\d+") as caught:
        other.follow(other.config)
    assert caught.value.hint == "another program listens there"


def test_an_address_that_cannot_be_had_keeps_the_old_one(watched: Watched) -> None:
    before = watched.health.address
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError):
            watched.follow(watched.configured(listen=address))
    assert watched.health.address == before
    assert watched.get("/readyz").status == 200


def test_another_address_takes_the_place_of_the_old_one(watched: Watched, tmp_path: Path) -> None:
    before = watched.health.address
    watched.follow(watched.configured(listen=f"unix:{tmp_path}/health.sock"))
    assert watched.get("/readyz").status == 200
    with pytest.raises(ConnectionRefusedError):
        connect(before)
    watched.follow(watched.configured(listen=None))
    assert watched.health.address == ""
    assert not (tmp_path / "health.sock").exists()


def test_the_same_address_is_kept_and_the_new_configuration_counts(watched: Watched) -> None:
    before = watched.health.address
    watched.now = watched.service_status.succeeded_at
    watched.follow(watched.configured(stale_after=0.001))
    assert watched.health.address == before
    assert watched.get("/readyz").status == 200
    assert watched.now is not None
    watched.now += 1
    assert watched.get("/readyz").status == 503


def test_no_thread_and_no_socket_is_left_after_the_end(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    with Watched(tmp_path) as service:
        service.cycle()
        address = service.health.address
        assert service.get("/").status == 200
    assert set(threading.enumerate()) <= threads
    with pytest.raises(ConnectionRefusedError):
        connect(address)


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6")
def test_an_ipv6_address_is_served(tmp_path: Path) -> None:
    with Watched(tmp_path, listen="[::1]:0") as service:
        assert service.health.address.startswith("[::1]:")
        assert service.get("/healthz").status == 200


@needs_unix
class TestUnixSocket:
    def test_it_is_its_user_s_own(self, tmp_path: Path) -> None:
        path = tmp_path / "health.sock"
        with Watched(tmp_path, listen=f"unix:{path}") as service:
            service.cycle()
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert service.get("/readyz", Host="whatever.example").status == 200
        assert not path.exists()

    def test_one_that_a_dead_process_left_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "health.sock"
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
        with Watched(tmp_path, listen=f"unix:{path}") as service:
            assert service.get("/healthz").status == 200

    def test_one_that_is_alive_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "health.sock"
        with Watched(tmp_path / "first", listen=f"unix:{path}") as first:
            second = Watched(tmp_path / "second", listen=f"unix:{path}")
            with pytest.raises(ConfigError, match="in use"):
                second.follow(second.config)
            assert first.get("/healthz").status == 200

    def test_a_file_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("mine\n")
        service = Watched(tmp_path / "root", listen=f"unix:{path}")
        with pytest.raises(ConfigError, match="in use"):
            service.follow(service.config)
        assert path.read_text() == "mine\n"

    def test_one_that_somebody_else_put_there_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "health.sock"
        with Watched(tmp_path / "root", listen=f"unix:{path}"), socket.socket(socket.AF_UNIX) as other:
            path.unlink()
            other.bind(str(path))
        assert path.is_socket()

    def test_a_missing_directory_is_reported(self, tmp_path: Path) -> None:
        service = Watched(tmp_path, listen=f"unix:{tmp_path}/nowhere/health.sock")
        with pytest.raises(ConfigError, match="No such file"):
            service.follow(service.config)
