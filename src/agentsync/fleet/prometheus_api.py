"""All machines, from a Prometheus server or another one with its HTTP API."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, ValidationError

from agentsync.core.errors import ConfigError, SourceUnavailableError
from agentsync.core.urls import redact
from agentsync.fleet.http import Api
from agentsync.fleet.model import MAX_NAME, FleetView, Unreadable
from agentsync.fleet.samples import NAMES, Sample, machine_of

LARGEST: Final = 128 << 20
"""Bytes of one answer: the samples of one metric, of some 100,000 machines."""

# One matcher after another, so that nothing else gets into the query.
_MATCHERS: Final = re.compile(
    r'\s*+[A-Za-z_][A-Za-z0-9_]*+\s*+(?:=~|!~|!=|=)\s*+"(?:[^"\\\n]|\\.)*+"\s*+'
    r'(?:,\s*+[A-Za-z_][A-Za-z0-9_]*+\s*+(?:=~|!~|!=|=)\s*+"(?:[^"\\\n]|\\.)*+"\s*+)*+'
)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Series(_Part):
    metric: dict[str, str]
    value: tuple[float, str]


class _Data(_Part):
    result: tuple[_Series, ...]


class _Answer(_Part):
    data: _Data
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of the server.

    Attributes:
        match: further label matchers, such as `job="agentsync"`; empty for none.
        machine_label: whose value is a machine's name.
        lookback: how long ago a machine may have reported, in seconds; one that is switched off is shown as silent.
    """

    match: str = ""
    machine_label: str = "instance"
    lookback: float = 30 * 86400

    def __post_init__(self) -> None:
        """Check the matchers.

        Raises:
            ConfigError: they are none.
        """
        if self.match and not _MATCHERS.fullmatch(self.match):
            raise ConfigError(f"`{self.match}` is no list of label matchers", hint='such as job="agentsync",team="web"')
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", self.machine_label):
            raise ConfigError(f"`{self.machine_label}` is no name of a label", hint="most often it is `instance`")


def read_prometheus(api: Api, query: Query) -> FleetView:
    """Read all machines.

    Of a machine that is switched off, the server has no current samples; what it has of the time before is asked for
    too, by the times of the last cycles, which have no labels that change. So is the stage of a source that fails.

    Raises:
        SourceUnavailableError: there is no answer, or it is no answer of such a server.
    """
    samples: defaultdict[str, list[Sample]] = defaultdict(list)
    for name in NAMES:
        for labels, value in _ask(api, _selector(name, query)):
            machine = labels.get(query.machine_label, "")[:MAX_NAME]
            samples[machine].append(Sample(name, labels, value))
    current = {*samples}
    without_stage = _without_stage(samples)
    for name in _STABLE:
        for labels, value in _ask(api, f"last_over_time({_selector(name, query)}[{int(query.lookback)}s])"):
            machine = labels.get(query.machine_label, "")[:MAX_NAME]
            if machine not in current:
                samples[machine].append(Sample(name, labels, value))
            elif NAMES[name] == "rollout.stage" and (machine, labels.get("source")) in without_stage:
                # Where the machine was is known, and no longer why.
                samples[machine].append(Sample(name, {**labels, "reason": ""}, value))
    machines, unreadable = [], []
    if nameless := samples.pop("", None):
        reason = f"{len(nameless)} samples have no label `{query.machine_label}` with a machine's name"
        unreadable.append(Unreadable(redact(api.base), reason))
    for name in sorted(samples):
        try:
            machines.append(machine_of(name, samples[name]))
        except ValueError as error:
            unreadable.append(Unreadable(name, str(error)))
    return FleetView(tuple(machines), tuple(unreadable))


def _without_stage(samples: Mapping[str, Sequence[Sample]]) -> set[tuple[str, str | None]]:
    """Return the machines with each of their sources that fails and of which they report no stage."""
    failing, staged = set(), set()
    for machine, own in samples.items():
        for sample in own:
            measure, key = NAMES[sample.name], (machine, sample.labels.get("source"))
            if measure == "source.up" and not sample.value:
                failing.add(key)
            elif measure == "rollout.stage" and sample.value:
                staged.add(key)
    return failing - staged


_STABLE: Final = [
    name
    for name, measure in NAMES.items()
    if measure in ("last_sync.timestamp", "last_success.timestamp", "source.commit.timestamp", "rollout.stage")
]


def _selector(name: str, query: Query) -> str:
    return f"{name}{{{query.match}}}"


def _ask(api: Api, text: str) -> Iterator[tuple[Mapping[str, str], float]]:
    place = redact(api.base)
    document = api.get(f"/api/v1/query?{urlencode({'query': text})}")
    try:
        answer = _Answer.model_validate(document)
        series: Sequence[_Series] = answer.data.result
        for one in series:
            yield one.metric, float(one.value[1])
    except (ValidationError, ValueError) as error:
        raise SourceUnavailableError("this is no answer of a Prometheus server", place=place) from error
