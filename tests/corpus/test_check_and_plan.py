"""`check` and `plan` report the same for every repository: agents, skipped files, diagnostics, and whether it fails."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentsync.cli.check import Checked, Judge, run_checks
from agentsync.cli.cycle import source_name
from agentsync.config import Config
from agentsync.config.tables import SourceTable, TargetTable
from agentsync.convert.policy import Policy, PolicyTable, Rules
from agentsync.core.errors import ConfigError, ExitCode
from agentsync.core.paths import AppPaths
from agentsync.dialects import dialects
from agentsync.repository.working_tree import WorkingTree
from agentsync.sync.cycle import run
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest
from support.golden import SUFFIX, read_archive
from support.machine import agent
from support.thorough import THOROUGH, part

GOLDENS = Path(__file__).parents[1] / "dialects"
POLICIES = {
    "default": PolicyTable(),
    "one agent": PolicyTable(max_agents=1),
    "open": PolicyTable(hooks="allow", mcp_servers="allow", programs="allow", addresses="allow", modes=("*",)),
    "closed": PolicyTable(inherit="refuse", tools=("read", "grep"), agents={"*/review*": Rules(reserved=("*",))}),
}
MANIFESTS = {
    "none": "",
    "skip": '[agents]\nskip = ["*e*"]\n',
    "exclude": '[agents]\nexclude = ["*a*.md"]\n[overrides."*"]\ncolor = "red"\n',
    "mistake": "[agents]\nonly = 3\n",
}
TOGETHER = 25
"""How many files of a public repository are looked at together."""


@dataclass(frozen=True)
class Result:
    """The parts of a result on which both commands have to agree."""

    agents: frozenset[tuple[str, str, str]]
    skipped: frozenset[str]
    diagnostics: frozenset[tuple[str, str, int, str]]
    fails: bool

    @classmethod
    def of(cls, checked: Checked, *, fails: bool) -> Result:
        return cls(
            frozenset(checked.agents),
            frozenset(checked.skipped),
            frozenset((one.code.id, one.path, one.line, one.target) for one in checked.diagnostics),
            fails,
        )


def check(root: Path, policy: PolicyTable) -> Result:
    checked = run_checks(root, dialects(), judge=Judge(Policy((policy,))))
    return Result.of(checked, fails=checked.is_wrong())


def plan(root: Path, policy: PolicyTable, scratch: Path) -> Result:
    report = _plan(root, policy, scratch)
    if report.sources[0].error:
        assert report.exit_code is ExitCode.INCOMPLETE
        raise ConfigError(report.sources[0].error.message)
    checked = Checked.of(report.compiled, report.diagnostics)
    return Result.of(checked, fails=report.exit_code is ExitCode.INCOMPLETE)


def _plan(root: Path, policy: PolicyTable, scratch: Path) -> Report:
    name = source_name(str(root))
    config = Config(
        version=1,
        sources={name: SourceTable(url=str(root), allow_local=True)},
        targets={name: TargetTable(dialect=name, path=str(scratch / name), create=True) for name in dialects()},
        policy=policy,
    )
    environment = Environment(config, AppPaths(scratch / "state", scratch / "cache", scratch / "policy.toml"))
    request = SyncRequest(Scope.PLAN, working_trees={name: WorkingTree(root)}, ad_hoc=True)
    return run(environment, request)


def agree(root: Path, policy: PolicyTable, scratch: Path) -> None:
    try:
        expected = plan(root, policy, scratch)
    except ConfigError:
        with pytest.raises(ConfigError):
            check(root, policy)
        return
    assert check(root, policy) == expected


@pytest.fixture(scope="module")
def fixtures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the input of golden files, one in sixty-four in turn, each in its tool's own directory."""
    root = tmp_path_factory.mktemp("fixtures") / "team"
    for archive in part(sorted(GOLDENS.glob(f"*/*{SUFFIX}")), of=64, first=0):
        dialect = dialects()[archive.parent.name]
        for name, data in read_archive(archive).items():
            if name.startswith("input.") and not dialect.shared:
                path = root / (dialect.user_directory or "agents") / f"{archive.stem}{name.removeprefix('input')}"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    return root


@pytest.mark.parametrize("manifest", MANIFESTS.values(), ids=MANIFESTS)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_check_and_plan_agree_on_all_fixtures(
    policy: PolicyTable, manifest: str, fixtures: Path, tmp_path: Path
) -> None:
    (fixtures / "agentsync.toml").write_text(manifest)
    agree(fixtures, policy, tmp_path)


def test_check_and_plan_agree_on_public_repositories(corpus: Path, tmp_path: Path) -> None:
    """Neighbouring files of a repository at a time, since some have hundreds; a thorough run takes whole ones."""
    owners = sorted(path for path in (corpus / "public").iterdir() if path.is_dir())
    if THOROUGH:
        for owner in owners:
            agree(owner, PolicyTable(), tmp_path / owner.name)
        return
    groups: list[tuple[Path, list[Path]]] = []
    for owner in owners:
        files = sorted(path for path in owner.rglob("*") if path.is_file())
        groups += ((owner, files[start : start + TOGETHER]) for start in range(0, len(files), TOGETHER))
    for number, (owner, files) in enumerate(part(groups, of=100, first=2)):
        root = tmp_path / str(number) / owner.name
        for path in files:
            copy = root / path.relative_to(owner)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        agree(root, PolicyTable(), tmp_path / f"{number}-scratch")


@pytest.mark.parametrize("renamed", [False, True], ids=["of one name", "renamed"])
def test_check_and_plan_agree_on_the_seeds(corpus: Path, tmp_path: Path, *, renamed: bool) -> None:
    agents = tmp_path / "team/agents"
    agents.mkdir(parents=True)
    for path in (corpus.parent / "seeds").iterdir():
        text, name = path.read_text(), path.stem.replace("_", "-")
        if renamed:
            text = re.sub(r"^name:.*", f"name: {name}", text, flags=re.MULTILINE)
        (agents / f"{name}.md").write_text(text)
    for name, policy in POLICIES.items():
        agree(tmp_path / "team", policy, tmp_path / name)


@pytest.mark.parametrize("manifest", ["", '[agents]\nskip = ["*"]\n'], ids=["none", "skipped"])
def test_check_and_plan_agree_where_there_is_no_agent(manifest: str, tmp_path: Path) -> None:
    root = tmp_path / "team"
    (root / "agents").mkdir(parents=True)
    (root / "plan.md").write_text("# Nothing yet\n")
    if manifest:
        (root / "agents/tester.md").write_text(agent("tester"))
        (root / "agentsync.toml").write_text(manifest)
    agree(root, PolicyTable(), tmp_path)
    checked = run_checks(root, ())  # without a target
    assert (checked.skipped, checked.is_wrong()) == (["plan.md"], True)


def test_check_and_plan_agree_on_reported_cases(corpus: Path, tmp_path: Path) -> None:
    for number, repository in enumerate(sorted((corpus.parent / "cases/agents").glob("*/repo"))):
        for name in part(sorted(POLICIES), of=len(POLICIES), first=number):
            agree(repository, POLICIES[name], tmp_path / repository.parent.name / name)
