"""A machine from samples of its metrics, whether Prometheus or a text file has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agentsync.fleet.model import FleetMachine, Followed, Refusal
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
    """
    by_measure: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        measure = NAMES.get(sample.name)
        if measure:
            by_measure[measure].append(sample)
    seen_at = _time(_single(by_measure["last_sync.timestamp"]))
    sources = {
        source: None
        for measure, found in by_measure.items()
        if measure.startswith(("source.", "rollout."))
        for sample in found
        if (source := _label(sample, "source"))
    }
    refused = {_label(one, "target"): one.value for one in by_measure["refused_agents"] if one.value >= 1}
    return FleetMachine(
        name,
        sources=tuple(_followed(source, by_measure, seen_at) for source in sorted(sources)),
        refused=tuple(Refusal(target, number=int(min(refused[target], _MOST))) for target in sorted(refused)),
        seen_at=seen_at,
        succeeded_at=_time(_single(by_measure["last_success.timestamp"])),
        suspended=bool(_single(by_measure["suspended"])),
        error="the configuration has a mistake" if _single(by_measure["config_valid"]) == 0 else "",
    )


def _followed(source: str, by_measure: Mapping[str, Sequence[Sample]], seen_at: float | None) -> Followed:
    def own(measure: str) -> list[Sample]:
        return [sample for sample in by_measure.get(measure, ()) if _label(sample, "source") == source]

    stages = {_label(sample, "stage") for sample in own("rollout.stage") if sample.value}
    reasons = {sample.labels.get("reason", "") for sample in own("rollout.stage") if sample.value}
    reason = reasons.pop() if len(reasons) == 1 else ""
    waiting = _single(own("rollout.waiting"))
    return Followed(
        source,
        committed_at=_time(_single(own("source.commit.timestamp"))),
        stage=stages.pop() if len(stages) == 1 else "",
        reason=Reason(reason) if reason in [*Reason] else None,
        due_at=_time(seen_at + waiting) if waiting and seen_at is not None else None,
        error="it cannot be fetched or applied" if _single(own("source.up")) == 0 else "",
    )


def _label(sample: Sample, key: str) -> str:
    return sample.labels.get(key, "")[:_LONGEST]


def _single(samples: Sequence[Sample]) -> float | None:
    return samples[-1].value if samples else None


def _time(value: float | None) -> float | None:
    return value if value is not None and 0 <= value <= _LATEST else None
