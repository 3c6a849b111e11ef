"""What an agent may do, as values that can be compared.

A tool is available or not, and a call to it needs approval or not. Both are one value, Approval, decided by an
ordered list of rules of which the last that matches counts. Two such lists can be compared exactly: `wider`
walks every class of tool name and argument that their patterns can tell apart, and so either proves that one
grants no more than the other or names a call that it grants and the other does not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from agentsync.agents.patterns import ANY, UNNAMED, classes_of, matches

MCP = "mcp/"
"""Prefix of the tools of MCP servers: `mcp/server/tool`, or `mcp/flat_name` where a dialect joins the two."""

OTHER = "other/"
"""Prefix of tool names that no table knows, kept as their author wrote them."""

UNTRANSLATED = "untranslated:"
"""Prefix of an argument pattern in a syntax that only its own dialect can read; it matches no real argument."""

# Canonical tools. Those that only look at the machine, or keep the agent's own notes, ask in none of the tools.
READING = frozenset({"read", "grep", "glob", "list", "lsp", "todo", "skill", "question"})
CHANGING = frozenset({"write", "edit", "notebook", "bash", "webfetch", "websearch", "task", "external_directory"})
TOOLS = READING | CHANGING

# What the first of each can do by itself; used for targets that know only a shell in a sandbox.
READ_COVERS = ("read", "grep", "glob", "list")
SHELL_COVERS = ("bash", "read", "grep", "glob", "list", "write", "edit", "notebook", "webfetch", "external_directory")

_NOT_FLAT = re.compile(r"[^a-zA-Z0-9_*?-]")


class Approval(IntEnum):
    """deny < ask < session < allow; session means that the user's own settings of the tool decide."""

    DENY = 0
    ASK = 1
    SESSION = 2
    ALLOW = 3


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a grant.

    Attributes:
        tool: a canonical tool, or a pattern of them (`*`, `mcp/github/*`).
        approval: what a matching call gets.
        argument: a pattern of the call's argument: a command, path, URL, agent or skill name.

    In both patterns `*` stands for any characters and `?` for one; a final ` *` also matches nothing, so
    `ls *` covers `ls` (OpenCode's rule, https://opencode.ai/docs/permissions).
    """

    tool: str
    approval: Approval
    argument: str = ANY


@dataclass(frozen=True, slots=True)
class Grants:
    """An ordered list of rules; the last that matches decides, and what none matches is denied."""

    rules: tuple[Rule, ...] = ()

    def approval(self, tool: str, argument: str = "") -> Approval:
        """What one call gets."""
        for rule in reversed(self.rules):
            if matches(rule.tool, tool) and matches(rule.argument, argument):
                return rule.approval
        return Approval.DENY

    def approvals(self, tool: str) -> frozenset[Approval]:
        """Every value that some argument of this tool gets."""
        rules = self.for_tool(tool)
        classes = classes_of(tuple(dict.fromkeys(rule.argument for rule in rules)))
        return frozenset(_decide(rules, matched) for _, matched in classes)

    def least(self, tool: str, argument: str) -> Approval:
        """The least that a call of this tool gets whose argument a pattern covers."""
        rules = self.for_tool(tool)
        classes = classes_of(tuple(dict.fromkeys((*(rule.argument for rule in rules), argument))))
        return min(_decide(rules, matched) for _, matched in classes if argument in matched)

    def for_tool(self, tool: str) -> tuple[Rule, ...]:
        """The rules that can matter for this tool, in order."""
        return self.under({pattern for pattern in {rule.tool for rule in self.rules} if matches(pattern, tool)})

    def under(self, patterns: Collection[str]) -> tuple[Rule, ...]:
        """The rules that can matter for a tool which exactly these of their tool patterns cover, in order."""
        found: list[Rule] = []
        for rule in self.rules:
            if rule.tool in patterns:
                if rule.argument == ANY:
                    found.clear()
                found.append(rule)
        return tuple(found)

    @property
    def everything_else(self) -> Approval:
        """What a tool that no rule names gets, at the least, whatever its argument."""
        return min(self.approvals(UNNAMED))

    @property
    def patterns(self) -> tuple[str, ...]:
        """The tool patterns that the rules name, in order, without the one for everything."""
        return tuple(dict.fromkeys(rule.tool for rule in self.rules if rule.tool != ANY))

    def with_flat_names(self) -> Grants:
        """The same with `mcp/server/tool` as `mcp/server_tool` (flat_name), for comparing dialects that join them."""
        return Grants(tuple(Rule(_flat(rule.tool), rule.approval, rule.argument) for rule in self.rules))

    def with_effects(self) -> Grants:
        """The same by what it lets happen: who may read files may also find them, and a free shell does the rest."""
        return _with_effects(self)

    def raised(self, approval: Approval, *, above: Approval) -> Grants:
        """The same with every approval from `above` upwards raised to `approval`."""
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
    """The rules with everything denied but what only reads, which gets what it had, and at most the session's say."""
    rules = list(rules)
    grants = Grants(tuple(rules))
    available = [tool for tool in ("external_directory", *sorted(READING)) if max(grants.approvals(tool))]
    kept = (
        Rule(tool, min(rule.approval, Approval.SESSION), rule.argument)
        for tool in available
        for rule in grants.for_tool(tool)
    )
    return [*rules, Rule(ANY, Approval.DENY), *kept]


@lru_cache(maxsize=1024)
def _with_effects(grants: Grants) -> Grants:
    for able, covered in ((READ_COVERS[0], READ_COVERS[1:]), (SHELL_COVERS[0], SHELL_COVERS[1:])):
        level = min(grants.approvals(able))
        raised: list[Rule] = []
        for tool in covered:
            if level > min(grants.approvals(tool)):
                more = (Rule(tool, max(rule.approval, level), rule.argument) for rule in grants.for_tool(tool))
                raised += [Rule(tool, level), *more]
        grants = Grants((*grants.rules, *raised))
    return grants


@dataclass(frozen=True, slots=True)
class Widening:
    """A call that gets more than it may: which, what it gets, and what it may get."""

    tool: str
    argument: str
    gets: Approval
    may: Approval

    @property
    def call(self) -> str:
        """The call, in words."""
        tool = "a tool that is not named" if UNNAMED in (self.tool or UNNAMED) else f"`{self.tool}`"
        argument = f" with `{self.argument}`" if self.argument and UNNAMED not in self.argument else ""
        return tool + argument

    def __str__(self) -> str:
        return f"{self.call} would be {self.gets.name.lower()} where the source says {self.may.name.lower()}"


@lru_cache(maxsize=1024)
def wider(output: Grants, source: Grants) -> Widening | None:
    """A call to which `output` gives more than `source` does, or None when there is none.

    The answer is exact. For tools that only read, session and allow count as one, and a denial is the only
    thing below them.

    Raises:
        TooManyPatternsError: the patterns cannot be compared within bounds.
    """
    for tool, patterns in _tool_classes(tuple(dict.fromkeys((*output.patterns, *source.patterns)))):
        given, allowed = output.under(patterns), source.under(patterns)
        if given == allowed:
            continue
        arguments = tuple(dict.fromkeys(rule.argument for rule in (*given, *allowed)))
        for argument, matched in classes_of(arguments):
            gets, may = _decide(given, matched), _decide(allowed, matched)
            if _strength(tool, gets) > _strength(tool, may):
                return Widening(tool, argument, gets, may)
    return None


def _strength(tool: str, approval: Approval) -> Approval:
    if tool in READING and approval is Approval.ALLOW:
        return Approval.SESSION
    return approval


def _decide(rules: tuple[Rule, ...], matched: frozenset[str]) -> Approval:
    return next((rule.approval for rule in reversed(rules) if rule.argument in matched), Approval.DENY)


def flat_name(pattern: str) -> str:
    """A pattern of `server/tool` as OpenCode joins the two, which keeps ASCII letters, digits, `_` and `-`."""
    return _NOT_FLAT.sub(lambda found: "__" if found[0] > "\uffff" else "_", pattern)  # it counts in UTF-16


def _flat(tool: str) -> str:
    return MCP + flat_name(tool.removeprefix(MCP)) if tool.startswith(MCP) else tool


@lru_cache(maxsize=1024)
def _tool_classes(patterns: tuple[str, ...]) -> tuple[tuple[str, frozenset[str]], ...]:
    """The classes of tool names that these patterns, the canonical tools and `*` tell apart."""
    free = [pattern for pattern in patterns if pattern not in TOOLS]
    mixed = [tool for tool in sorted(TOOLS) if any(matches(pattern, tool) for pattern in free)]
    # A tool that only its own name and `*` cover is a class by itself, and need not be walked.
    alone = [(tool, frozenset({tool, ANY})) for tool in sorted(TOOLS.difference(mixed))]
    return (*alone, *classes_of((*free, *mixed, ANY)))
