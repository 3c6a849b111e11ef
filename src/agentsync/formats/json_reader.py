"""Read and write agents as JSON."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from pydantic import JsonValue

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.formats.document import MAX_DEPTH, Document, UnreadableError, check_size, decode

_KEY: Final = re.compile(r'[ \t]*+(?:\{[ \t]*+)?"([^"\\]++)"[ \t]*+:')
_INT_BITS: Final = 64
# Strings come first, since they may contain the others; what is not closed ends with its line or with the text.
_COMMENT: Final = re.compile(r'("(?:\\.|[^"\\\n])*+"?)|//[^\n]*+|/\*.*?(?:\*/|\Z)', re.DOTALL)
_TRAILING_COMMA: Final = re.compile(r'("(?:\\.|[^"\\\n])*+"?)|,(?=\s*+[}\]])')


def parse_json(data: bytes, path: str) -> Document:
    """Parse a JSON file that holds one object.

    Raises:
        UnreadableError: the file is not such an object, a key appears twice, or it is unsafe.
    """
    text, diagnostics, repaired = decode(data, path)
    value = _load(text, path)
    check_size(value, path)
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if (match := _KEY.match(line)) and match[1] in value:
            lines.setdefault(match[1], number)
    return Document(path=path, metadata=value, lines=lines, repaired=repaired, diagnostics=diagnostics, data=data)


def load_jsonc(data: bytes, path: str) -> dict[str, JsonValue]:
    """Load a JSON file that holds one object, and may hold comments and commas behind the last values.

    Raises:
        UnreadableError: the file is not such an object, a key appears twice, or it is unsafe.
    """
    text, _, _ = decode(data, path)
    for pattern in (_COMMENT, _TRAILING_COMMA):
        text = pattern.sub(lambda match: match[1] or " ", text)
    return _load(text, path)


def _load(text: str, path: str) -> dict[str, JsonValue]:
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse, parse_int=_int, parse_float=_float)
        text.encode()
        json.dumps(value, ensure_ascii=False).encode()  # refuses a lone surrogate, which is not text
        _check_depth(value, 1)
    except json.JSONDecodeError as error:
        message = f"The file is not valid JSON: {error.msg}."
        raise UnreadableError(Diagnostic(Code.JSON_INVALID, message, path, error.lineno, error.colno)) from error
    except ValueError as error:
        raise UnreadableError(Diagnostic(Code.JSON_INVALID, f"The file is not valid JSON: {error}.", path)) from error
    except RecursionError as error:
        raise UnreadableError(Diagnostic(Code.TOO_DEEP, "The file is nested too deeply.", path)) from error
    if not isinstance(value, dict):
        raise UnreadableError(Diagnostic(Code.NOT_A_MAPPING, "The file holds no JSON object.", path, 1))
    return value


def format_json(metadata: Mapping[str, JsonValue]) -> bytes:
    """Write a JSON file with the keys in order, indented as a person would."""
    return f"{json.dumps(metadata, indent=2, ensure_ascii=False)}\n".encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object and refuse a duplicate key: tools disagree on which one counts."""
    values: dict[str, Any] = {}
    for key, value in pairs:
        if key in values:
            raise ValueError(f"the key {key!a} appears twice")
        values[key] = value
    return values


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"`{constant}` is not a JSON number")


def _int(text: str) -> int:
    number = int(text)
    if number.bit_length() >= _INT_BITS:
        raise ValueError("an integer does not fit into 64 bits")
    return number


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _check_depth(value: object, depth: int) -> None:
    """Raise RecursionError where objects and arrays are nested too deeply."""
    if not isinstance(value, dict | list):
        return
    if depth > MAX_DEPTH:
        raise RecursionError
    for inner in value.values() if isinstance(value, dict) else value:
        _check_depth(inner, depth + 1)
