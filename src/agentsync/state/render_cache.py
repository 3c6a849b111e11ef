"""The cache of outcomes: what came of a file, by a key of everything that decides it.

Losing it costs the time to fill it again. So it is written without waiting for the disk and opened without being
checked as a whole; instead each value has a checksum, and a file that SQLite finds damaged is deleted and made anew.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from agentsync.state.sqlite import DamagedError, Database, delete

_TABLE = (
    "outcomes (number INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, checksum INTEGER NOT NULL, value BLOB NOT NULL)"
)

# Types are asked for since damage can change them.
_SELECT = "SELECT key, checksum, value FROM outcomes WHERE typeof(key) = 'text' AND typeof(value) = 'blob' AND key IN"


class Cache(Database):
    """An open cache. One connection, for the thread that opened it.

    Every method raises StateError where the file cannot be used for another reason than damage.
    """

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open or make the cache at `path`."""
        try:
            return cls(path)
        except DamagedError:
            delete(path)
            return cls(path)

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """The values of those keys that have one."""
        found: dict[str, bytes] = {}
        with self._expendable():
            rows = self._query_in(_SELECT, keys)
            found.update((key, value) for key, checksum, value in rows if checksum == _checksum(key, value))
        return found

    def put_many(self, values: Mapping[str, bytes]) -> None:
        """Put values in, over those that have the same keys."""
        rows = [(key, _checksum(key, value), value) for key, value in values.items()]
        insert = "INSERT OR REPLACE INTO outcomes (key, checksum, value) VALUES (?, ?, ?)"
        with self._expendable(), self._transaction() as connection:
            connection.executemany(insert, rows)

    def trim(self, keep: int) -> None:
        """Drop all but the `keep` values that were put in last."""
        with self._expendable(), self._transaction() as connection:
            connection.execute("DELETE FROM outcomes WHERE number <= (SELECT max(number) FROM outcomes) - ?", (keep,))

    def _prepare(self) -> None:
        self._query("PRAGMA synchronous = OFF")
        self._query(f"CREATE TABLE IF NOT EXISTS {_TABLE}")
        if self._query("SELECT sql FROM sqlite_master WHERE name = 'outcomes'") != [(f"CREATE TABLE {_TABLE}",)]:
            raise DamagedError("the cache has another layout", place=str(self._path))

    @contextmanager
    def _expendable(self) -> Iterator[None]:
        """Let damage that is met in here cost what is cached, and nothing else."""
        try:
            yield
        except DamagedError:
            self.close()
            delete(self._path)
            self._open()


def _checksum(key: str, value: bytes) -> int:
    return zlib.crc32(value, zlib.crc32(key.encode()))
