"""Cache of compiled agents, by a key of everything that decides the result.

Losing it costs the time to fill it again. So it is written without waiting for the disk and opened without being
checked as a whole; instead each value has a checksum, and a file that SQLite reports as damaged is deleted and created
again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from agentsync.state.sqlite import DamagedError, Database, delete

_TABLE = (
    "outcomes (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, checksum INTEGER NOT NULL, value BLOB NOT NULL)"
)

# The types are part of the query since damage can change them.
_SELECT = "SELECT key, checksum, value FROM outcomes WHERE typeof(key) = 'text' AND typeof(value) = 'blob' AND key IN"


class Cache(Database):
    """Open cache. It has one connection, for the thread that opened it.

    Every method raises StateError where the file cannot be used for a reason other than damage.
    """

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or create the cache at `path`."""
        try:
            return cls(path)
        except DamagedError:
            delete(path)
            return cls(path)

    @property
    def staging(self) -> Path | None:
        """Where rendered files may be kept until they are written, and nobody else may look; None to keep none."""
        return self._path.parent

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield those of the keys that have a value, each with it; not all of them are in memory at once."""
        with self._expendable():
            for key, checksum, value in self._query_in(_SELECT, keys):
                if checksum == _checksum(key, value):
                    yield key, value

    def put_many(self, values: Iterable[tuple[str, bytes]]) -> None:
        """Store values by their keys, replacing those that have the same ones."""
        rows = ((key, _checksum(key, value), value) for key, value in values)
        insert = "INSERT OR REPLACE INTO outcomes (key, checksum, value) VALUES (?, ?, ?)"
        with self._expendable(), self._transaction() as connection:
            connection.executemany(insert, rows)

    def trim(self, keep: int) -> None:
        """Drop all but the `keep` values that were stored last."""
        with self._expendable(), self._transaction() as connection:
            connection.execute("DELETE FROM outcomes WHERE number <= (SELECT max(number) FROM outcomes) - ?", (keep,))

    def _prepare(self) -> None:
        self._query("PRAGMA synchronous = OFF")
        self._query(f"CREATE TABLE IF NOT EXISTS {_TABLE}")
        if self._query("SELECT sql FROM sqlite_master WHERE name = 'outcomes'") != [(f"CREATE TABLE {_TABLE}",)]:
            raise DamagedError("the cache has another layout", place=str(self._path))

    @contextmanager
    def _expendable(self) -> Iterator[None]:
        """Start with an empty cache where damage is detected within, instead of failing."""
        try:
            yield
        except DamagedError:
            self.close()
            delete(self._path)
            self._open()


def _checksum(key: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key.encode()))
