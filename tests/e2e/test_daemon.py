"""The service as a process of its own: when it pulls, drift, signals and its end."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from support.machine import Machine, source
from support.otheruser import give_away, limit, python_for
from support.repository import Repository
from support.service import Service, change

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


def test_the_first_cycle_fetches_a_new_source(follows: Machine, start: Callable[..., Service]) -> None:
    service = start()
    finished = service.wait_for("sync.finished")
    assert finished["exit_code"] == 0
    assert len(follows.names()) == 5
    assert service.end() == 0
    assert next(event["event"] for event in service.events) == "daemon.started"
    assert service.events[-1]["event"] == "daemon.stopped"


def test_a_restart_fetches_nothing_and_restores_missing_files(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    follows.run("pull")
    change(repository)
    (follows.claude / "tester.md").unlink()
    repository.path.rename(repository.path.with_name("away.git"))
    service = start()
    assert service.wait_for("sync.finished")["exit_code"] == 0
    assert (follows.claude / "tester.md").exists()
    assert "with care" not in (follows.claude / "reviewer.md").read_text()


def test_it_pulls_when_its_time_has_come(
    machine: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    machine.follow(repository)
    machine.config.write_text(machine.config.read_text() + "[daemon]\ninterval = 1\n")
    service = start()
    service.wait_for("sync.finished")
    commit = change(repository)
    assert service.wait_for("source.moved", commit=commit)
    service.wait_for("sync.finished")
    assert "with care" in (machine.claude / "reviewer.md").read_text()


@pytest.mark.parametrize("hours", [-1, 9])
def test_23_a_clock_that_is_set_brings_at_most_one_run_more_and_none_less(
    machine: Machine, repository: Repository, start: Callable[..., Service], tmp_path: Path, hours: int
) -> None:
    machine.follow(repository)
    machine.config.write_text(machine.config.read_text() + "[daemon]\ninterval = 1\njitter = 0\n")
    clock = tmp_path / "clock"
    clock.write_text("0")
    service = start(clock=clock)
    service.wait_for("sync.finished")
    clock.write_text(str(hours * 3600))
    commit = change(repository)
    service.wait_for("source.moved", commit=commit)
    times = [datetime.fromisoformat(service.wait_for("sync.finished")["timestamp"]) for _ in range(5)]
    assert times[-1] - times[0] > timedelta(seconds=2)
    assert service.end() == 0
    assert ("clock.changed" in {event["event"] for event in service.events}) == (hours < 0)


@pytest.mark.skipif(sys.platform != "linux", reason="there is no prlimit")
@pytest.mark.parametrize("kind", ["nproc", "nofile", "fsize"])
def test_11_a_shortage_passes(repository: Repository, kind: str) -> None:
    if kind == "nproc" and os.geteuid() != 0:
        pytest.skip("the limit of processes counts whatever this user runs beside the tests")
    with TemporaryDirectory() as directory:  # which another user can reach, other than tmp_path
        root = Path(directory)
        shutil.move(repository.path, root / "team.git")
        repository.path = root / "team.git"
        machine = Machine(root)
        machine.follow(repository)
        machine.config.write_text(machine.config.read_text() + "[daemon]\ninterval = 1\njitter = 0\n")
        variables = python_for(root)
        becoming = give_away(root)
        service = Service(machine, environment=variables, before=becoming)
        try:
            service.wait_for("sync.finished")
            process = Path("/proc", str(service.process.pid))
            # Processes can be started, threads and files cannot.
            most = {"nproc": len([*(process / "task").iterdir()]) + 1, "nofile": 5, "fsize": 0}[kind]
            before = limit(service.process.pid, kind, most, becoming)
            commit = change(repository)
            while service.next_event()["event"] not in {"sync.failed", "source.failed"}:
                pass
            limit(service.process.pid, kind, before, becoming)
            if kind == "nproc":  # which fails the source alone, so there is a backoff of up to two minutes
                service.process.send_signal(signal.SIGHUP)
            service.wait_for("source.moved", commit=commit)
            service.wait_for("sync.finished")
            assert "with care" in (machine.claude / "reviewer.md").read_text()
            assert service.end() == 0
        finally:
            service.kill()


def test_22_a_second_service_is_refused(follows: Machine, start: Callable[..., Service]) -> None:
    start().wait_for("sync.finished")
    second = follows.run("daemon")
    assert second.code == 75
    assert "another agentsync daemon is running" in second.stderr


def test_25_a_service_whose_state_is_deleted_goes_on_and_stays_the_only_one(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    service = start()
    service.wait_for("sync.finished")
    follows.state.rename(follows.root / "deleted")
    commit = change(repository, "later")
    service.process.send_signal(signal.SIGHUP)
    follows.config.write_text(follows.config.read_text() + "jitter = 0\n")
    service.wait_for("source.moved", commit=commit)
    service.wait_for("sync.finished")
    assert (follows.claude / "later.md").exists()
    assert follows.run("daemon").code == 75
    commit = change(repository, "latest")
    assert follows.run("pull").code == 0
    service.wait_for("source.moved", commit=commit)  # it pulled, since it listens again


def test_25_a_service_whose_place_another_one_took_ends_and_leaves_that_alone(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    first = start()
    first.wait_for("sync.finished")
    first.process.send_signal(signal.SIGSTOP)
    follows.state.rename(follows.root / "deleted")
    second = start()
    second.wait_for("sync.finished")
    first.process.send_signal(signal.SIGCONT)
    (follows.claude / "tester.md").unlink()  # both see that, so the first one runs a cycle
    assert first.process.wait(60) == 75
    commit = change(repository, "later")
    assert follows.run("pull").code == 0
    second.wait_for("source.moved", commit=commit)  # it pulled, since its socket is still there


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_24_a_signal_ends_it_also_while_a_server_keeps_it_waiting(
    machine: Machine, silent: Any, start: Callable[..., Service], number: signal.Signals, code: int
) -> None:
    host, port = silent.getsockname()
    machine.configure(f'[sources.team]\nurl = "http://{host}:{port}/team.git"\nallow_http = true\n[targets.claude]\n')
    service = start()
    connection, _ = silent.accept()
    with connection:
        assert service.end(number) == code
    assert not (machine.state / "daemon.sock").exists()


def test_a_service_that_missed_its_time_fetches_soon(
    machine: Machine, repository: Repository, start: Callable[..., Service], tmp_path: Path
) -> None:
    machine.follow(repository)
    machine.config.write_text(machine.config.read_text() + "[daemon]\ninterval = 43200\njitter = 1e-5\n")
    assert machine.run("pull").code == 0
    commit = change(repository)
    clock = tmp_path / "clock"
    clock.write_text("864000")  # ten days later
    service = start(clock=clock)
    service.wait_for("source.moved", commit=commit)


def test_it_does_not_fight_with_another_writer(follows: Machine, start: Callable[..., Service]) -> None:
    text = follows.config.read_text()
    follows.config.write_text(text.replace("[targets.claude]", "[targets.claude]\non_drift = 'restore'"))
    service = start()
    service.wait_for("sync.finished")
    edited = follows.claude / "tester.md"
    for number in range(3):
        edited.write_text(f"mine {number}\n")
        service.wait_for("agent.replaced", path=str(edited))
    edited.write_text("mine again\n")
    service.wait_for("agent.conflict", path=str(edited))
    assert edited.read_text() == "mine again\n"
    assert follows.run("pull").code == 0
    assert edited.read_text() != "mine again\n"


def test_01_a_failing_source_does_not_stop_the_others(
    machine: Machine, repository: Repository, start: Callable[..., Service], tmp_path: Path
) -> None:
    gone = (tmp_path / "gone.git").as_uri()
    tables = source("gone", gone) + source("team", repository.url)
    machine.configure(f"{tables}\n[targets.claude]\n[daemon]\ninterval = 1\n")
    service = start()
    assert service.wait_for("source.failed")["source"] == "gone"
    assert service.wait_for("sync.finished")["exit_code"] == 3
    commit = change(repository)
    service.wait_for("source.moved", commit=commit)
    service.wait_for("sync.finished")
    assert "with care" in (machine.claude / "reviewer.md").read_text()


def test_40_drift_is_reported_at_once_and_the_edit_kept(follows: Machine, start: Callable[..., Service]) -> None:
    service = start()
    service.wait_for("sync.finished")
    edited = follows.claude / "tester.md"
    edited.write_text("mine\n")
    assert service.wait_for("agent.conflict")["path"] == str(edited)
    assert edited.read_text() == "mine\n"


def test_drift_is_mended_where_the_target_asks_for_it_and_the_edit_backed_up(
    follows: Machine, start: Callable[..., Service]
) -> None:
    text = follows.config.read_text()
    follows.config.write_text(text.replace("[targets.claude]", "[targets.claude]\non_drift = 'restore'"))
    service = start()
    service.wait_for("sync.finished")
    edited = follows.claude / "tester.md"
    written = edited.read_text()
    edited.write_text("mine\n")
    service.wait_for("agent.replaced", path=str(edited))
    service.wait_for("sync.finished")
    assert edited.read_text() == written
    foreign = follows.claude / "own.md"
    foreign.write_text("my own agent\n")
    service.end()
    assert foreign.read_text() == "my own agent\n"
    assert follows.run("rollback").code == 0
    assert edited.read_text() == "mine\n"


def test_its_own_writes_are_no_drift(follows: Machine, repository: Repository, start: Callable[..., Service]) -> None:
    service = start()
    service.wait_for("sync.finished")
    for number in range(3):
        change(repository, prompt=f"Round {number}.")
        follows.run("pull")
    (follows.claude / "tester.md").write_text("mine\n")
    service.wait_for("agent.conflict")
    service.wait_for("sync.finished")
    finished = [event for event in service.events if event["event"] == "sync.finished"]
    assert len(finished) == 5  # the first, the three that were asked for, and the edit's


def test_the_whole_directory_may_go_and_comes_back(follows: Machine, start: Callable[..., Service]) -> None:
    service = start()
    service.wait_for("sync.finished")
    shutil.rmtree(follows.claude)
    service.wait_for("agent.restored")
    service.wait_for("sync.finished")
    assert len(list(follows.claude.iterdir())) == 5
    (follows.claude / "tester.md").unlink()
    service.wait_for("agent.restored")


@pytest.mark.usefixtures("follows")
def test_a_service_manager_is_notified(start: Callable[..., Service], tmp_path: Path) -> None:
    with Service.manager(tmp_path / "notify") as manager:
        service = start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "60000000"})
        assert "10 files" in manager.wait_for("READY=1")
        service.process.send_signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1")
        assert service.end() == 0
        manager.wait_for("STOPPING=1")


def test_a_start_that_waits_for_a_server_asks_the_manager_for_that_time(
    machine: Machine, silent: Any, start: Callable[..., Service], tmp_path: Path
) -> None:
    host, port = silent.getsockname()
    machine.configure(source("slow", f"http://{host}:{port}/a.git", "allow_http = true\ntimeout = 3000\n"))
    machine.config.write_text(machine.config.read_text() + "[targets.claude]\n")
    with Service.manager(tmp_path / "notify") as manager:
        start(environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        connection, _ = silent.accept()
        with connection:
            # For the commits, for the content of what is read, and the rest.
            assert "EXTEND_TIMEOUT_USEC=6600000000" in manager.wait_for("EXTEND_TIMEOUT_USEC=")
            assert "READY=1" not in manager.messages[-1]


def test_the_log_may_be_gone(follows: Machine, repository: Repository) -> None:
    """50: the disk under the log is full: the agents come all the same."""
    with Path("/dev/full").open("w") as full:
        process = subprocess.Popen(
            follows.command("daemon"),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full,
            env=follows.environment,
            cwd=follows.root,
        )
    try:
        Service.until(lambda: follows.claude.exists() and len(follows.names()) == 5)
        change(repository)
        assert json.loads(follows.run("pull", "--format", "json").stdout)["exit_code"] == 0
        assert "with care" in (follows.claude / "reviewer.md").read_text()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
