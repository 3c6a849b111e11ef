"""Metrics: each cycle counts once, under the names that the page of operations lists."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from agentsync.core.errors import ExitCode
from agentsync.report.metrics.measures import BOUNDS, MEASURES, Kind, Tally
from agentsync.report.metrics.prometheus import Metrics, write
from agentsync.report.service_status import CycleResult, ServiceStatus, SourceStatus, TargetStatus, Trigger
from agentsync.rollout.choose import Choice, Reason

_PAGE = Path(__file__).parents[3] / "docs/operations.md"

COMMIT, OTHER = "c" * 40, "d" * 40


def cycle(seconds: float = 0.2, exit_code: ExitCode = ExitCode.OK, **counts: int) -> CycleResult:
    return CycleResult("0123456789ab", Trigger.SCHEDULE, 1000.0, seconds, exit_code, counts, {"AS301": 2})


def source(name: str, *, desired: str = COMMIT, error: str = "") -> SourceStatus:
    return SourceStatus(name, "https://git.example/a.git", "refs/heads/main", COMMIT, desired, 900.0, error)


SERVICE_STATUS = ServiceStatus(
    config="/etc/agentsync/config.toml",
    started_at=1.0,
    succeeded_at=900.0,
    next_run_at=1300.0,
    last=cycle(create=2, keep=5, conflict=1, held=3),
    cycles=1,
    sources=(source("team"), source("other", desired=OTHER, error="gone")),
    rollouts={"team": Choice(COMMIT, OTHER, Reason.WAITING, "early", due_at=1600.0)},
    targets=(TargetStatus("claude", "claude", "/home/ada/.claude/agents", files=7, drifted=2, conflicts=1, refused=4),),
)


def text(*statuses: ServiceStatus) -> dict[str, float]:
    """The samples in Prometheus' text form for a status of the service."""
    tally, metrics = Tally(), Metrics()
    for service_status in statuses:
        metrics.saw(tally.read(service_status))
    lines = (line for line in metrics.text().decode().splitlines() if line.startswith("agentsync_"))
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_every_number_is_exported_under_its_labels() -> None:
    reported = text(SERVICE_STATUS)
    assert reported['agentsync_syncs_total{result="ok",trigger="schedule"}'] == 1
    assert reported['agentsync_changes_total{action="create"}'] == 2
    assert reported['agentsync_changes_total{action="delete"}'] == 0
    assert reported['agentsync_diagnostics{code="AS301"}'] == 2
    assert reported['agentsync_files{target="claude"}'] == 7
    assert reported['agentsync_drifted_files{target="claude"}'] == 2
    assert reported['agentsync_conflicts{target="claude"}'] == 1
    assert reported['agentsync_refused_agents{target="claude"}'] == 4
    assert reported["agentsync_held"] == 3
    assert reported["agentsync_last_sync_timestamp_seconds"] == 1000
    assert reported["agentsync_last_success_timestamp_seconds"] == 900
    assert reported["agentsync_next_sync_timestamp_seconds"] == 1300
    assert reported['agentsync_source_up{source="team"}'] == 1
    assert reported['agentsync_source_up{source="other"}'] == 0
    assert reported['agentsync_source_synced{source="team"}'] == 1
    assert reported['agentsync_source_synced{source="other"}'] == 0
    assert reported['agentsync_rollout_stage{reason="waiting",source="team",stage="early"}'] == 1
    assert reported['agentsync_rollout_waiting_seconds{source="team"}'] == 600
    assert reported['agentsync_source_fetched_timestamp_seconds{source="team"}'] == 900
    assert (
        reported["agentsync_suspended"],
        reported["agentsync_config_valid"],
        reported["agentsync_unwatched_paths"],
    ) == (0, 1, 0)
    assert not [
        name for name in reported if COMMIT[:7] in name or 'action="keep"' in name or 'action="conflict"' in name
    ]


def test_unknown_values_are_not_exported() -> None:
    reported = text(ServiceStatus(config="", started_at=1.0))
    assert not [name for name in reported if "timestamp" in name or "held" in name or "syncs" in name]
    assert reported["agentsync_config_valid"] == 1


def test_trouble_is_exported() -> None:
    reported = text(replace(SERVICE_STATUS, suspended="for a while", config_error="a mistake", fallbacks=("a", "b")))
    assert (
        reported["agentsync_suspended"],
        reported["agentsync_config_valid"],
        reported["agentsync_unwatched_paths"],
    ) == (1, 0, 2)


def test_a_cycle_counts_once_however_often_it_is_published() -> None:
    again = replace(SERVICE_STATUS, config_error="a mistake")
    second = replace(SERVICE_STATUS, cycles=2, last=cycle(7.0, ExitCode.INCOMPLETE, create=1))
    reported = text(SERVICE_STATUS, again, SERVICE_STATUS, second, second)
    assert reported['agentsync_syncs_total{result="ok",trigger="schedule"}'] == 1
    assert reported['agentsync_syncs_total{result="incomplete",trigger="schedule"}'] == 1
    assert reported['agentsync_changes_total{action="create"}'] == 3
    assert reported["agentsync_sync_duration_seconds_count"] == 2
    assert reported["agentsync_sync_duration_seconds_sum"] == pytest.approx(7.2)


def test_a_plan_while_suspended_is_no_change() -> None:
    reported = text(replace(SERVICE_STATUS, suspended="for a while"))
    assert 'agentsync_changes_total{action="create"}' not in reported


@pytest.mark.parametrize(
    ("seconds", "first"), [(0.05, "0.05"), (0.0500001, "0.1"), (300.0, "300.0"), (300.1, "+Inf"), (0.0, "0.05")]
)
def test_a_duration_is_in_each_bucket_from_its_own_on(seconds: float, first: str) -> None:
    reported = text(replace(SERVICE_STATUS, last=cycle(seconds)))
    bounds = [*map(str, BOUNDS), "+Inf"]
    assert [reported[f'agentsync_sync_duration_seconds_bucket{{le="{upper_bound}"}}'] for upper_bound in bounds] == [
        float(bounds.index(upper_bound) >= bounds.index(first)) for upper_bound in bounds
    ]


def test_the_page_of_operations_lists_every_measure_and_no_other() -> None:
    row = re.compile(r"^\| `(agentsync_\w+)` \| (\w+) \| (.*?) \| (.+) \|$", re.MULTILINE)
    listed = {name: (kind, labels, meaning) for name, kind, labels, meaning in row.findall(_PAGE.read_text())}
    assert listed == {
        measure.prometheus_name: (
            measure.kind.value,
            ", ".join(f"`{label}`" for label in measure.labels),
            measure.meaning,
        )
        for measure in MEASURES
    }


def test_names_have_their_unit_and_what_they_count() -> None:
    for measure in MEASURES:
        name = measure.prometheus_name
        assert re.fullmatch(r"agentsync(_[a-z]+)+", name)
        assert name.endswith("_total") is (measure.kind is Kind.COUNTER)
        assert ("_seconds" in name) is (measure.unit == "s")


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "agentsync.prom").mkdir()
    with pytest.raises(OSError, match="agentsync"):
        write(tmp_path / "agentsync.prom", b"text")
    assert [file.name for file in tmp_path.iterdir()] == ["agentsync.prom"]
