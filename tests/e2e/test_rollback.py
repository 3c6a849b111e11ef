"""`rollback`, `suspend` and `resume`: back to an earlier state in all tools at once, and nothing lost on the way."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from filelock import FileLock

from agentsync.state.store import State
from support.forkserver import Child
from support.machine import Machine, agent, source
from support.repository import Repository
from support.service import Service


def contents(machine: Machine) -> dict[str, bytes]:
    """The contents of the two tools' files, by path."""
    return {path: data for path, (data, _) in machine.files().items() if "/agents/" in f"/{path}"}


@pytest.fixture
def team(machine: Machine) -> Repository:
    made = Repository(machine.root / "served/team.git")
    made.write({f"agents/{name}.md": agent(name) for name in ("tester", "writer", "planner")})
    made.commit()
    machine.configure(source("team", made.url) + "[targets.claude]\n[targets.opencode]\n")
    assert machine.run("pull").code == 0
    return made


def change(team: Repository) -> None:
    """Update one agent, drop one, add one."""
    team.write({"agents/tester.md": agent("tester", "Better."), "agents/new.md": agent("new")})
    team.remove("agents/planner.md")
    team.commit()


def test_the_last_sync_is_undone_in_every_tool(machine: Machine, team: Repository) -> None:
    before = contents(machine)
    change(team)
    assert machine.run("pull").code == 0
    result = machine.run("rollback")
    assert result.code == 0
    assert "restored 6 files" in result.stdout
    assert contents(machine) == before
    assert [event["to"] for event in result.reported("sync.rolled_back")] != [""]


def test_nothing_is_applied_until_resume_and_then_all_of_it(machine: Machine, team: Repository) -> None:
    change(team)
    machine.run("pull")
    after = contents(machine)
    machine.run("rollback")
    back = contents(machine)
    pulled = machine.run("pull", "--format", "json")
    assert (pulled.code, pulled.codes) == (0, ["AS416"])
    assert contents(machine) == back
    status = machine.run("status", "--exit-code", "--format", "json")
    assert (status.code, status.json["suspended"]) == (1, pulled.json["suspended"])
    assert machine.run("resume").stdout == "pulls apply changes again\n"
    assert machine.run("pull").code == 0
    assert contents(machine) == after
    assert machine.run("pull").stdout.startswith("up to date")


def test_an_earlier_sync_is_named_and_a_rollback_can_be_undone(machine: Machine, team: Repository) -> None:
    states = [contents(machine)]
    for text in ("Better.", "Best."):
        team.write({"agents/tester.md": agent("tester", text)})
        team.commit()
        machine.run("pull")
        states.append(contents(machine))
    newest, _, first = (sync["id"] for sync in machine.run("history", "--format", "json").json)
    assert machine.run("rollback", first).code == 0
    assert contents(machine) == states[0]
    assert machine.run("rollback", newest).code == 0
    assert contents(machine) == states[2]


def test_before_the_first_sync_there_is_nothing_of_the_teams(machine: Machine, team: Repository) -> None:
    del team
    assert machine.run("rollback").code == 0
    assert contents(machine) == {}


def test_later_edits_of_the_user_are_kept_and_reported(machine: Machine, team: Repository) -> None:
    change(team)
    machine.run("pull")
    (machine.claude / "tester.md").write_text("mine")
    (machine.opencode / "planner.md").write_text("mine too")
    result = machine.run("rollback", "--format", "json")
    assert result.code == 4
    assert set(result.codes) == {"AS401", "AS402"}
    assert (machine.claude / "tester.md").read_text() == "mine"
    assert (machine.opencode / "planner.md").read_text() == "mine too"
    assert (machine.opencode / "tester.md").exists()
    assert not (machine.claude / "new.md").exists()


def test_a_dry_run_changes_and_suspends_nothing(machine: Machine, team: Repository) -> None:
    change(team)
    machine.run("pull")
    before = contents(machine)
    assert "would restore 6 files" in machine.run("rollback", "--dry-run").stdout
    assert contents(machine) == before
    assert machine.run("status", "--format", "json").json["suspended"] is None


def test_content_without_a_backup_is_reported_and_stays(machine: Machine, team: Repository) -> None:
    change(team)
    machine.run("pull")
    for path in machine.state.glob("kept*"):
        path.unlink()
    result = machine.run("rollback", "--format", "json")
    assert result.code == 4
    assert set(result.codes) == {"AS415"}
    assert "Better." in (machine.claude / "tester.md").read_text()
    assert not (machine.claude / "new.md").exists()


def test_only_content_that_the_history_needs_is_kept(machine: Machine, team: Repository) -> None:
    machine.configure(source("team", team.url) + "[targets.claude]\n[targets.opencode]\n[limits]\nhistory = 2\n")
    for number in range(4):
        team.write({"agents/tester.md": agent("tester", f"Text {number}.")})
        team.commit()
        machine.run("pull")
    assert machine.run("rollback").code == 0
    assert "Text 2." in (machine.claude / "tester.md").read_text()
    assert len(machine.run("history", "--format", "json").json) == 2


def test_by_hand_nothing_is_applied_for_a_while(machine: Machine, team: Repository) -> None:
    assert machine.run("suspend", "--reason", "demo").code == 0
    change(team)
    before = contents(machine)
    result = machine.run("pull")
    assert result.code == 0
    assert "pulling is suspended" in result.stdout
    assert contents(machine) == before
    assert "demo" in machine.run("status", "--format", "json").json["suspended"]
    assert machine.run("pull", "-q").code == 0
    assert "pulling is suspended: demo" in machine.run("status").stderr
    machine.run("resume")
    assert machine.run("resume").stdout == "pulling was not suspended\n"
    assert machine.run("pull").code == 0
    assert contents(machine) != before


def test_suspend_and_resume_print_the_status_as_json_too(machine: Machine) -> None:
    assert machine.run("suspend", "--format", "json", "--reason", "demo").json == {"suspended": "demo"}
    assert machine.run("suspend", "--format", "json", "--reason", " ").json == {"suspended": "by hand"}
    for _ in range(2):
        assert machine.run("resume", "--format", "json").json == {"suspended": None}


@pytest.mark.parametrize(("words", "message"), [(["nobody"], "there is no sync nobody")])
def test_a_sync_that_is_not_there_is_an_error(
    machine: Machine, team: Repository, words: list[str], message: str
) -> None:
    del team
    result = machine.run("rollback", *words)
    assert result.code == 2
    assert message in result.stderr


def test_with_nothing_to_restore_nothing_changes(machine: Machine, team: Repository) -> None:
    change(team)
    machine.run("pull")
    machine.run("pull")
    newest, _ = history = machine.run("history", "--format", "json").json
    before = machine.files()
    for options in ((), ("--dry-run",)):
        result = machine.run("rollback", newest["id"], *options)
        assert (result.code, result.stderr) == (0, "")
        assert result.stdout == f"nothing to restore: every file is as it was after {newest['id']}\n"
    assert machine.run("rollback", newest["id"], "--format", "json").json["suspends"] is False
    with (
        ExitStack() as stack,
        FileLock(machine.state / "run.lock") as lock,
        State.open(machine.state / "state.sqlite3") as state,
    ):
        process = stack.enter_context(machine.start("rollback", newest["id"]))
        stack.callback(process.kill)
        Service.until(lambda: suspended(machine) == "a rollback was asked for")
        assert state.suspension
        lock.release()
        assert process.communicate(timeout=60)[0].startswith("nothing to restore")
    assert (suspended(machine), machine.files()) == ("", before)
    assert machine.run("history", "--format", "json").json == history
    assert machine.run("pull").stdout.startswith("up to date")


def test_without_a_sync_there_is_nothing_to_go_back_to(machine: Machine) -> None:
    machine.configure(source("team", "https://x.example") + "[targets.claude]\n")
    result = machine.run("rollback")
    assert result.code == 2
    assert "nothing was changed here yet" in result.stderr


# While another run is in progress


@contextmanager
def hanging(machine: Machine, team: Repository, silent: socket.socket) -> Iterator[Child]:
    """A pull that has fetched from the team and hangs in the fetch from another source, until the block ends."""
    address = f"http://127.0.0.1:{silent.getsockname()[1]}/other.git"
    other = source("other", address, "allow_http = true\ntimeout = 3000")
    machine.configure(source("team", team.url) + other + "[targets.claude]\n[targets.opencode]\n")
    with ExitStack() as stack:
        process = stack.enter_context(machine.start("pull"))
        stack.callback(process.kill)
        connection = stack.enter_context(silent.accept()[0])
        yield process
        silent.close()
        connection.close()
        process.communicate(timeout=60)


def suspended(machine: Machine) -> str:
    with State.open(machine.state / "state.sqlite3") as state:
        return state.suspension.reason if state.suspension else ""


def test_suspending_counts_at_once_while_a_pull_hangs(
    machine: Machine, team: Repository, silent: socket.socket
) -> None:
    change(team)
    before = contents(machine)
    with hanging(machine, team, silent) as pull:
        assert machine.run("suspend").stdout == "pulling is suspended until `agentsync resume`\n"
    assert pull.returncode == 3
    assert contents(machine) == before
    assert machine.run("history", "--format", "json").json[1:] == []


def test_resuming_counts_at_once_while_a_pull_hangs(machine: Machine, team: Repository, silent: socket.socket) -> None:
    change(team)
    before = contents(machine)
    machine.run("suspend")
    with hanging(machine, team, silent) as pull:
        assert machine.run("resume").stdout == "pulls apply changes again\n"
    assert pull.returncode == 3
    assert contents(machine) != before


def test_a_rollback_waits_for_a_pull_that_hangs_and_undoes_the_sync_before_it(
    machine: Machine, team: Repository, silent: socket.socket
) -> None:
    before = contents(machine)
    change(team)
    assert machine.run("pull").code == 0
    team.write({"agents/tester.md": agent("tester", "Bad.")})
    team.commit()
    with ExitStack() as stack:
        with hanging(machine, team, silent):
            rollback = stack.enter_context(machine.start("rollback"))
            stack.callback(rollback.kill)
            Service.until(lambda: suspended(machine) == "a rollback was asked for")
        stdout, stderr = rollback.communicate(timeout=60)
    assert rollback.returncode == 0, stderr
    assert "restored 6 files" in stdout
    assert contents(machine) == before
    first = machine.run("history", "--format", "json").json[-1]
    assert suspended(machine) == f"rolled back to {first['id']}"


def test_suspending_waits_for_a_run_that_has_begun_to_write(machine: Machine, team: Repository) -> None:
    del team
    with ExitStack() as stack:
        with FileLock(machine.state / "run.lock"), State.open(machine.state / "state.sqlite3") as state:
            state.begin_sync("writing", started_at=time.time(), commits={"team": "abc"})
            process = stack.enter_context(machine.start("suspend"))
            stack.callback(process.kill)
            Service.until(lambda: suspended(machine) == "by hand")
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(2)
            state.finish_sync("writing", finished_at=time.time(), result="ok", counts={})
        assert process.communicate(timeout=60) == ("pulling is suspended until `agentsync resume`\n", "")
        assert process.returncode == 0
