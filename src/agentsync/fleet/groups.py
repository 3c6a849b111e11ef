"""Machines in groups by what they have in common, so that a reader meets each thing once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from agentsync.fleet.assess import SourceView
from agentsync.fleet.model import Refusal
from agentsync.fleet.placement import Placement, State, Version


@dataclass(frozen=True, slots=True)
class NotCurrent:
    """Machines of a stage that have another commit than the newest, for one reason.

    Attributes:
        stage: empty for machines that follow no rollout.
        version: the commit that they have; unknown where they have none.
        expected: the one that they should have.
        reason: in words; empty where it is only that they have not fetched it yet.
        due_at: when the first of them is due to move, in seconds since the epoch, if that is known.
        machines: their names.
    """

    stage: str
    version: Version
    expected: Version
    reason: str
    due_at: float | None
    machines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """An agent that machines refuse, or any agents where only their number is known.

    Attributes:
        agent: empty where only the number is known.
        targets: which do not get it.
        codes: of the diagnostics that give the reason, where they are known.
        most: of the agents, how many one machine refuses.
        machines: their names.
        since: when the first of them refused it first, in seconds since the epoch, if that is known.
    """

    agent: str
    targets: tuple[str, ...]
    codes: tuple[str, ...]
    most: int
    machines: tuple[str, ...]
    since: float | None


@dataclass(frozen=True, slots=True)
class Failing:
    """Machines that fail with one error.

    Attributes:
        since: the earliest time of a last good sync of theirs, in seconds since the epoch, if one is known.
    """

    error: str
    since: float | None
    machines: tuple[str, ...]


def not_current(source: SourceView, state: State) -> list[NotCurrent]:
    """Group the machines that are waiting, or behind."""
    groups = []
    for stage in source.stages:
        members = [one for one in stage.placements if one.state is state]
        for (version, expected, reason), alike in _by(members, _cause).items():
            due_at = _earliest(one.followed.due_at for one in alike)
            groups.append(NotCurrent(stage.stage, version, expected, reason, due_at, _names(alike)))
    return groups


def refused(source: SourceView) -> list[Refused]:
    """Group the refusals by agent, or by machines where there is only their number; the most frequent first."""
    members = [(one, refusal) for one in source.placements for refusal in one.refused]
    groups = []
    for (agent, _), alike in _by(members, lambda pair: _subject(pair[1])).items():
        refusals = [refusal for _, refusal in alike]
        targets = sorted({one.target for one in refusals if one.target})
        codes = sorted({one.code for one in refusals if one.code})
        most = max(one.number for one in refusals)
        since = _earliest(one.since for one in refusals)
        groups.append(Refused(agent, tuple(targets), tuple(codes), most, _names(one for one, _ in alike), since))
    merged = [
        replace(alike[0], targets=tuple(target for group in alike for target in group.targets))
        for alike in _by(groups, lambda group: (group.agent, group.codes, group.most, group.machines)).values()
    ]
    return sorted(merged, key=lambda group: (-len(group.machines), group.agent, group.targets))


def failing(source: SourceView) -> list[Failing]:
    """Group the machines that fail, by their error; the most frequent first."""
    members = [one for one in source.placements if one.error]
    groups = []
    for error, alike in _by(members, lambda one: one.error).items():
        groups.append(Failing(error, _earliest(one.machine.succeeded_at for one in alike), _names(alike)))
    return sorted(groups, key=lambda group: (-len(group.machines), group.error))


def silent(source: SourceView) -> list[Placement]:
    """Return the machines that are silent, the one that has been so for longest first."""
    members = [one for one in source.placements if one.state is State.SILENT]
    return sorted(members, key=lambda one: (one.machine.seen_at or 0, one.machine.name))


def suspended(source: SourceView) -> tuple[str, ...]:
    """Return the names of machines that apply nothing for now."""
    return _names(one for one in source.placements if one.machine.suspended and one.state is not State.SILENT)


def _cause(one: Placement) -> tuple[Version, Version, str]:
    return one.version, one.expected, one.reason


def _subject(refusal: Refusal) -> tuple[str, str]:
    return refusal.agent, "" if refusal.agent else refusal.target


def _earliest(times: Iterable[float | None]) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _names(placements: Iterable[Placement]) -> tuple[str, ...]:
    return tuple(sorted({one.machine.name for one in placements}))


_Key = TypeVar("_Key", bound=Hashable)
_Member = TypeVar("_Member")


def _by(members: Iterable[_Member], key: Callable[[_Member], _Key]) -> dict[_Key, list[_Member]]:
    groups: dict[_Key, list[_Member]] = {}
    for member in members:
        groups.setdefault(key(member), []).append(member)
    return groups
