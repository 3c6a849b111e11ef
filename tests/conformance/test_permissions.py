"""The permissions that a tool gives an agent are those that it should enforce according to agentsync."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from agentsync.agents.grants import Approval, Grants, Rule, Widening, wider
from agentsync.dialects import dialects
from conformance import facts, samples
from conformance.oracle import Oracle, Verdict
from conformance.sync import Synced, Written
from support.thorough import THOROUGH

# How many of a repository's agents are started one by one, which takes seconds for each.
SAMPLED = {"seeds": 5, "public": 16, "generated": 16}

# How many agents Claude Code is asked about at once; of some thousands it names no tools.
TOGETHER = 500
# And how many it starts in one run of the script, which has a time limit.
STARTED_TOGETHER = 100

# OpenCode's own questions about secrets, which agentsync writes beside a plain `read` and counts as part of it.
_READ_GUARD = (
    Rule("read", Approval.ASK, "*.env"),
    Rule("read", Approval.ASK, "*.env.*"),
    Rule("read", Approval.ALLOW, "*.env.example"),
)

# Without any permission of its own; OpenCode's own rules show in it.
_BARE = "---\ndescription: Shows OpenCode's own rules\n---\nNothing.\n"


@pytest.mark.parametrize("repository", samples.REPOSITORIES)
def test_opencode_reads_the_intended_rules(
    repository: str, synced: Callable[[str], Synced], judged: Callable[[str, str], Sequence[Verdict]]
) -> None:
    for verdict, written in _both(repository, "opencode", synced, judged):
        read = facts.ruled(facts.entries(verdict.resolved.get("permission", {})))
        assert _differences(read, written.enforced) == (None, None), verdict.file


@pytest.mark.parametrize("repository", samples.REPOSITORIES)
@pytest.mark.parametrize("tool", facts.UNDERSTOOD)
def test_the_tool_understands_the_intended_restrictions(
    repository: str, tool: str, synced: Callable[[str], Synced], judged: Callable[[str, str], Sequence[Verdict]]
) -> None:
    for verdict, written in _both(repository, tool, synced, judged):
        read, enforced = facts.understood(tool, verdict.resolved, written), written.enforced
        assert read == enforced or (wider(read, enforced), wider(enforced, read)) == (None, None), verdict.file


@pytest.fixture(scope="session")
def rosters(
    ask: Callable[[str], Oracle], synced: Callable[[str], Synced], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Mapping[str, Sequence[str]]]:
    """By file, the tools that Claude Code names for each agent of a repository, where it names them in one line."""

    @cache
    def of(repository: str) -> Mapping[str, Sequence[str]]:
        verdicts = _judged_in_batches(ask("claude"), synced(repository).written("claude"), tmp_path_factory, TOGETHER)
        return {verdict.file: names for verdict in verdicts if (names := facts.roster(verdict.resolved)) is not None}

    return of


@pytest.mark.parametrize("repository", samples.REPOSITORIES)
def test_claude_code_lists_no_tool_beyond_the_intended_ones(
    repository: str, synced: Callable[[str], Synced], rosters: Callable[[str], Mapping[str, Sequence[str]]]
) -> None:
    for file, written in synced(repository).written("claude").items():
        enforced, names = written.enforced, rosters(repository).get(file)
        if names is None:
            assert _takes_lines(written), file  # and is started by the next test
        elif any(
            rule.approval for rule in enforced.rules
        ):  # else its text is "All tools", and a running agent gets none
            assert facts.beyond(names, enforced) == [], file


@pytest.mark.parametrize("repository", SAMPLED)
def test_claude_code_gives_a_running_agent_no_tool_beyond_the_intended_ones(
    repository: str,
    ask: Callable[[str], Oracle],
    synced: Callable[[str], Synced],
    rosters: Callable[[str], Mapping[str, Sequence[str]]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    # In the script's project nothing is committed, so there is no worktree to isolate an agent in.
    startable = {
        file: written
        for file, written in synced(repository).written("claude").items()
        if "isolation" not in written.document.metadata
    }
    sample = _sample(startable, repository)
    sample |= {
        file: written
        for file, written in startable.items()
        if file not in rosters(repository) and written.enforced.everything_else is Approval.DENY
    }
    if THOROUGH and repository == "public":  # half an hour
        sample = startable

    verdicts = _judged_in_batches(ask("claude"), sample, tmp_path_factory, STARTED_TOGETHER, "--deep")

    assert len(verdicts) == len(sample)
    for verdict in verdicts:
        run, enforced = verdict.resolved["spawned"], sample[verdict.file].enforced
        assert verdict.loaded or "zero tools" in run["error"], verdict  # it starts no agent that has nothing
        given = run.get("tools", [])
        assert facts.beyond(given, enforced) == [], verdict
        assert "Read" in given or max(enforced.approvals("read")) is Approval.DENY, verdict


@pytest.mark.parametrize("repository", SAMPLED)
def test_opencode_decides_each_call_as_intended(
    repository: str, ask: Callable[[str], Oracle], synced: Callable[[str], Synced], tmp_path: Path
) -> None:
    # OpenCode lists no agent that is disabled.
    listed = {
        file: written
        for file, written in synced(repository).written("opencode").items()
        if written.document.metadata.get("disable") is not True
    }
    sample = _sample(listed, repository)
    _copy("opencode", sample, tmp_path)
    (tmp_path / dialects()["opencode"].project_directories[0] / "bare.md").write_text(_BARE, encoding="utf-8")

    verdicts = ask("opencode").judge(tmp_path, "--each")

    rules = {verdict.file: verdict.resolved["permission"] for verdict in verdicts}
    its_own = [rule for rule in rules.pop("bare.md") if not _below_its_own_directories(rule)]
    assert rules.keys() == sample.keys()
    for file, resolved in rules.items():
        decided = [rule for rule in resolved if not _below_its_own_directories(rule)]
        assert decided[: len(its_own)] == its_own
        entries = ((rule["permission"], rule["pattern"], rule["action"]) for rule in decided[len(its_own) :])
        assert _differences(facts.ruled(entries), sample[file].enforced) == (None, None), file


def _both(
    repository: str, tool: str, synced: Callable[[str], Synced], judged: Callable[[str, str], Sequence[Verdict]]
) -> list[tuple[Verdict, Written]]:
    """A tool's verdict on each file that it loads, and the file."""
    written = synced(repository).written(tool)
    return [(verdict, written[verdict.file]) for verdict in judged(repository, tool) if verdict.loaded]


def _sample(written: Mapping[str, Written], repository: str) -> dict[str, Written]:
    """Some of a repository's agents, the same in every run."""
    step = -(-len(written) // SAMPLED[repository])
    return dict(islice(written.items(), 0, None, step))


def _judged_in_batches(
    oracle: Oracle, written: Mapping[str, Written], factory: pytest.TempPathFactory, together: int, *options: str
) -> list[Verdict]:
    """Claude Code's verdicts on files, so many at once."""
    verdicts: list[Verdict] = []
    remaining = iter(written.items())
    while batch := dict(islice(remaining, together)):
        project = factory.mktemp("batch")
        _copy("claude", batch, project)
        verdicts += oracle.judge(project, *options)
    return verdicts


def _copy(tool: str, written: Mapping[str, Written], project: Path) -> None:
    """Put files where a tool looks in a project."""
    directory = project / dialects()[tool].project_directories[0]
    directory.mkdir(parents=True)
    for file, one in written.items():
        shutil.copy(one.path, directory / file)


def _takes_lines(written: Written) -> bool:
    """Whether an agent's description has several lines, so that the script does not find the tools behind it."""
    return "\n" in str(written.document.metadata["description"])


def _differences(given: Grants, enforced: Grants) -> tuple[Widening | None, Widening | None]:
    """A call that gets more than it should, and one that gets less."""
    return wider(given, enforced), wider(Grants((*enforced.rules, *_READ_GUARD)), Grants((*given.rules, *_READ_GUARD)))


def _below_its_own_directories(rule: Mapping[str, Any]) -> bool:
    """Whether a rule is about the files that OpenCode keeps for itself, which no agent's permission governs."""
    return rule["permission"] == "external_directory" and "/opencode/" in rule["pattern"]
