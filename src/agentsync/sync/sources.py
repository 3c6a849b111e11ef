"""Each source at a commit: fetched, or as it was applied last where it cannot be fetched or must not be used."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agentsync.config import Config
from agentsync.config.tables import SourceTable
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import (
    AgentsyncError,
    ConfigError,
    SourceRefusedError,
    SourceUnavailableError,
    UnverifiedError,
)
from agentsync.core.paths import AppPaths
from agentsync.core.urls import redact
from agentsync.git.objects import CommitFacts, Entry
from agentsync.repository.manifest import FILE_NAME, MAX_BYTES, Manifest, as_overrides, read_manifest
from agentsync.repository.multi_agent_files import split_file
from agentsync.repository.overrides import AgentFilter, Override
from agentsync.repository.selection import select
from agentsync.repository.working_tree import WORKING_TREE, WorkingTree
from agentsync.state.store import SourceState, State
from agentsync.sync.fetch import Fetches, mirror_of
from agentsync.sync.snapshot import Files, Snapshot
from agentsync.sync.trust import prove

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is (0 where that is not known)."""


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """What came of one source.

    Attributes:
        url: without credentials.
        commit: the one that the plan is made from; empty where there is none.
        previous: the one that was applied before.
        error: why the source could not be fetched or was refused; its last applied commit is used then.
        repeated: whether that is what an earlier run found, and nobody was asked again.
        last_error: the same of this run or the last one, in words.
        rejected: the commit that the source leads to and that was refused or held, in this run or the last one.
        verified_by: whose signature the commit has, in the words of the configuration; empty where nobody asked.
        fetched_at: when it was last fetched, in seconds since the epoch.
    """

    name: str
    url: str
    ref: str
    commit: str = ""
    previous: str = ""
    facts: CommitFacts | None = None
    error: AgentsyncError | None = None
    repeated: bool = False
    fetched_at: float | None = None
    last_error: str = ""
    rejected: str = ""
    verified_by: str = ""


def resolve_sources(
    config: Config,
    app_paths: AppPaths,
    state: State,
    *,
    fetches: Fetches | None,
    working_trees: Mapping[str, WorkingTree],
    progress: Progress,
    overlays: Sequence[Override] = (),
) -> tuple[list[ResolvedSource], list[Snapshot]]:
    """Every source, in the configured order; one that fails does not stop the others.

    Args:
        config: with the sources.
        app_paths: where their mirrors are.
        state: what is known of them.
        fetches: asks the remotes; without it the commits that were applied last count.
        working_trees: by name, the sources that are read from where they are worked on; nothing is fetched for these.
        progress: told what is being fetched.
        overlays: the user's, heard after everything else.
    """
    declared_here = (*as_overrides(config.overrides, "the configuration"), *overlays)
    reports: list[ResolvedSource] = []
    snapshots: list[Snapshot] = []
    for name, table in config.sources.items():
        source = _Source(
            name, table, config, app_paths, state, declared_here=declared_here, working_trees=working_trees.get(name)
        )
        if fetches and name not in working_trees:
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
        app_paths: AppPaths,
        state: State,
        *,
        declared_here: tuple[Override, ...],
        working_trees: WorkingTree | None,
    ) -> None:
        self._table = table
        self._models = config.models
        self._declared_here = declared_here
        url = redact(table.url)
        self._remote = config.remote_of(name)
        self._mirror = mirror_of(app_paths, name, table.url)
        self._files: Files = working_trees or self._mirror
        self._signers = table.signers()
        ref = (
            WORKING_TREE if working_trees else table.ref
        )  # so that what is saved and what is committed are known apart
        self._applied = applied = state.source(name, url, ref) or SourceState(name, url, ref)
        self._before = ResolvedSource(
            name,
            url,
            ref,
            WORKING_TREE if working_trees else applied.commit,
            applied.commit,
            fetched_at=applied.fetched_at,
            last_error=applied.error or applied.rejected_reason,
            rejected=applied.rejected_commit,
            verified_by=applied.verified_by,
        )

    def take(self, fetches: Fetches | None) -> tuple[ResolvedSource, Snapshot | None]:
        report = self._before
        try:
            if fetches and self._files is self._mirror:
                report = self._fetched(fetches)
                report = self._proved(report)
            return self._at(report)
        except (SourceUnavailableError, SourceRefusedError) as error:
            rejected = report.rejected
            if isinstance(error, SourceRefusedError):
                rejected = error.commit or (report.commit if fetches else report.rejected)
            repeated = fetches is not None and fetches.repeats(error)
            failed = replace(self._before, error=error, repeated=repeated, last_error=str(error), rejected=rejected)
            return failed, self._last_good()

    def _fetched(self, fetches: Fetches) -> ResolvedSource:
        before, table = self._before, self._table
        rewrite = table.allow_rewrite
        fetched = fetches(
            self._mirror, before.name, self._remote, previous=before.previous or None, allow_rewrite=rewrite
        )
        verified_by = before.verified_by if fetched.id == before.commit else ""
        report = replace(before, commit=fetched.id, facts=fetched, verified_by=verified_by)
        if not fetches.asked(self._mirror):
            return report
        return replace(report, fetched_at=time.time(), last_error="", rejected="")

    def _proved(self, report: ResolvedSource) -> ResolvedSource:
        """The same once its signature is checked, where that is asked for.

        A commit that passed by the same settings is not checked again: its files are here already, so whose key is
        taken away since then can bring nothing more. That a colleague leaves is no reason to refuse what they signed.
        """
        signers, facts = self._signers, report.facts
        if signers is None or facts is None:
            return report
        signers.check()
        if report.verified_by == signers.words:
            return report
        prove(self._mirror, self._remote, facts, signers, self._applied)
        return replace(report, verified_by=signers.words)

    def _last_good(self) -> Snapshot | None:
        try:
            return self._at(self._before)[1]
        except (SourceUnavailableError, SourceRefusedError):
            return None  # the first failure is told already; without a snapshot nothing of the source is touched

    def _at(self, report: ResolvedSource) -> tuple[ResolvedSource, Snapshot | None]:
        if not report.commit:
            return report, None
        if self._signers and report.verified_by != self._signers.words:
            message = f"commit {report.commit[:12]} was applied before its signature was asked for in this way"
            raise UnverifiedError(message, place=report.url, hint="run `agentsync pull`, which checks it")
        facts = report.facts or self._files.commit_facts(report.commit)
        entries = self._files.tree(report.commit)
        manifest = self._manifest(entries)
        selection = self._table.selection(manifest.agents)
        chosen, unsafe = select(entries, selection)
        chosen, unclear = split_file(self._files.identified(chosen), selection, self._read)
        models = {
            dialect: {**manifest.models.get(dialect, {}), **self._models.get(dialect, {})}
            for dialect in {*manifest.models, *self._models}
        }
        snapshot = Snapshot(
            name=report.name,
            url=report.url,
            commit=report.commit,
            files=self._files,
            entries=chosen,
            selection=selection,
            models=models,
            replaces=self._table.replaces,
            overrides=self._overrides(manifest),
            filters=self._filters(manifest),
            prefix=self._table.prefix,
            diagnostics=(*unsafe, *unclear),
        )
        return replace(report, facts=facts), snapshot

    def _read(self, entries: Sequence[Entry]) -> Iterator[bytes]:
        return (data for _, data in self._files.blobs(entry.blob for entry in entries))

    def _overrides(self, manifest: Manifest) -> tuple[Override, ...]:
        """What is said otherwise of its agents: by the repository, by this machine, by the user's overlays."""
        declared = as_overrides(manifest.overrides, FILE_NAME)
        return (*(override.under(self._table.prefix) for override in declared), *self._declared_here)

    def _filters(self, manifest: Manifest) -> tuple[AgentFilter, ...]:
        tables = (manifest.agents, self._table)
        return tuple(AgentFilter(table.only, table.skip).under(self._table.prefix) for table in tables)

    def _manifest(self, entries: Sequence[Entry]) -> Manifest:
        """What the repository says about itself; one that cannot be read refuses the commit."""
        for entry in entries:
            if entry.path == FILE_NAME:
                if not entry.mode.startswith("100") or entry.size > MAX_BYTES:
                    raise SourceRefusedError(f"it must be a file of at most {MAX_BYTES} bytes", place=FILE_NAME)
                (data,) = self._read(self._files.identified([entry]))
                try:
                    return read_manifest(data)
                except ConfigError as error:
                    raise SourceRefusedError(error.message, place=error.place, hint=error.hint) from error
        return Manifest()


def finding(report: ResolvedSource) -> Diagnostic | None:
    """What stands in the way of a source, if anything does."""
    if report.error is None:
        return None
    return Diagnostic(code_of(report.error), f"source `{report.name}`: {report.error}", hint=report.error.hint)


def code_of(error: AgentsyncError) -> Code:
    """What stands in the way of a source, as a code."""
    if isinstance(error, SourceUnavailableError):
        return Code.SOURCE_FAILED
    return Code.SOURCE_UNVERIFIED if isinstance(error, UnverifiedError) else Code.SOURCE_REFUSED
