"""Each source at a commit: fetched, or as it was applied last where it cannot be fetched or must not be used."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from agentsync.config import Config, SourceTable
from agentsync.diagnostics import Code, Diagnostic
from agentsync.errors import AgentsyncError, ConfigError, SourceRefusedError, SourceUnavailableError
from agentsync.fetch import Fetches, mirror_of
from agentsync.gather import Snapshot
from agentsync.git import CommitFacts
from agentsync.manifest import FILE_NAME, MAX_BYTES, Manifest, as_overrides, read_manifest
from agentsync.overrides import AgentFilter, Override
from agentsync.paths import Places
from agentsync.source import Entry, select
from agentsync.state import State
from agentsync.urls import redact

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0 where that is not known)."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """What came of one source.

    Attributes:
        url: without credentials.
        commit: the one that the plan is made from; empty where there is none.
        previous: the one that was applied before.
        error: why the source could not be fetched or was refused; its last applied commit is used then.
        last_error: the same of this run or the last one, in words.
        fetched_at: when it was last fetched, in seconds since the epoch.
    """

    name: str
    url: str
    ref: str
    commit: str = ""
    previous: str = ""
    facts: CommitFacts | None = None
    error: AgentsyncError | None = None
    fetched_at: float | None = None
    last_error: str = ""


def take_snapshots(
    config: Config,
    places: Places,
    state: State,
    *,
    fetches: Fetches | None,
    progress: Progress,
    overlays: Sequence[Override] = (),
) -> tuple[list[SourceReport], list[Snapshot]]:
    """Every source, in the configured order; one that fails does not stop the others.

    Args:
        config: with the sources.
        places: where their mirrors are.
        state: what is known of them.
        fetches: asks the remotes; without it the commits that were applied last count.
        progress: told what is being fetched.
        overlays: the user's, heard after everything else.
    """
    said_here = (*as_overrides(config.overrides, "the configuration"), *overlays)
    reports: list[SourceReport] = []
    snapshots: list[Snapshot] = []
    for name, table in config.sources.items():
        source = _Source(name, table, config, places, state, said_here=said_here)
        if fetches:
            progress(f"fetching {name}", 0, 0)
        report, snapshot = source.take(fetches)
        reports.append(report)
        if snapshot:
            snapshots.append(snapshot)
    return reports, snapshots


class _Source:
    def __init__(
        self,
        name: str,
        table: SourceTable,
        config: Config,
        places: Places,
        state: State,
        *,
        said_here: tuple[Override, ...],
    ) -> None:
        self._table = table
        self._models = config.models
        self._said_here = said_here
        url = redact(table.url)
        self._mirror = mirror_of(places, name, table.url)
        applied = state.source(name, url, table.ref)
        commit = applied.commit if applied else ""
        fetched_at = applied.fetched_at if applied else None
        last_error = (applied.error or applied.rejected_reason) if applied else ""
        self._before = SourceReport(name, url, table.ref, commit, commit, fetched_at=fetched_at, last_error=last_error)

    def take(self, fetches: Fetches | None) -> tuple[SourceReport, Snapshot | None]:
        try:
            report = self._fetched(fetches) if fetches else self._before
            return self._at(report)
        except (SourceUnavailableError, SourceRefusedError) as error:
            return replace(self._before, error=error, last_error=str(error)), self._last_good()

    def _fetched(self, fetches: Fetches) -> SourceReport:
        before, table = self._before, self._table
        rewrite = table.allow_rewrite
        fetched = fetches(
            self._mirror, before.name, table.remote(), previous=before.previous or None, allow_rewrite=rewrite
        )
        return replace(before, commit=fetched.id, facts=fetched, fetched_at=time.time(), last_error="")

    def _last_good(self) -> Snapshot | None:
        try:
            return self._at(self._before)[1]
        except (SourceUnavailableError, SourceRefusedError):
            return None  # the first failure is told already; without a snapshot nothing of the source is touched

    def _at(self, report: SourceReport) -> tuple[SourceReport, Snapshot | None]:
        if not report.commit:
            return report, None
        facts = report.facts or self._mirror.commit_facts(report.commit)
        entries = self._mirror.tree(report.commit)
        manifest = self._manifest(entries)
        selection = self._table.selection(manifest.agents)
        chosen, found = select(entries, selection)
        models = {
            dialect: {**manifest.models.get(dialect, {}), **self._models.get(dialect, {})}
            for dialect in {*manifest.models, *self._models}
        }
        snapshot = Snapshot(
            name=report.name,
            url=report.url,
            commit=report.commit,
            mirror=self._mirror,
            entries=chosen,
            selection=selection,
            models=models,
            replaces=self._table.replaces,
            overrides=self._overrides(manifest),
            filters=self._filters(manifest),
            prefix=self._table.prefix,
            diagnostics=tuple(found),
        )
        return replace(report, facts=facts), snapshot

    def _overrides(self, manifest: Manifest) -> tuple[Override, ...]:
        """What is said otherwise of its agents: by the repository, by this machine, by the user's overlays."""
        said = as_overrides(manifest.overrides, FILE_NAME)
        return (*(override.under(self._table.prefix) for override in said), *self._said_here)

    def _filters(self, manifest: Manifest) -> tuple[AgentFilter, ...]:
        tables = (manifest.agents, self._table)
        return tuple(AgentFilter(table.only, table.skip).under(self._table.prefix) for table in tables)

    def _manifest(self, entries: Sequence[Entry]) -> Manifest:
        """What the repository says about itself; one that cannot be read refuses the commit."""
        for entry in entries:
            if entry.path == FILE_NAME:
                if not entry.mode.startswith("100") or entry.size > MAX_BYTES:
                    raise SourceRefusedError(f"it must be a file of at most {MAX_BYTES} bytes", place=FILE_NAME)
                (data,) = (data for _, data in self._mirror.blobs([entry.blob]))
                try:
                    return read_manifest(data)
                except ConfigError as error:
                    raise SourceRefusedError(error.message, place=error.place, hint=error.hint) from error
        return Manifest()


def finding(report: SourceReport) -> Diagnostic | None:
    """What stands in the way of a source, if anything does."""
    if report.error is None:
        return None
    unavailable = isinstance(report.error, SourceUnavailableError)
    code = Code.SOURCE_FAILED if unavailable else Code.SOURCE_REFUSED
    return Diagnostic(code, f"source `{report.name}`: {report.error}", hint=report.error.hint)
