"""Claude Code: Markdown with YAML frontmatter, a list of tools, and a permission mode.

Facts: https://code.claude.com/docs/en/sub-agents, and the tool itself, version 2.1.329 (November 2026).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from agentsync.diagnostics import Code, Diagnostic
from agentsync.dialects import Dialect, Reading, Writing
from agentsync.dialects._fields import (
    UNKNOWN_VENDOR,
    Fields,
    identity,
    known_vendor,
    losses,
    model_name,
    without_none,
)
from agentsync.fitting import Fitted, Shape, WriteOptions, fit
from agentsync.frontmatter import Document, format_markdown, parse_markdown
from agentsync.model import MODEL_ALIASES, Agent
from agentsync.permissions import (
    ANY,
    CHANGING,
    EVERYTHING,
    MCP,
    NOTHING,
    OTHER,
    READING,
    UNTRANSLATED,
    Approval,
    Grants,
    Rule,
)

# The names that are read, among them those of earlier releases. Compared without case nowhere: Claude Code does not.
_TOOLS: Final = {
    "Read": "read",
    "NotebookRead": "read",
    "Write": "write",
    "Edit": "edit",
    "MultiEdit": "edit",
    "NotebookEdit": "notebook",
    "Bash": "bash",
    "BashOutput": "bash",
    "KillBash": "bash",
    "KillShell": "bash",
    "Grep": "grep",
    "Glob": "glob",
    "LS": "list",
    "LSP": "lsp",
    "WebFetch": "webfetch",
    "WebSearch": "websearch",
    "Agent": "task",
    "Task": "task",
    "TodoRead": "todo",
    "TodoWrite": "todo",
    "Skill": "skill",
    "AskUserQuestion": "question",
}

# The names that are written. LS is gone from the tool, and would be dropped in silence.
_UNITS: Final[dict[str, tuple[str, ...]]] = {
    "Read": ("read",),
    "Write": ("write",),
    "Edit": ("edit",),
    "NotebookEdit": ("notebook",),
    "Bash": ("bash",),
    "Grep": ("grep",),
    "Glob": ("glob",),
    "LSP": ("lsp",),
    "WebFetch": ("webfetch",),
    "WebSearch": ("websearch",),
    "Agent": ("task",),
    "TodoWrite": ("todo",),
    "Skill": ("skill",),
    "AskUserQuestion": ("question",),
}
_PATH_TOOLS: Final = frozenset({"read", "write", "edit", "notebook", "grep", "glob", "list"})

_COLORS: Final = ("red", "blue", "green", "yellow", "purple", "orange", "pink", "cyan")
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_MODES: Final = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "plan")
_VENDORS: Final = {"claude-": "anthropic"}

# Known keys that mean nothing to other tools.
_NATIVE: Final = frozenset(
    {"observer", "observerMessage", "observeToolResults", "observeSubagents", "omitClaudeMd", "autoCompactWindow"}
    | {"experimental", "experimental.cacheTtl"}
)
# Keys of other places, which an agent's reader ignores.
_IGNORED: Final = {"allowed-tools": "tools", "permission": "tools", "permissions": "tools"}
_PERMISSION_KEYS: Final = ("tools", "disallowedTools", "permissionMode")

_MAX_NAME: Final = 256
_FENCES: Final = 2


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.INVALID_VALUE)
    name, description = fields.name(stem, required=True), fields.description(required=True)
    if name is None or description is None:
        return Reading(None, fields.diagnostics)
    _check_tools(fields)
    own = {key: document.metadata[key] for key in _PERMISSION_KEYS if key in document.metadata}
    fields.text("permissionMode", _MODES)
    color = fields.text("color")
    if color is not None and color not in _COLORS:
        fields.tell(Code.INVALID_VALUE, f"color `{color}` is none of {', '.join(_COLORS)}", "color")
    values = {
        "model": _read_model(fields.text("model")),
        "effort": _read_effort(fields),
        "max_turns": fields.count("maxTurns"),
        "color": color,
        "skills": fields.names("skills"),
        "mcp_servers": fields.raw("mcpServers"),
        "hooks": fields.raw("hooks"),
        "memory": fields.text("memory", ("user", "project", "local")),
        "background": fields.flag("background"),
        "isolation": fields.text("isolation", ("worktree", "remote")),
        "initial_prompt": fields.text("initialPrompt"),
    }
    native, unknown = fields.rest(_NATIVE)
    agent = Agent.model_validate(
        {
            **identity(name),
            **values,
            "description": description,
            "dialect": "claude",
            "prompt": document.body,
            "grants": _grants(document, enforced=False),
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
    """Whether Claude Code would end the frontmatter early: it does at any three dashes, also within a value."""
    return document.data.removesuffix(document.body.encode()).count(b"---") > _FENCES


def write(agent: Agent, options: WriteOptions) -> Writing:
    name, found = agent.name, losses(agent, "claude", _CARRIED)
    if not agent.description.strip():
        found.append(Diagnostic(Code.REFUSED_REQUIRED, "Claude Code needs a description"))
        return Writing(None, tuple(found))
    if not _accepts_name(name):
        found.append(Diagnostic(Code.NAME_CHANGED, f"{name!r} is called `{agent.slug}` here"))
        name = agent.slug
    own = agent.dialect == "claude"
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if not own:
        fitted = fit(agent.grants, SHAPE, options)
        found += fitted.diagnostics
        permissions, permission_found = _permissions(fitted)
        found += permission_found
    model, model_found = _write_model(agent, options)
    color, color_found = _write_color(agent)
    effort, effort_found = _write_effort(agent)
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
                "mcpServers": agent.mcp_servers if own else None,
                "hooks": agent.hooks if own else None,
                "memory": agent.memory,
                "background": agent.background,
                "isolation": agent.isolation,
                "initialPrompt": agent.initial_prompt,
            }
        ),
    }
    if own:
        metadata |= {**agent.native, **agent.unknown}
    return Writing(format_markdown(metadata, agent.prompt), (*found, *model_found, *color_found, *effort_found))


_CARRIED: Final = ("effort", "max_turns", "color", "skills", "memory", "background", "isolation", "initial_prompt")


def enforced(document: Document) -> Grants:
    """What Claude Code lets the agent do.

    A list decides which tools there are and not with which arguments, so `Bash(git *)` counts as all of Bash.
    """
    return Grants((*_grants(document, enforced=True).rules, *SHAPE.denials))


def _grants(document: Document, *, enforced: bool) -> Grants:
    metadata = document.metadata
    rules = _listed(metadata["tools"], enforced=enforced) if "tools" in metadata else list(EVERYTHING.rules)
    rules = _under_mode(rules, metadata.get("permissionMode"))
    for tool, arguments in _specifiers(metadata.get("disallowedTools")):
        if not (enforced and arguments):
            # What is meant to be denied is denied whole where its arguments cannot be made out.
            name = _canonical(tool.removesuffix("("))
            rules += [Rule(name, Approval.DENY, argument) for argument in arguments or (ANY,)]
    return Grants(tuple(rules)) if rules else NOTHING


def _listed(value: JsonValue, *, enforced: bool) -> list[Rule]:
    specifiers = list(_specifiers(value))
    if any(name == ANY for name, _ in specifiers):
        return list(EVERYTHING.rules)
    rules: list[Rule] = []
    for name, arguments in specifiers:
        tool = _canonical(name)
        narrow = () if enforced and tool != "task" else arguments
        rules += [Rule(tool, Approval.SESSION, _argument(tool, argument)) for argument in narrow or (ANY,)]
    if any(rule.tool in _PATH_TOOLS for rule in rules):
        rules.append(Rule("external_directory", Approval.SESSION))
    return rules


def _under_mode(rules: list[Rule], mode: JsonValue) -> list[Rule]:
    """What a permission mode makes of the session's approval."""
    if mode in ("default", "dontAsk"):
        asking = [Rule(rule.tool, _asking(rule.tool), rule.argument) for rule in rules]
        free = [Rule(tool, Approval.SESSION) for tool in sorted(READING)] if rules == list(EVERYTHING.rules) else []
        return asking + free
    if mode == "acceptEdits":
        return rules + [
            Rule(tool, Approval.ALLOW) for tool in ("write", "edit", "notebook") if Grants(tuple(rules)).approval(tool)
        ]
    if mode == "bypassPermissions":
        return [Rule(rule.tool, Approval.ALLOW, rule.argument) for rule in rules]
    if mode == "plan":
        return rules + [Rule(tool, Approval.DENY) for tool in ("write", "edit", "notebook", "bash")]
    return rules


def _asking(tool: str) -> Approval:
    return Approval.SESSION if tool in READING else Approval.ASK


def _specifiers(value: JsonValue) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each `Tool` or `Tool(a, b)` of a list or of a string that is split outside parentheses.

    A parenthesis that is never closed stays part of the name, which is then no tool's.
    """
    texts = value if isinstance(value, list) else [value]
    for text in texts:
        if isinstance(text, str):
            for match in _SPECIFIER.finditer(text):
                if match["open"] and not match["close"]:
                    yield f"{match['name']}(", ()
                else:
                    arguments = match["arguments"] or ""
                    yield match["name"], tuple(part for item in arguments.split(",") if (part := item.strip()))


_SPECIFIER: Final = re.compile(r"(?P<name>[^\s,()]+)(?:(?P<open>\()(?P<arguments>[^)]*)(?P<close>\))?)?")
_AGENT_NAME: Final = re.compile(r"[^\s*?(),](?:[^*?(),]*[^\s*?(),])?")
_MCP_NAME: Final = re.compile(r"mcp__(?P<server>.+?)(?:__(?P<tool>.+))?")


def _canonical(name: str) -> str:
    if name in _TOOLS:
        return _TOOLS[name]
    if name == ANY:
        return ANY
    if match := _MCP_NAME.fullmatch(name):
        return f"{MCP}{match['server']}/{match['tool'] or ANY}"
    return OTHER + name


def _server_name(pattern: str) -> str | None:
    server, separator, tool = pattern.removeprefix(MCP).partition("/")
    return f"mcp__{server}__{tool}" if separator and ANY not in server else None


def _argument(tool: str, text: str) -> str:
    """An argument pattern in canonical form; only those of commands and of agents' names have one."""
    if tool == "task" or text == ANY:
        return text
    if tool == "bash" and "?" not in text:  # which stands for itself here
        return text.removesuffix(":*") + " *" if text.endswith(":*") else text
    return UNTRANSLATED + text


def _names_agents(tool: str, rules: tuple[Rule, ...]) -> bool:
    """Whether the rules only say which agents may be called, which `Agent(a, b)` can say too."""
    named = rules[1:] if rules[0].argument == ANY and not rules[0].approval else rules
    return (
        tool == "task"
        and bool(named)
        and len({rule.approval for rule in named}) == 1
        and all(rule.approval and _AGENT_NAME.fullmatch(rule.argument) for rule in named)
    )


SHAPE: Final = Shape(units=_UNITS, asks=CHANGING, server_name=_server_name, spells=_names_agents)


def _permissions(fitted: Fitted) -> tuple[dict[str, JsonValue], list[Diagnostic]]:
    levels = {**fitted.units, **fitted.servers}
    found: list[Diagnostic] = []
    closed = fitted.default is Approval.DENY
    if fitted.arguments and not closed:
        found.append(
            Diagnostic(Code.TOOL_LOST, "only a list can say which agents may be called, so it names the tools")
        )
        closed = True
    permissions: dict[str, JsonValue] = {}
    if closed:
        granted = [_spelled(name, fitted.arguments.get(name, ())) for name, level in levels.items() if level]
        permissions["tools"] = ", ".join(granted) if granted else []
    # A complete list needs no denials but those that cut a hole into a server's pattern.
    denied = [name for name, level in levels.items() if not level and not (closed and name in fitted.units)]
    if denied:
        permissions["disallowedTools"] = ", ".join(denied)
    freed = [f"`{name}`" for name, level in levels.items() if level is Approval.ALLOW and _changes(name)]
    if freed:
        message = f"allowed by the source, left to the user's own settings here: {', '.join(freed)}"
        found.append(Diagnostic(Code.APPROVAL_NARROWED, message))
    if Approval.ASK in {fitted.default, *levels.values()}:
        permissions["permissionMode"] = "default"
    return permissions, found


def _changes(name: str) -> bool:
    return not READING.issuperset(_UNITS.get(name, (name,)))


def _spelled(name: str, rules: tuple[Rule, ...]) -> str:
    arguments = ", ".join(rule.argument for rule in rules if rule.approval)
    return f"{name}({arguments})" if arguments else name


def _check_tools(fields: Fields) -> None:
    value = fields.raw("tools")
    if fields.has("tools") and (value is None or isinstance(value, dict)):
        kind = "a map" if value is not None else "nothing"
        fields.tell(Code.TOOLS_NONE, f"`tools` holds {kind}, which Claude Code reads as no tools at all", "tools")
    for key in ("tools", "disallowedTools"):
        for name, _ in _specifiers(fields.raw(key)):
            if name != ANY and _canonical(name).startswith(OTHER):
                fields.tell(Code.UNKNOWN_TOOL, f"Claude Code has no tool `{name}` and drops it", key)
    for key, meant in _IGNORED.items():
        if fields.has(key):
            fields.tell(Code.NO_EFFECT, f"an agent's `{key}` is ignored", key, hint=f"write `{meant}`")


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
    """Claude Code takes any id of its vendor, so those need no table; `inherit` is what it writes itself."""
    if agent.dialect == "claude" and agent.model and agent.model.startswith(f"{UNKNOWN_VENDOR}/"):
        return agent.model.partition("/")[2], []
    model, found = model_name(agent, options, {}, lambda model: model.startswith("anthropic/"))
    return (model or "inherit").removeprefix("anthropic/"), found


def _write_color(agent: Agent) -> tuple[str | None, list[Diagnostic]]:
    if agent.color is None or agent.color in _COLORS or agent.dialect == "claude":
        return agent.color, []
    return None, [Diagnostic(Code.FIELD_LOST, f"color `{agent.color}` is none of Claude Code's eight")]


def _write_effort(agent: Agent) -> tuple[str | int | None, list[Diagnostic]]:
    if not isinstance(agent.effort, str) or agent.effort in _EFFORTS or agent.dialect == "claude":
        return agent.effort, []
    return None, [Diagnostic(Code.FIELD_LOST, f"reasoning effort `{agent.effort}` is no level that Claude Code takes")]


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
        + (metadata.get("color") in _COLORS)
    )


DIALECT: Final = Dialect(
    name="claude",
    title="Claude Code",
    suffix=".md",
    user_directory=".claude/agents",
    project_directories=(".claude/agents",),
    recursive=True,
    binaries=("claude",),
    version="2.1.329",
    source="https://code.claude.com/docs/en/sub-agents",
    parse=parse_markdown,
    score=score,
    read=read,
    write=write,
    shape=SHAPE,
    enforced=enforced,
)
