"""What is recorded of a source after a run, and keeping its commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from agentsync.core.errors import SourceRefusedError, SourceUnavailableError
from agentsync.state.records import SourceState
from agentsync.sync.snapshot import Files, Snapshot
from agentsync.sync.sources import ResolvedSource
from agentsync.targets.plan import Plan


def moved_sources(sources: Sequence[ResolvedSource], snapshots: Sequence[Snapshot], plan: Plan) -> frozenset[str]:
    """The sources whose commit is applied: all that could be used, unless their changes are held."""
    used = {snapshot.name for snapshot in snapshots} - plan.held_sources.keys()
    return frozenset(source.name for source in sources if source.error is None and source.name in used)


def keep_commit(files: Files, source: ResolvedSource) -> ResolvedSource:
    """The source once its mirror keeps its commit, whatever the remote does to the branch; with the error if it cannot.

    This is done in every run, so what fails in one is made good by the next.
    """
    try:
        files.trust(source.name, source.commit)
    except SourceUnavailableError as error:
        return replace(source, error=error, last_error=str(error))
    return source


def source_state_after(
    source: ResolvedSource, known: SourceState | None, now: float, hold: str, *, moves: bool
) -> SourceState:
    """What is to be known of a source after this run; `known` is what was."""
    refused = isinstance(source.error, SourceRefusedError)
    rejected, reason = source.rejected, known.rejected_reason if known and source.rejected else ""
    if refused:
        reason = str(source.error)
    elif hold:
        rejected, reason = source.commit, hold
    committed_at = min(source.facts.time, now) if moves and source.facts else known.committed_at if known else None
    return SourceState(
        name=source.name,
        url=source.url,
        ref=source.ref,
        commit=source.commit if moves else source.previous,
        fetched_at=source.fetched_at,
        applied_at=now if moves else known.applied_at if known else None,
        rejected_commit=rejected,
        rejected_reason=reason,
        error=str(source.error) if source.error and not refused else "",
        committed_at=committed_at,
        verified_by=source.verified_by if moves else known.verified_by if known else "",
    )
