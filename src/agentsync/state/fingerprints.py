"""The state as the up-to-date check reads it: a few values of it, so the inventory and the records are not imported."""

from __future__ import annotations

from agentsync.state.schema import SCHEMA_VERSION
from agentsync.state.sqlite import DamagedError, Database


class Fingerprints(Database):
    """Open state database, of which only the fingerprint and what may contradict it is read.

    It raises DamagedError also where the file may be damaged, which opening the whole state finds out.
    """

    def recall(self, key: str) -> str | None:
        """Return the text that `State.remember` stored under this key; None where there is none, or an open change."""
        query = "SELECT value FROM fingerprint WHERE key = ? AND NOT EXISTS (SELECT 1 FROM intents)"
        rows = self._query(query, (key,))
        return rows[0][0] if rows else None

    def source(self, name: str, url: str, ref: str) -> tuple[str, float | None, bool] | None:
        """Return a source's commit, when it was fetched, and whether nothing is wrong with it; None if not known."""
        query = (
            "SELECT \"commit\", fetched_at, rejected_commit = '' AND rejected_reason = '' AND error = '' FROM sources"
            " WHERE name = ? AND url = ? AND ref = ?"
        )
        rows = self._query(query, (name, url, ref))
        return (rows[0][0], rows[0][1], bool(rows[0][2])) if rows else None

    def _prepare(self) -> None:
        if not self._is_known_sound() or self._query("PRAGMA user_version") != [(SCHEMA_VERSION,)]:
            raise DamagedError("the database has to be checked", place=str(self._path))
