"""Backups of files that were written, overwritten or deleted, stored by content: to restore and compare them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from agentsync.core.digest import digest
from agentsync.state.sqlite import DamagedError, Database, set_aside

TABLES = "CREATE TABLE IF NOT EXISTS contents (digest TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID"


class Backups(Database):
    """Open database of backups. It has one connection, for the thread that opened it.

    Every method raises StateError when the file cannot be used.
    """

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the backups at `path`; a damaged file is set aside as `<name>.corrupt-<n>`."""
        try:
            return cls(path)
        except DamagedError:
            set_aside(path)
            return cls(path)

    def keep(self, contents: Iterable[bytes]) -> None:
        """Store contents durably, in one transaction."""
        rows = [(digest(data), zlib.compress(data)) for data in contents]
        if not rows:
            return
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?)", rows)

    def content(self, digested: str) -> bytes | None:
        """Return the content with this digest; None where it is missing or damaged."""
        rows = self._query("SELECT data FROM contents WHERE digest = ?", (digested,))
        try:
            data = zlib.decompress(rows[0][0]) if rows else None
        except zlib.error:
            return None
        return data if data is not None and digest(data) == digested else None

    def drop(self, digests: Iterable[str]) -> None:
        """Delete these contents and no others.

        Contents without a known owner stay: the state that was lost may be the only one that referred to them.
        """
        with self._transaction() as connection:
            connection.executemany("DELETE FROM contents WHERE digest = ?", ((digested,) for digested in digests))

    def _prepare(self) -> None:
        self._query("PRAGMA journal_mode = WAL")
        self._query("PRAGMA synchronous = FULL")
        self._require_sound("the backups are damaged")
        self._query(TABLES)
