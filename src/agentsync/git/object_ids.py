"""Ids of git's objects."""

from __future__ import annotations

import re
from typing import Final

SHA1: Final = "sha1"
_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHA1_DIGITS = 40


def is_object_id(text: str) -> bool:
    """Whether a text is a whole object id: 40 or 64 hexadecimal digits."""
    return _OBJECT_ID.fullmatch(text) is not None


def object_format_of(id_: str) -> str:
    """Return the object format of a repository with this whole id, as `git init --object-format` takes it."""
    return SHA1 if len(id_) == _SHA1_DIGITS else "sha256"
