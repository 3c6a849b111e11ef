"""What a tool made of an agent's permissions is what agentsync says that it will enforce."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from agentsync.dialects import dialects
from agentsync.frontmatter import parse_markdown
from agentsync.permissions import ANY, EVERYTHING, MCP, TOOLS, Approval, Grants, Rule, Widening, wider
from conformance import samples
from conformance.oracle import Oracle
from conformance.sync import Synced

REPOSITORIES = ("seeds", *samples.PUBLIC, "synthetic", "dashes")

# What Claude Code's harness adds where tools of MCP servers may be loaded later; it does nothing by itself.
_NOT_A_TOOL = "DeferredToolPlaceholder"

# OpenCode's own questions about secrets, which agentsync writes beside a plain `read` and counts as part of it.
_READ_GUARD = (
    Rule("read", Approval.ASK, "*.env"),
    Rule("read", Approval.ASK, "*.env.*"),
    Rule("read", Approval.ALLOW, "*.env.example"),
)

# Without any permission of its own; OpenCode's own rules show in it.
_BARE = "---\ndescription: Shows what OpenCode itself says\n---\nNothing.\n"


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_opencode_reads_the_permissions_that_were_meant(
    repository: str, ask: Callable[[str], Oracle], synced: Callable[[str], Synced]
) -> None:
    result = synced(repository)

    verdicts = ask("opencode").judge(result.project, "--json")

    for verdict in verdicts:
        read = _of_opencode(_entries(verdict.resolved.get("permission", {})))
        said = _enforced("opencode", result.directory("opencode") / verdict.file)
        assert _differences(read, said) == (None, None), verdict.file


def test_opencode_decides_each_call_as_was_meant(
    ask: Callable[[str], Oracle], synced: Callable[[str], Synced], tmp_path: Path
) -> None:
    directory = tmp_path / dialects()["opencode"].project_directories[0]
    shutil.copytree(synced("seeds").directory("opencode"), directory)
    (directory / "bare.md").write_text(_BARE, encoding="utf-8")

    verdicts = ask("opencode").judge(tmp_path, "--each", "--json")

    rules = {verdict.file: verdict.resolved["permission"] for verdict in verdicts}
    its_own = [rule for rule in rules.pop("bare.md") if not _below_its_own_directories(rule)]
    assert rules.keys() == {f"seed-{number}.md" for number in range(5)}
    for file, resolved in rules.items():
        decided = [rule for rule in resolved if not _below_its_own_directories(rule)]
        assert decided[: len(its_own)] == its_own
        given = _of_opencode((rule["permission"], rule["pattern"], rule["action"]) for rule in decided[len(its_own) :])
        said = _enforced("opencode", directory / file)
        assert _differences(given, said) == (None, None), file


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_claude_code_lists_no_tool_beyond_what_was_meant(
    repository: str, ask: Callable[[str], Oracle], synced: Callable[[str], Synced]
) -> None:
    result = synced(repository)

    verdicts = ask("claude").judge(result.project)

    for verdict in verdicts:
        assert verdict.loaded, verdict
        said = _enforced("claude", result.directory("claude") / verdict.file)
        if not any(rule.approval for rule in said.rules):
            continue  # the roster says "All tools" of an agent that, once it runs, is given none
        assert _beyond(_listed(verdict.resolved.get("roster", "")), said) == [], verdict


def test_claude_code_gives_a_running_agent_no_tool_beyond_what_was_meant(
    ask: Callable[[str], Oracle], synced: Callable[[str], Synced]
) -> None:
    result = synced("seeds")

    verdicts = ask("claude").judge(result.project, "--deep")

    assert len(verdicts) == 5
    for verdict in verdicts:
        given = verdict.resolved["spawned"]["tools"]
        assert "Read" in given
        assert _beyond(given, _enforced("claude", result.directory("claude") / verdict.file)) == [], verdict


def _enforced(tool: str, file: Path) -> Grants:
    dialect = dialects()[tool]
    return dialect.enforced(dialect.parse(file.read_bytes(), file.name))


def _entries(permission: str | Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
    """Tool, pattern and action of each rule in a `permission`, in order."""
    for tool, value in ({ANY: permission} if isinstance(permission, str) else permission).items():
        for pattern, action in ({ANY: value} if isinstance(value, str) else value).items():
            yield tool, pattern, action


def _of_opencode(entries: Iterable[tuple[str, str, str]]) -> Grants:
    """OpenCode's rules in canonical terms, over its default; it has no tool for notebooks."""
    shape = dialects()["opencode"].shape
    rules = [
        Rule(tool, Approval[action.upper()], pattern)
        for name, pattern, action in entries
        for tool in shape.units.get(name, (ANY,) if name == ANY else (MCP + name,))
    ]
    return Grants((*EVERYTHING.rules, *rules, *(Rule(tool, Approval.DENY) for tool in sorted(TOOLS - shape.tools))))


def _differences(given: Grants, said: Grants) -> tuple[Widening | None, Widening | None]:
    """A call that gets more than was said, and one that gets less."""
    return wider(given, said), wider(Grants((*said.rules, *_READ_GUARD)), Grants((*given.rules, *_READ_GUARD)))


def _below_its_own_directories(rule: Mapping[str, str]) -> bool:
    """Whether a rule is about the files that OpenCode keeps for itself, which no agent's permission governs."""
    return rule["permission"] == "external_directory" and "/opencode/" in rule["pattern"]


def _listed(roster: str) -> list[str]:
    """The tools that Claude Code names for an agent, with `*` for all that are not named."""
    if roster.startswith("All tools"):
        return [ANY]
    names = re.sub(r"\([^)]*\)", "", roster).split(", ")
    return [name for name in names if name not in ("", "None")]


def _beyond(names: Iterable[str], said: Grants) -> list[str]:
    """The tools among these that the agent is said not to have."""
    return [name for name in names if name != _NOT_A_TOOL and not _granted(name, said)]


def _granted(name: str, said: Grants) -> bool:
    if name == ANY:
        return said.everything_else > Approval.DENY
    document = parse_markdown(f"---\ntools: [{name}]\n---\n".encode(), "tool.md")
    tool = dialects()["claude"].enforced(document).rules[0].tool
    return max(said.approvals(tool)) > Approval.DENY
