"""Names that this machine has, for completion."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from agentsync.core.errors import AgentsyncError
from agentsync.core.paths import app_paths

_QUERIES = {
    ":agents": "SELECT DISTINCT agent FROM inventory ORDER BY agent",
    ":syncs": "SELECT id FROM syncs ORDER BY number DESC LIMIT 20",
}


def known_names(kind: str) -> list[str]:
    """Return the agents that were written here (`:agents`), or the last syncs (`:syncs`).

    There are none where the state cannot be read at once: a shell that waits for a key is no place for an error. So the
    state is not opened as `state.store` does, which would create it, recover it, or wait for a lock.
    """
    try:
        address = f"{app_paths().database.as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=0)) as connection:
            return [str(name) for (name,) in connection.execute(_QUERIES[kind])]
    except (AgentsyncError, OSError, sqlite3.Error, ValueError):
        return []
