"""What an agent's own hooks may refuse before a tool runs: for some arguments, which no other tool can tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, MCP, TOOLS, UNTRANSLATED, Approval, Rule
from agentsync.agents.patterns import ANY
from agentsync.core.naming import folded_key
from agentsync.dialects._kit.tool_names import named_in

_EVENTS: Final = frozenset({"pretooluse", "permissionrequest"})
"""Those at which a hook can refuse, folded."""

# What a hook for any tool guards. It is rarely there for what only reads, which every agent needs.
ALL_GUARDED: Final = (*(CHANGING - {"external_directory"}), f"{MCP}{ANY}")
_PLAIN: Final = re.compile(r"[\w|@/-]+")
_NAME: Final = re.compile(r"[\w@/-]+")


def guarded(hooks: JsonValue, tools: Callable[[str], Iterable[str]]) -> Iterator[Rule]:
    """A denial for each tool that such hooks guard.

    Args:
        hooks: event to list of entries, or a list of entries that say their event, each with a `matcher` over names of
            tools, or without one for all of them.
        tools: the canonical tools and patterns that a name means.
    """
    found = {tool for entry in _entries(hooks) for tool in _intended(entry.get("matcher"), tools)}
    known = sorted(tool for tool in found if tool in TOOLS or tool.startswith(MCP))
    return (Rule(tool, Approval.DENY, f"{UNTRANSLATED}hook") for tool in known)


def _entries(hooks: JsonValue) -> Iterator[Mapping[str, JsonValue]]:
    """Those that may refuse something; one that is no map may refuse anything."""
    for event, declared in hooks.items() if isinstance(hooks, dict) else ():
        if folded_key(event) in _EVENTS:
            yield from (
                entry if isinstance(entry, dict) else {}
                for entry in (declared if isinstance(declared, list) else [declared])
            )
    for entry in hooks if isinstance(hooks, list) else ():
        if isinstance(entry, dict) and any(folded_key(str(value)) in _EVENTS for value in entry.values()):
            yield entry


def _intended(matcher: JsonValue, tools: Callable[[str], Iterable[str]]) -> set[str]:
    """The tools that a matcher may mean; a free regular expression may mean any, and means what it names."""
    texts = [*named_in(matcher)] or [""]
    found = {tool for text in texts for name in _NAME.findall(text) for tool in tools(name)}
    return found if ANY not in found and all(map(_PLAIN.fullmatch, texts)) else found.union(ALL_GUARDED)
