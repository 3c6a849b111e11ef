"""Parse Markdown files with frontmatter into metadata and body, and write them.

This is the only module that uses python-frontmatter or reads YAML. It reads YAML from parser events and not with a
loader. So it stops at unsafe content before any object is built, knows the line of each key, and reads scalars as
YAML 1.2 does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import frontmatter
import yaml
from frontmatter.default_handlers import BaseHandler
from pydantic import JsonValue

from agentsync.agents.key_effects import effects_of, restricts
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key
from agentsync.formats import frontmatter_repair as repair
from agentsync.formats.document import MAX_DEPTH, MAX_HEAD_BYTES, Document, UnreadableError, decode
from agentsync.formats.key_lines import restriction_below
from agentsync.formats.yaml_writer import real_text, to_yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_YAML_1_1 = yaml.resolver.Resolver()
_STRING_TAG = "tag:yaml.org,2002:str"

_CONSTANTS: Mapping[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INT = re.compile(r"-?[0-9]{1,19}")
_FLOAT = re.compile(r"-?[0-9]{1,20}\.[0-9]{1,20}(?:e[-+][0-9]{1,3})?")
_NUMBER_1_2 = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+")
_HEX_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}")
_COMMENT = re.compile(r"[ \t]+#.*")
_ODD_LINE_END = re.compile("[\r\x85\u2028\u2029]")


class _InvalidYamlError(UnreadableError):
    """The text is not a YAML mapping, but may still be frontmatter that can be repaired."""


def parse_markdown(data: bytes, path: str) -> Document:
    """Parse a Markdown file with YAML frontmatter.

    Raises:
        UnreadableError: the file has no frontmatter, or one that is unsafe or cannot be repaired.
    """
    text, diagnostics, repaired = decode(data, path)
    split, metadata, handler = _read_frontmatter(text, path)
    problems = [Diagnostic(code, code.cause, path, line) for code, line in split.problems]
    if odd := _ODD_LINE_END.search(split.head):
        line = split.line + split.head.count("\n", 0, odd.start())
        problems.append(
            Diagnostic(
                Code.LINE_ENDS, "The frontmatter holds a line end of a kind that tools read differently.", path, line
            )
        )
    repaired = repaired or bool(problems) or handler.repaired
    lost = repair.lost_restriction(split, metadata.keys(), handler.consumed) if repaired else None
    if lost is None and (below := restriction_below(split.body)):
        lost = below[0], text.removesuffix(split.body).count("\n") + 1 + below[1]
    if lost:
        problems.append(_lost_restriction(*lost, path))
    return Document(
        path=path,
        metadata=metadata,
        body=split.body,
        lines=handler.lines,
        repaired=repaired,
        diagnostics=(*diagnostics, *problems, *handler.diagnostics),
        data=data,
    )


def _lost_restriction(key: str, line: int, path: str) -> Diagnostic:
    """Error that refuses a file in which a repair, or the end of the frontmatter, may have lost a restriction."""
    return Diagnostic(Code.RESTRICTION_LOST, f"`{key}` is in a place where it restricts nothing.", path, line)


def format_markdown(metadata: Mapping[str, JsonValue], body: str) -> bytes:
    """Write a file that every tool reads alike: UTF-8, line feeds, keys in order, quotes where parsers may differ.

    `description` is always in double quotes on one line; the body follows unchanged. Everything reads back as it
    was, except that a backslash and an `n` in a description are always read as a line end.
    """
    post = frontmatter.Post(body)
    post.metadata = dict(metadata)
    return frontmatter.dumps(post, AgentHandler()).encode()


class AgentHandler(BaseHandler):
    """A python-frontmatter handler with the rules of this module.

    A handler reads one head, and keeps the results in its attributes.

    Attributes:
        lines, diagnostics, repaired: as in Document.
        consumed: the lines with a key, at any depth, or a part of a multi-line text.
    """

    FM_BOUNDARY = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
    START_DELIMITER = END_DELIMITER = "---"

    def __init__(self, path: str = "", line: int = 2, *, flat: bool = False) -> None:
        """Report diagnostics for the file `path`; the head starts at its line `line`, or is all on it if `flat`."""
        super().__init__()
        self.path = path
        self.line = line
        self.flat = flat
        self.lines: dict[str, int] = {}
        self.consumed: set[int] = set()
        self.diagnostics: list[Diagnostic] = []
        self.repaired = False
        self._head = ""

    def split(self, text: str) -> tuple[str, str]:
        """Split a text into head and body.

        Raises:
            ValueError: there is no frontmatter.
        """
        split = repair.split(text)
        if split is None:
            raise ValueError(Code.NO_FRONTMATTER.cause)
        return split.head, split.body

    def load(self, fm: str) -> dict[str, JsonValue]:
        """Parse a head into a mapping.

        Raises:
            UnreadableError: the head is unsafe, or not a YAML mapping.
        """
        if len(fm.encode()) > MAX_HEAD_BYTES:
            message = f"The frontmatter is over {MAX_HEAD_BYTES:,} bytes."
            raise UnreadableError(Diagnostic(Code.TOO_LARGE, message, self.path, self.line))
        self._head = fm
        try:
            # As `yaml.parse`, without the two calls that it makes for each event.
            return self._document(iter(_LOADER(fm).get_event, None))
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two without libyaml, at a wrong escape
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
            line, column = (self._line(mark), mark.column + 1) if mark else (self.line, 0)
            message = f"The frontmatter is not valid YAML: {problem}."
            raise _InvalidYamlError(Diagnostic(Code.YAML_INVALID, message, self.path, line, column)) from error

    def export(self, metadata: dict[str, object], **kwargs: object) -> str:  # noqa: ARG002 (part of the interface)
        """Write metadata as YAML in block style."""
        return to_yaml(metadata)

    def format(self, post: frontmatter.Post, **kwargs: object) -> str:
        """Write the whole file, with the body unchanged."""
        return f"---\n{self.export(post.metadata, **kwargs)}---\n{post.content}"

    def read_raw(self, entry: repair.Entry) -> JsonValue:
        """Read an entry that is not valid YAML as plain text."""
        self.lines[entry.key] = self.line
        self.consumed.add(self.line)
        return self._with_line_ends(entry.key, entry.raw(), self.line)

    def _document(self, events: Iterator[Any]) -> dict[str, JsonValue]:
        next(events)
        if isinstance(next(events), yaml.StreamEndEvent):
            return {}
        root = next(events)
        if not isinstance(root, yaml.MappingStartEvent):
            raise _InvalidYamlError(self._error(Code.NOT_A_MAPPING, root))
        self._refuse_unsafe(root)
        metadata = self._mapping(events, 1)
        next(events)
        if not isinstance(after := next(events), yaml.StreamEndEvent):
            raise _InvalidYamlError(self._error(Code.YAML_INVALID, after))
        return metadata

    def _mapping(self, events: Iterator[Any], depth: int) -> dict[str, JsonValue]:
        mapping: dict[str, JsonValue] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            self._refuse_unsafe(event)
            if not isinstance(event, yaml.ScalarEvent):
                raise _InvalidYamlError(self._error(Code.YAML_INVALID, event))
            key = event.value
            self.consumed.add(self._line(event.start_mark))
            if key == "<<" and event.implicit[0]:
                raise UnreadableError(self._error(Code.YAML_ALIAS, event))
            value = next(events)
            given = self._value(events, value, depth)
            if key in mapping:
                self._twice(event, mapping[key], given, depth)
            mapping[key] = given
            if depth == 1:
                self.lines[key] = self._line(event.start_mark)
                if isinstance(value, yaml.ScalarEvent):
                    mapping[key] = self._as_intended(key, mapping[key], value)
        return mapping

    def _twice(self, event: Any, first: JsonValue, last: JsonValue, depth: int) -> None:
        """Report a key that appears twice, where it does not matter which one counts: the last does then.

        Raises:
            UnreadableError: it matters.
        """
        if depth > 1 or not may_repeat(event.value, first, last):
            raise UnreadableError(self._error(Code.DUPLICATE_KEY, event, _twice(event.value)))
        self._report(
            Code.LEFT_OUT,
            f"The key `{event.value}` appears twice; the last one counts.",
            self._line(event.start_mark),
        )
        self.repaired = True

    def _value(self, events: Iterator[Any], event: Any, depth: int) -> JsonValue:
        self._refuse_unsafe(event)
        if isinstance(event, yaml.ScalarEvent):
            # A block scalar ends at the start of the line after it.
            end: Any = event.end_mark
            last = self._line(end) - (end.column == 0)
            self.consumed.update(range(self._line(event.start_mark) + 1, last + 1))
            return _scalar(event.value) if event.implicit[0] else str(event.value)
        if depth == MAX_DEPTH:
            raise UnreadableError(self._error(Code.TOO_DEEP, event))
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, depth + 1)
        values: list[JsonValue] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            values.append(self._value(events, event, depth + 1))
        return values

    def _refuse_unsafe(self, event: Any) -> None:
        if event.anchor is not None:  # an alias has one, too
            raise UnreadableError(self._error(Code.YAML_ALIAS, event))
        if getattr(event, "tag", None) is not None:
            raise UnreadableError(self._error(Code.YAML_TAG, event))

    def _as_intended(self, key: str, value: JsonValue, event: Any) -> JsonValue:
        """Correct a top-level scalar to the author's intent, where YAML reads it otherwise."""
        line, plain = self.lines[key], event.implicit[0]
        if plain and key == "name":
            return self._name(value, event)
        if plain and key in ("description", "color") and (comment := _COMMENT.match(self._head, event.end_mark.index)):
            cut = comment[0].rstrip()
            if key == "description" or (value is None and _HEX_COLOUR.fullmatch(cut.strip())):
                value = f"{event.value}{cut}".strip()
                self._report(Code.COMMENT_IN_VALUE, Code.COMMENT_IN_VALUE.cause, line)
                self.repaired = True
        return self._with_line_ends(key, value, line)

    def _name(self, value: JsonValue, event: Any) -> JsonValue:
        """Read a plain name as text, and report one that YAML 1.1 reads as another type."""
        text = str(event.value)
        if value is None:
            return None
        if isinstance(value, str) and not _NUMBER_1_2.fullmatch(text):
            tag = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
            if tag == _STRING_TAG:
                return text
        self._report(Code.NAME_NOT_STRING, f"YAML 1.1 does not read the name `{text}` as text.", self.lines["name"])
        self.repaired = True
        return text

    def _with_line_ends(self, key: str, value: JsonValue, line: int) -> JsonValue:
        """Replace a backslash and an `n` in a description by the line end that they represent."""
        if key != "description" or not isinstance(value, str) or "\\n" not in value:
            return value
        self._report(Code.LITERAL_NEWLINE, Code.LITERAL_NEWLINE.cause, line)
        return value.replace("\\n", "\n")

    def _report(self, code: Code, message: str, line: int) -> None:
        self.diagnostics.append(Diagnostic(code, message, self.path, line))

    def _error(self, code: Code, event: Any, message: str = "") -> Diagnostic:
        mark = event.start_mark
        return Diagnostic(code, message or code.cause, self.path, self._line(mark), mark.column + 1)

    def _line(self, mark: Any) -> int:
        return self.line if self.flat else self.line + int(mark.line)


def _read_frontmatter(text: str, path: str) -> tuple[repair.Split, dict[str, JsonValue], AgentHandler]:
    """Read the frontmatter of a text, and how the text was split.

    The strict reading comes first, between the plain fences and then at each other possible split. The last resort
    is to read the likeliest split entry by entry.
    """
    problem: _InvalidYamlError | None = None
    for candidate in _candidate_splits(text):
        handler = AgentHandler(path, candidate.line, flat=candidate.flat)
        try:
            return candidate, handler.load(candidate.head), handler
        except _InvalidYamlError as error:
            problem = problem or error  # that of the plain reading means most to the author
    if problem is None:
        raise UnreadableError(Diagnostic(Code.NO_FRONTMATTER, Code.NO_FRONTMATTER.cause, path, 1))
    likeliest = repair.splits(text)[0]
    metadata, handler = _read_entries(likeliest, path, problem)
    return likeliest, metadata, handler


def _candidate_splits(text: str) -> Iterator[repair.Split]:
    if plain := repair.split(text):
        yield plain
    yield from repair.splits(text)


def _read_entries(
    split: repair.Split, path: str, problem: _InvalidYamlError
) -> tuple[dict[str, JsonValue], AgentHandler]:
    entries = repair.entries(split.head)
    if not entries:
        raise problem
    whole = AgentHandler(path, split.line)
    metadata: dict[str, JsonValue] = {}
    for entry in entries:
        line = split.line if split.flat else split.line + entry.line
        loaded, part = _read_entry(entry, path, line)
        for key in sorted(loaded.keys() & metadata.keys()):
            if not may_repeat(key, metadata[key], loaded[key]):
                raise UnreadableError(Diagnostic(Code.DUPLICATE_KEY, _twice(key), path, line))
            message = f"The key `{key}` appears twice; the last one counts."
            whole.diagnostics.append(Diagnostic(Code.LEFT_OUT, message, path, line))
        metadata |= loaded
        whole.lines |= part.lines
        whole.consumed |= part.consumed
        whole.diagnostics += part.diagnostics
    if not any(diagnostic.code is Code.YAML_REPAIRED for diagnostic in whole.diagnostics):
        whole.diagnostics.append(Diagnostic(Code.YAML_REPAIRED, Code.YAML_REPAIRED.cause, path, split.line))
    whole.repaired = True
    return metadata, whole


def _read_entry(entry: repair.Entry, path: str, line: int) -> tuple[dict[str, JsonValue], AgentHandler]:
    for text in entry.readings():
        handler = AgentHandler(path, line)
        try:
            loaded = handler.load(text)
        except _InvalidYamlError:
            continue  # try the next reading, and finally the raw text
        if entry.key in loaded:
            break
    else:
        handler = AgentHandler(path, line)
        loaded, text = {entry.key: handler.read_raw(entry)}, ""
        if key := entry.lost_restriction():
            handler.diagnostics.append(_lost_restriction(key, line, path))
    if text != entry.text:
        message = f"The value of `{entry.key}` is not valid YAML and was read as its author seems to have meant it."
        handler.diagnostics.append(Diagnostic(Code.YAML_REPAIRED, message, path, line))
    return loaded, handler


def may_repeat(key: str, first: JsonValue, last: JsonValue) -> bool:
    """Whether it makes no difference to what an agent is and may do which of two values counts.

    They are the same, or the key is neither its name or description, nor one with an effect; maps may hold such keys.
    """
    if json.dumps(first) == json.dumps(last):
        return True
    has_effect = restricts(key) or bool(effects_of(key)) or folded_key(key) in ("name", "description")
    return not (has_effect or isinstance(first, dict | list) or isinstance(last, dict | list))


def _twice(key: str) -> str:
    return f"The key `{key}` appears twice; tools disagree on which one counts."


def _scalar(text: str) -> JsonValue:
    """Read a plain scalar as YAML 1.2 does; a number in another form than a program would write stays text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in "-0123456789":
        if _INT.fullmatch(text):
            return number if str(number := int(text)) == text else text
        if _FLOAT.fullmatch(text):
            return real if real_text(real := float(text)) == text else text
    return text
