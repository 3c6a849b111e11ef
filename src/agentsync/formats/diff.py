"""Unified diffs that are safe to print."""

from __future__ import annotations

from difflib import unified_diff
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def unified(old: bytes | None, new: bytes | None, *, path: str) -> str:
    """Show the difference between two files to people; empty where there is none.

    Characters that a terminal would obey or hide (escapes, bidirectional controls, zero-width characters) are
    escaped. A diff with such characters cannot be applied with `patch`.

    Args:
        old: the bytes before; None where the file is new.
        new: the bytes after; None where the file is deleted.
        path: the name of the file in the two header lines.
    """
    if old == new:
        return ""
    path = _visible(path)
    names = "/dev/null" if old is None else f"a/{path}", "/dev/null" if new is None else f"b/{path}"
    before, after = _text(old), _text(new)
    if before is None or after is None:
        return f"Binary files {names[0]} and {names[1]} differ\n"
    lines = unified_diff(_lines(before), _lines(after), *names)
    return "".join(_print(lines))


def _text(data: bytes | None) -> str | None:
    """Decode bytes; None where they are not text."""
    if data is None:
        return ""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _lines(text: str) -> list[str]:
    # str.splitlines would also split at form feeds and Unicode separators, which do not end a line in a file.
    return [f"{line}\n" for line in text.split("\n")[:-1]] + [line for line in text.split("\n")[-1:] if line]


def _print(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield _visible(line.removesuffix("\n")) + "\n"
        if not line.endswith("\n"):
            yield "\\ No newline at end of file\n"


def _visible(text: str) -> str:
    return "".join(
        character if character.isprintable() or character == "\t" else character.encode("unicode_escape").decode()
        for character in text
    )
