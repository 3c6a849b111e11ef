"""The service's files, on a machine where no systemd answers: tests/integration/test_systemd.py runs them in one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from support.machine import Machine, Result
from support.repository import Repository

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux's")

_FILES = ["agentsync.service", "agentsync.service.d/10-agentsync.conf"]


@pytest.fixture
def configured(machine: Machine, repository: Repository) -> Machine:
    machine.follow(repository)
    return machine


def _run(machine: Machine, *arguments: str | Path, **variables: str) -> Result:
    nowhere = {"XDG_RUNTIME_DIR": str(machine.root), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={machine.root / 'none'}"}
    return machine.run(*arguments, environment=nowhere | variables)


def _units(machine: Machine) -> Path:
    return machine.home / ".config/systemd/user"


def _installed(machine: Machine) -> list[str]:
    files = (path for path in _units(machine).rglob("*") if path.is_file())
    return sorted(str(path.relative_to(_units(machine))) for path in files)


def _settings(machine: Machine) -> list[str]:
    return (_units(machine) / _FILES[1]).read_text().partition("[Service]\n")[2].splitlines()


def test_without_a_systemd_the_files_are_written_and_the_commands_printed(configured: Machine) -> None:
    result = _run(configured, "install-service")
    assert result.code == 4
    assert _installed(configured) == _FILES
    assert "the commands left to run" in result.stderr
    assert "  systemctl --user daemon-reload\n  systemctl --user enable agentsync.service\n" in result.stdout
    assert "without systemd, keep `agentsync daemon` running by other means" in result.stdout
    again = _run(configured, "install-service", "--format", "json").json
    assert (again["changed"], again["undone"][-1]) == ([], "systemctl --user start --no-block agentsync.service")


def test_the_service_is_this_very_program_and_may_write_where_it_must(configured: Machine) -> None:
    _run(configured, "install-service")
    settings = _settings(configured)
    commands = [line for line in settings if line.startswith("ExecStart=")]
    assert commands == ["ExecStart=", f"ExecStart={sys.executable} -m agentsync daemon"]
    upper_bound = [line.removeprefix("BindPaths=") for line in settings if line.startswith("BindPaths=")]
    assert upper_bound[:3] == ["", str(configured.state), str(configured.cache)]
    assert upper_bound[3:] == [f"-{configured.claude}", f"-{configured.opencode}"]
    assert all(Path(path.removeprefix("-")).is_dir() for path in upper_bound[1:])
    assert _settings(configured) == settings


def test_configured_directories_elsewhere_can_be_written_too(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    given = machine.root / "given.toml"
    project = machine.root / "a project"
    (project / ".claude").mkdir(parents=True)
    more = f'[targets.project]\ndialect = "claude"\nproject = "{project}"\n[targets.roo]\n[targets.later]\n'
    more += 'dialect = "codex"\npath = "~/later/on"\n'
    health = f'[health]\nlisten = "unix:{machine.root}/run/health"\ntextfile = "{machine.root}/metrics/agents.prom"\n'
    given.write_text(machine.config.read_text() + more + health)
    moved = machine.root / "moved"
    moved.mkdir()
    result = _run(machine, "--config", given, "install-service", "--format", "json", CLAUDE_CONFIG_DIR=str(moved))
    roo = machine.home / ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings"
    writes = [moved / "agents", machine.opencode, project / ".claude/agents", roo, machine.home / "later/on"]
    assert result.json["writes"] == [*map(str, writes), str(machine.root / "metrics"), str(machine.root / "run")]
    settings = _settings(machine)
    assert f"Environment=AGENTSYNC_CONFIG={given}" in settings
    assert f"Environment=CLAUDE_CONFIG_DIR={moved}" in settings
    assert f'BindPaths="-{project}/.claude/agents"' in settings
    assert (moved / "agents").is_dir()
    assert not (machine.home / "later").exists()  # `create` is not set for it


def test_a_target_more_is_a_file_that_changes_and_a_restart(configured: Machine) -> None:
    _run(configured, "install-service")
    with configured.config.open("a") as config:
        config.write('[targets.more]\ndialect = "codex"\npath = "~/more"\n')
    (configured.home / "more").mkdir()
    result = _run(configured, "install-service", "--format", "json")
    assert result.json["changed"] == [str(_units(configured) / _FILES[1])]
    assert result.json["undone"][-1] == "systemctl --user restart --no-block agentsync.service"
    assert f"BindPaths=-{configured.home}/more" in _settings(configured)


def test_a_directory_that_was_missing_is_made_and_a_restart_lets_the_service_see_it(configured: Machine) -> None:
    _run(configured, "install-service")
    configured.claude.rmdir()
    result = _run(configured, "install-service", "--format", "json")
    assert configured.claude.is_dir()
    assert "created ~/.claude/agents" in result.stderr
    assert result.json["changed"] == []
    assert result.json["undone"][-1] == "systemctl --user restart --no-block agentsync.service"


def test_the_machines_service_will_be_shown_keys_and_repositories_below_a_home(machine: Machine) -> None:
    ssh, token = '[sources.a]\nurl = "git@git.acme.example:a"\n', '[sources.b]\nurl = "https://git.acme.example/b"\n'
    local = f'[sources.c]\nurl = "{machine.home}/c"\nallow_local = true\n'
    auth = '[sources.b.auth]\ntoken_file = "~/token"\nuse_netrc = true\n'
    own_key = '[sources.d]\nurl = "ssh://git.acme.example/d"\n[sources.d.auth]\nssh_key = "~/k"\nknown_hosts = "~/h"\n'
    machine.configure(f"{ssh}{token}{auth}{local}{own_key}[targets.claude]\n")
    reads = _run(machine, "install-service", "--dry-run", "--format", "json").json["reads"]
    names = "config/agentsync config/agentsync/overlays ssh token netrc c k h".split()
    plain = {"token", "c", "k", "h"}
    assert reads == [f"{machine.home}/{name if name in plain else '.' + name}" for name in names]


def test_a_dry_run_prints_what_would_be_and_changes_nothing(configured: Machine) -> None:
    before = sorted(configured.root.rglob("*"))
    result = _run(configured, "install-service", "--dry-run")
    assert result.code == 0
    assert f"# {_units(configured) / _FILES[0]}\n" in result.stdout
    assert "Type=notify\n" in result.stdout
    assert "systemctl --user enable agentsync.service" in result.stdout
    assert sorted(configured.root.rglob("*")) == before


@pytest.mark.parametrize("name", _FILES)
def test_a_file_of_the_users_own_stays(configured: Machine, name: str) -> None:
    own = _units(configured) / name
    own.parent.mkdir(parents=True)
    own.write_text("[Service]\nNice=5\n")
    for command in ("install-service", "uninstall-service"):
        result = _run(configured, command)
        assert result.code == 4
        assert str(own) in result.stderr
        assert "systemctl edit" in result.stderr
        assert _installed(configured) == [name]
        assert own.read_text() == "[Service]\nNice=5\n"


def test_a_file_of_ours_that_was_edited_stays(configured: Machine) -> None:
    _run(configured, "install-service")
    unit = _units(configured) / _FILES[0]
    edited = unit.read_text() + "Nice=5\n"
    unit.write_text(edited)
    for arguments in (("install-service",), ("install-service", "--timer"), ("uninstall-service",)):
        assert "stays as it is" in _run(configured, *arguments).stderr
        assert _installed(configured) == _FILES
        assert unit.read_text() == edited


def test_the_timer_stays_where_the_service_cannot_take_its_place(configured: Machine) -> None:
    _run(configured, "install-service", "--timer")
    installed = _installed(configured)
    own = _units(configured) / _FILES[0]
    own.write_text("[Service]\nNice=5\n")
    configured.claude.rmdir()
    assert _run(configured, "install-service").code == 4
    assert _installed(configured) == sorted([*installed, _FILES[0]])
    assert not configured.claude.exists()


def test_a_unit_that_the_user_masked_stays_masked(configured: Machine) -> None:
    _units(configured).mkdir(parents=True)
    unit = _units(configured) / _FILES[0]
    unit.symlink_to("/dev/null")
    assert _run(configured, "install-service").code == 4
    assert unit.is_symlink()


def test_the_timer_and_the_service_take_each_others_place_and_both_go(configured: Machine) -> None:
    assert _run(configured, "uninstall-service").stdout == "no agentsync service is installed\n"
    _run(configured, "install-service")
    assert _run(configured, "install-service", "--timer").stdout.count("deleted") == 2
    names = ["agentsync-pull.service", "agentsync-pull.service.d/10-agentsync.conf", "agentsync-pull.timer"]
    assert _installed(configured) == names
    assert "Environment=AGENTSYNC_LOG_FORMAT=json\n" in (_units(configured) / names[0]).read_text()
    own = _units(configured) / "agentsync-pull.service.d/override.conf"
    own.write_text("[Service]\nNice=5\n")
    result = _run(configured, "uninstall-service", "--format", "json")
    assert result.code == 4
    assert result.json[0]["undone"][0] == "systemctl --user disable --now agentsync-pull.timer"
    assert _installed(configured) == ["agentsync-pull.service.d/override.conf"]
    _run(configured, "install-service")
    assert _run(configured, "uninstall-service").stdout.count("deleted") == 2


def test_wrong_arguments_are_reported(machine: Machine) -> None:
    assert "there is no configuration" in _run(machine, "install-service").stderr
    assert _run(machine, "install-service", "--timer", "--system", "alice").code == 2
