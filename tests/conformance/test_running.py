"""The tools that running agents have in hand, by the requests that Claude Code and Copilot send to their model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from agentsync.agents.grants import Approval
from conformance import facts, proof, running, selection
from conformance.access import FETCH, FIND, GREP, SEARCH, SHELL, gains, losses
from conformance.reported import ABLE, keys_of, reported
from conformance.reported import in_hand as access_in_hand
from conformance.running import InHand
from conformance.sync import Synced

RUN = ("claude", "copilot")
InHandOf = Callable[[str, str], Mapping[str, InHand]]

# Claude Code drops what the shell can do as well, and Copilot offers nothing of the web where it is offline.
_BY_SHELL = {"claude": {FIND, GREP}}
_NOT_SHOWN = {"copilot": {FETCH, SEARCH}}


@pytest.mark.parametrize("repository", selection.SAMPLED)
@pytest.mark.parametrize("tool", RUN)
def test_a_running_agent_has_no_tool_that_its_author_does_not_give(
    tool: str, repository: str, synced: Callable[[str], Synced], in_hand: InHandOf
) -> None:
    authors, written = proof.authors(synced(repository), tool, repository), synced(repository).written(tool)
    for file, found in in_hand(tool, repository).items():
        if file in authors:
            able = proof.able(tool, keys_of(tool, written[file].path.read_bytes()))
            wider = [*gains(authors[file].access, access_in_hand(tool, found.tools), able)]
            assert wider == [], (file, found)


@pytest.mark.parametrize("repository", selection.SAMPLED)
@pytest.mark.parametrize("tool", RUN)
def test_a_running_agent_has_what_its_file_gives(
    tool: str, repository: str, synced: Callable[[str], Synced], in_hand: InHandOf
) -> None:
    written = synced(repository).written(tool)
    for file, found in in_hand(tool, repository).items():
        given = reported(tool, keys_of(tool, written[file].path.read_bytes()))
        has = access_in_hand(tool, found.tools)
        able = ABLE[tool] - _NOT_SHOWN.get(tool, set()) - (_BY_SHELL.get(tool, set()) if has.has(SHELL) else set())
        # It starts no agent that has nothing.
        assert not found.error or "zero tools" in found.error, (file, found)
        assert losses([ability for ability in able if given.has(ability)], has, able) == [], (file, found)


@pytest.mark.parametrize("repository", selection.SAMPLED)
def test_claude_code_gives_a_running_agent_no_tool_beyond_the_intended_ones(
    repository: str, synced: Callable[[str], Synced], in_hand: InHandOf
) -> None:
    written = synced(repository).written("claude")
    for file, found in in_hand("claude", repository).items():
        enforced = written[file].enforced
        assert facts.beyond(found.tools, enforced) == [], (file, found)
        assert "Read" in found.tools or max(enforced.approvals("read")) is Approval.DENY, (file, found)


def test_servers_tools_arrive_as_they_are_named(synced: Callable[[str], Synced], in_hand: InHandOf) -> None:
    named: dict[str, set[str]] = {}
    for file, written in synced("public").written("claude").items():
        listed = str(keys_of("claude", written.path.read_bytes()).get("tools", ""))
        named[file] = set(re.findall(r"\bmcp__[A-Za-z0-9_-]+__[A-Za-z0-9_-]+(?![*\w-])", listed))

    found = in_hand("claude", "public")

    restricted = {file: one for file, one in found.items() if named[file]}
    assert restricted
    for file, one in restricted.items():
        assert named[file] <= set(one.tools), (file, one)
        assert "mcp__elsewhere__unlisted_tool" not in one.tools


# Each restriction of servers' tools that Claude Code knows, and some that it does not, with the tools that it leaves.
_CALLS = frozenset(f"mcp__{server}__{tool}" for server in ("tracker", "other") for tool in ("get_a", "get_b"))
_OF_TRACKER = frozenset(call for call in _CALLS if "tracker" in call)
_SERVER_LISTS: Mapping[str, frozenset[str]] = {
    "tools: [Read, mcp__tracker__get_a]": frozenset({"mcp__tracker__get_a"}),
    **dict.fromkeys(("tools: [Read, mcp__tracker]", "tools: [Read, mcp__tracker__*]"), _OF_TRACKER),
    **dict.fromkeys(
        (
            *("tools: [Read, mcp__tr*]", "tools: [Read, mcp__*]", "tools: [Read, mcp__*__get_a]"),
            *("tools: [Read, mcp__tracker__get_*]", "tools: [Read, mcp__tracker__get_?]", "tools: [Read]"),
        ),
        frozenset(),
    ),
    "disallowedTools: [mcp__tracker]": _CALLS - _OF_TRACKER,
    "disallowedTools: [mcp__tracker__get_a]": _CALLS - {"mcp__tracker__get_a"},
    "disallowedTools: [mcp__*]": frozenset(),
    "disallowedTools: [Bash]": _CALLS,
}


def test_what_each_list_of_servers_tools_gives_in_claude_code(
    tools: Path, tmp_path: Path, ask: Callable[[str], object]
) -> None:
    ask("claude")
    files = _agents(tmp_path, list(_SERVER_LISTS))

    found = running.of_claude(tools, files, {"tracker": ["get_a", "get_b"], "other": ["get_a", "get_b"]})

    given = zip(_SERVER_LISTS, (_CALLS & set(found[name].tools) for name in files), strict=True)
    assert dict(given) == _SERVER_LISTS


def test_what_each_name_gives_in_copilot(tools: Path, tmp_path: Path, ask: Callable[[str], object]) -> None:
    ask("copilot")
    names = ("grep", "glob", "search", "create", "edit", "shell(git:*)")
    files = _agents(tmp_path, [f"tools: ['{name}']" for name in names])

    found = running.of("copilot", tools, files)

    given = {name: set(found[f"agent-{number}"].tools) - {"skill", "sql"} for number, name in enumerate(names)}
    assert given == {
        "grep": {"grep"},
        "glob": {"glob"},
        "search": {"grep", "glob"},
        "create": {"create"},
        "edit": {"create", "edit"},
        "shell(git:*)": set(),
    }


def _agents(directory: Path, keys: Sequence[str]) -> dict[str, Path]:
    """Agents with each of these keys, by name."""
    files = {f"agent-{number}": directory / f"agent-{number}.md" for number in range(len(keys))}
    for (name, file), line in zip(files.items(), keys, strict=True):
        file.write_text(f"---\nname: {name}\ndescription: d\n{line}\n---\nReview changes.\n", encoding="utf-8")
    return files
