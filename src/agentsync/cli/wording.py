"""Short texts that several commands print."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number with a noun: `1 agent`, `2 agents`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def up_to_date_line(files: int, targets: int, seconds: float) -> str:
    """The summary of a run that had nothing to do."""
    return f"up to date: {counted(files, 'file')} in {counted(targets, 'target')} ({seconds:.1f} s)"
