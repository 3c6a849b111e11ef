"""The service as a process of its own: what makes it pull, what it tells, and how it ends."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from support.machine import Machine, agent, source
from support.repository import Repository
from support.service import Service

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

# So long that nothing happens by the schedule while a test lasts.
RARELY = "[daemon]\ninterval = 86400\n"


@pytest.fixture
def follows(machine: Machine, repository: Repository) -> Machine:
    """A machine whose service pulls once a day, and all else is told to it."""
    machine.follow(repository, settings="")
    machine.config.write_text(machine.config.read_text() + RARELY)
    return machine


@pytest.fixture
def start(machine: Machine) -> Iterator[Callable[..., Service]]:
    """Starts services that are ended with the test."""
    started: list[Service] = []

    def start(*, environment: dict[str, str] | None = None, clock: Path | None = None) -> Service:
        started.append(Service(machine, environment=environment, clock=clock))
        return started[-1]

    yield start
    for service in started:
        service.kill()


def change(repository: Repository, name: str = "reviewer", prompt: str = "You review with care.") -> str:
    repository.write({f"agents/{name}.md": agent(name, prompt, tools="Read, Grep")})
    return repository.commit(f"Change {name}")


def test_the_first_cycle_fetches_what_was_never_fetched(follows: Machine, start: Callable[..., Service]) -> None:
    service = start()
    finished = service.wait_for("sync.finished")
    assert finished["exit_code"] == 0
    assert len(follows.names()) == 5
    assert service.end() == 0
    assert next(event["event"] for event in service.events) == "daemon.started"
    assert service.events[-1]["event"] == "daemon.stopped"


def test_a_restart_asks_nobody_and_mends_what_is_gone(
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
    moments = [datetime.fromisoformat(service.wait_for("sync.finished")["timestamp"]) for _ in range(5)]
    assert moments[-1] - moments[0] > timedelta(seconds=2)
    assert service.end() == 0
    assert ("clock.changed" in {event["event"] for event in service.events}) == (hours < 0)


def test_pull_asks_the_service_and_shows_what_it_did(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    service = start()
    service.wait_for("sync.finished")
    commit = change(repository)
    result = follows.run("pull", "-q")
    assert (result.code, result.stdout, result.stderr) == (0, "", "")
    assert service.wait_for("source.moved", commit=commit)
    assert "with care" in (follows.claude / "reviewer.md").read_text()
    result = follows.run("pull")
    assert result.code == 0
    assert result.stdout.startswith("up to date: 10 files in 2 targets")
    change(repository, "tester", "You test.")
    result = follows.run("pull", "--format", "json")
    assert {entry["agent"] for entry in result.json["changes"]} == {"tester"}
    result = follows.run("pull", "--format", "json")
    assert result.json["counts"]["keep"] == 10
    change(repository, "writer", "You write.")
    result = follows.run("pull")
    assert "writer" in result.stdout
    assert service.end() == 0


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_pull_tells_what_the_service_found(
    follows: Machine, start: Callable[..., Service], quiet: Sequence[str]
) -> None:
    follows.run("pull")
    (follows.claude / "tester.md").write_text("mine\n")
    service = start()
    service.wait_for("agent.conflict")
    result = follows.run("pull", *quiet)
    assert result.code == 4
    assert "tester.md: error[AS402]: it was edited here" in result.stderr
    assert "hint: take the edit to the source" in result.stderr
    assert service.end() == 0


def test_pull_runs_by_itself_for_another_configuration(
    follows: Machine, repository: Repository, start: Callable[..., Service], tmp_path: Path
) -> None:
    service = start()
    service.wait_for("sync.finished")
    other = tmp_path / "other.toml"
    other.write_text(f"version = 1\n{source('team', repository.url)}\n[targets.opencode]\n")
    result = follows.run("pull", "--config", other, "--format", "json")
    assert [target["name"] for target in result.json["targets"]] == ["opencode"]
    assert service.end() == 0


def test_pull_runs_by_itself_where_a_variable_leads_to_another_place(
    follows: Machine, start: Callable[..., Service], tmp_path: Path
) -> None:
    start().wait_for("sync.finished")
    (tmp_path / "work").mkdir()
    follows.run("pull", environment={"CLAUDE_CONFIG_DIR": str(tmp_path / "work")})
    assert (tmp_path / "work/agents/reviewer.md").exists()


def test_pull_runs_by_itself_where_a_service_was_killed(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    service = start()
    service.wait_for("sync.finished")
    service.kill()
    change(repository)
    assert follows.run("pull").code == 0
    assert "with care" in (follows.claude / "reviewer.md").read_text()


def test_22_a_second_service_is_refused(follows: Machine, start: Callable[..., Service]) -> None:
    start().wait_for("sync.finished")
    second = follows.run("daemon")
    assert second.code == 75
    assert "another agentsync daemon is under way" in second.stderr


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


def test_a_changed_configuration_counts_at_once(follows: Machine, start: Callable[..., Service]) -> None:
    service = start()
    service.wait_for("sync.finished")
    text = follows.config.read_text()
    follows.config.write_text(text.replace("[targets.claude]", "[targets.claude]\nskip = ['tester']"))
    service.wait_for("config.reloaded")
    service.wait_for("sync.finished")
    assert not (follows.claude / "tester.md").exists()


def test_45_a_mistake_in_a_changed_configuration_leaves_the_old_one(
    follows: Machine, start: Callable[..., Service]
) -> None:
    service = start()
    service.wait_for("sync.finished")
    text = follows.config.read_text()
    follows.config.write_text(text + "intervall = 3\n")
    refused = service.wait_for("config.refused")
    assert "config.toml:11: unknown key `daemon.intervall`" in refused["error"]
    assert "did you mean `interval`?" in refused["hint"]
    (follows.claude / "tester.md").unlink()
    service.wait_for("agent.restored")
    result = follows.run("pull")
    assert result.code == 2
    assert "daemon.intervall" in result.stderr
    follows.config.write_text(text.replace("86400", "80000"))
    service.wait_for("config.reloaded")
    assert service.end() == 0


def test_a_configuration_that_nobody_watches_is_read_before_the_next_cycle(
    follows: Machine, start: Callable[..., Service]
) -> None:
    text = follows.config.read_text()
    follows.config.write_text(text + "watch = false\n")
    service = start()
    service.wait_for("sync.finished")
    follows.config.write_text(text.replace("[targets.claude]", "[targets.claude]\nskip = ['tester']"))
    assert follows.run("pull").code == 0
    assert not (follows.claude / "tester.md").exists()


def test_what_is_corrected_is_asked_at_once(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    text = follows.config.read_text()
    follows.config.write_text(text.replace("[targets.claude]", 'branch = "mian"\n[targets.claude]'))
    service = start()
    service.wait_for("source.failed")
    follows.config.write_text(text)
    service.wait_for("source.moved", commit=repository.head)


def test_a_service_that_missed_its_moment_asks_soon(
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


def test_hup_reads_the_configuration_again(follows: Machine, start: Callable[..., Service]) -> None:
    text = follows.config.read_text()
    follows.config.write_text(text + "watch = false\n")
    service = start()
    service.wait_for("sync.finished")
    follows.config.write_text(text.replace("[targets.opencode]", ""))
    service.process.send_signal(signal.SIGHUP)
    service.wait_for("config.reloaded")
    assert service.end() == 0


def test_45_a_configuration_that_is_wrong_at_the_start_ends_it(machine: Machine) -> None:
    machine.configure("[daemon]\ncron = 'every day'\n")
    result = machine.run("daemon")
    assert result.code == 2
    assert "config.toml:3" in result.stderr


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


def test_40_drift_is_told_at_once_and_the_edit_kept(follows: Machine, start: Callable[..., Service]) -> None:
    service = start()
    service.wait_for("sync.finished")
    edited = follows.claude / "tester.md"
    edited.write_text("mine\n")
    assert service.wait_for("agent.conflict")["path"] == str(edited)
    assert edited.read_text() == "mine\n"


def test_drift_is_mended_where_the_target_says_so_and_the_edit_kept_aside(
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


def test_what_it_writes_itself_is_no_drift(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
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
def test_a_service_manager_is_told(start: Callable[..., Service], tmp_path: Path) -> None:
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
            assert "EXTEND_TIMEOUT_USEC=3600000000" in manager.wait_for("EXTEND_TIMEOUT_USEC=")
            assert "READY=1" not in manager.messages[-1]


def test_the_log_may_be_gone(follows: Machine, repository: Repository) -> None:
    """50: nobody reads the log any more, and the disk under it is full: the agents come all the same."""
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
