"""Resolution of sources: each at the commit that was fetched, or at the last applied one where that cannot be used."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.durations import utc
from agentsync.core.errors import (
    AgentsyncError,
    SourceRefusedError,
    SourceUnavailableError,
    UnverifiedError,
)
from agentsync.core.urls import redact
from agentsync.git.mirror import Mirror, Remote
from agentsync.git.objects import CommitFacts
from agentsync.repository.manifest import as_overrides
from agentsync.repository.overrides import Override
from agentsync.repository.working_tree import WORKING_TREE, WorkingTree
from agentsync.rollout.choose import Choice
from agentsync.state.records import SourceState
from agentsync.state.store import State
from agentsync.sync.fetch import Fetches, accepting, is_unproven, mirror_of, went_back
from agentsync.sync.fetched_files import FetchedFiles
from agentsync.sync.request import Environment, Scope, SyncRequest
from agentsync.sync.rollout import choose_commit
from agentsync.sync.snapshot import Files, LocalSettings, Snapshot, take_snapshot
from agentsync.sync.verification import prove


@dataclass(frozen=True, slots=True)
class ResolvedSource:
    """Source after it was resolved to a commit, or failed to.

    Attributes:
        url: without credentials.
        commit: the one that the plan is made from; empty where there is none.
        previous: the one that was applied before.
        error: why the source could not be fetched or was refused; its last applied commit is used then.
        repeated: whether the error is that of an earlier run, and the remote was not asked again.
        last_error: the error of this run or the last one, as text.
        rejected: the commit that the ref points to and that was refused or held, in this run or the last one.
        verified_by: the configured signers by which its signature was verified; empty where no signature is required.
        fetched_at: when it was last fetched, in seconds since the epoch.
        rollout: which one it chose; None where the branch has no rollout, or this machine does not follow it.
        fresh_until: when its newest commit is too old, in seconds since the epoch; None where it may have any age.
        unproven: whether the source is shallow, so nothing shows that the commit descends from the previous one.
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
    fresh_until: float | None = None
    unproven: bool = False
    rollout: Choice | None = None

    @property
    def tip(self) -> str:
        """The newest commit of the branch, where its rollout decides which one is used; empty otherwise."""
        return self.rollout.tip if self.rollout else ""

    def is_stale(self, now: float) -> bool:
        """Whether its newest commit is too old at a time in seconds since the epoch."""
        return self.fresh_until is not None and self.fresh_until <= now


def resolve_sources(
    environment: Environment, request: SyncRequest, state: State, overlays: Sequence[Override] = ()
) -> Iterator[tuple[ResolvedSource, Snapshot | None]]:
    """Resolve every source, in the configured order; one that fails does not stop the others.

    Yields each with the snapshot that is used; None where there is none.

    Args:
        environment: with the sources, their mirrors, and the fetches; to look, the commits applied last are used.
        request: with the sources that are read from a working directory; nothing is fetched for these.
        state: the recorded state of the sources.
        overlays: the user's overlays, applied after all other overrides.
    """
    config = environment.config
    fetches = None if request.scope is Scope.LOOK else environment.fetches
    overrides = (*as_overrides(config.overrides, "the configuration"), *overlays)
    local = LocalSettings(config.models, overrides)
    for name in config.sources:
        working_tree = request.working_trees.get(name)
        resolver = _SourceResolver(name, environment, state, local, working_tree)
        if fetches and not working_tree:
            environment.progress(f"fetching {name}", 0, 0)
        source, snapshot = resolver.resolve(fetches)
        yield replace(source, fresh_until=resolver.fresh_until(source)), snapshot


class _SourceResolver:
    """Resolver of one source."""

    def __init__(
        self,
        name: str,
        environment: Environment,
        state: State,
        local: LocalSettings,
        working_tree: WorkingTree | None,
    ) -> None:
        config = environment.config
        self._app_paths = environment.app_paths
        self._table = table = config.sources[name]
        self._local = local
        url = redact(table.url)
        self._remote = config.remote_of(name)
        self._mirror = mirror_of(environment.app_paths, name, table.url)
        self._home = environment.app_paths.git_home
        self._files: Files = working_tree or self._mirror
        self._signers = table.signers()
        # A working tree has a ref of its own, so that saved and committed files have separate records.
        ref = WORKING_TREE if working_tree else table.ref
        self._applied = applied = state.source(name, url, ref) or SourceState(name, url, ref)
        self._tips = state.tips(name, url, ref)
        self._recorded = ResolvedSource(
            name,
            url,
            ref,
            WORKING_TREE if working_tree else applied.commit,
            applied.commit,
            fetched_at=applied.fetched_at,
            last_error=applied.error or applied.rejected_reason,
            rejected=applied.rejected_commit,
            verified_by=applied.verified_by,
        )

    def resolve(self, fetches: Fetches | None) -> tuple[ResolvedSource, Snapshot | None]:
        """Fetch and verify the source; where that fails, fall back to the commit that was applied last."""
        resolved = self._recorded
        try:
            if fetches and self._files is self._mirror:
                resolved = self._fetch(fetches)
                resolved = self._verify(resolved)
                asked = fetches.asked(self._mirror)
                resolved = self._choose(resolved, fetches) if asked else self._with_rollout(resolved)
                return self._snapshot_at(resolved, self._complete(resolved.commit, fetches))
            if self._files is self._mirror:
                resolved = self._with_rollout(resolved)
            return self._snapshot_at(resolved)
        except (SourceUnavailableError, SourceRefusedError) as error:
            rejected = resolved.rejected
            if isinstance(error, SourceRefusedError):
                rejected = error.commit or (resolved.commit if fetches else resolved.rejected)
            repeated = fetches is not None and fetches.repeats(error)
            failed = replace(self._recorded, error=error, repeated=repeated, last_error=str(error), rejected=rejected)
            return failed, self._last_good()

    def fresh_until(self, resolved: ResolvedSource) -> float | None:
        """When the newest commit of the source is older than allowed, in seconds since the epoch; None for never."""
        if self._table.max_age is None or not resolved.facts or self._files is not self._mirror:
            return None
        tip = self._mirror.commit_facts(resolved.tip) if resolved.tip else resolved.facts
        return tip.time + self._table.max_age

    def _fetch(self, fetches: Fetches) -> ResolvedSource:
        before, table = self._recorded, self._table
        rewrite = table.allow_rewrite
        fetched = fetches(
            self._mirror, before.name, self._remote, previous=before.previous or None, allow_rewrite=rewrite
        )
        verified_by = before.verified_by if fetched.id == before.commit else ""
        unproven = self._is_unproven(fetched)
        if unproven and not rewrite and fetched.time < (self._applied.committed_at or 0):
            message, hint = went_back(fetched.id, before.previous), accepting(before.name)
            raise SourceRefusedError(message, place=self._remote.place, hint=hint, commit=fetched.id)
        resolved = replace(before, commit=fetched.id, facts=fetched, verified_by=verified_by, unproven=unproven)
        if not fetches.asked(self._mirror):
            return resolved
        return replace(resolved, fetched_at=time.time(), last_error="", rejected="")

    def _is_unproven(self, fetched: CommitFacts) -> bool:
        previous = self._recorded.previous
        if not previous or fetched.id == previous or self._remote.is_commit:
            return False
        return is_unproven(self._mirror, previous, fetched.id)

    def _verify(self, resolved: ResolvedSource) -> ResolvedSource:
        """Verify the signature of the commit, where the source requires one.

        A commit that passed with the same settings is not checked again. Its files are here already, so a key that was
        removed since can add nothing; and a colleague who leaves is no reason to refuse what they signed.
        """
        signers, facts = self._signers, resolved.facts
        if signers is None or facts is None:
            return resolved
        signers.check()
        if resolved.verified_by == signers.words:
            return resolved
        prove(self._mirror, self._remote, facts, signers, self._applied)
        return replace(resolved, verified_by=signers.words)

    def _choose(self, resolved: ResolvedSource, fetches: Fetches) -> ResolvedSource:
        """Return the source at the commit that its branch's rollout gives this machine.

        The tip was verified before its manifest was read; the chosen commit is, where it is another one than before.
        """
        tip, applied = resolved.commit, self._recorded.previous
        if self._remote.ref.startswith("refs/tags/") or self._remote.is_commit:
            return resolved
        choice = fetches.complete(
            self._mirror, self._remote, lambda remote: self._choice_at(tip, self._fetched(remote))
        )
        if not choice.stage:
            return resolved
        resolved = replace(resolved, rollout=choice)
        if choice.commit == tip:
            return resolved
        if self._signers and choice.commit not in ("", applied):
            self._mirror.verify(choice.commit, self._remote, self._signers)
        verified_by = self._recorded.verified_by if choice.commit == applied else resolved.verified_by
        return replace(resolved, commit=choice.commit, facts=None, verified_by=verified_by)

    def _with_rollout(self, resolved: ResolvedSource) -> ResolvedSource:
        """Return the source with what its rollout chooses at the tip that was fetched last; its commit stays."""
        if not (self._tips and self._mirror.has(tip := self._tips[-1].commit)):
            return resolved
        try:
            choice = self._choice_at(tip, self._mirror)
        except SourceUnavailableError:  # of files that are not here any more; the next pull knows again
            return resolved
        return replace(resolved, rollout=choice) if choice.stage else resolved

    def _choice_at(self, tip: str, files: Mirror) -> Choice:
        return choose_commit(
            files,
            tip,
            name=self._recorded.name,
            table=self._table,
            applied=self._applied_in(tip),
            tips=self._tips,
            app_paths=self._app_paths,
        )

    def _applied_in(self, tip: str) -> str:
        """The applied commit, by the id that it has in the history of a tip."""
        applied = self._recorded.previous
        return self._mirror.id_in_history(applied, tip) if applied and self._signers else applied

    def _complete(self, commit: str, fetches: Fetches) -> Snapshot | None:
        """Fetch what is read of a commit and missing, which reading it shows; None where nothing can be missing."""
        if not commit or (not self._mirror.is_partial and self._table.submodules != "follow"):
            return None

        def bring(remote: Remote) -> Snapshot:
            return self._take(self._fetched(remote), commit)

        return replace(fetches.complete(self._mirror, self._remote, bring), files=self._mirror)

    def _fetched(self, remote: Remote) -> FetchedFiles:
        return FetchedFiles(self._mirror.directory, self._home, remote)

    def _take(self, files: Files, commit: str) -> Snapshot:
        name, url = self._recorded.name, self._recorded.url
        return take_snapshot(files, self._table, name=name, url=url, commit=commit, local=self._local)

    def _last_good(self) -> Snapshot | None:
        try:
            return self._snapshot_at(self._recorded)[1]
        except (SourceUnavailableError, SourceRefusedError):
            return None  # the first failure is reported already; without a snapshot nothing of the source is changed

    def _snapshot_at(
        self, resolved: ResolvedSource, snapshot: Snapshot | None = None
    ) -> tuple[ResolvedSource, Snapshot | None]:
        if not resolved.commit:
            return resolved, None
        if self._signers and resolved.verified_by != self._signers.words:
            message = f"commit {resolved.commit[:12]} was applied before its signature was asked for in this way"
            raise UnverifiedError(message, place=resolved.url, hint="run `agentsync pull`, which checks it")
        facts = resolved.facts or self._files.commit_facts(resolved.commit)
        return replace(resolved, facts=facts), snapshot or self._take(self._files, resolved.commit)


def findings(source: ResolvedSource, now: float) -> Iterator[Diagnostic]:
    """Yield the diagnostics of a source at a time: failed, refused, shallow, stale, or a mistake in its rollout."""
    if source.error is not None:
        yield Diagnostic(code_of(source.error), f"source `{source.name}`: {source.error}", hint=source.error.hint)
    elif source.unproven:
        message = f"source `{source.name}` is shallow: {source.commit[:12]} may not descend from {source.previous[:12]}"
        yield Diagnostic(Code.HISTORY_CUT, message)
    if source.is_stale(now):
        newest, since = (source.tip or source.commit)[:12], utc(source.fresh_until or now)
        message = f"source `{source.name}` is stale since {since}: its newest commit is still {newest}"
        yield Diagnostic(Code.SOURCE_STALE, message)
    if source.rollout and source.rollout.mistake:
        yield Diagnostic(Code.ROLLOUT_NAME, f"source `{source.name}`: {source.rollout.mistake}")


def code_of(error: AgentsyncError) -> Code:
    """Return the code of the diagnostic for a source's error."""
    if isinstance(error, SourceUnavailableError):
        return Code.SOURCE_FAILED
    return Code.SOURCE_UNVERIFIED if isinstance(error, UnverifiedError) else Code.SOURCE_REFUSED
