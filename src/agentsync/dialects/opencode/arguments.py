"""Arguments of OpenCode's permissions: the order in which they count, and the maps that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import READING, UNTRANSLATED, Approval, Grants, Rule
from agentsync.agents.narrowing import WriteOptions
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import slug
from agentsync.dialects._base import NameRule

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_INDEX_END: Final = 2**32 - 1
GUARDED: Final[dict[str, JsonValue]] = {"*.env": "ask", "*.env.*": "ask", "*.env.example": "allow"}
"""The files for which OpenCode asks by default before reading; a plain `read: allow` would disable that."""

_SLUG_PATTERN: Final = re.compile(r"[a-z0-9*?-]*")


def is_index(key: str) -> bool:
    """Whether JavaScript treats a key as an array index."""
    return _INDEX.fullmatch(key) is not None and int(key) < _INDEX_END


def ordered(entries: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A map as JavaScript orders it: indices first and ascending, whatever their order in the file.

    The order matters because the last match counts.
    """
    return dict(sorted(entries.items(), key=lambda entry: int(entry[0]) if is_index(entry[0]) else _INDEX_END))


def starts_at_home(argument: str) -> bool:
    """Whether OpenCode expands the start of an argument pattern to the home directory."""
    return argument == "~" or argument.startswith(("~/", "$HOME"))


def spells_argument(tool: str, argument: str) -> bool:
    """Whether an argument pattern means the same in OpenCode, and counts in the same order."""
    if argument.startswith(UNTRANSLATED) or starts_at_home(argument) or is_index(argument):
        return False
    if tool == "task" and _has_wildcard(argument):
        return _SLUG_PATTERN.fullmatch(argument) is not None  # a pattern of other names covers none of their slugs
    return "\\" not in argument  # OpenCode reads a backslash as a slash


def _has_wildcard(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _renamed(rules: tuple[Rule, ...], names: NameRule) -> Iterator[tuple[str, Approval, str, Approval]]:
    """Each named agent that has another name here: both names, each with its approval."""
    grants = Grants(rules)
    for rule in rules:
        name, made = rule.argument, slug(rule.argument)
        other = names.spelled(name, names.adapted(made)) if made else ""
        if not _has_wildcard(name) and other not in ("", name):
            yield name, grants.approval("task", name), other, grants.approval("task", other)


def with_slugs(tool: str, rules: tuple[Rule, ...], names: NameRule) -> tuple[Rule, ...]:
    """The rules, followed by their denials of agents repeated for the names of these agents here.

    A grant is not repeated: the slug may be the name of another agent.
    """
    if tool != "task":
        return rules
    lower = [Rule(tool, level, other) for _, level, other, level_here in _renamed(rules, names) if level < level_here]
    return (*rules, *sorted(lower, key=lambda rule: -rule.approval))


def unreachable(rules: tuple[Rule, ...], names: NameRule) -> list[Diagnostic]:
    """A diagnostic for each named agent that may be called, but not by the name that it has here.

    A name of the tool's own is left out, since the rule may be for the tool's agent.
    """
    return [
        Diagnostic(Code.TOOL_LOST, f"`{name}` is called `{other}` here, which this agent may not call")
        for name, level, other, level_here in _renamed(rules, names)
        if level and not level_here and name not in names.reserved
    ]


def argument_map(rules: tuple[Rule, ...], tool: str, options: WriteOptions) -> dict[str, JsonValue]:
    """The rules as a map; the last rule for an argument counts, so earlier ones are dropped."""
    written: dict[str, JsonValue] = {ANY: "deny"}
    for rule in rules:
        actions: dict[str, JsonValue] = {rule.argument: action_of(rule.approval, tool, options)}
        if tool == "read" and rule.approval is Approval.SESSION and rule.argument.endswith(ANY):
            # The guard is the session's default for these files, so it follows the agent's own rule.
            actions |= {rule.argument.removesuffix(ANY) + file: action for file, action in GUARDED.items()}
        written = {argument: action for argument, action in written.items() if argument not in actions} | actions
    return written


def action_of(approval: Approval, tool: str, options: WriteOptions) -> str:
    """OpenCode's name for the approval of a canonical tool, or of a server's tool."""
    if approval is Approval.SESSION:
        return "allow" if tool in READING or options.approval == "allow" else "ask"
    return approval.name.lower()
