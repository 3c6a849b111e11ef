"""The proof that an output grants no more than its agent: it is read back and compared, exactly."""

from __future__ import annotations

from agentsync.agents.grants import Grants, wider
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, upper_bound
from agentsync.agents.patterns import TooManyPatternsError
from agentsync.dialects import Dialect
from agentsync.formats.document import Document, UnreadableError
from agentsync.repository.dialect_detection import ReadAgent
from agentsync.repository.overrides import Overridden


def read_back(data: bytes, path: str, agent: Agent, allowed: Grants, target: Dialect) -> tuple[Document | None, str]:
    """Read the output back, and describe what it grants beyond what is allowed; empty where it grants nothing more."""
    try:
        document = target.parse(data, path)
        again = target.read(document, agent.slug).agent
        if document.repaired or again is None or again.slug != agent.slug:
            return None, "the output does not read back"
        widening = wider(target.enforced(document).with_flat_names(), allowed.with_flat_names())
    except UnreadableError as error:
        return None, f"the output does not read back: {error.message}"
    except TooManyPatternsError as error:
        return None, error.message
    return document, str(widening) if widening else ""


def upper_bound_of(read: ReadAgent, effective: Overridden, target: Dialect, options: WriteOptions) -> Grants:
    """Return the upper bound of what the target may grant to this agent."""
    # For its own tool, that is what the tool itself enforces of the source's file.
    if read.dialect is target and not effective.regranted:
        return target.enforced(read.document)
    grants = effective.agent.grants if effective.agent else read.agent.grants
    return upper_bound(grants.with_effects() if target.uses_effects else grants, target.capabilities, options)
