"""The state database: inventory, intents, sources, history and the cache of outcomes, in one SQLite file.

Times are seconds since the epoch and come from the caller.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, fields
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Self

from agentsync.errors import StateError
from agentsync.files import Known, Stat
from agentsync.plan import Action, Key, Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

SCHEMA_VERSION = 1

_BUSY_SECONDS = 10.0
_CHUNK = 500

_SCHEMA = """
CREATE TABLE IF NOT EXISTS inventory (
    directory TEXT, path TEXT, digest TEXT NOT NULL, agent TEXT NOT NULL, dialect TEXT NOT NULL, source TEXT NOT NULL,
    source_url TEXT NOT NULL, source_path TEXT NOT NULL, "commit" TEXT NOT NULL, blob TEXT NOT NULL,
    size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode TEXT, observed_ns INTEGER,
    PRIMARY KEY (directory, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
    name TEXT PRIMARY KEY, url TEXT NOT NULL, ref TEXT NOT NULL, "commit" TEXT NOT NULL,
    fetched_at REAL, applied_at REAL, rejected_commit TEXT NOT NULL, rejected_reason TEXT NOT NULL, error TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS syncs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started_at REAL NOT NULL, finished_at REAL,
    result TEXT NOT NULL, commits TEXT NOT NULL, counts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS changes (
    sync_id TEXT NOT NULL REFERENCES syncs (id) ON DELETE CASCADE, directory TEXT NOT NULL, path TEXT NOT NULL,
    action TEXT NOT NULL, agent TEXT NOT NULL, target TEXT NOT NULL, old TEXT, new TEXT
);
CREATE INDEX IF NOT EXISTS changes_by_sync ON changes (sync_id);
CREATE TABLE IF NOT EXISTS intents (
    sync_id TEXT NOT NULL REFERENCES syncs (id), directory TEXT NOT NULL, path TEXT NOT NULL, action TEXT NOT NULL,
    agent TEXT NOT NULL, target TEXT NOT NULL, old TEXT, new TEXT, temp TEXT NOT NULL, recorded TEXT
);
CREATE INDEX IF NOT EXISTS intents_by_path ON intents (directory, path);
CREATE TABLE IF NOT EXISTS cache (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class SourceState:
    """What is known of a source; texts are empty and times None where nothing is.

    Attributes:
        name, url, ref: as configured; the URL without its credentials.
        commit: the last good one.
        fetched_at, applied_at: when that last went well.
        rejected_commit, rejected_reason: the one that was looked at and refused, and why.
        error: of the last fetch, empty when it went well.
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


@dataclass(frozen=True, slots=True)
class Sync:
    """One run: `finished_at` is None and `result` empty while it runs, and for ever when it was killed.

    Attributes:
        commits: source name to commit.
        counts: action, or whatever else was counted, to number.
    """

    id: str
    started_at: float
    finished_at: float | None
    result: str
    commits: Mapping[str, str]
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class FileChange:
    """What one sync did at one path; digests are None where the file was or is absent."""

    sync_id: str
    directory: str
    path: str
    action: Action
    agent: str
    target: str
    old: str | None
    new: str | None


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


_COLUMNS = ", ".join(f'"{field.name}"' for field in fields(Recorded))
_recorded_values = attrgetter(*(field.name for field in fields(Recorded)))
_change_values = attrgetter(*(field.name for field in fields(FileChange)))


class State:
    """An open state database. One connection, for the thread that opened it.

    Every method raises StateError when the database cannot be used.

    Attributes:
        recovered: whether the file was damaged, set aside and started anew.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, *, recovered: bool) -> None:
        self._path = path
        self._connection = connection
        self.recovered = recovered

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the database at `path`; a damaged one is set aside as `<name>.corrupt-<n>`.

        Raises:
            StateError: it was written by a newer version, or cannot be opened.
        """
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            connection = _connect(path)
            recovered = connection is None
            if connection is None:
                _set_aside(path)
                connection = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise _unusable(path, error) from error
        if connection is None:
            raise StateError("the state database is damaged and a new one cannot be made", place=str(path))
        return cls(path, connection, recovered=recovered)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    # Inventory and intents

    def inventory(self, directories: Iterable[str]) -> dict[Key, Recorded]:
        """What was last written in these directories."""
        query = f"SELECT directory, path, {_COLUMNS} FROM inventory WHERE directory IN "  # noqa: S608 - own column names
        return {(row[0], row[1]): Recorded(*row[2:]) for row in self._in(query, directories)}

    def cached_stats(self, directories: Iterable[str]) -> dict[Key, Known]:
        """For each file of the inventory that was last seen as it was written: the proof of that."""
        query = (
            "SELECT directory, path, digest, size, mtime_ns, ctime_ns, inode, observed_ns FROM inventory"
            " WHERE observed_ns IS NOT NULL AND directory IN "
        )
        return {
            (directory, path): Known(digest, Stat(size, mtime, ctime, int(inode)), observed)
            for directory, path, digest, size, mtime, ctime, inode, observed in self._in(query, directories)
        }

    def cache_stats(self, seen: Mapping[Key, Known]) -> None:
        """Remember proofs; one whose digest is not the recorded one is dropped."""
        rows = [
            # As text, since an inode may need all of 64 bits or more and SQLite's integers have 63.
            (k.stat.size, k.stat.mtime_ns, k.stat.ctime_ns, str(k.stat.inode), k.observed_ns, *key, k.digest)
            for key, k in seen.items()
        ]
        update = (
            "UPDATE inventory SET size = ?, mtime_ns = ?, ctime_ns = ?, inode = ?, observed_ns = ?"
            " WHERE directory = ? AND path = ? AND digest = ?"
        )
        with self._transaction() as connection:
            connection.executemany(update, rows)

    def intend(self, intents: Iterable[Intent]) -> None:
        """Record, durably, what is about to be done; their sync must have begun."""
        rows = [
            (*_change_values(i.change), i.temp, json.dumps(_recorded_values(i.recorded)) if i.recorded else None)
            for i in intents
        ]
        with self._transaction() as connection:
            connection.executemany("INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def intents(self) -> list[Intent]:
        """What was about to be done when a run was killed, oldest first."""
        return [
            Intent(_file_change(row[:8]), row[8], Recorded(*json.loads(row[9])) if row[9] else None)
            for row in self._query("SELECT * FROM intents ORDER BY rowid")
        ]

    def settle(self, done: Iterable[Intent], cleared: Iterable[Intent] = ()) -> None:
        """Take what is done into inventory and history, and forget intents, in one transaction."""
        done = list(done)
        written = [(i.change.directory, i.change.path, *_recorded_values(i.recorded)) for i in done if i.recorded]
        gone = [(i.change.directory, i.change.path) for i in done if i.recorded is None]
        insert = f"INSERT OR REPLACE INTO inventory (directory, path, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - own column names
        with self._transaction() as connection:
            # Replacing the row also drops its cached stat.
            connection.executemany(insert, written)
            connection.executemany("DELETE FROM inventory WHERE directory = ? AND path = ?", gone)
            connection.executemany(
                "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [_change_values(i.change) for i in done]
            )
            connection.executemany(
                "DELETE FROM intents WHERE sync_id = ? AND directory = ? AND path = ? AND temp = ?",
                [(i.change.sync_id, i.change.directory, i.change.path, i.temp) for i in cleared],
            )

    # Sources

    def source(self, name: str) -> SourceState | None:
        """What is known of a source."""
        rows = self._query("SELECT * FROM sources WHERE name = ?", (name,))
        return SourceState(*rows[0]) if rows else None

    def set_source(self, source: SourceState) -> None:
        """Replace what is known of a source."""
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(source))

    # History

    def begin_sync(self, sync_id: str, *, started_at: float, commits: Mapping[str, str]) -> None:
        """Open a sync in the history."""
        insert = "INSERT INTO syncs (id, started_at, result, commits, counts) VALUES (?, ?, '', ?, '{}')"
        with self._transaction() as connection:
            connection.execute(insert, (sync_id, started_at, json.dumps(dict(commits))))

    def finish_sync(self, sync_id: str, *, finished_at: float, result: str, counts: Mapping[str, int]) -> None:
        """Close a sync in the history."""
        update = "UPDATE syncs SET finished_at = ?, result = ?, counts = ? WHERE id = ?"
        with self._transaction() as connection:
            connection.execute(update, (finished_at, result, json.dumps(dict(counts)), sync_id))

    def syncs(self, limit: int) -> list[Sync]:
        """The last syncs, newest first."""
        query = "SELECT id, started_at, finished_at, result, commits, counts FROM syncs ORDER BY number DESC LIMIT ?"
        return [
            Sync(id_, started, finished, result, json.loads(commits), json.loads(counts))
            for id_, started, finished, result, commits, counts in self._query(query, (limit,))
        ]

    def changes(self, sync_id: str) -> list[FileChange]:
        """What a sync did, in order."""
        return [
            _file_change(row)
            for row in self._query("SELECT * FROM changes WHERE sync_id = ? ORDER BY rowid", (sync_id,))
        ]

    def trim_history(self, keep: int) -> None:
        """Drop all but the newest `keep` syncs, and those that still have intents."""
        delete = (
            "DELETE FROM syncs WHERE id NOT IN (SELECT sync_id FROM intents)"
            " AND number NOT IN (SELECT number FROM syncs ORDER BY number DESC LIMIT ?)"
        )
        with self._transaction() as connection:
            connection.execute(delete, (keep,))

    # Outcome cache

    def cached(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The cached values of those keys that have one."""
        return dict(self._in("SELECT key, value FROM cache WHERE key IN ", keys))

    def cache(self, values: Mapping[str, bytes]) -> None:
        """Put values in the cache, over those that have the same keys."""
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO cache (key, value) VALUES (?, ?)", list(values.items()))

    def trim_cache(self, keep: int) -> None:
        """Drop all but the `keep` values that were put in last."""
        delete = "DELETE FROM cache WHERE number NOT IN (SELECT number FROM cache ORDER BY number DESC LIMIT ?)"
        with self._transaction() as connection:
            connection.execute(delete, (keep,))

    def _query(self, query: str, parameters: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error

    def _in(self, query: str, values: Iterable[str]) -> Iterator[tuple[Any, ...]]:
        values = list(values)
        for start in range(0, len(values), _CHUNK):
            chunk = values[start : start + _CHUNK]
            yield from self._query(f"{query}({', '.join('?' * len(chunk))})", tuple(chunk))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A failed COMMIT (a full disk) may have ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error


def _connect(path: Path) -> sqlite3.Connection | None:
    """A checked connection, or None where the file is damaged."""
    # Made here, since SQLite would make it readable by everyone; its journal files get the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        sound = connection.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
        if sound:
            _migrate(path, connection)
            return connection
    except sqlite3.DatabaseError as error:
        connection.close()
        if not _is_damage(error):
            raise
        return None
    except BaseException:
        connection.close()
        raise
    connection.close()
    return None


def _migrate(path: Path, connection: sqlite3.Connection) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > SCHEMA_VERSION:
        raise StateError(
            f"the state database has version {version}, this agentsync knows up to {SCHEMA_VERSION}",
            place=str(path),
            hint="use the newer agentsync, or move the file away: files are then taken over by their digest",
        )
    if version == 0:  # where two start at once the second finds all of it made
        connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    code: int = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def _set_aside(path: Path) -> None:
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))


def _file_change(row: tuple[Any, ...]) -> FileChange:
    sync_id, directory, path, action, agent, target, old, new = row
    return FileChange(sync_id, directory, path, Action(action), agent, target, old, new)


def _unusable(path: Path, error: Exception) -> StateError:
    return StateError(
        f"the state database cannot be used: {error}",
        place=str(path),
        hint="check permissions and space of its directory",
    )
