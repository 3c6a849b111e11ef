"""Identify the running code, so that results cached by other code are not reused."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from agentsync import __version__
from agentsync.core.digest import digest


@cache
def engine() -> str:
    """Version and build of the running code, and the version of Python, whose tables of characters count too."""
    # Name, size and time of each module, too: a development tree changes without a new version.
    modules = sorted(_modules(str(Path(__file__).parents[1])))
    return f"{__version__}+{digest(repr(modules).encode())[:16]}+{sys.hexversion:x}"


def _modules(directory: str) -> Iterator[tuple[str, int, int]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                status = entry.stat()
                yield entry.path, status.st_size, status.st_mtime_ns
            elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                yield from _modules(entry.path)
