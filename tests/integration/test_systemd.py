"""The units in a real systemd: the services start, are sandboxed, sync, reload, and are taken away again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.service import Service
from support.systemd import PROGRAM, USER, Systemd, missing

_REASON = missing()
pytestmark = pytest.mark.skipif(bool(_REASON), reason=_REASON)

_HOME = f"/home/{USER}"
_ODD = f"{_HOME}/od d%:x/agents"
_CONFIG = f"""
version = 1
[sources.team]
url = "/srv/team"
allow_local = true
[targets.claude]
[targets.odd]
dialect = "opencode"
path = '{_ODD}'
create = true
[daemon]
interval = 3600
"""
_PREPARE = f"""
set -e
git init --quiet --initial-branch=main /srv/team
mkdir /srv/team/agents
printf -- '---\\nname: reviewer\\ndescription: Reviews\\n---\\nYou review.\\n' > /srv/team/agents/reviewer.md
git -C /srv/team add --all
git -C /srv/team -c user.name=a -c user.email=a@localhost commit --quiet --message=One
chown -R {USER} /srv/team
mkdir -p {_HOME}/.claude {_HOME}/.config/agentsync
cat > {_HOME}/.config/agentsync/config.toml
chown -R {USER} {_HOME}
"""


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Systemd]:
    with Systemd(tmp_path) as systemd:
        systemd.run("sh", "-c", _PREPARE, stdin=_CONFIG)
        yield systemd


def _state(machine: Systemd, unit: str, *, user: bool) -> tuple[str, str]:
    return machine.property("ActiveState", unit, user=user), machine.property("UnitFileState", unit, user=user)


def test_the_users_service_syncs_in_its_sandbox_reloads_and_goes_again(machine: Systemd) -> None:
    assert "agentsync.service is enabled" in machine.run_as_user(PROGRAM, "install-service")
    machine.run_as_user("systemctl", "--user", "start", "agentsync.service")  # waits until it reports that it is ready
    assert _state(machine, "agentsync.service", user=True) == ("active", "enabled")
    assert machine.property("StatusText", "agentsync.service", user=True).startswith("team at ")
    assert machine.property("WatchdogUSec", "agentsync.service", user=True) != "15min"  # but as long as it will wait
    for directory in (f"{_HOME}/.claude/agents", _ODD):
        machine.run("test", "-s", f"{directory}/reviewer.md")
    assert machine.run_as_user(PROGRAM, "status", "--exit-code").count("in sync") == 2
    assert "up to date" in machine.run_as_user(PROGRAM, "pull")

    main = machine.property("MainPID", "agentsync.service", user=True)
    inside = ["nsenter", "--target", main, "--mount", "touch"]
    machine.run(*inside, f"{_HOME}/.claude/agents/allowed")
    machine.run(*inside, f"{_HOME}/.bashrc", code=1)
    machine.run(*inside, "/srv/team/new", code=1)

    machine.run_as_user("systemctl", "--user", "reload", "agentsync.service")
    machine.run_as_user(PROGRAM, "pull")  # earlier questions are answered first
    assert machine.property("MainPID", "agentsync.service", user=True) == main
    assert _state(machine, "agentsync.service", user=True) == ("active", "enabled")

    before = machine.property("ActiveEnterTimestamp", "agentsync.service", user=True)
    again = machine.run_as_user(PROGRAM, "--format", "json", "install-service")
    assert json.loads(again)["changed"] == []
    assert machine.property("ActiveEnterTimestamp", "agentsync.service", user=True) == before

    assert machine.run_as_user(PROGRAM, "uninstall-service").count("deleted") == 2
    assert _state(machine, "agentsync.service", user=True) == ("inactive", "")
    assert machine.run("find", f"{_HOME}/.config/systemd", "-type", "f", "-o", "-type", "l") == ""
    machine.run("test", "-s", f"{_HOME}/.claude/agents/reviewer.md")
    assert "no agentsync service" in machine.run_as_user(PROGRAM, "uninstall-service")


def test_a_service_that_hangs_is_killed_and_started_again(machine: Systemd) -> None:
    config = _CONFIG.replace("interval = 3600", "interval = 2\njitter = 0")
    machine.run("tee", f"{_HOME}/.config/agentsync/config.toml", stdin=config)
    machine.run_as_user(PROGRAM, "install-service")
    drop_in = f"{_HOME}/.config/systemd/user/agentsync.service.d/override.conf"
    machine.run_as_user("tee", drop_in, stdin="[Service]\nRestartSec=0\nRestartSteps=0\n")
    machine.run_as_user("systemctl", "--user", "daemon-reload")
    machine.run_as_user("systemctl", "--user", "start", "agentsync.service")
    hung = machine.property("MainPID", "agentsync.service", user=True)
    Service.until(lambda: _hangs_while_it_waits(machine, hung))
    machine.run("tail", f"--pid={hung}", "--sleep-interval=0.1", "--follow", "/dev/null")  # until it is killed
    Service.until(lambda: machine.property("NRestarts", "agentsync.service", user=True) == "1")
    Service.until(lambda: machine.property("ActiveState", "agentsync.service", user=True) == "active")
    assert machine.property("MainPID", "agentsync.service", user=True) != hung
    assert "in sync" in machine.run_as_user(PROGRAM, "status")


def _hangs_while_it_waits(machine: Systemd, process: str) -> bool:
    """Stop the service, but not while it syncs: for that it has asked systemd for minutes."""
    machine.run("kill", "-STOP", process)
    lock_timeout = machine.property("WatchdogUSec", "agentsync.service", user=True)
    if re.fullmatch(r"[0-9.]+m?s", lock_timeout):
        return True
    machine.run("kill", "-CONT", process)
    return False


def test_the_timer_takes_the_services_place(machine: Systemd) -> None:
    machine.run_as_user(PROGRAM, "install-service")
    machine.run_as_user(PROGRAM, "install-service", "--timer")
    assert _state(machine, "agentsync.service", user=True) == ("inactive", "")
    assert _state(machine, "agentsync-pull.timer", user=True) == ("active", "enabled")
    machine.run_as_user("systemctl", "--user", "start", "agentsync-pull.service")
    assert machine.property("Result", "agentsync-pull.service", user=True) == "success"
    machine.run("test", "-s", f"{_ODD}/reviewer.md")


def test_the_machines_service_for_a_user(machine: Systemd) -> None:
    unit = f"agentsync@{USER}.service"
    shown = machine.run(PROGRAM, "install-service", "--system", USER, "--dry-run")
    assert f"{_HOME}/.claude/agents does not exist" in shown
    machine.run_as_user("mkdir", "-p", f"{_HOME}/.claude/agents", _ODD)
    assert "does not exist" not in machine.run(PROGRAM, "install-service", "--system", USER)
    machine.run("systemctl", "start", unit)
    assert _state(machine, unit, user=False) == ("active", "enabled")
    assert machine.run("stat", "--format=%U", f"{_HOME}/.claude/agents/reviewer.md").strip() == USER
    assert machine.run("stat", "--format=%U %a", f"/var/lib/agentsync/{USER}").strip() == f"{USER} 700"

    main = machine.property("MainPID", unit)
    seen = machine.run("nsenter", "--target", main, "--mount", "find", "/home", "/root", "-mindepth", "1", "-type", "f")
    written = {f"{_HOME}/.claude/agents/reviewer.md", f"{_ODD}/reviewer.md"}
    assert set(seen.splitlines()) == {*written, f"{_HOME}/.config/agentsync/config.toml"}
    assert machine.run("ps", "-o", "user=", "-p", main).strip() == USER

    assert machine.run_as_user(PROGRAM, "status", "--exit-code").count("in sync") == 2
    assert "up to date" in machine.run_as_user(PROGRAM, "pull")
    machine.run("test", "!", "-e", f"{_HOME}/.local/state/agentsync")

    machine.run("systemctl", "start", "agentsync@root.service")
    assert machine.property("ActiveState", "agentsync@root.service") == "inactive"  # and not failed: it was never tried
    machine.run(PROGRAM, "uninstall-service", "--system", USER)
    assert _state(machine, unit, user=False) == ("inactive", "")
    assert _system_units(machine) == []


def test_two_users_share_the_machines_unit_and_each_has_a_configuration(machine: Systemd) -> None:
    machine.run("useradd", "--create-home", "bob")
    machine.run("install", "-d", "-o", "bob", "/home/bob/agents", "/etc/agentsync/bob")
    theirs = _CONFIG.partition("[targets")[0].replace("/srv/team", "/srv/bob") + '[targets.claude]\npath = "~/agents"\n'
    machine.run("tee", "/etc/agentsync/bob/config.toml", stdin=theirs)
    machine.run("cp", "--recursive", "/srv/team", "/srv/bob")
    machine.run("chown", "--recursive", "bob", "/srv/bob")
    machine.run_as_user("mkdir", "-p", f"{_HOME}/.claude/agents", _ODD)
    for user in (USER, "bob"):
        machine.run(PROGRAM, "install-service", "--system", user)
        machine.run("systemctl", "start", f"agentsync@{user}.service")
    for file, user in ((f"{_HOME}/.claude/agents/reviewer.md", USER), ("/home/bob/agents/reviewer.md", "bob")):
        assert machine.run("stat", "--format=%U", file).strip() == user
    machine.run(PROGRAM, "uninstall-service", "--system", USER)
    assert _system_units(machine) == ["10-agentsync.conf", "agentsync@.service", "agentsync@bob.service"]
    assert machine.property("ActiveState", "agentsync@bob.service") == "active"
    machine.run(PROGRAM, "uninstall-service", "--system", "bob")
    assert _system_units(machine) == []


def _system_units(machine: Systemd) -> list[str]:
    """Files and links of ours."""
    paths = machine.run("find", "/etc/systemd/system", "-path", "*agentsync*", "-not", "-type", "d", "-printf", "%f\\n")
    return sorted(paths.split())


def test_the_machines_service_is_never_roots_nor_installed_by_another(machine: Systemd) -> None:
    assert "never runs as root" in machine.run(PROGRAM, "install-service", "--system", "root", code=2)
    assert "there is no user bob" in machine.run(PROGRAM, "install-service", "--system", "bob", code=2)
    assert "only root" in machine.run_as_user(PROGRAM, "install-service", "--system", USER, code=4)
    machine.run("rm", f"{_HOME}/.config/agentsync/config.toml")
    assert f"/etc/agentsync/{USER}/config.toml" in machine.run(PROGRAM, "install-service", "--system", USER, code=2)
