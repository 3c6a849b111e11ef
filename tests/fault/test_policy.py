"""Content that must not reach a tool is refused or held before anything is written, and no secret of it is shown."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentsync.core.codes import Code
from support.machine import Machine, Result, agent
from support.plumbing import everything
from support.repository import Repository

TOKEN = "ghp_" + "Zz09" * 10
HOOKS = "{Stop: [{hooks: [{type: command, command: touch owned}]}]}"
SERVER = "{db: {command: db}}"
TOOLS = "Read"


@dataclass(frozen=True)
class Team:
    """A machine that has what its team has: three agents, for Claude Code and OpenCode."""

    machine: Machine
    repository: Repository

    def change(self, files: Mapping[str, str | bytes]) -> None:
        """Commit files to the team's repository."""
        self.repository.write(files)
        self.repository.commit()

    def policy(self, text: str) -> None:
        """Set the policy in the configuration."""
        self.machine.follow(self.repository)
        self.machine.config.write_text(f"{self.machine.config.read_text()}\n[policy]\n{text}\n")

    def texts(self) -> dict[str, str]:
        """The texts of Claude Code's agents, by name."""
        return {path.stem: path.read_text() for path in sorted(self.machine.claude.iterdir())}


@pytest.fixture
def team(machine: Machine, repository: Repository) -> Team:
    repository.write({"agentsync.toml": '[agents.dialects]\n"agents/*" = "claude"\n'})
    repository.commit()
    machine.follow(repository)
    assert machine.run("pull").code == 0
    return Team(machine, repository)


def refused(result: Result) -> set[tuple[str, str, int]]:
    """Code, path and line of each refusal in the log."""
    return {(event["code"], event["path"], event.get("line", 0)) for event in result.reported("agent.refused")}


def holds(team: Team, result: Result, code: Code, line: int, *, path: str = "agents/tester.md") -> None:
    """Assert that the agent has its last good version everywhere, the others went on, and the log has the cause."""
    assert result.code == 4
    assert {(code_id, place) for code_id, place, _ in refused(result)} == {(code.id, path)}
    assert line in {line for _, _, line in refused(result)}
    assert "You help." in team.texts()["tester"]
    assert "Better." in team.texts()["writer"]
    assert "You help." in (team.machine.opencode / "tester.md").read_text()


# Row 33: files that are not text

BETTER = {"agents/writer.md": agent("writer", "Better.", tools=TOOLS)}


def holds_each(team: Team, result: Result, wanted: Mapping[str, tuple[Code, int]]) -> None:
    """Assert the same of several agents, by name: those that are new are not written at all."""
    assert result.code == 4
    assert {(code, path) for code, path, _ in refused(result)} == {
        (code.id, f"agents/{name}.md") for name, (code, _) in wanted.items()
    }
    for name, (code, line) in wanted.items():
        assert (code.id, f"agents/{name}.md", line) in refused(result)
    assert team.machine.names() == ["reviewer.md", "tester.md", "writer.md"]
    assert "You help." in team.texts()["tester"]
    assert "Better." in team.texts()["writer"]
    assert "You help." in (team.machine.opencode / "tester.md").read_text()


def test_33_a_file_that_is_not_text_is_refused(team: Team) -> None:
    cases = {
        "tester": (agent("tester", "You\0help.").encode(), Code.CONTROL_CHARACTER, 5),
        "escape": (agent("escape", "You \x1b[2J help.").encode(), Code.CONTROL_CHARACTER, 5),
        "backspace": (agent("backspace", "You \x08 help.").encode(), Code.CONTROL_CHARACTER, 5),
        "delete": (agent("delete", "You \x7f help.").encode(), Code.CONTROL_CHARACTER, 5),
        "c1": (agent("c1", "You \x9b2J help.").encode(), Code.CONTROL_CHARACTER, 5),
        "escaped": (agent("escaped", color='"\\e[31m"').encode(), Code.CONTROL_CHARACTER, 4),
        "latin1": (agent("latin1", "You h\xe9lp.").encode("latin-1"), Code.NOT_UTF8, 5),
        "binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", Code.NOT_UTF8, 1),
    }
    team.change({**{f"agents/{name}.md": data for name, (data, _, _) in cases.items()}, **BETTER})
    holds_each(team, team.machine.run("pull"), {name: (code, line) for name, (_, code, line) in cases.items()})


def test_33_an_escape_in_toml_is_refused_too(machine: Machine, repository: Repository) -> None:
    for name, text in (("control", "\\u001b[2J"), ("hidden", "\\u202e"), ("page", "\\f")):
        data = f'name = "{name}"\ndescription = "d"\ndeveloper_instructions = "x{text}"\n'
        repository.write({f".codex/agents/{name}.toml": data})
    repository.commit()
    machine.follow(repository)
    result = machine.run("pull")
    assert {(code, path) for code, path, _ in refused(result)} == {
        ("AS124", ".codex/agents/control.toml"),
        ("AS505", ".codex/agents/hidden.toml"),
    }
    assert machine.names() == ["page.md", "reviewer.md", "tester.md", "writer.md"]


# Row 48: hidden characters and secrets


def test_48_hidden_characters_are_refused_with_their_place(team: Team) -> None:
    characters = ("\u200b", "\u202e", "\u2066", "\U000e0041", "\u00ad", "\ufe0f" * 3)
    names = dict(zip(("tester", "b", "c", "d", "e", "f"), characters, strict=True))
    files = {f"agents/{name}.md": agent(name, f"Fine.\nNot{hidden} fine.") for name, hidden in names.items()}
    team.change({**files, **BETTER})
    result = team.machine.run("pull")
    holds_each(team, result, dict.fromkeys(names, (Code.HIDDEN_REFUSED, 6)))
    assert [hidden for hidden in characters if hidden in result.stdout + result.stderr] == []


def test_48_what_emoji_and_scripts_need_is_taken_and_a_byte_order_mark(team: Team) -> None:
    texts = ("\u2699\ufe0f", "\U0001f469\u200d\U0001f4bb", "\u0645\u06cc\u200c\u062e", "\u05d0\u200f")
    files = {f"more{number}": agent(f"more{number}", text) for number, text in enumerate(texts)}
    team.change({f"agents/{name}.md": text for name, text in files.items()})
    team.change({"agents/tester.md": b"\xef\xbb\xbf" + agent("tester", "New.", tools=TOOLS).encode()})
    assert team.machine.run("pull").code == 0
    for number, text in enumerate(texts):
        assert text in team.texts()[f"more{number}"]
    assert "New." in team.texts()["tester"]


@pytest.mark.parametrize("where", ["prompt", "name", "model", "tools", "description", "unknown"])
def test_48_a_secret_is_refused_and_never_shown(team: Team, where: str) -> None:
    keys = {"model": "model", "tools": "tools", "unknown": "odd"}
    head = {keys[where]: TOKEN} if where in keys else {}
    text = agent(TOKEN if where == "name" else "tester", TOKEN if where == "prompt" else "You help.", **head)
    text = text.replace("Helps with", f"Helps {TOKEN} with") if where == "description" else text
    team.change({"agents/tester.md": text, **BETTER})
    for command in ("pull -vv", "plan --format json"):
        result = team.machine.run(*command.split())
        assert result.code == 4
        assert TOKEN not in result.stdout + result.stderr
    line = {"name": 2, "description": 3, "prompt": 5}.get(where, 4)
    holds(team, team.machine.run("pull"), Code.SECRET_REFUSED, line)
    for command in ("status -v --format json", "list agents --format json"):
        result = team.machine.run(*command.split())
        assert TOKEN not in result.stdout + result.stderr
    for place in (team.machine.state, team.machine.cache / "outcomes.sqlite3", team.machine.claude):
        files = place.rglob("*") if place.is_dir() else [place]
        assert not any(TOKEN.encode() in path.read_bytes() for path in files if path.is_file()), place


def test_48_a_check_reports_a_secret_by_its_place_alone(team: Team, tmp_path: Path) -> None:
    checked = tmp_path / "checked"
    checked.mkdir()
    (checked / "x.md").write_text(agent("x", f"Use {TOKEN}.", model=TOKEN))
    for form in ("text", "json"):
        result = team.machine.run("check", checked, "--to", "opencode", "--format", form)
        assert result.code == 1
        assert "AS506" in result.stdout
        assert TOKEN not in result.stdout + result.stderr


# Row 48: hooks, servers, modes and tools


@pytest.mark.parametrize(
    ("key", "value", "code", "allowed"),
    [
        ("hooks", HOOKS, Code.HOOKS_REFUSED, 'hooks = "allow"'),
        ("mcpServers", SERVER, Code.SERVERS_REFUSED, 'mcp_servers = "allow"'),
        ("permissionMode", "bypassPermissions", Code.MODE_REFUSED, 'modes = ["bypass*"]'),
    ],
)
def test_48_what_the_policy_does_not_allow_is_refused_where_it_would_count(
    team: Team, key: str, value: str, code: Code, allowed: str
) -> None:
    is_written_elsewhere = key != "permissionMode"  # OpenCode has no place for the others
    team.policy('escalation = "report"')
    team.change({"agents/tester.md": agent("tester", "You help.\nNew.", **{key: value}), **BETTER})
    result = team.machine.run("pull")
    assert result.code == 4
    assert refused(result) == {(code.id, "agents/tester.md", 4)}
    refusing = {"claude"} if is_written_elsewhere else {"claude", "opencode"}
    assert {event["target"] for event in result.reported("agent.refused")} == refusing
    assert key not in team.texts()["tester"]
    assert "Better." in team.texts()["writer"]
    assert ("New." in (team.machine.opencode / "tester.md").read_text()) is is_written_elsewhere
    assert team.machine.run("status", "--format", "json").code == 0
    assert team.machine.run("status", "--exit-code").code == 1
    team.policy(f'escalation = "report"\n{allowed}')
    assert team.machine.run("pull").code == 0
    assert key in team.texts()["tester"]
    assert "New." in (team.machine.opencode / "tester.md").read_text()


def test_48_a_policy_that_becomes_stricter_deletes_nothing_and_refuses_new_agents(team: Team) -> None:
    before = everything(team.machine.claude)
    team.policy('tools = ["grep"]')
    result = team.machine.run("pull")
    assert result.code == 4
    assert {code for code, _, _ in refused(result)} == {"AS510"}
    assert everything(team.machine.claude) == before
    team.change({"agents/new.md": agent("new", tools="Read, Bash"), "agents/fine.md": agent("fine", tools="Grep")})
    result = team.machine.run("pull")
    assert ("AS510", "agents/new.md", 0) in refused(result)
    assert "fine.md" in team.machine.names()
    assert "new.md" not in team.machine.names()


def test_48_more_agents_than_a_source_may_have_change_nothing(team: Team) -> None:
    team.policy("max_agents = 3")
    assert team.machine.run("pull").code == 0
    before = team.texts()
    team.change({"agents/fourth.md": agent("fourth"), **BETTER})
    result = team.machine.run("pull")
    assert result.code == 4
    assert [event["code"] for event in result.reported("source.held")] == ["AS516"]
    assert team.texts() == before


# Row 48: escalation


def test_48_escalation_is_reported_with_each_new_ability(team: Team) -> None:
    team.change({"agents/tester.md": agent("tester", tools="Read, Bash")})
    result = team.machine.run("pull")
    assert result.code == 0
    (reported, _) = [event for event in result.reported("agent.diagnostic") if event["code"] == "AS514"]
    assert reported["message"] == "is given more than it had here: `bash`"
    assert "Bash" in team.texts()["tester"]


def test_48_escalation_is_held_until_it_is_confirmed(team: Team) -> None:
    team.policy('escalation = "hold"')
    assert team.machine.run("pull").code == 0
    team.change({"agents/tester.md": agent("tester", tools="Read, Bash"), **BETTER})
    for _ in range(2):
        result = team.machine.run("pull")
        assert result.code == 4
        held = result.reported("agent.held")
        assert {(event["code"], event["target"]) for event in held} == {("AS515", "claude"), ("AS515", "opencode")}
        assert all("`bash`" in event["message"] for event in held)
        assert "Bash" not in team.texts()["tester"]
        assert "Better." in team.texts()["writer"]
    status = team.machine.run("status", "--format", "json").json
    assert [change["action"] for change in status["held"]] == ["update", "update"]
    assert [target["held"] for target in status["targets"]] == [1, 1]
    assert "1 held" in team.machine.run("status").stdout
    assert team.machine.run("status", "--exit-code").code == 1
    assert team.machine.run("plan", "--allow-escalation", "--exit-code").code == 1
    assert "Bash" not in team.texts()["tester"]
    assert team.machine.run("pull", "--allow-escalation").code == 0
    assert "Bash" in team.texts()["tester"]
    assert team.machine.run("pull").code == 0


def test_48_escalation_by_an_override_that_the_repository_dropped_is_held_too(
    machine: Machine, repository: Repository
) -> None:
    repository.write({"agentsync.toml": "[overrides.tester]\ntools = []\n"})
    repository.commit()
    team = Team(machine, repository)
    team.policy('escalation = "hold"')
    assert machine.run("pull").code == 0
    team.change({"agentsync.toml": ""})
    assert machine.run("pull").reported("agent.held")
    assert "Read" not in team.texts()["tester"]


def test_48_escalation_of_a_renamed_agent_is_held_by_default_with_the_deletion_of_its_former_file(team: Team) -> None:
    team.policy('hooks = "allow"')
    team.change({"agents/tester.md": agent("checker", tools=TOOLS, hooks=HOOKS), **BETTER})
    before = team.texts()["tester"]
    held = team.machine.run("pull").reported("agent.held")
    assert {(event["agent"], event["action"], event["code"]) for event in held} == {
        ("checker", "create", "AS515"),
        ("tester", "delete", "AS515"),
    }
    assert {event["message"] for event in held} == {"held, since it would be given more than `tester` had here: hooks"}
    assert (team.texts()["tester"], "checker" in team.texts()) == (before, False)
    status = team.machine.run("status", "--format", "json").json
    assert sorted(change["action"] for change in status["held"]) == ["create", "delete"]
    assert (team.machine.opencode / "checker.md").exists()  # where hooks mean nothing
    assert team.machine.run("pull", "--allow-escalation").code == 0
    assert ("tester" in team.texts(), "hooks" in team.texts()["checker"]) == (False, True)


def test_48_where_the_last_version_is_kept_nowhere_there_is_nothing_to_compare_and_it_is_held(team: Team) -> None:
    team.policy('escalation = "hold"')
    (team.machine.claude / "tester.md").unlink()
    for path in team.machine.state.glob("kept*"):
        path.unlink()
    team.change({"agents/tester.md": agent("tester", "New.", tools="Read")})
    result = team.machine.run("pull")
    assert [event["target"] for event in result.reported("agent.held")] == ["claude"]
    shutil.rmtree(team.machine.claude)
    assert [event["target"] for event in team.machine.run("pull").reported("agent.held")] == ["claude"]
    assert team.machine.run("pull", "--allow-escalation").code == 0
    assert "New." in team.texts()["tester"]


def test_48_adopting_the_sources_version_confirms_it(team: Team) -> None:
    team.policy('escalation = "hold"')
    (team.machine.claude / "tester.md").write_text("Mine.\n")
    team.change({"agents/tester.md": agent("tester", tools="Read, Bash")})
    result = team.machine.run("adopt", team.machine.claude / "tester.md")
    assert (result.code, "elsewhere: 1 held" in result.stdout) == (0, True)  # OpenCode's
    assert "Bash" in team.texts()["tester"]


def test_48_an_edit_that_does_not_stay_cannot_bypass_it(team: Team) -> None:
    team.policy('escalation = "hold"')
    text = team.machine.config.read_text()
    team.machine.config.write_text(text.replace("[targets.claude]", '[targets.claude]\non_drift = "restore"'))
    (team.machine.claude / "tester.md").write_text("Mine.\n")
    team.change({"agents/tester.md": agent("tester", tools="Read, Bash")})
    assert len(team.machine.run("pull").reported("agent.held")) == 2
    assert team.texts()["tester"] == "Mine.\n"


# Row 48: a machine's own policy


@pytest.fixture
def with_machine_policy(tmp_path: Path) -> list[str]:
    """A command prefix: it runs another one where /etc holds a policy that allows no server and holds escalation."""
    policy = tmp_path / "policy.toml"
    policy.write_text('servers = []\ninherit = "allow"\nescalation = "hold"\n')
    script = 'mount -t tmpfs none /etc && mkdir /etc/agentsync && cp "$0" /etc/agentsync/policy.toml && exec "$@"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script, str(policy)]
    if not shutil.which("unshare") or subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody mount in a namespace")
    return command


def test_48_a_configuration_cannot_loosen_the_machines_policy(team: Team, with_machine_policy: list[str]) -> None:
    team.policy('servers = ["*"]\nescalation = "report"\n[policy.agents."*/*"]\nservers = ["*"]\nescalation = "report"')
    assert team.machine.run("pull").code == 0
    team.change(
        {
            "agents/new.md": agent("new", tools="Read, mcp__github__*"),
            "agents/tester.md": agent("tester", tools="Read, Bash"),
        }
    )
    upper_bound = team.machine.run("pull", before=with_machine_policy)
    assert upper_bound.code == 4
    assert {code for code, path, _ in refused(upper_bound) if path == "agents/new.md"} == {"AS510"}
    assert len(upper_bound.reported("agent.held")) == 2
    assert "new.md" not in team.machine.names()
    assert team.machine.run("pull").code == 0
    assert "up to date" in team.machine.run("pull").stdout
    assert (
        team.machine.run("pull", before=with_machine_policy).code == 4
    )  # since it would otherwise find nothing changed
    own = team.machine.root / "own"
    given = team.machine.run(
        "pull", "--source", team.repository.url, "--to", f"claude={own}", before=with_machine_policy
    )
    assert given.code == 4
    assert not (own / "new.md").exists()
    assert (own / "tester.md").exists()
