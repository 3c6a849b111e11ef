"""What one look at an installation found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    GOOD = "good"
    WARNING = "doubtful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was looked at, how it is, and what to do where it is not good."""

    subject: str
    health: Health
    message: str
    hint: str = ""
