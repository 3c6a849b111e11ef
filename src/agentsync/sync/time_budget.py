"""Time budget: the processor time that one file of a source may take to be read and converted."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic

FILE_SECONDS: Final = 20.0
"""For one file and all targets. A slow machine takes a second for the largest file."""


class TimeBudget:
    """The time that a file has from now on.

    The thread's processor time is measured, so that neither another program nor a machine that sleeps has a file
    refused.
    """

    def __init__(self) -> None:
        self._until = time.thread_time() + FILE_SECONDS

    @property
    def spent(self) -> bool:
        """Whether the file has taken longer than it may."""
        return time.thread_time() > self._until

    def diagnostic(self, path: str) -> Diagnostic:
        """Report a file whose budget is spent."""
        message = f"it takes more than {FILE_SECONDS:g} seconds to read and convert this file"
        return Diagnostic(Code.TOO_SLOW, message, path=path)


def took_too_long(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether these are of a file that was refused since its budget was spent."""
    return any(diagnostic.code is Code.TOO_SLOW for diagnostic in diagnostics)
