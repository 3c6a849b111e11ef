"""What a cycle is asked to do, and what it runs on: together, all inputs of a run.

The up-to-date check, which has to be fast, imports this module; what only a whole run needs is imported for types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agentsync.core.paths import AppPaths
from agentsync.sync.fetch import Fetches
from agentsync.targets.consent import Consent

if TYPE_CHECKING:
    from agentsync.config import Config
    from agentsync.repository.working_tree import WorkingTree

Progress = Callable[[str, int, int], None]
"""Called with the step in progress, how much of it is done, and how much there is (0 where that is not known)."""

_NO_KEY: Final = {"key": False}
"""Marks a field that is no part of a run's key, since it is known otherwise, or has no bearing on the result."""


def no_progress(_step: str, _done: int, _total: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True, slots=True)
class Environment:
    """What a cycle runs on.

    Attributes:
        config: what to sync. It follows from its text, and from the variables and files that a fingerprint holds.
        app_paths: where state and caches are.
        text: of the configuration, or a key for one that is made of options; a run's fingerprint is kept for it.
        fetches: asks the remotes; a fetch that was made already is not made again. A fingerprint holds the commits.
        progress: called with how far a fetch or an apply is.
    """

    config: Config = field(metadata=_NO_KEY)
    app_paths: AppPaths
    text: str = ""
    fetches: Fetches = field(default_factory=Fetches, metadata=_NO_KEY)
    progress: Progress = field(default=no_progress, metadata=_NO_KEY)

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
        quiet_noop: report no events where there was nothing to do.
        allow_restore: whether targets with `on_drift = "restore"` may restore edited files in this run.
        ad_hoc: whether sources and targets were given for this run only, as a trial: it has records of its own, and
            changes neither the machine's nor the files that are in these.
        lock_timeout: how many seconds to wait for a run that is in progress.
    """

    scope: Scope
    consent: Consent = field(default_factory=Consent)
    working_trees: Mapping[str, WorkingTree] = field(default_factory=dict)
    quiet_noop: bool = field(default=False, metadata=_NO_KEY)
    allow_restore: bool = True
    ad_hoc: bool = False
    lock_timeout: float = field(default=0, metadata=_NO_KEY)


def paths_of(app_paths: AppPaths, request: SyncRequest) -> AppPaths:
    """Return the paths of the records of a run: a trial has its own."""
    return replace(app_paths, trials=True) if request.ad_hoc else app_paths


class Scope(Enum):
    """How far a cycle goes: look at the recorded state, fetch and plan, or fetch, plan and apply."""

    LOOK = "look"
    PLAN = "plan"
    APPLY = "apply"


def key_fields(value: Environment | SyncRequest) -> dict[str, Any]:
    """Return the values that a run's key is made from: of all fields, but for those that are marked."""
    return {one.name: getattr(value, one.name) for one in fields(value) if one.metadata.get("key", True)}
