"""Calls that an agent's own hooks may refuse: for some arguments only, which no other tool can know."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, MCP, TOOLS, UNTRANSLATED, Approval, Rule
from agentsync.agents.key_effects import is_empty
from agentsync.agents.patterns import ANY
from agentsync.core.naming import folded_key
from agentsync.dialects._kit.tool_names import named_in

_EVENTS: Final = frozenset({"pretooluse", "permissionrequest"})
"""The events at which a hook can refuse a call, folded."""

_EVENT_KEYS: Final = frozenset({"event", "eventname", "on", "trigger", "when"})
"""The keys, folded, by which an entry of a list names its event."""

# The tools that a hook for any tool guards. It is rarely intended for those that only read, which every agent needs.
ALL_GUARDED: Final = (*(CHANGING - {"external_directory"}), f"{MCP}{ANY}")
_PLAIN: Final = re.compile(r"[\w|@/-]+")
_NAME: Final = re.compile(r"[\w@/-]+")


def guarded(hooks: JsonValue, tools: Callable[[str], Iterable[str]]) -> Iterator[Rule]:
    """A denial for each tool that such hooks guard.

    Args:
        hooks: event to list of entries, or a list of entries that name their event, each with a `matcher` over names
            of tools, or without one for all of them.
        tools: maps a name to its canonical tools and patterns.
    """
    tools_guarded = {tool for entry in _entries(hooks) for tool in _matched(entry.get("matcher"), tools)}
    known = sorted(tool for tool in tools_guarded if tool in TOOLS or tool.startswith(MCP))
    return (Rule(tool, Approval.DENY, f"{UNTRANSLATED}hook") for tool in known)


def _entries(hooks: JsonValue) -> Iterator[Mapping[str, JsonValue]]:
    """The entries that may refuse something; one that is not a map may refuse anything.

    Hooks in a form that no tool reads may be guards as well, unless they name another event.
    """
    for event, value in hooks.items() if isinstance(hooks, dict) else ():
        if folded_key(event) in _EVENTS:
            yield from (
                entry if isinstance(entry, dict) else {} for entry in (value if isinstance(value, list) else [value])
            )
    unread = [] if isinstance(hooks, dict) or is_empty(hooks) else hooks if isinstance(hooks, list) else [hooks]
    for entry in unread:
        if isinstance(entry, str):
            yield {}
        elif isinstance(entry, dict) and (
            any(folded_key(str(value)) in _EVENTS for value in entry.values()) or not _names_event(entry)
        ):
            yield entry


def _names_event(entry: Mapping[str, JsonValue]) -> bool:
    return any(folded_key(key) in _EVENT_KEYS for key in entry)


def _matched(matcher: JsonValue, tools: Callable[[str], Iterable[str]]) -> set[str]:
    """The tools that a matcher may cover; a free regular expression covers those that it names, and may cover any."""
    texts = [*named_in(matcher)] or [""]
    named = {tool for text in texts for name in _NAME.findall(text) for tool in tools(name)}
    return named if ANY not in named and all(map(_PLAIN.fullmatch, texts)) else named.union(ALL_GUARDED)
