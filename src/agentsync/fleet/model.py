"""What is known of each machine of a team; the same whichever way it was learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agentsync.rollout.choose import Reason

MAX_SOURCES: Final = 64
"""The most sources that a machine may report; it has a handful."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A source as one machine follows it; what its way of reporting does not have is left empty.

    Attributes:
        source: the source's name on that machine.
        commit: the id of the applied commit. Metrics have its date only.
        committed_at: the committer's date of that commit, in seconds since the epoch.
        stage: the machine's in the source's rollout; empty where it follows none.
        reason: why the rollout chose that commit.
        detail: what the reason refers to.
        due_at: when the next step of the rollout is due, in seconds since the epoch.
        tip: the newest commit of the branch that the machine knows.
        ref: what the machine follows, as git spells it.
        error: why the source could not be fetched or applied; empty where it could.
    """

    source: str
    commit: str = ""
    committed_at: float | None = None
    stage: str = ""
    reason: Reason | None = None
    detail: str = ""
    due_at: float | None = None
    tip: str = ""
    ref: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Agents that a target should have and does not get.

    Attributes:
        target: its name on that machine.
        agent: its name; empty where only the number is known.
        source: the source that has the agent; empty where that is unknown.
        number: how many agents.
        code: of the diagnostic that says why; empty where that is unknown.
    """

    target: str
    agent: str = ""
    source: str = ""
    number: int = 1
    code: str = ""


@dataclass(frozen=True, slots=True)
class FleetMachine:
    """One machine, or one installation of several on it.

    Attributes:
        name: by which the reader tells it from the others.
        sources: each once.
        seen_at: when its last cycle ended, in seconds since the epoch; None where it never had one.
        succeeded_at: when every source was last fetched and applied, in seconds since the epoch.
        suspended: whether it applies nothing for now.
        error: what concerns the machine as a whole, such as a configuration with a mistake; empty for nothing.
    """

    name: str
    sources: tuple[Followed, ...] = ()
    refused: tuple[Refusal, ...] = ()
    seen_at: float | None = None
    succeeded_at: float | None = None
    suspended: bool = False
    error: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A document that is of no use: its place, and why."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class FleetView:
    """All machines, in the order of their names, and the documents that are of no use."""

    machines: tuple[FleetMachine, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
