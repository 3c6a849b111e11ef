"""Grants: the permissions of an agent, as values that can be compared.

A tool is available or not, and a call to it needs approval or not. Both are one value, Approval, decided by an
ordered list of rules: the last rule that matches wins. Two such lists can be compared exactly: `wider` visits
every class of tool name and argument that their patterns can distinguish. So it either proves that one list grants
no more than the other, or names a call that only one of them grants.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from agentsync.agents.patterns import ANY, UNNAMED, classes_of, matches

MCP = "mcp/"
"""Prefix of the tools of MCP servers: `mcp/server/tool`, or `mcp/flat_name` where a dialect joins the two."""

OTHER = "other/"
"""Prefix of tool names that are in no table, kept as their author wrote them."""

UNTRANSLATED = "untranslated:"
"""Prefix of an argument pattern in a syntax that only its own dialect can read; it matches no real argument."""

# Canonical tools. Those that only read, or keep the agent's own notes, need no approval in any supported tool.
READING = frozenset({"read", "grep", "glob", "list", "lsp", "todo", "skill", "question"})
CHANGING = frozenset({"write", "edit", "notebook", "bash", "webfetch", "websearch", "task", "external_directory"})
TOOLS = READING | CHANGING

# The first tool of each can do the work of the others; used for targets that have only a shell in a sandbox.
READ_COVERS = ("read", "grep", "glob", "list")
SHELL_COVERS = ("bash", "read", "grep", "glob", "list", "write", "edit", "notebook", "webfetch", "external_directory")

_NOT_FLAT = re.compile(r"[^a-zA-Z0-9_*?-]")


class Approval(IntEnum):
    """Levels of approval: deny < ask < session < allow. At session, the user's own settings of the tool decide."""

    DENY = 0
    ASK = 1
    SESSION = 2
    ALLOW = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a list of grants.

    Attributes:
        tool: a canonical tool, or a pattern for several (`*`, `mcp/github/*`).
        approval: the approval of a matching call.
        argument: a pattern for the argument of the call: a command, path, URL, agent or skill name.

    In both patterns `*` matches any characters and `?` matches one; a final ` *` also matches nothing, so
    `ls *` covers `ls` (OpenCode's rule, https://opencode.ai/docs/permissions).
    """

    tool: str
    approval: Approval
    argument: str = ANY


@dataclass(frozen=True, slots=True)
class Grants:
    """An ordered list of rules: the last rule that matches decides, and a call that none matches is denied."""

    rules: tuple[Rule, ...] = ()

    def approval(self, tool: str, argument: str = "") -> Approval:
        """Approval of one call."""
        for rule in reversed(self.rules):
            if matches(rule.tool, tool) and matches(rule.argument, argument):
                return rule.approval
        return Approval.DENY

    def approvals(self, tool: str) -> frozenset[Approval]:
        """Every approval that calls of this tool get, over all arguments."""
        rules = self.for_tool(tool)
        classes = classes_of(tuple(dict.fromkeys(rule.argument for rule in rules)))
        return frozenset(_decide(rules, matched) for _, matched in classes)

    def least(self, tool: str, argument: str) -> Approval:
        """Lowest approval among calls of this tool with an argument that the pattern covers."""
        rules = self.for_tool(tool)
        classes = classes_of(tuple(dict.fromkeys((*(rule.argument for rule in rules), argument))))
        return min(_decide(rules, matched) for _, matched in classes if argument in matched)

    def for_tool(self, tool: str) -> tuple[Rule, ...]:
        """Rules that can apply to this tool, in order."""
        return self.under({pattern for pattern in {rule.tool for rule in self.rules} if matches(pattern, tool)})

    def under(self, patterns: Collection[str]) -> tuple[Rule, ...]:
        """Rules that can apply to a tool matched by exactly these tool patterns, in order."""
        applicable: list[Rule] = []
        for rule in self.rules:
            if rule.tool in patterns:
                if rule.argument == ANY:
                    applicable.clear()  # it overrides every rule before it
                applicable.append(rule)
        return tuple(applicable)

    @property
    def everything_else(self) -> Approval:
        """Lowest approval of a tool that no rule names, over all arguments."""
        return min(self.approvals(UNNAMED))

    @property
    def patterns(self) -> tuple[str, ...]:
        """Tool patterns of the rules, in order, without the one for every tool."""
        return tuple(dict.fromkeys(rule.tool for rule in self.rules if rule.tool != ANY))

    def with_flat_names(self) -> Grants:
        """Write `mcp/server/tool` as `mcp/server_tool` (flat_name), to compare dialects that join the two."""
        return Grants(tuple(Rule(_flat(rule.tool), rule.approval, rule.argument) for rule in self.rules))

    def with_effects(self) -> Grants:
        """Add implied abilities: an agent that may read files may also find them, and a free shell can do the rest."""
        return _with_effects(self)

    def with_reading(self) -> Grants:
        """Add reading where all text may be searched without asking, unless a rule names reading.

        A search for every line shows a whole file.
        """
        level = min(self.approvals("grep"))
        is_named = any(rule.tool != ANY and matches(rule.tool, "read") for rule in self.rules)
        if is_named or level < Approval.SESSION or min(self.approvals("read")) >= level:
            return self
        return Grants((*self.rules, Rule("read", level))).with_effects()

    def with_overwriting(self) -> Grants:
        """Add editing wherever writing is granted, unless a rule names editing.

        Where a tool's writing replaces a file that is there, its agent can change any file.
        """
        if any(rule.tool == "edit" for rule in self.rules):
            return self
        rules: list[Rule] = []
        grants_writing = False
        for rule in self.rules:
            rules.append(rule)
            if rule.tool == "write":
                # A denial alone takes nothing but writing; after a grant, it is an exception to what that implies.
                grants_writing = grants_writing or rule.approval is not Approval.DENY
                rules += [Rule("edit", rule.approval, rule.argument)] if grants_writing else []
        return Grants(tuple(rules))

    def raised(self, approval: Approval, *, above: Approval) -> Grants:
        """Raise every approval from `above` upwards to `approval`."""
        return Grants(
            tuple(
                Rule(
                    rule.tool, max(rule.approval, approval) if rule.approval >= above else rule.approval, rule.argument
                )
                for rule in self.rules
            )
        )


EVERYTHING = Grants((Rule(ANY, Approval.SESSION),))
NOTHING = Grants()


def only_reading(rules: Iterable[Rule]) -> list[Rule]:
    """Deny everything except tools that only read; these keep their approval, up to session."""
    rules = list(rules)
    grants = Grants(tuple(rules))
    available = [tool for tool in ("external_directory", *sorted(READING)) if max(grants.approvals(tool))]
    reading = (
        Rule(tool, min(rule.approval, Approval.SESSION), rule.argument)
        for tool in available
        for rule in grants.for_tool(tool)
    )
    return [*rules, Rule(ANY, Approval.DENY), *reading]


@lru_cache(maxsize=1024)
def _with_effects(grants: Grants) -> Grants:
    for covering, covered in ((READ_COVERS[0], READ_COVERS[1:]), (SHELL_COVERS[0], SHELL_COVERS[1:])):
        level = min(grants.approvals(covering))
        raised: list[Rule] = []
        for tool in covered:
            if level > min(grants.approvals(tool)):
                more = (Rule(tool, max(rule.approval, level), rule.argument) for rule in grants.for_tool(tool))
                raised += [Rule(tool, level), *more]
        grants = Grants((*grants.rules, *raised))
    return grants


@dataclass(frozen=True, slots=True)
class Widening:
    """A call that the output grants more than the source does.

    Attributes:
        tool, argument: an example of such a call.
        gets: its approval in the output.
        may: the highest approval that it may have.
        pattern: the tool pattern of the output's rule that decides it.
    """

    tool: str
    argument: str
    gets: Approval
    may: Approval
    pattern: str

    @property
    def call(self) -> str:
        """The call, as text for a message."""
        return self._with_argument(
            "a tool that is not named" if UNNAMED in (self.tool or UNNAMED) else f"`{self.tool}`"
        )

    @property
    def granted(self) -> str:
        """What the output's rule grants, as text for a list: the call, or the rule's pattern for several tools."""
        return self._with_argument(f"`{self.pattern}`") if self.pattern not in {ANY, self.tool} else self.call

    def _with_argument(self, tool: str) -> str:
        return f"{tool} with `{self.argument}`" if self.argument and UNNAMED not in self.argument else tool

    def __str__(self) -> str:
        return f"{self.call} would be {self.gets.name.lower()} where the source sets {self.may.name.lower()}"


@lru_cache(maxsize=1024)
def wider(output: Grants, source: Grants) -> Widening | None:
    """Find a call that `output` grants more than `source` does; None where there is none.

    The answer is exact. For tools that only read, session and allow count as the same level.

    Raises:
        TooManyPatternsError: the patterns cannot be compared within bounds.
    """
    return next(_widenings(output, source), None)


def widenings(output: Grants, source: Grants) -> tuple[Widening, ...]:
    """Find one call of each class of tools of which `output` grants some call more; the first is that of `wider`.

    Raises:
        TooManyPatternsError: the patterns cannot be compared within bounds.
    """
    return tuple(_widenings(output, source)) if wider(output, source) else ()


def _widenings(output: Grants, source: Grants) -> Iterator[Widening]:
    for tool, patterns in _tool_classes(tuple(dict.fromkeys((*output.patterns, *source.patterns)))):
        given, allowed = output.under(patterns), source.under(patterns)
        if given == allowed:
            continue
        arguments = tuple(dict.fromkeys(rule.argument for rule in (*given, *allowed)))
        for argument, matched in classes_of(arguments):
            deciding = _deciding(given, matched)
            may = _decide(allowed, matched)
            if deciding and _strength(tool, deciding.approval) > _strength(tool, may):
                yield Widening(tool, argument, deciding.approval, may, deciding.tool)
                break


def _strength(tool: str, approval: Approval) -> Approval:
    """Approval for comparison: for tools that only read, allow is the same as session."""
    if tool in READING and approval is Approval.ALLOW:
        return Approval.SESSION
    return approval


def _decide(rules: tuple[Rule, ...], matched: frozenset[str]) -> Approval:
    rule = _deciding(rules, matched)
    return rule.approval if rule else Approval.DENY


def _deciding(rules: tuple[Rule, ...], matched: frozenset[str]) -> Rule | None:
    return next((rule for rule in reversed(rules) if rule.argument in matched), None)


def flat_name(pattern: str) -> str:
    """Join a pattern of `server/tool` as OpenCode does, which keeps ASCII letters, digits, `_` and `-`."""
    # OpenCode counts in UTF-16, where a character beyond U+FFFF is two.
    return _NOT_FLAT.sub(lambda match: "__" if match[0] > "\uffff" else "_", pattern)


def _flat(tool: str) -> str:
    return MCP + flat_name(tool.removeprefix(MCP)) if tool.startswith(MCP) else tool


@lru_cache(maxsize=1024)
def _tool_classes(patterns: tuple[str, ...]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Classes of tool names that these patterns, the canonical tools and `*` distinguish."""
    free = [pattern for pattern in patterns if pattern not in TOOLS]
    mixed = [tool for tool in sorted(TOOLS) if any(matches(pattern, tool) for pattern in free)]
    # A tool matched by only its own name and `*` is a class by itself, and needs no automaton.
    separate = [(tool, frozenset({tool, ANY})) for tool in sorted(TOOLS.difference(mixed))]
    return (*separate, *classes_of((*free, *mixed, ANY)))
