"""Metrics of a service over HTTP and in a file."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from agentsync.core.errors import ConfigError
from support.endpoint import Watched


def test_metrics_are_counted_once_a_cycle(watched: Watched) -> None:
    watched.publish(replace(watched.service_status, suspended="for a while"))
    text = watched.get("/metrics").text
    assert 'agentsync_syncs_total{result="ok",trigger="schedule"} 1.0' in text
    assert 'agentsync_changes_total{action="create"} 6.0' in text
    assert "agentsync_suspended 1.0" in text
    assert 'agentsync_files{target="opencode"} 2.0' in text
    assert 'agentsync_source_synced{source="team"} 1.0' in text
    assert watched.source.head[:7] not in text


def test_metrics_that_are_requested_later_count_earlier_cycles(tmp_path: Path) -> None:
    with Watched(tmp_path, listen=None) as service:
        service.cycle()
        service.follow(service.configured())
        assert "agentsync_sync_duration_seconds_count 1.0" in service.get("/metrics").text


def test_metrics_without_their_library_name_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
def test_a_configured_feature_that_is_not_installed_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str, library: str, extra: str
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    for module in ("agentsync.report.metrics.prometheus", "agentsync.report.metrics.otlp"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    value = str(tmp_path / "agentsync.prom") if key == "textfile" else "http://127.0.0.1:4318"
    service = Watched(tmp_path, **{key: value})
    with pytest.raises(ConfigError, match=f"`health.{key}` needs a package that is not installed") as caught:
        service.follow(service.config)
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
    assert [file.name for file in tmp_path.iterdir() if "prom" in file.name] == ["agentsync.prom"]


def test_a_file_of_metrics_that_cannot_be_written_is_reported_once_and_stops_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "textfile"
    with Watched(tmp_path / "root", listen=None, textfile=str(directory / "agentsync.prom")) as service:
        with capture_logs() as events:
            assert [service.cycle().last for _ in range(2)][1] is not None
            directory.mkdir()
            service.cycle()
        health_events = [event for event in events if event["event"].startswith("health.")]
        assert [(event["event"], event["what"]) for event in health_events] == [
            ("health.failed", "textfile"),
            ("health.recovered", "textfile"),
        ]
        assert "No such file" in health_events[0]["error"]
    assert (directory / "agentsync.prom").exists()
