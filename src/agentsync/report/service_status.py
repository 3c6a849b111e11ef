"""The status of the service: one immutable value, from which the health endpoint and the metrics are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from agentsync.core.errors import ExitCode
from agentsync.rollout.choose import Choice


class Trigger(StrEnum):
    """The reason why a cycle ran."""

    START = "start"
    SCHEDULE = "schedule"
    RETRY = "retry"
    CHANGE = "change"
    RELOAD = "reload"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class CycleResult:
    """The result of one cycle.

    Attributes:
        trigger: the strongest reason for the cycle, if there were several.
        ended_at: in seconds since the epoch.
        seconds: its duration.
        exit_code: the exit status that `pull` would have had.
        counts: as in a report: changes by action, and files that stay, conflict, are held or failed, refused agents.
        codes: the number of diagnostics by code.
        error: why the cycle as a whole could not be run; empty where it could.
    """

    sync_id: str
    trigger: Trigger
    ended_at: float
    seconds: float
    exit_code: ExitCode
    counts: Mapping[str, int]
    codes: Mapping[str, int]
    error: str = ""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """The status of a source.

    Attributes:
        url: without credentials.
        applied: the commit that the targets were written from; empty where there is none.
        desired: the latest known commit of the source; differs from `applied` where that commit is held or refused.
        fetched_at: when the remote last answered, in seconds since the epoch.
        committed_at: the date of the applied commit, in seconds since the epoch, if it is known.
        error: why the last fetch or apply failed; empty where it did not.
        retry_at: when it is fetched again, if a failure delays that.
    """

    name: str
    url: str
    ref: str
    applied: str
    desired: str
    fetched_at: float | None
    error: str
    retry_at: float | None = None
    committed_at: float | None = None


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """The number of files in a target, how many of them have drifted or are in conflict, and of refused agents."""

    name: str
    dialect: str
    directory: str
    files: int
    drifted: int
    conflicts: int
    refused: int = 0


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """Immutable status of the service, replaced after each sync.

    Attributes:
        config: the path of the configuration in use.
        config_error: why a newer text of it is not used; empty where it is.
        started_at, next_run_at: in seconds since the epoch; the next run is None until it is scheduled.
        succeeded_at: when every source was last fetched and applied, also before this service; None for never.
        last: the result of the last cycle; None before the first.
        cycles: the number of cycles so far.
        suspended: why nothing is applied; empty where changes are applied.
        rollouts: by source, which commit its repository's rollout chose for this machine.
        fallbacks: what cannot be watched and is checked only in each cycle, with the reasons.
    """

    config: str
    started_at: float
    config_error: str = ""
    next_run_at: float | None = None
    succeeded_at: float | None = None
    last: CycleResult | None = None
    cycles: int = 0
    suspended: str = ""
    sources: tuple[SourceStatus, ...] = ()
    targets: tuple[TargetStatus, ...] = ()
    rollouts: Mapping[str, Choice] = field(default_factory=dict)
    fallbacks: tuple[str, ...] = ()

    def is_ready(self, now: float, limit: float) -> bool:
        """Whether all sources were fetched and applied in the last `limit` seconds."""
        return self.succeeded_at is not None and now - self.succeeded_at <= limit
