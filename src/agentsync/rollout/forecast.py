"""What a rollout does next: which commit each stage has, and when that changes if nothing is pushed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from agentsync.rollout.choose import Choice, Machine, choose, stage_of
from agentsync.rollout.line import Line
from agentsync.rollout.tables import MachineRolloutTable, RolloutTable

LIKELY: Final = 1 / 100
"""A chance above which something is worth a word."""
_MOST_STEPS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Step:
    """The choices of all stages at a time, in seconds since the epoch."""

    at: float
    choices: Mapping[str, Choice]


def forecast(line: Line, rollout: RolloutTable, now: float) -> Iterator[Step]:
    """Yield the choice of each stage now, and after each change that is still to come.

    Commits count as published at their date, as for a machine that polls all the time and was set up just now.
    """
    applied = dict.fromkeys((stage.name for stage in rollout.stages), "")
    positions = {commit.id: index for index, commit in enumerate(line)}
    for _ in range(_MOST_STEPS):
        choices = {
            name: choose(line, rollout, _machine(name), now=now, applied=commit, ahead=positions.get(commit))
            for name, commit in applied.items()
        }
        if {name: choice.commit for name, choice in choices.items()} != applied or not any(applied.values()):
            yield Step(now, choices)
        applied = {name: choice.commit for name, choice in choices.items()}
        dues = [choice.due_at for choice in choices.values() if choice.due_at is not None]
        if not dues:
            return
        now = min(dues)


def populations(rollout: RolloutTable, source: str, machines: int) -> Counter[str]:
    """Return how many of so many machines are in each stage by their share."""
    return Counter(stage_of(Machine(f"machine-{number}", source), rollout).name for number in range(machines))


def probably_empty(rollout: RolloutTable, machines: int) -> Mapping[str, float]:
    """Return how likely each stage before the last is to be without a machine, of those where that is over LIKELY.

    A machine is in a stage with the probability of its share, independently of others.
    """
    lower, chances = 0.0, {}
    for stage in rollout.stages[:-1]:
        chance = (1 - (stage.share - lower) / 100) ** machines
        if chance > LIKELY and not rollout.groups.get(stage.name):
            chances[stage.name] = chance
        lower = stage.share
    return chances


def _machine(stage: str) -> Machine:
    return Machine("", "", MachineRolloutTable(stage=stage))
