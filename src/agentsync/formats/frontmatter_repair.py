"""Find frontmatter whose fences are wrong, and the entries of frontmatter whose YAML is invalid.

This module works on text and does not read YAML. agentsync.formats.frontmatter reads the results, and refuses unsafe
content in all of them. No cut may hide a key: a lost `tools` line would give an agent every tool. So every key that
certainly restricts starts an entry of its own, and `lost_restriction` finds those that may have been intended to.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from textwrap import dedent
from typing import TYPE_CHECKING

from agentsync.core.codes import Code
from agentsync.core.naming import visible
from agentsync.formats.document import MAX_HEAD_BYTES
from agentsync.formats.key_lines import (
    first_words,
    is_code,
    is_known,
    is_label_of,
    key_line,
    known_keys_within,
    lost_in_body,
    lost_in_head,
    restrictions_within,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_FENCE = re.compile(r"---[ \t]*\r?\n")
# The search starts at the line end of the opening fence, so that empty frontmatter is found, too.
_CLOSE = re.compile(r"\n---[ \t]*(?:\r?\n|\Z)")
_ODD_CLOSE = re.compile(r"\n(?:-{4,}|\.{3}|[–—─━]{3,})[ \t]*(?:\r?\n|\Z)")  # noqa: RUF001 (word processors draw these)
_FLAT_CLOSE = re.compile(r" ---(?=[ \t\r]|$)")
_BLANK_LINES = re.compile(r"(?:[ \t]*+\r?\n)++")
_CODE_FENCED = re.compile(
    r"(?P<before>(?:#[^\n]*+\n|[ \t]*+\r?\n)*+)(?P<ticks>`{3,}+|~{3,}+)\w*[ \t]*\r?\n"
    r"(?P<fenced>---[ \t]*\r?\n.*?\n---[ \t]*\r?\n)(?P=ticks)[ \t]*(?:\r?\n|\Z)",
    re.DOTALL,
)
_STAR_KEY = re.compile(r"""^([ \t]+(?:- )?)(\*[^:"'\n]*)(?=:(?:\s|$))""", re.MULTILINE)
_STAR_VALUE = re.compile(r"""((?::|^[ \t]*-)[ \t]+)(\*[^\s"'\[\]{},]*)[ \t]*$""", re.MULTILINE)
_LINE_END = re.compile("\r\n?|[\n\x85\u2028\u2029]")  # as YAML counts lines
_MAX_ENTRIES = 200


@dataclass(frozen=True, slots=True)
class Split:
    """A text split into frontmatter and body.

    Attributes:
        head: the YAML between the fences, its lines ended by line feeds.
        body: what follows the closing fence.
        line: 1-based line of the file at which the head starts.
        problems: the repaired problems, each with its line.
        flat: whether the whole head was on that one line.
        guessed: whether the frontmatter ends at something other than a line of exactly three dashes.
    """

    head: str
    body: str
    line: int = 2
    problems: tuple[tuple[Code, int], ...] = ()
    flat: bool = False
    guessed: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """The lines that belong to one top-level key; `line` counts from 0 in the head."""

    key: str
    line: int
    text: str
    has_prose: bool

    def readings(self) -> Iterator[str]:
        """Texts to try as YAML: the original, then with tabs and bare `*` replaced by what they were intended to be."""
        if self.has_prose:
            return
        yield self.text
        indents = {line[:1] for line in self.text.split("\n")[1:] if line.strip()}
        # Tabs beside spaces have no certain depth, and the depth of a permission is its meaning.
        untabbed = re.sub(r"^\t+", lambda tabs: "  " * len(tabs[0]), self.text, flags=re.MULTILINE)
        text = self.text if " " in indents else untabbed
        if text != self.text:
            yield text
        starred = _STAR_VALUE.sub(r'\1"\2"', _STAR_KEY.sub(r'\1"\2"', text))
        if starred != text:
            yield starred

    def lost_restriction(self) -> str:
        """Find a restricting key within the value of another key; empty where there is none.

        A description is prose and may mention such keys.
        """
        value = self.text.partition(":")[2]
        lines = () if self.key == "description" else value.split("\n")
        return next((within.key for line in lines for within in restrictions_within(visible(line))), "")

    def raw(self) -> str:
        """Text of the value, without its quotes, block indicator and indentation."""
        first, _, more = self.text.partition(":")[2].partition("\n")
        first, more = first.strip(), dedent(more).rstrip()
        if more and re.fullmatch(r"[|>][-+0-9]*", first):
            first = ""
        value = f"{first}\n{more}".strip()
        quote = value[:1]
        if len(value) > 1 and quote in ("'", '"') and value.endswith(quote):
            return value[1:-1].replace("''", "'") if quote == "'" else value[1:-1].replace('\\"', '"')
        return value


def split(text: str) -> Split | None:
    """Cut at two lines of exactly `---`, the first of which starts the text."""
    opening = _FENCE.match(text)
    closing = opening and _CLOSE.search(text, opening.end() - 1)
    return _cut(text, opening.end(), closing) if opening and closing else None


def splits(text: str) -> list[Split]:
    """List the possible splits of a text whose plain reading failed, the likeliest first."""
    text, dropped, problems = _unwrap(text)
    opening = _FENCE.match(text)
    if opening is None:
        candidates = [_flattened(text)]
    else:
        exact = split(text)
        one_line = exact and _flattened_head(exact)
        candidates = [one_line, _odd_close(text, opening.end(), exact), _unclosed(text, opening.end(), exact), exact]
    return [
        replace(
            candidate,
            line=candidate.line + dropped,
            problems=(*problems, *((code, line + dropped) for code, line in candidate.problems)),
        )
        for candidate in candidates
        if candidate is not None
    ]


def entries(head: str) -> list[Entry]:
    """Group lines under their top-level keys; empty when there is no known key, or prose before the first key.

    After `description`, a line without a known key continues it: examples have lines such as `user: "..."`.
    """
    groups: list[tuple[str, int, list[str]]] = []
    for number, line in enumerate(head.split("\n")):
        parsed = key_line(line)
        if parsed and (is_known(parsed.key) or not _in_description(groups)):
            groups.append((parsed.key, number, [line]))
        elif groups:
            groups[-1][2].append(line)
        elif line.strip() and not line.startswith("#"):
            return []
    if len(groups) > _MAX_ENTRIES or not any(is_known(key) for key, _, _ in groups):
        return []
    return [
        Entry(key, number, "\n".join(lines), has_prose=key == "description" and any(map(_is_prose, lines[1:])))
        for key, number, lines in groups
    ]


def lost_restriction(cut: Split, read: Collection[str], consumed: Collection[int]) -> tuple[str, int] | None:
    """Find the first restricting key that starts a line and was not read, with its 1-based line.

    Args:
        cut: the repaired split of the file.
        read: the top-level keys that were read.
        consumed: the lines that YAML read as keys or as parts of a text.
    """
    lines = _LINE_END.split(cut.head)
    if not cut.flat:
        rest = ((cut.line + number, line) for number, line in enumerate(lines) if cut.line + number not in consumed)
        if lost := lost_in_head(rest, read):
            return lost
    if cut.guessed:
        unclosed = any(code is Code.UNCLOSED for code, _ in cut.problems)
        if lost := lost_in_body(cut.body, read, everywhere=unclosed):
            return lost[0], lost[1] + (1 if cut.flat else cut.line + len(lines) - unclosed)
    return None


def _in_description(groups: list[tuple[str, int, list[str]]]) -> bool:
    return bool(groups) and groups[-1][0] == "description"


def _is_prose(line: str) -> bool:
    return line[:1] not in ("", " ", "\t", "\r")


def _unwrap(text: str) -> tuple[str, int, tuple[tuple[Code, int], ...]]:
    """Return the text from its fence on, the number of lines before the fence, and the problems."""
    problems: list[tuple[Code, int]] = []
    blank = _BLANK_LINES.match(text)
    rest = text[blank.end() :] if blank else text
    dropped = blank[0].count("\n") if blank else 0
    if rest.lstrip(" \t").startswith("---"):
        if blank:
            problems.append((Code.LEADING_BLANK, 1))
        if rest[0] != "-":
            rest = dedent(rest)
            problems.append((Code.INDENTED, dropped + 1))
        return rest, dropped, tuple(problems)
    fenced = _CODE_FENCED.match(text)
    if fenced:
        line = text.count("\n", 0, fenced.start("fenced"))
        return fenced["fenced"] + fenced["before"] + text[fenced.end() :], line, ((Code.CODE_FENCED, line),)
    return text, 0, ()


def _cut(text: str, start: int, closing: re.Match[str], *problems: tuple[Code, int]) -> Split:
    return Split(_lines(text[start : closing.start() + 1]), text[closing.end() :], problems=problems)


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n") if "\r" in text else text


def _odd_close(text: str, start: int, exact: Split | None) -> Split | None:
    """End the frontmatter at a line that resembles a closing fence."""
    closing = _ODD_CLOSE.search(text, start - 1)
    if closing is None:
        return None
    cut = _cut(text, start, closing, (Code.CLOSING_FENCE, text.count("\n", 0, closing.start() + 1) + 1))
    return None if exact and not _holds_all_keys(cut.head, exact.head) else replace(cut, guessed=True)


def _unclosed(text: str, start: int, exact: Split | None) -> Split | None:
    """End the frontmatter at the first blank line that is followed by prose.

    A fence further down may be a horizontal rule in the prompt, so this is tried even where there is one. But then
    not after a description, since descriptions are known to continue below a blank line.
    """
    lines = text[start:].split("\n")
    fence = exact.head.count("\n") if exact else -1
    last, end, size, blank = "", 0, 0, False
    for index, line in enumerate(lines):
        if index == fence:
            return None
        size += len(line.removesuffix("\r")) + 1
        if not line.strip():
            blank = True
            continue
        parsed = key_line(line)
        if parsed and (is_known(parsed.key) or not blank):
            # A line that may be a label in prose is not certainly a key, so the description stays the last key.
            last = last if last == "description" and not is_code(parsed.key) else parsed.key
        elif blank and _is_prose(line):
            break
        end, blank = index + 1, False
        if size > MAX_HEAD_BYTES:  # too large for any reading, so the rest of the file need not be read
            break
    head = _lines("\n".join(lines[:end]) + "\n")
    too_large = len(head) > MAX_HEAD_BYTES
    whole = exact.head if exact else text
    if not last or (exact and last == "description") or not (too_large or _holds_all_keys(head, whole)):
        return None
    return Split(head, "\n".join(lines[end:]), problems=((Code.UNCLOSED, end + 1),), guessed=True)


def _holds_all_keys(head: str, text: str) -> bool:
    return _known_keys(text) <= _known_keys(head)


def _known_keys(text: str) -> set[str]:
    return {*filter(is_known, first_words(text))}


def _flattened(text: str) -> Split | None:
    """Split frontmatter that is all on one line, perhaps with the whole file, before each known key."""
    line, _, rest = text.partition("\n")
    ends = list(_FLAT_CLOSE.finditer(line, 4))
    if not line.startswith("--- ") or not ends:
        return None
    span, beyond = line[4 : ends[0].start()], line[ends[0].end() : ends[-1].end()]
    head, names = _unflattened(span)
    hidden = {within.key for within in (*known_keys_within(beyond), *restrictions_within(beyond))}
    # A key after a possible rule in the description is ambiguous: it may belong to the frontmatter or to the body.
    if not head or not hidden <= names:
        return None
    same_line = line[ends[0].end() :].strip()
    body = f"{same_line}\n{rest}" if same_line else rest
    return Split(head, body, line=1, problems=((Code.FLATTENED, 1),), flat=True, guessed=True)


def _flattened_head(exact: Split) -> Split | None:
    """Split a head whose keys are all on one line between its fences."""
    line = exact.head.removesuffix("\n")
    head, names = _unflattened(line) if "\n" not in line else ("", frozenset())
    is_flat = names >= {"name", "description"}
    return replace(exact, head=head, problems=((Code.FLATTENED, exact.line),), flat=True) if is_flat else None


def _unflattened(span: str) -> tuple[str, frozenset[str]]:
    """Put each key of a one-line head on its own line, and return the keys; both are empty where this is uncertain."""
    span = span.strip().replace("\t", " ")
    if len(span) > MAX_HEAD_BYTES:
        return "", frozenset()
    restrictions = [*restrictions_within(span)]
    known = [key for key in known_keys_within(span) if not any(one.start < key.start < one.end for one in restrictions)]
    keys = {one.start: one.key for one in (*known, *restrictions) if one.is_clean}
    codes = {key for key in keys.values() if is_code(key)}
    keys = {start: key for start, key in sorted(keys.items()) if not is_label_of(key, codes)}
    # A restriction that no cut separates, or that only a human reader sees, may be intended all the same.
    unclear = [one for one in restrictions if one.start not in keys and not is_label_of(one.key, codes)]
    seen = visible(span)
    hidden = seen != span and len([*restrictions_within(seen)]) > len(restrictions)
    names = frozenset(keys.values())
    if unclear or hidden or 0 not in keys or len(names) < len(keys):
        return "", frozenset()
    starts = [*keys]
    lines = [span[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return "".join(f"{line}\n" for line in lines), names
