"""What a Git host is to show of a fleet: a commit's status, and a deployment for each stage."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Protocol

from agentsync.core.errors import ConfigError
from agentsync.fleet.assess import SourceView, StageView
from agentsync.fleet.limits import Limits, exceeded
from agentsync.fleet.model import UNKNOWN_STAGE
from agentsync.fleet.placement import State
from agentsync.rollout.tables import MAX_STAGES

NAME: Final = "agentsync/rollout"
"""Name of the commit's status."""

_LONGEST: Final = 140  # characters of a description, by GitHub
_STAGE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Verdict(Enum):
    """How far a commit has come, in a stage or in all of them."""

    IN_PROGRESS = "in progress"
    SUCCESS = "success"
    FAILURE = "failure"

    def follows(self, shown: Verdict | None) -> bool:
        """Whether this replaces what is shown; a laptop that returns late undoes no success."""
        return self is not shown and not (shown is Verdict.SUCCESS and self is Verdict.IN_PROGRESS)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A stage, as an environment, with the commit that its machines should have."""

    environment: str
    commit: str
    verdict: Verdict
    description: str


@dataclass(frozen=True, slots=True)
class Announcement:
    """The status of the commit that all machines are to have in the end, and a deployment for each stage.

    Attributes:
        ref: the name of the branch; empty where it is not known.
        url: of the CI job that posts it; empty where there is none.
    """

    commit: str
    verdict: Verdict
    description: str
    deployments: tuple[Deployment, ...]
    ref: str = ""
    url: str = ""


class Calls(Protocol):
    """The calls of a Git host's API that posting needs; see `http.Api`."""

    def get(self, path: str) -> Any: ...

    def send(self, method: str, path: str, body: Mapping[str, object]) -> Any: ...


def announcement(source: SourceView, limits: Limits, *, ref: str = "", url: str = "") -> Announcement:
    """Make the announcement of a source.

    Raises:
        ConfigError: the ids of commits are not known, or what machines report are no stages.
    """
    stages = [stage for stage in source.stages if stage.reporting]
    known = [stage for stage in stages if stage.stage != UNKNOWN_STAGE]
    if len(known) > MAX_STAGES or not all(_STAGE.fullmatch(stage.stage or source.name) for stage in known):
        # Whoever can write a metric must not be able to make environments.
        raise ConfigError("what the machines report are no stages of a rollout", place=f"source {source.name}")
    if not source.goal.commit or not all(stage.expected.commit for stage in stages if stage.expected.is_known):
        hint = "give the team's repository with --clone, or read status documents"
        raise ConfigError("only the dates of commits are known, not their ids", hint=hint)
    deployments = tuple(
        Deployment(stage.stage or source.name, stage.expected.commit, _verdict(stage, limits), _numbers(stage))
        for stage in known
        if stage.expected.commit
    )
    verdicts = {one.verdict for one in deployments} | {
        _verdict(stage, limits) for stage in stages if stage not in known
    }
    is_done = verdicts == {Verdict.SUCCESS} and all(one.commit == source.goal.commit for one in deployments)
    is_failure = bool(source.mistake) or Verdict.FAILURE in verdicts
    verdict = Verdict.FAILURE if is_failure else Verdict.SUCCESS if is_done else Verdict.IN_PROGRESS
    summary = "the manifest cannot be used; " if source.mistake else ""
    summary += "halted; " if source.halted else "held; " if source.is_held else ""
    summary += ", ".join(f"{one.stage or 'others'} {one.count(State.CURRENT)}/{len(one.reporting)}" for one in stages)
    troubles = {"refused": sum(one.refused for one in stages), "failing": sum(one.failing for one in stages)}
    summary += "".join(f", {number} {word}" for word, number in troubles.items() if number)
    return Announcement(source.goal.commit, verdict, _cut(summary), deployments, ref, url)


def _verdict(stage: StageView, limits: Limits) -> Verdict:
    over = {excess.what for excess in exceeded(stage, limits)}
    if over - {"behind"}:
        return Verdict.FAILURE
    return Verdict.IN_PROGRESS if over else Verdict.SUCCESS


def _numbers(stage: StageView) -> str:
    behind, silent = stage.count(State.BEHIND), stage.count(State.SILENT)
    numbers = {"behind": behind, "refused": stage.refused, "failing": stage.failing, "silent": silent}
    shown = [f"{len(stage.reporting) - behind} of {len(stage.reporting)} on the right commit"]
    return _cut(", ".join([*shown, *(f"{number} {word}" for word, number in numbers.items() if number)]))


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class Posted:
    """What was posted, in words."""

    what: str
    verdict: Verdict
    description: str


Posting = Iterator[Posted]
"""What is posted, as it happens; nothing where the host shows it already."""
