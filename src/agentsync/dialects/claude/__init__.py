"""Claude Code: Markdown with YAML frontmatter, a list of tools, and a permission mode.

Facts: https://code.claude.com/docs/en/sub-agents, and the tool itself, version 2.1.332 (November 2026). Where
`CLAUDE_CONFIG_DIR` is set, it reads `$CLAUDE_CONFIG_DIR/agents` instead of the home's directory (seen); it ignores
XDG_CONFIG_HOME.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agentsync.agents.model import MODEL_ALIASES
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition
from agentsync.dialects._kit.keys import Key, as_they_are
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.claude.permissions import MEMORIES, PERMISSIONS
from agentsync.formats.document import Document

_COLORS: Final = as_they_are("red blue green yellow purple orange pink cyan")
_VENDOR: Final = "anthropic/"
_FENCES: Final = 2


@dataclass(frozen=True, slots=True)
class _Claude(TableDialect):
    """A loader that ends the frontmatter early."""

    def loads(self, document: Document) -> bool:
        """Whether Claude Code finds the same keys: it ends the frontmatter at any three dashes, even within a value."""
        return document.data.removesuffix(document.body.encode()).count(b"---") <= _FENCES


_CLAUDE: Final = _Claude(
    name="claude",
    title="Claude Code",
    permissions=PERMISSIONS,
    keys={
        "effort": Key("effort", "level", words=as_they_are("low medium high xhigh max")),
        "max_turns": Key("maxTurns", "count"),
        "color": Key("color", words=_COLORS, keeps=True),
        "skills": Key("skills", "names"),
        "mcp_servers": Key("mcpServers", "any"),
        "hooks": Key("hooks", "any"),
        "memory": Key("memory", words=as_they_are(" ".join(MEMORIES))),
        "background": Key("background", "flag"),
        "isolation": Key("isolation", words=as_they_are("worktree remote")),
        "initial_prompt": Key("initialPrompt"),
    },
    models=Models(
        inherit="inherit",
        vendors={"claude-": "anthropic"},
        names={model: model.removeprefix(_VENDOR) for model in sorted(MODEL_ALIASES)},
        takes=lambda model: model.startswith(_VENDOR),  # any id of its vendor
        opaque="/",
    ),
    own=frozenset({"mcp_servers", "hooks"}),
    native=frozenset(
        {"observer", "observerMessage", "observeToolResults", "observeSubagents", "omitClaudeMd", "autoCompactWindow"}
        | {"experimental", "experimental.cacheTtl"}
    ),
    names=NameRule(slugs=False, pattern="(?!-)[^:]*"),
    runs_hooks=True,
)


DIALECT: Final = _CLAUDE.dialect(
    user_directory=".claude/agents",
    project_directories=(".claude/agents",),
    recursive=True,
    binaries=("claude",),
    version="2.1.332",
    source="https://code.claude.com/docs/en/sub-agents",
    environment=(Moved("CLAUDE_CONFIG_DIR", ".claude"),),
    # Most agents that are in no tool's directory are written as for Claude Code, as are some elsewhere in `.claude`.
    recognition=Recognition(
        anywhere=(".md",),
        prior=3,
        other_stems=("claude",),
        other_directories=(),
        not_synced={
            Kind.RULE: ("/CLAUDE.local.md", "/.claude/rules/"),
            Kind.MCP: ("/.mcp.json",),
            Kind.SETTINGS: ("/.claude/settings.json", "/.claude/settings.local.json"),
            Kind.PLUGIN: ("/.claude-plugin/plugin.json",),
        },
    ),
)
