"""One cycle over real repositories: what each scope may touch, and the result of any sequence of events."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsync.config import Config
from agentsync.config.tables import LimitsTable, SourceTable, TargetTable
from agentsync.convert.policy import PolicyTable
from agentsync.core.codes import Code, Severity
from agentsync.core.errors import ConfigError, ExitCode, LockedError, StateError
from agentsync.core.log import unlogged
from agentsync.core.paths import AppPaths
from agentsync.state.records import Action, SourceState, Suspension
from agentsync.state.store import State
from agentsync.sync import time_budget
from agentsync.sync.cycle import cycle, run
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest
from agentsync.sync.rollback import roll_back
from agentsync.targets.consent import Consent
from support.machine import agent
from support.repository import Repository
from support.thorough import SAME_EXAMPLES

NAMES = ("tester", "writer", "reader")


class Installation:
    """A source, a directory for Claude Code's agents, and the state between the two."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / "agents"
        self.app_paths = AppPaths(root / "state", root / "cache")
        self.source = Repository(root / "served" / "team.git")
        self.source.write({"agents/anchor.md": agent("anchor")})
        self.source.commit()

    def config(self, **tables: SourceTable) -> Config:
        source = SourceTable(url=str(self.source.path), branch="main", allow_local=True)
        return Config(
            version=1,
            sources=tables or {"team": source},
            targets={"claude": TargetTable(path=self.directory, create=True)},
            limits=LimitsTable(min_deletions=100),
        )

    def run(self, scope: Scope = Scope.APPLY) -> Report:
        return run(Environment(self.config(), self.app_paths), SyncRequest(scope))

    def suspend(self) -> None:
        with State.open(self.app_paths.database) as state:
            state.suspend(Suspension(time.time(), "for a while"))

    def known(self) -> SourceState:
        """The state's record of the source."""
        table = self.config().sources["team"]
        with State.open(self.app_paths.database) as state:
            known = state.source("team", table.url, table.ref)
        assert known
        return known

    def files(self) -> dict[str, str]:
        return {path.stem: path.read_text() for path in self.directory.iterdir()}


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "installation")


@pytest.mark.parametrize("scope", [Scope.PLAN, Scope.LOOK])
def test_looking_and_planning_write_no_target_and_trust_no_commit(installation: Installation, scope: Scope) -> None:
    report = installation.run(scope)
    assert not installation.directory.exists()
    assert report.outcomes == ()
    assert bool(report.changes) is (scope is Scope.PLAN)
    with State.open(installation.app_paths.database) as state:
        assert state.source("team", report.sources[0].url, report.sources[0].ref) is None
        assert state.syncs(1) == []


def test_looking_compares_with_the_commit_that_was_applied(installation: Installation) -> None:
    applied = installation.run()
    installation.source.write({"agents/anchor.md": agent("anchor", "Better.")})
    installation.source.commit()
    assert installation.run(Scope.LOOK).changes == ()
    assert [change.action for change in installation.run(Scope.PLAN).changes] == [Action.UPDATE]
    assert installation.run(Scope.LOOK).sources[0].commit == applied.sources[0].commit


def test_a_run_that_finds_the_lock_held_stops_and_looking_does_not(installation: Installation) -> None:
    installation.run()
    with FileLock(installation.app_paths.lock):
        for scope in (Scope.APPLY, Scope.PLAN):
            with pytest.raises(LockedError, match="another run is in progress"):
                installation.run(scope)
        assert installation.run(Scope.LOOK).exit_code is ExitCode.OK
    assert installation.run().exit_code is ExitCode.OK


def test_while_suspended_fetches_and_failures_are_known_and_the_applied_commit_stays(
    installation: Installation,
) -> None:
    installation.run()
    first, files = installation.known(), installation.files()
    installation.suspend()
    installation.source.write({"agents/anchor.md": agent("anchor", "Better.")})
    installation.source.commit()
    assert installation.run().scope is Scope.PLAN
    fetched = installation.known()
    assert (first.fetched_at or 0) < (fetched.fetched_at or 0)
    assert fetched == replace(first, fetched_at=fetched.fetched_at)

    away = installation.source.path.rename(installation.source.path.with_name("away.git"))
    environment = Environment(installation.config(), installation.app_paths)
    assert [*cycle(environment, SyncRequest(Scope.APPLY))] == []
    assert "no repository" in installation.known().error
    assert installation.known().fetched_at == fetched.fetched_at
    away.rename(installation.source.path)

    installation.source.reset(first.commit)
    installation.source.rewrite()
    rewritten = installation.source.head
    installation.run()
    refused = installation.known()
    assert (refused.rejected_commit, refused.error) == (rewritten, "")
    assert "rewritten" in refused.rejected_reason
    assert (refused.commit, refused.applied_at, installation.files()) == (first.commit, first.applied_at, files)


@pytest.mark.parametrize("prompt", ["", "Better."])
def test_a_suspension_counts_for_a_run_that_has_not_begun_to_write(installation: Installation, prompt: str) -> None:
    installation.run()
    files, applied = installation.files(), installation.known().applied_at
    if prompt:
        installation.source.write({"agents/anchor.md": agent("anchor", prompt)})
        installation.source.commit()

    def suspend(step: str, _done: int, _total: int) -> None:
        if step == "reading":  # all is fetched
            installation.suspend()

    environment = Environment(installation.config(), installation.app_paths, "the same", progress=suspend)
    report = run(environment, SyncRequest(Scope.APPLY))
    assert (report.scope, report.outcomes, bool(report.changes)) == (Scope.PLAN, (), bool(prompt))
    assert report.suspension
    assert (installation.files(), installation.known().applied_at) == (files, applied)
    with State.open(installation.app_paths.database) as state:
        assert len(state.syncs(-1)) == 1


def test_a_source_that_failed_is_reported_before_the_next_one_is_fetched(installation: Installation) -> None:
    sources = installation.config().sources
    config = installation.config(gone=SourceTable(url=str(installation.root / "gone.git"), allow_local=True), **sources)
    steps: list[str] = []
    environment = Environment(config, installation.app_paths, progress=lambda step, *_: steps.append(step))
    with closing(cycle(environment, SyncRequest(Scope.APPLY))) as events:
        event = next(events)
        assert (event.name, event.facts["source"], steps[-1]) == ("source.failed", "gone", "fetching gone")
    assert installation.run().exit_code is ExitCode.OK  # the lock is free


def test_a_rollback_suspends_before_it_waits_and_a_dry_run_does_not(installation: Installation) -> None:
    installation.run()
    config, app_paths = installation.config(), installation.app_paths
    for dry_run, hint in ((True, "wait for it to end"), (False, "pulling is suspended; wait for it to end")):
        with FileLock(app_paths.lock), pytest.raises(LockedError, match="another run is in progress") as raised:
            unlogged(roll_back(config, app_paths, None, dry_run=dry_run, lock_timeout=0))
        assert raised.value.hint.startswith(hint)
        with State.open(app_paths.database) as state:
            assert bool(state.suspension) is not dry_run


def test_a_rollback_to_nowhere_suspends_nothing(installation: Installation) -> None:
    installation.run()
    with pytest.raises(ConfigError, match="there is no sync nosuch"):
        unlogged(roll_back(installation.config(), installation.app_paths, "nosuch", dry_run=False))
    with State.open(installation.app_paths.database) as state:
        assert state.suspension is None


def test_a_state_directory_that_cannot_be_made_is_reported(installation: Installation) -> None:
    installation.app_paths.state.touch()
    with pytest.raises(StateError, match="the state directory cannot be used"):
        installation.run()


def test_progress_names_each_step_and_counts_files(installation: Installation) -> None:
    installation.source.write({f"agents/{name}.md": agent(name) for name in NAMES})
    installation.source.commit()
    steps: list[tuple[str, int, int]] = []
    environment = Environment(installation.config(), installation.app_paths, progress=lambda *step: steps.append(step))
    run(environment, SyncRequest(Scope.APPLY))
    assert steps == [
        ("waiting for another run", 0, 0),
        ("fetching team", 0, 0),
        ("reading", 0, 0),
        *[("reading", done, 4) for done in (1, 2, 3, 4)],
        *[("writing", done, 4) for done in (1, 2, 3, 4)],
    ]


def test_changed_settings_of_a_target_render_again(installation: Installation) -> None:
    installation.source.write({"agents/tester.md": agent("tester", tools="Read, Bash")})
    installation.source.commit()

    def config(approval: str) -> Config:
        table = {"dialect": "opencode", "path": installation.directory, "create": True, "approval": approval}
        targets = {"opencode": TargetTable.model_validate(table)}
        return installation.config().model_copy(update={"targets": targets})

    run(Environment(config("ask"), installation.app_paths), SyncRequest(Scope.APPLY))
    asking = installation.files()["tester"]
    confirmed = SyncRequest(Scope.APPLY, Consent(escalation=True))  # since nobody is asked any more
    report = run(Environment(config("allow"), installation.app_paths), confirmed)
    assert {(change.action, change.agent) for change in report.changes} >= {(Action.UPDATE, "tester")}
    assert installation.files()["tester"] != asking
    assert run(Environment(config("allow"), installation.app_paths), SyncRequest(Scope.APPLY)).changes == ()


def test_each_name_in_another_script_gets_files_of_its_own(installation: Installation) -> None:
    def written(name: str, *lines: str) -> str:
        return "\n".join(["---", f"name: {name}", "description: Knows people.", *lines, "---", "Ask them.", ""])

    config = installation.config()
    opencode = TargetTable(path=installation.root / "opencode", create=True)
    holding = PolicyTable.model_validate({"agents": {"team/anthropologist": {"escalation": "hold"}}})
    config = config.model_copy(update={"targets": {**config.targets, "opencode": opencode}, "policy": holding})
    environment, request = Environment(config, installation.app_paths), SyncRequest(Scope.APPLY)
    names = {"anthropologist": "人類学者", "ux-architect": "UXアーキテクト", "ux-researcher": "UXリサーチャー"}
    names["plan"] = "plan"  # of OpenCode's own
    for stem, name in names.items():
        installation.source.write({f"agents/{stem}.md": written(name, "tools: Read")})
    installation.source.commit()
    assert run(environment, request).exit_code is ExitCode.OK
    assert {path.stem for path in installation.directory.iterdir()} == {"anchor", *names}
    assert "人類学者" in (installation.directory / "anthropologist.md").read_text()
    assert 'name: "人類学者"' in (installation.root / "opencode" / "anthropologist.md").read_text()
    assert (installation.root / "opencode" / "plan-agent.md").exists()

    # The one whose own name it is keeps it; the policy names an agent as its file is called.
    installation.source.write({"agents/a.md": written("plan-agent"), "agents/anthropologist.md": written("人類学者")})
    installation.source.commit()
    report = run(environment, request)
    errors = [(one.code, one.agent, one.target) for one in report.diagnostics if one.severity is Severity.ERROR]
    assert (Code.NAME_TWICE, "plan", "opencode") in errors
    assert (Code.HELD_ESCALATION, "人類学者", "claude") in errors
    assert "tools" in (installation.directory / "anthropologist.md").read_text()


def test_each_tool_gets_its_own_version_of_an_agent_and_keeps_it_while_that_is_broken(
    installation: Installation,
) -> None:
    """One file has one origin: what was written from one version is kept, replaced and deleted as any other file."""
    config = installation.config()
    others = {name: TargetTable(path=installation.root / name, create=True) for name in ("opencode", "vibe")}
    holding = PolicyTable.model_validate({"agents": {"team/rev*": {"escalation": "hold"}}})
    config = config.model_copy(update={"targets": {**config.targets, **others}, "policy": holding})
    vibe, opencode = installation.root / "vibe/reviewer.toml", installation.root / "opencode/reviewer.md"

    def pull(**files: str | None) -> Report:
        directories = {"claude": ".claude/agents", "opencode": ".opencode/agent", "neutral": ".agentsync/agents"}
        for tool, text in files.items():
            path = f"{directories[tool]}/reviewer.md" if tool in directories else "agentsync.toml"
            installation.source.remove(path) if text is None else installation.source.write({path: text})
        installation.source.commit()
        return run(Environment(config, installation.app_paths), SyncRequest(Scope.APPLY))

    ours = "---\ndescription: Reviews.\nmode: subagent\npermission: {bash: deny}\n---\nOpenCode.\n"
    assert pull(claude=agent("reviewer", "Claude.")).exit_code is ExitCode.OK
    broken = ours.replace("permission: {bash: deny}", "permission: [bash")
    assert pull(opencode=broken).exit_code is ExitCode.INCOMPLETE
    assert "Claude." in opencode.read_text()
    report = pull(opencode=ours)
    assert report.exit_code is ExitCode.OK
    assert [one.code for one in report.diagnostics].count(Code.VERSIONS) == 1
    assert "Claude." in installation.files()["reviewer"]
    assert opencode.read_text() == ours
    assert "OpenCode." in vibe.read_text()

    report = pull(opencode=broken)
    kept = [(one.path, one.target) for one in report.diagnostics if one.code is Code.KEPT_LAST_GOOD]
    assert kept == [(".opencode/agent/reviewer.md", target) for target in ("opencode", "vibe")]
    assert report.exit_code is ExitCode.INCOMPLETE
    assert opencode.read_text() == ours
    assert [change.target for change in report.plan.held] == ["vibe"]  # the other version may run commands

    report = pull(opencode=ours, manifest='[agents]\nversions = ["claude"]\n')
    assert [change.target for change in report.plan.held] == ["vibe"]
    assert opencode.read_text() == ours
    run(Environment(config, installation.app_paths), SyncRequest(Scope.APPLY, Consent(escalation=True)))
    assert "Claude." in vibe.read_text()

    neutral = "---\ndescription: Reviews.\ntargets: {vibe: {exclude: true}}\n---\nNeutral.\n"
    assert pull(neutral=neutral, manifest="").exit_code is ExitCode.OK
    assert (vibe.exists(), opencode.read_text()) == (False, ours)

    pull(claude=None, neutral=None)
    assert ("OpenCode." in vibe.read_text(), "reviewer" in installation.files()) == (True, True)
    assert "OpenCode." in installation.files()["reviewer"]
    assert pull(opencode=None).counts["delete"] == 3
    assert not opencode.exists()


def test_agents_of_two_plugins_keep_what_is_declared_for_their_own_name(installation: Installation) -> None:
    config = installation.config()
    opencode = TargetTable(path=installation.root / "opencode", create=True)
    rules = {"agents": {"team/tester": {"tools": ["read"]}, "team/one-tester": {"tools": ["*"]}}}
    policy = PolicyTable.model_validate(rules)
    config = config.model_copy(update={"targets": {**config.targets, "opencode": opencode}, "policy": policy})
    environment = Environment(config, installation.app_paths)
    caller = "---\ndescription: Leads.\npermission: {task: {tester: deny}}\n---\nLead.\n"
    files = {".opencode/agent/lead.md": caller, "agentsync.toml": '[overrides.tester]\nmodel = "anthropic/haiku"\n'}
    installation.source.write({**files, "plugins/one/agents/tester.md": agent("tester", "One.", tools="Read")})
    installation.source.commit()
    assert run(environment, SyncRequest(Scope.APPLY)).exit_code is ExitCode.OK
    assert installation.files().keys() == {"anchor", "lead", "tester"}

    listing = '{"plugins": [{"name": "two", "source": "./kits/second"}]}'
    second = {"kits/second/agents/tester.md": agent("tester", "Two.", tools="Read, Bash")}
    installation.source.write({**second, ".claude-plugin/marketplace.json": listing})
    installation.source.commit()
    report = run(environment, SyncRequest(Scope.APPLY))
    errors = [(one.code, one.agent, one.target) for one in report.diagnostics if one.severity is Severity.ERROR]
    assert errors == [(Code.GRANT_REFUSED, "two-tester", name) for name in ("claude", "opencode")]
    (renamed,) = (one.message for one in report.diagnostics if one.code is Code.PLUGIN_NAMES)
    assert renamed.endswith(": `two-tester`, `one-tester`")
    assert installation.files().keys() == {"anchor", "lead", "one-tester"}
    assert "haiku" in installation.files()["one-tester"]
    lead = (installation.root / "opencode/lead.md").read_text()
    assert "    one-tester: deny\n    two-tester: deny\n" in lead
    assert Code.OVERRIDE_UNUSED not in {one.code for one in report.diagnostics}


def test_a_source_with_an_impossible_ref_is_a_mistake_in_the_configuration(installation: Installation) -> None:
    source = SourceTable(url=str(installation.source.path), branch="-x..y", allow_local=True)
    with pytest.raises(ConfigError):
        run(Environment(installation.config(team=source), installation.app_paths), SyncRequest(Scope.APPLY))


# Any sequence of events


EVENTS = st.lists(
    st.tuples(st.sampled_from(["publish", "retire", "edit", "delete", "pull"]), st.sampled_from(NAMES)),
    min_size=3,
    max_size=12,
)


@settings(max_examples=10, deadline=None, derandomize=SAME_EXAMPLES)
@given(EVENTS)
def test_whatever_happens_the_user_s_bytes_stay_and_the_rest_is_the_team_s(
    tmp_path_factory: pytest.TempPathFactory, events: list[tuple[str, str]]
) -> None:
    installation = Installation(tmp_path_factory.mktemp("example"))
    installation.run()
    team = {"anchor": agent("anchor")}
    mine: dict[str, str] = {}
    for number, (event, name) in enumerate([*events, ("pull", "")]):
        path = installation.directory / f"{name}.md"
        match event:
            case "publish":
                team[name] = agent(name, f"Version {number}.")
                installation.source.write({f"agents/{name}.md": team[name]})
                installation.source.commit()
            case "retire" if team.pop(name, None):
                installation.source.remove(f"agents/{name}.md")
                installation.source.commit()
            case "edit":
                mine[name] = f"mine {number}\n"
                path.write_text(mine[name])
            case "delete":
                mine.pop(name, None)
                path.unlink(missing_ok=True)
            case "pull":
                report = installation.run()
                assert installation.files() == {**team, **mine}
                assert installation.run().changes == ()
                conflicts = {change.agent for change in report.plan.changes if change.action is Action.CONFLICT}
                assert mine.keys() & team.keys() <= conflicts
            case _:
                pass  # a source that is not there cannot be removed


def test_a_file_that_takes_too_long_is_refused_for_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its last good output stays, the others go on, and the next run tries again."""
    installation = Installation(tmp_path)
    installation.source.write({"agents/slow.md": agent("slow", "First.")})
    installation.source.commit()
    assert installation.run().exit_code is ExitCode.OK
    installation.source.write({"agents/slow.md": agent("slow", "Second.")})
    installation.source.commit()
    steps: list[tuple[str, int, int]] = []
    environment = Environment(
        installation.config(), installation.app_paths, progress=lambda *step: steps.append(step) if step[2] else None
    )
    with monkeypatch.context() as patched:
        patched.setattr(time_budget, "FILE_SECONDS", 0.0)
        report = run(environment, SyncRequest(Scope.APPLY))
    codes = {diagnostic.code: diagnostic.path for diagnostic in report.diagnostics}
    assert codes[Code.TOO_SLOW] == "agents/slow.md"
    assert report.exit_code is ExitCode.INCOMPLETE
    assert "First." in (installation.directory / "slow.md").read_text()
    assert (installation.directory / "anchor.md").exists()
    assert ("reading", 1, 1) in steps  # which feeds the service's watchdog after each file
    assert installation.run().exit_code is ExitCode.OK
    assert "Second." in (installation.directory / "slow.md").read_text()
