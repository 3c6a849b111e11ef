"""Narrow the grants of an agent to the capabilities of a target: never more, and every difference is reported.

A target has units (its own tool names, each covering one or more canonical tools). Some targets can ask for
approval, and some can distinguish arguments. `narrow` decides one level for each unit; the dialect then only has to
spell it.
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
    """Conversion settings of a target; docs/permissions.md explains each.

    Attributes:
        approval: what session approval becomes in a target that has no session: ask, or allow.
        unenforceable: the choice when a tool is refused for some arguments only and the target cannot express that.
        coarse: the choice when one tool of the target covers more than was granted.
        strict_approval: refuse calls for which the target cannot ask, rather than leave them to the session.
        models: canonical model or alias to the target's own name, over the dialect's table.
        overwrites: whether the agent's own tool replaces files by writing, even if it may not edit; set for each agent.
    """

    approval: Literal["ask", "allow"] = "ask"
    unenforceable: Choice = "narrow"
    coarse: Choice = "narrow"
    strict_approval: bool = False
    models: Mapping[str, str] = field(default_factory=dict, hash=False)
    overwrites: bool = False


def _no_arguments(_tool: str, _rules: tuple[Rule, ...]) -> bool:
    return False


@dataclass(frozen=True, slots=True, eq=False)
class Capabilities:
    """Permissions that a target can express.

    Attributes:
        units: the target's own tool names and the canonical tools that each covers.
        nameless: the canonical tools that no unit covers, and that come with a grant of all tools.
        asks: the canonical tools for which the target can require approval of a call.
        server_name: the target's spelling of an MCP pattern (`mcp/server/*`), or None where it has none.
        spells: whether the target can write these rules, which distinguish arguments, for this tool.
        exact: whether the target can express every rule as it is, so that no narrowing is needed.
        overwrites: whether its writing is known to replace a file that is there, and so can do what editing can.
        reads: whether every agent reads files there, so that one that may search their text need not be refused.
    """

    units: Mapping[str, tuple[str, ...]]
    nameless: frozenset[str] = frozenset()
    asks: frozenset[str] = frozenset()
    server_name: Callable[[str], str | None] = lambda _pattern: None
    spells: Callable[[str, tuple[Rule, ...]], bool] = _no_arguments
    exact: bool = False
    overwrites: bool = False
    reads: bool = False

    @property
    def tools(self) -> frozenset[str]:
        """Canonical tools that the units cover."""
        return frozenset(tool for covered in self.units.values() for tool in covered)

    @property
    def denials(self) -> tuple[Rule, ...]:
        """Rules that deny the canonical tools that the target does not have, whatever its default."""
        return tuple(Rule(tool, Approval.DENY) for tool in sorted(TOOLS - self.tools - {_OUTSIDE}))


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Grants for a target to write, within its capabilities.

    Attributes:
        default: the level of tools that are not named; deny makes the lists below complete.
        units: the level of each unit.
        arguments: the rules of the units that distinguish arguments, in order; these override the level.
        servers: the level of each MCP pattern in the target's spelling, in order.
        diagnostics: each difference from the grants; a refusal is an error.
    """

    default: Approval
    units: Mapping[str, Approval]
    arguments: Mapping[str, tuple[Rule, ...]]
    servers: Mapping[str, Approval]
    diagnostics: tuple[Diagnostic, ...]


# Cached, since the agents of a team share a few lists of tools.
@lru_cache(maxsize=1024)
def narrow(grants: Grants, capabilities: Capabilities, options: WriteOptions) -> Narrowed:
    """Narrow grants to a target's capabilities; a refusal is an error among the diagnostics."""
    return _Narrowing(grants, capabilities, options).narrowed()


@lru_cache(maxsize=1024)
def upper_bound(grants: Grants, capabilities: Capabilities, options: WriteOptions) -> Grants:
    """Upper bound of what an output may grant: the grants themselves, raised by what the options accept."""
    if capabilities.exact:
        return grants
    grants = _with_name_collisions(_with_what_is_given(grants, capabilities), capabilities)
    # A rule for a tool that only its own dialect knows has no meaning for the tools of another dialect.
    rules = [rule for rule in grants.rules if not rule.tool.startswith(OTHER)]
    for covered in capabilities.units.values():
        approvals = {tool: grants.approvals(tool) for tool in covered}
        if capabilities.overwrites and "write" in covered and (options.overwrites or options.coarse == "accept"):
            writes = max(approvals["write"])
            rules += [Rule("edit", writes)] if max(grants.approvals("edit")) < writes else []
        if options.unenforceable == "accept" and not _rules_by_argument(grants, capabilities, covered):
            partly = {tool: levels for tool, levels in approvals.items() if Approval.DENY in levels and len(levels) > 1}
            rules += [Rule(tool, min(levels - {Approval.DENY})) for tool, levels in partly.items()]
        if options.coarse == "accept":
            most = max(max(levels) for levels in approvals.values())
            rules += [Rule(tool, most) for tool, levels in approvals.items() if max(levels) < most]
    if options.unenforceable == "accept":
        servers = [tool for tool in grants.patterns if tool.startswith(MCP) and capabilities.server_name(tool)]
        partly = {
            tool: levels for tool in servers if Approval.DENY in (levels := grants.approvals(tool)) and len(levels) > 1
        }
        rules += [Rule(tool, min(levels - {Approval.DENY})) for tool, levels in partly.items()]
    raised = Grants(tuple(rules))
    if _OUTSIDE not in capabilities.tools:
        # A target without this tool leaves it to the session to stay within the project.
        level = max(Approval.SESSION, min(raised.approvals(_OUTSIDE)))
        raised = Grants((*raised.rules, Rule(_OUTSIDE, level)))
    if not options.strict_approval:
        raised = _without_asking(raised, capabilities.asks)
    return raised.raised(Approval.ALLOW, above=Approval.SESSION) if options.approval == "allow" else raised


def _with_what_is_given(grants: Grants, capabilities: Capabilities) -> Grants:
    """The grants with the reading that searching amounts to, where no file takes reading away."""
    return grants.with_reading() if capabilities.reads else grants


def _with_name_collisions(grants: Grants, capabilities: Capabilities) -> Grants:
    """Limit each MCP pattern to the level of earlier ones that become the same in the target's names only."""
    rules: list[Rule] = []
    earlier: dict[str, str] = {}
    for rule in grants.rules:
        approval = rule.approval
        if name := capabilities.server_name(rule.tool) if rule.tool.startswith(MCP) else None:
            colliding = [
                pattern
                for pattern, other in earlier.items()
                if _overlap(name, other) and not _overlap(rule.tool, pattern)
            ]
            approval = min([approval, *(level for pattern in colliding for level in grants.approvals(pattern))])
            earlier[rule.tool] = name
        rules.append(Rule(rule.tool, approval, rule.argument))
    return Grants(tuple(rules))


def _overlap(one: str, other: str) -> bool:
    return matches(one, other) or matches(other, one)


def _without_asking(grants: Grants, asks: frozenset[str]) -> Grants:
    """Replace ask by session where a target cannot ask.

    Args:
        grants: the grants to change.
        asks: the canonical tools for which the target can ask. Tools that are not canonical count as able to ask
            only when these include every tool that changes something.
    """
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
    """One run of `narrow`, which collects the diagnostics."""

    def __init__(self, grants: Grants, capabilities: Capabilities, options: WriteOptions) -> None:
        self._original = _with_what_is_given(grants, capabilities)
        self._grants = _with_name_collisions(self._original, capabilities)
        self._capabilities = capabilities
        self._options = options
        self._arguments: dict[str, tuple[Rule, ...]] = {}
        self._diagnostics: list[Diagnostic] = []

    def narrowed(self) -> Narrowed:
        default = self._default_level()
        units = {unit: self._unit_level(unit, covered) for unit, covered in self._capabilities.units.items()}
        if default is Approval.DENY:
            self._report_lost_tools()
        self._report_lost_bounds()
        return Narrowed(default, units, self._arguments, self._server_levels(default), tuple(self._diagnostics))

    def _report(self, code: Code, message: str) -> None:
        diagnostic = Diagnostic(code, message)
        if diagnostic not in self._diagnostics:
            self._diagnostics.append(diagnostic)

    def _default_level(self) -> Approval:
        """Level of all tools that are not named; deny where a restricted tool cannot be named."""
        default = self._grants.everything_else
        if default is Approval.DENY:
            return default
        nameless = [
            rule.tool
            for rule in self._grants.rules
            if rule.approval < default and rule.tool.startswith(MCP) and not self._server_name(rule.tool)
        ]
        least = Approval.SESSION if self._options.strict_approval else Approval.ASK
        nameless += [tool for tool in sorted(self._capabilities.nameless) if min(self._grants.approvals(tool)) < least]
        if nameless:
            self._report(
                Code.TOOL_LOST,
                f"`{_label(nameless[0])}` is restricted and has no name here, so only tools that have one are granted",
            )
            return Approval.DENY
        return self._approvable_level(default, "tools that are not named", CHANGING)

    def _unit_level(self, unit: str, covered: tuple[str, ...]) -> Approval:
        """Level of one unit; its rules are kept where the target can distinguish arguments."""
        if rules := _rules_by_argument(self._grants, self._capabilities, covered):
            self._arguments[unit] = rules
            return max(rule.approval for rule in rules)
        levels = {tool: self._tool_level(tool, unit) for tool in covered}
        if any(not level and max(self._grants.approvals(tool)) for tool, level in levels.items()):
            return Approval.DENY  # `unenforceable` decided this, so `coarse` must not grant it
        level = self._shared_level(unit, levels)
        edits = min(self._grants.approvals("edit"))
        creates_only = self._capabilities.overwrites and not self._options.overwrites
        if creates_only and "write" in covered and edits < level:
            level = self._shared_level(unit, {"write": level, "edit": edits})
        return self._approvable_level(level, f"`{unit}`", frozenset(covered))

    def _tool_level(self, tool: str, unit: str) -> Approval:
        """Level for a tool in a target that cannot distinguish its arguments."""
        approvals = self._grants.approvals(tool)
        if len(approvals) == 1:
            return next(iter(approvals))
        if Approval.DENY not in approvals:
            if tool not in READING or Approval.ASK in approvals:
                self._report(Code.APPROVAL_NARROWED, f"`{unit}` asks for more calls than the source does")
            return min(approvals)
        match self._options.unenforceable:
            case "refuse":
                message = f"`{unit}` is refused for some arguments, which cannot be expressed here"
                self._report(Code.REFUSED_WIDER, message)
            case "narrow":
                self._report(Code.GLOB_NARROWED, f"`{unit}` is refused for some arguments, so it is left out")
            case "accept":
                self._report(Code.ACCEPTED_WIDER, f"`{unit}` is granted for every argument")
                return min(approvals - {Approval.DENY})
        return Approval.DENY

    def _shared_level(self, unit: str, levels: Mapping[str, Approval]) -> Approval:
        """Level of a unit that covers several canonical tools, whose levels may differ."""
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

    def _approvable_level(self, level: Approval, what: str, tools: frozenset[str]) -> Approval:
        """The level, with ask replaced by session where the target cannot ask for these tools."""
        if level is not Approval.ASK or tools <= self._capabilities.asks:
            return level
        if self._options.strict_approval:
            self._report(Code.REFUSED_WIDER, f"{what} cannot be made to ask here, and `strict_approval` is set")
        else:
            self._report(Code.APPROVAL_SESSION, f"approval of {what} is left to the user's own settings")
        return Approval.SESSION

    def _server_levels(self, default: Approval) -> dict[str, Approval]:
        """Level of each MCP pattern that the target has a name for, in order."""
        for original, rule in zip(self._original.rules, self._grants.rules, strict=True):
            if rule != original:
                self._report(Code.COARSE, f"`{_label(rule.tool)}` gets no more than others that have its name here")
        levels: dict[str, Approval] = {}
        for rule in self._grants.rules:
            if rule.tool in TOOLS or rule.tool == ANY:
                continue
            if name := self._server_name(rule.tool):
                levels.pop(name, None)
                levels[name] = self._approvable_level(self._tool_level(rule.tool, name), f"`{name}`", CHANGING)
            elif rule.approval > default and not rule.tool.startswith(OTHER):  # the reader has reported those
                self._report(Code.TOOL_LOST, f"`{_label(rule.tool)}` has no name here and is left out")
        return levels

    def _server_name(self, pattern: str) -> str | None:
        return self._capabilities.server_name(pattern) if pattern.startswith(MCP) else None

    def _report_lost_tools(self) -> None:
        for tool in self._grants.patterns:
            if (
                tool in TOOLS - self._capabilities.tools - {_OUTSIDE}
                and max(self._grants.approvals(tool)) > Approval.DENY
            ):
                self._report(Code.TOOL_LOST, f"there is no `{tool}` here")

    def _report_lost_bounds(self) -> None:
        if _OUTSIDE in self._capabilities.tools or _OUTSIDE not in self._grants.patterns:
            return
        if Approval.DENY in self._grants.approvals(_OUTSIDE):
            self._report(Code.APPROVAL_SESSION, "what lies outside the project is left to the user's own settings")


def _label(tool: str) -> str:
    """Pattern without the canonical prefixes, as its author may know it."""
    return tool.removeprefix(MCP).removeprefix(OTHER)


def _rules_by_argument(grants: Grants, capabilities: Capabilities, covered: tuple[str, ...]) -> tuple[Rule, ...]:
    """Rules of a unit by argument; empty where the target cannot distinguish arguments, or has no need to."""
    first, *others = ([(rule.argument, rule.approval) for rule in grants.for_tool(tool)] for tool in covered)
    rules = grants.for_tool(covered[0])
    apart = len(grants.approvals(covered[0])) > 1
    return rules if apart and all(other == first for other in others) and capabilities.spells(covered[0], rules) else ()
