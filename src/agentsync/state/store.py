"""The state database: inventory, intents, sources and history, in one SQLite file.

Times are seconds since the epoch and come from the caller.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any, Self

from agentsync.core.errors import StateError
from agentsync.state.polled import polled_at, source_key
from agentsync.state.records import (
    Action,
    FileChange,
    Intent,
    Key,
    Known,
    Recorded,
    SourceState,
    Stat,
    Suspension,
    Sync,
    Tip,
)
from agentsync.state.schema import SCHEMA_VERSION, TABLES
from agentsync.state.sqlite import DamagedError, Database, set_aside

RECOVERED = (
    "the state was damaged or of an earlier version and is set aside; files are recognised by their content, and"
    " nothing is deleted"
)

_MOST_TEXTS = 20  # that are remembered beside each other
_KEPT_TIPS = 500  # of a source: more than pushes within the longest delay of a rollout, in all but the busiest
_UNLESS_SUSPENDED = "WHERE NOT EXISTS (SELECT 1 FROM suspension)"

_BASE_DIGEST = "json_extract(base, '$[0]')"  # what agentsync had last written there, as `_encoded` stores it
_COLUMNS = ", ".join(f'"{field.name}"' for field in fields(Recorded))
_ACTIONS = ", ".join(f"'{action}'" for action in Action)


def _no_row(column: str) -> str:
    """A condition in SQL: this column neither is empty nor has a row of the inventory as `_encoded` stores it."""
    return (
        f"CASE WHEN {column} IS NULL THEN 0 WHEN NOT json_valid({column}) THEN 1"
        f" ELSE json_array_length({column}) <> {len(fields(Recorded))} END"
    )


_DAMAGED_VALUES = (
    f"SELECT 1 FROM changes WHERE {_no_row('base')} OR action NOT IN ({_ACTIONS}) UNION ALL "  # noqa: S608 - our own words
    f"SELECT 1 FROM intents WHERE {_no_row('base')} OR {_no_row('recorded')} OR action NOT IN ({_ACTIONS}) UNION ALL "
    "SELECT 1 FROM syncs WHERE NOT json_valid(commits) OR NOT json_valid(counts) LIMIT 1"
)
_recorded_values = attrgetter(*(field.name for field in fields(Recorded)))
_change_values = attrgetter(*(field.name for field in fields(FileChange) if field.name != "base"))


class State(Database):
    """An open state database. One connection, for the thread that opened it.

    Every method raises StateError when the database cannot be used.

    Attributes:
        recovered: whether the file was damaged or too old, and was set aside for a new one.
    """

    recovered = False

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the database at `path`; one that is damaged or too old is set aside as `<name>.corrupt-<n>`.

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

    def departed(self, directories: Iterable[str]) -> dict[Key, Recorded]:
        """What was last written at each path of these directories that is not in the inventory any more.

        It is known as long as the sync that deleted or gave up the file is in the history; the last one comes last.
        """
        query = (
            "SELECT number, changes.rowid, directory, path, base FROM changes JOIN syncs ON syncs.id = sync_id"
            " WHERE base IS NOT NULL AND NOT EXISTS (SELECT 1 FROM inventory"
            " WHERE inventory.directory = changes.directory AND inventory.path = changes.path) AND directory IN"
        )
        rows: dict[Key, Recorded] = {}
        for _, _, directory, path, base in sorted(self._query_in(query, directories)):
            rows.pop((directory, path), None)
            rows[directory, path] = Recorded(*json.loads(base))
        return rows

    def count(self, directories: Iterable[str]) -> int:
        """How many files were last written in these directories."""
        query = "SELECT count(*) FROM inventory WHERE directory IN"
        return sum(count for (count,) in self._query_in(query, directories))

    def directories(self) -> set[str]:
        """The directories that anything was last written in."""
        return {directory for (directory,) in self._query("SELECT DISTINCT directory FROM inventory")}

    def relocate(self, moved: Mapping[str, str]) -> None:
        """Replace the former paths of directories by their present ones, in inventory, intents and history."""
        if not moved:
            return
        with self._transaction() as connection:
            connection.execute("DELETE FROM fingerprint")
            for table in ("inventory", "intents", "changes"):
                update = f"UPDATE {table} SET directory = ? WHERE directory = ?"  # noqa: S608 - our own words
                connection.executemany(update, [(present, former) for former, present in moved.items()])

    def elsewhere(self, directories: Iterable[str], source_urls: Mapping[str, str]) -> dict[str, list[str]]:
        """What was written from these sources to other directories: paths by directory."""
        known = set(directories)
        paths: dict[str, list[str]] = {}
        for directory, path, source, url in self._query("SELECT directory, path, source, source_url FROM inventory"):
            if directory not in known and source_urls.get(source) == url:
                paths.setdefault(directory, []).append(path)
        return paths

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
        """Record what was done in inventory and history; drop its intents and the fingerprint, in one transaction."""
        done = list(done)
        written = [(i.change.directory, i.change.path, *_recorded_values(i.recorded)) for i in done if i.recorded]
        gone = [(i.change.directory, i.change.path) for i in done if i.recorded is None]
        insert = f"INSERT OR REPLACE INTO inventory (directory, path, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - own column names
        with self._transaction() as connection:
            connection.execute("DELETE FROM fingerprint")
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

    def remember(self, key: str, value: str, *, beside_others: bool = False) -> None:
        """Keep one text, in the place of any other, until the inventory changes; nothing where nothing is applied.

        Texts `beside_others` replace only that of the same key, and others where there are many.
        """
        others = f"DELETE FROM fingerprint WHERE key = ? OR {_MOST_TEXTS} <= (SELECT count(*) FROM fingerprint)"  # noqa: S608 - our own number
        with self._transaction() as connection:
            if beside_others:
                connection.execute(others, (key,))
            else:
                connection.execute("DELETE FROM fingerprint")
            connection.execute(f"INSERT INTO fingerprint SELECT ?, ? {_UNLESS_SUSPENDED}", (key, value))

    def recall(self, key: str) -> str | None:
        """The text that is remembered under this key."""
        rows = self._query("SELECT value FROM fingerprint WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    # Diagnostics

    def reported(self) -> frozenset[int]:
        """The numbers of the diagnostics that were reported before and are not over."""
        return frozenset(number for (number,) in self._query("SELECT diagnostic FROM reported"))

    def set_reported(self, added: Iterable[int], over: Iterable[int]) -> None:
        """Add the numbers of diagnostics that were reported, and drop those of others that are over."""
        with self._transaction() as connection:
            connection.executemany("INSERT OR IGNORE INTO reported VALUES (?)", [(number,) for number in added])
            connection.executemany("DELETE FROM reported WHERE diagnostic = ?", [(number,) for number in over])

    # Sources

    def source(self, name: str, url: str, ref: str) -> SourceState | None:
        """What is known of a source; under another URL or ref it is another one."""
        rows = self._query("SELECT * FROM sources WHERE name = ? AND url = ? AND ref = ?", (name, url, ref))
        if not rows:
            return None
        source = SourceState(*rows[0])
        return replace(source, fetched_at=polled_at(self._path, source_key(name, url, ref), source.fetched_at))

    def set_source(self, source: SourceState) -> None:
        """Replace what is known of a source."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", astuple(source)
            )

    def tips(self, name: str, url: str, ref: str) -> list[Tip]:
        """The commits that fetches found at the tip of a source, oldest first."""
        query = 'SELECT "commit", first_at, last_at FROM tips WHERE name = ? AND url = ? AND ref = ? ORDER BY rowid'
        return [Tip(*row) for row in self._query(query, (name, url, ref))]

    def record_tip(self, name: str, url: str, ref: str, commit: str, now: float) -> None:
        """Record that a fetch found this commit at the tip of a source; of the older ones only the last are kept.

        Where the clock went back, that is a record of its own: one of the two is wrong, and it is not clear which.
        """
        source = (name, url, ref)
        update = (
            'UPDATE tips SET last_at = ? WHERE "commit" = ? AND last_at <= ?'
            " AND rowid = (SELECT max(rowid) FROM tips WHERE name = ? AND url = ? AND ref = ?)"
        )
        trim = (
            "DELETE FROM tips WHERE name = ? AND url = ? AND ref = ? AND rowid NOT IN"
            " (SELECT rowid FROM tips WHERE name = ? AND url = ? AND ref = ? ORDER BY rowid DESC LIMIT ?)"
        )
        with self._transaction() as connection:
            if connection.execute(update, (now, commit, now, *source)).rowcount == 0:
                connection.execute("INSERT INTO tips VALUES (?, ?, ?, ?, ?, ?)", (*source, commit, now, now))
                connection.execute(trim, (*source, *source, _KEPT_TIPS))

    def forget_tips(self, name: str, url: str, ref: str) -> None:
        """Forget what fetches found at the tip of a source, once no rollout applies to it."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM tips WHERE name = ? AND url = ? AND ref = ?", (name, url, ref))

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
        """Let nothing be applied until `resume`; a sync that has begun is finished. Needs no lock."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM fingerprint")
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
            The digests of the contents that only what was dropped had written, overwritten or deleted.
        """
        dropped = (
            "id NOT IN (SELECT sync_id FROM intents)"
            " AND number NOT IN (SELECT number FROM syncs ORDER BY number DESC LIMIT ?)"
        )
        referred = (
            f"SELECT old, new, {_BASE_DIGEST} FROM changes WHERE sync_id IN (SELECT id FROM syncs WHERE {dropped})"  # noqa: S608 - our own words
        )
        known = (
            f"SELECT old FROM changes UNION SELECT {_BASE_DIGEST} FROM changes UNION SELECT digest FROM inventory"  # noqa: S608 - the same
            f" UNION SELECT old FROM intents UNION SELECT new FROM intents UNION SELECT {_BASE_DIGEST} FROM intents"
        )
        with self._transaction() as connection:
            gone = {digest for row in connection.execute(referred, (keep,)) for digest in row if digest}
            connection.execute(f"DELETE FROM syncs WHERE {dropped}", (keep,))  # noqa: S608 - the same
            return sorted(gone.difference(digest for (digest,) in connection.execute(known))) if gone else []

    def _prepare(self) -> None:
        self._query("PRAGMA foreign_keys = ON")
        self._query("PRAGMA journal_mode = WAL")
        self._query("PRAGMA synchronous = FULL")
        self._check_version()
        self._require_sound("the database is damaged", damaged_values=_DAMAGED_VALUES)

    def _check_version(self) -> None:
        [(version,)] = self._query("PRAGMA user_version")
        if version > SCHEMA_VERSION:
            raise StateError(
                f"the state database has version {version}, this agentsync knows up to {SCHEMA_VERSION}",
                place=str(self._path),
                hint="use the newer agentsync, or move the file away: files are then taken over by their digest",
            )
        if 0 < version < SCHEMA_VERSION:
            raise DamagedError(f"the state database has the earlier version {version}", place=str(self._path))
        if version == 0:  # a new file; of two processes that start at once, the second finds the tables made
            with self._transaction() as connection:
                for statement in TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def _file_change(row: tuple[Any, ...]) -> FileChange:
    sync_id, directory, path, action, agent, target, old, new, base = row
    return FileChange(sync_id, directory, path, Action(action), agent, target, old, new, _decoded(base))


def _encoded(row: Recorded | None) -> str | None:
    return json.dumps(_recorded_values(row)) if row else None


def _decoded(text: str | None) -> Recorded | None:
    return Recorded(*json.loads(text)) if text else None
