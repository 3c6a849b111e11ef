"""What is remembered of each file that was written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Key = tuple[str, str]
"""A target's directory and a path relative to it."""


class Action(StrEnum):
    """What becomes of one path; take and forget touch the inventory only, keep and conflict nothing.

    Replace is for what agentsync did not write in this form: only the user's word leads to it, and the bytes are put
    away first.
    """

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    RESTORE = "restore"
    TAKE = "take"
    FORGET = "forget"
    KEEP = "keep"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A row of the inventory: what was last written, and the agent that it came from."""

    digest: str
    agent: str
    dialect: str
    source: str
    source_url: str
    source_path: str
    commit: str
    blob: str


RACY_NS = 2_000_000_000
"""A digest is trusted by its stat only if the file was this much older when it was taken: file systems round times
to as much as two seconds, and two writes within one tick look like one (git's racy index)."""


class Stat(NamedTuple):
    """What changes when a file does. The device is left out: it differs from one mount to the next."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Known(NamedTuple):
    """A digest, the stat of the file when it was taken, and that moment in nanoseconds since the epoch."""

    digest: str
    stat: Stat
    observed_ns: int

    def holds_for(self, found: Stat) -> bool:
        """Whether a file with this stat must still have this digest."""
        return found == self.stat and self.observed_ns - max(found.mtime_ns, found.ctime_ns) > RACY_NS
