"""Fingerprint of a run that left everything as it is wanted, which the next up-to-date check compares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from agentsync.core.errors import ExitCode
from agentsync.core.paths import AppPaths
from agentsync.core.urls import redact
from agentsync.git.process import checked
from agentsync.git.remote import Remote
from agentsync.sync.fetch import place_of
from agentsync.targets.managed_files import ManagedFiles, Proof, digest_of, grouped, keys_of, stats_on_disk

if TYPE_CHECKING:
    from agentsync.state.records import Key
    from agentsync.state.store import State


@dataclass(frozen=True, slots=True)
class AppliedSource:
    """Source as it was applied.

    Attributes:
        remote: what is fetched.
        allow_rewrite: whether its history may be rewritten.
        commit: the applied one.
        tip: what the ref leads to, where a rollout chose another commit; empty where it is the same.
        mirror: the condition of the mirror; empty where it has none, so that it has to be fetched again.
    """

    name: str
    remote: Remote
    allow_rewrite: bool
    commit: str
    tip: str = ""
    mirror: str = ""

    @property
    def keeps_secrets(self) -> bool:
        """Whether it contains a secret, which must not be stored."""
        return any(redact(text) != text for text in (self.remote.url, self.remote.auth.proxy or ""))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Fingerprint of everything that decided a run with nothing to do and nothing to report.

    Attributes:
        expansions: each `~` and variable that the configuration may have used, and a digest of its value.
        inputs: each file or directory that was read beside the configuration, and a digest of its content.
        sources: in the configured order.
        targets: by directory, whether symbolic links may be followed.
        accepted: number of accepted diagnostics.
        holds_from, holds_until: between these it holds, in seconds since the epoch: before the first, a wrong clock
            decided; None where no time changes it.
        exit_code: the exit status of the run; not OK where agents are refused.
        refused: the number of refused agents, as in `Report.counts`.
        kept: the number of those that are still installed as they were before.
        rollouts: what events have of each rollout's choice, by source.
        keep: the number of files.
        managed: of a trial, the condition of the machine's own records, whose files it leaves alone.
        files: in each target, the files that were written.
        stats: the digest of their stats, by which their content is known.
        gits: identities of the programs whose version was found new enough.
        recent: in each target, the digests of files that were written so lately that their stats prove nothing yet:
            those are read again.
        proven_from: once they were read at this time or later, in nanoseconds since the epoch, the stats prove them.
    """

    expansions: Mapping[str, str]
    inputs: Mapping[str, str]
    sources: Sequence[AppliedSource]
    targets: Mapping[str, bool]
    accepted: int = 0
    holds_from: float = 0
    holds_until: float | None = None
    exit_code: int = ExitCode.OK
    refused: int = 0
    kept: int = 0
    rollouts: Mapping[str, Mapping[str, str | float | None]] = field(default_factory=dict)
    keep: int = 0
    managed: str = ""
    files: Mapping[str, ManagedFiles] = field(default_factory=dict)
    stats: str = ""
    gits: Sequence[str] = ()
    recent: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    proven_from: int = 0


def remember(state: State, app_paths: AppPaths, key: str, fingerprint: Fingerprint) -> None:
    """Store the fingerprint of the run of this key, unless it has a secret.

    Of a file that was just written the stat proves nothing yet. So what it has now is stored, and as long as it stays
    so the content is compared, too.

    Raises:
        StateError: the state cannot be used.
    """
    if any(source.keeps_secrets for source in fingerprint.sources):
        return
    from agentsync.state.records import RACY_NS  # noqa: PLC0415 - the up-to-date check imports this module, and not that one

    recent = state.unproven(fingerprint.targets)
    stats: dict[Key, Proof] = {key: known.stat for key, known in state.cached_stats(fingerprint.targets).items()}
    try:
        stats |= stats_on_disk(_by_target(recent, fingerprint.targets))
    except (OSError, ValueError):  # of a file that is gone already, or of several agents in one
        return
    if len(stats) != fingerprint.keep:
        return
    files = _by_target(stats, fingerprint.targets)
    digests = {path: {name: value for (where, name), value in recent.items() if where == path} for path in files}
    sources = [
        replace(source, mirror=place_of(app_paths, source.name, source.remote.url).condition())
        for source in fingerprint.sources
    ]
    complete = replace(
        fingerprint,
        sources=sources,
        files=files,
        stats=digest_of(stats[key] for key in keys_of(files)),
        gits=sorted(checked()),
        recent={path: names for path, names in digests.items() if names},
        proven_from=max((max(stats[key][1:3]) for key in recent), default=0) + RACY_NS,
    )
    state.remember(key, encoded(complete), beside_others=app_paths.trials)


def _by_target(keys: Iterable[Key], targets: Mapping[str, bool]) -> dict[str, ManagedFiles]:
    paths: dict[str, list[str]] = {path: [] for path in targets}
    for directory, path in sorted(keys):
        paths[directory].append(path)
    return {path: grouped(paths[path], follow_symlinks=follow) for path, follow in targets.items()}


def encoded(fingerprint: Fingerprint) -> str:
    """Return the text in which a fingerprint is stored."""
    return json.dumps(asdict(fingerprint), default=str)
