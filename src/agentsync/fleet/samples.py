"""A machine from samples of its metrics, whether Prometheus or a text file has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentsync.fleet.model import MAX_SOURCES, FleetMachine, Followed, Refusal
from agentsync.report.metrics.measures import MEASURES
from agentsync.rollout.choose import Reason

_USED: Final = (
    "last_sync.timestamp",
    "last_success.timestamp",
    "refused_agents",
    "source.up",
    "source.commit.timestamp",
    "rollout.stage",
    "rollout.waiting",
    "suspended",
    "config_valid",
)
NAMES: Final = {measure.prometheus_name: measure.name for measure in MEASURES if measure.name in _USED}
"""The metrics that are read, by their names in Prometheus, with their own."""

_LONGEST: Final = 255
_MOST: Final = 1e9
_LATEST: Final = 253_402_300_799.0
"""The end of the year 9999: later times have no date."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One value of a metric, by its name in Prometheus."""

    name: str
    labels: Mapping[str, str]
    value: float


def machine_of(name: str, samples: Iterable[Sample]) -> FleetMachine:
    """Make a machine from its samples; unknown ones, and values that cannot be, are passed over.

    Args:
        name: of the machine.
        samples: in any order. Where a source has several stages, none is known to be the current one.

    Raises:
        ValueError: it has more sources than any machine.
    """
    found: defaultdict[str, defaultdict[str, list[Sample]]] = defaultdict(lambda: defaultdict(list))
    for sample in samples:
        if measure := NAMES.get(sample.name):
            found[_label(sample, "source")][measure].append(sample)
    if len(found) > MAX_SOURCES + 1:
        raise ValueError(f"it has over {MAX_SOURCES} sources")
    own = found.pop("", defaultdict(list))
    seen_at = _time(_single(own["last_sync.timestamp"]))
    refused = {_label(one, "target"): one.value for one in own["refused_agents"] if one.value >= 1}
    return FleetMachine(
        name,
        sources=tuple(_followed(source, found[source], seen_at) for source in sorted(found)),
        refused=tuple(Refusal(target, number=int(min(refused[target], _MOST))) for target in sorted(refused)),
        seen_at=seen_at,
        succeeded_at=_time(_single(own["last_success.timestamp"])),
        suspended=bool(_single(own["suspended"])),
        error="the configuration has a mistake" if _single(own["config_valid"]) == 0 else "",
    )


def _followed(source: str, found: Mapping[str, Sequence[Sample]], seen_at: float | None) -> Followed:
    states = [sample for sample in found.get("rollout.stage", ()) if sample.value]
    stages = {_label(sample, "stage") for sample in states}
    reasons = {sample.labels.get("reason", "") for sample in states}
    reason = reasons.pop() if len(reasons) == 1 else ""
    waiting = _single(found.get("rollout.waiting", ()))
    return Followed(
        source,
        committed_at=_time(_single(found.get("source.commit.timestamp", ()))),
        stage=stages.pop() if len(stages) == 1 else "",
        reason=Reason(reason) if reason in [*Reason] else None,
        due_at=_time(seen_at + waiting) if waiting and seen_at is not None else None,
        error="it cannot be fetched or applied" if _single(found.get("source.up", ())) == 0 else "",
    )


def _label(sample: Sample, key: str) -> str:
    return sample.labels.get(key, "")[:_LONGEST]


def _single(samples: Sequence[Sample]) -> float | None:
    return samples[-1].value if samples else None


def _time(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= _LATEST else None
