"""What an agent may do, in tables that owe nothing to agentsync's own readers and grants.

The tests that compare an author's file with a tool's report use this module alone, so a mistake that a reader and a
writer share shows here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

READ, LIST, FIND, GREP = "read", "list", "find files", "search text"
CREATE, EDIT, NOTEBOOK = "create files", "edit files", "edit notebooks"
SHELL, FETCH, SEARCH, AGENTS = "shell", "fetch pages", "search the web", "call agents"
SERVER = "server:"
"""Prefix of the tools of MCP servers, whose names differ between tools by what joins their parts alone."""

READING = (READ, LIST, FIND, GREP)

GROUPS = {
    "write": (CREATE, EDIT),
    "shell": (SHELL,),
    "search": (FIND, GREP),
    "web": (FETCH, SEARCH),
}
"""The abilities whose loss is counted, by the word for each in the tables."""


class Level(IntEnum):
    """How freely a call is made: never, after a question, as the user's own settings decide, or always."""

    NEVER = 0
    ASKED = 1
    SESSION = 2
    ALWAYS = 3


@dataclass(frozen=True, slots=True)
class Right:
    """One line of a list of rights; in both patterns `*` is any text and `?` one character."""

    ability: str
    level: Level
    argument: str = "*"


@dataclass(frozen=True, slots=True)
class Access:
    """Rights in order, of which the last one that fits a call decides; a call that none fits is never made."""

    rights: tuple[Right, ...] = ()

    def level(self, ability: str, argument: str) -> Level:
        for right in reversed(self.rights):
            if _fits(right.ability, ability) and _fits(right.argument, argument):
                return right.level
        return Level.NEVER

    def has(self, ability: str) -> bool:
        """Whether some call with an argument that no right names is possible."""
        return self.level(ability, _UNNAMED) > Level.NEVER


EVERYTHING = Access((Right("*", Level.SESSION),))

_UNNAMED = "unnamed-argument"
# What the ability to do one thing brings, whatever a list says. Writing a file replaces one that is there.
_FOUND = dict.fromkeys((LIST, FIND, GREP), (READ,))
_BROUGHT = {**_FOUND, EDIT: (CREATE,)}
_BY_SHELL = (*READING, CREATE, EDIT, NOTEBOOK, FETCH)


@dataclass(frozen=True, slots=True)
class Gain:
    """A call that a tool lets an agent make more freely than its author does."""

    ability: str
    argument: str
    author: Level
    tool: Level


def gains(author: Access, tool: Access, able: Iterable[str], given: Iterable[str] = ()) -> Iterator[Gain]:
    """The calls that a tool lets an agent make and its author does not, over every pattern of either of them.

    Args:
        author: what the author lets it do.
        tool: what the tool lets it do.
        able: the abilities that the tool has.
        given: those that it gives every agent, and that no file takes away. Reading is a gain all the same, but for an
            agent that may search all text, which shows it.
    """
    kept = tuple(ability for ability in given if ability != READ)
    shown = dict.fromkeys(READING, (READ, GREP)) if READ in given else {}
    patterns = {right.argument for access in (author, tool) for right in access.rights}
    calls = sorted({call for pattern in patterns for call in _calls(pattern)} | {_UNNAMED})
    named = {right.ability for access in (author, tool) for right in access.rights}
    servers = {call for pattern in named if pattern.startswith(SERVER) for call in _calls(pattern)}
    free_shell = min(author.level(SHELL, call) for call in calls)
    for ability in (*sorted(able), *sorted(servers), f"{SERVER}unnamed_tool"):
        if ability.startswith(kept):
            continue
        for call in calls:
            others = (ability, *_BROUGHT.get(ability, ()), *shown.get(ability, ()))
            may = max(author.level(other, call) for other in others)
            if ability in _BY_SHELL:
                may = max(may, free_shell)
            does = tool.level(ability, call)
            if does > may and not (ability in READING and may >= Level.SESSION):
                yield Gain(ability, call, may, does)


def losses(wanted: Iterable[str], tool: Access, able: Iterable[str]) -> list[str]:
    """The groups of which a tool has an ability that the author wanted and the agent did not get."""
    missing = {ability for ability in set(wanted) & set(able) if not tool.has(ability)}
    return [group for group, abilities in GROUPS.items() if missing & set(abilities)]


def server(name: str) -> str:
    """The ability to use a server's tool, or with a final `*` all of them, by any of its spellings."""
    return SERVER + re.sub(r"[^a-z0-9*]+", "_", name.lower()).strip("_")


def _calls(pattern: str) -> tuple[str, ...]:
    """Calls that a pattern fits, and others that it nearly fits."""
    plain = pattern.replace("?", "x")
    return plain.replace("*", ""), plain.replace("*", "-v main"), plain.replace(" *", ""), plain.replace("*", "x") + "x"


@cache
def _expression(pattern: str) -> re.Pattern[str]:
    ending = pattern.endswith(" *")
    body = re.escape(pattern.removesuffix(" *") if ending else pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(body + ("( .*)?" if ending else ""), re.DOTALL)


def _fits(pattern: str, text: str) -> bool:
    return pattern == "*" or _expression(pattern).fullmatch(text) is not None
