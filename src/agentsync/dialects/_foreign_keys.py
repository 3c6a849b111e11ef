"""Keys by which an author restricts an agent as another tool would: meant, whether or not its own tool reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from pydantic import JsonValue

from agentsync.diagnostics import Code
from agentsync.dialects import RESTRICTING
from agentsync.dialects._fields import Fields
from agentsync.dialects._hooks import guarded
from agentsync.dialects._meant_names import is_off, meant_by, mode_meant_by
from agentsync.dialects._server_limits import limited
from agentsync.naming import folded_key
from agentsync.permissions import Rule, only_reading

_MODE: Final = "mode"
"""Of an agent in most tools; who writes one that takes away means a permission mode."""

BESIDE: Final = ("mcpServers", "hooks")
"""The keys of servers and hooks in tools that read both."""

_SWITCH: Final = "readonly"
_SERVERS: Final = frozenset({"mcp", "mcpservers"})
_HOOKS: Final = "hooks"

_TOOLS: Final = tuple(
    "antigravity auggie augment claude cline codex copilot cursor droid factory gemini githubcopilot goose junie kilo "
    "kiro mistral opencode qwen roo rovodev vibe zoo".split()
)
"""How keys begin, folded, under which some say what only one tool is to read."""

_AROUND: Final = frozenset({"overrides", "platforms", "settings", "targets", "vendors"})
"""Keys, folded, under which some keep several such, or their restrictions."""


def foreign_restrictions(metadata: Mapping[str, JsonValue], own: Collection[str]) -> list[str]:
    """The keys that restrict in another tool, less those that are a tool's own and those that say nothing."""
    return [
        key
        for key, value in metadata.items()
        if key not in own and value not in (None, False) and _restricts(folded_key(key), value)
    ]


def _restricts(key: str, value: JsonValue) -> bool:
    if key.partition(".")[0] in RESTRICTING:
        return not (key == _SWITCH and is_off(value))
    below = [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
    if below:
        several = key in _AROUND or key.startswith(_TOOLS)
        return several and any(foreign_restrictions(each, ()) for each in below)
    return key == _MODE and isinstance(value, str) and mode_meant_by(value) is not None


def without_what_is_foreign(rules: list[Rule], metadata: Mapping[str, JsonValue], own: Collection[str]) -> list[Rule]:
    """The rules without what servers and hooks take away that the tool does not read, as they do in other tools.

    Only reading is left where another tool's restriction stands, which nobody here makes out.
    """
    for key, value in metadata.items():
        if key not in own and folded_key(key) in _SERVERS:
            rules = limited(value, rules)
        elif key not in own and folded_key(key) == _HOOKS:
            rules = [*rules, *guarded(value, meant_by)]
    return only_reading(rules) if foreign_restrictions(metadata, own) else rules


def tell_foreign(fields: Fields, own: Collection[str], *, title: str, hint: str) -> None:
    """Tells each such key, and hooks that the tool does not run."""
    hooks = [
        key
        for key, value in fields.metadata.items()
        if key not in own and folded_key(key) == _HOOKS and any(guarded(value, meant_by))
    ]
    for key in (*foreign_restrictions(fields.metadata, own), *hooks):
        fields.tell(Code.NO_EFFECT, f"{title} does not read `{key}`", key, hint=hint)
