"""The permissions that a tool gives an agent are those that it should enforce according to agentsync."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentsync.agents.grants import Approval, Grants, Rule, Widening, wider
from agentsync.dialects import dialects
from conformance import facts, samples, selection, sync
from conformance.oracle import Oracle, Verdict
from conformance.sync import Synced, Written

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


@pytest.mark.parametrize("repository", selection.SAMPLED)
def test_opencode_decides_each_call_as_intended(
    repository: str, ask: Callable[[str], Oracle], synced: Callable[[str], Synced], tmp_path: Path
) -> None:
    # OpenCode lists no agent that is disabled.
    listed = {
        file: written
        for file, written in synced(repository).written("opencode").items()
        if written.document.metadata.get("disable") is not True
    }
    sample = selection.sample(listed, repository)
    sync.copy("opencode", sample, tmp_path)
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


def _takes_lines(written: Written) -> bool:
    """Whether an agent's description has several lines, so that the script does not find the tools behind it."""
    return "\n" in str(written.document.metadata["description"])


def _differences(given: Grants, enforced: Grants) -> tuple[Widening | None, Widening | None]:
    """A call that gets more than it should, and one that gets less."""
    return wider(given, enforced), wider(Grants((*enforced.rules, *_READ_GUARD)), Grants((*given.rules, *_READ_GUARD)))


def _below_its_own_directories(rule: Mapping[str, Any]) -> bool:
    """Whether a rule is about the files that OpenCode keeps for itself, which no agent's permission governs."""
    return rule["permission"] == "external_directory" and "/opencode/" in rule["pattern"]
