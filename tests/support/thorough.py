"""Choice of the cases to try, where a part of them is enough to find most mistakes.

`make thorough` sets AGENTSYNC_THOROUGH. Without it a part is tried. AGENTSYNC_TURN, a hexadecimal number that CI takes
from the commit, selects another part with each change.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

_Item = TypeVar("_Item")

THOROUGH: Final = "AGENTSYNC_THOROUGH" in os.environ
_MOST: Final = 1 << 30
_SET: Final = os.environ.get("AGENTSYNC_TURN")
_TURN: Final = int(_SET or "0", 16)
SAME_EXAMPLES: Final = not (THOROUGH or _SET)
"""Whether hypothesis tries the same examples each time, so that a run's result is its own; CI passes a seed instead."""


def steps(every: int) -> range:
    """The numbers of the steps to try, counted from 1: one of `every` in turn, or all in a thorough run."""
    return range(1, _MOST) if THOROUGH else range(1 + _TURN % every, _MOST, every)


def part(items: Sequence[_Item], *, of: int, first: int) -> Sequence[_Item]:
    """One of so many parts of a sequence, beginning with an item that `first` and the turn choose, or all of it."""
    return items if THOROUGH else items[(first + _TURN) % of :: of]
