"""Edit a file of Roo Code's custom modes: only our own entries ever change.

Users and Roo Code itself write the same file, and the latter rewrites all of it whenever a mode is edited in its
window: comments and quotes are lost then, and keys are in another order. So an entry is compared by its value, and the
text of the file is touched only where a value has to change.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from pydantic import JsonValue

from agentsync.dialects._base import UneditableError
from agentsync.dialects.roo.modes_layout import KEY, TOOLS_OWN, Layout, Mode, layout
from agentsync.formats.document import UnreadableError
from agentsync.formats.json_reader import load_jsonc

# The list comes last, so that a comment behind an entry is never read as a line of a text.
_FIRST: Final = ("slug", "name", "description", "whenToUse", "roleDefinition", "customInstructions")
_LAST: Final = "groups"
_EMPTY: Final = re.compile(rf"{KEY}[ \t]*:(?:[ \t]*(?:\[[ \t]*\]|null|~))?([ \t]*(?:#.*)?)")
# Characters that Roo Code replaces in the whole file before it reads it: they survive only as escapes.
_REPLACED: Final = "\u00a0\u200b-\u200d\u2010-\u2015\u2018\u2019\u201c\u201d\u2212"
_ESCAPED: Final = re.compile(f"[{_REPLACED}\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_ALONE: Final = Layout((), "\n", 0)
_NO_TEXT: Final = re.compile("[\x00-\x09\x0b-\x1f]")


def entries(data: bytes) -> dict[str, bytes]:
    """As `SharedFile.entries`."""
    file = layout(data)
    return {mode.slug: _alone(mode, file) for mode in file.modes}


def edited(data: bytes | None, changes: Mapping[str, bytes | None]) -> bytes:
    """As `SharedFile.edited`; new entries follow the others, in the order of their slugs."""
    before = layout(data or b"")
    texts = {slug: _written(entry, before) for slug, entry in changes.items()}
    ours = [mode for mode in before.modes if mode.slug in changes and _alone(mode, before) != changes[mode.slug]]
    existing = {mode.slug for mode in before.modes}
    added = "".join(texts[slug] for slug in sorted(changes.keys() - existing))
    remaining = len(before.modes) - sum(not texts[mode.slug] for mode in ours)
    spans = [(mode.start, mode.end, texts[mode.slug]) for mode in ours]
    result = _spliced(before, spans, added, filled=bool(remaining or added))
    try:
        is_proved = _proved(before, layout(result), changes)
    except UneditableError:
        is_proved = False
    if not is_proved:
        raise UneditableError("its entries cannot be changed without changing others")
    return result


@lru_cache(maxsize=8)  # as for `layout`
def readable(data: bytes) -> bytes:
    """As `SharedFile.readable`: JSON, which the tool reads and this module does not edit, as YAML in block style."""
    if not data.lstrip().startswith(b"{"):
        return data
    try:
        modes = load_jsonc(data, "").get(KEY)
    except UnreadableError:
        return data
    if not isinstance(modes, list) or not all(isinstance(mode, dict) for mode in modes):
        return data
    values = (
        {key: value for key, value in mode.items() if key != TOOLS_OWN} for mode in modes if isinstance(mode, dict)
    )
    return f"{KEY}:\n{''.join(_item(value, _ALONE) for value in values)}".encode()


def canonical(value: Mapping[str, JsonValue]) -> bytes:
    """A file that holds only this mode."""
    return f"{KEY}:\n{_item(value, _ALONE)}".encode()


def _alone(mode: Mode, file: Layout) -> bytes:
    """A mode as a file of its own: the same bytes for the same value, unless that would lose a comment."""
    return f"{KEY}:\n{_moved(mode, file, _ALONE)}".encode() if mode.commented else canonical(mode.value)


def _written(entry: bytes | None, file: Layout) -> str:
    """The lines in this file for an entry that is a file of its own."""
    alone = layout(entry or b"")
    return "".join(_moved(mode, alone, file) if mode.commented else _item(mode.value, file) for mode in alone.modes)


def _moved(mode: Mode, file: Layout, to: Layout) -> str:
    """The lines of a mode, indented as in another file."""
    lines = (line.removeprefix(file.indent) for line in mode.text.splitlines())
    return "".join(f"{to.indent}{line}{to.newline}" if line else to.newline for line in lines)


def _spliced(file: Layout, spans: Iterable[tuple[int, int, str]], added: str, *, filled: bool) -> bytes:
    """The lines with each span replaced and new entries behind the last one."""
    lines = list(file.lines)
    if added:
        if lines and not lines[-1].endswith("\n"):
            lines[-1] += file.newline
        lines.insert(file.behind, added if file.key is not None else f"{KEY}:{file.newline}{added}")
    for start, end, text in sorted(spans, reverse=True):
        lines[start:end] = [text]
    if file.key is not None and filled != bool(file.modes):
        lines[file.key] = _key_line(lines[file.key], "" if filled else " []")
    return "".join(lines).encode()


def _key_line(line: str, value: str) -> str:
    """The key's line with another value on it, and with its comment."""
    bare = line.rstrip("\r\n")
    match = _EMPTY.fullmatch(bare)
    if match is None:
        raise UneditableError(f"`{KEY}` is written in a way that is not edited")
    return f"{KEY}:{value}{match[1]}{line[len(bare) :]}"


def _proved(before: Layout, after: Layout, changes: Mapping[str, bytes | None]) -> bool:
    """Whether our entries are as requested, and everything else is unchanged."""
    theirs_before, theirs_after = (
        [(mode.text.rstrip("\r\n"), mode.value) for mode in file.modes if mode.slug not in changes]
        for file in (before, after)
    )
    ours = {mode.slug: _alone(mode, after) for mode in after.modes if mode.slug in changes}
    wanted = {slug: entry for slug, entry in changes.items() if entry is not None}
    return (theirs_before, wanted, before.others) == (theirs_after, ours, after.others)


def _item(value: Mapping[str, JsonValue], file: Layout) -> str:
    """A mode as lines of a list."""
    others = value.keys() - {*_FIRST, _LAST}
    keys = [key for key in (*_FIRST, *sorted(others), _LAST) if key in value]
    rows = [row for key in keys for row in _rows(key if key not in others else _quoted(key), value[key])]
    marks = ("- ", *["  "] * len(rows))
    lines = (f"{file.indent}{mark}{row}" if row else "" for mark, row in zip(marks, rows, strict=False))
    return "".join(f"{line}{file.newline}" for line in lines)


def _rows(key: str, value: JsonValue) -> Iterator[str]:
    """A key and its value: a text of several lines as a block below the key where that is safe, else on one line."""
    rows = value.removesuffix("\n").split("\n") if isinstance(value, str) else []
    if len(rows) > 1 and isinstance(value, str) and _is_block(value, rows):
        yield f"{key}: |" if value.endswith("\n") else f"{key}: |-"
        yield from (f"  {row}" if row else "" for row in rows)
    else:
        yield f"{key}: {_quoted(value)}"


def _is_block(text: str, rows: list[str]) -> bool:
    """Whether YAML and Roo Code read these rows unchanged."""
    bare = rows[0] and rows[0] == rows[0].lstrip() and rows[-1] and all(row == row.rstrip() for row in rows)
    return bool(bare) and not _ESCAPED.search(text) and not _NO_TEXT.search(text)


def _quoted(value: JsonValue) -> str:
    """A value as JSON, in ASCII wherever Roo Code or YAML would read something else."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
