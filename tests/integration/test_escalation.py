"""An agent that would be given more than the version of it that was applied last, whatever happened in between."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from agentsync.config import Config
from agentsync.core.codes import Code
from agentsync.core.log import unlogged
from agentsync.formats.validated_toml import load
from agentsync.state.records import Action
from agentsync.state.store import State
from agentsync.sync.cycle import run
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest
from agentsync.sync.rollback import roll_back
from agentsync.targets.consent import Consent
from support.installation import Installation
from support.machine import agent

PROMPT = "You run the tests of a change, and say which of them fail.\nYou never change a test so that it passes."
HOOKS = "{Stop: [{hooks: [{type: command, command: ./report}]}]}"
ALLOWED = 'hooks = "allow"\nmcp_servers = "allow"\nprograms = "allow"\naddresses = "allow"\nmodes = ["*"]\n'


@dataclass
class Team:
    """A machine that has a team's agents, among them a tester that may only read."""

    installation: Installation
    settings: str = ""
    policy: str = ALLOWED

    @property
    def config(self) -> Config:
        text = self.installation.text.replace("allow_local = true\n", f"allow_local = true\n{self.settings}")
        return load(f"{text}\n[policy]\n{self.policy}", Config, "config.toml")

    def pull(self, **files: str | None) -> Report:
        """Commit agents by their file's name, None being deleted, and pull."""
        for name, text in files.items():
            path = f"agents/{name}.md"
            self.installation.source.remove(path) if text is None else self.installation.source.write({path: text})
        if files:
            self.installation.source.commit()
        return self.run(SyncRequest(Scope.APPLY))

    def run(self, request: SyncRequest) -> Report:
        return run(Environment(self.config, self.installation.app_paths), request)

    def roll_back(self, to: str | None = None) -> None:
        unlogged(roll_back(self.config, self.installation.app_paths, to, dry_run=False))
        with State.open(self.installation.app_paths.database) as state:
            state.resume()

    def text(self, name: str) -> str:
        path = self.installation.first / f"{name}.md"
        return path.read_text() if path.exists() else ""


def written(name: str = "tester", prompt: str = PROMPT, **keys: str) -> str:
    return agent(name, prompt, **{"tools": "Read", **keys})


@pytest.fixture
def team(installation: Installation) -> Team:
    team = Team(installation)
    assert not found(team.pull(tester=written()))
    return team


def found(report: Report, code: Code | None = None) -> dict[tuple[str, str], str]:
    """The message about each escalation, by agent and target."""
    codes = (code,) if code else (Code.GROWN, Code.HELD_ESCALATION, Code.LAST_UNKNOWN)
    return {(one.agent, one.target): one.message for one in report.diagnostics if one.code in codes}


Wider = Callable[..., str]


def re_added(team: Team, wider: Wider) -> Report:
    team.pull(tester=None)
    assert not team.text("tester")
    return team.pull(tester=wider())


def unskipped(team: Team, wider: Wider) -> Report:
    team.settings = 'skip = ["tester"]\n'
    assert not team.pull(tester=wider()).plan.held
    assert not team.text("tester")
    team.settings = ""
    return team.pull()


def renamed_in_its_file(team: Team, wider: Wider) -> Report:
    return team.pull(tester=wider("checker", prompt="Something else."))


def moved(team: Team, wider: Wider) -> Report:
    return team.pull(tester=None, checker=wider("checker"))


def moved_in_two_commits(team: Team, wider: Wider) -> Report:
    team.pull(tester=None)
    return team.pull(checker=wider("checker", prompt=f"{PROMPT}\nNew."))


def edited_and_deleted_here(team: Team, wider: Wider) -> Report:
    path = team.installation.first / "tester.md"
    path.write_text("Mine.\n")
    assert not team.pull(tester=wider()).plan.held
    assert path.read_text() == "Mine.\n"
    path.unlink()
    return team.pull()


def deleted_here_and_in_the_source(team: Team, wider: Wider) -> Report:
    (team.installation.first / "tester.md").unlink()
    team.pull(tester=None)
    return team.pull(tester=wider())


def with_a_moved_home(team: Team, wider: Wider) -> Report:
    team.pull(tester=None)
    home = team.installation.root / "other"
    team.installation.first.rename(home)
    team.installation.text = team.installation.text.replace(
        "[targets.claude]\n", f'[targets.claude]\npath = "{home}"\n'
    )
    team.installation.first = home
    return team.pull(tester=wider())


def rolled_back(team: Team, wider: Wider) -> Report:
    team.run(SyncRequest(Scope.PLAN))
    team.roll_back()  # to before the first sync
    assert not team.text("tester")
    return team.pull(tester=wider())


def without_the_caches(team: Team, wider: Wider) -> Report:
    team.pull(tester=None)
    shutil.rmtree(team.installation.app_paths.cache)
    return team.pull(tester=wider())


WAYS = [
    re_added,
    unskipped,
    renamed_in_its_file,
    moved,
    moved_in_two_commits,
    edited_and_deleted_here,
    deleted_here_and_in_the_source,
    with_a_moved_home,
    rolled_back,
    without_the_caches,
]


@pytest.mark.parametrize("way", WAYS)
def test_hooks_that_the_last_version_did_not_have_are_held_until_they_are_confirmed(
    team: Team, way: Callable[[Team, Wider], Report]
) -> None:
    before = {path.name: path.read_text() for path in team.installation.first.iterdir()}

    def wider(name: str = "tester", prompt: str = PROMPT) -> str:
        return written(name, prompt, hooks=HOOKS)

    report = way(team, wider)
    name = "checker" if "checker" in {change.agent for change in report.plan.held} else "tester"
    than = "it" if name == "tester" else "`tester`"
    held = found(report, Code.HELD_ESCALATION)
    assert held == {(name, "claude"): f"held, since it would be given more than {than} had here: hooks"}
    assert {path.name: path.read_text() for path in team.installation.first.iterdir()}.items() <= before.items()
    if way in (renamed_in_its_file, moved):
        assert team.text("tester") == before["tester.md"]
        assert {change.action for change in report.plan.held} == {Action.CREATE, Action.DELETE}
    assert found(team.pull(), Code.HELD_ESCALATION) == held
    team.run(SyncRequest(Scope.APPLY, Consent(escalation=True)))
    assert "hooks" in team.text(name)
    assert (team.text("checker") == "") is (name == "tester")
    report = team.pull()
    assert (found(report), report.plan.held, report.changes) == ({}, (), ())


@pytest.mark.parametrize("way", [re_added, moved, edited_and_deleted_here])
def test_tools_that_the_last_version_did_not_have_are_reported(
    team: Team, way: Callable[[Team, Wider], Report]
) -> None:
    def wider(name: str = "tester", prompt: str = PROMPT) -> str:
        return written(name, prompt, tools="Read, Bash")

    report = way(team, wider)
    than = "`tester`" if way is moved else "it"
    message = found(report, Code.GROWN)["checker" if way is moved else "tester", "claude"]
    assert message == f"is given more than {than} had here: `bash`"
    assert report.plan.held == ()
    assert "Bash" in team.text("tester") + team.text("checker")


def opencode(bash: str, mode: str = "subagent") -> str:
    return f"---\ndescription: Tests.\nmode: {mode}\npermission:\n  bash: {bash}\n---\n{PROMPT}\n"


HELD = {
    "hook": (written("hook"), written("hook", hooks=HOOKS)),
    "other-hook": (written("other-hook", hooks=HOOKS), written("other-hook", hooks=HOOKS.replace("report", "other"))),
    "server": (written("server"), written("server", mcpServers="{db: {command: db}}")),
    "command": tuple(written("command", mcpServers=f"{{db: {{command: {name}}}}}") for name in ("db", "other")),
    "mode": (written("mode"), written("mode", permissionMode="acceptEdits")),
}
REPORTED = {
    "tool": (written("tool"), written("tool", tools="Read, Bash")),
    "every-tool": (written("every-tool"), agent("every-tool", PROMPT)),
    "model": (written("model", model="haiku"), written("model", model="opus")),
    "deploys": (written("deploys"), written("deploys", skills="[deploy]")),
    "first-prompt": (written("first-prompt"), written("first-prompt", initialPrompt="Deploy.")),
    "memory": (written("memory"), written("memory", memory="user")),
    "isolated": (written("isolated", isolation="worktree"), written("isolated")),
}
NEITHER = {
    "text": (written("text"), written("text", prompt="Another text.")),
    "fewer": (written("fewer", hooks=HOOKS, tools="Read, Bash"), written("fewer", hooks=HOOKS)),
    "first": (None, written("first", "Unlike any other.", hooks=HOOKS)),
    "copy": (None, written("copy", hooks=HOOKS)),
}


def test_by_default_what_acts_unattended_is_held_and_the_rest_reported(team: Team) -> None:
    cases = {**HELD, **REPORTED, **NEITHER}
    own = team.installation.source

    def commit(index: int) -> Report:
        own.write({".opencode/agent/asked.md": opencode("ask" if index == 0 else "allow")})
        own.write({".opencode/agent/denied.md": opencode("deny" if index == 0 else "ask")})
        own.write({".opencode/agent/main.md": opencode("deny", "subagent" if index == 0 else "primary")})
        return team.pull(**{name: text for name, versions in cases.items() if (text := versions[index])})

    first = commit(0)
    assert (found(first), first.plan.held, team.pull().plan.held) == ({}, (), ())
    report = commit(1)
    of_claude = {code: {name for name, target in found(report, code) if target == "claude"} for code in Code}
    of_opencode = {code: {name for name, target in found(report, code) if target == "opencode"} for code in Code}
    assert of_claude[Code.HELD_ESCALATION] == HELD.keys()
    assert of_claude[Code.GROWN] >= REPORTED.keys()
    assert not of_claude[Code.GROWN] & NEITHER.keys()
    message = "held, since it would be given more than it had here: `bash` without asking"
    assert found(report, Code.HELD_ESCALATION)["asked", "opencode"] == message
    assert of_opencode[Code.GROWN] >= {"denied", "main", "tool"}
    assert not of_opencode[Code.GROWN] & NEITHER.keys()
    team.policy = f'{ALLOWED}escalation = "report"\n'
    assert team.pull().plan.held == ()


def test_what_a_rollback_brings_back_is_what_the_next_version_is_compared_with(team: Team) -> None:
    with State.open(team.installation.app_paths.database) as state:
        (narrow,) = state.syncs(9)
    team.pull(tester=written(hooks=HOOKS))
    wide = team.run(SyncRequest(Scope.APPLY, Consent(escalation=True)))
    team.roll_back(narrow.id)
    assert "hooks" not in team.text("tester")
    assert found(team.pull(), Code.HELD_ESCALATION)
    team.roll_back(wide.sync_id)  # which the user asks for, so nothing of it is held
    assert "hooks" in team.text("tester")
    assert found(team.pull()) == {}


def test_a_version_that_is_kept_nowhere_is_compared_with_nothing(team: Team) -> None:
    def lose() -> None:
        for path in team.installation.app_paths.backups.parent.glob("kept*"):
            path.unlink()
        (team.installation.first / "tester.md").unlink()

    lose()
    report = team.pull(tester=written(prompt="New.", tools="Read, Bash"))
    message = "it may be given more: its last version is no longer kept here"
    assert found(report)["tester", "claude"] == message
    lose()
    report = team.pull(tester=written(hooks=HOOKS))
    message = "held, since it would be given more: its last version is no longer kept here, and it has hooks"
    assert found(report)["tester", "claude"] == message
