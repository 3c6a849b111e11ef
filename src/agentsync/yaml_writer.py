"""Metadata as YAML that every reader, of YAML 1.1 and 1.2, reads alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import yaml

# Written without quotes: words that no YAML, old or new, reads as anything but themselves.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*(?:,? [A-Za-z][A-Za-z0-9_./-]*)*")
_KEYWORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none", "nan", "inf"})
# What JSON leaves as it is and YAML does not allow, or takes for a line end.
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def to_yaml(metadata: dict[str, object]) -> str:
    """Metadata in block style, keys in their order, quotes wherever YAML may differ; `description` always has them."""
    events = [
        yaml.StreamStartEvent(),
        yaml.DocumentStartEvent(explicit=False),
        *_events(metadata),
        yaml.DocumentEndEvent(explicit=False),
        yaml.StreamEndEvent(),
    ]
    text: str = yaml.emit(events, Dumper=_Emitter, width=float("inf"), allow_unicode=True)
    return text


def real_text(number: float) -> str:
    """A number as it is written, which reads back as the same number."""
    text = repr(number)
    # YAML 1.1 takes a number with an exponent for text unless it has a point.
    return text if "." in text else text.replace("e", ".0e")


class _Emitter(yaml.emitter.Emitter):
    """PyYAML's emitter, with JSON's double-quoted strings: never folded, and emoji kept as they are."""

    def write_double_quoted(self, text: str, split: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002 (PyYAML's own)
        quoted = json.dumps(text, ensure_ascii=False)
        self.write_indicator(_UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", quoted), need_whitespace=True)


def _events(value: object, key: str = "") -> Iterator[yaml.Event]:
    if isinstance(value, str):
        plain = key != "description" and _PLAIN.fullmatch(value) and value.lower() not in _KEYWORDS
        yield yaml.ScalarEvent(None, None, (True, True), value, style=None if plain else '"')
    elif isinstance(value, dict):
        yield yaml.MappingStartEvent(None, None, implicit=True, flow_style=not value)
        for name, item in value.items():
            yield from _events(name)
            yield from _events(item, name)
        yield yaml.MappingEndEvent()
    elif isinstance(value, list):
        yield yaml.SequenceStartEvent(None, None, implicit=True, flow_style=not value)
        for item in value:
            yield from _events(item)
        yield yaml.SequenceEndEvent()
    else:
        text = real_text(value) if isinstance(value, float) else json.dumps(value)
        yield yaml.ScalarEvent(None, None, (True, True), text)
