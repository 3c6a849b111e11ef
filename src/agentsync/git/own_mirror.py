"""Check that a mirror is as agentsync made it, before any git command runs in it.

git honours what it finds in a repository: settings name commands that it runs (`core.alternateRefsCommand`) and other
places that it fetches from (`url.*.insteadOf`); alternates and a common directory lead to objects elsewhere. The
environment of a command can override single settings but cannot make git ignore the file (git-config(1)).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from agentsync.core.ownership import changed_by

# What `git init --bare` writes, on any system, and a fetch with a filter adds; of all other settings, none is ours.
_SETTINGS = re.compile(
    r"""
    \s*
    | \[core\] | \[extensions\] | \[remote\ "[^"\n]*"\]
    | \t(?:repositoryformatversion\ =\ [01]|objectformat\ =\ sha\w+)
    | \t(?:bare|filemode|symlinks|ignorecase|precomposeunicode|promisor)\ =\ (?:true|false)
    | \tpartialclonefilter\ =\ blob:none
    """,
    re.VERBOSE,
)
_CONFIG_BYTES = 1 << 20
_FOREIGN = (
    "commondir",
    "config.worktree",
    "gitdir",
    "hooks",
    "info/attributes",
    "info/grafts",
    "modules",
    "objects/info/alternates",
    "objects/info/http-alternates",
    "worktrees",
)


def tampering(directory: Path) -> str:
    """Say what in a mirror is not agentsync's, as the end of a sentence; empty where all is, or where none exists.

    Raises:
        OSError: it cannot be examined.
    """
    config = directory / "config"
    try:
        if directory.is_symlink():
            return "it is a symbolic link"
        if reason := changed_by(directory):
            return f"it {reason}"
        with config.open("rb") as file:
            text = file.read(_CONFIG_BYTES).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    if line := next((line for line in text.split("\n") if not _SETTINGS.fullmatch(line)), ""):
        return f"its configuration has the line {line.strip()[:80]!a}"
    return next((f"it has {name}" for name in _FOREIGN if os.path.lexists(directory / name)), "")
