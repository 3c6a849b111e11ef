"""Paths of agents of which one file holds several: `modes.yaml:reviewer`."""

from __future__ import annotations

import re

ENTRY = re.compile(r"[A-Za-z0-9-]+")
"""How an agent may be called in a file that holds several."""

_ENTRY_PATH = re.compile(rf"(.+):({ENTRY.pattern})", re.DOTALL)


def entry_path(path: str, entry: str) -> str:
    """The path of one agent of a file that holds several: no file of a repository has a colon in its path."""
    return f"{path}:{entry}"


def split_path(path: str) -> tuple[str, str]:
    """The file that a path names, and the one agent of it that is meant; that is empty where the whole file is."""
    match = _ENTRY_PATH.fullmatch(path)
    return (match[1], match[2]) if match else (path, "")
