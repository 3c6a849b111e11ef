"""Export to an OpenTelemetry collector: a real one as far as HTTP goes, and one that is not there."""

from __future__ import annotations

import gzip
import io
import logging
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
import structlog
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from agentsync.core.log import _listeners, configure, logger
from agentsync.report.service_status import Trigger
from support.endpoint import Watched
from support.machine import Machine, agent
from support.repository import Repository
from support.service import Service

_SECONDS = 20


class Collector(ThreadingHTTPServer):
    """Store every request, and answer with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.posted: SimpleQueue[tuple[str, bytes]] = SimpleQueue()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def metrics(self) -> dict[str, Any]:
        """The next metrics that come, by name."""
        request = ExportMetricsServiceRequest.FromString(self._next("/v1/metrics"))
        [resource] = request.resource_metrics
        return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}

    def logs(self) -> tuple[dict[str, str], list[tuple[str, str, dict[str, str]]]]:
        """The next resource and its events: name, severity and attributes."""
        request = ExportLogsServiceRequest.FromString(self._next("/v1/logs"))
        [resource] = request.resource_logs
        records = [record for scope in resource.scope_logs for record in scope.log_records]
        return attributes(resource.resource.attributes), [
            (record.body.string_value, record.severity_text, attributes(record.attributes)) for record in records
        ]

    def _next(self, path: str) -> bytes:
        while True:
            posted, body = self.posted.get(timeout=_SECONDS)
            if posted == path:
                return body


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        collector = self.server
        assert isinstance(collector, Collector)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        collector.posted.put((self.path, gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body))
        self.send_response(collector.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def attributes(pairs: Any) -> dict[str, str]:
    return {pair.key: pair.value.string_value or str(pair.value.int_value) for pair in pairs}


def points(metric: Any) -> dict[tuple[str, ...], float]:
    """The values of a gauge or a sum by their labels."""
    data = metric.gauge if metric.HasField("gauge") else metric.sum
    return {
        tuple(sorted(attributes(point.attributes).values())): point.as_double or point.as_int
        for point in data.data_points
    }


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The service's own log, as it is configured when it runs."""
    before = structlog.get_config()
    stream = io.StringIO()
    configure(logging.INFO, stream=stream, readable=False)
    yield stream
    structlog.configure(**before)


def test_a_collector_gets_the_measures_and_the_log_of_each_cycle(
    tmp_path: Path, collector: Collector, log: io.StringIO
) -> None:
    with Watched(tmp_path, listen=None, otlp=collector.url) as service:
        service.cycle(Trigger.START)
        metrics = collector.metrics()
        assert points(metrics["agentsync.syncs"]) == {("ok", "start"): 1}
        assert points(metrics["agentsync.files"]) == {("claude",): 2, ("codex",): 2, ("opencode",): 2}
        assert points(metrics["agentsync.changes"])["create",] == 6
        assert points(metrics["agentsync.source.synced"]) == {("team",): 1}
        assert metrics["agentsync.last_success.timestamp"].unit == "s"
        [duration] = metrics["agentsync.sync.duration"].histogram.data_points
        assert (duration.count, duration.sum > 0) == (1, True)
        resource, events = collector.logs()
        assert resource["service.name"] == "agentsync"
        assert {"service.version", "service.instance.id", "host.name", "process.owner"} <= resource.keys()
        names = [name for name, _, _ in events]
        assert names.count("agent.created") == 6
        assert names[-1] == "sync.finished"
        [finished] = [facts for name, _, facts in events if name == "sync.finished"]
        assert (finished["create"], finished["exit_code"]) == ("6", "0")
        assert service.source.head in finished["commits"]
        service.cycle()
        again = collector.metrics()
        assert points(again["agentsync.syncs"]) == {("ok", "start"): 1, ("ok", "schedule"): 1}
        assert again["agentsync.sync.duration"].histogram.data_points[0].count == 2
        [(name, severity, _)] = collector.logs()[1]
        assert (name, severity) == ("sync.finished", "INFO")
    assert len(log.getvalue().splitlines()) == 6 + 3  # source.moved, and sync.finished of both


def test_a_refusal_names_commit_stage_agent_and_code(tmp_path: Path, collector: Collector, log: io.StringIO) -> None:
    """So whoever reads the log of all machines sees what a commit does in which stage."""
    with Watched(tmp_path, listen=None, otlp=collector.url) as service:
        stages = '[rollout]\nstages = [{ name = "all", share = 100 }]\n'
        hooks = "\n  Stop:\n    - hooks:\n        - type: command\n          command: ./notify"
        service.source.write({"agentsync.toml": stages, "agents/release.md": agent("release", hooks=hooks)})
        commit = service.source.commit("An agent with a hook")
        service.cycle()
        events = [(name, facts) for name, _, facts in collector.logs()[1]]
    refused = [facts for name, facts in events if name == "agent.refused"]
    expected = {"source": "team", "commit": commit, "stage": "all", "agent": "release", "code": "AS507"}
    assert [{key: facts[key] for key in expected} for facts in refused] == [expected], refused
    assert {facts["stage"] for name, facts in events if name in ("agent.created", "source.moved")} == {"all"}
    assert expected["code"] in log.getvalue()


def test_no_secret_goes_to_the_collector(tmp_path: Path, collector: Collector, log: io.StringIO) -> None:
    with Watched(tmp_path, listen=None, otlp=collector.url) as service:
        logger().warning("source.failed", url="https://token@git.example/a.git", number=3, found=["a"])
        service.cycle()
        [failed] = [reported for reported in collector.logs()[1] if reported[0] == "source.failed"]
    assert failed == (
        "source.failed",
        "WARNING",
        {"url": "https://***@git.example/a.git", "number": "3", "found": '["a"]'},
    )
    assert "***" in log.getvalue()


def test_the_remaining_events_are_sent_at_the_end(tmp_path: Path, collector: Collector, log: io.StringIO) -> None:
    with Watched(tmp_path, listen=None, otlp=collector.url):
        logger().info("daemon.stopped")
    assert [name for name, _, _ in collector.logs()[1]] == ["daemon.stopped"]
    assert '"daemon.stopped"' in log.getvalue()


@pytest.mark.usefixtures("log")
def test_after_the_end_nothing_is_sent_and_no_thread_is_left(tmp_path: Path, collector: Collector) -> None:
    with Watched(tmp_path, listen=None, otlp=collector.url) as service:
        service.cycle()
        assert "telemetry" in {thread.name for thread in threading.enumerate()}
    assert "telemetry" not in {thread.name for thread in threading.enumerate()}
    assert _listeners == []


def test_a_collector_that_is_gone_delays_nothing_and_is_reported_once(
    tmp_path: Path, log: io.StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with Watched(tmp_path, listen=None, otlp=url) as service:
        for _ in range(3):
            service.cycle()
    reported = [line for line in log.getvalue().splitlines() if "health." in line]
    assert len(reported) == 1
    assert '"what": "otlp"' in reported[0]
    assert capfd.readouterr().err == ""


def test_a_collector_that_refuses_is_reported_and_tried_again(
    tmp_path: Path, collector: Collector, log: io.StringIO
) -> None:
    collector.status = 400
    with Watched(tmp_path, listen=None, otlp=collector.url) as service:
        service.cycle()
        collector.metrics()
        collector.logs()
        collector.status = 200
        service.cycle()
        assert points(collector.metrics()["agentsync.syncs"]) == {("ok", "schedule"): 2}
    assert [line.count("health.failed") for line in log.getvalue().splitlines() if "health." in line] == [1, 0]


def test_the_collector_gets_the_events_of_a_sync_that_is_a_process_of_its_own(
    collector: Collector, tmp_path: Path
) -> None:
    machine, repository = Machine(tmp_path), Repository(tmp_path / "served/team.git")
    repository.write({"agents/reviewer.md": agent("reviewer")})
    repository.commit()
    machine.follow(repository)
    machine.config.write_text(f'{machine.config.read_text()}[health]\notlp = "{collector.url}"\n')
    service = Service(machine)
    try:
        service.wait_for("sync.finished")
        names: set[str] = set()
        while not names >= {"daemon.started", "agent.created", "sync.finished"}:
            names |= {name for name, _, _ in collector.logs()[1]}
    finally:
        service.kill()
