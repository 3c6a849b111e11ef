"""What an agent's own hooks may refuse before a tool runs: for some arguments, which no other tool can tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from pydantic import JsonValue

from agentsync.permissions import ANY, CHANGING, UNTRANSLATED, Approval, Rule


def guarded(hooks: JsonValue, events: Iterable[str], names: Mapping[str, tuple[str, ...]]) -> Iterator[Rule]:
    """A denial for each changing tool that such hooks guard.

    Args:
        hooks: event to list of entries, each with a `matcher` over names of tools, or without one for all of them.
        events: those at which a hook can refuse.
        names: what those names mean.
    """
    table = hooks if isinstance(hooks, dict) else {}
    entries = [entry for event in events for entry in _entries(table.get(event))]
    tools = {tool for entry in entries for name, covered in names.items() if _matches(entry, name) for tool in covered}
    return (Rule(tool, Approval.DENY, f"{UNTRANSLATED}hook") for tool in sorted(tools & CHANGING))


def _entries(value: JsonValue) -> list[dict[str, JsonValue]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _matches(entry: Mapping[str, JsonValue], name: str) -> bool:
    """Whether an entry may mean this tool; a free regular expression may mean any."""
    matcher = entry.get("matcher")
    if not isinstance(matcher, str) or matcher in ("", ANY):
        return True
    return name in matcher.split("|") if re.fullmatch(r"[\w|]+", matcher) else True
