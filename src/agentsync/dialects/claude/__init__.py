"""Claude Code: Markdown with YAML frontmatter, a list of tools, and a permission mode.

Facts: https://code.claude.com/docs/en/sub-agents, and the tool itself, version 2.1.329 (November 2026). Where
`CLAUDE_CONFIG_DIR` is set, it reads `$CLAUDE_CONFIG_DIR/agents` instead of the home's directory (seen); it ignores
XDG_CONFIG_HOME.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import Grants
from agentsync.agents.model import MODEL_ALIASES, Agent
from agentsync.agents.narrowing import WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Dialect, Kind, Moved, NameRule, Reading, Recognition, ToolLists, Writing, refused
from agentsync.dialects._kit.fields import (
    UNKNOWN_VENDOR,
    Fields,
    identity,
    known_vendor,
    losses,
    model_name,
    speaks,
    without_none,
)
from agentsync.dialects.claude.lists import denials
from agentsync.dialects.claude.permissions import (
    CAPABILITIES,
    KEYS,
    MEMORIES,
    PERMISSION_KEYS,
    check,
    denied_tools,
    enforced,
    intended,
    spell,
)
from agentsync.formats.document import Document
from agentsync.formats.frontmatter import format_markdown, parse_markdown

_COLORS: Final = ("red", "blue", "green", "yellow", "purple", "orange", "pink", "cyan")
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_VENDORS: Final = {"claude-": "anthropic"}

# Known keys that mean nothing to other tools.
_NATIVE: Final = frozenset(
    {"observer", "observerMessage", "observeToolResults", "observeSubagents", "omitClaudeMd", "autoCompactWindow"}
    | {"experimental", "experimental.cacheTtl"}
)
_MAX_NAME: Final = 256
_FENCES: Final = 2


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.INVALID_VALUE)
    name, description = fields.name(stem, required=True), fields.description(required=True)
    if name is None or description is None:
        return Reading(None, fields.diagnostics)
    check(fields)
    if refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    own = {key: document.metadata[key] for key in KEYS if fields.has(key)}
    if document.repaired and "disallowedTools" in own:
        own["disallowedTools"] = ", ".join(denials(own["disallowedTools"]))
    color = fields.text("color")
    if color is not None and color not in _COLORS:
        fields.report(Code.INVALID_VALUE, f"color `{color}` is not one of {', '.join(_COLORS)}", "color")
    values = {
        "model": _read_model(fields.text("model")),
        "effort": _read_effort(fields),
        "max_turns": fields.count("maxTurns"),
        "color": color,
        "skills": fields.names("skills"),
        "mcp_servers": fields.raw("mcpServers"),
        "hooks": fields.raw("hooks"),
        "memory": fields.text("memory", MEMORIES),
        "background": fields.flag("background"),
        "isolation": fields.text("isolation", ("worktree", "remote")),
        "initial_prompt": fields.text("initialPrompt"),
    }
    native, unknown = fields.rest(_NATIVE)
    agent = Agent.model_validate(
        {
            **identity(name, stem),
            **values,
            "description": description,
            "dialect": "claude",
            "prompt": document.body,
            "grants": intended(document.metadata),
            "own_permissions": own,
            "mode": "subagent",
            "native": native,
            "unknown": unknown,
        }
    )
    loads = "name" in document.metadata and _accepts_name(name)
    loads = loads and not fields.respelled and not _is_cut_short(document)
    return Reading(agent, fields.diagnostics, loads=loads)


def _is_cut_short(document: Document) -> bool:
    """Whether Claude Code would end the frontmatter early: it does so at any three dashes, even within a value."""
    return document.data.removesuffix(document.body.encode()).count(b"---") > _FENCES


def write(agent: Agent, options: WriteOptions) -> Writing:
    carried = _CARRIED | ({"mcp_servers", "hooks"} if speaks(agent, "claude") else frozenset())
    name, diagnostics = agent.name, losses(agent, "claude", carried)
    if not agent.description.strip():
        diagnostics.append(Diagnostic(Code.REFUSED_REQUIRED, "Claude Code needs a description"))
        return Writing(None, tuple(diagnostics))
    if not _accepts_name(name):
        diagnostics.append(Diagnostic(Code.NAME_CHANGED, f"{name!r} is called `{agent.slug}` here"))
        name = agent.slug
    own = agent.dialect == "claude"
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if not own:
        narrowed = narrow(agent.grants, CAPABILITIES, options)
        diagnostics += narrowed.diagnostics
        permissions, permission_diagnostics = spell(narrowed, remembers=agent.memory is not None)
        diagnostics += permission_diagnostics
    model, model_diagnostics = _write_model(agent, options)
    color, color_diagnostics = _write_color(agent)
    effort, effort_diagnostics = _write_effort(agent)
    metadata: dict[str, JsonValue] = {
        "name": name,
        "description": agent.description,
        **permissions,
        **without_none(
            {
                "model": model,
                "effort": effort,
                "maxTurns": agent.max_turns,
                "color": color,
                "skills": list(agent.skills) or None,
                "mcpServers": agent.mcp_servers if speaks(agent, "claude") else None,
                "hooks": agent.hooks if speaks(agent, "claude") else None,
                "memory": agent.memory,
                "background": agent.background,
                "isolation": agent.isolation,
                "initialPrompt": agent.initial_prompt,
            }
        ),
    }
    if speaks(agent, "claude"):
        metadata |= {**agent.native, **agent.unknown}
    return Writing(
        format_markdown(metadata, agent.prompt),
        (*diagnostics, *model_diagnostics, *color_diagnostics, *effort_diagnostics),
    )


_CARRIED: Final = frozenset(
    {"model", "effort", "max_turns", "color", "skills", "memory", "background", "isolation", "initial_prompt"}
)


def enforced_by(document: Document) -> Grants:
    return enforced(document.metadata)


def _read_effort(fields: Fields) -> str | int | None:
    value = fields.raw("effort")
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return fields.text("effort", _EFFORTS)


def _read_model(value: str | None) -> str | None:
    if value is None or value == "inherit":
        return None
    alias = f"anthropic/{value}"
    return alias if alias in MODEL_ALIASES else known_vendor(value, _VENDORS)


def _write_model(agent: Agent, options: WriteOptions) -> tuple[str | None, list[Diagnostic]]:
    """Claude Code takes any id of its vendor, so those need no table; it writes `inherit` itself."""
    if agent.dialect == "claude" and agent.model and agent.model.startswith(f"{UNKNOWN_VENDOR}/"):
        return agent.model.partition("/")[2], []
    model, diagnostics = model_name(agent, options, {}, lambda model: model.startswith("anthropic/"))
    return (model or "inherit").removeprefix("anthropic/"), diagnostics


def _write_color(agent: Agent) -> tuple[str | None, list[Diagnostic]]:
    if agent.color is None or agent.color in _COLORS or agent.dialect == "claude":
        return agent.color, []
    return None, [Diagnostic(Code.FIELD_LOST, f"color `{agent.color}` is not one of Claude Code's eight")]


def _write_effort(agent: Agent) -> tuple[str | int | None, list[Diagnostic]]:
    if not isinstance(agent.effort, str) or agent.effort in _EFFORTS or agent.dialect == "claude":
        return agent.effort, []
    return None, [
        Diagnostic(Code.FIELD_LOST, f"reasoning effort `{agent.effort}` is not a level that Claude Code accepts")
    ]


def _accepts_name(name: str) -> bool:
    return len(name) <= _MAX_NAME and ":" not in name and not name.startswith("-")


def score(document: Document) -> int:
    metadata = document.metadata
    own = ("permissionMode", "disallowedTools", "maxTurns", "mcpServers", "hooks", "memory", "isolation", "background")
    return (
        2 * ("name" in metadata and "description" in metadata)
        + 2 * isinstance(metadata.get("tools"), str | list)
        + 2 * (metadata.get("model") in ("opus", "sonnet", "haiku", "inherit"))
        + 2 * any(key in metadata for key in own)
        + 4 * any(key in metadata for key in ("permissionMode", "disallowedTools"))
        + (metadata.get("color") in _COLORS)
    )


DIALECT: Final = Dialect(
    name="claude",
    title="Claude Code",
    suffixes=(".md",),
    user_directory=".claude/agents",
    environment=(Moved("CLAUDE_CONFIG_DIR", ".claude"),),
    project_directories=(".claude/agents",),
    recursive=True,
    binaries=("claude",),
    version="2.1.329",
    source="https://code.claude.com/docs/en/sub-agents",
    parse=parse_markdown,
    score=score,
    reader=read,
    write=write,
    capabilities=CAPABILITIES,
    enforced=enforced_by,
    permission_keys=PERMISSION_KEYS,
    any_spelling=True,
    remedy="write `tools` or `disallowedTools`",
    guarded_tools=denied_tools,
    runs_hooks=True,
    carries=_CARRIED,
    lists=ToolLists(null="none", mistyped="none", denied="disallowedTools"),
    required=("name", "description"),
    names=NameRule(high=_MAX_NAME, slugs=False),
    # Most agents that are in no tool's directory are written as for Claude Code, as are some elsewhere in `.claude`.
    recognition=Recognition(
        anywhere=(".md",),
        is_default=True,
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
