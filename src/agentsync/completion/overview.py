"""Answers to `--help` and `--version` alone, in about the time that Python takes to start.

docs/completion_table.py writes the help, as the commands' library formats it for a terminal of the usual width.
"""

from __future__ import annotations

import os
import sys

from agentsync import __version__

WIDTH = 80
"""Columns of the terminal that the help is for; the library leaves it as it is in a wider one."""

_HELP = os.path.join(os.path.dirname(__file__), "help.txt")  # noqa: PTH118, PTH120 - importing pathlib takes longer


def answer(arguments: list[str]) -> str:
    """Return what these arguments print, the last line without its end; empty where they are for the commands."""
    if arguments == ["--version"]:
        return f"agentsync {__version__}"
    if arguments in (["--help"], ["-h"]) and _columns() >= WIDTH:
        with open(_HELP, encoding="utf-8") as file:  # noqa: PTH123 - as above
            return file.read().removesuffix("\n")
    return ""


def printed(text: str) -> bool:
    """Print a text; False where that fails, which the commands report."""
    if sys.stdout is None:
        return False
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


def _columns() -> int:
    """Return the width of the terminal, as `shutil.get_terminal_size` does, whose import takes longer."""
    try:
        columns = int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        columns = 0
    if columns <= 0:
        try:
            columns = os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else -1).columns
        except (OSError, ValueError):
            columns = 0
    return columns or WIDTH
