"""Detect plain YAML values that the library of some tool does not read as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

# Numbers, dates and times of YAML 1.1 and 1.2, in the widest form that some library accepts.
_VALUE: Final = r"[-+]?(?:\.(?i:inf|nan)|[.0-9][0-9A-Fa-fobxTtZz_.:+ \t-]*)"
_TEXT: Final = re.compile(_VALUE)


def types_a_value(head: str, keys: Iterable[str]) -> bool:
    """Whether one of these keys has, in a frontmatter, a plain value that may not be read as text."""
    names = "|".join(map(re.escape, keys))
    return re.search(rf"^(?:{names}):[ \t]+(?>{_VALUE})[ \t]*+(?:#.*)?\r?$", head, re.MULTILINE) is not None


def types_a_name(head: str, names: Iterable[str]) -> bool:
    """Whether one of these names in a list is without quotes in a frontmatter and may not be read as text."""
    return any(_TEXT.fullmatch(name) and f'"{name}"' not in head and f"'{name}'" not in head for name in names)
