"""Grants in `permission` and the deprecated `tools` of OpenCode and its forks: reading and writing.

There are two readings. `enforced` reads exactly as the tool does: the last match in JavaScript's order counts, and
unknown keys are dropped. `intended` is what the author intended: the narrower sense wherever the two may differ. Agents
for other tools are written from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import (
    EVERYTHING,
    MCP,
    OTHER,
    TOOLS,
    UNTRANSLATED,
    Approval,
    Grants,
    Rule,
    flat_name,
    only_reading,
)
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.agents.patterns import ANY, matches
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.suggest import nearest
from agentsync.dialects._base import SLUGS, NameRule
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.intent import known_as
from agentsync.dialects._kit.permission_codec import PermissionCodec, Permissions
from agentsync.dialects.opencode.arguments import (
    GUARDED,
    action_of,
    argument_map,
    is_index,
    ordered,
    spells_argument,
    starts_at_home,
    unreachable,
    with_slugs,
)
from agentsync.formats.document import Document

UNITS: Final[dict[str, tuple[str, ...]]] = {
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
"""OpenCode's permission keys. `edit` governs every tool that changes files."""

_OUTSIDE: Final = "external_directory"
_FLAT: Final = frozenset({"todowrite", "question", "webfetch", "websearch", "doom_loop"})
# Names of tools that are not permissions, and the permissions that govern the same calls.
_TOOL_KEYS: Final = {
    "write": "edit",
    "patch": "edit",
    "multiedit": "edit",
    "apply_patch": "edit",
    "todoread": "todowrite",
}
# Keys of the deprecated `tools` map that all set `edit`, where the last counts; and the tools that each was to switch.
_EDIT_KEYS: Final = ("write", "edit", "patch")
_SWITCHES: Final = {
    "write": ("write",),
    "edit": ("edit", "notebook"),
    "patch": ("edit", "notebook"),
    "multiedit": ("edit", "notebook"),
}
_READ_GUARD: Final[dict[str, JsonValue]] = {ANY: "allow", **GUARDED}
_ACTIONS: Final = {"deny": Approval.DENY, "ask": Approval.ASK, "allow": Approval.ALLOW}

_KEYS_READ: Final = ("tools", "permission")

KEYS: Final = (*_KEYS_READ, "permissions")
"""The keys that hold permissions, including one that OpenCode does not read."""


@dataclass(frozen=True)
class PermissionRules:
    """The permissions of one tool.

    Attributes:
        title: the tool's name for people.
        refusal: how it reacts to a value of a wrong type.
        units: its permission keys, and the canonical tools that each governs.
        beside: for some of these keys, the keys of similar tools that are restricted along with them.
        others: keys of its own that have no equivalent elsewhere, and that no server's pattern may cover.
        empties: whether it accepts an empty action, and makes no rule of it.
        keeps_outside: whether denying everything keeps the rules for files outside the project.
        asks_user: whether an agent can get the tool that asks its user.
        names: the names that it accepts for agents, which their callers use.
    """

    title: str
    refusal: str
    units: Mapping[str, tuple[str, ...]]
    beside: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    empties: bool = False
    keeps_outside: bool = False
    asks_user: bool = False
    names: NameRule = SLUGS

    @cached_property
    def capabilities(self) -> Capabilities:
        """The grants that these keys can express."""
        return Capabilities(
            units=self.units, asks=TOOLS, server_name=self._server_name, spells=self._spells, overwrites=True
        )

    @property
    def codec(self) -> PermissionCodec:
        """The codec for these keys."""
        return PermissionCodec(
            keys=frozenset(KEYS),
            capabilities=self.capabilities,
            intended=self._intended,
            enforced=self._enforced,
            write=self._write,
            remedy="write `permission`",
            check=self._check,
            own=self._own,
            spelled=frozenset(_KEYS_READ),
            knows=self._knows,
        )

    def _knows(self, key: str, value: JsonValue) -> Iterable[bool]:
        """As `PermissionCodec.knows`; other names in a map may be those of servers' tools."""
        if isinstance(value, dict):
            return [True for name in value if name in self.units or name in _TOOL_KEYS]
        return (key == "permission" and isinstance(value, str) and value in _ACTIONS,)

    def _enforced(self, document: Document) -> Grants:
        """The grants that the tool enforces; tools that it does not have are denied, whatever the default."""
        rules = list(EVERYTHING.rules)
        for key, value in _permission(document.metadata).items():
            for rule in self._rules(key, value, enforced=True):
                keeps = self.keeps_outside and rule == Rule(ANY, Approval.DENY)
                outside = Grants(tuple(rules)).for_tool(_OUTSIDE) if keeps else ()
                rules += [rule, *(Rule(_OUTSIDE, earlier.approval, earlier.argument) for earlier in outside)]
        return Grants((*rules, *self.capabilities.denials))

    def _intended(self, metadata: Mapping[str, JsonValue]) -> Grants:
        """The grants that the author of these keys intended."""
        permission = _permission(metadata)
        unread = {key: value for key, value in permission.items() if self._spelled(key) != key}
        rules = list(EVERYTHING.rules)
        for key, value in permission.items():
            if key not in unread:
                rules += self._rules(key, value, enforced=False)
        misnamed = _as_map(metadata.get("permissions"))
        further = [[*self._rules(self._spelled(key), value, enforced=False)] for key, value in unread.items()]
        further.append(
            [rule for key, value in misnamed.items() for rule in self._rules(self._spelled(key), value, enforced=False)]
        )
        further += [[*self._by_other_name(key, value)] for key, value in [*permission.items(), *misnamed.items()]]
        for ignored in further:
            rules += _narrowing(ignored, Grants(tuple(rules)))
        off = [key for key, value in _as_switches(metadata.get("tools")).items() if key in _SWITCHES and not value]
        rules += [Rule(tool, Approval.DENY) for key in off for tool in _SWITCHES[key]]
        rules = [*rules, *_below_home(rules)]
        unclear = not _is_clear(metadata.get("permissions"))
        unclear = unclear or (self.empties and metadata.get("permission", ANY) is None)
        return Grants(tuple(only_reading(rules) if unclear else rules))

    def _own(self, fields: Fields, _keys: frozenset[str]) -> dict[str, JsonValue]:
        """The keys that the tool reads, without an empty one that would keep the file from loading."""
        own = {key: fields.raw(key) for key in _KEYS_READ if fields.has(key)}
        may_be_empty = ("permission",) if self.empties else ()
        return {key: value for key, value in own.items() if value is not None or key in may_be_empty}

    def _check(self, fields: Fields) -> None:
        """Report values that the tool refuses, and values that it reads differently than they look."""
        tools = fields.raw("tools")
        if tools is not None and not (isinstance(tools, dict) and all(isinstance(on, bool) for on in tools.values())):
            message = f"`tools` must be a map of names to true or false; {self.title} {self.refusal} otherwise"
            fields.report(Code.WRONG_DIALECT, message, "tools")
        permission = fields.raw("permission")
        if not self._is_permission(permission):
            fields.report(Code.WRONG_DIALECT, "`permission` must be allow, ask or deny, or a map of them", "permission")
        if fields.has("permissions"):
            message = f"{self.title} does not read `permissions`, so nothing in it is enforced"
            fields.report(Code.NO_EFFECT, message, "permissions", hint="call it `permission`")
        for name in _without_action(permission) if self.empties and fields.has("permission") else ():
            fields.report(
                Code.NO_EFFECT, f"`{name}` has no value, so {self.title} restricts nothing by it", "permission"
            )
        for key, value in (("tools", tools), ("permission", permission)):
            for name, action in value.items() if isinstance(value, dict) else ():
                self._check_name(fields, key, name)
                self._check_known(fields, key, name, action)

    def _check_known(self, fields: Fields, key: str, name: str, action: JsonValue) -> None:
        """Report a name that no tool has, if it is one of another tool's or a misspelt one.

        Any other name may be that of a server's tool or of a tool that a user has added.
        """
        own = {*self.units, *self.others, *_TOOL_KEYS, *_EDIT_KEYS}
        if name.lower() in own or not {"*", "?"}.isdisjoint(name):
            return
        meant = [unit for unit, tools in self.units.items() if not {*tools}.isdisjoint(known_as(name))]
        meant = meant or [*filter(None, [nearest(name, self.units)])]
        if meant or known_as(name):
            restricts = action is not True and action != "allow"
            code, verb = (Code.NO_EFFECT, "restricts") if restricts else (Code.UNKNOWN_TOOL, "grants")
            units = " or ".join(f"`{unit}`" for unit in meant) or "the name of each tool"
            message = f"{self.title} has no tool `{name}`, so `{key}.{name}` {verb} nothing: did you mean {units}?"
            fields.report(code, message, key, hint="call the tool by the name that it has here")

    def _check_name(self, fields: Fields, key: str, name: str) -> None:
        if name != name.lower() and name.lower() in {*self.units, *_TOOL_KEYS}:
            fields.report(Code.NO_EFFECT, f"`{name}` under `{key}` is not read", key, hint=f"call it `{name.lower()}`")
        elif name in _TOOL_KEYS and not (key == "tools" and name in _EDIT_KEYS):
            fields.report(Code.NO_EFFECT, f"`{key}.{name}` does nothing", key, hint=f"use `{_TOOL_KEYS[name]}`")

    def _is_permission(self, value: JsonValue) -> bool:
        actions = {*_ACTIONS, None} if self.empties else {*_ACTIONS}
        if not isinstance(value, dict):
            return value is None or (isinstance(value, str) and value in actions)
        return all(
            not isinstance(action, list) and action in actions
            if not isinstance(action, dict)
            else key not in _FLAT
            and all(not isinstance(inner, dict | list) and inner in actions for inner in action.values())
            for key, action in value.items()
        )

    def _write(self, agent: Agent, options: WriteOptions) -> Permissions:
        narrowed = narrow(agent.grants, self.capabilities, options)
        permission: dict[str, JsonValue] = {}
        diagnostics = [*narrowed.diagnostics, *unreachable(narrowed.arguments.get("task", ()), self.names)]
        if narrowed.default is not Approval.SESSION:
            permission[ANY] = action_of(narrowed.default, "", options)
        for unit, narrowed_level in narrowed.units.items():
            tool = self.units[unit][0]
            is_question = unit == "question" and not self.asks_user
            level = _question(narrowed_level, narrowed.default) if is_question else narrowed_level
            # A denial of everything does not cover the outside here, so it needs a rule even where it is the default.
            needs_rule = unit == _OUTSIDE and self.keeps_outside and level is Approval.DENY
            if rules := narrowed.arguments.get(unit):
                permission[unit] = argument_map(with_slugs(tool, rules, self.names), tool, options)
                level = min(rule.approval for rule in rules) if rules[0].argument == ANY else Approval.DENY
            elif level is not narrowed.default or needs_rule:
                action = action_of(level, tool, options)
                permission[unit] = _READ_GUARD if unit == "read" and action == "allow" else action
            if level < narrowed.default:
                permission |= dict.fromkeys(self.beside.get(unit, ()), action_of(level, tool, options))
        if narrowed.default is Approval.DENY and narrowed.units["question"] and not self.asks_user:
            diagnostics.append(Diagnostic(Code.TOOL_LOST, "`question` is left out: an agent here has no user to ask"))
        for name, level in narrowed.servers.items():
            permission[name] = action_of(level, name, options)
        return ({"permission": permission} if permission else {}), diagnostics

    def _spelled(self, key: str) -> str:
        """A key in the spelling that the tool reads; another spelling of one of its keys is corrected."""
        spelled = _TOOL_KEYS.get(key.lower(), key.lower())
        return spelled if spelled in self.units else key

    def _rules(self, key: str, value: JsonValue, *, enforced: bool) -> Iterator[Rule]:
        if value == _READ_GUARD and key == "read" and not enforced:  # the tool's default where nothing is set
            value = "allow"
        entries = ordered(value) if isinstance(value, dict) else {ANY: value}
        for argument, action in entries.items():
            if action is None and self.empties and enforced:
                continue
            approval = _ACTIONS.get(str(action), Approval.DENY)
            pattern = UNTRANSLATED + argument if starts_at_home(argument) else argument
            for tool in self._tools(key, approval, enforced=enforced):
                yield Rule(tool, approval, pattern)

    def _by_other_name(self, key: str, value: JsonValue) -> Iterator[Rule]:
        """Restrictions of a tool by a name that it has in another tool."""
        if self._spelled(key) in self.units or key in self.others:
            return
        rules = [*self._rules(key, value, enforced=False)]
        if any(rule.approval < Approval.SESSION for rule in rules):
            has_arguments = not {"(", ":"}.isdisjoint(key)  # in the name, as in `Bash(git *)`
            for tool in known_as(key):
                yield from (Rule(tool, rule.approval, ANY if has_arguments else rule.argument) for rule in rules)

    def _tools(self, key: str, approval: Approval, *, enforced: bool) -> Iterable[str]:
        """The canonical tools and patterns that a key, itself a pattern, covers."""
        if key == ANY:
            return (ANY,)
        if key in self.others:
            return (OTHER + key,)
        known = [tool for unit, covered in self.units.items() if matches(key, unit) for tool in covered]
        if matches(key, "edit") and not enforced and not approval:
            known.append("notebook")  # other tools have one that changes files as well
        return known if key in self.units else [*known, MCP + key]

    def _server_name(self, pattern: str) -> str | None:
        """The joined name; None where it would also cover tools of its own, or JavaScript would reorder it."""
        name = flat_name(pattern.removeprefix(MCP))
        # JavaScript treats `__proto__` specially, so a permission of that name would be lost.
        misread = is_index(name) or name == "__proto__"
        own = (*self.units, *self.others)
        return None if misread or any(matches(name, other) for other in own) else name

    def _spells(self, tool: str, rules: tuple[Rule, ...]) -> bool:
        unit = next(unit for unit, covered in self.units.items() if tool in covered)
        return unit not in _FLAT and all(
            spells_argument(tool, rule.argument) and (tool != "task" or self._keeps_renamed(rule.argument))
            for rule in with_slugs(tool, rules, self.names)
        )

    def _keeps_renamed(self, pattern: str) -> bool:
        """Whether a pattern for agents that covers a name of the tool's own covers what is written in its place."""
        covered = (name for name in self.names.reserved if pattern != name and matches(pattern, name))
        return all(matches(pattern, self.names.adapted(name)) for name in covered)


def _is_clear(permissions: JsonValue) -> bool:
    """Whether every value is an action, even where OpenCode takes no arguments."""
    values = [*permissions.values()] if isinstance(permissions, dict) else [permissions]
    actions = [one for each in values for one in (each.values() if isinstance(each, dict) else [each])]
    return all(one is None or (isinstance(one, str) and one in _ACTIONS) for one in actions)


def _without_action(permission: JsonValue) -> Iterator[str]:
    """The keys without an action, or without one for some argument."""
    for key, action in permission.items() if isinstance(permission, dict) else [("permission", permission)]:
        if action is None or (isinstance(action, dict) and None in action.values()):
            yield key


def _permission(metadata: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The permissions that OpenCode makes of both keys, in the order in which it reads them."""
    return ordered(_switched(_as_switches(metadata.get("tools"))) | _as_map(metadata.get("permission")))


def _as_switches(tools: JsonValue) -> dict[str, JsonValue]:
    return tools if isinstance(tools, dict) else {}


def _switched(tools: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The permissions that OpenCode makes of the deprecated `tools` map; it no longer has `multiedit`."""
    permission: dict[str, JsonValue] = {}
    for key, value in tools.items():
        if key in _EDIT_KEYS or key not in _SWITCHES:
            permission["edit" if key in _EDIT_KEYS else key] = "allow" if value else "deny"
    return permission


def _below_home(rules: Sequence[Rule]) -> Iterator[Rule]:
    """Repeat each rule for patterns below the home directory, with the lowest approval of it and the rules after it.

    Which of these rules cover the home directory is unknown, so none of them may hide a denial.
    """
    for index, rule in enumerate(rules):
        if rule.argument.startswith(UNTRANSLATED):
            after = Grants(tuple(rules[index:]))
            for tool in sorted(tool for tool in TOOLS if matches(rule.tool, tool)):
                yield Rule(tool, min(later.approval for later in after.for_tool(tool)), rule.argument)


def _as_map(permission: JsonValue) -> dict[str, JsonValue]:
    if isinstance(permission, str):
        return {ANY: permission}
    return permission if isinstance(permission, dict) else {}


def _narrowing(rules: Sequence[Rule], grants: Grants) -> Iterator[Rule]:
    """Rules that OpenCode does not read, as their author intended: they may restrict, and grant nothing."""
    if all(rule.approval >= Approval.SESSION for rule in rules):
        return
    for rule in rules:
        if rule.tool not in TOOLS:
            # A pattern may overlap with any other; the lowest approval of all is never too much.
            approvals = [given.approval for given in grants.rules if given.tool not in TOOLS]
            yield Rule(rule.tool, min(rule.approval, *approvals), rule.argument)
        for tool in sorted(tool for tool in TOOLS if matches(rule.tool, tool)):
            least = min(given.approval for given in grants.for_tool(tool))
            yield Rule(tool, min(rule.approval, least), rule.argument)


def _question(level: Approval, default: Approval) -> Approval:
    """The approval of `question`: OpenCode denies it to agents, which have no user to ask; no key overrides that."""
    return Approval.SESSION if default is Approval.SESSION <= level else Approval.DENY
