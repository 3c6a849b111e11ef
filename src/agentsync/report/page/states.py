"""The state of each agent in each target, and of the agent as a whole: the worst of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from agentsync.state.records import Action, Key
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.report import Refused, Report, is_drifted
from agentsync.targets.change import Change


class State(Enum):
    """State of an agent in a target, the worst one first: its letter for the filter, its kind, and its words."""

    REFUSED = "r", "bad", "refused"
    CONFLICT = "c", "bad", "in conflict"
    HELD = "h", "bad", "held"
    DRIFTED = "d", "warn", "drifted"
    PENDING = "p", "warn", "pending"
    ACCEPTED = "a", "none", "in conflict, accepted"
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
        refused: where it is refused; None where it is not, or where that is accepted.
    """

    compiled: CompiledAgent
    states: Mapping[str, State]
    refused: Refused | None = None

    @property
    def name(self) -> str:
        """The agent's name; of a file without one, its path."""
        return self.compiled.name or self.compiled.path

    @property
    def worst(self) -> State:
        if not self.states:
            if self.refused:
                return State.REFUSED
            return State.LEFT_OUT if self.compiled.refused else State.UNUSED
        return min(self.states.values(), key=STATES.index)

    @property
    def kept(self) -> tuple[str, ...]:
        """The targets that refuse it and still have its last good version."""
        return self.refused.kept if self.refused else ()

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
    refused = {(one.source, one.path): one for one in report.refused}
    accepted = report.accepted_conflicts
    statuses = []
    for one in report.compiled:
        if one.name or one.refused:
            refusal = refused.get((one.source, one.path))
            states = {}
            for target in (target.name for target in report.targets):
                change = changes.get((target, one.source, one.path))
                if refusal and target in refusal.targets:
                    states[target] = State.REFUSED
                elif change and change.key in accepted:
                    states[target] = State.ACCEPTED
                else:
                    states[target] = _state(one, target, change, held)
            statuses.append(AgentStatus(one, states, refusal))
    return sorted(statuses, key=lambda one: (STATES.index(one.worst), one.name))


def _state(compiled: CompiledAgent, target: str, change: Change | None, held: frozenset[Key]) -> State:
    """Return the state of an agent that the target does not refuse, or whose refusal is accepted."""
    output = compiled.outputs.get(target)
    if target in compiled.excluded or compiled.refused or (output and not output.digest):
        return State.LEFT_OUT
    if output is None or change is None:
        return State.UNUSED
    if change.key in held:
        return State.HELD
    if change.action is Action.CONFLICT:
        return State.CONFLICT
    if change.action is Action.KEEP:
        return State.IN_SYNC
    return State.DRIFTED if is_drifted(change) else State.PENDING
