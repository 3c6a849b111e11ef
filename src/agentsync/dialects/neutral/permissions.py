"""The neutral dialect's `tools` and `permissions`: grants in readable form, complete.

    tools: [read, grep, bash]       the available tools; everything else is denied
    permissions:                    in order, the last match counts
      bash: {"*": ask, "git status *": allow}

Without `tools`, `permissions` starts from everything with the session's approval, as an agent without either has.
docs/agent-format.md explains both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, MCP, OTHER, TOOLS, Approval, Grants, Rule
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.tool_names import available

LEVELS: Final = {approval.name.lower(): approval for approval in Approval}
"""The approvals of a call, by name."""


def read_grants(fields: Fields) -> Grants | None:
    """The grants in the two keys; None where neither is present, or one is wrong, which is reported as an error."""
    named = _read_tools(fields) if fields.has("tools") else None
    permissions = [*_read_permissions(fields)]
    if not fields.has("tools") and not fields.has("permissions"):
        return None
    if named is None:
        return Grants((*EVERYTHING.rules, *permissions)) if fields.has("permissions") else None
    for rule in permissions:
        if rule.tool not in {given.tool for given in named}:
            fields.report(
                Code.WRONG_TYPE,
                f"`{rule.tool}` has a permission and is not among `tools`",
                "permissions",
                hint='add it to `tools`, or leave `tools` out and start `permissions` with `"*": deny`',
            )
    return Grants((*named, *permissions))


def _read_tools(fields: Fields) -> list[Rule] | None:
    value = fields.raw("tools")
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        fields.report(Code.WRONG_TYPE, "`tools` must be a list of names; an empty one grants nothing", "tools")
        return None
    names = [str(name) for name in value]
    for name in names:
        if not is_tool(name):
            fields.report(Code.WRONG_TYPE, f"there is no tool `{name}`", "tools", hint=_KNOWN)
    return available(names)


def _read_permissions(fields: Fields) -> Iterator[Rule]:
    value = fields.raw("permissions")
    if value is None and not fields.has("permissions"):
        return
    entries = value if isinstance(value, list) else [value]
    if not all(isinstance(entry, dict) for entry in entries):
        fields.report(Code.WRONG_TYPE, "`permissions` must be a map of tools, or a list of such maps", "permissions")
        return
    for entry in entries:
        for tool, declared in entry.items() if isinstance(entry, dict) else ():
            if not is_tool(tool):
                fields.report(Code.WRONG_TYPE, f"there is no tool `{tool}`", "permissions", hint=_KNOWN)
            for argument, word in declared.items() if isinstance(declared, dict) else [(ANY, declared)]:
                if not isinstance(word, str) or word not in LEVELS:
                    message = f"`{tool}` must be {', '.join(LEVELS)}, or a map of arguments to these"
                    fields.report(Code.WRONG_TYPE, message, "permissions")
                else:
                    yield Rule(tool, LEVELS[word], argument)


_KNOWN: Final = f"tools are {', '.join(sorted(TOOLS))}, `mcp/server/tool` and `mcp/server/*`"


def is_tool(name: JsonValue) -> bool:
    """Whether a name is that of a canonical tool, of servers' tools, or of a tool that only one product has."""
    if not isinstance(name, str):
        return False
    return name in TOOLS or name == ANY or (name.startswith((MCP, OTHER)) and name not in (MCP, OTHER))


def spell(grants: Grants) -> dict[str, JsonValue]:
    """The keys that express exactly these grants."""
    if grants == EVERYTHING:
        return {}
    tools = [rule.tool for rule in grants.rules if rule.tool not in ("external_directory", ANY)]
    if len(set(tools)) == len(tools) and list(grants.rules) == available(tools):
        return {"tools": list[JsonValue](tools)}
    rules = grants.rules[1:] if grants.rules[:1] == EVERYTHING.rules else (Rule(ANY, Approval.DENY), *grants.rules)
    entries = [_entry(tool, group) for tool, group in groupby(rules, key=lambda rule: rule.tool)]
    return {"permissions": _joined(_without_repeats(entries))}


def _entry(tool: str, rules: Iterable[Rule]) -> list[tuple[str, JsonValue]]:
    """Consecutive rules for one tool; a repeated argument starts another map."""
    maps: list[dict[str, JsonValue]] = [{}]
    for rule in rules:
        if rule.argument in maps[-1]:
            maps.append({})
        maps[-1][rule.argument] = rule.approval.name.lower()
    return [(tool, levels[ANY] if [*levels] == [ANY] else levels) for levels in maps]


def _without_repeats(entries: Iterable[list[tuple[str, JsonValue]]]) -> list[dict[str, JsonValue]]:
    """The entries in order, in as few maps as can hold each tool once."""
    maps: list[dict[str, JsonValue]] = [{}]
    for tool, levels in (pair for entry in entries for pair in entry):
        if tool in maps[-1]:
            maps.append({})
        maps[-1][tool] = levels
    return maps


def _joined(maps: list[dict[str, JsonValue]]) -> JsonValue:
    return maps[0] if len(maps) == 1 else list[JsonValue](maps)


def restricting(permissions: JsonValue) -> bool:
    """Whether the value of `permissions` looks like those of this dialect and of no other."""
    entries = permissions if isinstance(permissions, list) else [permissions]
    maps = [entry for entry in entries if isinstance(entry, dict) and entry]
    return bool(maps) and len(maps) == len(entries) and all(is_tool(tool) for entry in maps for tool in entry)
