"""The result of one check of an installation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The subject of a check, its health, an explanation, and a remedy where it is not good."""

    subject: str
    health: Health
    message: str
    hint: str = ""
