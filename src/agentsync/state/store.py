"""The state database: inventory, intents, sources and history, in one SQLite file.

Times are seconds since the epoch and come from the caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from agentsync.core.errors import StateError
from agentsync.state.records import Action, Key, Known, Recorded, Stat
from agentsync.state.sqlite import DamagedError, Database, set_aside

RECOVERED = "the state was damaged and is set aside; files are known again by their content, and nothing is deleted"

ROLLED_BACK = "rolled back"
"""What a sync says that is a rollback and came to its end."""

SCHEMA_VERSION = 4

_SCHEMA = """
CREATE TABLE IF NOT EXISTS inventory (
    directory TEXT, path TEXT, digest TEXT NOT NULL, agent TEXT NOT NULL, dialect TEXT NOT NULL, source TEXT NOT NULL,
    source_url TEXT NOT NULL, source_path TEXT NOT NULL, "commit" TEXT NOT NULL, blob TEXT NOT NULL,
    size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode TEXT, observed_ns INTEGER,
    PRIMARY KEY (directory, path)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sources (
    name TEXT, url TEXT, ref TEXT, "commit" TEXT NOT NULL,
    fetched_at REAL, applied_at REAL, rejected_commit TEXT NOT NULL, rejected_reason TEXT NOT NULL, error TEXT NOT NULL,
    committed_at REAL, verified_by TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (name, url, ref)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS syncs (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, started_at REAL NOT NULL, finished_at REAL,
    result TEXT NOT NULL, commits TEXT NOT NULL, counts TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS changes (
    sync_id TEXT NOT NULL REFERENCES syncs (id) ON DELETE CASCADE, directory TEXT NOT NULL, path TEXT NOT NULL,
    action TEXT NOT NULL, agent TEXT NOT NULL, target TEXT NOT NULL, old TEXT, new TEXT, base TEXT
);
CREATE INDEX IF NOT EXISTS changes_by_sync ON changes (sync_id);
CREATE TABLE IF NOT EXISTS intents (
    sync_id TEXT NOT NULL REFERENCES syncs (id), directory TEXT NOT NULL, path TEXT NOT NULL, action TEXT NOT NULL,
    agent TEXT NOT NULL, target TEXT NOT NULL, old TEXT, new TEXT, temp TEXT NOT NULL, recorded TEXT, base TEXT
);
CREATE INDEX IF NOT EXISTS intents_by_path ON intents (directory, path);
CREATE TABLE IF NOT EXISTS memory (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS suspension (since REAL NOT NULL, reason TEXT NOT NULL);
"""

_UNLESS_SUSPENDED = "WHERE NOT EXISTS (SELECT 1 FROM suspension)"

# What the tables of older versions lack.
_ADDED = (
    ("changes", "base", "TEXT"),
    ("intents", "base", "TEXT"),
    ("sources", "committed_at", "REAL"),
    ("sources", "verified_by", "TEXT NOT NULL DEFAULT ''"),
)


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


_COLUMNS = ", ".join(f'"{field.name}"' for field in fields(Recorded))
_recorded_values = attrgetter(*(field.name for field in fields(Recorded)))
_change_values = attrgetter(*(field.name for field in fields(FileChange) if field.name != "base"))


class State(Database):
    """An open state database. One connection, for the thread that opened it.

    Every method raises StateError when the database cannot be used.

    Attributes:
        recovered: whether the file was damaged, set aside and started anew.
    """

    recovered = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the database at `path`; a damaged one is set aside as `<name>.corrupt-<n>`.

        Raises:
            StateError: it was written by a newer version, or cannot be opened.
        """
        try:
            return cls(path)
        except DamagedError:
            set_aside(path)
        state = cls(path)
        state.recovered = True
        return state

    # Inventory and intents

    def inventory(self, directories: Iterable[str]) -> dict[Key, Recorded]:
        """What was last written in these directories."""
        query = f"SELECT directory, path, {_COLUMNS} FROM inventory WHERE directory IN"  # noqa: S608 - own column names
        return {(row[0], row[1]): Recorded(*row[2:]) for row in self._query_in(query, directories)}

    def count(self, directories: Iterable[str]) -> int:
        """How many files were last written in these directories."""
        query = "SELECT count(*) FROM inventory WHERE directory IN"
        return sum(count for (count,) in self._query_in(query, directories))

    def elsewhere(self, directories: Iterable[str], source_urls: Mapping[str, str]) -> dict[str, list[str]]:
        """What was written from these sources to other directories: paths by directory."""
        known = set(directories)
        found: dict[str, list[str]] = {}
        for directory, path, source, url in self._query("SELECT directory, path, source, source_url FROM inventory"):
            if directory not in known and source_urls.get(source) == url:
                found.setdefault(directory, []).append(path)
        return found

    def cached_stats(self, directories: Iterable[str]) -> dict[Key, Known]:
        """For each file of the inventory that was last seen as it was written: the proof of that."""
        query = (
            "SELECT directory, path, digest, size, mtime_ns, ctime_ns, inode, observed_ns FROM inventory"
            " WHERE observed_ns IS NOT NULL AND directory IN"
        )
        return {
            (directory, path): Known(digest, Stat(size, mtime, ctime, int(inode)), observed)
            for directory, path, digest, size, mtime, ctime, inode, observed in self._query_in(query, directories)
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
        rows = [(*_change_values(i.change), i.temp, _encoded(i.recorded), _encoded(i.change.base)) for i in intents]
        with self._transaction() as connection:
            connection.executemany("INSERT INTO intents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def intents(self) -> list[Intent]:
        """What was about to be done when a run was killed, oldest first."""
        return [
            Intent(_file_change((*row[:8], row[10])), row[8], _decoded(row[9]))
            for row in self._query("SELECT * FROM intents ORDER BY rowid")
        ]

    def settle(self, done: Iterable[Intent], cleared: Iterable[Intent] = ()) -> None:
        """Take what is done into inventory and history, and forget intents and the memory, in one transaction."""
        done = list(done)
        written = [(i.change.directory, i.change.path, *_recorded_values(i.recorded)) for i in done if i.recorded]
        gone = [(i.change.directory, i.change.path) for i in done if i.recorded is None]
        insert = f"INSERT OR REPLACE INTO inventory (directory, path, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - own column names
        with self._transaction() as connection:
            connection.execute("DELETE FROM memory")
            # Replacing the row also drops its cached stat.
            connection.executemany(insert, written)
            connection.executemany("DELETE FROM inventory WHERE directory = ? AND path = ?", gone)
            connection.executemany(
                "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [(*_change_values(i.change), _encoded(i.change.base)) for i in done],
            )
            connection.executemany(
                "DELETE FROM intents WHERE sync_id = ? AND directory = ? AND path = ? AND temp = ?",
                [(i.change.sync_id, i.change.directory, i.change.path, i.temp) for i in cleared],
            )

    def remember(self, key: str, value: str) -> None:
        """Keep one text, in the place of any other, until the inventory changes; nothing where nothing is applied."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM memory")
            connection.execute(f"INSERT INTO memory SELECT ?, ? {_UNLESS_SUSPENDED}", (key, value))

    def recall(self, key: str) -> str | None:
        """The text that is remembered under this key."""
        rows = self._query("SELECT value FROM memory WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    # Sources

    def source(self, name: str, url: str, ref: str) -> SourceState | None:
        """What is known of a source; under another URL or ref it is another one."""
        rows = self._query("SELECT * FROM sources WHERE name = ? AND url = ? AND ref = ?", (name, url, ref))
        return SourceState(*rows[0]) if rows else None

    def set_source(self, source: SourceState) -> None:
        """Replace what is known of a source."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(source)
            )

    # History

    def begin_sync(
        self, sync_id: str, *, started_at: float, commits: Mapping[str, str], while_suspended: bool = False
    ) -> bool:
        """Open a sync in the history, unless nothing is applied now; whether that was done.

        Both are one transaction: once `suspend` has returned, no sync begins but one that may `while_suspended`.
        """
        insert = "INSERT INTO syncs (id, started_at, result, commits, counts) SELECT ?, ?, '', ?, '{}' "
        with self._transaction() as connection:
            done = connection.execute(
                insert + ("" if while_suspended else _UNLESS_SUSPENDED),
                (sync_id, started_at, json.dumps(dict(commits))),
            )
            return done.rowcount > 0

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

    def changes_after(self, sync_id: str) -> list[FileChange]:
        """What was done by all syncs after this one, the last change first; by all there are for an empty id."""
        query = (
            "SELECT changes.* FROM changes JOIN syncs ON syncs.id = sync_id"
            " WHERE number > ifnull((SELECT number FROM syncs WHERE id = ?), 0)"
            " ORDER BY number DESC, changes.rowid DESC"
        )
        return [_file_change(row) for row in self._query(query, (sync_id,))]

    def suspend(self, suspension: Suspension) -> None:
        """Let nothing be applied until `resume`; a sync that has begun comes to its end. Needs no lock."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM memory")
            connection.execute("DELETE FROM suspension")
            connection.execute("INSERT INTO suspension VALUES (?, ?)", (suspension.since, suspension.reason))

    def resume(self) -> None:
        """Let changes be applied again. Needs no lock."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM suspension")

    @property
    def suspension(self) -> Suspension | None:
        """Since when and why nothing is applied; None where it is."""
        rows = self._query("SELECT since, reason FROM suspension")
        return Suspension(*rows[0]) if rows else None

    def has_open_sync(self) -> bool:
        """Whether the last sync has begun and not ended: a run writes just now, or was killed then."""
        return any(sync.finished_at is None for sync in self.syncs(1))

    def trim_history(self, keep: int) -> list[str]:
        """Drop all but the newest `keep` syncs, and those that still have intents.

        Returns:
            The digests of the contents that only what was dropped had overwritten or deleted.
        """
        dropped = (
            "id NOT IN (SELECT sync_id FROM intents)"
            " AND number NOT IN (SELECT number FROM syncs ORDER BY number DESC LIMIT ?)"
        )
        replaced = (
            f"SELECT old FROM changes WHERE sync_id IN (SELECT id FROM syncs WHERE {dropped}) AND old IS NOT NULL"  # noqa: S608 - our own words
        )
        known = "SELECT old FROM changes WHERE old IS NOT NULL UNION SELECT old FROM intents WHERE old IS NOT NULL"
        with self._transaction() as connection:
            gone = {digest for (digest,) in connection.execute(replaced, (keep,))}
            connection.execute(f"DELETE FROM syncs WHERE {dropped}", (keep,))  # noqa: S608 - the same
            return sorted(gone.difference(digest for (digest,) in connection.execute(known))) if gone else []

    def _prepare(self) -> None:
        self._query("PRAGMA foreign_keys = ON")
        self._query("PRAGMA journal_mode = WAL")
        self._query("PRAGMA synchronous = FULL")
        if self._query("PRAGMA quick_check(1)") != [("ok",)]:
            raise DamagedError("the database is damaged", place=str(self._path))
        self._migrate()

    def _migrate(self) -> None:
        [(version,)] = self._query("PRAGMA user_version")
        if version > SCHEMA_VERSION:
            raise StateError(
                f"the state database has version {version}, this agentsync knows up to {SCHEMA_VERSION}",
                place=str(self._path),
                hint="use the newer agentsync, or move the file away: files are then taken over by their digest",
            )
        if version < SCHEMA_VERSION:  # where two start at once the second finds all of it made
            with self._transaction() as connection:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                for table, column, kind in _ADDED:
                    if column not in [row[1] for row in self._query(f"PRAGMA table_info({table})")]:
                        connection.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _file_change(row: tuple[Any, ...]) -> FileChange:
    sync_id, directory, path, action, agent, target, old, new, base = row
    return FileChange(sync_id, directory, path, Action(action), agent, target, old, new, _decoded(base))


def _encoded(row: Recorded | None) -> str | None:
    return json.dumps(_recorded_values(row)) if row else None


def _decoded(text: str | None) -> Recorded | None:
    return Recorded(*json.loads(text)) if text else None
