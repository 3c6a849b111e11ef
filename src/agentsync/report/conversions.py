"""What becomes of each agent in each target: written in full, narrowed, or refused, and what it can no longer do."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agentsync.config import Target
from agentsync.convert.losses import without_names
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.sync.compiled_agent import CompiledAgent


class Result(StrEnum):
    """What a target gets of an agent: FULL may lack settings such as a color, EXCLUDED is not for this target."""

    FULL = "full"
    NARROWED = "narrowed"
    REFUSED = "refused"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Conversion:
    """One agent in one target.

    Attributes:
        lost: what it can no longer do there, each as the words after "can".
        reasons: the diagnostics that explain that, or why it is refused.
    """

    result: Result
    lost: tuple[str, ...] = ()
    reasons: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class ConvertedAgent:
    """One agent in all targets.

    Attributes:
        name: of the agent, or the path of a file that cannot be read as one.
        path: of its file; of the first one where tools have versions of their own.
        conversions: by target.
    """

    name: str
    dialect: str
    source: str
    path: str
    conversions: Mapping[str, Conversion]

    @property
    def is_full(self) -> bool:
        """Whether no target gets less of it."""
        return not any(one.result in (Result.NARROWED, Result.REFUSED) for one in self.conversions.values())


_NAMES: Final = re.compile("`[^`]*`")

Groups = dict[str, dict[tuple[str, ...], list[str]]]
"""By a title, the agents that it concerns, and the targets in which it concerns these."""


@dataclass(frozen=True, slots=True)
class Conversions:
    """All agents in all targets, in the order of their names."""

    targets: tuple[Target, ...]
    agents: tuple[ConvertedAgent, ...]

    def counts(self, target: str) -> Counter[Result]:
        """The number of agents with each result in a target."""
        return Counter(agent.conversions[target].result for agent in self.agents)

    def lost(self) -> Groups:
        """Group the agents and targets by the ability that is lost, whatever the servers are called."""
        return self._grouped(lambda one: dict.fromkeys(f"cannot {without_names(ability)}" for ability in one.lost))

    def reasons(self, result: Result) -> Groups:
        """Group the agents and targets with a result by the sentences that explain it, each with its code."""
        return self._grouped(lambda one: _sentences(one.reasons) if one.result is result else ())

    def alike(self, result: Result) -> Groups:
        """As `reasons`, but sentences that differ only by the names in them count as one."""
        names: dict[str, set[str]] = {}
        for title in self.reasons(result):
            names.setdefault(_NAMES.sub("`…`", title), set()).add(title)
        shown = {title: masked if len(titles) > 1 else title for masked, titles in names.items() for title in titles}
        return self._grouped(
            lambda one: dict.fromkeys(map(shown.__getitem__, _sentences(one.reasons))) if one.result is result else ()
        )

    def _grouped(self, titles_of: Callable[[Conversion], Iterable[str]]) -> Groups:
        found: dict[str, dict[str, list[str]]] = {}
        for agent in self.agents:
            for target, conversion in agent.conversions.items():
                for title in titles_of(conversion):
                    found.setdefault(title, {}).setdefault(target, []).append(agent.name)
        groups: Groups = {}
        for title, by_target in sorted(found.items(), key=lambda item: -max(map(len, item[1].values()))):
            for target, agents in by_target.items():
                groups.setdefault(title, {}).setdefault(tuple(agents), []).append(target)
        return groups

    @property
    def record(self) -> dict[str, object]:
        """The documented JSON form (docs/json.md)."""
        return {
            "targets": [
                {"name": target.name, "dialect": target.dialect}
                | {result.value: self.counts(target.name)[result] for result in Result}
                for target in self.targets
            ],
            "agents": [
                {
                    "agent": agent.name,
                    "dialect": agent.dialect,
                    "source": agent.source,
                    "path": agent.path,
                    "targets": {
                        name: {
                            "result": one.result.value,
                            "cannot": list(one.lost),
                            "reasons": [reason.as_dict() for reason in one.reasons],
                        }
                        for name, one in agent.conversions.items()
                    },
                }
                for agent in self.agents
            ],
        }


def conversions_of(
    compiled: Sequence[CompiledAgent], targets: Sequence[Target], diagnostics: Iterable[Diagnostic]
) -> Conversions:
    """Sort the results of a build by agent and target; `diagnostics` are all of the build."""
    reasons: dict[tuple[str, str], list[Diagnostic]] = {}
    for one in diagnostics:
        if one.severity is Severity.ERROR or one.code is Code.ABILITY_LOST:
            reasons.setdefault((one.path, one.target), []).append(one)
    files: dict[str, list[CompiledAgent]] = {}
    for file in compiled:
        if file.name or file.refused:
            files.setdefault(file.slug or next(iter(file.claims), "") or file.path, []).append(file)
    agents = (_agent(versions, targets, reasons) for versions in files.values())
    return Conversions(tuple(targets), tuple(sorted(agents, key=lambda agent: (agent.name, agent.path))))


_Reasons = Mapping[tuple[str, str], Sequence[Diagnostic]]


def _agent(versions: Sequence[CompiledAgent], targets: Iterable[Target], reasons: _Reasons) -> ConvertedAgent:
    first = next((file for file in versions if file.name), versions[0])
    conversions = {target.name: _conversion(versions, target.name, reasons) for target in targets}
    return ConvertedAgent(first.name or first.path, first.dialect, first.source, first.path, conversions)


def _conversion(versions: Sequence[CompiledAgent], target: str, reasons: _Reasons) -> Conversion:
    """What a target gets of an agent: the version that is written there, or else the reason why none is."""
    for file in versions:
        output = file.outputs.get(target)
        if output is None:
            continue
        here = tuple(reasons.get((file.path, target), ()))
        if not output.digest or any(reason.code is Code.NAME_TWICE for reason in here):
            return Conversion(Result.REFUSED, reasons=_errors(here))
        lost = tuple(reason for reason in here if reason.code is Code.ABILITY_LOST)
        return Conversion(Result.NARROWED if output.lost else Result.FULL, output.lost, lost)
    if any(file.refused and target not in file.excluded for file in versions):
        found = dict.fromkeys(reason for file in versions for reason in reasons.get((file.path, ""), ()))
        return Conversion(Result.REFUSED, reasons=_errors(found))
    return Conversion(Result.EXCLUDED)


def _sentences(reasons: Iterable[Diagnostic]) -> dict[str, None]:
    return dict.fromkeys(f"{one.message} [{one.code.id}]" for one in reasons)


def _errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    return tuple(one for one in diagnostics if one.severity is Severity.ERROR)
