"""The event of a run's end, for programs that run no cycle and import nothing that only a cycle needs."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from agentsync.core.errors import ExitCode
from agentsync.core.log import Event
from agentsync.sync.up_to_date import UpToDate


def finished(result: UpToDate) -> Event:
    """What a whole cycle with nothing to do reports at its end."""
    return finished_run(result.sync_id, result.seconds, result.exit_code, result.commits, result.counts)


def finished_run(
    sync_id: str, seconds: float, exit_code: ExitCode, commits: Mapping[str, str], counts: Mapping[str, int]
) -> Event:
    """What a cycle reports at its end."""
    facts = {"seconds": round(seconds, 3), "exit_code": int(exit_code), "commits": commits, **counts}
    return Event("sync.finished", logging.INFO, {"sync_id": sync_id, **facts})
