"""Short texts that several commands print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentsync.dialects import Kind  # slow to import, and not needed by a pull that has nothing to do


def counted(number: int, noun: str) -> str:
    """A number with a noun: `1 agent`, `2 agents`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def not_synced_line(counts: Mapping[Kind, int]) -> str:
    """What a source has for tools beside agents; empty where there is nothing."""
    shown = ", ".join(f"{count} {kind.one if count == 1 else kind.several}" for kind, count in counts.items())
    return f"not synced: {shown}" if shown else ""


def still_refused(number: int) -> str:
    """That agents are refused which were reported before."""
    return f"{counted(number, 'agent')} still refused (agentsync report)"


def still_installed(number: int) -> str:
    """How many refused agents are in use all the same."""
    return f", {number} of these still installed as before" if number else ""


def up_to_date_line(
    files: int, targets: int, seconds: float, *, refused: int = 0, kept: int = 0, accepted: int = 0
) -> str:
    """The summary of a run that had nothing to do; it is not called up to date where agents are refused."""
    apart = f", {accepted} accepted" if accepted else ""
    if refused:
        words = f"{still_refused(refused)}{still_installed(kept)}"
        return f"{words}; {counted(files, 'file')} unchanged{apart} ({seconds:.1f} s)"
    return f"up to date: {counted(files, 'file')} in {counted(targets, 'target')}{apart} ({seconds:.1f} s)"
