"""From what an agent may do to what a target can say of it: never more, and each difference told.

A target has units (its own tool names, each covering one or more canonical tools), may or may not be able to ask
for approval, and may or may not be able to tell arguments apart. `fit` decides one level for each unit; the dialect
then only has to spell it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

from agentsync.agents.grants import CHANGING, MCP, OTHER, READING, TOOLS, Approval, Grants, Rule
from agentsync.agents.patterns import ANY, matches
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic

Choice = Literal["narrow", "refuse", "accept"]

_OUTSIDE = "external_directory"


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a target's configuration says about conversion; docs/permissions.md explains each.

    Attributes:
        approval: what becomes of session approval in a target that has no session: ask, or allow.
        unenforceable: when a tool is refused for some arguments only and the target cannot say so.
        coarse: when one tool of the target covers more than was granted.
        strict_approval: refuse, rather than leave to the session, what the target cannot ask for.
        models: canonical model or alias to the target's own name, over the dialect's table.
    """

    approval: Literal["ask", "allow"] = "ask"
    unenforceable: Choice = "narrow"
    coarse: Choice = "narrow"
    strict_approval: bool = False
    models: Mapping[str, str] = field(default_factory=dict, hash=False)


def _no_arguments(_tool: str, _rules: tuple[Rule, ...]) -> bool:
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Capabilities:
    """What a target can say.

    Attributes:
        units: the target's own tool names and the canonical tools that each covers.
        nameless: the canonical tools that come with all others, and that no unit covers.
        asks: the canonical tools for which a call can be made to need approval.
        server_name: the target's spelling of an MCP pattern (`mcp/server/*`), or None where it has none.
        spells: whether the target can write these rules, which tell arguments apart, for this tool.
        exact: whether the target says every rule as it is, so that nothing has to be fitted.
    """

    units: Mapping[str, tuple[str, ...]]
    nameless: frozenset[str] = frozenset()
    asks: frozenset[str] = frozenset()
    server_name: Callable[[str], str | None] = lambda _pattern: None
    spells: Callable[[str, tuple[Rule, ...]], bool] = _no_arguments
    exact: bool = False

    @property
    def tools(self) -> frozenset[str]:
        """The canonical tools that the units cover."""
        return frozenset(tool for covered in self.units.values() for tool in covered)

    @property
    def denials(self) -> tuple[Rule, ...]:
        """Rules that deny what the target has no tool for, whatever its default."""
        return tuple(Rule(tool, Approval.DENY) for tool in sorted(TOOLS - self.tools - {"external_directory"}))


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What the target is to say.

    Attributes:
        default: what tools that are not named get; deny makes the lists below complete.
        units: each unit's level.
        arguments: the rules of the units whose arguments are told apart, in order; overrides the level.
        servers: the level of each MCP pattern in the target's spelling, in order.
    """

    default: Approval
    units: Mapping[str, Approval]
    arguments: Mapping[str, tuple[Rule, ...]]
    servers: Mapping[str, Approval]
    diagnostics: tuple[Diagnostic, ...]


# A team's agents share few lists of tools, so what is decided once for one serves the others.
@lru_cache(maxsize=1024)
def narrow(grants: Grants, capabilities: Capabilities, options: WriteOptions) -> Narrowed:
    """What a target of this shape is to say of these grants; a refusal stands among the diagnostics as an error."""
    return _Narrowing(grants, capabilities, options).narrowed()


@lru_cache(maxsize=1024)
def upper_bound(grants: Grants, capabilities: Capabilities, options: WriteOptions) -> Grants:
    """The most that an output may grant: the grants themselves, raised by what the options accept."""
    if capabilities.exact:
        return grants
    grants = _joined(grants, capabilities)
    # What is said of a tool that only its own dialect knows says nothing about any other dialect's tools.
    rules = [rule for rule in grants.rules if not rule.tool.startswith(OTHER)]
    for covered in capabilities.units.values():
        levels = {tool: grants.approvals(tool) for tool in covered}
        if options.unenforceable == "accept" and not _spelled(grants, capabilities, covered):
            partly = {tool: found for tool, found in levels.items() if Approval.DENY in found and len(found) > 1}
            rules += [Rule(tool, min(found - {Approval.DENY})) for tool, found in partly.items()]
        if options.coarse == "accept":
            most = max(max(found) for found in levels.values())
            rules += [Rule(tool, most) for tool, found in levels.items() if max(found) < most]
    if options.unenforceable == "accept":
        servers = [tool for tool in grants.patterns if tool.startswith(MCP) and capabilities.server_name(tool)]
        partly = {
            tool: found for tool in servers if Approval.DENY in (found := grants.approvals(tool)) and len(found) > 1
        }
        rules += [Rule(tool, min(found - {Approval.DENY})) for tool, found in partly.items()]
    raised = Grants(tuple(rules))
    if _OUTSIDE not in capabilities.tools:
        # Where a target has no such word, the bounds of the project are its session's to keep.
        level = max(Approval.SESSION, min(raised.approvals(_OUTSIDE)))
        raised = Grants((*raised.rules, Rule(_OUTSIDE, level)))
    if not options.strict_approval:
        raised = _without_asking(raised, capabilities.asks)
    return raised.raised(Approval.ALLOW, above=Approval.SESSION) if options.approval == "allow" else raised


def _joined(grants: Grants, capabilities: Capabilities) -> Grants:
    """The same with no more for an MCP pattern than for an earlier one that only the target's names mix up with it."""
    rules: list[Rule] = []
    earlier: dict[str, str] = {}
    for rule in grants.rules:
        approval = rule.approval
        if name := capabilities.server_name(rule.tool) if rule.tool.startswith(MCP) else None:
            mixed = [
                pattern
                for pattern, other in earlier.items()
                if _overlap(name, other) and not _overlap(rule.tool, pattern)
            ]
            approval = min([approval, *(level for pattern in mixed for level in grants.approvals(pattern))])
            earlier[rule.tool] = name
        rules.append(Rule(rule.tool, approval, rule.argument))
    return Grants(tuple(rules))


def _overlap(one: str, other: str) -> bool:
    return matches(one, other) or matches(other, one)


def _without_asking(grants: Grants, asks: frozenset[str]) -> Grants:
    """The same with ask read as session for all but these tools, and for what is no canonical tool unless all ask."""
    others = asks >= CHANGING
    rules: list[Rule] = []
    for rule in grants.rules:
        rules.append(rule)
        if rule.approval is not Approval.ASK:
            continue
        if rule.tool == ANY and not others:
            rules.append(Rule(ANY, Approval.SESSION, rule.argument))
            rules += [Rule(tool, Approval.ASK, rule.argument) for tool in sorted(asks)]
        elif rule.tool == ANY:
            rules += [Rule(tool, Approval.SESSION, rule.argument) for tool in sorted(TOOLS - asks)]
        elif rule.tool not in asks and not (others and rule.tool not in TOOLS):
            rules.append(Rule(rule.tool, Approval.SESSION, rule.argument))
    return Grants(tuple(rules))


class _Narrowing:
    def __init__(self, grants: Grants, capabilities: Capabilities, options: WriteOptions) -> None:
        self._given = grants
        self._grants = _joined(grants, capabilities)
        self._shape = capabilities
        self._options = options
        self._arguments: dict[str, tuple[Rule, ...]] = {}
        self._found: list[Diagnostic] = []

    def narrowed(self) -> Narrowed:
        default = self._default()
        units = {unit: self._unit(unit, covered) for unit, covered in self._shape.units.items()}
        if default is Approval.DENY:
            self._report_lost_tools()
        self._report_lost_bounds()
        return Narrowed(default, units, self._arguments, self._servers(default), tuple(self._found))

    def _report(self, code: Code, message: str) -> None:
        finding = Diagnostic(code, message)
        if finding not in self._found:
            self._found.append(finding)

    def _default(self) -> Approval:
        default = self._grants.everything_else
        if default is Approval.DENY:
            return default
        unspoken = [
            rule.tool
            for rule in self._grants.rules
            if rule.approval < default and rule.tool.startswith(MCP) and not self._server(rule.tool)
        ]
        least = Approval.SESSION if self._options.strict_approval else Approval.ASK
        unspoken += [tool for tool in sorted(self._shape.nameless) if min(self._grants.approvals(tool)) < least]
        if unspoken:
            self._report(
                Code.TOOL_LOST,
                f"`{_shown(unspoken[0])}` is restricted and has no name here, so only tools that have one are granted",
            )
            return Approval.DENY
        return self._askable(default, "tools that are not named", CHANGING)

    def _unit(self, unit: str, covered: tuple[str, ...]) -> Approval:
        if rules := _spelled(self._grants, self._shape, covered):
            self._arguments[unit] = rules
            return max(rule.approval for rule in rules)
        levels = {tool: self._level(tool, unit) for tool in covered}
        if any(not level and max(self._grants.approvals(tool)) for tool, level in levels.items()):
            return Approval.DENY  # `coarse` has no say in what `unenforceable` took away
        return self._askable(self._coarse(unit, levels), f"`{unit}`", frozenset(covered))

    def _level(self, tool: str, unit: str) -> Approval:
        """One level for a tool whose arguments cannot be told apart."""
        found = self._grants.approvals(tool)
        if len(found) == 1:
            return next(iter(found))
        if Approval.DENY not in found:
            if tool not in READING or Approval.ASK in found:
                self._report(Code.APPROVAL_NARROWED, f"`{unit}` asks for more calls than the source does")
            return min(found)
        match self._options.unenforceable:
            case "refuse":
                self._report(Code.REFUSED_WIDER, f"`{unit}` is refused for some arguments, which cannot be said here")
            case "narrow":
                self._report(Code.GLOB_NARROWED, f"`{unit}` is refused for some arguments, so it is left out")
            case "accept":
                self._report(Code.ACCEPTED_WIDER, f"`{unit}` is granted for every argument")
                return min(found - {Approval.DENY})
        return Approval.DENY

    def _coarse(self, unit: str, levels: Mapping[str, Approval]) -> Approval:
        least, most = min(levels.values()), max(levels.values())
        if least is not Approval.DENY or most is Approval.DENY:
            if least is Approval.ASK and most > least:
                self._report(Code.APPROVAL_NARROWED, f"`{unit}` asks for more calls than the source does")
            return least
        missing = ", ".join(f"`{tool}`" for tool, level in levels.items() if level is Approval.DENY)
        granted = ", ".join(f"`{tool}`" for tool, level in levels.items() if level is not Approval.DENY)
        match self._options.coarse:
            case "refuse":
                self._report(Code.REFUSED_WIDER, f"`{unit}` would grant {missing} beside {granted}")
            case "narrow":
                self._report(Code.COARSE, f"`{unit}` would grant {missing} beside {granted}, so it is left out")
            case "accept":
                self._report(Code.ACCEPTED_WIDER, f"`{unit}` grants {missing} beside {granted}")
                return most
        return Approval.DENY

    def _askable(self, level: Approval, what: str, tools: frozenset[str]) -> Approval:
        if level is not Approval.ASK or tools <= self._shape.asks:
            return level
        if self._options.strict_approval:
            self._report(Code.REFUSED_WIDER, f"{what} cannot be made to ask here, and `strict_approval` is set")
        else:
            self._report(Code.APPROVAL_SESSION, f"approval of {what} is left to the user's own settings")
        return Approval.SESSION

    def _servers(self, default: Approval) -> dict[str, Approval]:
        for given, rule in zip(self._given.rules, self._grants.rules, strict=True):
            if rule != given:
                self._report(Code.COARSE, f"`{_shown(rule.tool)}` gets no more than others that have its name here")
        levels: dict[str, Approval] = {}
        for rule in self._grants.rules:
            if rule.tool in TOOLS or rule.tool == ANY:
                continue
            if name := self._server(rule.tool):
                levels.pop(name, None)
                levels[name] = self._askable(self._level(rule.tool, name), f"`{name}`", CHANGING)
            elif rule.approval > default and not rule.tool.startswith(OTHER):  # the reader told of those
                self._report(Code.TOOL_LOST, f"`{_shown(rule.tool)}` has no name here and is left out")
        return levels

    def _server(self, pattern: str) -> str | None:
        return self._shape.server_name(pattern) if pattern.startswith(MCP) else None

    def _report_lost_tools(self) -> None:
        for tool in self._grants.patterns:
            if tool in TOOLS - self._shape.tools - {_OUTSIDE} and max(self._grants.approvals(tool)) > Approval.DENY:
                self._report(Code.TOOL_LOST, f"there is no `{tool}` here")

    def _report_lost_bounds(self) -> None:
        if _OUTSIDE in self._shape.tools or _OUTSIDE not in self._grants.patterns:
            return
        if Approval.DENY in self._grants.approvals(_OUTSIDE):
            self._report(Code.APPROVAL_SESSION, "what lies outside the project is left to the user's own settings")


def _shown(tool: str) -> str:
    """A pattern as its author may know it."""
    return tool.removeprefix(MCP).removeprefix(OTHER)


def _spelled(grants: Grants, capabilities: Capabilities, covered: tuple[str, ...]) -> tuple[Rule, ...]:
    """The rules of a unit for which the target tells arguments apart; none where it cannot, or has no need to."""
    first, *others = ([(rule.argument, rule.approval) for rule in grants.for_tool(tool)] for tool in covered)
    rules = grants.for_tool(covered[0])
    apart = len(grants.approvals(covered[0])) > 1
    return rules if apart and all(other == first for other in others) and capabilities.spells(covered[0], rules) else ()
