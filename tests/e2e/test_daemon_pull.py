"""`agentsync pull` while a service runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from support.machine import Machine, source
from support.repository import Repository
from support.service import Service, change

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


def test_pull_asks_the_service_and_shows_the_result(
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
def test_pull_reports_conflicts_that_the_service_met(
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


def test_the_service_counts_refused_agents_and_logs_each_refusal_once_at_rest(
    follows: Machine, repository: Repository, start: Callable[..., Service]
) -> None:
    repository.write({"agents/broken.md": "---\nname: x\nname: y\n---\n"})
    repository.commit()
    assert [follows.run("pull").code for _ in range(2)] == [4, 4]
    service = start()
    assert service.wait_for("agent.refused")["code"] == "AS116"
    assert service.wait_for("sync.finished")["refused"] == 1
    # At rest once its files are old enough to be known by their stat.
    while True:
        result = follows.run("pull")
        assert (result.code, result.stdout.partition(";")[0]) == (4, "1 agent still refused (agentsync report)")
        if service.next_event()["event"] == "sync.finished":
            break
        service.wait_for("sync.finished")
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
