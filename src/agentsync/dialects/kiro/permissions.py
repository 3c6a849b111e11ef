"""Grants in Kiro's `tools`, `allowedTools`, `permissions` and older `toolsSettings`.

A tool is available where `tools` names it, by itself or by a tag. Rules decide whether a call is asked for, each for a
capability and some of its arguments; the most restrictive of the matching rules counts, whatever their order, and where
none matches, the user's own rules decide. Version 2 of the command line ignores such rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import (
    EVERYTHING,
    MCP,
    OTHER,
    READ_COVERS,
    TOOLS,
    UNTRANSLATED,
    Approval,
    Grants,
    Rule,
    only_reading,
)
from agentsync.agents.key_effects import is_off
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions
from agentsync.agents.patterns import ANY, matches
from agentsync.core.codes import Code
from agentsync.core.naming import folded_key
from agentsync.dialects._base import ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.hook_guards import ALL_GUARDED
from agentsync.dialects._kit.permission_codec import PermissionCodec, Permissions
from agentsync.dialects._kit.tool_names import ServerNames, ToolNames, listed, named_in
from agentsync.dialects.kiro.rules import BUILTIN, permission_rules, restricted, understood

NAMES: Final = ToolNames(
    written={
        "read": READ_COVERS,
        "write": ("write", "edit"),
        "shell": ("bash",),
        "web_fetch": ("webfetch",),
        "web_search": ("websearch",),
        "subagent": ("task",),
    },
    read={
        **dict.fromkeys(("fs_read", "fsRead"), READ_COVERS),
        **dict.fromkeys(("fs_write", "fsWrite"), ("write", "edit")),
        **dict.fromkeys(("execute_bash", "execute_cmd", "executeCmd"), ("bash",)),
        **dict.fromkeys(("use_subagent", "agent_crew", "crew", "delegate"), ("task",)),
        **dict.fromkeys(("todo_list", "todo", "task"), ("todo",)),
        "grep": ("grep",),
        "glob": ("glob",),
        "ls": ("list",),
        "web": ("webfetch", "websearch"),
        "code": ("lsp",),
        "@mcp": (f"{MCP}{ANY}",),
        "@builtin": BUILTIN,
    },
    servers=ServerNames("@", "/", whole=True),
)
# Before version 3 each of the search tools had to be named by itself.
_READING: Final = ("read", "list")
_NAMES_2: Final = replace(
    NAMES,
    written={**NAMES.written, "read": _READING},
    read={**NAMES.read, **dict.fromkeys(("fs_read", "fsRead"), _READING)},
)
# Few list `code` to change files: it finds symbols and patterns, but also renames the former and rewrites the latter.
_ENFORCED: Final = {"code": ("lsp", "edit")}
# Tools that only Kiro has.
_KIRO_ONLY: Final = frozenset(
    {"knowledge", "introspect", "thinking", "summary", "imageRead", "use_aws", "aws", "report_issue", "diagnostics"}
    | {"switch_to_execution", "session", "tool_search", "mkdir", "rm"}
)

_AGENT: Final = "subagent/"
"""The prefix of the name of an agent to call."""

KEYS: Final = ("tools", "excludedTools", "allowedTools", "permissions", "toolsSettings")
"""The keys from which Kiro reads permissions."""

_SPELLED: Final = {2: ("tools", "allowedTools", "toolsSettings"), 3: ("tools", "excludedTools", "permissions")}
"""Those that each version has."""


def is_known(name: str) -> bool:
    """Whether Kiro recognises a name in `tools`."""
    return name in _KIRO_ONLY or name.startswith(("#", _AGENT)) or "*" in name or NAMES.is_known(name)


def intended(metadata: Mapping[str, JsonValue], *, version: int) -> Grants:
    """The grants that the author of these keys intended."""
    rules = _rules(metadata, intended=True, version=version)
    rules += _partial_denials(metadata.get("toolsSettings"))
    unclear = "permissions" in metadata and not understood(metadata["permissions"])
    return Grants(tuple(only_reading(rules) if unclear else rules))


def enforced(metadata: Mapping[str, JsonValue], *, version: int) -> Grants:
    """The widest grants that this version of Kiro, 2 or 3, lets through."""
    rules = _rules(metadata, intended=False, version=version)
    missing = ("notebook", "question", "skill" if version == _OLDER else "todo")
    return Grants((*rules, *(Rule(tool, Approval.DENY) for tool in missing)))


_OLDER: Final = 2


def _rules(metadata: Mapping[str, JsonValue], *, intended: bool, version: int) -> list[Rule]:
    available = _available(metadata, intended=intended, version=version)
    has_rules = version > _OLDER
    names = [*(_by_alias(metadata) if intended else listed(metadata.get("excludedTools") if has_rules else None))]
    excluded = [*(NAMES.excepted(metadata.get("tools")) if intended else ()), *_excluded(names, intended=intended)]
    reachable = Grants(tuple(available))
    declared = [*permission_rules(metadata.get("permissions"))]
    allowing = [one for one in declared if one.effect is Approval.ALLOW]
    allowed = [*_allowed_by_older_keys(metadata, intended=intended)]
    allowed += [one for rule in allowing if not (intended and rule.exclude) for one in rule.rules(intended=intended)]
    rules = [*available, *_within(reachable, allowed)]
    if intended or (has_rules and isinstance(metadata.get("permissions"), dict)):
        asking = [one for one in declared if one.effect is Approval.ASK]
        asked = [rule for one in asking if intended or not one.exclude for rule in one.rules(intended=intended)]
        rules += _within(reachable, restricted(asking, allowed, (), intended=intended))
        denying = [one for one in declared if one.effect is Approval.DENY]
        rules += _within(reachable, restricted(denying, allowed, asked, intended=intended))
    return [*rules, *excluded]


def _available(metadata: Mapping[str, JsonValue], *, intended: bool, version: int) -> list[Rule]:
    """The tools that `tools` makes available; a missing list is documented for the older version only."""
    value = metadata.get("tools", [])
    names = [*listed(value)]
    if not names and not intended and (version > _OLDER or value != []):
        return [*EVERYTHING.rules]
    if not intended and any("*" in name for name in names if not name.startswith("@")):
        return [*EVERYTHING.rules]
    known = _NAMES_2 if version == _OLDER else NAMES
    known = known if intended else _as_enforced(known)
    plain = [name for name in names if not name.startswith(_AGENT)]
    rules = known.intended(plain) if intended else known.granted(plain)
    agents = (name.removeprefix(_AGENT) for name in names if name.startswith(_AGENT))
    return [*rules, *(Rule("task", Approval.SESSION, agent) for agent in agents)]


def _as_enforced(names: ToolNames) -> ToolNames:
    """The vocabulary with all that each name lets an agent do."""
    return replace(names, read={**names.read, **_ENFORCED})


def _by_alias(metadata: Mapping[str, JsonValue]) -> Iterator[str]:
    """The names in `excludedTools`, and the tools for which the agent uses these names as aliases."""
    aliases = metadata.get("toolAliases")
    for name in named_in(metadata.get("excludedTools")):
        yield name
        yield from (tool for tool, alias in (aliases.items() if isinstance(aliases, dict) else ()) if alias == name)


def _excluded(names: Sequence[str], *, intended: bool) -> Iterator[Rule]:
    """Denials in `excludedTools`; patterns and agents to call count as intended only."""
    if not intended:
        yield from NAMES.denials(names)
        return
    plain = [name for name in names if name.startswith("@") or not (ANY in name or name.startswith(("#", _AGENT)))]
    yield from NAMES.intended_denials(plain)
    for name in names:
        if name.startswith(_AGENT):
            yield Rule("task", Approval.DENY, name.removeprefix(_AGENT))
        known = {**NAMES.read, **NAMES.written}
        covered = (tools for other, tools in known.items() if other != name and matches(name, other))
        yield from (Rule(tool, Approval.DENY) for tools in covered for tool in tools)


def _allowed_by_older_keys(metadata: Mapping[str, JsonValue], *, intended: bool) -> Iterator[Rule]:
    """Calls that run without asking by `allowedTools` and `toolsSettings`."""
    known = NAMES if intended else _as_enforced(NAMES)
    for name in listed(metadata.get("allowedTools")):
        if not intended and not name.startswith("@") and ("*" in name or "?" in name):
            yield Rule(ANY, Approval.ALLOW)
        else:
            yield from (Rule(tool, Approval.ALLOW) for tool in known.tools(name) if not tool.startswith(OTHER))
    settings = metadata.get("toolsSettings")
    if intended or not isinstance(settings, dict):
        return
    for name, table in settings.items():
        if isinstance(table, dict) and any(table.get(key) for key in _ALLOWING_KEYS):
            yield from (Rule(tool, Approval.ALLOW) for tool in known.tools(name) if not tool.startswith(OTHER))


_ALLOWING_KEYS: Final = ("allowedCommands", "autoAllowReadonly", "allowedPaths", "trusted", "trustedAgents")
_DENYING_PREFIXES: Final = ("denied", "deny", "block", "disable", "exclude", "forbid", "availableagents")
"""How the folded names of restricting keys begin: `deniedCommands`, `denyByDefault` and similar."""


def _partial_denials(settings: JsonValue) -> list[Rule]:
    """Denials in `toolsSettings`; these are regular expressions, so they stay untranslated."""
    tables = settings.items() if isinstance(settings, dict) else ()
    return [
        Rule(tool, Approval.DENY, f"{UNTRANSLATED}{key}")
        for name, table in tables
        if isinstance(table, dict)
        for key, value in table.items()
        if folded_key(key).startswith(_DENYING_PREFIXES) and value not in ([], {}) and not is_off(value)
        for tool in NAMES.denied(name)
    ]


def guarded_tools(name: str) -> Iterable[str]:
    """The tools that a hook with this matcher may refuse before they run."""
    return NAMES.tools(name) if NAMES.is_known(name) else ALL_GUARDED


def _within(available: Grants, rules: Iterable[Rule]) -> Iterator[Rule]:
    """The rules limited to available tools: none may make a tool available."""
    patterns = [rule.tool for rule in available.rules if rule.approval]
    for rule in rules:
        if rule.approval is Approval.DENY:
            yield rule
        elif rule.tool in TOOLS:
            approvals = available.approvals(rule.tool)
            if Approval.DENY not in approvals:
                yield rule
            elif rule.argument == ANY:
                named = (one.argument for one in available.for_tool(rule.tool) if one.approval)
                yield from (Rule(rule.tool, rule.approval, argument) for argument in named)
        elif ANY in patterns or any(matches(pattern, rule.tool) for pattern in patterns):
            yield rule
        else:
            inner = [pattern for pattern in patterns if matches(rule.tool, pattern)]
            yield from (Rule(pattern, rule.approval, rule.argument) for pattern in inner)


def _knows(key: str, value: JsonValue) -> Iterable[bool]:
    """As `PermissionCodec.knows`."""
    match value:
        case list() if key != "permissions":
            names = [name for name in value if isinstance(name, str) and is_known(name)]
            return [True for name in names] + [True for name in names if name in NAMES.written]
        case {"rules": [*_]} if key == "permissions":
            return (True,)
        case {**_values} if key == "toolsSettings":
            return ()
        case _:
            return (value == ANY,)


def _check(fields: Fields) -> None:
    """Report values that Kiro refuses, and values that it reads differently than they look."""
    tools = fields.raw("tools")
    if not fields.has("tools"):
        fields.report(Code.TOOLS_NONE, "there is no `tools`, so the agents of other tools are given none")
    elif tools != "*" and not (isinstance(tools, list) and all(isinstance(item, str) for item in tools)):
        fields.report(Code.WRONG_TYPE, "`tools` must be a list of names and tags", "tools")
    for key in ("tools", "excludedTools"):
        for name in listed(fields.raw(key)):
            if not is_known(name):
                fields.report(Code.UNKNOWN_TOOL, f"Kiro has no tool `{name}` and drops it", key)
    if not _ENFORCED.keys().isdisjoint(listed(tools)):
        message = "`code` also renames and rewrites in Kiro; agents of other tools only find things with it"
        fields.report(
            Code.OWN_TOOL, message, "tools", hint="name `write` as well if the agent is meant to change files"
        )
    if fields.has("permissions"):
        _check_permissions(fields)


def _check_permissions(fields: Fields) -> None:
    permissions = fields.raw("permissions")
    if not (isinstance(permissions, dict) and isinstance(permissions.get("rules"), list)):
        message = "`permissions` must hold `rules`; a bare list of rules was the format of early versions"
        fields.report(Code.NO_EFFECT, message, "permissions", hint="put the list under `permissions.rules`")
    elif not understood(permissions):
        message = "`permissions` has a rule that Kiro may read differently than its author intended"
        fields.report(
            Code.NO_EFFECT,
            message,
            "permissions",
            hint="write a `capability`, an `effect`, and lists as `match` and `exclude`",
        )


def codec(
    version: int, capabilities: Capabilities, write: Callable[[Agent, WriteOptions], Permissions], lists: ToolLists
) -> PermissionCodec:
    """The codec of this version of Kiro, 2 or 3."""
    return PermissionCodec(
        keys=frozenset(KEYS),
        capabilities=capabilities,
        intended=partial(intended, version=version),
        enforced=lambda document: enforced(document.metadata, version=version),
        write=write,
        remedy="write `tools` or `excludedTools`",
        check=_check,
        spelled=frozenset(_SPELLED[version]),
        knows=_knows,
        guarded_tools=guarded_tools,
        lists=lists,
        uses_effects=True,
    )
