"""Grants in Vibe's lists of tools and `[tools.NAME]` tables: reading and writing.

Two kinds of agent have the same keys. A subagent has five tools, no servers and no web, and both the session and the
agent have to allow each of its calls. An agent that users start themselves has all tools of the session, and its tables
may allow calls for which the session would ask.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, MCP, UNTRANSLATED, Approval, Grants, Rule
from agentsync.agents.key_effects import is_off, restricts
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.harmless import is_within_project
from agentsync.dialects._kit.intent import excepted, intended_by, known_as
from agentsync.dialects._kit.permission_codec import PermissionCodec, Permissions
from agentsync.dialects._kit.tool_names import listed
from agentsync.formats.document import Document

_SHELLS: Final = ("bash", "git_bash", "powershell")  # the machine decides which of them exists
_OWN: Final = {
    "read_file": "read",
    "write_file": "write",
    "edit": "edit",
    "skill": "skill",
    **dict.fromkeys(_SHELLS, "bash"),
}
_OTHERS: Final = {"web_fetch": "webfetch", "web_search": "websearch", "todo": "todo", "ask_user_question": "question"}
_KNOWN: Final = {*_OWN, *_OTHERS, "grep", "task"}  # the last two do nothing in this release
_MATCHING: Final = re.compile(r"re:.*|[\w*?\[\]!-]+", re.DOTALL)
"""Text that may match the name of a tool; anything else is not a name or pattern of Vibe's."""

_TAKING_PATHS: Final = frozenset({"read", "write", "edit"})
_SIGNS: Final = ("*", "?", "[", ":")  # of patterns, and of `vibe-path:`

_LEVELS: Final = {"always": Approval.ALLOW, "ask": Approval.ASK, "never": Approval.DENY}

# A subagent has no other tools, so no others can ask.
_CAPABILITIES: Final = Capabilities(
    units={"read_file": ("read",), "write_file": ("write",), "edit": ("edit",), "bash": ("bash",), "skill": ("skill",)},
    asks=CHANGING | {"read", "skill"},
    overwrites=True,
)

_KEYS: Final = (
    *("enabled_tools", "disabled_tools", "base_disabled", "tools", "outside_workdir"),
    *("enabled_skills", "disabled_skills", "bypass_tool_permissions"),
)


def _enforced(document: Document) -> Grants:
    """The widest grants that Vibe lets through: an unclear pattern counts as matching where it grants."""
    return Grants(tuple(_rules(document.metadata, intended=False)))


def _intended(metadata: Mapping[str, JsonValue]) -> Grants:
    """The grants that the author of these keys intended."""
    rules = _rules(metadata, intended=True)
    rules = [*rules, *_by_other_names(metadata, rules)]
    rules += [
        rule
        for name, table in _tables(metadata)
        for tool in _tools_of(name)
        for rule in _partial_restrictions(tool, table)
    ]
    rules += _skills(metadata, min(Grants(tuple(rules)).approvals("skill")))
    return Grants(tuple(rules))


def _by_other_names(metadata: Mapping[str, JsonValue], rules: Sequence[Rule]) -> Iterator[Rule]:
    """Restrictions by a name that is not one of Vibe's own: a name from another tool, or of a server's tool."""
    least = min((rule.approval for rule in rules if rule.tool.startswith(MCP)), default=Approval.DENY)
    for name, table in _tables(metadata):
        level = _declared_level(table, intended=True)
        if name.lower() not in _KNOWN and level is not None and level < Approval.SESSION:
            yield from (Rule(tool, Approval.DENY) for tool in known_as(name))
            yield Rule(MCP + name, min(level, least))
    for name in (name for key in ("disabled_tools", "base_disabled") for name in listed(metadata.get(key))):
        if name.lower() not in _KNOWN:
            tools = known_as(name) or (() if _MATCHING.fullmatch(name) else intended_by(name))
            yield from (Rule(tool, Approval.DENY) for tool in tools)


def _own(fields: Fields, _keys: frozenset[str]) -> dict[str, JsonValue]:
    """The keys for writing the agent again; a list under its old name joins the other, as when Vibe rewrites it."""
    own = {key: fields.raw(key) for key in _KEYS if fields.has(key)}
    if old := [*listed(own.pop("base_disabled", None))]:
        own["disabled_tools"] = list[JsonValue]([*listed(own.get("disabled_tools")), *old])
    return own


def _check(fields: Fields) -> None:
    """Report values that Vibe refuses, and values that it reads differently than they look."""
    metadata = fields.metadata
    for key in ("enabled_tools", "disabled_tools", "enabled_skills", "disabled_skills"):
        value = fields.raw(key)
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            fields.report(Code.WRONG_TYPE, f"`{key}` must be a list of names; Vibe does not take the agent", key)
    if metadata.get("enabled_tools") == []:
        message = "`enabled_tools` names no tool, which Vibe reads as every tool there is"
        fields.report(Code.NO_EFFECT, message, "enabled_tools", hint='write `disabled_tools = ["*"]`')
    fields.text("outside_workdir", ("ask", "deny"))
    fields.flag("bypass_tool_permissions")
    _check_names(fields, metadata)
    for name, table in _tables(metadata):
        level = table if isinstance(table, str) else table.get("permission", "ask")
        if not isinstance(table, dict) or level not in _LEVELS:
            message = f"Vibe does not read `{level}` as the permission of `{name}`, so the session decides"
            hint = f'write `permission = "always"`, "ask" or "never" under `[tools.{name}]`'
            fields.report(Code.NO_EFFECT, message, "tools", hint=hint)
    if not isinstance(metadata.get("tools", {}), dict):
        fields.report(Code.WRONG_TYPE, "`tools` must be a table for each tool; Vibe does not take the agent", "tools")


def _check_names(fields: Fields, metadata: Mapping[str, JsonValue]) -> None:
    """Report each plain name that is not a tool of Vibe's and cannot be a server's."""
    for key in ("enabled_tools", "disabled_tools"):
        for name in listed(metadata.get(key)):
            if _may_name_server(name) and name.isalpha():
                fields.report(Code.UNKNOWN_TOOL, f"Vibe has no tool `{name}` and drops it", key)
    for name, _ in _tables(metadata):
        if name not in _KNOWN and (name.lower() in _KNOWN or name.isalpha()):
            fields.report(Code.UNKNOWN_TOOL, f"Vibe has no tool `{name}`, so nothing reads `[tools.{name}]`", "tools")


def _rules(metadata: Mapping[str, JsonValue], *, intended: bool) -> list[Rule]:
    primary = metadata.get("agent_type") != "subagent"
    enabled = [*listed(metadata.get("enabled_tools"))]
    excluded: list[str] = []
    if intended:
        enabled, excluded = excepted(enabled)
    nothing = intended and not enabled and "enabled_tools" in metadata
    names = {} if nothing else {**_OWN, **_OTHERS} if primary else _OWN
    disabled = [*listed(metadata.get("disabled_tools")), *listed(metadata.get("base_disabled")), *excluded]
    # Only one of the shells exists, and it is unknown which: denying any of them may have denied the shell.
    synonyms = {tool: [tool, *(name for name in names if names[name] == tool)] for tool in names.values()}
    levels: dict[str, Approval] = {}
    available = set()
    for name, tool in names.items():
        if enabled and not _covers(enabled, name, unclear=not intended):
            continue
        if any(_covers(disabled, other, unclear=intended) for other in (synonyms[tool] if intended else [name])):
            continue
        available.add(name)
        level = _level(metadata, name, primary=primary, intended=intended)
        levels[tool] = (min if intended else max)(level, levels.get(tool, level))
    rules = _servers(enabled, disabled, intended=intended) if primary and not nothing else []
    if primary and not intended:
        rules += _always(metadata, enabled, disabled)
    rules += [Rule(tool, level) for tool, level in levels.items()]
    if primary:
        rules.append(Rule("task", Approval.SESSION))  # no list takes it away
    if metadata.get("bypass_tool_permissions") is True and primary:
        rules = [Rule(rule.tool, Approval.ALLOW if rule.approval else rule.approval) for rule in rules]
    rules.append(Rule("external_directory", _outside(metadata, intended=intended)))
    return rules if intended or not primary else [*rules, *_let_through(metadata, available)]


def _let_through(metadata: Mapping[str, JsonValue], available: Collection[str]) -> Iterator[Rule]:
    """The calls that an allow list lets run without asking, even where its tool is never allowed.

    A shell takes the first words of a command, and the tools for files a path or a pattern, also of paths outside the
    project. A pattern may match anything here.
    """
    for name, table in _tables(metadata):
        tool = _OWN.get(name)
        if name not in available or tool not in _TAKING_PATHS | {"bash"} or not isinstance(table, dict):
            continue
        for entry in listed(table.get("allowlist")):
            is_plain = not any(sign in entry for sign in _SIGNS)
            arguments = (ANY,) if not is_plain else (entry, f"{entry} *") if tool == "bash" else (entry,)
            yield from (Rule(tool, Approval.ALLOW, argument) for argument in arguments)
            if tool in _TAKING_PATHS and (entry[:1] in _SIGNS or not is_within_project(entry)):
                yield Rule("external_directory", Approval.ALLOW)


def _level(metadata: Mapping[str, JsonValue], name: str, *, primary: bool, intended: bool) -> Approval:
    tables = [table for key, table in _tables(metadata) if name == (key.lower() if intended else key)]
    levels = [level for table in tables if (level := _declared_level(table, intended=intended)) is not None]
    if not levels:
        return Approval.SESSION
    level = min(levels)
    has_exceptions = any(isinstance(table, dict) and table.get("allowlist") for table in tables)
    if level is Approval.DENY and primary and not intended and has_exceptions:
        return Approval.SESSION  # agents that users start may except files there
    return level if primary else min(level, Approval.SESSION)


def _declared_level(table: str | Mapping[str, JsonValue], *, intended: bool) -> Approval | None:
    """The approval that a table declares for its tool; None where it declares none."""
    if isinstance(table, str):
        permission: JsonValue = table if intended else None
    else:
        permission = table.get("permission")
        if intended and (is_off(table.get("enabled", True)) or not is_off(table.get("disabled"))):
            return Approval.DENY
    if permission is None or str(permission) in _LEVELS:
        return None if permission is None else _LEVELS[str(permission)]
    refuses = str(permission).lower() in ("never", "deny", "denied", "none", "off", "false")
    return (Approval.DENY if refuses else Approval.ASK) if intended else None


def _outside(metadata: Mapping[str, JsonValue], *, intended: bool) -> Approval:
    tables = [table for _, table in _tables(metadata) if isinstance(table, dict)]
    own = {str(table["outside_workdir"]) for table in tables if "outside_workdir" in table}
    denied = metadata.get("outside_workdir") == "deny"
    return Approval.DENY if (denied and (intended or not own)) or (intended and "deny" in own) else Approval.SESSION


def _servers(enabled: Iterable[str], disabled: Iterable[str], *, intended: bool) -> list[Rule]:
    """The rules of the lists for tools of MCP servers; their names join server and tool."""
    clear = [*filter(_is_clear, enabled)]
    rules = [Rule(MCP + pattern, Approval.SESSION) for pattern in clear if _may_name_server(pattern)]
    if not enabled or (clear != enabled and not intended):
        rules = [Rule(MCP + ANY, Approval.SESSION)]
    denied = [*filter(_is_clear, disabled)]
    # Vibe ignores case; a name in capitals is intended for a tool that rarely has any.
    spellings = {*denied, *(pattern.lower() for pattern in denied if intended)}
    rules += [Rule(MCP + pattern, Approval.DENY) for pattern in sorted(spellings) if _may_name_server(pattern)]
    return [*rules, Rule(MCP + ANY, Approval.DENY)] if intended and denied != disabled else rules


def _always(metadata: Mapping[str, JsonValue], enabled: Sequence[str], disabled: Sequence[str]) -> Iterator[Rule]:
    """The rules of the tables that let tools of servers run without asking."""
    for name, table in _tables(metadata):
        is_there = not _covers(disabled, name, unclear=False) and (not enabled or _covers(enabled, name, unclear=True))
        if is_there and name not in _KNOWN and _declared_level(table, intended=False) is Approval.ALLOW:
            yield Rule(MCP + name, Approval.ALLOW)


def _may_name_server(pattern: str) -> bool:
    """Whether a pattern may match a tool of a server; these have no blanks, which an argument's pattern may have."""
    return pattern.lower() not in _KNOWN and " " not in pattern


def _is_clear(pattern: str) -> bool:
    """Whether a pattern is a plain glob; a regular expression from a repository is never run."""
    return not pattern.startswith("re:") and "[" not in pattern


def _covers(patterns: Iterable[str], name: str, *, unclear: bool) -> bool:
    return any(fnmatchcase(name, one.lower()) if not one.startswith("re:") else unclear for one in patterns)


def _tables(metadata: Mapping[str, JsonValue]) -> list[tuple[str, str | dict[str, JsonValue]]]:
    tools = metadata.get("tools")
    items = tools.items() if isinstance(tools, dict) else ()
    return [(name, table if isinstance(table, dict) else str(table)) for name, table in items]


def _tools_of(name: str) -> tuple[str, ...]:
    """The tools that a table may restrict: Vibe's own in any case, or those with that name in other tools."""
    own = {**_OWN, **_OTHERS}.get(name.lower())
    return (own,) if own else (*known_as(name), MCP + name)


def _partial_restrictions(tool: str, table: str | dict[str, JsonValue]) -> list[Rule]:
    """Restrictions for some commands or files only; their syntax is Vibe's own, so they stay untranslated."""
    keys = table if isinstance(table, dict) else {}
    kinds = {"denylist": Approval.DENY, "sensitive_patterns": Approval.ASK}
    return [Rule(tool, level, UNTRANSLATED + kind) for kind, level in kinds.items() if keys.get(kind)]


def _skills(metadata: Mapping[str, JsonValue], level: Approval) -> list[Rule]:
    """The rules of the lists of skills; the skill tool has an approval of its own."""
    enabled, disabled = ([*listed(metadata.get(f"{which}_skills"))] for which in ("enabled", "disabled"))
    rules = [Rule("skill", Approval.DENY)] if enabled else []
    given, excluded = excepted(enabled)
    rules += [Rule("skill", level, name) for name in given if _is_clear(name)]
    named = [name if _is_clear(name) else UNTRANSLATED + name for name in (*disabled, *excluded)]
    return [*rules, *(Rule("skill", Approval.DENY, name) for name in named)]


def _write(agent: Agent, options: WriteOptions) -> Permissions:
    narrowed = narrow(agent.grants, _CAPABILITIES, options)
    granted = [name for unit, level in narrowed.units.items() if level for name in _names(unit)]
    denied = [name for unit, level in narrowed.units.items() if not level for name in _names(unit)]
    permissions: dict[str, JsonValue] = {"agent_type": "subagent"}
    if not granted:
        permissions["disabled_tools"] = [ANY]  # an empty list of enabled tools would enable all of them
    elif not narrowed.default:
        permissions["enabled_tools"] = list[JsonValue](granted)
    elif denied:
        permissions["disabled_tools"] = list[JsonValue](denied)
    asking = [unit for unit, level in narrowed.units.items() if level is Approval.ASK]
    if asking:
        permissions["tools"] = {name: {"permission": "ask"} for unit in asking for name in _names(unit)}
    allowed = [unit for unit in ("write_file", "edit", "bash") if narrowed.units[unit] is Approval.ALLOW]
    diagnostics = [*narrowed.diagnostics]
    if allowed:
        shown = ", ".join(f"`{unit}`" for unit in allowed)
        message = f"allowed by the source, left to the user's own settings here: {shown}"
        diagnostics.append(Diagnostic(Code.APPROVAL_NARROWED, message))
    return permissions, diagnostics


def _names(unit: str) -> tuple[str, ...]:
    return _SHELLS if unit == "bash" else (unit,)


PERMISSIONS: Final = PermissionCodec(
    keys=frozenset(key for key in _KEYS if restricts(key)),
    capabilities=_CAPABILITIES,
    intended=_intended,
    enforced=_enforced,
    write=_write,
    remedy="write `enabled_tools`",
    check=_check,
    own=_own,
    lists=ToolLists(empty="all", mistyped="refused", denied="disabled_tools"),
)
