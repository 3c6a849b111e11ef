"""What is recorded of a source after a run, and keeping its commit."""

from __future__ import annotations

import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from agentsync.config import Config, Target, policy_of
from agentsync.convert.policy import Rules
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode, SourceRefusedError, SourceUnavailableError
from agentsync.core.naming import slug
from agentsync.core.paths import AppPaths, is_file
from agentsync.dialects import moving_variables
from agentsync.repository.overlays import read_overlays
from agentsync.repository.working_tree import WorkingTree
from agentsync.state.backups import Backups
from agentsync.state.lock import locked
from agentsync.state.records import Action, Key, Recorded
from agentsync.state.render_cache import Cache
from agentsync.state.store import SourceState, State
from agentsync.sync.build import BuildResult, build
from agentsync.sync.escalation import hold_escalations
from agentsync.sync.events import log_sync
from agentsync.sync.fetch import Fetches
from agentsync.sync.findings import kept_last_good, left_sources, suspended, without_agents
from agentsync.sync.report import Report, Scope, is_change
from agentsync.sync.snapshot import Files, Snapshot
from agentsync.sync.sources import Progress, ResolvedSource, finding, resolve_sources
from agentsync.sync.up_to_date import AppliedSource, Fingerprint, content_of, expansions, remember
from agentsync.targets.apply import WRITING, DirectoryOptions, Outcome, apply, observe, recover
from agentsync.targets.change import Change, Consent, TargetState
from agentsync.targets.plan import Plan, make_plan, recorded



def _moving(sources: Sequence[ResolvedSource], snapshots: Sequence[Snapshot], plan: Plan) -> frozenset[str]:
    """The sources whose commit is applied: all that could be used, unless their changes are held."""
    used = {snapshot.name for snapshot in snapshots} - plan.held_sources
    return frozenset(source.name for source in sources if source.error is None and source.name in used)


def _trusted(files: Files, source: ResolvedSource) -> ResolvedSource:
    """The source once its mirror keeps its commit, whatever the remote does to the branch; with the error if it cannot.

    This is done in every run, so what fails in one is made good by the next.
    """
    try:
        files.trust(source.name, source.commit)
    except SourceUnavailableError as error:
        return replace(source, error=error, last_error=str(error))
    return source


def _source_state(
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
