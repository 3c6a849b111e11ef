"""What the questions of `pull` mean: whether this service can answer them, and what those who ask want together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agentsync.dialects import moving_variables
from agentsync.service.control import Asked, Question, environment
from agentsync.sync.up_to_date import deciding
from agentsync.targets.change import Consent


def asks_for(question: Question, config: Path, text: str) -> bool:
    """Whether it asks for this configuration, and every variable that decides what it says is the same on both sides.

    Args:
        question: what was asked.
        config: the path of the configuration.
        text: what it was read from.
    """
    own = environment()
    same = all(question.environment.get(name) == own.get(name) for name in deciding(text, moving_variables()))
    return question.config == str(config) and same


def consent_of(asked: Sequence[Asked]) -> Consent | None:
    """What all who ask agree to together; None where that is nothing."""
    deletions = any(one.question.allow_deletions for one in asked)
    escalation = any(one.question.allow_escalation for one in asked)
    return Consent(deletions, escalation) if deletions or escalation else None


def want_all(asked: Sequence[Asked]) -> bool:
    """Whether somebody wants to see more than that there was nothing to do."""
    return any(one.question.json or one.question.verbosity > 0 for one in asked)
