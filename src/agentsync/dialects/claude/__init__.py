"""Claude Code: Markdown with YAML frontmatter, a list of tools, and a permission mode.

Facts: https://code.claude.com/docs/en/sub-agents, and the tool itself, version 2.1.332 (November 2026). Where
`CLAUDE_CONFIG_DIR` is set, it reads `$CLAUDE_CONFIG_DIR/agents` instead of the home's directory (seen); it ignores
XDG_CONFIG_HOME.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agentsync.agents.model import MODEL_ALIASES, Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition, Writing
from agentsync.dialects._kit.fields import Fields, speaks
from agentsync.dialects._kit.keys import Key, as_they_are
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.claude.hooks import malformed
from agentsync.dialects.claude.permissions import MEMORIES, PERMISSIONS
from agentsync.formats.document import Document

_COLORS: Final = as_they_are("red blue green yellow purple orange pink cyan")
_VENDOR: Final = "anthropic/"
# The models that the tool's own code names; some have an id with a date, too. It takes any other as well.
_MODELS: Final = (
    "fable-5-2 fable-5-1 fable-5 opus-5-5 opus-5 opus-4-8 opus-4-7 opus-4-6 opus-4-5 opus-4-1 opus-4-0 opus-4 "
    "sonnet-5-5 sonnet-5 sonnet-4-6 sonnet-4-5 sonnet-4-0 sonnet-4 haiku-5-5 haiku-4-5 "
    "3-7-sonnet 3-5-sonnet 3-5-haiku 3-opus 3-sonnet 3-haiku".split()
)
_LISTED: Final = re.compile(rf"{_VENDOR}claude-(?:{'|'.join(_MODELS)})(?:-20\d{{6}}|-latest)?")
_FENCES: Final = 2


@dataclass(frozen=True, slots=True)
class _Claude(TableDialect):
    """A loader that ends the frontmatter early."""

    def check(self, fields: Fields) -> None:
        """Refuse hooks that keep Claude Code from loading the agent; other tools get no call that these may guard."""
        if problem := malformed(fields.peek("hooks")):
            hint = "write `hooks` as `Event: [{matcher: Tool, hooks: [{type: command, command: ...}]}]`, or remove it"
            fields.refuse(f"Claude Code does not load the agent: {problem}", "hooks", hint)

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        """As `Dialect.write`; hooks are written as they are, wherever they are from."""
        if speaks(agent, self.name) and (problem := malformed(agent.hooks)):
            return Writing(None, (Diagnostic(Code.NOT_LOADED, f"Claude Code would not load the agent: {problem}"),))
        return TableDialect.write(self, agent, options)

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
        takes=lambda model: _LISTED.fullmatch(model) is not None,
        vendor=_VENDOR.removesuffix("/"),
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
    built_in=frozenset("Explore Plan claude general-purpose statusline-setup".split()),
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
