"""Write metadata as YAML that parsers of YAML 1.1 and 1.2 read alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

# Written without quotes: words that both versions of YAML read as text.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?:,? [A-Za-z][A-Za-z0-9_./-]*)*")
_KEYWORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
# YAML's own limit for a key without `?` is 1,024 characters.
_LONGEST_KEY = 1000
# Characters that JSON leaves unescaped, and that YAML does not allow or reads as a line end.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def to_yaml(metadata: dict[str, object]) -> str:
    """Write metadata in block style, with keys in order, and quotes where parsers may differ and for `description`."""
    return "".join(f"{line}\n" for line in _mapping(metadata)) if metadata else "{}\n"


def real_text(number: float) -> str:
    """Format a number so that it reads back as the same number."""
    text = repr(number)
    # YAML 1.1 reads a number with an exponent as text unless it has a point.
    return text if "." in text else text.replace("e", ".0e")


def _mapping(value: dict[str, object]) -> Iterator[str]:
    """Lines of a mapping that is not empty, without indentation."""
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
    """Lines of a sequence that is not empty, without indentation."""
    for item in value:
        lines = iter([_scalar(item)])
        if isinstance(item, dict) and item:
            lines = _mapping(item)
        elif isinstance(item, list) and item:
            lines = _sequence(item)
        yield f"- {next(lines)}"
        yield from (f"  {line}" for line in lines)


def _scalar(value: object, *, quoted: bool = False) -> str:
    """Write a scalar or an empty collection on one line."""
    if isinstance(value, str):
        return _text(value, quoted=quoted)
    return real_text(value) if isinstance(value, float) else json.dumps(value)


def _text(text: str, *, quoted: bool = False) -> str:
    """Write a string plain or as in JSON, which is YAML's double-quoted form without folding."""
    if not quoted and _PLAIN.fullmatch(text) and text.lower() not in _KEYWORDS and "---" not in text:
        return text
    # Claude Code takes three dashes for the closing fence, wherever they are in the frontmatter.
    escaped = json.dumps(text, ensure_ascii=False).replace("---", "--\\u002d")
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped)
