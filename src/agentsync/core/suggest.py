"""Suggestions for misspelt names: the one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from agentsync.core.naming import folded_key

_LONGEST = 64
"""Longer names are compared with none, since the time grows with the square of the length."""

_LEAST_BEGINNING = 4


def nearest(name: str, names: Iterable[str]) -> str:
    """Return the one of these names that a misspelt one is probably meant as; empty where none is like it.

    A name is like another that it begins, or where few letters differ, apart from case, dashes and underscores.
    """
    return _nearest(name, tuple(sorted(names))) if len(name) <= _LONGEST else ""


@lru_cache(maxsize=4096)
def _nearest(name: str, names: tuple[str, ...]) -> str:
    folded = {folded_key(other): other for other in reversed(names) if len(other) <= _LONGEST}
    word = folded_key(name)
    begun = [other for other in folded if len(word) >= _LEAST_BEGINNING and other.startswith(word)]
    like = [word] if word in folded else begun if len(begun) == 1 else get_close_matches(word, folded, 1, 0.8)
    return folded[like[0]] if like else ""
