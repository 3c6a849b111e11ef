"""What was overwritten or deleted here: kept by content, so that it can be brought back."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from agentsync.core.digest import digest
from agentsync.state.sqlite import DamagedError, Database, set_aside

_SCHEMA = "CREATE TABLE IF NOT EXISTS contents (digest TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID"


class Backups(Database):
    """An open vault. One connection, for the thread that opened it.

    Every method raises StateError when the file cannot be used.
    """

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make the vault at `path`; a damaged one is set aside as `<name>.corrupt-<n>`."""
        try:
            return cls(path)
        except DamagedError:
            set_aside(path)
            return cls(path)

    def keep(self, contents: Iterable[bytes]) -> None:
        """Keeps contents, durably, in one transaction."""
        rows = [(digest(data), zlib.compress(data)) for data in contents]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?)", rows)

    def content(self, digested: str) -> bytes | None:
        """A content by its digest; None where it is not kept, or not kept well."""
        rows = self._query("SELECT data FROM contents WHERE digest = ?", (digested,))
        try:
            data = zlib.decompress(rows[0][0]) if rows else None
        except zlib.error:
            return None
        return data if data is not None and digest(data) == digested else None

    def drop(self, digests: Iterable[str]) -> None:
        """Drops these contents, and none that nobody names: a state that was lost still knew what they are."""
        with self._transaction() as connection:
            connection.executemany("DELETE FROM contents WHERE digest = ?", ((digested,) for digested in digests))

    def _prepare(self) -> None:
        self._query("PRAGMA journal_mode = WAL")
        self._query("PRAGMA synchronous = FULL")
        if self._query("PRAGMA quick_check(1)") != [("ok",)]:
            raise DamagedError("the vault is damaged", place=str(self._path))
        self._query(_SCHEMA)
