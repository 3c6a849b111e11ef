"""Parse TOML files."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from typing import Any

from pydantic import JsonValue

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.formats.document import (
    MAX_DEPTH,
    MAX_HEAD_BYTES,
    Document,
    UnreadableError,
    check_size,
    decode,
    oversized,
)

_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_KEY = re.compile(r"""[ \t]*+(?:\[{1,2}[ \t]*+)?["']?([\w-]++)""")
# Strings and comments: what is not closed ends with its line, or with the text. Up to two quotation marks of a text may
# precede its closing ones.
_NO_KEY = re.compile(
    r'''"""(?:[^"\\]|\\.|"{1,2}(?!"))*+(?:"{3,5}|\Z)|"(?:[^"\\\n]|\\[^\n])*+"?'''
    r"""|'''(?:[^']|'{1,2}(?!'))*+(?:'{3,5}|\Z)|'[^'\n]*+'?|#[^\n]*+""",
    re.DOTALL,
)
# A key of more parts than a value may have levels: tomllib takes the square of their number. Only keys have such dots.
_DEEP_KEY = re.compile(rf"(?:\.[ \t]*+[\w-]++[ \t]*+){{{MAX_DEPTH}}}")
_BLANKS = re.compile(r"\s+")
_INT_BITS = 64


def parse_toml(data: bytes, path: str) -> Document:
    """Parse a TOML file; dates, and numbers that JSON does not have, become strings.

    Raises:
        UnreadableError: the file is not TOML, or it is unsafe.
    """
    text, diagnostics, repaired = decode(data, path)
    if len(_BLANKS.sub(" ", _without_texts(text))) > MAX_HEAD_BYTES:  # which would take seconds to parse
        raise UnreadableError(oversized(path))
    try:
        metadata = load_toml(text)
    except ValueError as error:
        place = _PLACE.search(str(error))
        line, column = (int(place[1] or 0), int(place[2] or 0)) if place else (0, 0)
        message = f"The file is not valid TOML: {_PLACE.sub('', str(error))}."
        raise UnreadableError(Diagnostic(Code.TOML_INVALID, message, path, line, column)) from error
    except RecursionError as error:
        raise UnreadableError(Diagnostic(Code.TOO_DEEP, "The file is nested too deeply.", path)) from error
    check_size(metadata, path)
    return Document(
        path=path,
        metadata=metadata,
        lines=_lines(text, metadata),
        repaired=repaired,
        diagnostics=diagnostics,
        data=data,
    )


def load_toml(text: str) -> dict[str, JsonValue]:
    """Parse the values of a TOML text; dates, and numbers that JSON does not have, become strings.

    Raises:
        ValueError: the text is not TOML; the message has the position.
        RecursionError: the text is nested too deeply.
    """
    if _DEEP_KEY.search(_without_texts(text)):
        raise RecursionError
    return {key: _value(value, 2) for key, value in tomllib.loads(text).items()}


def _without_texts(text: str) -> str:
    """Return a TOML text with a letter for each string, and without comments."""
    return _NO_KEY.sub(lambda match: "" if match[0].startswith("#") else "x", text)


def _value(value: Any, depth: int) -> JsonValue:
    if isinstance(value, (dict, list)) and depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        return {key: _value(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_value(item, depth + 1) for item in value]
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and value.bit_length() >= _INT_BITS:
        raise ValueError("an integer does not fit into 64 bits")
    return value  # type: ignore[no-any-return]  # the remaining TOML types are JSON types, too


def _lines(text: str, keys: Mapping[str, JsonValue]) -> dict[str, int]:
    """First line of each top-level key, outside multi-line strings."""
    lines: dict[str, int] = {}
    inside = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not inside and (match := _KEY.match(line)) and match[1] in keys:
            lines.setdefault(match[1], number)
        for quotes in ('"""', "'''"):
            if inside in ("", quotes) and line.count(quotes) % 2:
                inside = "" if inside else quotes
    return lines
