"""Doctor's checks of the environment, with made-up files and programs."""

from __future__ import annotations

import stat
import time
from pathlib import Path

import pytest

from agentsync.dialects import dialects
from agentsync.doctor.environment import check_clock, check_tools, check_units, check_watching
from agentsync.doctor.result import Health

NOW = 1_795_000_000.0


@pytest.mark.parametrize(("ahead", "health"), [(-3600, Health.GOOD), (7200, Health.GOOD), (172800, Health.WARNING)])
def test_a_commit_from_the_future_is_a_warning_about_the_clock(ahead: int, health: Health) -> None:
    assert check_clock([0, int(NOW) + ahead], NOW).health is health


def test_without_commits_the_clock_is_only_shown() -> None:
    assert time.strftime("%Y") in check_clock([]).message


def test_few_watches_are_reported_with_the_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "max_user_watches").write_text("128\n")
    (tmp_path / "max_user_instances").write_text("128\n")
    few, enough = check_watching(tmp_path)
    assert few.health is Health.WARNING
    assert "sysctl fs.inotify.max_user_watches=" in few.hint
    assert enough.health is Health.GOOD
    assert not list(check_watching(tmp_path / "another system"))


@pytest.mark.parametrize(
    ("command", "health", "shown"),
    [
        ("echo 99.0.1 '(Claude Code)'", Health.GOOD, "Claude Code 99.0.1"),
        ("echo 1.0.3", Health.WARNING, "Claude Code 1.0.3"),
        ("exit 1", Health.GOOD, "Claude Code unknown"),
    ],
)
def test_a_tools_version_is_shown_beside_the_known_one(
    command: str, health: Health, shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "claude"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    claude = dialects()["claude"]
    [result] = check_tools([claude, claude])
    assert result.health is health
    assert result.message.startswith(shown)
    assert claude.version in result.message


@pytest.mark.parametrize(
    ("shown", "health", "message"),
    [
        ("active running 0", Health.GOOD, "active"),
        ("activating start 0", Health.GOOD, "activating"),
        ("activating auto-restart 226", Health.BAD, "systemd cannot start it: 226/NAMESPACE"),
        ("activating auto-restart 70", Health.BAD, "it ends with 70 and is started again and again"),
        ("failed failed 217", Health.BAD, "systemd cannot start it: 217/USER"),
        ("failed failed 70", Health.BAD, "failed"),
        ("inactive dead 0", Health.WARNING, "inactive"),
        ("", Health.WARNING, "the user's systemd cannot be reached"),
    ],
)
def test_a_unit_that_was_installed_is_asked_after(
    shown: str, health: Health, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "systemctl"
    lines = zip(("ActiveState", "SubState", "ExecMainStatus"), shown.split(), strict=False)
    printed = " ".join(f"{key}={value}" for key, value in lines)
    program.write_text(f'#!/bin/sh\n[ "$3" = agentsync-pull.timer ] && printf "%s\\n" {printed}\nexit 3\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert not list(check_units())
    units = tmp_path / "systemd/user"
    units.mkdir(parents=True)
    (units / "agentsync-pull.timer").touch()
    [result] = check_units()
    assert (result.subject, result.health, result.message) == ("agentsync-pull.timer", health, message)


def test_a_tool_that_is_not_on_path_has_no_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not list(check_tools(dialects().values()))
