"""How the service stands: one value, replaced whole after each cycle, that health and metrics are told from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from agentsync.core.errors import ExitCode


class Trigger(StrEnum):
    """Why a cycle ran."""

    START = "start"
    SCHEDULE = "schedule"
    RETRY = "retry"
    CHANGE = "change"
    RELOAD = "reload"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class CycleResult:
    """What came of one cycle.

    Attributes:
        trigger: the strongest reason for it, where there were several.
        ended_at: in seconds since the epoch.
        seconds: how long it took.
        exit_code: what `pull` would have ended with.
        counts: as in a report: changes by action, and what stays, conflicts, is held, failed or was refused.
        codes: how many findings there were of each diagnostic code.
        error: why the cycle as a whole could not be run; empty where it was.
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
    """Where a source is.

    Attributes:
        url: without credentials.
        applied: the commit that the targets were made from; empty where there is none.
        desired: the one that the source leads to, as far as is known; another one where that is held or refused.
        fetched_at: when the remote last answered, in seconds since the epoch.
        error: why it could not be fetched or applied last; empty where it could.
        retry_at: when it is asked again, where that is put off because it failed.
    """

    name: str
    url: str
    ref: str
    applied: str
    desired: str
    fetched_at: float | None
    error: str
    retry_at: float | None = None


@dataclass(frozen=True, slots=True)
class TargetStatus:
    """How many files a target has, and how many of them are no longer as they were written, or in conflict."""

    name: str
    dialect: str
    directory: str
    files: int
    drifted: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How the service stands.

    Attributes:
        config: the path of the configuration that is used.
        config_error: why a newer text of it is not used; empty where it is.
        started_at, next_run_at: in seconds since the epoch; the next run is None until it is planned.
        succeeded_at: when last every source was fetched and applied, also by a run before this service; None never.
        last: what came of the last cycle; None before the first.
        cycles: how many there were.
        suspended: why nothing is applied; empty where changes are.
        fallbacks: what cannot be watched and is looked at only when a cycle runs, each with its reason.
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
    fallbacks: tuple[str, ...] = ()

    def is_ready(self, now: float, limit: float) -> bool:
        """Whether all sources were fetched and applied in the last `limit` seconds."""
        return self.succeeded_at is not None and now - self.succeeded_at <= limit
