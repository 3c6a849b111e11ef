"""How often edited files are restored at once, so as not to fight a program that writes them each time."""

from __future__ import annotations

import time
from collections import deque
from typing import Final

_MOST: Final = 3  # cycles that may restore within _SECONDS
_SECONDS: Final = 60.0


class Restores:
    """The last cycles that restored a file which was edited here."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MOST)

    def note(self) -> None:
        """Note that a cycle restored a file now."""
        self._times.append(time.monotonic())

    @property
    def may_restore(self) -> bool:
        """Whether a change may be followed by a restore at once."""
        return len(self._times) < _MOST or time.monotonic() - self._times[0] > _SECONDS
