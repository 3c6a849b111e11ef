"""Paths of agents in multi-agent files, as `modes.yaml:reviewer`."""

from __future__ import annotations

import re

ENTRY = re.compile(r"[A-Za-z0-9-]+")
"""The names that an agent may have in a multi-agent file."""

SETTINGS_ENTRY = re.compile(r"[\w.-]+")
"""The names that an agent may have in a tool's settings."""

_ENTRY_PATH = re.compile(rf"(.+):({SETTINGS_ENTRY.pattern})", re.DOTALL)


def entry_path(path: str, entry: str) -> str:
    """Path of one agent in a multi-agent file."""
    # This is unambiguous: no file of a repository has a colon in its path.
    return f"{path}:{entry}"


def split_path(path: str) -> tuple[str, str]:
    """Split a path into its file and the name of the agent in it, which is empty for a whole file."""
    match = _ENTRY_PATH.fullmatch(path) if ":" in path else None
    return (match[1], match[2]) if match else (path, "")
