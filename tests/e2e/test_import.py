"""`agentsync import`: a developer's own agents become files of the team's repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.machine import Machine, agent, source
from support.repository import Repository

OPENCODE = '---\ndescription: "Tests."\ntemperature: 0.1\npermission:\n  bash: deny\n---\nTest it well.\n'


@pytest.fixture
def clone(machine: Machine) -> Path:
    """An empty clone, on a machine that has an agent in two versions, and one that only Claude Code has."""
    for directory in (machine.claude, machine.opencode):
        directory.mkdir(parents=True)
    (machine.claude / "tester.md").write_text(agent("tester", "Test it.", tools="Read, Bash"))
    (machine.claude / "writer.md").write_text(agent("writer"))
    (machine.opencode / "tester.md").write_text(OPENCODE)
    path = machine.root / "clone"
    path.mkdir()
    return path


def test_versions_become_one_file_and_the_clone_passes_the_check(machine: Machine, clone: Path) -> None:
    before = machine.files()
    result = machine.run("import", clone)
    assert result.code == 0
    assert sorted(path.name for path in clone.rglob("*.*")) == ["agentsync.toml", "tester.md", "writer.md"]
    text = (clone / "agents/tester.md").read_text()
    assert 'targets:\n  opencode:\n    description: "Tests."\n    temperature: 0.1\n    permissions:\n' in text
    assert "-Test it.\n+Test it well.\n" in result.stdout
    assert machine.files() == before
    checked = machine.run("check", clone, "--format", "json")
    assert checked.code == 0
    assert {agent["dialect"] for agent in checked.json["agents"]} == {"neutral"}


def test_an_imported_agent_comes_back_to_each_tool_with_its_meaning(machine: Machine, clone: Path) -> None:
    machine.run("import", clone)
    team = Repository(machine.root / "served/team.git")
    team.write({str(path.relative_to(clone)): path.read_text() for path in clone.rglob("*.*")})
    team.commit()
    machine.configure(source("team", team.url) + f'[targets.opencode]\npath = "{machine.root}/there"\ncreate = true\n')
    assert machine.run("pull").code == 0
    text = (machine.root / "there/tester.md").read_text()
    assert "bash: deny" in text
    assert "temperature: 0.1" in text


def test_an_agent_that_cannot_become_a_file_is_reported_and_keeps_no_other_from_being_written(
    machine: Machine, clone: Path
) -> None:
    (machine.opencode / "nameless.md").write_text("---\nmode: subagent\n---\nHelp.\n")
    result = machine.run("import", clone, "--format", "json")
    assert result.code == 4
    assert [one["path"] for one in result.json["files"]] == ["agents/tester.md", "agents/writer.md", "agentsync.toml"]
    assert "AS310" in [one["code"] for one in result.json["diagnostics"]]
    assert not (clone / "agents/nameless.md").exists()


def test_a_file_that_is_there_is_never_overwritten(machine: Machine, clone: Path) -> None:
    (clone / "agents").mkdir()
    (clone / "agents/tester.md").write_text("mine")
    (clone / "agentsync.toml").write_text("version = 1\n")
    result = machine.run("import", clone, "--format", "json")
    assert result.code == 4
    assert {file["path"]: file["result"] for file in result.json["files"]} == {
        "agents/tester.md": "kept",
        "agents/writer.md": "written",
        "agentsync.toml": "kept",
    }
    assert (clone / "agents/tester.md").read_text() == "mine"
    assert "AS401" in result.codes


def test_a_manifest_that_stays_must_declare_the_format(machine: Machine, clone: Path) -> None:
    manifest = clone / "agentsync.toml"
    manifest.write_text("version = 1\n")
    result = machine.run("import", clone, "--format", "json")
    assert [diagnostic["path"] for diagnostic in result.json["diagnostics"] if diagnostic["code"] == "AS401"] == [
        "agentsync.toml"
    ]
    manifest.write_text('[agents.dialects]\n"agents/" = "neutral"\n')
    assert "AS401" not in machine.run("import", clone, "--format", "json").codes


def test_nothing_is_written_outside_the_clone(machine: Machine, clone: Path) -> None:
    outside = machine.root / "outside"
    outside.mkdir()
    (clone / "agents").symlink_to(outside)
    result = machine.run("import", clone, "--format", "json")
    assert (result.code, [*outside.iterdir()]) == (4, [])
    assert "AS401" in result.codes


def test_a_full_disk_leaves_no_half_file(machine: Machine, clone: Path) -> None:
    """It would be kept the next time, as the user's own."""
    (machine.claude / "writer.md").write_text(agent("writer", "Write.\n" * 4000))
    # Python does not notice that it has written half of a compiled module, which then breaks every later run.
    full = ("env", "PYTHONDONTWRITEBYTECODE=1", "sh", "-c", 'ulimit -f 8; trap "" XFSZ; exec "$@"', "sh")
    assert machine.run("import", clone, "--from", "claude", before=full).code != 0
    assert not (clone / "agents/writer.md").exists()
    assert machine.run("import", clone, "--from", "claude").code == 0


def test_two_agents_of_one_name_in_one_tool_are_reported_and_none_is_taken(machine: Machine, clone: Path) -> None:
    (machine.claude / "again.md").write_text(agent("writer", "Or so.", tools="Read, Bash"))
    (machine.claude / "same.md").write_bytes((machine.claude / "tester.md").read_bytes())
    result = machine.run("import", clone, "--format", "json")
    assert (result.code, result.codes.count("AS212"), result.codes.count("AS213")) == (4, 2, 1)
    assert [path.name for path in (clone / "agents").iterdir()] == ["tester.md"]


def test_twice_changes_nothing_and_a_dry_run_writes_nothing(machine: Machine, clone: Path) -> None:
    dry = machine.run("import", clone, "--dry-run")
    assert dry.stdout.startswith("new        agents/tester.md\n")
    assert dry.stdout.endswith(f"2 agents for {clone}; nothing was written\n")
    assert [*clone.iterdir()] == []
    machine.run("import", clone)
    again = machine.run("import", clone, "--format", "json").json
    assert {file["result"] for file in again["files"]} == {"unchanged"}


def test_each_tools_own_format_is_taken_as_it_is(machine: Machine, clone: Path) -> None:
    result = machine.run("import", clone, "--as", "own", "--format", "json")
    assert (clone / ".claude/agents/tester.md").read_bytes() == (machine.claude / "tester.md").read_bytes()
    assert (clone / ".opencode/agents/tester.md").read_text() == OPENCODE
    assert result.codes == []
    assert machine.run("check", clone, "--format", "json").codes == ["AS225"]


def test_agents_of_a_clone_below_a_tools_directory_are_taken(machine: Machine, clone: Path) -> None:
    collection = machine.claude / "collection"
    (collection / ".git").mkdir(parents=True)
    (collection / "planner.md").write_text(agent("planner"))
    assert machine.run("import", clone).code == 0
    assert (clone / "agents/planner.md").exists()


def test_files_that_agentsync_wrote_are_left_out(machine: Machine, clone: Path) -> None:
    team = Repository(machine.root / "served/team.git")
    team.write({"agents/planner.md": agent("planner")})
    team.commit()
    machine.configure(source("team", team.url) + "[targets.claude]\n")
    assert machine.run("pull").code == 0
    trial = Repository(machine.root / "served/trial.git")
    trial.write({"agents/tried.md": agent("tried")})
    trial.commit()
    assert machine.run("pull", "--source", trial.path, "--to", "claude").code == 0
    machine.run("import", clone)
    assert not (clone / "agents/planner.md").exists()
    assert not (clone / "agents/tried.md").exists()
    assert (clone / "agents/writer.md").exists()


def test_a_tool_is_named_with_its_directory(machine: Machine, clone: Path) -> None:
    there = machine.root / "old"
    there.mkdir()
    (there / "planner.md").write_text(agent("planner"))
    (there / "broken.md").write_text("---\nname: [\n---\n")
    result = machine.run("import", clone, "--from", f"claude={there}")
    assert result.code == 4
    assert "broken.md" in result.stderr
    assert [path.name for path in (clone / "agents").iterdir()] == ["planner.md"]


def test_a_directory_is_read_and_checked_as_a_source_is(machine: Machine, clone: Path) -> None:
    there = machine.root / "old"
    there.mkdir()
    (there / "planner.md").write_text(agent("planner"))
    (there / "same.md").write_text(agent("planner", "Another."))
    (there / "twice.md").write_text("---\ndescription: One.\ndescription: Two.\n---\nWhich?\n")
    (there / "link.md").symlink_to("planner.md")
    (there / "hidden.md").write_text(agent("hidden", "Do\u200b it."))
    (there / "key.md").write_text(agent("key", f"Log in with ghp_{'x1' * 18}."))
    (there / "fine.md").write_text(agent("fine"))
    (there / "other.md").write_text(agent("other"))
    (there / "agentsync.toml").write_text('[agents]\nskip = ["other"]\n')
    imported = machine.run("import", clone, "--from", f"claude={there}", "--format", "json")
    checked = machine.run("check", there, "--from", "claude", "--format", "json")
    assert sorted(imported.codes) == sorted(checked.codes)
    assert {"AS212", "AS116", "AS220"} < set(checked.codes)
    assert [path.name for path in (clone / "agents").iterdir()] == ["fine.md"]


@pytest.mark.parametrize(
    ("given", "message"), [("clod", "there is no dialect `clod`"), ("claude=/nowhere", "there is no such directory")]
)
def test_a_mistake_is_reported(machine: Machine, clone: Path, given: str, message: str) -> None:
    result = machine.run("import", clone, "--from", given)
    assert result.code == 2
    assert message in result.stderr


MODES = """# Mine
customModes:
  - slug: tester
    name: Tester
    roleDefinition: Test it all.
    groups: [read]
  - slug: planner
    name: Planner
    roleDefinition: Plan it.
    groups: [read, [edit, {fileRegex: '[.]md$'}]]
  - slug: Broken one
    name: Broken
    roleDefinition: What is it called?
    groups: [read]
"""


@pytest.fixture
def modes(machine: Machine) -> Path:
    """The file in which Roo Code keeps its user's own modes."""
    extension = machine.home / ".config/Code/User/globalStorage/rooveterinaryinc.roo-cline/settings"
    extension.mkdir(parents=True)
    (extension / "custom_modes.yaml").write_text(MODES)
    return extension / "custom_modes.yaml"


def test_each_agent_of_a_file_that_holds_several_is_taken(machine: Machine, clone: Path, modes: Path) -> None:
    result = machine.run("import", clone, "--format", "json")
    assert sorted(path.name for path in (clone / "agents").iterdir()) == ["planner.md", "tester.md", "writer.md"]
    assert "Plan it." in (clone / "agents/planner.md").read_text()
    assert "  roo:\n" in (clone / "agents/tester.md").read_text()
    (unnamed,) = (diagnostic for diagnostic in result.json["diagnostics"] if diagnostic["code"] == "AS202")
    assert unnamed["path"] == str(modes).replace(str(machine.home), "~")
    assert unnamed["message"].startswith("an agent is called 'Broken one' here")
    assert modes.read_text() == MODES


def test_the_file_is_named_and_taken_as_it_is(machine: Machine, clone: Path) -> None:
    project = machine.root / "project"
    project.mkdir()
    (project / ".roomodes").write_text(MODES)
    missing = machine.run("import", clone, "--from", f"roo={project}")
    assert (missing.code, "there is no such file" in missing.stderr) == (2, True)
    result = machine.run("import", clone, "--from", f"roo={project}/.roomodes", "--as", "own", "--format", "json")
    assert result.json["files"] == [{"path": ".roomodes", "agent": "planner, tester", "result": "written"}]
    text = (clone / ".roomodes").read_text()
    assert text.index('"planner"') < text.index('"tester"')
    checked = machine.run("check", clone, "--format", "json").json["agents"]
    assert [record["path"] for record in checked] == [".roomodes:planner", ".roomodes:tester"]


def test_a_link_in_the_place_of_the_file_is_not_followed(machine: Machine, clone: Path, modes: Path) -> None:
    modes.rename(modes.with_name("elsewhere.yaml"))
    modes.symlink_to("elsewhere.yaml")
    assert "AS220" in machine.run("import", clone, "--from", "roo", "--format", "json").codes


def test_the_agents_that_agentsync_wrote_into_the_file_are_left_out(machine: Machine, clone: Path, modes: Path) -> None:
    team = Repository(machine.root / "served/team.git")
    team.write({"agents/helper.md": agent("helper")})
    team.commit()
    machine.configure(source("team", team.url) + "[targets.roo]\n")
    assert machine.run("pull").code == 0
    assert "helper" in modes.read_text()
    machine.run("import", clone, "--from", "roo")
    assert sorted(path.name for path in (clone / "agents").iterdir()) == ["planner.md", "tester.md"]


def test_nothing_to_import_is_reported(machine: Machine) -> None:
    result = machine.run("import", machine.root)
    assert (result.code, result.stderr) == (1, "no tool here has an agent of its own\n")


def test_what_was_imported_is_no_conflict_where_it_came_from(machine: Machine) -> None:
    """Its own files are in other words and order; one that does something else stays."""
    own = {
        machine.claude / "reviewer.md": "---\nname: reviewer\ndescription: Reads\ntools: [Read, Grep]\n---\n\nRead.\n",
        machine.opencode
        / "reviewer.md": "---\ndescription: Reads\nmode: subagent\npermission: {bash: deny}\n---\nRead.\n",
        machine.opencode / "writer.md": "---\ndescription: 'Writes' # for us\nmode: subagent\n---\nWrite.\n",
    }
    for path, text in own.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    clone = machine.root / "clone"
    imported = machine.run("import", clone)
    assert "next: look through these files, commit and push them, then `agentsync init URL`" in imported.stdout
    team = Repository(machine.root / "served/team.git")
    team.write({str(path.relative_to(clone)): path.read_text() for path in clone.rglob("*") if path.is_file()})
    team.commit()
    edits = {
        machine.opencode / "writer.md": ("Write.", "Write more."),
        machine.opencode / "reviewer.md": ("bash: deny", "edit: deny"),
        machine.claude / "reviewer.md": ("[Read, Grep]", "[Read, Grep, Glob]"),
    }
    for path, (before, after) in edits.items():
        path.write_text(own[path].replace(before, after))
    changed = machine.run("init", team.path)
    assert "3 in conflict" in changed.stdout
    for path, text in own.items():
        path.write_text(text)
    machine.config.unlink()
    result = machine.run("init", team.path)
    assert result.code == 0, result.stdout + result.stderr
    assert "3 files of yours define the team's agents in other words" in result.stdout
    pulled = machine.run("pull", "--format", "json")
    assert (pulled.code, pulled.codes) == (0, ["AS440"] * 3)
    assert {path: path.read_text() for path in own} == own, "what agentsync did not write is not touched"
    assert machine.run("status", "--exit-code").code == 0
    assert machine.run("adopt", "writer").code == 0
    writer = machine.opencode / "writer.md"
    assert writer.read_text() != own[writer]
    (listed,) = (line for line in machine.run("adopt").stdout.splitlines() if "opencode" in line)
    assert "reviewer" in listed
    for path in clone.rglob("reviewer.md"):
        team.write({str(path.relative_to(clone)): path.read_text().replace("Read.", "Read all.")})
    team.commit()
    assert machine.run("pull").code == 4, "a change of the team's is a conflict then"
    assert (machine.claude / "reviewer.md").read_text() == own[machine.claude / "reviewer.md"]
