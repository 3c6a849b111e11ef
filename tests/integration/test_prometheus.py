"""The examples for Prometheus and Grafana, by promtool and by a real Prometheus that scrapes a real endpoint."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from agentsync.fleet.http import Api
from agentsync.fleet.prometheus_api import Query, read_prometheus
from agentsync.report.metrics.measures import MEASURES
from agentsync.service.http_endpoint import Answer, Endpoint
from support.endpoint import Watched

_EXAMPLES = Path(__file__).parents[2] / "examples"
_RULES = _EXAMPLES / "prometheus"
_DASHBOARD = _EXAMPLES / "grafana" / "dashboard.json"
_SECONDS = 30

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (prometheus)")
needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False, cwd=_RULES
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def expressions() -> list[str]:
    """Every query of the dashboard, with Grafana's own variables filled in."""
    dashboard = json.loads(_DASHBOARD.read_text())
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return [text.replace("$__rate_interval", "5m").replace("$instance", ".*") for text in asked]


def measured(text: str) -> set[str]:
    """The metrics that are named in a text."""
    names = set(re.findall(r"\bagentsync_[a-z_]+\b", text))
    return {re.sub(r"_bucket$", "", name) for name in names}


# The examples


@needs_promtool
def test_the_configuration_and_the_rules_are_valid() -> None:
    assert "16 rules found" in promtool("check", "config", "prometheus.yml")


@needs_promtool
def test_the_rules_fire_when_they_should_and_only_then() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


@pytest.mark.skipif(not shutil.which("amtool"), reason="amtool is not installed (prometheus-alertmanager)")
def test_the_configuration_of_alertmanager_is_valid() -> None:
    done = subprocess.run(["amtool", "check-config", _RULES / "alertmanager.yml"], capture_output=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_every_query_of_the_dashboard_is_valid(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(expressions())]
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML too
    assert f"{len(rules)} rules found" in promtool("check", "rules", path)


def test_the_examples_name_measures_that_there_are() -> None:
    there = {measure.prometheus_name for measure in MEASURES}
    assert measured("\n".join(expressions())) <= there
    assert measured((_RULES / "alerts.yml").read_text()) <= there
    assert measured((_RULES / "alerts_test.yml").read_text()) <= there


def test_the_page_of_operations_explains_every_alert() -> None:
    page = (_EXAMPLES.parent / "docs/operations.md").read_text()
    alerts = re.findall(r"- alert: (\w+)", (_RULES / "alerts.yml").read_text())
    assert re.findall(r"^\| `(Agentsync\w+)` \|", page, re.MULTILINE) == alerts


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    places = [panel["gridPos"] for panel in json.loads(_DASHBOARD.read_text())["panels"]]
    cells = [(x, y) for place in places for x in _span(place, "x", "w") for y in _span(place, "y", "h")]
    assert len(cells) == len(set(cells))
    assert {x for x, _ in cells} == set(range(24))


def _span(place: dict[str, int], start: str, length: str) -> range:
    return range(place[start], place[start] + place[length])


# Scraping


@needs_promtool
def test_promtool_accepts_the_metrics(tmp_path: Path) -> None:
    with Watched(tmp_path) as service:
        service.cycle()
        assert promtool("check", "metrics", stdin=service.get("/metrics").text) == ""


@needs_prometheus
def test_prometheus_stores_every_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: SimpleQueue[str] = SimpleQueue()
    answer = Endpoint.answer

    def noted(endpoint: Endpoint, path: str) -> Answer:
        asked.put(path)
        return answer(endpoint, path)

    monkeypatch.setattr(Endpoint, "answer", noted)
    with Watched(tmp_path / "service") as service:
        service.cycle()
        with prometheus(tmp_path, service.health.address) as port:
            # A scrape is stored before the next one begins.
            assert [asked.get(timeout=_SECONDS) for _ in range(3)] == ["/metrics"] * 3
            assert query(port, 'up{job="agentsync"}') == [({"job": "agentsync"}, 1)]
            assert query(port, "agentsync_files") == [
                ({"job": "agentsync", "target": target}, 2) for target in ("claude", "codex", "opencode")
            ]
            assert query(port, "agentsync_syncs_total") == [
                ({"job": "agentsync", "result": "ok", "trigger": "schedule"}, 1)
            ]
            [(_, age)] = query(port, "time() - agentsync_last_success_timestamp_seconds")
            assert 0 <= age < _SECONDS
            [(_, median)] = query(port, "histogram_quantile(0.5, agentsync_sync_duration_seconds_bucket)")
            assert median > 0
            (machine,) = read_prometheus(Api(f"http://127.0.0.1:{port}"), Query('job="agentsync"')).machines
            assert machine.name == service.health.address
            assert (machine.seen_at, machine.succeeded_at) == (
                service.service_status.last.ended_at if service.service_status.last else None,
                service.service_status.succeeded_at,
            )
            (team,) = machine.sources
            assert (team.source, team.committed_at, team.error) == (
                "team",
                service.service_status.sources[0].committed_at,
                "",
            )


@contextmanager
def prometheus(root: Path, address: str) -> Iterator[int]:
    """A Prometheus that scrapes an address ten times a second; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = (_RULES / "prometheus.yml").read_text()
    assert "127.0.0.1:9417" in config
    config = config.replace("127.0.0.1:9417", address).replace("scrape_interval: 1m", "scrape_interval: 100ms")
    (root / "prometheus.yml").write_text(config.replace("alerts.yml", str(_RULES / "alerts.yml")))
    process = subprocess.Popen(
        [
            "prometheus",
            f"--config.file={root}/prometheus.yml",
            f"--storage.tsdb.path={root}/data",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "ready to receive" in line:
                break
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_SECONDS)


def query(port: int, text: str) -> list[tuple[dict[str, str], float]]:
    """The labels, but for the instance and the name, and the value of each series."""
    url = f"http://127.0.0.1:{port}/api/v1/query?{urllib.parse.urlencode({'query': text})}"
    with urllib.request.urlopen(url, timeout=_SECONDS) as response:
        answer: dict[str, Any] = json.load(response)
    samples = [
        (
            {key: value for key, value in series["metric"].items() if key not in ("instance", "__name__")},
            series["value"][1],
        )
        for series in answer["data"]["result"]
    ]
    return sorted(((labels, float(value)) for labels, value in samples), key=str)
