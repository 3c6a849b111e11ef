"""The event that ends a cycle, which one with nothing to do has too, without what else is logged."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from agentsync.core.errors import ExitCode
from agentsync.core.log import Event


def finished(
    sync_id: str,
    seconds: float,
    exit_code: ExitCode,
    commits: Mapping[str, str],
    counts: Mapping[str, int],
    *,
    rollouts: Mapping[str, object],
) -> Event:
    """Return the last event of a cycle: how long it took, in seconds, what it counted, and what rollouts chose."""
    facts = {"seconds": round(seconds, 3), "exit_code": int(exit_code), "commits": commits, **counts}
    if rollouts:
        facts["rollouts"] = rollouts
    return Event("sync.finished", logging.INFO, {"sync_id": sync_id, **facts})
