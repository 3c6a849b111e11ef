"""Whether this service can answer a `pull` request, and what several requests have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from agentsync.service.control_socket import Asked, Question, environment
from agentsync.sync.up_to_date import deciding
from agentsync.targets.consent import Consent


def asks_for(question: Question, config: Path, text: str, variables: Iterable[str]) -> bool:
    """Whether a question is for this configuration, with the same values of all environment variables that affect it.

    Args:
        question: the client's question.
        config: the path of the service's configuration.
        text: the text that it was read from.
        variables: the names of those that move a tool's directory.
    """
    own = environment()
    same = all(question.environment.get(name) == own.get(name) for name in deciding(text, variables))
    return question.config == str(config) and same


def consent_of(asked: Sequence[Asked]) -> Consent | None:
    """The consent that the clients give together; None where there is none."""
    deletions = any(one.question.allow_deletions for one in asked)
    escalation = any(one.question.allow_escalation for one in asked)
    scattered = any(one.question.allow_scattered for one in asked)
    return Consent(deletions, escalation, scattered) if deletions or escalation or scattered else None


def want_all(asked: Sequence[Asked]) -> bool:
    """Whether a client wants more output than one line when there is nothing to do."""
    return any(one.question.json or one.question.verbosity > 0 for one in asked)
