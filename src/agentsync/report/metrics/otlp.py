"""Exports the measures and the log to an OpenTelemetry collector, by OTLP over HTTP.

The library is imported only if a collector is configured. Everything is sent once, at the end of a cycle, by a thread
that otherwise waits: no timer wakes the service up, and a collector that is slow or gone delays nothing. Log records
that could not be sent are dropped; they are on standard error too.
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
_CLOSE_SECONDS: Final = 1.0  # for a message in progress at the end
_MOST_EVENTS: Final = 10_000  # that wait for the end of a cycle; later ones are dropped

_SEVERITIES: Final = {
    "debug": SeverityNumber.DEBUG,
    "info": SeverityNumber.INFO,
    "warning": SeverityNumber.WARN,
    "error": SeverityNumber.ERROR,
}


class Telemetry:
    """An exporter to one collector, from its start to `close`."""

    def __init__(self, url: str, state: Path, failed: Callable[[str], None]) -> None:
        """Start to collect log events.

        Args:
            url: of the collector, without `/v1/...`.
            state: the state directory, which distinguishes the installations of one machine.
            failed: called after each attempt with the error, or with an empty text; in another thread.
        """
        # The library would log to standard error, where every line must be one of our events.
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
        self._buffer = _LogBuffer(resource)
        self._loggers = LoggerProvider(resource, shutdown_on_exit=False)
        self._loggers.add_log_record_processor(self._buffer)
        self._logger = self._loggers.get_logger("agentsync", __version__)
        self._listening = ExitStack()
        self._listening.enter_context(also_handled_by(self._record))
        self._thread = Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def saw(self, reading: Reading) -> None:
        """Send a reading, and the log so far, in the background."""
        self._inbox.put(reading)

    def close(self) -> None:
        """Send the rest, if the collector accepts it quickly."""
        self._listening.close()
        self._inbox.put(None)
        self._thread.join(_CLOSE_SECONDS)
        self._metrics.shutdown()  # ends attempts in progress
        self._logs.shutdown()  # type: ignore[no-untyped-call]
        self._thread.join(_CLOSE_SECONDS)
        self._meters.shutdown()
        self._loggers.shutdown()

    def _run(self) -> None:
        is_open = True
        while is_open:
            readings = [self._inbox.get()]
            while not self._inbox.empty():  # readings that arrived during the last message are sent together
                readings.append(self._inbox.get())
            is_open = None not in readings
            for reading in filter(None, readings):
                self._reading = reading
                if reading.cycle:
                    self._seconds.record(reading.cycle.seconds)
            self._send()

    def _send(self) -> None:
        """Send everything; an error is only reported."""
        try:
            data = self._reader.get_metrics_data()
            done = data is None or self._metrics.export(data) is MetricExportResult.SUCCESS
            events = self._buffer.take()
            done = (not events or self._logs.export(events) is LogRecordExportResult.SUCCESS) and done
        except Exception as error:  # noqa: BLE001 - the library documents no errors
            self._failed(f"{type(error).__name__}: {error}")
        else:
            self._failed("" if done else "the collector cannot be reached, or does not take it")

    def _instruments(self, meter: Meter) -> Any:
        """Create an instrument for each measure; return the histogram, in which each cycle has to be recorded."""
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

    def _record(self, event: Mapping[str, Any]) -> None:
        """Buffer a log event until it is sent."""
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


class _LogBuffer(LogRecordProcessor):
    """Buffers log records until they are taken; drops the latest ones once it is full."""

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
    """Identify this installation; OTEL_RESOURCE_ATTRIBUTES can add to that, and override it."""
    host = socket.gethostname()
    instance = uuid.uuid5(uuid.NAMESPACE_URL, f"agentsync://{host}{state}")
    attributes = {
        "service.name": "agentsync",
        "service.version": __version__,
        "service.instance.id": str(instance),
        "host.name": host,
        "process.owner": _user(),
    }
    return Resource.create(attributes).merge(OTELResourceDetector().detect())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):  # the type depends on the version of Python
        return str(os.getuid()) if hasattr(os, "getuid") else ""


def _nanoseconds(timestamp: str) -> int | None:
    try:
        return int(datetime.fromisoformat(timestamp).timestamp() * 1e9)
    except ValueError:
        return None
