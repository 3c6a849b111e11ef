"""The state of each agent in each target, and of the agent as a whole: the worst of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from agentsync.state.records import Action, Key
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.report import Report, is_drifted
from agentsync.targets.change import Change


class State(Enum):
    """State of an agent in a target, the worst one first: its letter for the filter, its kind, and its words."""

    REFUSED = "r", "bad", "refused"
    CONFLICT = "c", "bad", "in conflict"
    HELD = "h", "bad", "held"
    DRIFTED = "d", "warn", "drifted"
    PENDING = "p", "warn", "pending"
    IN_SYNC = "s", "good", "in sync"
    LEFT_OUT = "l", "none", "left out"
    UNUSED = "n", "none", "not used"

    def __init__(self, letter: str, kind: str, words: str) -> None:
        self.letter = letter
        self.kind = kind
        self.words = words

    @property
    def is_problem(self) -> bool:
        return self.kind in ("bad", "warn")


STATES = (*State,)


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """Status of one agent, or of a file that no agent can be read from.

    Attributes:
        states: by target's name, in the targets' order.
        kept: the targets that refuse it and still have its last good version.
    """

    compiled: CompiledAgent
    states: Mapping[str, State]
    kept: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The agent's name; of a file without one, its path."""
        return self.compiled.name or self.compiled.path

    @property
    def worst(self) -> State:
        if not self.states:
            return State.REFUSED if self.compiled.refused else State.UNUSED
        return min(self.states.values(), key=STATES.index)

    @property
    def targets(self) -> dict[State, list[str]]:
        """The targets in each state, the worst state first."""
        found = {state: [name for name, own in self.states.items() if own is state] for state in STATES}
        return {state: names for state, names in found.items() if names}


def agent_statuses(report: Report) -> list[AgentStatus]:
    """Return the status of each agent, those with the worst state first, and otherwise by name."""
    changes = {
        (change.target, owner.source, owner.source_path): change
        for change in (*report.plan.changes, *report.plan.held)
        if (owner := change.wanted or change.base)
    }
    held = frozenset(change.key for change in report.plan.held)
    statuses = [
        _status(one, {target.name: changes.get((target.name, one.source, one.path)) for target in report.targets}, held)
        for one in report.compiled
        if one.name or one.refused
    ]
    return sorted(statuses, key=lambda one: (STATES.index(one.worst), one.name))


def _status(compiled: CompiledAgent, changes: Mapping[str, Change | None], held: frozenset[Key]) -> AgentStatus:
    states = {target: _state(compiled, target, change, held) for target, change in changes.items()}
    kept = (
        target
        for target, change in changes.items()
        if states[target] is State.REFUSED and change and change.action is Action.KEEP and change.actual.digest
    )
    return AgentStatus(compiled, states, frozenset(kept))


def _state(compiled: CompiledAgent, target: str, change: Change | None, held: frozenset[Key]) -> State:
    output = compiled.outputs.get(target)
    if target in compiled.excluded:
        return State.LEFT_OUT
    if compiled.refused or (output and not output.digest):
        return State.REFUSED
    if output is None or change is None:
        return State.UNUSED
    if change.key in held:
        return State.HELD
    if change.action is Action.CONFLICT:
        return State.CONFLICT
    if change.action is Action.KEEP:
        return State.IN_SYNC
    return State.DRIFTED if is_drifted(change) else State.PENDING
