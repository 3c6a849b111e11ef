"""What a mistyped name may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice
from typing import Final

_SHOWN: Final = 5
_MOST: Final = 5_000  # names that are compared; each takes some microseconds
_LIKENESS: Final = 0.5  # as difflib measures it


def listed(name: str, known: Iterable[str]) -> str:
    """List the first of these names, those first that are most like `name`; empty where there are none."""
    names = list(dict.fromkeys(known))
    near = get_close_matches(name, islice(names, _MOST), n=_SHOWN, cutoff=_LIKENESS)
    shown = list(dict.fromkeys((*near, *names[:_SHOWN])))[:_SHOWN]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return ", ".join(f"`{one}`" for one in shown) + more
