"""Overrides of a repository's agents: by its manifest, by this machine's configuration, and by the user's overlays."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.machine import Machine, agent, source
from support.repository import Repository

TARGETS = "[targets.claude]\n[targets.opencode]\n"
NEUTRAL = '---\ndescription: "Tests."\ntools: [read, bash]\ntags: [backend]\n---\nTest it.\n'

Maker = Callable[[dict[str, str]], Repository]


@pytest.fixture
def make(tmp_path: Path) -> Maker:
    """Make a repository of one commit."""

    def make(files: dict[str, str]) -> Repository:
        made = Repository(tmp_path / "served/team.git")
        made.write(files)
        made.commit()
        return made

    return make


def overlay(machine: Machine, name: str, text: str) -> None:
    path = machine.config.parent / "overlays" / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_manifest_configuration_and_overlay_count_in_this_order(machine: Machine, make: Maker) -> None:
    manifest = '[overrides.tester]\nmodel = "opus"\neffort = "high"\nmax_turns = 3\n'
    team = make({"agents/tester.md": agent("tester"), "agentsync.toml": manifest})
    machine.configure(source("team", team.url) + TARGETS + '[overrides."test*"]\nmodel = "sonnet"\neffort = "low"\n')
    overlay(machine, "tester", "---\nmodel: haiku\n---\nAnswer in German.\n")
    assert machine.run("pull").code == 0
    text = (machine.claude / "tester.md").read_text()
    assert ("model: haiku" in text, "effort: low" in text, "maxTurns: 3" in text) == (True, True, True)
    assert text.endswith("\n\nAnswer in German.\n")


def test_an_overlay_survives_updates_and_counts_when_it_changes(machine: Machine, make: Maker) -> None:
    team = make({"agents/tester.md": agent("tester")})
    machine.configure(source("team", team.url) + TARGETS)
    overlay(machine, "tester", "Answer in German.\n")
    assert machine.run("pull").code == 0
    assert machine.run("pull").stdout.startswith("up to date: 2 files")
    team.write({"agents/tester.md": agent("tester", "Better.")})
    team.commit()
    assert machine.run("pull").code == 0
    assert "Better.\n\nAnswer in German.\n" in (machine.claude / "tester.md").read_text()
    overlay(machine, "tester", "Answer in Latin.\n")
    assert machine.run("pull").code == 0
    assert "Latin" in (machine.opencode / "tester.md").read_text()
    (machine.config.parent / "overlays/tester.md").unlink()
    assert machine.run("pull").code == 0
    assert (machine.claude / "tester.md").read_text() == agent("tester", "Better.")


def test_an_overlay_that_would_widen_refuses_the_agent_and_keeps_its_last_good_file(
    machine: Machine, make: Maker
) -> None:
    team = make({"agents/tester.md": agent("tester", tools="Read")})
    machine.configure(source("team", team.url) + TARGETS)
    machine.run("pull")
    before = (machine.claude / "tester.md").read_text()
    overlay(machine, "tester", "---\ntools: [read, bash]\n---\n")
    result = machine.run("pull", "--format", "json")
    assert (result.code, set(result.codes)) == (4, {"AS501", "AS408"})
    assert (machine.claude / "tester.md").read_text() == before


def test_a_broken_overlay_holds_back_its_agent_and_no_other(machine: Machine, make: Maker) -> None:
    """It may be what restricts the agent, which must not do more because of a slip."""
    team = make({name: agent(Path(name).stem) for name in ("agents/tester.md", "agents/writer.md")})
    machine.configure(source("team", team.url) + TARGETS)
    overlay(machine, "tester", "---\ntools: [read]\n---\n")
    machine.run("pull")
    before = (machine.claude / "tester.md").read_text()
    overlay(machine, "nobody", "Answer in German.\n")
    overlay(machine, "tester", "---\ntools: [reed]\n---\n")
    team.write({name: agent(Path(name).stem, "Better.") for name in ("agents/tester.md", "agents/writer.md")})
    team.commit()
    result = machine.run("pull", "--format", "json")
    assert (result.code, set(result.codes)) == (4, {"AS125", "AS502", "AS504", "AS408"})
    assert (machine.claude / "tester.md").read_text() == before
    assert "Better." in (machine.claude / "writer.md").read_text()


@pytest.mark.parametrize("kind", ["pipe", "directory", "dangling"])
def test_an_overlay_that_is_not_a_file_is_reported(machine: Machine, make: Maker, kind: str) -> None:
    team = make({"agents/tester.md": agent("tester")})
    machine.configure(source("team", team.url) + TARGETS)
    path = machine.config.parent / "overlays/tester.md"
    path.parent.mkdir()
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "directory":
            path.mkdir()
        case _:
            path.symlink_to("nowhere")
    result = machine.run("pull", "--format", "json")
    assert (result.code, set(result.codes)) == (4, {"AS504"})


def test_a_repair_of_an_overlay_is_reported(machine: Machine, make: Maker) -> None:
    team = make({"agents/tester.md": agent("tester")})
    machine.configure(source("team", team.url) + TARGETS)
    overlay(machine, "tester", "---\ndescription: it tests: all\n---\n")
    assert "AS113" in machine.run("pull", "--format", "json").codes


def test_overlays_that_are_not_there_as_configured_stop_the_run(machine: Machine, make: Maker) -> None:
    team = make({"agents/tester.md": agent("tester")})
    machine.configure(f'overlays = "{machine.home}/gone"\n' + source("team", team.url) + TARGETS)
    result = machine.run("pull")
    assert result.code == 2
    assert "there is no directory" in result.stderr
    assert not machine.claude.exists()


def test_agents_are_chosen_by_name_and_tag_for_source_and_target(machine: Machine, make: Maker) -> None:
    ours = {".agentsync/agents/tester.md": NEUTRAL}
    team = make(ours | {f"agents/{name}.md": agent(name) for name in ("writer", "old")})
    machine.configure(
        source("team", team.url, 'skip = ["old"]') + '[targets.claude]\n[targets.opencode]\nonly = ["tag:backend"]\n'
    )
    assert machine.run("pull").code == 0
    assert machine.names() == ["tester.md", "writer.md"]
    assert sorted(path.name for path in machine.opencode.iterdir()) == ["tester.md"]


def test_an_agent_that_is_no_longer_chosen_is_removed(machine: Machine, make: Maker) -> None:
    team = make({"agents/tester.md": agent("tester"), "agents/writer.md": agent("writer")})
    machine.configure(source("team", team.url) + TARGETS)
    machine.run("pull")
    machine.configure(source("team", team.url) + '[targets.claude]\nskip = ["writer"]\n[targets.opencode]\n')
    assert machine.run("pull").code == 0
    assert machine.names() == ["tester.md"]
    assert len([*machine.opencode.iterdir()]) == 2


def test_an_agent_keeps_itself_from_a_tool(machine: Machine, make: Maker) -> None:
    team = make({"agents/tester.md": NEUTRAL.replace("tags:", "targets: {opencode: {exclude: true}}\ntags:")})
    machine.configure(source("team", team.url) + TARGETS)
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (0, ["AS503"])
    assert machine.names() == ["tester.md"]
    assert not machine.opencode.exists()


def test_a_prefix_begins_every_name(machine: Machine, make: Maker) -> None:
    team = make({"agents/tester.md": agent("tester"), "agentsync.toml": '[overrides.tester]\nmodel = "opus"\n'})
    machine.configure(source("team", team.url, 'prefix = "web-"') + TARGETS)
    assert machine.run("pull").code == 0
    assert machine.names() == ["web-tester.md"]
    assert "name: web-tester\n" in (machine.claude / "web-tester.md").read_text()
    assert "model: opus" in (machine.claude / "web-tester.md").read_text()


def test_a_project_gets_the_agents_where_its_tool_looks(machine: Machine, make: Maker) -> None:
    team = make({"agents/tester.md": agent("tester")})
    (machine.home / "app").mkdir()
    target = '[targets.app]\ndialect = "opencode"\nproject = "~/app"\ncreate = true\n'
    machine.configure(source("team", team.url) + target)
    assert machine.run("pull").code == 0
    assert (machine.home / "app/.opencode/agents/tester.md").is_file()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[overrides.x]\nmodle = "opus"\n', "`overrides.x`: unknown key `modle`"),
        ("[overrides.x.targets.clod]\n", "`overrides.x`: there is no dialect `clod`"),
        ('[targets.x]\ndialect = "claude"\npath = "/a"\nproject = "/b"\n', "only one of `path` and `project`"),
        ("[targets.neutral]\n", "neutral has no directory of its own"),
        ('[sources.x]\nurl = "https://x.example"\nprefix = "A b"\n', "must be lower-case letters"),
    ],
)
def test_a_mistake_is_reported(machine: Machine, text: str, message: str) -> None:
    machine.configure(text)
    result = machine.run("pull")
    assert result.code == 2
    assert message in result.stderr


def test_check_reads_the_manifest(machine: Machine) -> None:
    clone = machine.root / "clone"
    (clone / "agents").mkdir(parents=True)
    for name in ("tester", "old"):
        (clone / f"agents/{name}.md").write_text(agent(name, tools="Read"))
    manifest = (
        '[agents]\nskip = ["old"]\n[overrides.tester]\ntools = ["read", "bash"]\n[overrides.nobody]\nmodel = "opus"\n'
    )
    (clone / "agentsync.toml").write_text(manifest)
    result = machine.run("check", clone, "--to", "claude", "--format", "json")
    assert result.code == 1
    assert [record["name"] for record in result.json["agents"]] == ["tester"]
    assert set(result.codes) - {"AS100"} == {"AS501", "AS502"}
