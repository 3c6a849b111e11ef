"""What a tool's file gives its agent, in the two readings of its permissions."""

from __future__ import annotations

from collections.abc import Iterator

from agentsync.agents.abilities import Abilities, brought
from agentsync.agents.grants import NOTHING
from agentsync.agents.key_effects import Meaning
from agentsync.agents.model import Agent
from agentsync.dialects import Dialect
from agentsync.formats.document import Document


def intended_abilities(target: Dialect, document: Document, slug: str) -> Abilities:
    """Return what the author of a tool's file intended; nothing where it defines no agent."""
    agent = target.read(document, slug).agent
    return Abilities(
        grants=agent.grants if agent else NOTHING,
        brought=tuple(brought(target.effects_of, document.metadata.items())),
        model=(agent.model or "") if agent else "",
        is_disabled=bool(agent and agent.disabled),
    )


def enforced_abilities(target: Dialect, document: Document, slug: str) -> Abilities:
    """Return the most that the tool may let the agent of its file do, and where it runs.

    That takes no account of hooks, so each of them may be a guard.
    """
    agent = target.read(document, slug).agent
    brings = tuple(brought(target.effects_of, document.metadata.items()))
    return Abilities(
        grants=target.most(document),
        brought=brings,
        guards=tuple(ability for ability in brings if ability.meaning is Meaning.HOOKS),
        model=(agent.model or "") if agent else "",
        is_disabled=bool(agent and agent.disabled),
        mode=agent.mode if agent else None,
        further=frozenset(_further(agent)) if agent else frozenset(),
    )


def _further(agent: Agent) -> Iterator[tuple[str, str]]:
    """Yield what an agent does beyond its calls and keys, with the value that decides it."""
    yield from ((f"skill `{skill}`", "") for skill in agent.skills)
    if agent.initial_prompt:
        yield "a first prompt of its own", agent.initial_prompt
    if agent.memory:
        yield "a memory", agent.memory
    if not agent.isolation:
        yield "to work in the user's own files", ""
