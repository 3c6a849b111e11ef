"""Values of keys that are without the effect that the key has otherwise."""

from __future__ import annotations

import re
from typing import Final

from pydantic import JsonValue

from agentsync.agents.key_effects import is_empty

_SCHEME: Final = re.compile(r"(?:file|skill)://\s*")
_OUTSIDE: Final = re.compile(
    r"[/\\~]|localhost/|[A-Za-z][A-Za-z0-9+.-]*:"  # a colon makes it a Windows drive or an address
    r"|.*(?:[${}]|%[0-9A-Fa-f]{2})"  # variables and escapes, which may expand to another path
    r"|(?:.*[/\\])?\.\.(?:[/\\]|$)",
    re.DOTALL,
)
"""Matches a path that may lead out of a project."""


def is_off_throughout(value: JsonValue) -> bool:
    """Whether a table sets nothing, apart from switches that are off, as `{enabled: false}`."""
    return all(map(is_off_throughout, value.values())) if isinstance(value, dict) else is_empty(value)


def is_within_project(value: JsonValue) -> bool:
    """Whether a value is paths that stay within the project, judged by the text alone."""
    match value:
        case str():
            return not _OUTSIDE.match(_SCHEME.sub("", value.strip(), count=1))
        case list():
            return all(map(is_within_project, value))
        case _:
            return is_empty(value)
