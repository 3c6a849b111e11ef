"""`agentsync report`: what each tool gets of each agent, and what the agent can no longer do there."""

from __future__ import annotations

import json
from pathlib import Path

from agentsync.dialects import dialects
from support.machine import Machine, agent
from support.repository import Repository

_LOST = 'cannot edit files in Codex, unless the target has `coarse = "accept"` [AS318]'


def _team(directory: Path, *, more: int = 0) -> Path:
    """A directory with an agent that reads, one that edits without a shell, and one that cannot be read."""
    directory.mkdir(parents=True)
    files = {"reader": agent("reader", tools="Read, Grep"), "editor": agent("editor", tools="Read, Edit, Write")}
    files |= {f"editor-{'of-a-long-name-' * 3}{number}": files["editor"] for number in range(more)}
    for name, text in files.items():
        (directory / f"{name}.md").write_text(text.replace("name: editor", f"name: {name}"))
    (directory / "broken.md").write_text("---\nname: broken\ntools: Read\n---\nNo description.\n")
    return directory


def test_the_report_of_a_directory_counts_and_names_what_is_lost(machine: Machine) -> None:
    team = _team(machine.root / "team" / ".claude" / "agents")
    result = machine.run("report", team.parent.parent, "--to", "claude", "--to", "codex")
    assert result.code == 0, result.stderr
    assert result.stdout.splitlines() == [
        "3 agents in 2 targets",
        "",
        "TARGET      FULL  NARROWED   REFUSED",
        "claude         2         0         1",
        "codex          1         1         1",
        "",
        "= full   < can do less   x refused   - not for this target",
        "AGENT                     claude  codex",
        ".claude/agents/broken.md       x      x",
        "editor                         =      <",
        "",
        "What agents can no longer do",
        "  cannot edit files",
        "      codex: 1 agent: editor",
        "",
        "Why agents are refused",
        "  there is no description [AS206]",
        "      all targets: 1 agent: .claude/agents/broken.md",
    ]
    everything = machine.run("report", "-v", team.parent.parent, "--to", "codex")
    assert "reader                        =" in everything.stdout
    assert _LOST in " ".join(everything.stdout.split())


def test_the_report_fits_80_columns_with_every_tool_there_is(machine: Machine) -> None:
    team = _team(machine.root / "team" / ".claude" / "agents", more=20)
    to = [argument for name in dialects() for argument in ("--to", name)]
    result = machine.run("report", team.parent.parent, *to)
    assert result.code == 0, result.stderr
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "1 antigravity" in result.stdout


def test_the_report_in_markdown_and_json_is_of_the_configuration_and_writes_nothing(
    machine: Machine, repository: Repository
) -> None:
    repository.write({"agents/editor.md": agent("editor", tools="Read, Edit, Write"), "agents/a_b.md": agent("a|b")})
    repository.write({"agents/loud.md": agent('"@all` www.evil.example"', tools="Read, Edit, Write")})
    repository.commit("More agents")
    (machine.home / ".codex").mkdir()
    machine.follow(repository)
    machine.config.write_text(machine.config.read_text() + "[targets.codex]\nskip = ['planner']\n")
    result = machine.run("report", "--format", "json")
    assert result.code == 0, result.stderr
    record = result.json
    codex = next(target for target in record["targets"] if target["name"] == "codex")
    assert codex == {"name": "codex", "dialect": "codex", "full": 5, "narrowed": 2, "refused": 0, "excluded": 1}
    editor = next(one for one in record["agents"] if one["agent"] == "editor")
    assert (editor["path"], editor["dialect"]) == ("agents/editor.md", "claude")
    assert editor["targets"]["claude"] == {"result": "full", "cannot": [], "reasons": []}
    narrowed = editor["targets"]["codex"]
    assert (narrowed["result"], narrowed["cannot"]) == ("narrowed", ["edit files"])
    assert [reason["code"] for reason in narrowed["reasons"]] == ["AS318"]
    page = machine.run("report", "-v", "--format", "markdown").stdout
    assert "| editor | full | full | narrowed |" in page
    assert "| `` @all` `` `www.evil.example` | full | full | narrowed |" in page
    assert "| `a\\|b` | full | full | full |" in page
    assert "| planner | full | full | excluded |" in page
    assert not machine.files()
    assert json.loads(machine.run("status", "--format", "json").stdout)["sources"][0]["previous"] == ""


def test_the_report_of_a_source_needs_no_tool_to_be_here(machine: Machine, repository: Repository) -> None:
    result = machine.run("report", "--source", repository.path, "--to", "gemini", "--format", "json")
    assert [target["full"] for target in result.json["targets"]] == [5], result.stderr
    assert machine.run("report", repository.path, "--source", repository.path).code == 2


def test_convert_fails_on_a_loss_that_is_only_a_note(machine: Machine) -> None:
    file = machine.root / "red.md"
    file.write_text(agent("red", color="red"))
    assert machine.run("convert", file, "--to", "codex").code == 0
    lost = machine.run("convert", file, "--to", "codex", "--fail-on-loss")
    assert (lost.code, lost.stderr) == (1, "")
    assert machine.run("convert", file, "--to", "claude", "--fail-on-loss").code == 0
