"""Fingerprint of a run with nothing to do, which the next up-to-date check compares with what there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agentsync.core.errors import ExitCode
from agentsync.core.urls import redact
from agentsync.git.remote import Remote
from agentsync.targets.managed_files import ManagedFiles


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
        keep: the number of files.
        managed: of a trial, the condition of the machine's own records, whose files it leaves alone.
        files: in each target, the files that were written.
        stats: the digest of their stats, by which their content is known.
        gits: identities of the programs whose version was found new enough.
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
    keep: int = 0
    managed: str = ""
    files: Mapping[str, ManagedFiles] = field(default_factory=dict)
    stats: str = ""
    gits: Sequence[str] = ()
