"""A pull that meets no fault."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from support.machine import Machine, agent
from support.repository import Repository

FIVE = ["explainer.md", "planner.md", "reviewer.md", "tester.md", "writer.md"]


def test_a_first_pull_writes_every_agent_to_every_tool_and_reports_each(
    machine: Machine, repository: Repository
) -> None:
    machine.follow(repository)
    result = machine.run("pull")
    assert result.code == 0, result.stderr
    assert machine.names() == FIVE
    assert sorted(path.name for path in machine.opencode.iterdir()) == FIVE
    assert (machine.claude / "tester.md").read_text() == agent("tester", tools="Read, Grep")
    assert "10 created" in result.stdout
    created = result.reported("agent.created")
    assert len(created) == 10
    (finished,) = result.reported("sync.finished")
    for event in created:
        assert event["commit"] == repository.head
        assert event["source"] == "team"
        assert event["dialect"] in ("claude", "opencode")
        assert Path(event["path"]).is_file()
        assert len(event["digest"]) == 64
        assert event["agent"]
        assert event["sync_id"] == finished["sync_id"]


def test_a_second_pull_changes_no_byte_and_no_time_and_reports_it_in_one_line(pulled: Machine) -> None:
    before = pulled.files()
    database = pulled.state / "state.sqlite3"
    history = pulled.run("history", "--format", "json").json
    result = pulled.run("pull")
    assert result.code == 0
    assert pulled.files() == before
    (line,) = result.stdout.splitlines()
    assert line.startswith("up to date: 10 files in 2 targets")
    assert [event["event"] for event in result.events] == ["sync.finished"]
    assert pulled.run("history", "--format", "json").json == history
    assert database.stat().st_mode & 0o077 == 0


def test_a_change_a_rename_and_a_deletion_upstream_arrive(pulled: Machine, repository: Repository) -> None:
    untouched = pulled.files()[".claude/agents/tester.md"]
    repository.write(
        {"agents/reviewer.md": agent("reviewer", "Look twice."), "agents/editor.md": agent("editor", tools="Read")}
    )
    repository.remove("agents/explainer.md", "agents/writer.md")
    repository.commit("Change, rename, delete")
    result = pulled.run("pull")
    assert result.code == 0, result.stderr
    assert pulled.names() == ["editor.md", "planner.md", "reviewer.md", "tester.md"]
    assert "Look twice." in (pulled.claude / "reviewer.md").read_text()
    assert "Look twice." in (pulled.opencode / "reviewer.md").read_text()
    assert pulled.files()[".claude/agents/tester.md"] == untouched
    assert {event["agent"] for event in result.reported("agent.updated")} == {"reviewer"}
    assert {event["agent"] for event in result.reported("agent.pruned")} == {"explainer", "writer"}
    assert {event["agent"] for event in result.reported("agent.created")} == {"editor"}
    assert "2 created, 2 updated, 4 deleted, 4 unchanged" in result.stdout


def test_an_agent_whose_file_is_renamed_upstream_keeps_its_file_here(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.remove("agents/tester.md")
    repository.write({"agents/qa/tester.md": agent("tester", tools="Read, Grep")})
    repository.commit("Move")
    result = pulled.run("pull")
    assert result.code == 0
    assert pulled.files() == before


def test_a_dry_run_and_plan_change_nothing_and_agree_with_pull(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    planned = machine.run("plan", "--format", "json")
    dry = machine.run("pull", "--dry-run", "--format", "json")
    assert (planned.code, dry.code) == (0, 0)
    assert machine.files() == {}
    assert machine.run("plan", "--exit-code").code == 1
    done = machine.run("pull", "--format", "json").json
    paths = {change["path"] for change in done["changes"]}
    assert paths == {change["path"] for change in planned.json["changes"]}
    assert paths == {change["path"] for change in dry.json["changes"]}
    assert machine.run("plan", "--exit-code").code == 0


def test_only_blobs_that_are_new_are_read(pulled: Machine, repository: Repository) -> None:
    """A `git` in front of the real one writes down which objects it is asked for."""
    real = shutil.which("git")
    asked = pulled.root / "asked"
    asked.touch()
    wrapper = pulled.root / "bin" / "git"
    wrapper.parent.mkdir()
    tee = f'*cat-file*--batch*) tee -a "{asked}" | "{real}" "$@" ;;'
    wrapper.write_text(f'#!/bin/sh\ncase "$*" in\n{tee}\n*) exec "{real}" "$@" ;;\nesac\n')
    wrapper.chmod(0o700)
    path = {"PATH": os.pathsep.join([str(wrapper.parent), pulled.environment["PATH"]])}
    assert pulled.run("pull", environment=path).code == 0
    assert asked.read_text() == ""
    repository.write({"agents/reviewer.md": agent("reviewer", "Look twice.")})
    repository.commit()
    assert pulled.run("pull", environment=path).code == 0
    blob = repository.git("rev-parse", "HEAD:agents/reviewer.md")
    assert asked.read_text().split() == [blob]


def test_a_file_that_was_deleted_here_comes_back(pulled: Machine) -> None:
    (pulled.claude / "tester.md").unlink()
    assert "1 pending" in pulled.run("status").stdout or "1 drifted" in pulled.run("status").stdout
    result = pulled.run("pull")
    assert result.code == 0
    assert [event["agent"] for event in result.reported("agent.restored")] == ["tester"]
    assert pulled.names() == FIVE


def test_files_that_are_there_already_with_the_same_bytes_are_taken_over(
    machine: Machine, repository: Repository
) -> None:
    machine.follow(repository)
    machine.claude.mkdir()
    mine = machine.claude / "tester.md"
    mine.write_text(agent("tester", tools="Read, Grep"))
    before = mine.stat().st_mtime_ns
    result = machine.run("pull")
    assert result.code == 0
    assert [event["agent"] for event in result.reported("agent.taken")] == ["tester"]
    assert mine.stat().st_mtime_ns == before


@pytest.mark.parametrize("form", ["path", "relative", "file URL"])
def test_options_replace_a_configuration(machine: Machine, repository: Repository, form: str) -> None:
    url = {"path": str(repository.path), "relative": "served/team.git", "file URL": repository.url}[form]
    to = [f"--to=claude={machine.root}/a", f"--to=opencode={machine.root}/b", f"--to=claude={machine.root}/c"]
    result = machine.run("pull", "--source", url, *to)
    assert result.code == 0, result.stderr
    for directory in "abc":
        assert sorted(path.name for path in (machine.root / directory).iterdir()) == FIVE
    assert "mode: subagent" in (machine.root / "b" / "tester.md").read_text()
    assert (machine.root / "a" / "tester.md").read_bytes() == (machine.root / "c" / "tester.md").read_bytes()
    assert not machine.config.exists()
    again = machine.run("pull", "--source", url, *to)
    assert again.stdout.startswith("up to date: 15 files in 3 targets")


def test_a_branch_and_a_subfolder_are_honoured(machine: Machine, repository: Repository) -> None:
    repository.create_branch("next")
    repository.branch = "next"
    repository.write({"beta/agents/new.md": agent("new")})
    repository.commit()
    to = f"--to=claude={machine.root}/a"
    result = machine.run("pull", "--source", repository.path, to, "--branch", "next", "--subfolder", "beta")
    assert result.code == 0, result.stderr
    assert [path.name for path in (machine.root / "a").iterdir()] == ["new.md"]
