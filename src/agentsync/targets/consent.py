"""What the user agrees to; a module of its own, since the up-to-date check imports it and no change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from agentsync.targets.change import Change


def _never(_change: Change) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Consent:
    """Consent of the user for one run.

    Attributes:
        deletions: to delete everything that a source drops at once, or that remains from its former URL.
        escalation: to give agents more abilities than they had here.
        scattered: to take all agents of a new source that are outside of its directories of agents.
        replaces: whether the source's file may replace the file that is in conflict with it.
    """

    deletions: bool = False
    escalation: bool = False
    scattered: bool = False
    replaces: Callable[[Change], bool] = _never
