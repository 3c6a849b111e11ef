"""Instructions that a tool treats as a template: it replaces a `${word}` in them, or ends the run."""

from __future__ import annotations

import re

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic

_WORD = re.compile(r"\$\{([a-zA-Z_]\w*)\}", re.ASCII)
ANY_WORD = re.compile(r"\$\{(\w+)\}", re.ASCII)
"""A placeholder that may also begin with a digit."""


def unknown_placeholder(
    prompt: str, known: frozenset[str], title: str, placeholder: re.Pattern[str] = _WORD
) -> list[Diagnostic]:
    """A diagnostic where the tool has no value for a placeholder in the instructions of its own agent."""
    word = next((word for word in placeholder.findall(prompt) if word not in known), None)
    if word is None:
        return []
    message = f"{title} has no value for `${{{word}}}` in the instructions, and so cannot run the agent"
    return [Diagnostic(Code.INVALID_VALUE, message, hint=f"write `${word}`")]


def foreign_placeholder(prompt: str, title: str, placeholder: re.Pattern[str] = _WORD) -> list[Diagnostic]:
    """A refusal where the instructions of another tool's agent hold what this tool takes for a placeholder."""
    match = placeholder.search(prompt)
    if match is None:
        return []
    message = f"{title} puts a value of its own for `{match[0]}` in the instructions, or cannot run the agent"
    return [Diagnostic(Code.REFUSED_REQUIRED, message, hint=f"write `${match[1]}`, or leave the agent out here")]
