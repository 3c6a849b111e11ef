"""The text of files for systemd: settings in its syntax, and a digest that marks a file as ours and unedited."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from typing import Final

from agentsync.core.errors import ConfigError

_PLAIN: Final = re.compile(r"[\w@%+=,./~-]+", re.ASCII)
_TITLE: Final = (
    "# Written by `agentsync install-service`, which leaves it alone once it was edited. What is to be different goes\n"
    "# into a file beside it, such as `systemctl edit` makes.\n"
)
_SEALED: Final = re.compile(re.escape(_TITLE) + r"# sha256:(?P<digest>[0-9a-f]{64})\n\n(?P<text>.*)", re.DOTALL)


def sealed(text: str) -> str:
    """Put the title and a digest above a text."""
    return f"{_TITLE}# sha256:{_digest(text)}\n\n{text}"


def is_ours(content: bytes) -> bool:
    """Whether a file is exactly as agentsync wrote it."""
    match = _SEALED.fullmatch(content.decode(errors="replace"))
    return match is not None and match["digest"] == _digest(match["text"])


def drop_in(settings: Iterable[tuple[str, str]]) -> str:
    """Write a drop-in of a service's settings; one without a value empties the list before it."""
    return "[Service]\n" + "".join(f"{name}={value}\n" for name, value in settings)


def word(text: str) -> str:
    """Quote a text as one word of a setting (systemd.syntax(7), "Quoting"; systemd.unit(5), "Specifiers").

    Raises:
        ConfigError: the text has a line break.
    """
    if "\n" in text:
        raise ConfigError("systemd takes no line break", place=repr(text))
    escaped = text.replace("%", "%%")
    if _PLAIN.fullmatch(escaped):
        return escaped
    return '"' + escaped.replace("\\", "\\\\").replace('"', r"\"") + '"'


def command(words: Iterable[str]) -> str:
    """Quote a command line, in which `$` would begin a variable."""
    return " ".join(word(part.replace("$", "$$")) for part in words)


def bind(path: str, *, optional: bool = False) -> str:
    """Quote a path for BindPaths=, in which a colon would separate two; an `optional` path may be missing."""
    return word(f"{'-' if optional else ''}{path}").replace(":", r"\:")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
