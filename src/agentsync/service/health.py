"""How the service is, for monitors, scripts and people: an HTTP endpoint, a file of metrics, a collector.

The service's main thread says what is new; threads of the endpoint read it. What they share is replaced whole. Nothing
here can fail a sync: what goes wrong is told in the log, once.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Final

from agentsync.config import Config
from agentsync.config.tables import HealthTable
from agentsync.core.durations import span
from agentsync.core.errors import AgentsyncError, ConfigError
from agentsync.core.paths import AppPaths
from agentsync.report.json_output import differences, service_status_record, status_record
from agentsync.report.metrics.measures import Reading, Tally
from agentsync.report.page import POLICY, View, render
from agentsync.report.service_status import ServiceStatus
from agentsync.service.endpoint import Answer, Endpoint
from agentsync.service.events import log_healthy, log_listening, log_unhealthy
from agentsync.state.records import Key
from agentsync.state.store import State, Sync
from agentsync.sync.cycle import run
from agentsync.sync.report import Report, Scope

if TYPE_CHECKING:
    from agentsync.report.metrics.otlp import Telemetry
    from agentsync.report.metrics.prometheus import Metrics

_FRESH_SECONDS: Final = 2.0  # that a look counts: for a page and what is asked beside it
_WORK_SECONDS: Final = 600.0  # that a cycle may take, beside what its fetches may
_SHOWN_SYNCS: Final = 15
_SHOWN_DIFFERENCES: Final = 50
_LARGEST_COMPARED: Final = 128 * 1024  # bytes
_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the main thread said last."""

    config: Config
    service_status: ServiceStatus


@dataclass(frozen=True, slots=True)
class _Sign:
    """A sign of life; both by the clock that stands still while the machine sleeps, as the service's own timers do.

    Attributes:
        at: when it was given.
        next_by: when there should be another.
    """

    at: float
    next_by: float


class Health:
    """Told by the service how it stands; tells everybody who asks."""

    def __init__(
        self,
        app_paths: AppPaths,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing happens before `follow`.

        Args:
            app_paths: where the state is that `status.json` and the page are made from.
            clock: in seconds since the epoch.
            timer: in seconds that the machine is awake.
        """
        self._app_paths = app_paths
        self._clock = clock
        self._timer = timer
        self._tally = Tally()
        self._reading: Reading | None = None
        self._seen: _Seen | None = None
        self._sign = _Sign(0.0, math.inf)
        self._config: Config | None = None
        self._endpoint: Endpoint | None = None
        self._metrics: Metrics | None = None
        self._telemetry: Telemetry | None = None
        self._looks = _Looks()
        self._failing: dict[str, str] = {}

    @property
    def address(self) -> str:
        """Where it listens; empty where it does not."""
        return str(self._endpoint.address) if self._endpoint else ""

    def follow(self, config: Config) -> None:
        """Does what this configuration says from now on; where that cannot be, all stays as it was.

        Raises:
            ConfigError: the address cannot be had, or something that is needed is not installed.
        """
        metrics = self._metrics or _metrics(config.health)
        endpoint, telemetry = self._opened(config.health, self._config.health if self._config else HealthTable())
        if self._config is None:
            self._sign = self._sign_of_life(config, None)
        self._config, self._metrics = config, metrics
        if metrics and self._reading:
            metrics.saw(self._reading)
        if self._seen:
            self._seen = replace(self._seen, config=config)
        self._looks.forget()
        if telemetry is not self._telemetry:
            _close(self._telemetry)
            self._telemetry = telemetry
        if endpoint is not self._endpoint:
            _close(self._endpoint)
            self._endpoint = endpoint
            if endpoint:
                endpoint.start()
                log_listening(str(endpoint.address))

    def _opened(self, table: HealthTable, before: HealthTable) -> tuple[Endpoint | None, Telemetry | None]:
        """What a configuration asks for: what there is already where that is the same, else something new."""
        telemetry = self._telemetry if table.otlp == before.otlp else self._telemetry_for(table.otlp)
        if table.address == before.address:
            return self._endpoint, telemetry
        try:
            return Endpoint(table.address, self._respond) if table.address else None, telemetry
        except ConfigError:
            if telemetry is not self._telemetry:
                _close(telemetry)
            raise

    def saw(self, service_status: ServiceStatus) -> None:
        """Called after each cycle, and whenever else something changed."""
        if self._config is None:
            return
        self._reading = self._tally.read(service_status)
        self._seen = _Seen(self._config, service_status)
        self._sign = self._sign_of_life(self._config, service_status.next_run_at)
        self._looks.forget()
        if self._metrics:
            self._metrics.saw(self._reading)
            self._write_textfile(self._metrics, self._config.health)
        if self._telemetry:
            self._telemetry.saw(self._reading)

    def close(self) -> None:
        """Tells nobody any more, until the next `follow`."""
        _close(self._endpoint)
        _close(self._telemetry)
        self._endpoint = self._telemetry = self._config = None

    def _sign_of_life(self, config: Config, next_run_at: float | None) -> _Sign:
        """One that is given now; the next one is due when the next cycle has had its time."""
        now = self._timer()
        wait = max(0.0, next_run_at - self._clock()) if next_run_at is not None else 0.0
        fetching = sum(source.timeout for source in config.sources.values())
        return _Sign(now, now + wait + fetching + _WORK_SECONDS)

    def _telemetry_for(self, url: str | None) -> Telemetry | None:
        if url is None:
            return None
        try:
            from agentsync.report.metrics.otlp import Telemetry  # noqa: PLC0415 - only who sends it pays for the import
        except ImportError as error:
            raise _missing("health.otlp", "otlp") from error
        return Telemetry(url, self._app_paths.state, lambda error: self._reported("otlp", error))

    def _write_textfile(self, metrics: Metrics, table: HealthTable) -> None:
        if table.textfile is None:
            return
        from agentsync.report.metrics.prometheus import write  # noqa: PLC0415 - the same

        try:
            write(table.textfile, metrics.text())
        except OSError as error:
            self._reported("textfile", f"{table.textfile}: {error.strerror or error}")
        else:
            self._reported("textfile", "")

    def _reported(self, what: str, error: str) -> None:
        """Logs what does not work when that begins, and when it is over."""
        if error and error != self._failing.get(what):
            log_unhealthy(what, error)
        if not error and self._failing.get(what):
            log_healthy(what)
        self._failing[what] = error

    # What the endpoint answers, in its threads

    def _respond(self, path: str) -> Answer:
        answers: Mapping[str, Callable[[], Answer]] = {
            "/": lambda: self._looks("page", self._page),
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics_text,
            "/status.json": lambda: self._looks("status", self._status),
        }
        answer = answers.get(path)
        return answer() if answer else Answer.text(HTTPStatus.NOT_FOUND, f"there are: {' '.join(answers)}")

    def _healthz(self) -> Answer:
        now, sign = self._timer(), self._sign
        if now > sign.next_by:
            silent = span(now - sign.at)
            return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, f"there was no sign of progress for {silent}")
        return Answer.text(HTTPStatus.OK, "alive")

    def _readyz(self) -> Answer:
        reason = self._unready(self._seen) if self._seen else "starting"
        return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE if reason else HTTPStatus.OK, reason or "ready")

    def _unready(self, seen: _Seen) -> str:
        """Why the service is not ready; empty where it is."""
        service_status, limit, now = seen.service_status, seen.config.health.stale_after, self._clock()
        if service_status.is_ready(now, limit):
            return ""
        if service_status.succeeded_at is None:
            return "not every source could be fetched and applied yet"
        age = span(now - service_status.succeeded_at)
        return f"the last good sync was {age} ago, and {span(limit)} are allowed"

    def _metrics_text(self) -> Answer:
        if self._metrics is None:
            hint = "metrics are not installed: pip install 'agentsync[metrics]'"
            return Answer.text(HTTPStatus.NOT_IMPLEMENTED, hint)
        from agentsync.report.metrics.prometheus import CONTENT_TYPE  # noqa: PLC0415 - the same

        return Answer(HTTPStatus.OK, self._metrics.text(), CONTENT_TYPE)

    def _status(self) -> Answer:
        seen = self._seen
        if seen is None:
            return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, "starting")
        service = {**service_status_record(seen.service_status), "unready": self._unready(seen) or None}
        try:
            record = status_record(run(seen.config, self._app_paths, Scope.LOOK))
        except AgentsyncError as error:
            reported = {"message": error.message, "place": error.place, "hint": error.hint}
            return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"error": reported, "service": service})
        return _json(HTTPStatus.OK, {**record, "service": service})

    def _page(self) -> Answer:
        seen = self._seen
        if seen is None:
            return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, "starting")
        report: Report | None = None
        shown: dict[Key, str] | None = None
        syncs: list[Sync] = []
        trouble = ""
        try:
            report = run(seen.config, self._app_paths, Scope.LOOK)
            if self._shows_content:
                changes = report.differing[:_SHOWN_DIFFERENCES]
                shown = differences(report, changes, largest=_LARGEST_COMPARED)
            with State.open(self._app_paths.database) as state:
                syncs = state.syncs(_SHOWN_SYNCS)
        except AgentsyncError as error:
            trouble = f"{error}; {error.hint}" if error.hint else str(error)
        view = View(
            service_status=seen.service_status,
            unready=self._unready(seen),
            now=self._clock(),
            report=report,
            trouble=trouble,
            differences=shown,
            syncs=syncs,
        )
        return Answer(HTTPStatus.OK, render(view).encode(), _HTML, {"Content-Security-Policy": POLICY})

    @property
    def _shows_content(self) -> bool:
        """Whether what stands in files may be shown: only to this machine."""
        return self._endpoint is not None and self._endpoint.address.is_local


class _Looks:
    """Answers that take a look at everything: never two at once, and one for all who ask within a moment."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._answers: dict[str, tuple[float, Answer]] = {}

    def __call__(self, name: str, make: Callable[[], Answer]) -> Answer:
        with self._lock:
            made_at, answer = self._answers.get(name, (0.0, None))
            if answer is None or time.monotonic() - made_at > _FRESH_SECONDS:
                answer = make()
                self._answers[name] = time.monotonic(), answer
            return answer

    def forget(self) -> None:
        """Something is new; whoever looks at this moment may still get what was."""
        self._answers = {}


def _json(status: HTTPStatus, record: Mapping[str, object]) -> Answer:
    return Answer(status, f"{json.dumps(record)}\n".encode(), _JSON)


def _metrics(table: HealthTable) -> Metrics | None:
    """What tells metrics where somebody could ask for them; None where it is not installed.

    Raises:
        ConfigError: it is not, and a file of metrics is wanted.
    """
    if table.address is None and table.textfile is None:
        return None
    try:
        from agentsync.report.metrics.prometheus import Metrics  # noqa: PLC0415 - the same
    except ImportError as error:
        if table.textfile is not None:
            raise _missing("health.textfile", "metrics") from error
        return None
    return Metrics()


def _missing(key: str, extra: str) -> ConfigError:
    return ConfigError(f"`{key}` needs what is not installed", hint=f"pip install 'agentsync[{extra}]'")


def _close(what: Endpoint | Telemetry | None) -> None:
    if what is not None:
        what.close()
