"""Grants from Claude Code's `tools`, `disallowedTools`, `permissionMode` and hooks, and how to write them.

There are two readings. The enforced grants are read exactly as the tool reads the keys: names by case, no arguments,
unknown names dropped. The intended grants are read in the narrower sense wherever the two may differ, and are the ones
that other tools get.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import (
    CHANGING,
    EVERYTHING,
    MCP,
    OTHER,
    READING,
    UNTRANSLATED,
    Approval,
    Grants,
    Rule,
    only_reading,
)
from agentsync.agents.key_effects import Meaning, meaning
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key
from agentsync.dialects._base import ToolLists
from agentsync.dialects._kit.fields import Fields, speaks
from agentsync.dialects._kit.intent import intended_mode
from agentsync.dialects._kit.permission_codec import PermissionCodec, Permissions
from agentsync.dialects._kit.tool_names import PATH_TOOLS
from agentsync.dialects.claude.checks import check_lists
from agentsync.dialects.claude.lists import EVERY, Entry, denials, parsed_list, without_exceptions
from agentsync.dialects.claude.tool_names import (
    OWN,
    RETIRED,
    TOOLS,
    UNITS,
    canonical,
    denied_by_tool,
    denied_tools,
    is_known,
    server_name,
)
from agentsync.formats.document import Document

# The tools that an agent with a memory gets whatever its list names, so that it can keep notes.
_MEMORY_TOOLS: Final = ("Read", "Write", "Edit")
MEMORIES: Final = ("user", "project", "local")

_MODES: Final = ("acceptEdits", "auto", "bypassPermissions", "default", "dontAsk", "plan")
# The modes that take tools away, in the order in which they are combined.
_TAKING_MODES: Final = ("default", "plan", "dontAsk")
# The keys that Claude Code itself reads permissions from.
_KEYS: Final = ("tools", "disallowedTools", "permissionMode")

# Spellings by which authors and other tools restrict, each with the key of Claude Code that it is intended as.
_MEANINGS: Final = {
    **dict.fromkeys(meaning(Meaning.ALLOWED_TOOLS), "tools"),
    **dict.fromkeys(meaning(Meaning.DENIED_TOOLS), "disallowedTools"),
    **dict.fromkeys(meaning(Meaning.PERMISSION_MODE), "permissionMode"),
}


def _enforced(document: Document) -> Grants:
    """The grants that Claude Code enforces; a list restricts the tools, not their arguments."""
    metadata = document.metadata
    rules = list(EVERYTHING.rules)
    if "tools" in metadata:
        rules = _granted(metadata["tools"])
    if metadata.get("memory") in MEMORIES and rules != list(EVERYTHING.rules):
        rules += _granted([*_MEMORY_TOOLS])
    rules = _under_mode(rules, metadata.get("permissionMode"))
    named = (denied_by_tool(name) for name, _ in parsed_list(metadata.get("disallowedTools")))
    denied = (tool for tool in named if not tool.startswith(OTHER))
    return Grants((*rules, *(Rule(tool, Approval.DENY) for tool in denied), *_CAPABILITIES.denials))


def _intended(metadata: Mapping[str, JsonValue]) -> Grants:
    """The grants that the author of these keys intended."""
    tools, denied, _ = ([*_values_of(metadata, key)] for key in _KEYS)
    lists = [without_exceptions(value) for value in tools]
    rules = _in_all([entries for entries, _ in lists])
    for mode in _in_order({*_modes(metadata)}):
        rules = _under_mode(rules, mode)
    names = [name for _, excluded in lists for name in excluded] + [name for value in denied for name in denials(value)]
    rules += [Rule(tool, Approval.DENY) for name in names for tool in denied_tools(name)]
    rules += [rule for entries, _ in lists for rule in _denied_in_part(entries)]
    return Grants(tuple(only_reading(rules) if _denies_unknown(metadata) else rules))


def _values_of(metadata: Mapping[str, JsonValue], name: str) -> Iterator[JsonValue]:
    """The values of a key in every spelling; the author is taken to mean all of them."""
    yield from (value for key, value in metadata.items() if _MEANINGS.get(folded_key(key)) == name)


def _modes(metadata: Mapping[str, JsonValue]) -> Iterator[str | None]:
    """The intended modes of an agent; of keys that Claude Code does not read, only those that take tools away."""
    for key, value in metadata.items():
        if _MEANINGS.get(folded_key(key)) == "permissionMode":
            modes = map(_intended_mode, _each_mode(value))
            yield from (mode for mode in modes if key in _KEYS or mode in _TAKING_MODES)


def _denies_unknown(metadata: Mapping[str, JsonValue]) -> bool:
    """Whether another spelling of `disallowedTools`, perhaps another tool's key, denies an unknown name."""
    for key, value in metadata.items():
        if key not in _KEYS and _MEANINGS.get(folded_key(key)) == "disallowedTools" and value:
            named = [denied_tools(name) for name in denials(value)]
            if not named or any(all(tool.startswith(OTHER) for tool in tools) for tools in named):
                return True
    return False


def _denied_in_part(entries: Iterable[Entry]) -> Iterator[Rule]:
    """The denials of arguments that a list excepts, such as `Bash(git *, !git push *)`."""
    for name, arguments in entries:
        tool = canonical(name)
        excepted_from = (argument[1:].strip() for argument in arguments if argument.startswith("!"))
        yield from (Rule(tool, Approval.DENY, _argument(tool, argument)) for argument in excepted_from)


def _in_all(lists: Sequence[list[Entry]]) -> list[Rule]:
    """The rules of the tools that all of these lists name."""
    closed = [entries for entries in lists if EVERY not in entries] or [[EVERY]]
    return _rules_of([entry for entry in closed[0] if all(entry in entries for entries in closed)], with_arguments=True)


def _in_order(modes: set[str | None]) -> list[str | None]:
    """The modes to apply: of several, only those that take tools away, since one that frees is then ambiguous."""
    return [mode for mode in _TAKING_MODES if mode in modes] if len(modes) > 1 else [*modes]


def _check(fields: Fields) -> None:
    """Report keys that Claude Code reads in another way than their author may expect."""
    check_lists(fields)
    fields.text("permissionMode", _MODES)
    for key in fields.keys:
        if folded_key(key) in _MEANINGS and key not in _KEYS:
            hint = f"write `{_MEANINGS[folded_key(key)]}`"
            fields.report(Code.NO_EFFECT, f"Claude Code does not read `{key}`", key, hint=hint)


def _granted(value: JsonValue) -> list[Rule]:
    """The rules of a list of tools; names that are retired or unknown grant no canonical tool."""
    return _rules_of(list(parsed_list(value)), with_arguments=False)


def _rules_of(entries: Iterable[Entry], *, with_arguments: bool) -> list[Rule]:
    entries = list(entries)
    if EVERY in entries:
        return list(EVERYTHING.rules)
    rules: list[Rule] = []
    for name, arguments in entries:
        tool = canonical(name)
        patterns = arguments if with_arguments or tool == "task" else ()
        rules += [Rule(tool, Approval.SESSION, _argument(tool, pattern)) for pattern in patterns or (ANY,)]
    if any(rule.tool in PATH_TOOLS for rule in rules):
        rules.append(Rule("external_directory", Approval.SESSION))
    return rules


def _under_mode(rules: list[Rule], mode: JsonValue) -> list[Rule]:
    """The rules under a permission mode, which changes the session's approval."""
    match mode:
        case "default":
            asking = [Rule(rule.tool, _asking(rule.tool), rule.argument) for rule in rules]
            free = [Rule(tool, Approval.SESSION) for tool in sorted(READING)] if rules == list(EVERYTHING.rules) else []
            return asking + free
        case "dontAsk":
            return only_reading(rules)  # calls that would need approval are refused
        case "acceptEdits":
            grants = Grants(tuple(rules))
            edits = (tool for tool in ("write", "edit", "notebook") if grants.approval(tool))
            return rules + [Rule(tool, Approval.ALLOW) for tool in edits]
        case "bypassPermissions":
            return [Rule(rule.tool, Approval.ALLOW, rule.argument) for rule in rules]
        case "plan":
            return rules + [Rule(tool, Approval.DENY) for tool in ("write", "edit", "notebook", "bash")]
        case _:
            return rules


def _intended_mode(value: JsonValue) -> str | None:
    """The mode, without regard to case; an unknown one is read as one that asks, at least."""
    if value is None or value in _MODES:
        return value if isinstance(value, str) else None
    return intended_mode(str(value)) or "default"


def _each_mode(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) and value else [value]


def _asking(tool: str) -> Approval:
    return Approval.SESSION if tool in READING else Approval.ASK


_AGENT_NAME: Final = re.compile(rf"(?!{UNTRANSLATED})[^\s*?(),](?:[^*?(),]*[^\s*?(),])?")


def _argument(tool: str, text: str) -> str:
    """An argument pattern in canonical form, which only patterns of commands and of agents' names have."""
    if tool == "task" or text == ANY:
        return text
    if tool == "bash" and "?" not in text:  # which is matched literally here
        return text.removesuffix(":*") + " *" if text.endswith(":*") else text
    return UNTRANSLATED + text


def _names_agents(tool: str, rules: tuple[Rule, ...]) -> bool:
    """Whether the rules only list the agents that may be called, which `Agent(a, b)` can express."""
    named = rules[1:] if rules[0].argument == ANY and not rules[0].approval else rules
    return (
        tool == "task"
        and bool(named)
        and len({rule.approval for rule in named}) == 1
        and all(rule.approval and _AGENT_NAME.fullmatch(rule.argument) for rule in named)
    )


_CAPABILITIES: Final = Capabilities(
    units=UNITS, asks=CHANGING, server_name=server_name, spells=_names_agents, overwrites=True
)


def _own(fields: Fields, _keys: frozenset[str]) -> dict[str, JsonValue]:
    """The keys that Claude Code reads; denials that had to be repaired are written so that it reads them too."""
    own = {key: fields.raw(key) for key in _KEYS if fields.has(key)}
    if fields.document.repaired and "disallowedTools" in own:
        own["disallowedTools"] = ", ".join(denials(own["disallowedTools"]))
    return own


def _write(agent: Agent, options: WriteOptions) -> Permissions:
    narrowed = narrow(agent.grants, _CAPABILITIES, options)
    levels = {**narrowed.units, **narrowed.servers}
    diagnostics = list(narrowed.diagnostics)
    closed = narrowed.default is Approval.DENY
    if narrowed.arguments and not closed:
        diagnostics.append(
            Diagnostic(Code.TOOL_LOST, "only a list can restrict the agents that may be called, so it names the tools")
        )
        closed = True
    if not closed and not levels["Bash"] and (levels["Grep"] or levels["Glob"]):
        closed, lost = _listed_for_search(agent.grants)
        levels |= {name: narrowed.default for name in _own_servers(agent) if name not in levels}
        diagnostics.append(lost)
    permissions: dict[str, JsonValue] = {}
    if closed:
        granted = [_spelled(name, narrowed.arguments.get(name, ())) for name, level in levels.items() if level]
        permissions["tools"] = ", ".join(granted) if granted else []
    # A complete list needs no denials but those of tools within a server's pattern, or of tools that a memory brings.
    brought = _MEMORY_TOOLS if agent.memory is not None else ()
    needless = narrowed.units.keys() - brought if closed else ()
    denied = [name for name, level in levels.items() if not level and name not in needless]
    if denied:
        permissions["disallowedTools"] = ", ".join(denied)
    freed = [f"`{name}`" for name, level in levels.items() if level is Approval.ALLOW and _changes(name)]
    if freed:
        message = f"allowed by the source, left to the user's own settings here: {', '.join(freed)}"
        diagnostics.append(Diagnostic(Code.APPROVAL_NARROWED, message))
    if Approval.ASK in {narrowed.default, *levels.values()}:
        permissions["permissionMode"] = "default"
    return permissions, diagnostics


def _listed_for_search(grants: Grants) -> tuple[bool, Diagnostic]:
    """Whether a list is to name the tools of an agent without Bash, and what is lost by that or without it.

    Beside Bash, Claude Code has no Grep and Glob. Where Bash is denied, only a list that names them brings them back,
    and a list drops all servers that it does not name (both seen). An author can name servers, but not search.
    """
    unnamed = [
        tool
        for tool in grants.patterns
        if tool.startswith(MCP) and server_name(tool) is None and max(grants.approvals(tool))
    ]
    if unnamed:
        message = f"only a list has Grep and Glob without Bash, and none can name `{unnamed[0].removeprefix(MCP)}`"
        return False, Diagnostic(Code.TOOL_LOST, f"{message}, so they are lost")
    message = "only a list has Grep and Glob without Bash, so servers that the agent does not name are left out"
    return True, Diagnostic(Code.TOOL_LOST, message, hint="name what it needs of servers, such as `mcp/docs/*`")


def _own_servers(agent: Agent) -> Iterator[str]:
    """The names of all tools of each server that the agent brings and may use."""
    declared = agent.mcp_servers if speaks(agent, "claude") else None
    for entry in declared if isinstance(declared, list) else [declared]:
        for server in [entry] if isinstance(entry, str) else entry if isinstance(entry, dict) else ():
            pattern = f"{MCP}{server}/{ANY}"
            if (name := server_name(pattern)) and min(agent.grants.approvals(pattern)):
                yield name


def _changes(name: str) -> bool:
    return not READING.issuperset(UNITS.get(name, (name,)))


def _spelled(name: str, rules: tuple[Rule, ...]) -> str:
    arguments = ", ".join(rule.argument for rule in rules if rule.approval)
    return f"{name}({arguments})" if arguments else name


def _knows(key: str, value: JsonValue) -> Iterable[bool]:
    """As `PermissionCodec.knows`; names that no longer grant anything are known all the same."""
    if key == "permissionMode":
        return (True,) if value in _MODES else ()
    if value is None:
        return ()
    if not isinstance(value, str | list):
        return (False,)
    names = [name for name, _ in parsed_list(value)]
    own = [True for name in names if name in TOOLS or name in RETIRED or name in OWN]
    return own + [True for name in names if name in RETIRED or is_known(name)]


PERMISSIONS: Final = PermissionCodec(
    keys=frozenset(_MEANINGS),  # folded, whether Claude Code itself reads them or not
    capabilities=_CAPABILITIES,
    intended=_intended,
    enforced=_enforced,
    write=_write,
    remedy="write `tools` or `disallowedTools`",
    check=_check,
    own=_own,
    spelled=frozenset(_KEYS),
    knows=_knows,
    any_spelling=True,
    guarded_tools=denied_tools,
    lists=ToolLists(null="none", mistyped="none", denied="disallowedTools"),
)
"""The permissions of Claude Code's agents."""
