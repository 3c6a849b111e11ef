"""Records of the state database: written files, sources, syncs and their changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

Key = tuple[str, str]
"""A target's directory and a path relative to it."""


Refusal = tuple[str, str, str]
"""The source and the path of an agent's file, and the target that does not get it; empty where there is no target."""


class Action(StrEnum):
    """Action for one path; take and forget change the inventory only, keep and conflict change nothing.

    Replace is for a file that agentsync did not write in this form: it takes the user's consent, and the bytes are
    backed up first.
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
    """Row of the inventory: what was last written, and the agent that it came from."""

    digest: str
    agent: str
    dialect: str
    source: str
    source_url: str
    source_path: str
    commit: str
    blob: str


RACY_NS = 2_000_000_000
"""Age that a file must have when its digest is taken, for its stat to prove the digest later: file systems round times
to as much as two seconds, and two writes within one tick look like one (git's racy index)."""


class Stat(NamedTuple):
    """Stat fields that change when a file does. The device is left out: it differs from one mount to the next."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class Known(NamedTuple):
    """Digest, the stat of the file when the digest was taken, and that time in nanoseconds since the epoch."""

    digest: str
    stat: Stat
    observed_ns: int

    def holds_for(self, current: Stat) -> bool:
        """Whether a file with this stat must still have this digest."""
        return current == self.stat and self.is_settled

    @property
    def is_settled(self) -> bool:
        """Whether the file was old enough when its digest was taken, so that a later change shows in its stat."""
        return self.observed_ns - max(self.stat.mtime_ns, self.stat.ctime_ns) > RACY_NS


ROLLED_BACK = "rolled back"
"""Result of a sync that is a rollback and finished."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """Recorded state of a source; unknown texts are empty and unknown times None.

    Attributes:
        name, url, ref: as configured; the URL without its credentials.
        commit: the last good one.
        fetched_at, applied_at: when that last succeeded.
        rejected_commit, rejected_reason: the commit that the ref points to, if it was refused or held, and why.
        error: of the last fetch, empty when it succeeded.
        committed_at: the date of the last good commit, but no later than it was applied.
        verified_by: the settings by which its signature was checked; empty where no signature is required.
    """

    name: str
    url: str
    ref: str
    commit: str = ""
    fetched_at: float | None = None
    applied_at: float | None = None
    rejected_commit: str = ""
    rejected_reason: str = ""
    error: str = ""
    committed_at: float | None = None
    verified_by: str = ""


@dataclass(frozen=True, slots=True)
class Tip:
    """A commit that fetches found at the tip of a source, and the first and the last time that one did."""

    commit: str
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Sync:
    """One run: `finished_at` is None and `result` empty while it runs, and stay so when it was killed.

    Attributes:
        commits: source name to commit; empty for a rollback.
        counts: number of changes by action, or by whatever else was counted.
    """

    id: str
    started_at: float
    finished_at: float | None
    result: str
    commits: Mapping[str, str]
    counts: Mapping[str, int]

    @property
    def is_incomplete_rollback(self) -> bool:
        """Whether it is a rollback that was killed, or could not restore everything."""
        return not self.commits and self.result != ROLLED_BACK


@dataclass(frozen=True, slots=True)
class FileChange:
    """Change that one sync made at one path.

    Attributes:
        old, new: digests of the file before and after; None where it was or is absent.
        base: the inventory's row before; None where there was none.
    """

    sync_id: str
    directory: str
    path: str
    action: Action
    agent: str
    target: str
    old: str | None
    new: str | None
    base: Recorded | None = None

    @property
    def key(self) -> Key:
        return self.directory, self.path


@dataclass(frozen=True, slots=True)
class Suspension:
    """Suspension of pulling: since when, in seconds since the epoch, and why."""

    since: float
    reason: str


@dataclass(frozen=True, slots=True)
class Intent:
    """Change that is about to be made.

    Attributes:
        change: the entry for the history.
        temp: where its bytes are staged, relative to the directory; empty where nothing is staged.
        recorded: the inventory's row afterwards; None where the row is removed.
    """

    change: FileChange
    temp: str
    recorded: Recorded | None
