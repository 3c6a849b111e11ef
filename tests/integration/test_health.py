"""What the service tells over HTTP and in a file: real sockets, real repositories, and those who mean no good."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import stat
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agentsync.core.address import parse_address
from agentsync.core.errors import ConfigError
from agentsync.report.json_output import status_record
from agentsync.service import endpoint
from agentsync.service.endpoint import Answer, Endpoint
from agentsync.sync.cycle import run
from agentsync.sync.report import Scope
from support.endpoint import Watched, connect
from support.machine import agent

PATHS = ("/", "/healthz", "/readyz", "/metrics", "/status.json")

needs_unix = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no such sockets")


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A service after its first cycle."""
    with Watched(tmp_path) as service:
        service.cycle()
        yield service


def raw(address: str, sent: bytes) -> bytes:
    """All that is answered to these bytes until the other side hangs up."""
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


def test_what_is_not_there_is_not_found_and_a_query_means_nothing(watched: Watched) -> None:
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


# Who asks


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
def test_what_is_no_request_gets_no_page_and_does_no_harm(watched: Watched, sent: bytes) -> None:
    with connect(watched.health.address) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        try:
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        except ConnectionResetError:
            answer = b""
    assert b"200 OK" not in answer
    assert watched.get("/healthz").status == 200


def test_who_says_nothing_is_hung_up_on(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_REQUEST_SECONDS", 0.1)
    with connect(watched.health.address) as silent:
        assert silent.recv(1) == b""


def test_who_says_nothing_keeps_nobody_waiting(watched: Watched) -> None:
    silent = [connect(watched.health.address) for _ in range(endpoint._THREADS - 1)]
    assert watched.get("/healthz").status == 200
    for connection in silent:
        connection.close()


def test_one_that_waits_for_a_thread_is_answered_when_there_is_one(watched: Watched) -> None:
    silent = [connect(watched.health.address) for _ in range(endpoint._THREADS)]
    began = time.monotonic()
    assert watched.get("/healthz").status == 200
    assert time.monotonic() - began < 3  # a monitor's patience
    for connection in silent:
        connection.close()


def test_who_says_a_byte_now_and_then_is_hung_up_on(watched: Watched) -> None:
    with connect(watched.health.address) as slow:
        slow.settimeout(0.1)  # between two bytes
        began = time.monotonic()
        with suppress(ConnectionError):  # it may hang up without a goodbye
            while not _says_goodbye(slow):
                slow.sendall(b"G")
    assert 0.5 < time.monotonic() - began < 10


def _says_goodbye(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False


# Where it listens


def test_a_port_in_use_is_a_mistake_in_the_configuration(watched: Watched, tmp_path: Path) -> None:
    other = Watched(tmp_path / "other", listen=watched.health.address)
    with pytest.raises(ConfigError, match=r"`health.listen`: it cannot be listened at 127\.0\.0\.1:\d+") as caught:
        other.health.follow(other.config)
    assert caught.value.hint == "another program listens there"


def test_an_address_that_cannot_be_had_keeps_the_old_one(watched: Watched) -> None:
    before = watched.health.address
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigError):
            watched.health.follow(watched.configured(listen=address))
    assert watched.health.address == before
    assert watched.get("/readyz").status == 200


def test_another_address_takes_the_place_of_the_old_one(watched: Watched, tmp_path: Path) -> None:
    before = watched.health.address
    watched.health.follow(watched.configured(listen=f"unix:{tmp_path}/health.sock"))
    assert watched.get("/readyz").status == 200
    with pytest.raises(ConnectionRefusedError):
        connect(before)
    watched.health.follow(watched.configured(listen=None))
    assert watched.health.address == ""
    assert not (tmp_path / "health.sock").exists()


def test_the_same_address_is_kept_and_what_counts_is_the_new_configuration(watched: Watched) -> None:
    before = watched.health.address
    watched.now = watched.service_status.succeeded_at
    watched.health.follow(watched.configured(stale_after=0.001))
    assert watched.health.address == before
    assert watched.get("/readyz").status == 200
    assert watched.now is not None
    watched.now += 1
    assert watched.get("/readyz").status == 503


def test_after_the_end_nothing_is_left(tmp_path: Path) -> None:
    threads = set(threading.enumerate())
    with Watched(tmp_path) as service:
        service.cycle()
        address = service.health.address
        assert service.get("/").status == 200
    assert set(threading.enumerate()) <= threads
    with pytest.raises(ConnectionRefusedError):
        connect(address)


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6")
def test_ipv6_is_spoken(tmp_path: Path) -> None:
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
                second.health.follow(second.config)
            assert first.get("/healthz").status == 200

    def test_a_file_is_left_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("mine\n")
        service = Watched(tmp_path / "root", listen=f"unix:{path}")
        with pytest.raises(ConfigError, match="in use"):
            service.health.follow(service.config)
        assert path.read_text() == "mine\n"

    def test_one_that_somebody_else_put_there_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "health.sock"
        with Watched(tmp_path / "root", listen=f"unix:{path}"), socket.socket(socket.AF_UNIX) as other:
            path.unlink()
            other.bind(str(path))
        assert path.is_socket()

    def test_a_directory_that_is_missing_is_told(self, tmp_path: Path) -> None:
        service = Watched(tmp_path, listen=f"unix:{tmp_path}/nowhere/health.sock")
        with pytest.raises(ConfigError, match="No such file"):
            service.health.follow(service.config)


# Alive and ready


def test_ready_means_a_good_sync_that_is_not_too_old(tmp_path: Path) -> None:
    with Watched(tmp_path, stale_after=600) as service:
        assert (service.get("/readyz").status, service.get("/readyz").text) == (503, "starting\n")
        service.publish(service.service_status)
        assert service.get("/readyz").text == "not every source could be fetched and applied yet\n"
        fetched_at = service.cycle().succeeded_at
        assert fetched_at is not None
        assert service.get("/readyz").text == "ready\n"
        service.now = fetched_at + 601
        response = service.get("/readyz")
        assert (response.status, response.text) == (
            503,
            "the last good sync was 10 min ago, and 10 min are allowed\n",
        )


def test_alive_means_that_the_service_speaks_by_when_it_should(watched: Watched) -> None:
    watched.awake = 1000.0
    service_status = watched.cycle()
    assert service_status.next_run_at is not None
    allowed = 300 + 60 + 600  # until the next cycle, for its fetch and for its work
    watched.awake += allowed - 5
    assert watched.get("/healthz").status == 200
    watched.awake += 10
    response = watched.get("/healthz")
    assert (response.status, response.text) == (503, "there was no sign of progress for 16 min\n")
    watched.cycle()
    assert watched.get("/healthz").status == 200


def test_a_first_cycle_that_never_ends_is_no_life(tmp_path: Path) -> None:
    service = Watched(tmp_path)
    service.awake = 1000.0
    with service:
        assert service.get("/healthz").status == 200
        service.awake += 60 + 600 + 1
        assert service.get("/healthz").status == 503


# status.json and the page


def test_status_json_is_what_status_says_and_how_the_service_stands(watched: Watched) -> None:
    (watched.directory / "tester.md").write_text("mine\n")
    reported = watched.get("/status.json").json
    service = reported.pop("service")
    known = status_record(run(watched.config, watched.app_paths, Scope.LOOK))
    passing = ("sync_id", "seconds")
    assert {key: value for key, value in reported.items() if key not in passing} == {
        key: value for key, value in known.items() if key not in passing
    }
    assert reported["targets"][0]["drifted"] == 1
    assert service["sources"][0]["applied"] == service["sources"][0]["desired"] == watched.source.head
    assert (service["last"]["trigger"], service["last"]["exit_code"]) == ("schedule", 0)
    assert (service["cycles"], service["unready"], service["config_error"]) == (1, None, None)


def test_the_sample_on_the_page_of_json_has_these_keys(watched: Watched) -> None:
    page = (Path(__file__).parents[2] / "docs/json.md").read_text()
    [sample] = re.findall(r"## status\.json\n.*?```json\n(.*?)```", page, re.DOTALL)
    reported = watched.get("/status.json").json["service"]
    documented = json.loads(sample)["service"]
    assert documented.keys() == reported.keys()
    assert documented["last"].keys() == reported["last"].keys()
    assert documented["sources"][0].keys() == reported["sources"][0].keys()


def test_many_who_ask_at_once_get_one_look(watched: Watched) -> None:
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: watched.get("/status.json").json["sync_id"], range(12)))
    assert len(set(answers)) == 1


def test_what_is_new_is_seen_at_once(watched: Watched) -> None:
    before = watched.get("/status.json").json
    watched.cycle()
    after = watched.get("/status.json").json
    assert (before["service"]["cycles"], after["service"]["cycles"]) == (1, 2)
    assert before["sync_id"] != after["sync_id"]


def test_the_page_shows_what_is_here_beside_what_should_be(watched: Watched) -> None:
    (watched.directory / "tester.md").write_text(agent("tester", "You <script>alert(1)</script> help."))
    page = watched.get("/").text
    assert "1 thing needs attention" in page
    assert "-You &lt;script&gt;alert(1)&lt;/script&gt; help." in page
    assert "<script" not in page


def test_a_file_that_is_too_large_is_not_compared(watched: Watched) -> None:
    (watched.directory / "tester.md").write_text("mine\n" * 100_000)
    page = watched.get("/").text
    assert "There is nothing to compare, or too much." in page
    assert len(page) < 100_000


def test_the_page_on_an_address_that_others_reach_shows_no_content(tmp_path: Path) -> None:
    with Watched(tmp_path, listen="0.0.0.0:0", allow_remote=True) as service:
        service.cycle()
        (service.directory / "tester.md").write_text("my secret\n")
        response = service.get("/", Host="machine.example:9417")
        assert response.status == 200
        assert "in conflict" in response.text
        assert "my secret" not in response.text
        assert "on this machine alone" in response.text


def test_a_state_that_cannot_be_used_is_told_and_the_rest_is_shown(watched: Watched) -> None:
    with sqlite3.connect(watched.app_paths.database) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    response = watched.get("/status.json")
    assert response.status == 503
    assert "version 99" in response.json["error"]["message"]
    assert response.json["service"]["cycles"] == 1
    page = watched.get("/")
    assert page.status == 200
    assert "version 99" in page.text
    assert watched.get("/healthz").status == 200


# Metrics


def test_metrics_are_counted_once_a_cycle(watched: Watched) -> None:
    watched.publish(replace(watched.service_status, suspended="for a while"))
    text = watched.get("/metrics").text
    assert 'agentsync_syncs_total{result="ok",trigger="schedule"} 1.0' in text
    assert 'agentsync_changes_total{action="create"} 6.0' in text
    assert "agentsync_suspended 1.0" in text
    assert 'agentsync_files{target="opencode"} 2.0' in text
    assert 'agentsync_source_synced{source="team"} 1.0' in text
    assert watched.source.head[:7] not in text


def test_metrics_that_are_asked_for_later_know_what_was_before(tmp_path: Path) -> None:
    with Watched(tmp_path, listen=None) as service:
        service.cycle()
        service.health.follow(service.configured())
        assert "agentsync_sync_duration_seconds_count 1.0" in service.get("/metrics").text


def test_metrics_without_their_library_say_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "agentsync.report.metrics.prometheus", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with Watched(tmp_path) as service:
        service.cycle()
        response = service.get("/metrics")
        assert (response.status, response.text) == (
            501,
            "metrics are not installed: pip install 'agentsync[metrics]'\n",
        )
        assert service.get("/readyz").status == 200


@pytest.mark.parametrize(
    ("key", "library", "extra"),
    [("textfile", "prometheus_client", "metrics"), ("otlp", "opentelemetry", "otlp")],
)
def test_what_is_configured_and_not_installed_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, library: str, extra: str
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    for module in ("agentsync.report.metrics.prometheus", "agentsync.report.metrics.otlp"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    value = str(tmp_path / "agentsync.prom") if key == "textfile" else "http://127.0.0.1:4318"
    service = Watched(tmp_path, **{key: value})
    with pytest.raises(ConfigError, match=f"`health.{key}` needs what is not installed") as caught:
        service.health.follow(service.config)
    assert caught.value.hint == f"pip install 'agentsync[{extra}]'"


def test_the_file_of_metrics_is_replaced_after_each_cycle(tmp_path: Path) -> None:
    path = tmp_path / "agentsync.prom"
    before = os.umask(0o077)
    with Watched(tmp_path / "root", listen=None, textfile=str(path)) as service:
        service.cycle()
        first = path.stat()
        service.cycle()
        os.umask(before)
        assert "agentsync_sync_duration_seconds_count 2.0\n" in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.stat().st_ino != first.st_ino
    assert [found.name for found in tmp_path.iterdir() if "prom" in found.name] == ["agentsync.prom"]


def test_a_file_of_metrics_that_cannot_be_written_is_told_once_and_stops_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "textfile"
    with Watched(tmp_path / "root", listen=None, textfile=str(directory / "agentsync.prom")) as service:
        with capture_logs() as events:
            assert [service.cycle().last for _ in range(2)][1] is not None
            directory.mkdir()
            service.cycle()
        reported = [event for event in events if event["event"].startswith("health.")]
        assert [(event["event"], event["what"]) for event in reported] == [
            ("health.failed", "textfile"),
            ("health.recovered", "textfile"),
        ]
        assert "No such file" in reported[0]["error"]
    assert (directory / "agentsync.prom").exists()
