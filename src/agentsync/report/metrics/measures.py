"""The service's metrics, as one table for Prometheus, its text file and OpenTelemetry.

Commits are not labels: each would begin new series on every machine. `/status.json` has them.
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
"""The values of a measure's labels, and its value."""


class Kind(Enum):
    """The kind of a measure: a gauge is a current value, the others accumulate from the start of the service."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Measure:
    """The definition of a metric.

    Attributes:
        name: the name in OpenTelemetry, below `agentsync.`.
        meaning: its description in one sentence.
        read: its current samples; for a counter or a histogram, those of the last cycle.
        labels: the names of its labels.
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
        """The name in Prometheus, which is also what a collector makes of the name in OpenTelemetry."""
        unit = "_seconds" if self.unit == "s" else ""
        total = "_total" if self.kind is Kind.COUNTER else ""
        return f"agentsync_{self.name.replace('.', '_')}{unit}{total}"


@dataclass(frozen=True, slots=True)
class Distribution:
    """A histogram: the number of values up to each of BOUNDS, the number of all values, and their sum."""

    up_to: tuple[int, ...]
    count: int
    total: float


BOUNDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""In seconds: from a cycle that finds everything up to date to one that waits for a deadline."""


def _syncs(service_status: ServiceStatus) -> Iterator[Sample]:
    if last := service_status.last:
        yield (last.exit_code.name.lower(), last.trigger.value), 1


def _duration(service_status: ServiceStatus) -> Iterator[Sample]:
    if last := service_status.last:
        yield (), last.seconds


def _changes(service_status: ServiceStatus) -> Iterator[Sample]:
    if service_status.last and not service_status.suspended:  # while suspended, changes are only planned
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


def _committed(service_status: ServiceStatus) -> Iterator[Sample]:
    for source in service_status.sources:
        if source.committed_at is not None:
            yield (source.name,), source.committed_at


def _refused(service_status: ServiceStatus) -> Iterator[Sample]:
    names = dict.fromkeys(source.name for source in service_status.sources)
    for target in service_status.targets:
        # Sources with none too: what a rule compares must be there before the first one is refused.
        for name in names | dict.fromkeys(target.refused):
            yield (target.name, name), target.refused.get(name, 0)


def _refused_since(service_status: ServiceStatus) -> Iterator[Sample]:
    for target in service_status.targets:
        if target.refused_since is not None:
            yield (target.name,), target.refused_since


def _waiting(service_status: ServiceStatus) -> Iterator[Sample]:
    at = service_status.last.ended_at if service_status.last else service_status.started_at
    for name, choice in service_status.rollouts.items():
        yield (name,), max(0.0, choice.due_at - at) if choice.due_at is not None else 0.0


def _fetched(service_status: ServiceStatus) -> Iterator[Sample]:
    for source in service_status.sources:
        if source.fetched_at is not None:
            yield (source.name,), source.fetched_at


_GAUGE, _COUNTER, _HISTOGRAM = Kind.GAUGE, Kind.COUNTER, Kind.HISTOGRAM

MEASURES: Final = (
    Measure("syncs", _COUNTER, "Cycles, by their result and trigger.", _syncs, labels=("result", "trigger")),
    Measure("sync.duration", _HISTOGRAM, "How long a cycle took.", _duration, unit="s"),
    Measure(
        "last_sync.timestamp",
        _GAUGE,
        "When the last cycle ended, whatever its result.",
        _of_last(lambda last: last.ended_at),
        unit="s",
    ),
    Measure(
        "last_success.timestamp",
        _GAUGE,
        "When every source was last fetched and applied; missing if never.",
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
        "Files that are no longer as they were written, including conflicts.",
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
    Measure(
        "refused_agents",
        _GAUGE,
        "Agents of a source that a target should have and does not get, since they are refused.",
        _refused,
        labels=("target", "source"),
    ),
    Measure(
        "refused_since.timestamp",
        _GAUGE,
        "Since when the agent is refused that a target refuses for the longest time; missing if it refuses none.",
        _refused_since,
        labels=("target",),
        unit="s",
    ),
    Measure("changes", _COUNTER, "Files that were changed, by action.", _changes, labels=("action",)),
    Measure("diagnostics", _GAUGE, "Diagnostics of the last cycle, by code.", _diagnostics, labels=("code",)),
    Measure(
        "held",
        _GAUGE,
        "Changes that are held until somebody has reviewed them.",
        _of_last(lambda last: last.counts.get("held", 0)),
    ),
    Measure(
        "source.up",
        _GAUGE,
        "Whether the source could be fetched and used last time.",
        lambda service_status: [((source.name,), not source.error) for source in service_status.sources],
        labels=("source",),
    ),
    Measure(
        "source.fetched.timestamp", _GAUGE, "When the source last answered.", _fetched, labels=("source",), unit="s"
    ),
    Measure(
        "source.commit.timestamp",
        _GAUGE,
        "The committer's date of the applied commit.",
        _committed,
        labels=("source",),
        unit="s",
    ),
    Measure(
        "rollout.stage",
        _GAUGE,
        "1, with this machine's stage in the rollout of a source, and why it uses its commit.",
        lambda service_status: [
            ((name, choice.stage, choice.reason.value), 1)
            for name, choice in service_status.rollouts.items()
            if choice.stage  # a machine with a delay of its own is in no stage
        ],
        labels=("source", "stage", "reason"),
    ),
    Measure(
        "rollout.waiting",
        _GAUGE,
        "Time from the last cycle to the next step of a source's rollout; 0 where none is due.",
        _waiting,
        labels=("source",),
        unit="s",
    ),
    Measure(
        "source.synced",
        _GAUGE,
        "Whether the source's latest commit is the one that is applied.",
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
        "Whether the configuration file is valid and in use.",
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
    """All measures at one time; immutable, so any thread may read it.

    Attributes:
        samples: the samples of gauges and counters, by name.
        durations: the durations of all cycles.
        cycle: the cycle that this reading adds; None where something else changed.
    """

    samples: Mapping[str, tuple[Sample, ...]]
    durations: Distribution
    cycle: CycleResult | None


@dataclass(slots=True)
class Tally:
    """Accumulates the counters and the histogram over all cycles."""

    _cycles: int = 0
    _counters: dict[str, dict[Labels, float]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(float)))
    _durations: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    _seconds: float = 0.0

    def read(self, service_status: ServiceStatus) -> Reading:
        """Read all measures. A cycle counts once, however often its status is read."""
        is_new = service_status.cycles > self._cycles
        self._cycles = service_status.cycles
        if is_new:
            self._add(service_status)
        gauges = {
            measure.name: tuple(measure.read(service_status)) for measure in MEASURES if measure.kind is Kind.GAUGE
        }
        counters = {name: tuple(sorted(totals.items())) for name, totals in self._counters.items()}
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
                    self._counters[measure.name][labels] += value
                else:
                    self._durations[bisect_left(BOUNDS, value)] += 1
                    self._seconds += value
