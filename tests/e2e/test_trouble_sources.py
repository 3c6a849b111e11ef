"""Faults of sources: each with its message and exit code, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.machine import Machine, agent
from support.repository import Repository

BROKEN = "---\nname: broken\ndescription: One.\ndescription: Or the other?\n---\nYou help.\n"


def test_a_remote_that_has_gone_keeps_everything_and_is_reported(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.path.rename(repository.path.with_name("moved.git"))
    result = pulled.run("pull")
    assert result.code == 3
    (event,) = result.reported("source.failed")
    assert (event["source"], event["url"]) == ("team", repository.url)
    assert "there is no repository at this URL" in event["error"]
    assert event["hint"]
    assert "source team failed" in result.stdout
    assert "up to date" not in result.stdout
    assert pulled.files() == before
    status = pulled.run("status")
    assert "failed" in status.stdout
    assert status.stderr.splitlines()[0].startswith("error[AS412]: source `team`: ")
    assert "no repository" in status.stderr
    assert pulled.run("status", "--exit-code").code == 1
    repository.path.with_name("moved.git").rename(repository.path)
    assert pulled.run("pull").code == 0
    after = pulled.run("status", "--exit-code")
    assert after.code == 0
    assert "AS412" not in after.stderr


def test_files_that_were_deleted_come_back_while_the_remote_is_gone(pulled: Machine, repository: Repository) -> None:
    repository.path.rename(repository.path.with_name("moved.git"))
    (pulled.claude / "tester.md").unlink()
    assert pulled.run("pull").code == 3
    assert (pulled.claude / "tester.md").is_file()


def test_a_rewritten_branch_is_refused_until_it_may_be(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.rewrite()
    repository.write({"agents/tester.md": agent("tester", "Other.")})
    repository.commit()
    result = pulled.run("pull", "--format", "json")
    assert result.code == 4
    assert result.codes == ["AS413"]
    assert "the branch was rewritten" in result.json["sources"][0]["error"]
    assert "allow_rewrite = true" in result.json["diagnostics"][0]["hint"]
    assert pulled.files() == before
    pulled.follow(repository, "allow_rewrite = true")
    assert pulled.run("pull").code == 0
    assert "Other." in (pulled.claude / "tester.md").read_text()


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ('branch = "mian"', "the repository has no branch mian", "it has main"),
        ('tag = "v1"', "the repository has no tag v1", ""),
        (f'commit = "{"1" * 40}"', "", ""),
    ],
)
def test_a_wrong_ref_is_named(machine: Machine, repository: Repository, settings: str, message: str, hint: str) -> None:
    machine.follow(repository, settings)
    result = machine.run("pull")
    assert result.code == 3
    (event,) = result.reported("source.failed")
    assert message in event["error"]
    assert hint in event["hint"]
    assert machine.files() == {}


def test_a_repository_without_a_commit_is_named(machine: Machine, tmp_path: Path) -> None:
    machine.follow(Repository(tmp_path / "served" / "empty.git"))
    result = machine.run("pull")
    assert result.code == 3
    (event,) = result.reported("source.failed")
    assert "empty" in event["error"] or "no commit" in event["error"]


def test_a_source_that_is_emptied_is_held_until_the_user_agrees(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.remove("agents")
    repository.write({"README.md": "Nothing here.\n"})
    repository.commit()
    for _ in range(2):
        result = pulled.run("pull")
        assert result.code == 4
        assert pulled.files() == before
    assert [event["code"] for event in result.reported("source.held")] == ["AS406"]
    assert len(result.reported("agent.held")) == 10
    assert "10 held" in result.stdout
    assert "AS406" not in result.stderr.replace('"AS406"', "")
    piped = pulled.run("pull", environment={"AGENTSYNC_LOG_FORMAT": ""})
    assert "error[AS406]" in piped.stderr
    assert "--allow-deletions" in piped.stderr
    assert piped.events == []
    assert pulled.run("pull", "--log-format", "json", environment={"AGENTSYNC_LOG_FORMAT": "text"}).events
    assert pulled.run("status", "--exit-code").code == 1
    assert pulled.run("pull", "--allow-deletions").code == 0
    assert pulled.files() == {}


def test_most_agents_going_at_once_is_held_and_the_limit_can_be_set(pulled: Machine, repository: Repository) -> None:
    before, good = pulled.files(), repository.head
    repository.remove("agents/tester.md", "agents/writer.md", "agents/planner.md")
    bad = repository.commit()
    assert pulled.run("pull", "--format", "json").codes == ["AS407"]
    assert pulled.files() == before
    assert pulled.run("status", "--format", "json").json["sources"][0]["commit"] == good
    repository.reset(good)  # a commit that was held is not trusted, so going back on it is no rewriting
    assert pulled.run("pull").code == 0
    repository.reset(bad)
    pulled.config.write_text(pulled.config.read_text() + "[limits]\nmax_deletion_share = 0.8\n")
    assert pulled.run("pull").code == 0
    assert pulled.names() == ["explainer.md", "reviewer.md"]


def test_a_bad_file_keeps_its_last_good_output_and_the_others_go_on(pulled: Machine, repository: Repository) -> None:
    good = (pulled.claude / "tester.md").read_bytes()
    repository.write({"agents/tester.md": BROKEN, "agents/writer.md": agent("writer", "Better.")})
    repository.commit()
    result = pulled.run("pull", "--format", "json")
    assert result.code == 4
    assert (pulled.claude / "tester.md").read_bytes() == good
    assert "Better." in (pulled.claude / "writer.md").read_text()
    assert "AS408" in result.codes
    (refused,) = result.reported("agent.refused")
    assert (refused["path"], refused["source"], refused["commit"]) == ("agents/tester.md", "team", repository.head)
    repository.path.rename(repository.path.with_name("away"))
    outage = pulled.run("pull", "--format", "json")
    assert len(outage.reported("source.failed")) == 1
    assert outage.reported("agent.refused") == []  # that of the same commit was logged


def test_a_manifest_that_cannot_be_read_refuses_the_commit(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.write({"agentsync.toml": "[agents]\nexlude = []\n", "agents/tester.md": agent("tester", "Other.")})
    repository.commit()
    result = pulled.run("pull", "--format", "json")
    assert result.code == 4
    assert result.codes == ["AS413"]
    assert "agentsync.toml:2: unknown key `agents.exlude`" in result.json["diagnostics"][0]["message"]
    assert "did you mean `exclude`?" in result.json["diagnostics"][0]["hint"]
    assert pulled.files() == before


def test_a_source_whose_url_changed_deletes_nothing_unasked(
    pulled: Machine, repository: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "served" / "other.git")
    other.write({"agents/tester.md": agent("tester", "From the other one.")})
    other.commit()
    pulled.follow(other)
    result = pulled.run("pull", "--format", "json")
    assert "AS411" in result.codes
    assert len(pulled.names()) == 5
    assert "other one" in (pulled.claude / "tester.md").read_text()
    assert pulled.run("pull", "--allow-deletions").code == 0
    assert pulled.names() == ["tester.md"]
    assert repository.head
