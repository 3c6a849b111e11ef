"""Rollouts of real repositories, within this process: what a machine's policy sets, and what is reported later."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import click
import pytest

from agentsync.cli.console import policy_lines
from agentsync.config import Config
from agentsync.config.tables import SourceTable, TargetTable
from agentsync.core.durations import iso
from agentsync.core.paths import AppPaths
from agentsync.doctor import run_checks
from agentsync.report.json_output import status_record
from agentsync.rollout.choose import Reason
from agentsync.rollout.tables import MachineRolloutTable
from agentsync.service.current_status import rollouts_after
from agentsync.sync.cycle import run
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest
from support.machine import agent
from support.repository import Repository

STAGES = '[rollout]\nstages = [{ name = "canary", share = 5 }, { name = "everyone", share = 100, after = "1d" }]\n'
DAYS = 86_400
HOOKS = agent("hooked", hooks="{PreToolUse: [{matcher: Bash, hooks: [{type: command, command: ./check}]}]}")


class Staged:
    """A machine that follows a branch with two stages; its first commit is three days old."""

    def __init__(self, root: Path) -> None:
        self.directory = root / "agents"
        self.app_paths = AppPaths(root / "state", root / "cache", root / "policy.toml")
        self.source = Repository(root / "served" / "team.git")
        self.table = MachineRolloutTable(stage="everyone")
        self.push("One.", age=3 * DAYS)

    def push(self, prompt: str, *, age: float = 0) -> str:
        self.source.write({"agents/tester.md": agent("tester", prompt), "agentsync.toml": STAGES})
        return self.source.commit(when=int(time.time() - age))

    @property
    def config(self) -> Config:
        source = SourceTable(url=str(self.source.path), branch="main", allow_local=True, rollout=self.table)
        targets = {"claude": TargetTable(path=self.directory, create=True)}
        return Config(version=1, sources={"team": source}, targets=targets)

    def run(self, scope: Scope = Scope.APPLY) -> Report:
        return run(Environment(self.config, self.app_paths), SyncRequest(scope))

    @property
    def prompt(self) -> str:
        return (self.directory / "tester.md").read_text().splitlines()[-1]


@pytest.fixture
def staged(tmp_path: Path) -> Staged:
    return Staged(tmp_path)


@pytest.mark.parametrize("table", [MachineRolloutTable(stage="canary"), MachineRolloutTable(obey=False)])
def test_no_configuration_evades_what_the_machines_policy_sets(staged: Staged, table: MachineRolloutTable) -> None:
    assert staged.run().diagnostics == ()
    staged.table = table
    staged.app_paths.policy.write_text('[rollout]\nstage = "everyone"\nobey = true\n')
    staged.push("Two.")
    report = staged.run()
    [source], [contradiction] = report.sources, report.diagnostics
    assert source.rollout
    assert (source.rollout.stage, source.rollout.reason, staged.prompt) == ("everyone", Reason.WAITING, "One.")
    assert contradiction.code.id == "AS441"
    assert "has no effect: this machine's policy sets `stage = everyone`, `obey = true`" in contradiction.message
    looked = staged.run(Scope.LOOK)
    [line] = map(click.unstyle, policy_lines(looked))
    assert line == "team: this machine's policy sets `stage = everyone`, `obey = true`"
    assert looked.diagnostics == report.diagnostics
    checks = [one.message for one in run_checks(staged.config, staged.app_paths) if one.subject == "rollout team"]
    assert checks == [source.rules.contradiction]


def test_the_service_keeps_the_rollout_of_a_source_whose_mirror_is_gone_too(staged: Staged) -> None:
    staged.push("Two.")
    before = rollouts_after(staged.run(), {})
    assert before["team"].stage == "everyone"
    staged.source.path.rename(staged.source.path.with_suffix(".away"))
    shutil.rmtree(staged.app_paths.cache)
    assert rollouts_after(staged.run(), before) == before


def test_since_when_an_agent_is_refused_lasts_until_it_is_accepted(staged: Staged) -> None:
    def refuse(prompt: str = HOOKS) -> None:
        staged.source.write({"agents/hooked.md": prompt})
        staged.source.commit(when=int(time.time()))

    def since(report: Report) -> float | None:
        [refused] = report.refused
        assert report.counts_of("claude").refused_since == refused.since
        return refused.since

    staged.table = MachineRolloutTable(obey=False)
    refuse()
    before = time.time()
    assert since(staged.run(Scope.PLAN)) is None, "nothing recorded it yet"
    first = since(staged.run())
    assert first is not None
    assert before <= first <= time.time()
    refuse(f"{HOOKS}\nMore.\n")
    assert since(staged.run()) == first
    assert since(looked := staged.run(Scope.LOOK)) == first
    assert status_record(looked)["refused"][0]["refused_since"] == iso(first)  # type: ignore[index] # of JSON
    staged.source.path.rename(away := staged.source.path.with_suffix(".away"))
    assert staged.run().sources[0].error
    away.rename(staged.source.path)
    assert since(staged.run()) == first
    refuse(agent("hooked"))
    assert staged.run().refused == ()
    refuse()
    again = since(staged.run())
    assert again is not None
    assert again > first
