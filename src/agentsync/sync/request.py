"""What a cycle is asked to do, and what it runs on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from agentsync.config import Config
from agentsync.core.paths import AppPaths
from agentsync.repository.working_tree import WorkingTree
from agentsync.sync.fetch import Fetches
from agentsync.targets.change import Consent

Progress = Callable[[str, int, int], None]
"""Called with the step in progress, how much of it is done, and how much there is (0 where that is not known)."""


def no_progress(_step: str, _done: int, _total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a cycle runs on.

    Attributes:
        config: what to sync.
        app_paths: where state and caches are.
        text: of the configuration; the fingerprint of a run with nothing to do is kept for it.
        fetches: asks the remotes; a fetch that was made already is not made again.
        progress: called with how far a fetch or an apply is.
    """

    config: Config
    app_paths: AppPaths
    text: str = ""
    fetches: Fetches = field(default_factory=Fetches)
    progress: Progress = no_progress

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files and directories of this machine, beside the configuration, that decide what is written."""
        signers = [path for table in self.config.sources.values() for path in table.signer_files()]
        overlays = [self.config.overlays] if self.config.overlays else []
        return (*overlays, *signers, self.app_paths.policy)


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """What a cycle is asked to do.

    Attributes:
        scope: how far to go; only APPLY changes a target. While pulling is suspended the run only plans, cleans up
            after a run that was killed, and records what was fetched.
        consent: what the user agrees to; nothing by default.
        working_trees: by name, the sources that are read from their saved files instead of a commit.
        quiet_noop: log nothing where there was nothing to do.
        allow_restore: whether targets with `on_drift = "restore"` may restore edited files in this run.
        ad_hoc: whether sources and targets were given for this run only, so others may be configured.
        lock_timeout: how many seconds to wait for a run that is in progress.
    """

    scope: Scope
    consent: Consent = field(default_factory=Consent)
    working_trees: Mapping[str, WorkingTree] = field(default_factory=dict)
    quiet_noop: bool = False
    allow_restore: bool = True
    ad_hoc: bool = False
    lock_timeout: float = 0


class Scope(Enum):
    """How far a cycle goes: look at the recorded state, fetch and plan, or fetch, plan and apply."""

    LOOK = "look"
    PLAN = "plan"
    APPLY = "apply"
