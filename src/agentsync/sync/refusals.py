"""Since when each agent is refused, which the state keeps for as long as it is."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from agentsync.state.store import State
from agentsync.sync.report import Report


def record_refusals(state: State, report: Report, now: float, *, unread: Collection[str]) -> Report:
    """Record what is refused from now on and what no longer is, and return the report with the times.

    Args:
        state: with the refusals of the run before.
        report: of a run that applies changes.
        now: in seconds since the epoch; a later time was by a clock that was wrong, and is replaced by it.
        unread: the sources that could not be read, whose agents may be refused as before.

    Raises:
        StateError: the state cannot be used.
    """
    known = state.refused_since()
    refused = {(one.source, one.path, target) for one in report.refused for target in one.targets or ("",)}
    added = {key: now for key in refused if known.get(key, now + 1) > now}
    over = [key for key in known.keys() - refused if key[0] not in unread]
    if added or over:
        state.set_refused(added, over)
    return replace(report, refused_since={**known, **added})
