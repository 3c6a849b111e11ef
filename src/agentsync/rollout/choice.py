"""Which commit a machine uses, and why: values for whoever shows them, without the library that reads tables."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a machine uses the commit that it does."""

    CURRENT = "current"
    """It is the newest one."""
    WAITING = "waiting"
    """A newer one is not old enough for this machine's stage."""
    OUTSIDE_WINDOW = "outside the window"
    """A newer one waits for the window in which machines of this stage move."""
    URGENT = "urgent"
    """Its trailer declares it, or it reverts what the machine has."""
    HALTED = "halted"
    HELD = "held at"
    """The manifest names it."""
    STAYING = "staying"
    """What the manifest asks for cannot be done, or every newer commit contains something reverted."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The commit to use.

    Attributes:
        commit: its id; empty where there is none yet.
        tip: the newest commit of the branch.
        reason: why it is this one.
        stage: the machine's; empty where no rollout applies.
        detail: what the reason refers to: why it is halted, or why nothing newer can be used.
        due_at: when the next step is due as far as is known now, in seconds since the epoch; None where none is.
        mistake: which of the machine's own settings name what the rollout does not have; empty where none does.
    """

    commit: str
    tip: str
    reason: Reason
    stage: str = ""
    detail: str = ""
    due_at: float | None = None
    mistake: str = ""
