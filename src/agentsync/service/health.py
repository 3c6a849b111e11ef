"""The service's health, for monitors, scripts and people: an HTTP endpoint, a metrics file, an OTLP collector.

The service's main thread publishes its status, and the endpoint's threads read it. Shared values are immutable and
replaced as a whole. Nothing here can fail a sync: each error is logged once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from threading import Lock
from typing import TYPE_CHECKING, Final, Literal

from agentsync.core.codes import Code
from agentsync.core.durations import span
from agentsync.core.errors import AgentsyncError, ConfigError
from agentsync.core.paths import AppPaths
from agentsync.report.metrics.measures import Reading, Tally
from agentsync.report.service_status import ServiceStatus
from agentsync.service.events import log_healthy, log_listening, log_unhealthy
from agentsync.service.http_endpoint import Answer, Endpoint
from agentsync.service.settings import HealthSettings, ServiceSettings
from agentsync.service.work import LookTask, Work

if TYPE_CHECKING:
    from agentsync.report.metrics.otlp import Telemetry
    from agentsync.report.metrics.prometheus import Metrics

_FRESH_SECONDS: Final = 2.0  # for which a check of everything is reused, by a page and the requests beside it
_WORK_SECONDS: Final = 600.0  # a cycle may take, in addition to its fetches


@dataclass(frozen=True, slots=True)
class _Published:
    """The status that the main thread published last, and the settings that it is for."""

    settings: ServiceSettings
    service_status: ServiceStatus


@dataclass(frozen=True, slots=True)
class _Sign:
    """A sign of life; both times are by a clock that stops while the machine sleeps, as the service's timers do.

    Attributes:
        at: when it was given.
        next_by: when the next one is due.
    """

    at: float
    next_by: float


class Health:
    """The latest status of the service, served to everybody who asks."""

    def __init__(
        self,
        app_paths: AppPaths,
        work: Work,
        *,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start nothing before `follow`.

        Args:
            app_paths: where the state is that `status.json` and the page are made from.
            work: makes them.
            clock: seconds since the epoch.
            timer: seconds for which the machine was awake.
        """
        self._app_paths = app_paths
        self._work = work
        self._clock = clock
        self._timer = timer
        self._tally = Tally()
        self._reading: Reading | None = None
        self._published: _Published | None = None
        self._sign = _Sign(0.0, math.inf)
        self._settings: ServiceSettings | None = None
        self._endpoint: Endpoint | None = None
        self._metrics: Metrics | None = None
        self._telemetry: Telemetry | None = None
        self._cache = _AnswerCache()
        self._errors: dict[str, str] = {}

    @property
    def address(self) -> str:
        """The address of the endpoint; empty where it does not listen."""
        return str(self._endpoint.address) if self._endpoint else ""

    def follow(self, settings: ServiceSettings) -> None:
        """Apply these settings from now on; on an error, everything stays as it was.

        Raises:
            ConfigError: the address is not available, or a required package is not installed.
        """
        health, before = settings.health, self._settings.health if self._settings else HealthSettings()
        metrics = self._metrics or _metrics(health)
        endpoint, telemetry = self._opened(health, before)
        if self._settings is None:
            self._sign = self._sign_of_life(settings, None)
        self._settings, self._metrics = settings, metrics
        if metrics and self._reading:
            metrics.saw(self._reading)
        if self._published:
            self._published = replace(self._published, settings=settings)
        self._cache.clear()
        if telemetry is not self._telemetry:
            _close(self._telemetry)
            self._telemetry = telemetry
        if endpoint is not self._endpoint:
            _close(self._endpoint)
            self._endpoint = endpoint
            if endpoint:
                endpoint.start()
                log_listening(str(endpoint.address))

    def _opened(self, table: HealthSettings, before: HealthSettings) -> tuple[Endpoint | None, Telemetry | None]:
        """The endpoint and the telemetry for a configuration; those in use where their settings are the same."""
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
        """Publish a new status; called after each cycle, and on every other change."""
        if self._settings is None:
            return
        self._reading = self._tally.read(service_status)
        self._published = _Published(self._settings, service_status)
        self._sign = self._sign_of_life(self._settings, service_status.next_run_at)
        self._cache.clear()
        if self._metrics:
            self._metrics.saw(self._reading)
            self._write_textfile(self._metrics, self._settings.health)
        if self._telemetry:
            self._telemetry.saw(self._reading)

    def close(self) -> None:
        """Stop publishing, until the next `follow`."""
        _close(self._endpoint)
        _close(self._telemetry)
        self._endpoint = self._telemetry = self._settings = None

    def _sign_of_life(self, settings: ServiceSettings, next_run_at: float | None) -> _Sign:
        """Make a sign of life now; the next one is due once the next cycle has had its time."""
        now = self._timer()
        wait = max(0.0, next_run_at - self._clock()) if next_run_at is not None else 0.0
        fetching = sum(source.timeout for source in settings.sources)
        return _Sign(now, now + wait + fetching + _WORK_SECONDS)

    def _telemetry_for(self, url: str | None) -> Telemetry | None:
        if url is None:
            return None
        try:
            from agentsync.report.metrics.otlp import Telemetry  # noqa: PLC0415 - slow to import, and rarely used
        except ImportError as error:
            raise _missing("health.otlp", "otlp") from error
        return Telemetry(url, self._app_paths.state, lambda error: self._note_error("otlp", error))

    def _write_textfile(self, metrics: Metrics, table: HealthSettings) -> None:
        if table.textfile is None:
            return
        from agentsync.report.metrics.prometheus import write  # noqa: PLC0415 - the same

        try:
            write(table.textfile, metrics.text())
        except OSError as error:
            self._note_error("textfile", f"{table.textfile}: {error.strerror or error}")
        else:
            self._note_error("textfile", "")

    def _note_error(self, what: str, error: str) -> None:
        """Log an error when it first occurs, and when it is over; `error` is empty where there is none."""
        if error and error != self._errors.get(what):
            log_unhealthy(what, error)
        if not error and self._errors.get(what):
            log_healthy(what)
        self._errors[what] = error

    # Answers of the endpoint, in its threads

    def _respond(self, path: str) -> Answer:
        answers: Mapping[str, Callable[[], Answer]] = {
            "/": lambda: self._cache("page", lambda: self._look("page")),
            "/healthz": self._healthz,
            "/readyz": self._readyz,
            "/metrics": self._metrics_text,
            "/status.json": lambda: self._cache("status", lambda: self._look("status")),
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
        """Refused agents do not make the service unready: no restart helps, and its other agents are as they should be.

        One bad file would otherwise fail the check of every machine at once. The text and the metrics count them.
        """
        published = self._published
        if reason := self._unready(published) if published else "starting":
            return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, reason)
        last = published.service_status.last if published else None
        refused = last.counts.get("refused", 0) if last else 0
        noun = "agent is" if refused == 1 else "agents are"
        return Answer.text(HTTPStatus.OK, f"ready; {refused} {noun} refused" if refused else "ready")

    def _unready(self, published: _Published) -> str:
        """The reason why the service is not ready; empty where it is."""
        service_status, limit, now = published.service_status, published.settings.health.stale_after, self._clock()
        if service_status.is_ready(now, limit):
            last = service_status.last
            is_stale = last is not None and Code.SOURCE_STALE.id in last.codes
            return "a source is stale: its newest commit is older than its `max_age`" if is_stale else ""
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

    def _look(self, kind: Literal["page", "status"]) -> Answer:
        published = self._published
        if published is None:
            return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, "starting")
        unready = self._unready(published)
        try:
            return self._work.look(
                LookTask(
                    published.settings.config,
                    self._app_paths,
                    kind,
                    published.service_status,
                    unready,
                    self._clock(),
                    shows_content=self._shows_content,
                )
            )
        except AgentsyncError as error:
            return Answer.text(HTTPStatus.SERVICE_UNAVAILABLE, str(error))

    @property
    def _shows_content(self) -> bool:
        """Whether the content of files may be shown: only to this machine."""
        return self._endpoint is not None and self._endpoint.address.is_local


class _AnswerCache:
    """A cache for answers that check everything: one at a time, reused for requests that arrive soon after."""

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

    def clear(self) -> None:
        """Forget all answers; a request in progress may still get the old one."""
        self._answers = {}


def _metrics(table: HealthSettings) -> Metrics | None:
    """The metrics, where the configuration makes them available; None where their package is not installed.

    Raises:
        ConfigError: it is not installed, and a metrics file is configured.
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
    return ConfigError(f"`{key}` needs a package that is not installed", hint=f"pip install 'agentsync[{extra}]'")


def _close(what: Endpoint | Telemetry | None) -> None:
    if what is not None:
        what.close()
