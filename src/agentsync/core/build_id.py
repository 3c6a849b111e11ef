"""Identifies the code that runs: what other code decided is not used again."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from agentsync import __version__


@cache
def engine() -> str:
    """The version of the code that reads and renders; a development tree changes without changing its version."""
    newest = max(path.stat().st_mtime_ns for path in Path(__file__).parents[1].rglob("*.py"))
    return f"{__version__}+{newest}"
