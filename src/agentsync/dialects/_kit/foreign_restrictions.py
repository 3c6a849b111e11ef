"""Keys that restrict an agent in another tool: intended, whether or not the agent's own tool reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, Rule, only_reading
from agentsync.agents.key_effects import Meaning, is_foreign_restriction, meaning
from agentsync.agents.model import NEUTRAL
from agentsync.core.codes import Code
from agentsync.core.naming import folded_key
from agentsync.dialects import dialects
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.hook_guards import guarded
from agentsync.dialects._kit.intent import intended_by, intended_mode
from agentsync.dialects._kit.mcp_limits import limited

BESIDE: Final = ("mcpServers", "hooks")
"""The keys of servers and hooks in tools that read both."""

_SERVERS: Final = meaning(Meaning.SERVERS)
_HOOKS: Final = meaning(Meaning.HOOKS)
_MODES: Final = meaning(Meaning.MODE)

_AROUND: Final = frozenset({"overrides", "platforms", "settings", "targets", "vendors"})
"""Keys, folded, under which some authors keep settings for several tools, or their restrictions."""


def foreign_restrictions(metadata: Mapping[str, JsonValue], own: Collection[str]) -> list[str]:
    """The keys that restrict in another tool, without the tool's own keys and those that are off or empty."""
    return [
        key
        for key, value in metadata.items()
        if key not in own and value not in (None, False) and _restricts(key, value)
    ]


def _restricts(key: str, value: JsonValue) -> bool:
    if is_foreign_restriction(key, value):
        return True
    key = folded_key(key)
    below = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
    if below:
        several = key in _AROUND or key.startswith(_tools())
        return several and any(foreign_restrictions(each, ()) for each in below)
    # A mode is the kind of agent in most tools; a value that takes tools away is intended as a permission mode.
    return key in _MODES and isinstance(value, str) and intended_mode(value) is not None


@cache
def _tools() -> tuple[str, ...]:
    """Prefixes of keys, folded, under which some authors keep settings for one tool only."""
    tools = (dialect for dialect in dialects().values() if dialect.name != NEUTRAL)
    return tuple(folded_key(name) for dialect in tools for name in (dialect.name, *dialect.recognition.aliases))


def without_what_is_foreign(rules: list[Rule], metadata: Mapping[str, JsonValue], own: Collection[str]) -> list[Rule]:
    """The rules, narrowed by servers and hooks that other tools would read, although this one does not.

    Another tool's restriction cannot be interpreted here, so it leaves nothing but reading.
    """
    for key, value in metadata.items():
        if key not in own and folded_key(key) in _SERVERS:
            rules = limited(value, rules)
        elif key not in own and folded_key(key) in _HOOKS:
            rules = [*rules, *guarded(value, intended_by)]
    return only_reading(rules) if foreign_restrictions(metadata, own) else rules


def takes_away(metadata: Mapping[str, JsonValue]) -> bool:
    """Whether these keys, unknown to the file's own tool, take anything away in another tool."""
    everything = list(EVERYTHING.rules)
    return without_what_is_foreign(everything, metadata, ()) != everything


def report_foreign(fields: Fields, own: Collection[str], *, title: str, hint: str) -> None:
    """Report each such key, and hooks that the tool does not run."""
    hooks = [
        key
        for key, value in fields.metadata.items()
        if key not in own and folded_key(key) in _HOOKS and any(guarded(value, intended_by))
    ]
    for key in (*foreign_restrictions(fields.metadata, own), *hooks):
        fields.report(Code.NO_EFFECT, f"{title} does not read `{key}`", key, hint=hint)
