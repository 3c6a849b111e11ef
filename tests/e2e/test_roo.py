"""A tool that keeps all agents in one file, with the real program: the user's own modes stay as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.machine import Machine, agent, source
from support.repository import Repository

USER = """# Mine
customModes:
  - slug: own   # keep
    name: 'Own'
    roleDefinition: Mine.
    groups: [read]
"""
EXTENSION = "Code/User/globalStorage/zoocodeorganization.zoo-code/settings"


@pytest.fixture
def team(machine: Machine) -> Repository:
    team = Repository(machine.root / "served/team.git")
    team.write({"agents/tester.md": agent("tester"), "agents/writer.md": agent("writer")})
    team.commit()
    return team


@pytest.fixture
def modes(machine: Machine, team: Repository) -> Path:
    """The file of a project, in which the user has a mode."""
    project = machine.root / "project"
    project.mkdir()
    machine.configure(source("team", team.url) + f'[targets.roo]\nproject = "{project}"\n')
    (project / ".roomodes").write_text(USER)
    return project / ".roomodes"


def test_a_file_is_shared_with_its_user(machine: Machine, team: Repository, modes: Path) -> None:
    assert machine.run("plan").code == 0
    assert modes.read_text() == USER
    assert machine.run("pull").code == 0
    assert modes.read_text().startswith(USER)
    assert modes.read_text().count("  - slug: ") == 3
    assert machine.run("pull").stdout.startswith("up to date: 2 files")
    assert [target["exists"] for target in machine.run("list", "targets", "--format", "json").json] == [True]
    team.remove("agents/tester.md")
    team.remove("agents/writer.md")
    team.write({"agents/helper.md": agent("helper")})
    team.commit()
    assert machine.run("pull").code == 0
    slugs = [line for line in modes.read_text().splitlines() if "slug" in line]
    assert slugs == ["  - slug: own   # keep", '  - slug: "helper"']


def test_a_mode_that_its_user_edited_is_kept_until_they_adopt_it(machine: Machine, modes: Path) -> None:
    machine.run("pull")
    written = modes.read_text()
    edited = written.replace('name: "tester"', 'name: "My tester" # better')
    modes.write_text(edited)
    result = machine.run("pull", "--format", "json")
    assert (result.code, modes.read_text()) == (4, edited)
    assert "AS402" in result.codes
    assert machine.run("adopt", modes / "tester").code == 0
    assert modes.read_text() == written
    assert machine.run("rollback").code == 0
    assert modes.read_text() == edited


def test_a_file_that_cannot_be_edited_is_reported_once(machine: Machine, modes: Path) -> None:
    modes.write_text('{"customModes": []}')
    result = machine.run("pull", "--format", "json")
    assert [code for code in result.codes if code.startswith("AS4")] == ["AS405"]
    assert modes.read_text() == '{"customModes": []}'


def test_the_successors_file_counts_where_it_is_there(machine: Machine, modes: Path) -> None:
    (modes.parent / ".zoomodes").write_text("customModes: []\n")
    machine.run("pull")
    assert modes.read_text() == USER
    assert "tester" in (modes.parent / ".zoomodes").read_text()


def test_the_users_own_file_is_found_where_the_extension_keeps_it(machine: Machine, team: Repository) -> None:
    machine.configure(source("team", team.url) + "[targets.roo]\n")
    missing = machine.run("pull", "--format", "json")
    assert "AS403" in missing.codes
    settings = machine.home / ".config" / EXTENSION
    settings.mkdir(parents=True)
    assert machine.run("pull").code == 0
    assert (settings / "custom_modes.yaml").read_text().count("  - slug: ") == 2
    assert str(settings / "custom_modes.yaml") in machine.run("doctor", "--format", "json").stdout.replace(
        "~", str(machine.home)
    )


def test_an_agent_is_converted_to_a_file_of_its_own(machine: Machine, modes: Path) -> None:
    path = machine.root / "tester.md"
    path.write_text(agent("tester"))
    machine.run("pull")
    converted = machine.run("convert", "--to", "roo", path)
    assert converted.stdout.removeprefix("customModes:\n") in modes.read_text()


def test_a_plan_shows_what_would_change_in_a_mode(machine: Machine, team: Repository, modes: Path) -> None:
    machine.run("pull")
    team.write({"agents/tester.md": agent("tester", "Test it twice.")})
    team.commit()
    result = machine.run("plan")
    assert f"--- a/{modes}/tester\n" in result.stdout
    assert '-    roleDefinition: "You help."\n+    roleDefinition: "Test it twice."\n' in result.stdout
    assert "slug: own" not in result.stdout
    (change,) = machine.run("plan", "--format", "json").json["changes"]
    assert '+    roleDefinition: "Test it twice."\n' in change["diff"]
    modes.write_text(modes.read_text().replace('name: "tester"', 'name: "My tester"'))
    result = machine.run("plan")
    assert '-    name: "My tester"\n' in result.stdout


SOURCE = """customModes:
  - slug: planner
    name: Planner
    roleDefinition: Plan it.
    groups: [read]
  - slug: Reviewer
    name: Reviewer
    roleDefinition: Review it.
    groups: [read, command]
"""


def test_each_mode_of_a_repository_is_an_agent(machine: Machine, team: Repository) -> None:
    team.write({".roomodes": SOURCE})
    team.commit()
    machine.configure(source("team", team.url) + "[targets.claude]\n[targets.opencode]\n")
    assert machine.run("pull").code == 0
    assert machine.run("pull").stdout.startswith("up to date: 8 files")
    assert "Review it." in (machine.claude / "reviewer.md").read_text()
    listed = machine.run("list", "agents", "--format", "json").json
    assert {record["path"] for record in listed if record["dialect"] == "roo"} == {
        ".roomodes:planner",
        ".roomodes:Reviewer",
    }
    team.write({".roomodes": SOURCE.replace("Plan it.", "Plan it twice.")})
    team.commit()
    machine.run("pull")
    assert "Plan it twice." in (machine.claude / "planner.md").read_text()
    # One mode has gone, and the other one can no longer be read.
    team.write(
        {
            ".roomodes": "customModes:\n"
            + SOURCE[SOURCE.index("  - slug: Rev") :].replace("[read, command]", "{read: true}")
        }
    )
    team.commit()
    assert machine.run("pull").code == 4
    assert not (machine.claude / "planner.md").exists()
    assert "Review it." in (machine.claude / "reviewer.md").read_text()


def test_modes_go_with_the_file_that_held_them(machine: Machine, team: Repository) -> None:
    team.write({".roomodes": SOURCE})
    team.commit()
    machine.configure(source("team", team.url) + "[targets.claude]\n")
    machine.run("pull")
    there = {"planner.md", "reviewer.md", "tester.md", "writer.md"}
    assert {path.name for path in machine.claude.iterdir()} == there
    team.write({".zoomodes": SOURCE.replace("slug: planner", "slug: architect-two")})
    team.commit()
    result = machine.run("pull", "--format", "json")
    assert {path.name for path in machine.claude.iterdir()} == there - {"planner.md"} | {"architect-two.md"}
    assert "AS213" in result.codes
    team.remove(".zoomodes")
    team.write({".roomodes": "customModes: []\n"})
    team.commit()
    assert machine.run("pull").code == 0
    assert {path.name for path in machine.claude.iterdir()} == {"tester.md", "writer.md"}


def test_modes_stay_where_their_file_cannot_be_read(machine: Machine, team: Repository) -> None:
    team.write({".roomodes": SOURCE})
    team.commit()
    machine.configure(source("team", team.url) + "[targets.claude]\n")
    machine.run("pull")
    before = machine.files()
    team.write({".roomodes": SOURCE + "  - slug: [\n"})
    team.commit()
    result = machine.run("pull", "--format", "json")
    assert (result.code, machine.files()) == (4, before)
    assert [diagnostic["path"] for diagnostic in result.json["diagnostics"] if diagnostic["code"] == "AS114"] == [
        ".roomodes"
    ]
