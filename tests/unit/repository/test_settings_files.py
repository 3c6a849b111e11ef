"""Agents in the settings of tools: each becomes a file of its own, with the files that it takes in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest

from agentsync.core.codes import Code
from agentsync.git.objects import Entry
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from agentsync.repository.selection import Selection, select
from agentsync.repository.settings_files import Extracted, extract_agents

REVIEWER = b'{"agent": {"reviewer": {"description": "Reviews.", "permission": {"edit": "deny"}, "prompt": "%s"}}}'


def extracted(files: Mapping[str, bytes], selection: Selection | None = None) -> Extracted:
    tree = {path: Entry(path, "100644", path, len(data)) for path, data in files.items()}

    def read(entries: Sequence[Entry]) -> Iterator[bytes]:
        return (files[entry.path] for entry in entries)

    selected = select([*tree.values()], selection or Selection())
    return extract_agents(selected.entries, tree, read)


def agents(files: Mapping[str, bytes]) -> dict[str, ReadAgent]:
    """The agents of these files, by path; there must be no diagnostic."""
    result = extracted(files)
    assert not result.diagnostics
    read = {one.path: read_agent(one.path, result.contents.get(one.blob) or files[one.path]) for one in result.entries}
    return {path: one for path, one in read.items() if isinstance(one, ReadAgent)}


@pytest.mark.parametrize("path", ["opencode.json", "sub/opencode.jsonc"])
def test_an_agent_in_settings_is_read_with_its_permissions(path: str) -> None:
    comments = (
        b'// Agents, "of the team" /* and */\n' + REVIEWER.replace(b"}}}", b"},/* x */},}\n// end") % b"Review // it."
    )
    (read,) = agents({path: comments}).values()
    assert (read.agent.name, read.dialect.name, read.agent.prompt.strip()) == ("reviewer", "opencode", "Review // it.")
    assert read.agent.own_permissions == {"permission": {"edit": "deny"}}
    assert read.passes_through


def test_instructions_in_another_file_are_taken_in() -> None:
    files = {
        "a/opencode.json": REVIEWER % b"{file:./prompts/review.txt} Be brief.",
        "a/prompts/review.txt": b"Review.\n",
    }
    (read,) = agents(files).values()
    assert read.agent.prompt.strip() == "Review. Be brief."


@pytest.mark.parametrize("part", ["missing.md", "../../secret.md", "/etc/passwd", "~/x.md"])
def test_an_agent_without_its_instructions_is_refused(part: str) -> None:
    result = extracted({"a/opencode.json": REVIEWER % b"{file:%s}" % part.encode(), "prompts/missing.md": b"x"})
    assert result.entries == []
    assert [(one.code, one.path) for one in result.diagnostics] == [(Code.PART_MISSING, "a/opencode.json:reviewer")]


def test_what_takes_in_too_much_is_refused_before_it_is_made() -> None:
    """One file may be taken in a hundred thousand times, and each of many agents may take in large ones."""
    repeated = {"opencode.json": REVIEWER % (b"{file:./x.md}" * 60_000), "x.md": b"x" * 500_000}
    result = extracted(repeated)
    assert result.contents == {}
    assert [(one.code, one.path) for one in result.diagnostics] == [(Code.TOO_LARGE, "opencode.json:reviewer")]
    names = [f"a{number}" for number in range(30)]
    parts = {f"{name}.md": name.encode() * 200_000 for name in names}
    listed = {name: {"description": "d", "prompt": f"{{file:./{name}.md}}"} for name in names}
    result = extracted({"opencode.json": json.dumps({"agent": listed}).encode(), **parts})
    assert 5 <= len(result.contents) < len(names)
    assert {one.code for one in result.diagnostics} == {Code.TOO_LARGE}
    assert len(result.contents) + len(result.diagnostics) == len(names)
    settings = {f"{name}/opencode.json": REVIEWER % (b"x" * 1_000_000) for name in names[:9]}
    result = extracted(settings)
    assert result.entries == []
    assert [(one.code, one.path) for one in result.diagnostics] == [(Code.TOO_LARGE, path) for path in sorted(settings)]


def test_a_role_is_one_agent_with_its_file() -> None:
    config = b'model = "gpt-6"\n[agents]\nmax_threads = 3\n[agents.reviewer]\ndescription = "Reviews."\n'
    config += b'config_file = "agents/review.toml"\n[agents.bare]\ndescription = "No instructions."\n'
    role = b'sandbox_mode = "read-only"\ndeveloper_instructions = "Review."\n'
    ((path, read),) = agents({".codex/config.toml": config, ".codex/agents/review.toml": role}).items()
    assert (path, read.agent.name, read.dialect.name) == (".codex/config.toml:reviewer", "reviewer", "codex")
    assert read.agent.own_permissions == {"sandbox_mode": "read-only"}
    assert read.agent.prompt.strip() == "Review."


def test_settings_without_agents_are_no_agents_and_no_errors() -> None:
    built_in = REVIEWER.replace(b"reviewer", b"build") % b"Build."
    changed = b'{"agent": {"reviewer": {"model": "a/b"}}}'
    for data in (b'{"theme": "x"}', b'{"agent": []}', built_in, changed):
        assert extracted({"opencode.json": data}) == Extracted([])
    (problem,) = extracted({"opencode.json": b"{"}).diagnostics
    assert problem.code is Code.NOT_AN_AGENT
    unnamed = REVIEWER.replace(b"reviewer", b"my reviewer") % b"Review."
    assert [one.code for one in extracted({"opencode.json": unnamed}).diagnostics] == [Code.NAME_UNSAFE]


def test_settings_are_not_read_where_all_files_are_said_to_be_another_tools() -> None:
    for selection in (Selection(dialects=(("**", "claude"),)), Selection(exclude=("*.json",))):
        assert extracted({"opencode.json": REVIEWER % b"Review."}, selection) == Extracted([])
