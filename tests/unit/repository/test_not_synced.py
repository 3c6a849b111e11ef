"""What a repository has for tools beside agents, which is counted by kind."""

from __future__ import annotations

import pytest

from agentsync.cli.wording import not_synced_line
from agentsync.dialects import Kind
from agentsync.git.objects import Entry
from agentsync.repository.not_synced import totals
from agentsync.repository.selection import Selection, select


def counts(*paths: str, selection: Selection | None = None) -> dict[Kind, int]:
    return {**select([Entry(path, "100644", path, 1) for path in paths], selection or Selection()).not_synced}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("skills/review/SKILL.md", Kind.SKILL),
        (".claude/skills/review/SKILL.md", Kind.SKILL),
        (".claude/commands/agents/health.md", Kind.COMMAND),
        (".gemini/commands/x.toml", Kind.COMMAND),
        (".github/prompts/x.prompt.md", Kind.COMMAND),
        ("AGENTS.md", Kind.RULE),
        ("web/CLAUDE.md", Kind.RULE),
        (".cursor/rules/x.mdc", Kind.RULE),
        (".kiro/steering/x.md", Kind.RULE),
        (".mcp.json", Kind.MCP),
        (".vscode/mcp.json", Kind.MCP),
        (".claude/settings.json", Kind.SETTINGS),
        (".codex/config.toml", Kind.SETTINGS),
        ("opencode.json", Kind.SETTINGS),
        ("plugins/a/.claude-plugin/plugin.json", Kind.PLUGIN),
    ],
)
def test_what_tools_read_beside_agents_is_counted(path: str, kind: Kind) -> None:
    assert counts(path) == {kind: 1}


@pytest.mark.parametrize(
    "path",
    [
        ".claude/agents/x.md",
        "agents/planner/AGENTS.md",
        "skills/review/references/x.md",
        "skills/review/prompts/x.md",
        "docs/commands/build.md",
        "src/commands/build.ts",
        ".claude/commands/README.md",
        "node_modules/a/AGENTS.md",
        "tests/fixtures/a/AGENTS.md",
        "package.json",
    ],
)
def test_other_files_are_not(path: str) -> None:
    assert counts(path) == {}


def test_commands_are_those_beside_agents_or_skills() -> None:
    assert counts("plugins/a/commands/x.md", "plugins/a/agents/y.md", "plugins/b/commands/z.md") == {Kind.COMMAND: 1}
    assert counts("docs/prompts/x.md", "docs/agents/y.md") == {}


def test_only_the_files_of_the_source_count() -> None:
    paths = ("a/AGENTS.md", "a/old/AGENTS.md", "b/AGENTS.md")
    assert counts(*paths, selection=Selection(subfolder="a", exclude=("old/",))) == {Kind.RULE: 1}


def test_the_kinds_are_listed_in_one_line() -> None:
    added = totals([{Kind.COMMAND: 1}, {Kind.SKILL: 40, Kind.MCP: 2}, {Kind.SKILL: 1}])
    assert not_synced_line(added) == "not synced: 41 skills, 1 command, 2 MCP files"
    assert not_synced_line({}) == ""
