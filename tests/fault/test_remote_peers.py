"""Files that other tools were seen to destroy, and agentsync keeps, from a real server.

docs/reliability.md lists the tool of each case.
"""

from __future__ import annotations

import pytest

from support.gitserver import GitServer
from support.machine import Machine
from support.repository import Repository

REVIEWER = (
    '---\nname: rev\ndescription: "Reviews: code"\ntools: Read, Grep, Bash(git diff:*), mcp__gh__x\n'
    "disallowedTools: Write\nmodel: opus\npermissionMode: plan\ncolor: cyan\n---\nYou review.\n"
)
GOOD = "---\nname: good\ndescription: d\n---\nteam\n"
SLOPPY = "---\nname: flaky\ndescription: Use: when: bad\n---\nteam\n"
BROKEN = "---\nname: broken\ndescription: One.\ndescription: Two?\n---\nteam\n"
HAND = "---\nname: good\ndescription: h\n---\nHAND\n"
MINE = "---\nname: mine\ndescription: h\n---\nMINE\n"


@pytest.fixture
def seeded(machine: Machine, repository: Repository, server: GitServer) -> Machine:
    """A user with two agents, one with the name of a team's agent, and a team with a sloppy and a broken one."""
    machine.claude.mkdir()
    (machine.claude / "good.md").write_text(HAND)
    (machine.claude / "mine.md").write_text(MINE)
    repository.remove("agents")
    team = {"rev": REVIEWER, "good": GOOD, "flaky": SLOPPY, "broken": BROKEN}
    repository.write({f"agents/{name}.md": text for name, text in team.items()})
    repository.commit()
    source = f'[sources.team]\nurl = "{server.url("team.git")}"\nallow_http = true\n'
    machine.configure(f"{source}[targets.claude]\n[targets.opencode]\n")
    assert machine.run("pull").code == 4
    return machine


def own(machine: Machine) -> tuple[str, str]:
    return (machine.claude / "good.md").read_text(), (machine.claude / "mine.md").read_text()


def test_a_hand_written_agent_of_a_name_that_the_team_has_too_is_kept_and_reported(seeded: Machine) -> None:
    (conflict,) = seeded.run("pull").reported("agent.conflict")
    assert (conflict["code"], conflict["path"]) == ("AS401", str(seeded.claude / "good.md"))
    assert own(seeded) == (HAND, MINE)
    assert (seeded.opencode / "good.md").is_file()


def test_one_malformed_file_stops_no_other(seeded: Machine) -> None:
    assert (seeded.claude / "rev.md").read_text() == REVIEWER
    assert sorted(path.name for path in seeded.opencode.iterdir()) == ["flaky.md", "good.md", "rev.md"]
    (refused,) = seeded.run("pull").reported("agent.refused")
    assert refused["path"] == "agents/broken.md"


def test_a_file_that_becomes_malformed_keeps_its_last_output(seeded: Machine, repository: Repository) -> None:
    repository.write({"agents/rev.md": BROKEN})
    repository.commit()
    assert seeded.run("pull", "--allow-deletions").code == 4
    assert (seeded.claude / "rev.md").read_text() == REVIEWER
    assert (seeded.opencode / "rev.md").is_file()


def test_an_edit_of_a_managed_file_survives_the_next_pulls_and_is_reported(
    seeded: Machine, repository: Repository
) -> None:
    edited = seeded.claude / "rev.md"
    edited.write_text(f"{REVIEWER}EDIT\n")
    repository.write({"agents/rev.md": REVIEWER.replace("You review.", "You review well.")})
    repository.commit()
    for _ in range(2):
        reported = [record["path"] for record in seeded.run("pull").reported("agent.conflict")]
        assert str(edited) in reported
        assert edited.read_text() == f"{REVIEWER}EDIT\n"
    assert "You review well." in (seeded.opencode / "rev.md").read_text()


def test_deleting_dropped_agents_deletes_nothing_of_the_users(seeded: Machine, repository: Repository) -> None:
    repository.remove("agents")
    repository.write({"README.md": "No agents are left.\n"})
    repository.commit()
    seeded.run("pull", "--allow-deletions")
    assert seeded.names() == ["good.md", "mine.md"]
    assert own(seeded) == (HAND, MINE)
    assert list(seeded.opencode.iterdir()) == []


def test_an_agent_that_may_only_read_can_write_in_no_tool_and_losses_are_reported(seeded: Machine) -> None:
    tools = ("opencode", "codex", "cursor", "copilot")
    places = {name: seeded.home / "converted" / name for name in tools}
    with seeded.config.open("a") as file:
        for name in tools[1:]:
            file.write(f'[targets.{name}]\npath = "{places[name]}"\ncreate = true\n')
    result = seeded.run("pull", "--format", "json")
    with_losses = {record.get("target") for record in result.json["diagnostics"] if record.get("agent") == "rev"}
    assert with_losses >= {"codex", "cursor", "copilot"}  # OpenCode can express all of it
    assert '"*": deny' in (seeded.opencode / "rev.md").read_text()
    assert 'sandbox_mode = "read-only"' in (places["codex"] / "rev.toml").read_text()
    assert "readonly: true" in (places["cursor"] / "rev.md").read_text()
    assert "tools:\n  - read\n  - grep\n  - gh/x\nmodel:" in (places["copilot"] / "rev.agent.md").read_text()
