"""What is measured of the service, as one table that Prometheus, its text file and OpenTelemetry are filled from.

Commits are no labels: each would begin new series on every machine. `/status.json` has them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import accumulate
from typing import Final

from agentsync import __version__
from agentsync.report.service_status import CycleResult, ServiceStatus
from agentsync.state.records import Action

Labels = tuple[str, ...]
Sample = tuple[Labels, float]
"""The values of a measure's labels, and its own."""


class Kind(Enum):
    """A gauge is what it is now; the others add up what each cycle brings, from the start of the service."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Measure:
    """One thing that is measured.

    Attributes:
        name: as OpenTelemetry has it, below `agentsync.`.
        meaning: in one sentence.
        read: its samples now; of a counter and a histogram, what the last cycle brought.
        labels: their names.
        unit: `s` for seconds; empty for a plain number.
    """

    name: str
    kind: Kind
    meaning: str
    read: Callable[[ServiceStatus], Iterable[Sample]]
    labels: Labels = ()
    unit: str = ""

    @property
    def prometheus_name(self) -> str:
        """As Prometheus has it, and as a collector makes it of the other."""
        unit = "_seconds" if self.unit == "s" else ""
        total = "_total" if self.kind is Kind.COUNTER else ""
        return f"agentsync_{self.name.replace('.', '_')}{unit}{total}"


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many values there were up to each of BOUNDS, of all, and their sum."""

    up_to: tuple[int, ...]
    count: int
    total: float


BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""In seconds: from a cycle that finds nothing changed to one that waits for a deadline."""


def _syncs(service_status: ServiceStatus) -> Iterator[Sample]:
    if last := service_status.last:
        yield (last.exit_code.name.lower(), last.trigger.value), 1


def _duration(service_status: ServiceStatus) -> Iterator[Sample]:
    if last := service_status.last:
        yield (), last.seconds


def _changes(service_status: ServiceStatus) -> Iterator[Sample]:
    if service_status.last and not service_status.suspended:  # then they were only planned
        for action in Action:
            if action not in (Action.KEEP, Action.CONFLICT):
                yield (action.value,), service_status.last.counts.get(action.value, 0)


def _of_last(read: Callable[[CycleResult], float]) -> Callable[[ServiceStatus], Iterator[Sample]]:
    def samples(service_status: ServiceStatus) -> Iterator[Sample]:
        if service_status.last:
            yield (), read(service_status.last)

    return samples


def _diagnostics(service_status: ServiceStatus) -> Iterator[Sample]:
    if service_status.last:
        for code, number in sorted(service_status.last.codes.items()):
            yield (code,), number


def _last_success(service_status: ServiceStatus) -> Iterator[Sample]:
    if service_status.succeeded_at is not None:
        yield (), service_status.succeeded_at


def _next_sync(service_status: ServiceStatus) -> Iterator[Sample]:
    if service_status.next_run_at is not None:
        yield (), service_status.next_run_at


def _fetched(service_status: ServiceStatus) -> Iterator[Sample]:
    for source in service_status.sources:
        if source.fetched_at is not None:
            yield (source.name,), source.fetched_at


_GAUGE, _COUNTER, _HISTOGRAM = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM

MEASURES: Final = (
    Measure("syncs", _COUNTER, "Cycles, by what came of them and why they ran.", _syncs, labels=("result", "trigger")),
    Measure("sync.duration", _HISTOGRAM, "How long a cycle took.", _duration, unit="s"),
    Measure(
        "last_sync.timestamp",
        _GAUGE,
        "When the last cycle ended, whatever came of it.",
        _of_last(lambda last: last.ended_at),
        unit="s",
    ),
    Measure(
        "last_success.timestamp",
        _GAUGE,
        "When last every source was fetched and applied; missing where that never was.",
        _last_success,
        unit="s",
    ),
    Measure("next_sync.timestamp", _GAUGE, "When the next regular cycle is due.", _next_sync, unit="s"),
    Measure(
        "files",
        _GAUGE,
        "Files that agentsync has written and keeps.",
        lambda service_status: [((target.name,), target.files) for target in service_status.targets],
        labels=("target",),
    ),
    Measure(
        "drifted_files",
        _GAUGE,
        "Files that are no longer as they were written; conflicts are among them.",
        lambda service_status: [((target.name,), target.drifted) for target in service_status.targets],
        labels=("target",),
    ),
    Measure(
        "conflicts",
        _GAUGE,
        "Files that are not as the source wants them and are kept.",
        lambda service_status: [((target.name,), target.conflicts) for target in service_status.targets],
        labels=("target",),
    ),
    Measure("changes", _COUNTER, "Files that were changed, by what was done.", _changes, labels=("action",)),
    Measure("diagnostics", _GAUGE, "Findings of the last cycle, by their code.", _diagnostics, labels=("code",)),
    Measure(
        "held",
        _GAUGE,
        "Changes that are held until somebody has looked at them.",
        _of_last(lambda last: last.counts.get("held", 0)),
    ),
    Measure(
        "source.up",
        _GAUGE,
        "Whether the source could be fetched and used when it was asked last.",
        lambda service_status: [((source.name,), not source.error) for source in service_status.sources],
        labels=("source",),
    ),
    Measure(
        "source.fetched.timestamp", _GAUGE, "When the source last answered.", _fetched, labels=("source",), unit="s"
    ),
    Measure(
        "source.synced",
        _GAUGE,
        "Whether the commit that the source leads to is the one that is applied.",
        lambda service_status: [
            ((source.name,), bool(source.applied) and source.applied == source.desired)
            for source in service_status.sources
        ],
        labels=("source",),
    ),
    Measure(
        "suspended",
        _GAUGE,
        "Whether pulling is suspended.",
        lambda service_status: [((), bool(service_status.suspended))],
    ),
    Measure(
        "config_valid",
        _GAUGE,
        "Whether the configuration that stands in the file is the one that is used.",
        lambda service_status: [((), not service_status.config_error)],
    ),
    Measure(
        "unwatched_paths",
        _GAUGE,
        "Paths whose changes are not seen before the next cycle.",
        lambda service_status: [((), len(service_status.fallbacks))],
    ),
    Measure("build_info", _GAUGE, "1, with the version.", lambda _: [((__version__,), 1)], labels=("version",)),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """All measures at one moment; it never changes, so any thread may read it.

    Attributes:
        samples: by name, of gauges and counters.
        durations: of all cycles.
        cycle: the one that came to it with this reading; None where it is another change that was read.
    """

    samples: Mapping[str, tuple[Sample, ...]]
    durations: Distribution
    cycle: CycleResult | None


@dataclass(slots=True)
class Tally:
    """Adds up what the cycles bring."""

    _cycles: int = 0
    _counted: dict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    _durations: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    _seconds: float = 0.0

    def read(self, service_status: ServiceStatus) -> Reading:
        """All measures as they are now. A cycle counts once, however often its standing is read."""
        is_new = service_status.cycles > self._cycles
        self._cycles = service_status.cycles
        if is_new:
            self._add(service_status)
        gauges = {
            measure.name: tuple(measure.read(service_status)) for measure in MEASURES if measure.kind is Kind.GAUGE
        }
        counters = {name: tuple(sorted(counted.items())) for name, counted in self._counted.items()}
        *up_to, count = accumulate(self._durations)
        return Reading(
            samples=gauges | counters,
            durations=Distribution(tuple(up_to), count, self._seconds),
            cycle=service_status.last if is_new else None,
        )

    def _add(self, service_status: ServiceStatus) -> None:
        for measure in MEASURES:
            for labels, value in measure.read(service_status) if measure.kind is not Kind.GAUGE else ():
                if measure.kind is Kind.COUNTER:
                    self._counted[measure.name][labels] += value
                else:
                    self._durations[bisect_left(BOUNDS, value)] += 1
                    self._seconds += value
