"""What is said in one line."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number and what there are so many of: `1 agent`, `2 agents`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def up_to_date(files: int, targets: int, seconds: float) -> str:
    """That there was nothing to do."""
    return f"up to date: {counted(files, 'file')} in {counted(targets, 'target')} ({seconds:.1f} s)"
