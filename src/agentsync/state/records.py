"""What is remembered of each file that was written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Self
from agentsync.core.errors import StateError
from agentsync.state.records import Action, Key, Known, Recorded, Stat
from agentsync.state.sqlite import DamagedError, Database, set_aside


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



ROLLED_BACK = "rolled back"
"""What a sync says that is a rollback and came to its end."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is known of a source; texts are empty and times None where nothing is.

    Attributes:
        name, url, ref: as configured; the URL without its credentials.
        commit: the last good one.
        fetched_at, applied_at: when that last went well.
        rejected_commit, rejected_reason: the one that it leads to, if that was refused or held, and why.
        error: of the last fetch, empty when it went well.
        committed_at: the date of the last good commit, and no later than it was applied.
        verified_by: by which settings its signature was checked; empty where none was asked for.
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
class Sync:
    """One run: `finished_at` is None and `result` empty while it runs, and for ever when it was killed.

    Attributes:
        commits: source name to commit; a rollback is made from none.
        counts: action, or whatever else was counted, to number.
    """

    id: str
    started_at: float
    finished_at: float | None
    result: str
    commits: Mapping[str, str]
    counts: Mapping[str, int]

    @property
    def is_incomplete_rollback(self) -> bool:
        """Whether it is a rollback that was killed, or could not bring back all that it wanted to."""
        return not self.commits and self.result != ROLLED_BACK


@dataclass(frozen=True, slots=True)
class FileChange:
    """What one sync did at one path.

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
    """Since when, in seconds since the epoch, nothing is applied, and why."""

    since: float
    reason: str


@dataclass(frozen=True, slots=True)
class Intent:
    """A change that is about to be made.

    Attributes:
        change: what history will say.
        temp: where its bytes are staged, relative to the directory; empty where none are.
        recorded: the inventory's row afterwards; None where the row goes.
    """

    change: FileChange
    temp: str
    recorded: Recorded | None
