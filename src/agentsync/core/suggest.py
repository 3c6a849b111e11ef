"""Suggestions for misspelt names: the one that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

from agentsync.core.naming import folded_key

LONGEST = 64
"""Longer names are compared with none, since the time grows with the square of the length."""

_LEAST_BEGINNING = 4
_LEAST_LIKE = 0.85


def nearest(name: str, names: Iterable[str], *, shortened: bool = True) -> str:
    """Return the one of these names that a misspelt one is probably meant as; empty where none is like it.

    A name is like another where few letters differ, apart from case, dashes and underscores.

    Args:
        name: the misspelt one.
        names: those that there are.
        shortened: whether it is also like the only one that begins with it.
    """
    return _nearest(name, tuple(sorted(names)), shortened=shortened) if len(name) <= LONGEST else ""


@lru_cache(maxsize=4096)
def _nearest(name: str, names: tuple[str, ...], *, shortened: bool) -> str:
    folded = {folded_key(other): other for other in reversed(names) if len(other) <= LONGEST}
    word = folded_key(name)
    begun = [other for other in folded if shortened and len(word) >= _LEAST_BEGINNING and other.startswith(word)]
    like = [word] if word in folded else begun if len(begun) == 1 else get_close_matches(word, folded, 1, _LEAST_LIKE)
    return folded[like[0]] if like else ""
