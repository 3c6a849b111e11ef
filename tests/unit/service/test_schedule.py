"""The service's schedule, from its triggers alone: the clock is an argument."""

from __future__ import annotations

import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsync.core.installation import kept_id, own_fraction
from agentsync.core.paths import AppPaths
from agentsync.service.schedule import Phased, Spread

NOW = datetime(2026, 11, 21, 6, 24, 10, tzinfo=UTC)
INTERVALS = st.floats(min_value=1, max_value=86400 * 7)
SHARES = st.floats(min_value=0, max_value=1, exclude_max=True)


@settings(deadline=None)
@given(interval=INTERVALS, fraction=SHARES, jitter=SHARES, seconds=st.floats(0, 1e9))
def test_the_next_run_is_ahead_and_no_further_than_an_interval_and_its_jitter(
    interval: float, fraction: float, jitter: float, seconds: float
) -> None:
    now = NOW + timedelta(seconds=seconds)
    fire_time = Phased(interval, fraction, jitter).get_next_fire_time(None, now)
    assert timedelta(0) <= fire_time - now <= timedelta(seconds=interval * (1 + jitter) + 1e-3)


@settings(deadline=None)
@given(fraction=SHARES, jitter=SHARES)
def test_there_is_one_run_in_each_interval(fraction: float, jitter: float) -> None:
    trigger, interval = Phased(300, fraction, jitter), 300.0
    runs = [trigger.get_next_fire_time(None, NOW)]
    for _ in range(20):
        runs.append(trigger.get_next_fire_time(runs[-1], runs[-1]))
    first = datetime.fromtimestamp(0, UTC) + timedelta(seconds=interval) * fraction
    turns = [(run - first) // timedelta(seconds=interval) for run in runs]
    assert turns == list(range(turns[0], turns[0] + len(runs)))


@pytest.mark.parametrize("jump", [timedelta(hours=9), timedelta(days=400), -timedelta(hours=9)])
def test_23_a_clock_that_jumps_brings_one_run_and_no_burst(jump: timedelta) -> None:
    trigger = Phased(300, 0.25, 0.1)
    before = trigger.get_next_fire_time(None, NOW)
    now = NOW + jump
    again = trigger.get_next_fire_time(None, now)
    assert again > now
    assert trigger.get_next_fire_time(again, again) - again < timedelta(seconds=300 * 1.2)
    if jump > timedelta(0):
        assert trigger.get_next_fire_time(before, now) > now


def test_cron_is_heeded_and_spread_over_a_minute() -> None:
    first = Spread("0 7 * * *", 0.5).get_next_fire_time(None, NOW)
    assert first == datetime(2026, 11, 21, 7, 0, 30, tzinfo=UTC)
    assert Spread("0 7 * * *", 0.5).get_next_fire_time(first, first) == first + timedelta(days=1)


def test_a_machine_has_its_own_place_and_keeps_it(tmp_path: Path) -> None:
    app_paths = set()
    for number in range(50):
        identity = tmp_path / str(number)
        identity.write_text(f"{number:032x}\n")
        app_paths.add(own_fraction(identity))
        assert own_fraction(identity) == own_fraction(identity)
    assert len(app_paths) == 50
    assert min(app_paths) < 0.2
    assert max(app_paths) > 0.8
    assert own_fraction(tmp_path / "missing", "a") != own_fraction(tmp_path / "missing", "b")


@pytest.mark.parametrize("content", ["", "\n", "uninitialized\n"])
def test_a_machine_that_has_no_id_yet_has_none(tmp_path: Path, content: str) -> None:
    identity = tmp_path / "machine-id"
    identity.write_text(content)
    assert own_fraction(identity, "a") == own_fraction(tmp_path / "missing", "a")
    assert own_fraction(identity, "a") != own_fraction(identity, "b")


def test_an_installation_s_own_id_is_made_once_and_kept(tmp_path: Path) -> None:
    ids = set()
    for number in range(50):
        app_paths = AppPaths(tmp_path / str(number), tmp_path / "cache")
        app_paths.state.mkdir()
        ids.add(kept_id(app_paths))
        assert kept_id(app_paths) == kept_id(app_paths)
        (path,) = app_paths.state.iterdir()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(ids) == 50
    assert len({own_fraction(tmp_path / "missing", identity) for identity in ids}) == 50


def test_an_id_that_was_lost_in_writing_is_made_again(tmp_path: Path) -> None:
    app_paths = AppPaths(tmp_path, tmp_path / "cache")
    kept_id(app_paths)
    (path,) = tmp_path.iterdir()
    path.write_text("")
    again = kept_id(app_paths)
    assert len(again) == 32
    assert again == kept_id(app_paths)


def test_where_no_id_can_be_kept_the_host_s_name_is_used(tmp_path: Path) -> None:
    assert kept_id(AppPaths(tmp_path / "missing", tmp_path)) == socket.gethostname()
    app_paths = AppPaths(tmp_path, tmp_path / "cache")
    kept_id(app_paths)
    (path,) = tmp_path.iterdir()
    path.unlink()
    path.mkdir()
    assert kept_id(app_paths) == socket.gethostname()
