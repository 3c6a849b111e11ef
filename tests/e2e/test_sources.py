"""Several sources, and agents that meet by name."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from support.machine import Machine, agent, source
from support.repository import Repository

# One role as five teams might write it: for two tools, with and without a name, a list, a map and globs, and one file
# that lost its line ends.
ROLE = {
    "globs": (
        "---\ndescription: Builds services\nmode: subagent\nmodel: openai/gpt-5.5\nreasoningEffort: medium\n"
        "tools:\n  write: true\n  webfetch: false\npermission:\n  bash:\n    '*': ask\n    'git diff*': allow\n"
        "    'rm *': ask\n---\n\nBuild it well.\n"
    ),
    "flat": (
        "--- name: backend-engineer description: Builds services. Use it for endpoints. tools: Read, Write, Bash "
        "model: opus --- # Backend Keep it **simple** and tested."
    ),
    "free": "---\nname: backend-engineer\ndescription: Builds services\nmodel: sonnet\ncolor: green\n---\nBuild it.\n",
    "map": (
        '---\ndescription: "Builds services"\nmode: subagent\ntemperature: 0.3\ntools:\n  read: true\n  edit: true\n'
        "  bash: true\n---\n\nBuild it in small steps.\n"
    ),
    "servers": (
        "---\nname: backend-engineer\ndescription: Builds services\ntools: Glob, Read, Write, Edit, mcp__github__*\n"
        "model: sonnet\nloop: inner\n---\n\nBuild it from the issue.\n"
    ),
}
TARGETS = "[targets.claude]\n[targets.opencode]\n"

Maker = Callable[[str, dict[str, str]], Repository]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """Make a repository of one commit."""

    def make(name: str, files: dict[str, str]) -> Repository:
        made = Repository(tmp_path / "served" / f"{name}.git")
        made.write(files)
        made.commit(f"Agents of {name}")
        return made

    return make


def test_a_name_stays_with_the_source_that_has_it_whatever_another_publishes(machine: Machine, make: Maker) -> None:
    team = make("team", {"agents/tester.md": agent("tester", "Team."), "agents/writer.md": agent("writer")})
    company = make("company", {"shared/tester.md": agent("tester", "Company.")})
    first, second = source("team", team.url), source("company", company.url)
    machine.configure(first + second + TARGETS)
    result = machine.run("pull")
    assert (result.code, machine.names()) == (4, ["tester.md", "writer.md"])
    (refused,) = result.reported("agent.refused")
    assert (refused["source"], refused["path"], refused["agent"]) == ("company", "shared/tester.md", "tester")
    assert "agents/tester.md of source `team`, which is listed first" in refused["message"]
    machine.configure(second + first + TARGETS)
    team.write({"agents/tester.md": agent("tester", "Team, again.")})
    team.commit()
    assert machine.run("pull").code == 4
    assert "Team, again." in (machine.claude / "tester.md").read_text(), "its owner can still update it"
    team.write({"agents/tester.md": "---\nname: [\n---\nBroken.\n"})
    team.commit()
    assert machine.run("pull").code == 4
    assert "Team, again." in (machine.claude / "tester.md").read_text()
    team.remove("agents/tester.md")
    team.commit()
    assert machine.run("pull").code == 0
    assert "Company." in (machine.claude / "tester.md").read_text(), "its owner gave it up"


def test_a_later_source_wins_where_it_is_configured_to_and_gives_the_name_back(machine: Machine, make: Maker) -> None:
    team = make("team", {"agents/tester.md": agent("tester", "Team."), "agents/writer.md": agent("writer")})
    own = make("own", {"tester.md": agent("tester", "Own.")})
    machine.configure(source("team", team.url) + source("own", own.url, "replaces = true") + TARGETS)
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (0, [])
    assert "Own." in (machine.claude / "tester.md").read_text()
    assert machine.names() == ["tester.md", "writer.md"]
    assert machine.run("pull").stdout.startswith("up to date: 4 files")
    machine.configure(source("team", team.url) + source("own", own.url, 'exclude = ["tester.md"]') + TARGETS)
    assert machine.run("pull").code == 0
    assert "Team." in (machine.claude / "tester.md").read_text()


def test_the_same_agent_in_two_sources_is_written_once_and_reported(machine: Machine, make: Maker) -> None:
    one, two = (make(name, {"agents/tester.md": agent("tester")}) for name in ("one", "two"))
    machine.configure(source("one", one.url) + source("two", two.url) + TARGETS)
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (0, ["AS213"])
    assert {change["source"] for change in result.json["changes"]} == {"one"}


def test_a_source_that_fails_does_not_stop_the_others(machine: Machine, make: Maker) -> None:
    one = make("one", {"agents/tester.md": agent("tester")})
    two = make("two", {"agents/writer.md": agent("writer")})
    machine.configure(source("one", one.url) + source("two", two.url) + TARGETS)
    assert machine.run("pull").code == 0
    one.path.rename(one.path.with_name("gone"))
    two.write({"agents/editor.md": agent("editor")})
    two.commit()
    result = machine.run("pull")
    assert result.code == 3
    assert machine.names() == ["editor.md", "tester.md", "writer.md"]
    assert [event["source"] for event in result.reported("source.failed")] == ["one"]
    sources = {record["name"]: record for record in machine.run("status", "--format", "json").json["sources"]}
    assert sources["two"]["commit"] == two.head


def test_an_emptied_source_is_held_and_the_others_go_on(machine: Machine, make: Maker) -> None:
    one = make("one", {"agents/tester.md": agent("tester")})
    two = make("two", {"agents/writer.md": agent("writer")})
    machine.configure(source("one", one.url) + source("two", two.url) + TARGETS)
    assert machine.run("pull").code == 0
    one.remove("agents")
    one.commit()
    two.write({"agents/writer.md": agent("writer", "Better.")})
    two.commit()
    assert machine.run("pull").code == 4
    assert machine.names() == ["tester.md", "writer.md"]
    assert "Better." in (machine.claude / "writer.md").read_text()


def test_a_source_that_leaves_the_configuration_deletes_nothing(machine: Machine, make: Maker) -> None:
    one = make("one", {"agents/tester.md": agent("tester")})
    two = make("two", {"agents/writer.md": agent("writer")})
    machine.configure(source("one", one.url) + source("two", two.url) + TARGETS)
    assert machine.run("pull").code == 0
    machine.configure(source("two", two.url) + TARGETS)
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (0, ["AS418"])
    assert "source `one`" in result.json["diagnostics"][0]["message"]
    assert machine.names() == ["tester.md", "writer.md"]
    assert "AS418" in machine.run("status", "--format", "json").codes
    (machine.claude / "tester.md").write_text("Mine now.")
    assert machine.run("pull", "--allow-deletions").code == 4
    assert [path.name for path in machine.opencode.iterdir()] == ["writer.md"]
    assert (machine.claude / "tester.md").read_text() == "Mine now."


def test_files_of_a_removed_source_may_be_deleted_by_hand(machine: Machine, make: Maker) -> None:
    one = make("one", {"agents/tester.md": agent("tester")})
    two = make("two", {"agents/writer.md": agent("writer")})
    machine.configure(source("one", one.url) + source("two", two.url) + "[targets.claude]\n")
    assert machine.run("pull").code == 0
    machine.configure(source("two", two.url) + "[targets.claude]\n")
    (machine.claude / "tester.md").unlink()
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes, result.json["counts"]["forget"]) == (0, [], 1)
    assert machine.run("pull", "--format", "json").json["counts"]["keep"] == 1


def test_a_source_takes_the_place_of_one_that_left_the_configuration(machine: Machine, make: Maker) -> None:
    one = make("one", {f"agents/{name}.md": agent(name) for name in ("reader", "tester", "writer")})
    two = make("two", {f"agents/{name}.md": agent(name, "Two.") for name in ("reader", "tester", "writer")})
    machine.configure(source("one", one.url) + "[targets.claude]\n")
    assert machine.run("pull").code == 0
    (machine.claude / "reader.md").write_text("Mine now.")
    (machine.claude / "writer.md").unlink()
    machine.configure(source("two", two.url) + "[targets.claude]\n")
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (4, ["AS402"])
    assert (machine.claude / "reader.md").read_text() == "Mine now."
    assert (machine.claude / "tester.md").read_text() == agent("tester", "Two.")
    assert (machine.claude / "writer.md").read_text() == agent("writer", "Two.")
    assert machine.run("adopt", "--all").code == 0
    assert machine.run("pull").stdout.startswith("up to date: 3 files")


def test_a_source_that_is_given_for_one_run_replaces_no_other(machine: Machine, make: Maker) -> None:
    team = make("team", {"agents/tester.md": agent("tester"), "agents/writer.md": agent("writer")})
    other = make("other", {"agents/tester.md": agent("tester", "Other.")})
    machine.configure(source("team", team.url) + "[targets.claude]\n")
    assert machine.run("pull").code == 0
    before = machine.files()
    result = machine.run("pull", "--source", other.path, "--to", "claude", "--allow-deletions", "--format", "json")
    assert (result.code, result.codes, machine.files()) == (4, ["AS429"], before)
    assert "differ and are kept: 1" in result.json["diagnostics"][0]["message"]
    plan = machine.run("plan", "--source", other.path, "--to", "claude")
    assert "+Other." in plan.stdout
    assert machine.run("pull").stdout.startswith("up to date: 2 files")


def test_files_of_a_source_for_one_run_can_be_taken_over(machine: Machine, make: Maker) -> None:
    trial = make("trial", {f"agents/{name}.md": agent(name, "Trial.") for name in ("tester", "edited")})
    team = make("team", {f"agents/{name}.md": agent(name) for name in ("tester", "edited")})
    assert machine.run("pull", "--source", trial.path, "--to", "claude").code == 0
    (machine.claude / "edited.md").write_text("Mine now.")
    machine.configure(source("team", team.url) + "[targets.claude]\n")
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (4, ["AS401"])
    assert (machine.claude / "tester.md").read_text() == agent("tester")
    assert (machine.claude / "edited.md").read_text() == "Mine now."
    again = machine.run("pull", "--source", trial.path, "--to", "claude", "--format", "json")
    assert (again.codes, (machine.claude / "tester.md").read_text()) == (["AS402", "AS429"], agent("tester"))


def test_a_trial_leaves_no_trace(machine: Machine, make: Maker) -> None:
    """Nor does it complain about the configured targets, or heed what an earlier trial found."""
    team = make("team", {"agents/tester.md": agent("tester"), "agents/writer.md": agent("writer")})
    machine.configure(source("team", team.url) + TARGETS)
    assert machine.run("pull").code == 0
    assert machine.run("pull").code == 0  # after which it is known to be up to date
    before = _records(machine)
    there = machine.root / "try"
    trial = ("--source", team.url, "--to", f"claude={there}", "--format", "json")
    first = team.head
    team.write({"agents/tester.md": agent("tester", "Tried.")})
    team.commit()
    result = machine.run("pull", *trial)
    assert (result.code, result.codes, result.json["counts"]["create"]) == (0, [], 2)
    (there / "writer.md").write_text("Mine.")
    team.reset(first)
    team.write({"agents/tester.md": agent("tester", "Tried again.")})
    team.commit()
    for number in (1, 0):
        assert machine.run("plan", *trial).json["counts"].get("update", 0) == number
        result = machine.run("pull", *trial)
        assert (result.code, result.codes, result.json["counts"].get("update", 0)) == (4, ["AS402"], number)
    assert (there / "tester.md").read_text() == agent("tester", "Tried again.")
    assert (there / "writer.md").read_text() == "Mine."
    assert _records(machine) == before
    status = machine.run("status", "--format", "json")
    assert (status.codes, [one["name"] for one in status.json["targets"]]) == ([], ["claude", "opencode"])


def _records(machine: Machine) -> dict[str, object]:
    """All that the machine's own runs recorded, and the commits that their mirrors keep."""
    tables = ("inventory", "sources", "syncs", "changes", "intents", "fingerprint", "suspension")
    with closing(sqlite3.connect(machine.state / "state.sqlite3")) as database:
        rows = {table: database.execute(f"SELECT * FROM {table}").fetchall() for table in tables}  # noqa: S608
    mirrors = (machine.cache / "mirrors").glob("*.git/**/*")
    return {**rows, **{str(path): path.read_bytes() for path in mirrors if path.is_file()}}


def test_an_agent_that_moves_from_one_source_to_another_stays(machine: Machine, make: Maker) -> None:
    one = make("one", {"agents/tester.md": agent("tester"), "agents/reader.md": agent("reader")})
    two = make("two", {"agents/writer.md": agent("writer")})
    machine.configure(source("one", one.url) + source("two", two.url) + TARGETS)
    assert machine.run("pull").code == 0
    before = machine.files()
    one.remove("agents/tester.md")
    one.commit()
    two.write({"agents/tester.md": agent("tester")})
    two.commit()
    assert machine.run("pull").code == 0
    assert machine.files() == before


def test_a_target_that_is_no_longer_configured_keeps_its_files_and_is_reported(machine: Machine, make: Maker) -> None:
    team = make("team", {"agents/tester.md": agent("tester")})
    machine.configure(source("team", team.url) + TARGETS)
    assert machine.run("pull").code == 0
    before = machine.files()
    machine.configure(source("team", team.url) + "[targets.claude]\n")
    result = machine.run("pull", "--format", "json")
    assert (result.code, machine.files()) == (0, before)
    (leftover,) = (diagnostic for diagnostic in result.json["diagnostics"] if diagnostic["code"] == "AS410")
    assert leftover["path"] == str(machine.opencode)


def test_five_versions_of_one_role_are_refused_by_name_and_each_place_is_reported(
    machine: Machine, make: Maker
) -> None:
    team = make("team", {f"{form}/agents/backend-engineer.md": text for form, text in ROLE.items()})
    machine.follow(team)
    result = machine.run("pull", "--format", "json")
    assert result.code == 4
    assert (machine.files(), result.json["counts"]["refused"]) == ({}, 5)
    twice = [diagnostic for diagnostic in result.json["diagnostics"] if diagnostic["code"] == "AS212"]
    places = {f"{form}/agents/backend-engineer.md" for form in ROLE}
    assert {diagnostic["path"] for diagnostic in twice} == places
    for diagnostic in twice:
        assert all(place in diagnostic["message"] for place in places - {diagnostic["path"]})
    directory = machine.root / "checkout"
    for form, text in ROLE.items():
        path = directory / form / "agents/backend-engineer.md"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    checked = machine.run("check", "--format", "json", directory)
    assert checked.code == 1
    assert {diagnostic["path"] for diagnostic in checked.json["diagnostics"] if diagnostic["code"] == "AS212"} == places


@pytest.mark.parametrize("form", ROLE)
def test_each_of_the_five_alone_reaches_every_tool(machine: Machine, make: Maker, form: str) -> None:
    team = make("team", {"agents/backend-engineer.md": ROLE[form]})
    machine.follow(team)
    result = machine.run("pull", "--format", "json")
    assert result.code == 0, result.stderr
    assert machine.names() == ["backend-engineer.md"]
    assert (machine.opencode / "backend-engineer.md").is_file()


def test_a_manifest_that_cannot_count_refuses_the_commit(machine: Machine, make: Maker) -> None:
    team = make("team", {"agents/tester.md": agent("tester"), "agentsync.toml": "# long\n" * 10_000})
    machine.follow(team)
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes, machine.files()) == (4, ["AS413"], {})


def test_a_source_without_agents_is_reported(machine: Machine, make: Maker) -> None:
    team = make("team", {"README.md": "# Nothing yet\n"})
    machine.follow(team)
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (4, ["AS419"])
    other = make("other", {"tester.md": agent("tester")})
    machine.configure(source("team", team.url) + source("other", other.url) + TARGETS)
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (0, ["AS414"])


@pytest.mark.parametrize("arguments", [("--to", "claude=", "--source", "."), ("--to", "claude=x", "--source", "")])
def test_an_empty_path_is_not_the_current_directory(machine: Machine, arguments: tuple[str, ...]) -> None:
    result = machine.run("pull", *arguments)
    assert result.code == 2
    assert "the path is empty" in result.stderr


def test_a_part_of_no_source_is_an_error(machine: Machine, make: Maker) -> None:
    machine.follow(make("team", {"agents/tester.md": agent("tester")}))
    assert machine.run("pull", "--branch", "other").code == 2


def test_a_narrowed_file_stays_narrow(machine: Machine, make: Maker) -> None:
    team = make("team", {"agents/tester.md": agent("tester")})
    machine.follow(team)
    machine.run("pull")
    written = machine.claude / "tester.md"
    written.chmod(0o600)
    team.write({"agents/tester.md": agent("tester", "Better.")})
    team.commit()
    assert machine.run("pull").code == 0
    assert "Better." in written.read_text()
    assert written.stat().st_mode & 0o777 == 0o600


def test_a_pull_of_another_ref_does_not_make_the_configured_one_forget(machine: Machine, make: Maker) -> None:
    team = make("team", {"agents/tester.md": agent("tester")})
    machine.configure(source("team", str(team.path)) + "[targets.claude]\n")
    assert machine.run("pull").code == 0
    options = ("--source", team.path, "--branch", "nosuch", "--to", "claude")
    assert machine.run("pull", *options).code == 3
    status = machine.run("status", "--format", "json").json
    assert [known["commit"] for known in status["sources"]] == [team.head]
    team.rewrite()
    assert machine.run("pull").code == 4
