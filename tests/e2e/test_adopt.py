"""`agentsync adopt`: the user's files are replaced only on request, and stay as a backup."""

from __future__ import annotations

import re

import pytest

from support.machine import Machine, agent, source
from support.repository import Repository

MINE = agent("tester", "Mine.")


@pytest.fixture
def team(machine: Machine) -> Repository:
    return Repository(machine.root / "served/team.git")


@pytest.fixture
def met(machine: Machine, team: Repository) -> Machine:
    """A machine with a user's agent of the team's name in each tool, and an edited agent of the team's."""
    team.write({"agents/tester.md": agent("tester"), "agents/writer.md": agent("writer")})
    team.commit()
    machine.configure(source("team", team.url) + "[targets.claude]\n[targets.opencode]\n")
    for directory in (machine.claude, machine.opencode):
        directory.mkdir(parents=True)
        (directory / "tester.md").write_text(MINE)
    assert machine.run("pull").code == 4
    (machine.claude / "writer.md").write_text(agent("writer", "Edited."))
    return machine


def test_files_in_the_way_are_listed_and_stay(met: Machine) -> None:
    result = met.run("adopt")
    assert result.code == 4
    assert [line.split()[-1] for line in result.stdout.splitlines()[:3]] == [
        "~/.claude/agents/tester.md",
        "~/.claude/agents/writer.md",
        "~/.config/opencode/agents/tester.md",
    ]
    assert (met.claude / "tester.md").read_text() == MINE


def test_one_file_is_replaced_and_kept(met: Machine) -> None:
    result = met.run("adopt", met.claude / "tester.md")
    assert (met.claude / "tester.md").read_text() == agent("tester")
    assert (met.opencode / "tester.md").read_text() == MINE
    assert "restores them, and suspends pulling until `agentsync resume`" in result.stdout
    assert (result.code, "elsewhere: 2 conflict" in result.stdout) == (0, True)
    seen = met.run("adopt", met.claude / "writer.md", environment={"AGENTSYNC_LOG_FORMAT": ""})
    assert (seen.code, "tester" in seen.stdout + seen.stderr) == (0, False)
    assert "1 replaced (" in seen.stdout
    assert [event["agent"] for event in result.reported("agent.replaced")] == ["tester"]


def test_a_file_may_be_named_by_any_path_to_it(met: Machine) -> None:
    assert met.run("adopt", met.claude / "../agents/tester.md", "--dry-run").code == 0
    result = met.run("adopt", "~nobody-here/tester.md")
    assert (result.code, "nothing of this name is in the way" in result.stderr) == (2, True)


def test_only_files_are_offered(met: Machine) -> None:
    (met.claude / "tester.md").unlink()
    (met.claude / "tester.md").mkdir()
    result = met.run("adopt", met.claude / "tester.md", "--format", "json")
    assert (met.claude / "tester.md").is_dir()
    (conflict,) = (
        conflict for conflict in result.json["diagnostics"] if conflict["path"] == str(met.claude / "tester.md")
    )
    assert "adopt" not in conflict["hint"]


def test_an_agent_is_replaced_in_every_tool_and_managed_from_then_on(met: Machine) -> None:
    met.run("adopt", "tester", "writer")
    assert (met.claude / "writer.md").read_text() == agent("writer")
    assert met.run("pull").stdout.startswith("up to date: 4 files")


def test_all_are_replaced_at_once_and_history_shows_it(met: Machine) -> None:
    assert met.run("adopt", "--all").code == 0
    assert met.run("adopt").stdout.endswith("nothing is in the way\n")
    assert met.run("history", "--format", "json").json[0]["counts"]["replace"] == 3


def test_a_dry_run_changes_nothing(met: Machine) -> None:
    result = met.run("adopt", "--all", "--dry-run", "--format", "json")
    assert [change["action"] for change in result.json["shown"]] == ["replace"] * 3
    assert (met.claude / "tester.md").read_text() == MINE


def test_a_link_or_directory_in_the_way_is_never_replaced(met: Machine) -> None:
    (met.opencode / "tester.md").unlink()
    (met.opencode / "tester.md").symlink_to(met.claude / "tester.md")
    assert met.run("adopt", "--all").code == 4
    assert (met.opencode / "tester.md").is_symlink()


def test_a_replaced_file_comes_back_to_the_byte_after_another_sync(met: Machine, team: Repository) -> None:
    before = met.files()
    adopted = met.run("adopt", "--all")
    team.write({"agents/tester.md": agent("tester", "Changed.")})
    team.commit()
    assert met.run("pull").code == 0
    (command,) = re.findall(r"`agentsync (rollback .*?)` restores", adopted.stdout)
    assert met.run(*command.split()).code == 0
    assert {path: file[0] for path, file in met.files().items()} == {path: file[0] for path, file in before.items()}


def test_a_backup_is_readable_by_its_owner_only(met: Machine) -> None:
    met.run("adopt", "--all")
    assert {path.stat().st_mode & 0o077 for path in met.state.glob("kept*")} == {0}


def test_nothing_is_replaced_where_it_cannot_be_backed_up(met: Machine) -> None:
    (met.state / "kept.sqlite3").unlink(missing_ok=True)
    (met.state / "kept.sqlite3").mkdir()
    result = met.run("adopt", "tester")
    assert result.code == 4
    assert (met.claude / "tester.md").read_text() == MINE
    assert "kept.sqlite3" in result.stderr


@pytest.mark.parametrize("word", ["nobody", "/nowhere/x.md", "planner"])
def test_a_name_that_is_not_in_the_way_is_an_error_and_nothing_happens(met: Machine, word: str) -> None:
    result = met.run("adopt", "tester", word)
    assert result.code == 2
    assert word in result.stderr
    assert (met.claude / "tester.md").read_text() == MINE


def test_while_pulling_is_suspended_nothing_is_reported_as_replaced(met: Machine) -> None:
    assert met.run("suspend").code == 0
    result = met.run("adopt", "tester")
    assert (met.claude / "tester.md").read_text() == MINE
    assert "pulling is suspended" in result.stdout
    assert "replaced files are backed up" not in result.stdout


def test_a_file_that_is_held_with_its_source_is_not_reported_as_unknown(machine: Machine) -> None:
    team = Repository(machine.root / "served/team.git")
    team.write({f"agents/{name}.md": agent(name) for name in ("a", "b", "c")})
    team.commit()
    machine.configure(source("team", team.url) + "[targets.claude]\n")
    assert machine.run("pull").code == 0
    (machine.claude / "tester.md").write_text(MINE)
    team.remove(*(f"agents/{name}.md" for name in ("a", "b", "c")))
    team.write({"agents/tester.md": agent("tester")})
    team.commit()
    result = machine.run("adopt", "tester", "--format", "json")
    assert (result.code, result.codes) == (4, ["AS407"])
    assert [change["action"] for change in result.json["held"]] == ["replace"]
    assert (machine.claude / "tester.md").read_text() == MINE
