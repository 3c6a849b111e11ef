"""Markdown in which text from repositories and machines remains text."""

from __future__ import annotations

import re

from agentsync.core.urls import printable

_CODE = re.compile(r"(?<!`)`[^`]+`(?!`)|\S+")
# What begins an element, ends a cell or refers to a person, an issue or an address. Hosts look for the latter three in
# the rendered text, so no escape prevents them; in code they do not look.
_ACTIVE = re.compile(r"[@#!$~^*_`\[\]|<>&\\]|://|www\.", re.IGNORECASE)


def escaped(words: str) -> str:
    """Return one line of Markdown that shows these words, and links, mentions and begins nothing.

    Words that could are shown as code; what is between single backticks is code already.
    """
    return _CODE.sub(_as_code, printable(words))


def _as_code(found: re.Match[str]) -> str:
    word = found[0]
    if not _ACTIVE.search(word):
        return word
    if len(word) > 2 and word[0] == word[-1] == "`" and "`" not in word[1:-1]:  # noqa: PLR2004 - the two backticks
        word = word[1:-1]
    longest = max((len(run) for run in re.findall("`+", word)), default=0)
    fence = "`" * (longest + 1)
    gap = " " if longest else ""
    return f"{fence}{gap}{word}{gap}{fence}".replace("|", "\\|")
