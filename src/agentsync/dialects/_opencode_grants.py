"""What OpenCode's `permission` and its deprecated `tools` let an agent do, and how to write it.

There are two readings. What the tool enforces is read exactly as it reads: the last match in JavaScript's order counts,
and what it does not know is dropped. What the author meant is read in the narrower sense wherever the two may differ,
and is what other tools are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from agentsync.diagnostics import Code, Diagnostic
from agentsync.dialects._fields import Fields
from agentsync.fitting import Fitted, Shape, WriteOptions
from agentsync.naming import slug
from agentsync.permissions import (
    ANY,
    EVERYTHING,
    MCP,
    READING,
    TOOLS,
    UNTRANSLATED,
    Approval,
    Grants,
    Rule,
    flat_name,
    matches,
)

# OpenCode's permission keys. `edit` governs every tool that changes files.
_UNITS: Final[dict[str, tuple[str, ...]]] = {
    "read": ("read",),
    "edit": ("write", "edit"),
    "glob": ("glob",),
    "grep": ("grep",),
    "list": ("list",),
    "bash": ("bash",),
    "task": ("task",),
    "external_directory": ("external_directory",),
    "lsp": ("lsp",),
    "skill": ("skill",),
    "todowrite": ("todo",),
    "question": ("question",),
    "webfetch": ("webfetch",),
    "websearch": ("websearch",),
}
_FLAT: Final = frozenset({"todowrite", "question", "webfetch", "websearch", "doom_loop"})
# Names of tools that are no permissions, and the permissions that govern what they did.
_TOOL_KEYS: Final = {
    "write": "edit",
    "patch": "edit",
    "multiedit": "edit",
    "apply_patch": "edit",
    "todoread": "todowrite",
}
# Those of the deprecated `tools` map that all set `edit`, of which the last counts; and what each was to switch.
_EDIT_KEYS: Final = ("write", "edit", "patch")
_SWITCHES: Final = {
    "write": ("write",),
    "edit": ("edit", "notebook"),
    "patch": ("edit", "notebook"),
    "multiedit": ("edit", "notebook"),
}
# What OpenCode asks for by itself when it reads; a plain `read: allow` would switch that off.
_READ_GUARD: Final[dict[str, JsonValue]] = {
    "*": "allow",
    "*.env": "ask",
    "*.env.*": "ask",
    "*.env.example": "allow",
}
_ACTIONS: Final = {"deny": Approval.DENY, "ask": Approval.ASK, "allow": Approval.ALLOW}

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_INDEX_END: Final = 2**32 - 1
_SLUG_PATTERN: Final = re.compile(r"[a-z0-9*?-]*")

KEYS: Final = ("tools", "permission", "permissions")
"""The keys that hold permissions; OpenCode itself does not read the last."""

RESTRICTIONS: Final = frozenset(KEYS)
"""The keys, folded, that are read as restrictions, whether OpenCode itself reads them or not."""


def enforced(metadata: Mapping[str, JsonValue]) -> Grants:
    """What OpenCode lets the agent do; what it has no tool for is denied, whatever the default."""
    rules = (rule for key, value in _permission(metadata).items() for rule in _rules(key, value, enforced=True))
    return Grants((*EVERYTHING.rules, *rules, *SHAPE.denials))


def meant(metadata: Mapping[str, JsonValue]) -> Grants:
    """What the author of these keys meant the agent to be able to do."""
    permission = _permission(metadata)
    unread = {key: value for key, value in permission.items() if _spelled(key) != key}
    rules = list(EVERYTHING.rules)
    for key, value in permission.items():
        if key not in unread:
            rules += _rules(key, value, enforced=False)
    read_by_opencode = Grants(tuple(rules))
    if "permission" not in metadata:
        unread |= _as_map(metadata.get("permissions"))
    for key, value in unread.items():
        rules += _narrowing(_rules(_spelled(key), value, enforced=False), read_by_opencode)
    off = [key for key, value in _as_switches(metadata.get("tools")).items() if key in _SWITCHES and not value]
    rules += [Rule(tool, Approval.DENY) for key in off for tool in _SWITCHES[key]]
    return Grants((*rules, *_below_home(rules)))


def check(fields: Fields) -> None:
    """Tells what OpenCode refuses, and what it reads in another way than it looks."""
    tools = fields.raw("tools")
    if tools is not None and not (isinstance(tools, dict) and all(isinstance(value, bool) for value in tools.values())):
        message = "`tools` must be a map of names to true or false; OpenCode refuses every command otherwise"
        fields.tell(Code.WRONG_DIALECT, message, "tools")
    permission = fields.raw("permission")
    if not _is_permission(permission):
        fields.tell(Code.WRONG_DIALECT, "`permission` must be allow, ask or deny, or a map of them", "permission")
    if fields.has("permissions"):
        message = "OpenCode does not read `permissions`, so nothing that it says is enforced"
        fields.tell(Code.NO_EFFECT, message, "permissions", hint="call it `permission`")
    for key, value in (("tools", tools), ("permission", permission)):
        for name in value if isinstance(value, dict) else ():
            if name != name.lower() and name.lower() in {*_UNITS, *_TOOL_KEYS}:
                fields.tell(
                    Code.NO_EFFECT, f"`{name}` under `{key}` is not read", key, hint=f"call it `{name.lower()}`"
                )
            elif name in _TOOL_KEYS and not (key == "tools" and name in _EDIT_KEYS):
                hint = f"use `{_TOOL_KEYS[name]}`"
                fields.tell(Code.NO_EFFECT, f"`{key}.{name}` does nothing", key, hint=hint)


def _is_permission(value: JsonValue) -> bool:
    if not isinstance(value, dict):
        return value is None or value in _ACTIONS
    return all(
        action in _ACTIONS
        if not isinstance(action, dict)
        else key not in _FLAT
        and all(not isinstance(inner, dict | list) and inner in _ACTIONS for inner in action.values())
        for key, action in value.items()
        if not isinstance(action, list)
    ) and not any(isinstance(action, list) for action in value.values())


def _permission(metadata: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The permissions that OpenCode makes of both keys, in the order that it reads them in."""
    return _ordered(_switched(_as_switches(metadata.get("tools"))) | _as_map(metadata.get("permission")))


def _as_switches(tools: JsonValue) -> dict[str, JsonValue]:
    return tools if isinstance(tools, dict) else {}


def _switched(tools: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The permissions that OpenCode makes of the deprecated `tools` map; `multiedit` is no tool of it any more."""
    permission: dict[str, JsonValue] = {}
    for key, value in tools.items():
        if key in _EDIT_KEYS or key not in _SWITCHES:
            permission["edit" if key in _EDIT_KEYS else key] = "allow" if value else "deny"
    return permission


def _is_index(key: str) -> bool:
    """Whether JavaScript takes a key for an array's index."""
    return _INDEX.fullmatch(key) is not None and int(key) < _INDEX_END


def _ordered(entries: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A map as JavaScript orders it: indices first and ascending, whatever the file says; the last match counts."""
    return dict(sorted(entries.items(), key=lambda entry: int(entry[0]) if _is_index(entry[0]) else _INDEX_END))


def _starts_at_home(argument: str) -> bool:
    """Whether OpenCode puts the home directory at the start of an argument pattern."""
    return argument == "~" or argument.startswith(("~/", "$HOME"))


def _below_home(rules: Sequence[Rule]) -> Iterator[Rule]:
    """Each rule for patterns below the home directory again, with the least of what it and those after it give.

    Which of these cover the home directory cannot be known, so none of them may hide a denial.
    """
    for index, rule in enumerate(rules):
        if rule.argument.startswith(UNTRANSLATED):
            after = Grants(tuple(rules[index:]))
            for tool in sorted(tool for tool in TOOLS if matches(rule.tool, tool)):
                yield Rule(tool, min(later.approval for later in after.for_tool(tool)), rule.argument)


def _spelled(key: str) -> str:
    """A key in the spelling that OpenCode reads, where the author wrote one of its tools in another."""
    spelled = _TOOL_KEYS.get(key.lower(), key.lower())
    return spelled if spelled in _UNITS else key


def _as_map(permission: JsonValue) -> dict[str, JsonValue]:
    if isinstance(permission, str):
        return {ANY: permission}
    return permission if isinstance(permission, dict) else {}


def _narrowing(rules: Iterable[Rule], grants: Grants) -> Iterable[Rule]:
    """What an author meant by rules that OpenCode does not read: it may take away, and gives nothing."""
    for rule in rules:
        # A pattern may overlap with any rule; the lowest of them is never too much.
        had = grants.for_tool(rule.tool) if rule.tool in TOOLS else grants.rules
        least = min(given.approval for given in had)
        yield Rule(rule.tool, min(rule.approval, least), rule.argument)


def _rules(key: str, value: JsonValue, *, enforced: bool) -> Iterable[Rule]:
    if value == _READ_GUARD and key == "read":
        value = "allow"
    entries = _ordered(value) if isinstance(value, dict) else {ANY: value}
    for argument, action in entries.items():
        approval = _ACTIONS.get(str(action), Approval.DENY)
        pattern = UNTRANSLATED + argument if _starts_at_home(argument) else argument
        for tool in _tools(key, approval, enforced=enforced):
            yield Rule(tool, approval, pattern)


def _tools(key: str, approval: Approval, *, enforced: bool) -> Iterable[str]:
    """The canonical tools and patterns that a key, itself a pattern, covers."""
    if key == ANY:
        return (ANY,)
    known = [tool for unit, covered in _UNITS.items() if matches(key, unit) for tool in covered]
    if matches(key, "edit") and not enforced and not approval:
        known.append("notebook")  # a tool of others that changes files like these
    return known if key in _UNITS else [*known, MCP + key]


def _server_name(pattern: str) -> str | None:
    """The joined name, unless it would also say something of OpenCode's own tools, or JavaScript would move it."""
    name = flat_name(pattern.removeprefix(MCP))
    # JavaScript has a meaning of its own for `__proto__`, and OpenCode then has no such permission.
    swallowed = _is_index(name) or name == "__proto__"
    return None if swallowed or any(matches(name, unit) for unit in _UNITS) else name


def _spells(tool: str, rules: tuple[Rule, ...]) -> bool:
    unit = next(unit for unit, covered in _UNITS.items() if tool in covered)
    return unit not in _FLAT and all(_spells_argument(tool, rule.argument) for rule in _with_slugs(tool, rules))


def _spells_argument(tool: str, argument: str) -> bool:
    """Whether an argument pattern means the same in OpenCode, and counts in its turn."""
    if argument.startswith(UNTRANSLATED) or _starts_at_home(argument) or _is_index(argument):
        return False
    if tool == "task" and _is_free(argument):
        return _SLUG_PATTERN.fullmatch(argument) is not None  # a pattern of other names covers none of their slugs
    return "\\" not in argument  # which OpenCode takes for a slash


SHAPE: Final = Shape(units=_UNITS, asks=TOOLS, server_name=_server_name, spells=_spells)


def spell(fitted: Fitted, options: WriteOptions) -> tuple[dict[str, JsonValue], list[Diagnostic]]:
    """The keys that say what was fitted, and what they cannot say."""
    permission: dict[str, JsonValue] = {}
    found = _unreachable(fitted.arguments.get("task", ()))
    if fitted.default is not Approval.SESSION:
        permission[ANY] = _action(fitted.default, "", options)
    for unit, fitted_level in fitted.units.items():
        tool = _UNITS[unit][0]
        level = fitted_level if unit != "question" else _question(fitted_level, fitted.default)
        if rules := fitted.arguments.get(unit):
            permission[unit] = _argument_map(_with_slugs(tool, rules), tool, options)
        elif level is not fitted.default:
            allow = level is not Approval.DENY and _action(level, tool, options) == "allow"
            permission[unit] = _READ_GUARD if unit == "read" and allow else _action(level, tool, options)
    if fitted.default is Approval.DENY and fitted.units["question"]:
        found.append(Diagnostic(Code.TOOL_LOST, "`question` is left out: an agent here has no user to ask"))
    for name, level in fitted.servers.items():
        permission[name] = _action(level, name, options)
    return ({"permission": permission} if permission else {}), found


def _question(level: Approval, default: Approval) -> Approval:
    """OpenCode denies `question` by itself to agents, which have no user to ask, and nothing here overrides that."""
    return Approval.SESSION if default is Approval.SESSION <= level else Approval.DENY


def _is_free(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _slugs(rules: tuple[Rule, ...]) -> Iterator[tuple[str, Approval, str, Approval]]:
    """Each named agent that has another name here: name and slug, with what the rules give to either."""
    grants = Grants(rules)
    for rule in rules:
        name, other = rule.argument, slug(rule.argument)
        if not _is_free(name) and other not in ("", name):
            yield name, grants.approval("task", name), other, grants.approval("task", other)


def _with_slugs(tool: str, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules, and after them what is denied to agents again for their names here.

    A grant is not repeated: there may be another agent that has its slug for a name.
    """
    if tool != "task":
        return rules
    lower = [Rule(tool, level, other) for _, level, other, level_here in _slugs(rules) if level < level_here]
    return (*rules, *sorted(lower, key=lambda rule: -rule.approval))


def _unreachable(rules: tuple[Rule, ...]) -> list[Diagnostic]:
    return [
        Diagnostic(Code.TOOL_LOST, f"`{name}` is called `{other}` here, which this agent may not call")
        for name, level, other, level_here in _slugs(rules)
        if level and not level_here
    ]


def _argument_map(rules: tuple[Rule, ...], tool: str, options: WriteOptions) -> dict[str, JsonValue]:
    """The rules as a map; of two for the same argument the last counts, so the first gives up its place."""
    written: dict[str, JsonValue] = {} if rules[0].argument == ANY else {ANY: "deny"}
    for rule in rules:
        written.pop(rule.argument, None)
        written[rule.argument] = _action(rule.approval, tool, options)
    return written


def _action(approval: Approval, tool: str, options: WriteOptions) -> str:
    if approval is Approval.SESSION:
        return "allow" if tool in READING or options.approval == "allow" else "ask"
    return approval.name.lower()
