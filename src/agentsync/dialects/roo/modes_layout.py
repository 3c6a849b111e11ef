"""The position and the value of each mode in a file of Roo Code's custom modes.

Beside `agentsync.formats.frontmatter` this is the only module that reads YAML, since positions in the text count here.
Values are built from the parser's events without changes, and files that are unsafe to edit are refused first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final

import yaml
from pydantic import JsonValue

from agentsync.dialects._base import UneditableError
from agentsync.formats.document import MAX_DEPTH

KEY: Final = "customModes"
"""The list's key."""

TOOLS_OWN: Final = "source"
"""The key that Roo Code adds to a mode by itself."""

MAX_BYTES: Final = 4 << 20
"""The size limit of a file."""

INDENT: Final = "  "
"""The indentation before a `-` in files without entries."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_ODD_LINE_END: Final = re.compile("[\x85\u2028\u2029]")
_CONSTANTS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,15})?")


@dataclass(frozen=True, slots=True)
class Mode:
    """One entry of the list.

    Attributes:
        value: its value, without the key that the tool adds.
        start: its first line.
        end: the first line after it.
        text: its lines.
        commented: whether these hold a comment.
    """

    value: Mapping[str, JsonValue]
    start: int
    end: int
    text: str
    commented: bool

    @property
    def slug(self) -> str:
        """Its slug; empty where that is not text."""
        slug = self.value.get("slug")
        return slug if isinstance(slug, str) else ""


@dataclass(frozen=True, slots=True)
class Layout:
    """The contents of a file.

    Attributes:
        lines: the text, each line with its end.
        newline: their line ending.
        behind: the line where a new entry goes.
        modes: in order.
        indent: the indentation before each `-`.
        key: the line of the list's key; None where there is none.
        others: the other keys at the top level.
    """

    lines: tuple[str, ...]
    newline: str
    behind: int
    modes: tuple[Mode, ...] = ()
    indent: str = INDENT
    key: int | None = None
    others: Mapping[str, JsonValue] = field(default_factory=dict)


@lru_cache(maxsize=8)  # a run asks for each entry of the same few files
def layout(data: bytes) -> Layout:
    """Parse a file into its layout.

    Raises:
        UneditableError: it is not UTF-8, not YAML, not in block style, or unsafe to edit.
    """
    if len(data) > MAX_BYTES:
        raise UneditableError(f"it is over {MAX_BYTES:,} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UneditableError("it is not UTF-8") from error
    if text.startswith("\ufeff"):
        raise UneditableError("it begins with a byte order mark")
    bare = text.replace("\r\n", "")
    if "\r" in bare or _ODD_LINE_END.search(bare) or ("\r" in text and "\n" in bare):
        raise UneditableError("its lines end in different ways")
    try:
        parsed = _Reader(text).layout()
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two without libyaml, at a wrong escape
        raise UneditableError(f"it is not valid YAML: {getattr(error, 'problem', None) or error}") from error
    counts = Counter(mode.slug for mode in parsed.modes if mode.slug)
    if twice := next((slug for slug, count in counts.items() if count > 1), ""):
        raise UneditableError(f"the mode `{twice}` is listed twice")
    return parsed


class _Reader:
    """One pass over the parser's events.

    Only scalars and the brackets of flow style have a width: between two of these there are only blanks, indicators
    such as `-` and `:`, and comments.
    """

    def __init__(self, text: str) -> None:
        # Roo Code's parser assumes a line end behind the last line in any case.
        self._text = text if text.endswith("\n") else f"{text}\n"
        self._lines = tuple(text.splitlines(keepends=True))
        self._starts = [0, *accumulate(map(len, self._lines))]
        self._events: Iterator[Any] = yaml.parse(self._text, Loader=_LOADER)
        self._depth = 0
        # Behind the last event: the index in the text, and the first free line.
        self._index = 0
        self._end = 0
        self._commented = False

    def layout(self) -> Layout:
        newline = "\r\n" if "\r" in self._text else "\n"
        self._next()
        if isinstance(self._next(), yaml.StreamEndEvent):
            return Layout(self._lines, newline, len(self._lines))
        root = self._next()
        if not isinstance(root, yaml.MappingStartEvent) or root.flow_style or _column(root):
            raise UneditableError("it is not a YAML mapping in block style at the left edge (JSON, perhaps)")
        others: dict[str, JsonValue] = {}
        modes: tuple[Mode, ...] = ()
        indent, line = INDENT, None
        for key, event in self._pairs():
            if key.value == KEY:
                line = key.start_mark.line
                if isinstance(event, yaml.SequenceStartEvent) and not event.flow_style:
                    indent = " " * _column(event)
                    modes = tuple(self._modes(_column(event)))
                elif self._value(event):
                    raise UneditableError(f"`{KEY}` is not a list in block style (JSON, perhaps)")
            else:
                others[key.value] = self._value(event)
        self._next()
        if not isinstance(self._next(), yaml.StreamEndEvent):
            raise UneditableError("it holds several documents")
        if modes:
            behind = modes[-1].end
        else:
            behind = len(self._lines) if line is None else self._with_comments(line + 1, len(INDENT))
        return Layout(self._lines, newline, behind, modes, indent, line, others)

    def _modes(self, column: int) -> Iterator[Mode]:
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            start = self._dash(event.start_mark.line, column)
            # Anything before the dash belongs to no entry.
            self._index, self._end, self._commented = self._starts[start], start + 1, False
            self._see(event)
            value = self._value(event)
            end = self._with_comments(self._end, column)
            commented = self._commented or "#" in self._text[self._index : self._starts[end]]
            own = {key: item for key, item in value.items() if key != TOOLS_OWN} if isinstance(value, dict) else {}
            yield Mode(own, start, end, "".join(self._lines[start:end]), commented)

    def _dash(self, line: int, column: int) -> int:
        """The line of the `-` of the entry that begins in this line."""
        dash = " " * column + "-"
        for number in range(min(line, len(self._lines) - 1), -1, -1):
            if self._lines[number].startswith(dash):
                return number
        raise UneditableError("its entries cannot be distinguished")

    def _with_comments(self, end: int, column: int) -> int:
        """The first free line, after the comments that belong to the entry by their indentation."""
        for number in range(end, len(self._lines)):
            bare = self._lines[number].strip()
            if bare and not (bare.startswith("#") and self._lines[number].index("#") > column):
                break
            end = number + 1 if bare else end
        return end

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """The events of a mapping's keys, each with the first event of its value."""
        seen: set[str] = set()
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent) or event.value in seen:
                raise UneditableError(f"the key `{getattr(event, 'value', '')}` is not text, or is repeated")
            seen.add(event.value)
            yield event, self._next()

    def _value(self, event: Any) -> JsonValue:
        if isinstance(event, yaml.ScalarEvent):
            return _plain(event.value) if event.implicit[0] else str(event.value)
        if isinstance(event, yaml.MappingStartEvent):
            return {key.value: self._value(value) for key, value in self._pairs()}
        values: list[JsonValue] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            values.append(self._value(event))
        return values

    def _next(self) -> Any:
        event = next(self._events)
        if getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise UneditableError("it uses anchors or tags, so entries may depend on each other")
        self._depth += isinstance(event, yaml.CollectionStartEvent)
        self._depth -= isinstance(event, yaml.CollectionEndEvent)
        if self._depth > MAX_DEPTH:
            raise UneditableError("it is nested too deeply")
        self._see(event)
        return event

    def _see(self, event: Any) -> None:
        """Record the end of an event, and comments before it."""
        start, index = event.start_mark.index, event.end_mark.index
        if start == index or index <= self._index:
            return
        body = self._text[start:index]
        head = body.partition("\n")[0] if getattr(event, "style", None) in ("|", ">") else ""
        self._commented |= "#" in self._text[self._index : start] or "#" in head
        # Blank lines behind a block of text belong to it only where its header keeps them, or where they hold blanks.
        if head and "+" not in head and not body[len(body.rstrip()) :].strip("\r\n"):
            body = body.rstrip()
        self._index = start + len(body)
        self._end = event.start_mark.line + body.count("\n") + (not body.endswith("\n"))


def _column(event: Any) -> int:
    return int(event.start_mark.column)


def _plain(text: str) -> JsonValue:
    """A plain scalar as YAML 1.2 reads it, in the notations that are in use."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if not _NUMBER.fullmatch(text):
        return text
    return float(text) if "." in text else int(text)
