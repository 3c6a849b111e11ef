"""What a tool's file gives its agent, in the two readings of its permissions."""

from __future__ import annotations

from dataclasses import replace

from agentsync.agents.abilities import Abilities, brought
from agentsync.agents.grants import NOTHING
from agentsync.agents.key_effects import Meaning
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
    """Return the most that the tool may let the agent of its file do.

    That takes no account of hooks, so each of them may be a guard.
    """
    abilities = intended_abilities(target, document, slug)
    hooks = tuple(ability for ability in abilities.brought if ability.meaning is Meaning.HOOKS)
    return replace(abilities, grants=target.most(document), guards=hooks)
