"""What the service has done elsewhere: all that reads configurations, agents or the whole inventory.

These are the questions and the results, as they are sent to another process and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from agentsync.core.errors import AgentsyncError
from agentsync.core.paths import AppPaths
from agentsync.report.service_status import ServiceStatus, Trigger
from agentsync.service import control_socket, http_endpoint
from agentsync.service.polling import Failure, Polls
from agentsync.service.settings import ServiceSettings
from agentsync.sync.request import SyncRequest


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration: what the service needs of it, and the text that it was read from, as of `text_of`."""

    settings: ServiceSettings
    text: str


@dataclass(frozen=True, slots=True)
class SyncTask:
    """A sync to run.

    Attributes:
        config: the configuration, as in `ServiceSettings`.
        text: of the configuration.
        fetches: the fetches that were made already, and the policy for the others.
        request: what the sync is asked to do.
        before: the status that its result changes.
        trigger: the reason for the sync.
        is_short: whether the up-to-date check comes first.
        questions: of the clients that wait for the result.
        patience: seconds without a sign of progress after which it is ended.
    """

    config: bytes = field(repr=False)
    app_paths: AppPaths
    text: str = field(repr=False)
    fetches: Polls
    request: SyncRequest
    before: ServiceStatus
    trigger: Trigger
    is_short: bool
    questions: tuple[control_socket.Question, ...]
    patience: float


@dataclass(frozen=True, slots=True)
class Synced:
    """The result of a sync.

    Attributes:
        failures: of the sources, as `Polling` keeps them.
        status: the status that follows; as before where there is an error.
        answers: to the questions, in their order.
        has_restored: whether a file that was edited here was restored.
        error: why the sync could not be run; None where it could.
    """

    failures: Mapping[Path, Failure]
    status: ServiceStatus
    answers: tuple[control_socket.Answer, ...] = ()
    has_restored: bool = False
    error: AgentsyncError | None = None


@dataclass(frozen=True, slots=True)
class LookTask:
    """A page or a document to make of all that is on this machine.

    Attributes:
        config: the configuration, as in `ServiceSettings`.
        kind: which one.
        service_status: of the service.
        unready: why the service is not ready; empty where it is.
        now: in seconds since the epoch.
        shows_content: whether the content of files may be shown.
    """

    config: bytes = field(repr=False)
    app_paths: AppPaths
    kind: Literal["page", "status"]
    service_status: ServiceStatus
    unready: str
    now: float
    shows_content: bool


class Work(Protocol):
    """Does what the service needs done."""

    def load(self, path: Path) -> Loaded:
        """Read a configuration.

        Raises:
            ConfigError: it has a mistake, or is not complete.
        """

    def sync(self, task: SyncTask, progress: Callable[[], None]) -> Synced:
        """Run a sync; `progress` is called whenever it shows a sign of it.

        Raises:
            AgentsyncError: it was ended before it had a result.
        """

    def look(self, task: LookTask) -> http_endpoint.Answer:
        """Make a page or a document; from any thread.

        Raises:
            AgentsyncError: it was ended before it had a result.
        """
