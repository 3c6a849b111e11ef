"""Metadata as YAML that every reader, of YAML 1.1 and 1.2, reads alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

# Written without quotes: words that no YAML, old or new, reads as anything but themselves.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?:,? [A-Za-z][A-Za-z0-9_./-]*)*")
_KEYWORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
# What JSON leaves as it is and YAML does not allow, or takes for a line end.
# YAML's own limit for a key without `?` is 1,024 characters.
_LONGEST_KEY = 1000
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def to_yaml(metadata: dict[str, object]) -> str:
    """Metadata in block style, keys in their order, quotes wherever YAML may differ; `description` always has them."""
    return "".join(f"{line}\n" for line in _mapping(metadata)) if metadata else "{}\n"


def real_text(number: float) -> str:
    """A number as it is written, which reads back as the same number."""
    text = repr(number)
    # YAML 1.1 takes a number with an exponent for text unless it has a point.
    return text if "." in text else text.replace("e", ".0e")


def _mapping(value: dict[str, object]) -> Iterator[str]:
    """The lines of a mapping that is not empty, not indented."""
    for key, item in value.items():
        name = _text(key)
        if len(name) > _LONGEST_KEY:
            yield f"? {name}"
            name = ""
        if isinstance(item, dict) and item:
            yield f"{name}:"
            yield from (f"  {line}" for line in _mapping(item))
        elif isinstance(item, list) and item:
            yield f"{name}:"
            yield from (f"  {line}" for line in _sequence(item))
        else:
            yield f"{name}: {_scalar(item, quoted=key == 'description')}"


def _sequence(value: list[object]) -> Iterator[str]:
    """The lines of a sequence that is not empty, not indented."""
    for item in value:
        lines = iter([_scalar(item)])
        if isinstance(item, dict) and item:
            lines = _mapping(item)
        elif isinstance(item, list) and item:
            lines = _sequence(item)
        yield f"- {next(lines)}"
        yield from (f"  {line}" for line in lines)


def _scalar(value: object, *, quoted: bool = False) -> str:
    """One line for a value that is no filled collection."""
    if isinstance(value, str):
        return _text(value, quoted=quoted)
    return real_text(value) if isinstance(value, float) else json.dumps(value)


def _text(text: str, *, quoted: bool = False) -> str:
    """A string, plain or as JSON writes it, which is YAML's double-quoted form without folding."""
    if not quoted and _PLAIN.fullmatch(text) and text.lower() not in _KEYWORDS and "---" not in text:
        return text
    # Claude Code takes three dashes for the closing fence, wherever in the frontmatter they stand.
    escaped = json.dumps(text, ensure_ascii=False).replace("---", "--\\u002d")
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped)
