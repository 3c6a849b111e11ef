"""Text that fits the terminal: its width, cells that are cut, lines that are wrapped."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

import click

COLUMNS: Final = "agentsync.columns"
"""Key in a context's `meta` of the width of the terminal that the output is for, where that is not this process's."""

_LEAST: Final = 80
_NAMES: Final = 5
_STYLES: Final = re.compile(r"(?:\x1b\[[0-9;]*+m)++")
_ELLIPSIS: Final = "…"


def columns(*, err: bool = False) -> int | None:
    """Return the width that output must fit, at least 80; None where it goes to a file or a pipe, which has none."""
    context = click.get_current_context(silent=True)
    if context and COLUMNS in context.meta:
        given: int | None = context.meta[COLUMNS]
        return given
    stream = sys.stderr if err else sys.stdout
    return max(_LEAST, shutil.get_terminal_size().columns) if stream.isatty() else None


def width_of(text: str) -> int:
    """Return how many columns a text takes; styles take none, and characters of East Asia two."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in click.unstyle(text)
    )


def cut(text: str, width: int) -> str:
    """Cut a text to a width, at its end, or at the beginning of a path, whose end matters more; styles are kept."""
    if width_of(text) <= width:
        return text
    runs = [match.span() for match in _STYLES.finditer(text)]
    first = runs[0][1] if runs and runs[0][0] == 0 else 0
    last = runs[-1][0] if runs and runs[-1][1] == len(text) else len(text)
    before, plain, after = text[:first], text[first:last], text[last:]
    kept, room = "", width - 1
    is_path = "/" in plain
    for character in reversed(plain) if is_path else plain:
        room -= width_of(character)
        if room < 0:
            break
        kept = character + kept if is_path else kept + character
    return f"{before}{_ELLIPSIS}{kept}{after}" if is_path else f"{before}{kept}{_ELLIPSIS}{after}"


def aligned(rows: Sequence[Sequence[str]], header: Sequence[str] = (), width: int | None = None) -> list[str]:
    """Align rows in columns; the widest columns are cut until the lines fit `width`."""
    lines = [[click.style(title, bold=True) for title in header], *rows] if header else list(rows)
    if not lines:
        return []
    widths = [max(width_of(line[column]) for line in lines) for column in range(len(lines[0]))]
    if width is not None:
        room = width - 2 * (len(widths) - 1)
        for _ in range(max(0, sum(widths) - room)):
            widths[widths.index(max(widths))] -= 1
    return [
        "  ".join(
            shown + " " * (wide - width_of(shown))
            for cell, wide in zip(line, widths, strict=True)
            for shown in [cut(cell, wide)]
        ).rstrip()
        for line in lines
    ]


def wrapped(text: str, width: int | None, *, indent: str = "    ", first: str = "") -> list[str]:
    """Wrap a text without styles; the first line begins with `first` and the others with `indent`."""
    if width is None:
        return [first + text]
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def listed_names(names: Sequence[str], width: int | None, *, label: str) -> str:
    """List as many names in one line as fit, but at most five, and how many there are beside."""
    for shown in range(min(len(names), _NAMES), 0, -1):
        left = len(names) - shown
        line = f"    {label}{', '.join(names[:shown])}" + (f" and {left} more" if left else "")
        if width is None or width_of(line) <= width:
            return line
    return f"    {label.rstrip(': ')}"


def page(lines: Iterable[str], *, color: bool | None = None) -> None:
    """Print lines, through a pager where they do not fit a terminal."""
    texts = list(lines)
    if sys.stdout.isatty() and len(texts) >= shutil.get_terminal_size().lines:
        click.echo_via_pager((f"{line}\n" for line in texts), color=color)
    else:
        for line in texts:
            click.echo(line)
