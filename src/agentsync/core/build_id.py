"""Identify the running code, so that results cached by other code are not reused."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from agentsync import __version__


@cache
def engine() -> str:
    """Version and build of the running code, and the version of Python, whose tables of characters count too."""
    # The newest modification time, too: a development tree changes without a new version.
    newest = max(path.stat().st_mtime_ns for path in Path(__file__).parents[1].rglob("*.py"))
    return f"{__version__}+{newest}+{sys.hexversion:x}"
