"""Markdown files as values: an agent's bytes to metadata and body, and back.

The one module that uses python-frontmatter or reads YAML. That is read from its events, not by a loader: that stops at
what is unsafe before anything is built from it, gives each key's line, and leaves scalars to be read as YAML 1.2 does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import frontmatter
import yaml
from frontmatter.default_handlers import BaseHandler
from pydantic import JsonValue

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
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
    """No YAML mapping, but perhaps frontmatter all the same."""


def parse_markdown(data: bytes, path: str) -> Document:
    """Reads a Markdown file with YAML frontmatter.

    Raises:
        UnreadableError: it has none, it is unsafe, or it could not be recovered.
    """
    text, findings, repaired = decode(data, path)
    split, metadata, handler = _read(text, path)
    found = [Diagnostic(code, code.cause, path, line) for code, line in split.found]
    if odd := _ODD_LINE_END.search(split.head):
        line = split.line + split.head.count("\n", 0, odd.start())
        found.append(
            Diagnostic(
                Code.LINE_ENDS, "The frontmatter holds a line end of a kind that tools read differently.", path, line
            )
        )
    repaired = repaired or bool(found) or handler.repaired
    lost = repair.lost_restriction(split, metadata.keys(), handler.taken) if repaired else None
    if lost is None and (below := restriction_below(split.body)):
        lost = below[0], text.removesuffix(split.body).count("\n") + 1 + below[1]
    if lost:
        found.append(_lost_restriction(*lost, path))
    return Document(
        path=path,
        metadata=metadata,
        body=split.body,
        lines=handler.lines,
        repaired=repaired,
        diagnostics=(*findings, *found, *handler.findings),
        data=data,
    )


def _lost_restriction(key: str, line: int, path: str) -> Diagnostic:
    """The error that refuses a file in which the end of the frontmatter or a repair may have cost a restriction."""
    return Diagnostic(Code.RESTRICTION_LOST, f"`{key}` is in a place where it restricts nothing.", path, line)


def format_markdown(metadata: Mapping[str, JsonValue], body: str) -> bytes:
    """A file that every tool reads alike: UTF-8, line feeds, keys in their order, quotes wherever YAML may differ.

    `description` always stands in double quotes on one line; the body follows as it is. All of it reads back as it
    was, but for a backslash and an `n` in a description, which are always read as a line end.
    """
    post = frontmatter.Post(body)
    post.metadata = dict(metadata)
    return frontmatter.dumps(post, AgentHandler()).encode()


class AgentHandler(BaseHandler):
    """This module's rules as python-frontmatter knows rules.

    A handler reads one head; what it found there stays in its attributes.

    Attributes:
        lines, findings, repaired: as in Document.
        taken: the lines that hold a key, at any depth, or a part of a text of several lines.
    """

    FM_BOUNDARY = re.compile(r"^---[ \t]*\r?$", re.MULTILINE)
    START_DELIMITER = END_DELIMITER = "---"

    def __init__(self, path: str = "", line: int = 2, *, flat: bool = False) -> None:
        """Places findings in the file `path`, whose line `line` is the head's first, or all of it if `flat`."""
        super().__init__()
        self.path = path
        self.line = line
        self.flat = flat
        self.lines: dict[str, int] = {}
        self.taken: set[int] = set()
        self.findings: list[Diagnostic] = []
        self.repaired = False
        self._head = ""

    def split(self, text: str) -> tuple[str, str]:
        """Head and body.

        Raises:
            ValueError: there is no frontmatter.
        """
        split = repair.split(text)
        if split is None:
            raise ValueError(Code.NO_FRONTMATTER.cause)
        return split.head, split.body

    def load(self, fm: str) -> dict[str, JsonValue]:
        """The mapping that YAML says.

        Raises:
            UnreadableError: it is unsafe, or no YAML mapping.
        """
        if len(fm.encode()) > MAX_HEAD_BYTES:
            message = f"The frontmatter is over {MAX_HEAD_BYTES:,} bytes."
            raise UnreadableError(Diagnostic(Code.TOO_LARGE, message, self.path, self.line))
        self._head = fm
        try:
            return self._document(yaml.parse(fm, Loader=_LOADER))
        except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two without libyaml, at a wrong escape
            mark = getattr(error, "problem_mark", None)
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
            line, column = (self._line(mark), mark.column + 1) if mark else (self.line, 0)
            message = f"The frontmatter is not valid YAML: {problem}."
            raise _InvalidYamlError(Diagnostic(Code.YAML_INVALID, message, self.path, line, column)) from error

    def export(self, metadata: dict[str, object], **kwargs: object) -> str:  # noqa: ARG002 (the interface's)
        """Metadata as YAML, in block style."""
        return to_yaml(metadata)

    def format(self, post: frontmatter.Post, **kwargs: object) -> str:
        """The whole file, its body untouched."""
        return f"---\n{self.export(post.metadata, **kwargs)}---\n{post.content}"

    def read_raw(self, entry: repair.Entry) -> JsonValue:
        """Takes an entry that is no YAML as the text that it is."""
        self.lines[entry.key] = self.line
        self.taken.add(self.line)
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
            self.taken.add(self._line(event.start_mark))
            if key == "<<" and event.implicit[0]:
                raise UnreadableError(self._error(Code.YAML_ALIAS, event))
            if key in mapping:
                message = f"The key `{key}` stands twice; tools disagree on which one counts."
                raise UnreadableError(self._error(Code.DUPLICATE_KEY, event, message))
            value = next(events)
            mapping[key] = self._value(events, value, depth)
            if depth == 1:
                self.lines[key] = self._line(event.start_mark)
                if isinstance(value, yaml.ScalarEvent):
                    mapping[key] = self._intended(key, mapping[key], value)
        return mapping

    def _value(self, events: Iterator[Any], event: Any, depth: int) -> JsonValue:
        self._refuse_unsafe(event)
        if isinstance(event, yaml.ScalarEvent):
            # The end of a block is the beginning of the line behind it.
            end: Any = event.end_mark
            last = self._line(end) - (end.column == 0)
            self.taken.update(range(self._line(event.start_mark) + 1, last + 1))
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
        if event.anchor is not None:  # an alias has one too
            raise UnreadableError(self._error(Code.YAML_ALIAS, event))
        if getattr(event, "tag", None) is not None:
            raise UnreadableError(self._error(Code.YAML_TAG, event))

    def _intended(self, key: str, value: JsonValue, event: Any) -> JsonValue:
        """What the author of a top-level scalar meant, where that is not what YAML says."""
        line, plain = self.lines[key], event.implicit[0]
        if plain and key == "name":
            return self._name(value, event)
        if plain and key in ("description", "color") and (comment := _COMMENT.match(self._head, event.end_mark.index)):
            cut = comment[0].rstrip()
            if key == "description" or (value is None and _HEX_COLOUR.fullmatch(cut.strip())):
                value = f"{event.value}{cut}".strip()
                self._note(Code.COMMENT_IN_VALUE, Code.COMMENT_IN_VALUE.cause, line)
                self.repaired = True
        return self._with_line_ends(key, value, line)

    def _name(self, value: JsonValue, event: Any) -> JsonValue:
        text = str(event.value)
        if value is None:
            return None
        if isinstance(value, str) and not _NUMBER_1_2.fullmatch(text):
            tag = _YAML_1_1.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
            if tag == _STRING_TAG:
                return text
        self._note(Code.NAME_NOT_STRING, f"YAML 1.1 does not read the name `{text}` as text.", self.lines["name"])
        self.repaired = True
        return text

    def _with_line_ends(self, key: str, value: JsonValue, line: int) -> JsonValue:
        if key != "description" or not isinstance(value, str) or "\\n" not in value:
            return value
        self._note(Code.LITERAL_NEWLINE, Code.LITERAL_NEWLINE.cause, line)
        return value.replace("\\n", "\n")

    def _note(self, code: Code, message: str, line: int) -> None:
        self.findings.append(Diagnostic(code, message, self.path, line))

    def _error(self, code: Code, event: Any, message: str = "") -> Diagnostic:
        mark = event.start_mark
        return Diagnostic(code, message or code.cause, self.path, self._line(mark), mark.column + 1)

    def _line(self, mark: Any) -> int:
        return self.line if self.flat else self.line + int(mark.line)


def _read(text: str, path: str) -> tuple[repair.Split, dict[str, JsonValue], AgentHandler]:
    """Strictly where it stands; then strictly wherever it may stand; then entry by entry where that is likeliest."""
    problem: _InvalidYamlError | None = None
    for way in _ways(text):
        handler = AgentHandler(path, way.line, flat=way.flat)
        try:
            return way, handler.load(way.head), handler
        except _InvalidYamlError as error:
            problem = problem or error
    if problem is None:
        raise UnreadableError(Diagnostic(Code.NO_FRONTMATTER, Code.NO_FRONTMATTER.cause, path, 1))
    likeliest = repair.splits(text)[0]
    metadata, handler = _read_entries(likeliest, path, problem)
    return likeliest, metadata, handler


def _ways(text: str) -> Iterator[repair.Split]:
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
        if twice := loaded.keys() & metadata.keys():
            message = f"The key `{min(twice)}` stands twice; tools disagree on which one counts."
            raise UnreadableError(Diagnostic(Code.DUPLICATE_KEY, message, path, line))
        metadata |= loaded
        whole.lines |= part.lines
        whole.taken |= part.taken
        whole.findings += part.findings
    if not any(finding.code is Code.YAML_REPAIRED for finding in whole.findings):
        whole.findings.append(Diagnostic(Code.YAML_REPAIRED, Code.YAML_REPAIRED.cause, path, split.line))
    whole.repaired = True
    return metadata, whole


def _read_entry(entry: repair.Entry, path: str, line: int) -> tuple[dict[str, JsonValue], AgentHandler]:
    for text in entry.readings():
        handler = AgentHandler(path, line)
        try:
            loaded = handler.load(text)
        except _InvalidYamlError:
            continue  # the next reading, and at last the raw text, are what is made of it
        if entry.key in loaded:
            break
    else:
        handler = AgentHandler(path, line)
        loaded, text = {entry.key: handler.read_raw(entry)}, ""
        if key := entry.lost_restriction():
            handler.findings.append(_lost_restriction(key, line, path))
    if text != entry.text:
        message = f"The value of `{entry.key}` is not valid YAML and was read as its author seems to have meant it."
        handler.findings.append(Diagnostic(Code.YAML_REPAIRED, message, path, line))
    return loaded, handler


def _scalar(text: str) -> JsonValue:
    """A plain scalar as YAML 1.2 reads it; a number that is not written as a program would write it stays text."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] in "-0123456789":
        if _INT.fullmatch(text):
            return number if str(number := int(text)) == text else text
        if _FLOAT.fullmatch(text):
            return real if real_text(real := float(text)) == text else text
    return text
