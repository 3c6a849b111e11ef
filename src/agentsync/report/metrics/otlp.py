"""The measures and the log for an OpenTelemetry collector, by OTLP over HTTP.

Its library is imported where a collector is configured only. Everything is sent once, at the end of a cycle, by a
thread that otherwise waits: no timer wakes the service up, and a collector that is slow or gone keeps nothing back.
Logs that could not be sent are dropped; they stand on standard error.
"""

from __future__ import annotations

import getpass
import json
import logging
import os
import socket
import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, Final

from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Meter, Observation
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExportResult
from opentelemetry.sdk.resources import OTELResourceDetector, Resource

from agentsync import __version__
from agentsync.core.log import also_handled_by
from agentsync.report.metrics.measures import BOUNDS, MEASURES, Kind, Measure, Reading

_SEND_SECONDS: Final = 10.0  # for one message, with all its attempts
_CLOSE_SECONDS: Final = 1.0  # that what is under way gets at the end
_MOST_EVENTS: Final = 10_000  # that wait for the end of a cycle

_SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}


class Telemetry:
    """Sends to one collector, from its start to `close`."""

    def __init__(self, url: str, state: Path, failed: Callable[[str], None]) -> None:
        """Begins to listen to the log.

        Args:
            url: of the collector, without `/v1/...`.
            state: the directory of the state, by which the installations of one machine differ.
            failed: told why something could not be sent, or an empty text when it could again; in another thread.
        """
        # It would write to standard error by itself, where each line is an event of ours.
        logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
        self._failed = failed
        self._reading: Reading | None = None
        self._inbox: SimpleQueue[Reading | None] = SimpleQueue()
        resource = _resource(state)
        self._metrics = OTLPMetricExporter(endpoint=f"{url}/v1/metrics", timeout=_SEND_SECONDS)
        self._logs = OTLPLogExporter(endpoint=f"{url}/v1/logs", timeout=_SEND_SECONDS)
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider([self._reader], resource, shutdown_on_exit=False)
        self._seconds = self._instruments(self._meters.get_meter("agentsync", __version__))
        self._kept = _Kept(resource)
        self._loggers = LoggerProvider(resource, shutdown_on_exit=False)
        self._loggers.add_log_record_processor(self._kept)
        self._logger = self._loggers.get_logger("agentsync", __version__)
        self._listening = ExitStack()
        self._listening.enter_context(also_handled_by(self._received))
        self._thread = Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def saw(self, reading: Reading) -> None:
        """Sends it, and the log up to here, soon."""
        self._inbox.put(reading)

    def close(self) -> None:
        """Sends what is left, if the collector takes it at once."""
        self._listening.close()
        self._inbox.put(None)
        self._thread.join(_CLOSE_SECONDS)
        self._metrics.shutdown()  # which ends what is still tried
        self._logs.shutdown()  # type: ignore[no-untyped-call]
        self._thread.join(_CLOSE_SECONDS)
        self._meters.shutdown()
        self._loggers.shutdown()

    def _run(self) -> None:
        is_open = True
        while is_open:
            came = [self._inbox.get()]
            while not self._inbox.empty():  # what came while the last was sent goes together
                came.append(self._inbox.get())
            is_open = None not in came
            for reading in filter(None, came):
                self._reading = reading
                if reading.cycle:
                    self._seconds.record(reading.cycle.seconds)
            self._send()

    def _send(self) -> None:
        """Sends everything; what cannot be sent stops nothing."""
        try:
            data = self._reader.get_metrics_data()
            done = data is None or self._metrics.export(data) is MetricExportResult.SUCCESS
            events = self._kept.take()
            done = (not events or self._logs.export(events) is LogRecordExportResult.SUCCESS) and done
        except Exception as error:  # noqa: BLE001 - whatever a library of others meets
            self._failed(f"{type(error).__name__}: {error}")
        else:
            self._failed("" if done else "the collector cannot be reached, or does not take it")

    def _instruments(self, meter: Meter) -> Any:
        """Makes an instrument for each measure; returns the one that has to be told of each cycle."""
        makers = {Kind.GAUGE: meter.create_observable_gauge, Kind.COUNTER: meter.create_observable_counter}
        for measure in MEASURES:
            if measure.kind is not Kind.HISTOGRAM:
                make = makers[measure.kind]
                make(f"agentsync.{measure.name}", [self._observer(measure)], measure.unit, measure.meaning)
        [duration] = (measure for measure in MEASURES if measure.kind is Kind.HISTOGRAM)
        return meter.create_histogram(
            f"agentsync.{duration.name}",
            duration.unit,
            duration.meaning,
            explicit_bucket_boundaries_advisory=list(BOUNDS),
        )

    def _observer(self, measure: Measure) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            for labels, value in self._reading.samples.get(measure.name, ()) if self._reading else ():
                yield Observation(float(value), dict(zip(measure.labels, labels, strict=True)))

        return observe

    def _received(self, event: Mapping[str, Any]) -> None:
        """Keeps an event of the log until it is sent."""
        level = str(event.get("level", ""))
        self._logger.emit(
            timestamp=_nanoseconds(str(event.get("timestamp", ""))),
            severity_number=_SEVERITIES.get(level, SeverityNumber.UNSPECIFIED),
            severity_text=level.upper(),
            body=str(event.get("event", "")),
            attributes={
                key: value if isinstance(value, str | int | float) else json.dumps(value, default=str)
                for key, value in event.items()
                if key not in ("event", "level", "timestamp")
            },
        )


class _Kept(LogRecordProcessor):
    """Keeps records until somebody takes them; where nobody does, the first of them."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        self._lock = Lock()
        self._records: list[ReadableLogRecord] = []

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        with self._lock:
            if len(self._records) < _MOST_EVENTS:
                self._records.append(
                    ReadableLogRecord(
                        log_record=log_record.log_record,
                        resource=self._resource,
                        instrumentation_scope=log_record.instrumentation_scope,
                        limits=log_record.limits,
                    )
                )

    def take(self) -> list[ReadableLogRecord]:
        with self._lock:
            records, self._records = self._records, []
            return records

    def shutdown(self) -> None:
        self.take()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the library's signature
        return True


def _resource(state: Path) -> Resource:
    """Who tells this; OTEL_RESOURCE_ATTRIBUTES can say more, and otherwise."""
    host = socket.gethostname()
    instance = uuid.uuid5(uuid.NAMESPACE_URL, f"agentsync://{host}{state}")
    reported = {
        "service.name": "agentsync",
        "service.version": __version__,
        "service.instance.id": str(instance),
        "host.name": host,
        "process.owner": _user(),
    }
    return Resource.create(reported).merge(OTELResourceDetector().detect())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # which of them depends on the version of Python
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _nanoseconds(timestamp: str) -> int | None:
    try:
        return int(datetime.fromisoformat(timestamp).timestamp() * 1e9)
    except ValueError:
        return None
