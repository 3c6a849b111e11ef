"""What `init` proposes and asks, and the commands that edit a configuration or begin a repository."""

from __future__ import annotations

import sys
import tomllib
from typing import Any

import pytest

from support.machine import Machine, agent
from support.repository import Repository
from support.terminal import answered

HOOKS = """---
name: guard
description: Guards
hooks:
  Stop:
    - hooks:
        - {type: command, command: ./x}
---
Guard.
"""


@pytest.fixture
def team(repository: Repository) -> Repository:
    """A repository with an agent that brings hooks, one with a model that OpenCode has no name for, and Codex's."""
    repository.write(
        {
            ".claude/agents/guard.md": HOOKS,
            ".claude/agents/thinker.md": agent("thinker", model="house-model-1"),
            ".codex/agents/coder.toml": 'name = "coder"\ndescription = "Codes"\ndeveloper_instructions = "Code."\n',
        }
    )
    repository.commit("More agents")
    return repository


def document(machine: Machine) -> Any:
    return tomllib.loads(machine.config.read_text())


def test_without_a_terminal_what_is_left_to_decide_is_listed_and_nothing_is_allowed(
    machine: Machine, team: Repository
) -> None:
    result = machine.run("init", str(team.path))
    assert "needs a policy entry: guard has hooks (commands that its tool runs at its events)" in result.stdout
    assert "note: the repository has agents of Codex, which gets none here; --to codex adds it" in result.stdout
    text = machine.config.read_text()
    assert '#[models.opencode]\n#house-model-1 = ""\n' in text
    assert "policy" not in text
    assert tomllib.loads(text.replace("#[", "[").replace("#house", "house"))["models"]
    machine.config.unlink()
    assert machine.run("init", str(team.path), "--format", "json").json["proposals"] == {
        "targets": ["codex"],
        "models": {"opencode": ["house-model-1"]},
        "policy": {"guard": ["hooks"]},
    }
    machine.config.unlink()
    some = machine.run("init", str(team.path), "--only", "tester", "--only", "guard", "--to", "claude")
    assert document(machine)["sources"]["team"]["only"] == ["tester", "guard"]
    assert "would be 1 created" in some.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
@pytest.mark.parametrize("allows", ["y", "n"])
def test_at_a_terminal_tools_agents_models_and_policy_entries_are_chosen(
    machine: Machine, team: Repository, allows: str
) -> None:
    answers = [
        ("Tools [claude, opencode]", "claude, nothing"),
        ("Tools [claude, opencode]", "claude opencode codex"),
        ("Agents, by name, pattern or tag:NAME [all]", "guard, thinker"),
        ("Codex's name of the model house-model-1", ""),
        ("OpenCode's name of the model house-model-1", "house/one"),
        ("guard brings commands that its tool runs at its events. Allow that for this agent? [y/N]", allows),
    ]
    code, output, shown = answered(machine, ["init", str(team.path)], answers)
    assert code == (0 if allows == "y" else 4), output + shown
    assert '#[models.codex]\n#house-model-1 = ""\n' in machine.config.read_text()
    found = document(machine)
    assert [*found["targets"]] == ["claude", "opencode", "codex"]
    assert found["sources"]["team"]["only"] == ["guard", "thinker"]
    assert found["models"]["opencode"] == {"house-model-1": "house/one"}
    assert found.get("policy", {}).get("agents", {}) == ({"team/guard": {"hooks": "allow"}} if allows == "y" else {})


CONFIG = """# Ours.
version = 1

# The team.
[sources.team] # all of it
url = "{url}"
allow_local = true

# Tools.
[targets.claude] # mine
only = [
    "tester", # the best
]
"""


def test_sources_and_targets_are_added_and_removed_and_comments_stay(machine: Machine, repository: Repository) -> None:
    before = CONFIG.format(url=repository.path)
    machine.config.parent.mkdir(parents=True)
    machine.config.write_text(before)
    machine.config.chmod(0o600)
    assert machine.run("target", "add", "codex", "--only", "reviewer").code == 0
    assert machine.run("target", "add", "claude", "--name", "app", "--project", machine.root / "app").code == 0
    added = machine.run("source", "add", str(repository.path), "--name", "web", "--branch", "main", "--only", "w*")
    assert (added.code, added.stdout) == (0, "added source web; `agentsync plan` shows what it changes\n")
    assert machine.config.read_text().startswith(before)
    found = document(machine)
    assert found["targets"]["codex"] == {"create": True, "only": ["reviewer"]}
    assert found["targets"]["app"] == {"dialect": "claude", "project": str(machine.root / "app")}
    assert found["sources"]["web"] == {
        "url": str(repository.path),
        "branch": "main",
        "only": ["w*"],
        "allow_local": True,
    }
    for command in (["source", "remove", "team"], ["target", "remove", "codex"], ["target", "remove", "app"]):
        assert machine.run(*command).code == 0
    text = machine.config.read_text()
    assert [comment for comment in ("# Ours.", "# Tools.", "# mine", "# the best") if comment not in text] == []
    assert [*document(machine)["sources"]] == ["web"]
    assert [*document(machine)["targets"]] == ["claude"]
    assert machine.config.stat().st_mode & 0o777 == 0o600
    assert machine.run("plan").code == 0


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["source", "add", "https://x.example/team.git"], "there is a source `team` already"),
        (["source", "add", "acme/agents"], "did you mean https://HOST/acme/agents?"),
        (["source", "add", "https://x.example/a.git", "--name", "a b"], "must be letters, digits, dots"),
        (["source", "remove", "tema"], "there is no source `tema`"),
        (["target", "add", "cluade"], "no dialect `cluade`"),
        (["target", "add", "claude"], "there is a target `claude` already"),
        (["target", "add", "claude", "--name", "two"], "are the same directory"),
        (["target", "remove", "codex"], "there is no target `codex`"),
        (["target", "remove", "claude", "--only", "x"], "the options are for `add`"),
    ],
)
def test_an_edit_with_a_mistake_changes_nothing(
    machine: Machine, repository: Repository, command: list[str], words: str
) -> None:
    machine.config.parent.mkdir(parents=True)
    before = CONFIG.format(url=repository.path)
    machine.config.write_text(before)
    result = machine.run(*command)
    assert result.code == 2
    assert words in result.stderr
    assert machine.config.read_text() == before
    assert [path.name for path in machine.config.parent.iterdir()] == ["config.toml"]


def test_a_new_repository_passes_the_strict_check_and_is_never_written_over(machine: Machine) -> None:
    assert machine.run("new", machine.root / "fresh", "--format", "json").json["files"][1] == "README.md"
    (machine.root / "agents").mkdir()
    (machine.root / "agents/README.md").write_text("ours")
    made = machine.run("new", machine.root / "agents")
    assert made.code == 0, made.stderr
    checked = machine.run("check", machine.root / "agents", "--strict", "--to", "claude", "--format", "json")
    assert checked.code == 0
    assert [one["name"] for one in checked.json["agents"]] == ["explainer", "reviewer"]
    again = machine.run("new", machine.root / "agents")
    assert again.code == 2
    assert "is there already, and nothing was written" in again.stderr
    assert (machine.root / "agents/README.md").read_text() == "ours"
