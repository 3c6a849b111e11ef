"""Arguments of OpenCode's permissions: the order in which they count, and the maps that say them."""

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

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,9}")
_INDEX_END: Final = 2**32 - 1
GUARDED: Final[dict[str, JsonValue]] = {"*.env": "ask", "*.env.*": "ask", "*.env.example": "allow"}
"""The files that OpenCode asks for by itself when it reads; a plain `read: allow` would switch that off."""

_SLUG_PATTERN: Final = re.compile(r"[a-z0-9*?-]*")


def is_index(key: str) -> bool:
    """Whether JavaScript takes a key for an array's index."""
    return _INDEX.fullmatch(key) is not None and int(key) < _INDEX_END


def ordered(entries: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A map as JavaScript orders it: indices first and ascending, whatever the file says; the last match counts."""
    return dict(sorted(entries.items(), key=lambda entry: int(entry[0]) if is_index(entry[0]) else _INDEX_END))


def starts_at_home(argument: str) -> bool:
    """Whether OpenCode puts the home directory at the start of an argument pattern."""
    return argument == "~" or argument.startswith(("~/", "$HOME"))


def spells_argument(tool: str, argument: str) -> bool:
    """Whether an argument pattern means the same in OpenCode, and counts in its turn."""
    if argument.startswith(UNTRANSLATED) or starts_at_home(argument) or is_index(argument):
        return False
    if tool == "task" and _is_free(argument):
        return _SLUG_PATTERN.fullmatch(argument) is not None  # a pattern of other names covers none of their slugs
    return "\\" not in argument  # which OpenCode takes for a slash


def _is_free(pattern: str) -> bool:
    return "*" in pattern or "?" in pattern


def _slugs(rules: tuple[Rule, ...]) -> Iterator[tuple[str, Approval, str, Approval]]:
    """Each named agent that has another name here: name and slug, with what the rules give to either."""
    grants = Grants(rules)
    for rule in rules:
        name, other = rule.argument, slug(rule.argument)
        if not _is_free(name) and other not in ("", name):
            yield name, grants.approval("task", name), other, grants.approval("task", other)


def with_slugs(tool: str, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """The rules, and after them what is denied to agents again for their names here.

    A grant is not repeated: there may be another agent that has its slug for a name.
    """
    if tool != "task":
        return rules
    lower = [Rule(tool, level, other) for _, level, other, level_here in _slugs(rules) if level < level_here]
    return (*rules, *sorted(lower, key=lambda rule: -rule.approval))


def unreachable(rules: tuple[Rule, ...]) -> list[Diagnostic]:
    """A finding for each named agent that may be called, but not by the name that it has here."""
    return [
        Diagnostic(Code.TOOL_LOST, f"`{name}` is called `{other}` here, which this agent may not call")
        for name, level, other, level_here in _slugs(rules)
        if level and not level_here
    ]


def argument_map(rules: tuple[Rule, ...], tool: str, options: WriteOptions) -> dict[str, JsonValue]:
    """The rules as a map; of two for the same argument the last counts, so the first gives up its place."""
    written: dict[str, JsonValue] = {ANY: "deny"}
    for rule in rules:
        declared: dict[str, JsonValue] = {rule.argument: action_of(rule.approval, tool, options)}
        if tool == "read" and rule.approval is Approval.SESSION and rule.argument.endswith(ANY):
            # An agent's own word for these files goes before the guard, which is what the session says of them.
            declared |= {rule.argument.removesuffix(ANY) + file: action for file, action in GUARDED.items()}
        written = {argument: action for argument, action in written.items() if argument not in declared} | declared
    return written


def action_of(approval: Approval, tool: str, options: WriteOptions) -> str:
    """The word for what a call of this canonical tool, or of a server's, gets."""
    if approval is Approval.SESSION:
        return "allow" if tool in READING or options.approval == "allow" else "ask"
    return approval.name.lower()
