"""What the service needs done, done in this process: the one module of the service that imports all of agentsync."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from copy import copy
from http import HTTPStatus
from pathlib import Path
from typing import Final

from agentsync.config import Config, check_complete, load_with_text
from agentsync.core.errors import AgentsyncError
from agentsync.core.log import log, logged
from agentsync.dialects import moving_variables
from agentsync.report.json_output import differences, service_status_record, status_record
from agentsync.report.page import POLICY, View, render
from agentsync.report.page.differences import most_urgent
from agentsync.service import control_socket
from agentsync.service.current_status import Result, status_after
from agentsync.service.http_endpoint import Answer
from agentsync.service.settings import HealthSettings, ServiceSettings, SourceSettings
from agentsync.service.work import Loaded, LookTask, Synced, SyncTask
from agentsync.state.records import Action, Key, Sync
from agentsync.state.store import State
from agentsync.sync.cycle import cycle, run
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest
from agentsync.sync.up_to_date import UpToDate, find_up_to_date

Show = Callable[[Result, control_socket.Question], control_socket.Answer]
"""A function that renders a result as `pull` prints it."""

_SHOWN_SYNCS: Final = 15
_SHOWN_DIFFERENCES: Final = 50
_LARGEST_COMPARED: Final = 128 * 1024  # bytes
_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"


class LocalWork:
    """Does the work in this process; see `Work`."""

    def __init__(self, show: Show) -> None:
        """Take a function that renders a result as `pull` prints it."""
        self._show = show

    def load(self, path: Path) -> Loaded:
        """Read a configuration.

        Raises:
            ConfigError: it has a mistake, or is not complete.
        """
        config, text = load_with_text(path)
        check_complete(config, path)
        return Loaded(settings_of(config), text)

    def sync(self, task: SyncTask, progress: Callable[[], None]) -> Synced:
        """Run a sync, and log its events."""
        try:
            result = _result(task, progress)
        except AgentsyncError as error:
            return Synced(task.fetches.failures, task.before, error=copy(error))  # without its traceback
        return Synced(
            failures=task.fetches.failures,
            status=status_after(result, task.before, task.trigger),
            answers=tuple(self._show(result, question) for question in task.questions),
            has_restored=isinstance(result, Report)
            and any(one.ok and one.change.action is Action.REPLACE for one in result.outcomes),
        )

    def look(self, task: LookTask) -> Answer:
        """Make a page or a document of all that is on this machine."""
        return _page(task) if task.kind == "page" else _status(task)


def settings_of(config: Config) -> ServiceSettings:
    """Return what the service needs of a configuration."""
    daemon, health, targets = config.daemon, config.health, config.resolved_targets()
    directories = {target.directory: target.follow_symlinks for target in targets if not target.written.shared}
    overlays = [config.overlays] if config.overlays else []
    return ServiceSettings(
        interval=daemon.interval,
        cron=daemon.cron,
        jitter=daemon.jitter,
        watch=daemon.watch,
        full_scan=daemon.full_scan,
        health=HealthSettings(health.address, health.textfile, health.stale_after, health.otlp),
        sources=tuple(
            SourceSettings(name, source.url, source.ref, source.timeout) for name, source in config.sources.items()
        ),
        files=tuple(target.directory for target in targets if target.written.shared),
        directories=(*(directory for directory, linked in directories.items() if not linked), *overlays),
        linked=tuple(directory for directory, linked in directories.items() if linked),
        variables=tuple(sorted(moving_variables())),
        config=pickle.dumps(config),
    )


def _unpacked(config: bytes) -> Config:
    unpacked: Config = pickle.loads(config)  # noqa: S301 - this program's own, from its memory or its parent's
    return unpacked


def _result(task: SyncTask, progress: Callable[[], None]) -> Report | UpToDate:
    if task.is_short and (found := find_up_to_date(task.text, task.app_paths, task.fetches, task.request)):
        if not task.request.quiet_noop:
            log(found.event)
        return found
    environment = Environment(
        _unpacked(task.config), task.app_paths, task.text, task.fetches, progress=lambda *_: progress()
    )
    return logged(cycle(environment, task.request))


def _status(task: LookTask) -> Answer:
    service = {**service_status_record(task.service_status), "unready": task.unready or None}
    try:
        record = status_record(run(Environment(_unpacked(task.config), task.app_paths), SyncRequest(Scope.LOOK)))
    except AgentsyncError as error:
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": error.as_dict(), "service": service})
    return _json(HTTPStatus.OK, {**record, "service": service})


def _page(task: LookTask) -> Answer:
    report: Report | None = None
    shown: dict[Key, str] | None = None
    syncs: list[Sync] = []
    trouble = ""
    try:
        report = run(Environment(_unpacked(task.config), task.app_paths), SyncRequest(Scope.LOOK))
        if task.shows_content:
            changes = most_urgent(report)[:_SHOWN_DIFFERENCES]
            shown = differences(report, changes, largest=_LARGEST_COMPARED)
        with State.open(task.app_paths.database) as state:
            syncs = state.syncs(_SHOWN_SYNCS)
    except AgentsyncError as error:
        trouble = f"{error}; {error.hint}" if error.hint else str(error)
    view = View(
        service_status=task.service_status,
        unready=task.unready,
        now=task.now,
        report=report,
        trouble=trouble,
        differences=shown,
        syncs=syncs,
    )
    return Answer(HTTPStatus.OK, render(view).encode(), _HTML, {"Content-Security-Policy": POLICY})


def _json(status: HTTPStatus, record: Mapping[str, object]) -> Answer:
    return Answer(status, f"{json.dumps(record)}\n".encode(), _JSON)
