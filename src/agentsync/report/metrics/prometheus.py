"""The measures in Prometheus' text format; its library is imported only where the metrics are used."""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from agentsync.report.metrics.measures import BOUNDS, MEASURES, Kind, Measure, Reading

CONTENT_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4

_LONGEST_LINE: Final = 4096  # characters; the library's time grows with the square of a line's labels
_NAME: Final = re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*+")


class Metrics(Collector):
    """A collector of the last reading, and of the system's metrics about this process."""

    def __init__(self) -> None:
        self._reading: Reading | None = None
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def saw(self, reading: Reading) -> None:
        """Replace the reading."""
        self._reading = reading

    def text(self) -> bytes:
        """Render all metrics in the text format, version 0.0.4."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        reading = self._reading
        if reading is not None:
            for measure in MEASURES:
                yield _family(measure, reading)


def write(path: Path, text: bytes) -> None:
    """Replace a metrics file atomically; every user may read it, since node_exporter runs as another one.

    Raises:
        OSError: it cannot be written; the old file stays.
    """
    # Not *.prom, since the collector would read it half-written.
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(text)
        temporary.chmod(0o644)
        temporary.replace(path)
    except OSError:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def parse(text: str, names: Container[str]) -> Iterator[tuple[str, dict[str, str], float]]:
    """Yield the samples of some metrics in the text format: name, labels and value.

    Args:
        text: whole; other lines are not even parsed, since they may be another program's.
        names: of the metrics that are wanted.

    Raises:
        ValueError: a line is malformed or too long.
    """
    for line in text.split("\n"):
        name = _NAME.match(line)
        if name is None or name[0] not in names:
            continue
        if len(line) > _LONGEST_LINE:
            raise ValueError(f"a line has over {_LONGEST_LINE:,} characters")
        for family in text_string_to_metric_families(f"{line}\n"):
            for sample in family.samples:
                yield sample.name, dict(sample.labels), sample.value


def _family(measure: Measure, reading: Reading) -> Metric:
    name = measure.prometheus_name
    if measure.kind is Kind.HISTOGRAM:
        durations = reading.durations
        up_to = zip([*map(str, BOUNDS), "+Inf"], [*durations.up_to, durations.count], strict=True)
        return HistogramMetricFamily(name, measure.meaning, buckets=list(up_to), sum_value=durations.total)
    kind = CounterMetricFamily if measure.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(name, measure.meaning, labels=measure.labels)
    for labels, value in reading.samples.get(measure.name, ()):
        family.add_metric(labels, value)
    return family
