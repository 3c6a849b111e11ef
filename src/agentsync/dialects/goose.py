"""goose: Markdown with YAML frontmatter, where only a name, a description and a model count.

Facts: https://goose-docs.ai/docs/guides/context-engineering/subagents, and the tool itself, version 1.52.0 (November
2026). An agent gets all extensions of the session that calls it and runs them without asking; no key changes that. So
an agent that restricts anything is refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from agentsync.agents.grants import EVERYTHING, Grants, wider
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, narrow, upper_bound
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition, Review, ToolLists
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import ToolNames
from agentsync.formats.document import Document

# Tools of a session's extensions. An agent cannot call others, and none is for notebooks or language servers.
_TOOLS: Final = ToolNames(
    written={
        "shell": ("bash",),
        "write": ("write",),
        "edit": ("edit",),
        "read": ("read",),
        "tree": ("list",),
        "search": ("grep", "glob"),
        "web": ("webfetch", "websearch"),
        "todo": ("todo",),
        "load_skill": ("skill",),
        "elicitation": ("question",),
    }
)

_FENCES: Final = 2


@dataclass(frozen=True, slots=True)
class _Goose(TableDialect):
    """A table dialect whose files are split at dashes."""

    def loads(self, document: Document) -> bool:
        # goose splits the file at every three dashes, even within a value of the frontmatter.
        return document.data.removesuffix(document.body.encode()).count(b"---") == _FENCES


@dataclass(frozen=True)
class _Unrestricted(ToolList):
    """A tool that restricts nothing."""

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        # goose never asks within an agent, so a call that needs approval counts as denied here.
        allowed = upper_bound(agent.grants, self.capabilities, replace(options, strict_approval=True, approval="ask"))
        if widening := wider(Grants((*EVERYTHING.rules, *self.capabilities.denials)), allowed):
            message = f"goose cannot restrict an agent: {widening}"
            return {}, [Diagnostic(Code.REFUSED_WIDER, message)]
        return {}, list(narrow(agent.grants, self.capabilities, options).diagnostics)


_GOOSE: Final = _Goose(
    name="goose",
    title="goose",
    permissions=_Unrestricted(_TOOLS, ToolLists(empty="all"), tools_key="").codec,
    keys={},
    # Ids of the session's provider; one with a slash is a gateway's.
    models=Models(vendors={"claude-": "anthropic", "gpt-": "openai", "gemini-": "google"}, opaque="/"),
    required=("name",),
    names=NameRule(slugs=False),
)


DIALECT: Final = _GOOSE.dialect(
    user_directory=".config/goose/agents",
    project_directories=(".goose/agents",),
    binaries=("goose",),
    review=Review(
        restricted_by="nothing",
        handling="an agent with any restriction or approval is refused",
    ),
    version="1.52.0",
    source="https://goose-docs.ai/docs/guides/context-engineering/subagents",
    # Both were observed; the former takes precedence.
    environment=(Moved("GOOSE_PATH_ROOT", ".config/goose", "config"), Moved("XDG_CONFIG_HOME", ".config")),
    also_reads=("antigravity", "claude"),
    notice="it offers agents in the mode `auto` only, and asks for nothing that they do",
    recognition=Recognition(
        not_synced={Kind.RULE: ("/.goosehints",)},
    ),
)
