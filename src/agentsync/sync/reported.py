"""What was reported before, so that each thing is reported once, and again only after it was over.

The state keeps a number for each diagnostic of the last run that applied changes: of its code, text, file, agent and
target, but not of its line. So a line that moves brings up nothing, and a changed agent only what is new about it.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.state.store import State

_HELD: Final = (Code.HELD_ESCALATION, Code.HELD_CROWD)


def is_reported_once(diagnostic: Diagnostic) -> bool:
    """Whether it is not repeated: all but errors that keep this machine or a source from being in sync.

    Somebody has to act on such an error here, and not only in the repository: a conflict, a change that is held, a
    source that cannot be fetched.
    """
    is_here = diagnostic.code.id.startswith("AS4") or diagnostic.code in _HELD
    return diagnostic.severity is not Severity.ERROR or not is_here


def identity(diagnostic: Diagnostic) -> int:
    """Return a number that two diagnostics share only if they report the same; it has 64 bits with its sign."""
    parts = (diagnostic.code.id, diagnostic.message, diagnostic.path, diagnostic.agent, diagnostic.target)
    data = "\0".join(parts).encode(errors="surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), signed=True)


def set_reported(state: State, diagnostics: Iterable[Diagnostic], *, is_complete: bool) -> None:
    """Record these diagnostics as reported; those that are over are forgotten, unless a source could not be read.

    Raises:
        StateError: the state cannot be written.
    """
    before = state.reported()
    now = {identity(one) for one in diagnostics if is_reported_once(one)}
    added, over = now - before, before - now if is_complete else frozenset[int]()
    if added or over:
        state.set_reported(added, over)
