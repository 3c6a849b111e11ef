"""The proof that an output gives no more than its agent has: it is read back and compared, exactly."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import JsonValue

from agentsync.agents.abilities import Abilities, Gain, brought, gained
from agentsync.agents.grants import NOTHING, Grants
from agentsync.agents.model import NEUTRAL, Agent
from agentsync.agents.narrowing import WriteOptions, upper_bound
from agentsync.agents.patterns import TooManyPatternsError
from agentsync.convert.abilities import intended_abilities
from agentsync.core.naming import folded_key
from agentsync.dialects import Dialect
from agentsync.formats.document import Document, UnreadableError
from agentsync.repository.dialect_detection import ReadAgent
from agentsync.repository.overrides import Overridden


@dataclass(frozen=True, slots=True)
class ReadBack:
    """An output as it was read back.

    Attributes:
        document: as parsed by the target's dialect; None where it does not read back.
        agent: what it means; None where that is not known.
        enforced: the most that its tool may let it do.
        widening: what it gives beyond what is allowed; empty where it gives nothing more.
    """

    document: Document | None = None
    agent: Agent | None = None
    enforced: Grants = NOTHING
    widening: str = ""


def read_back(data: bytes, path: str, agent: Agent, allowed: Grants, target: Dialect) -> ReadBack:
    """Read the output back, and compare it with what is allowed.

    Args:
        data: the output.
        path: where it will be written.
        agent: what it was written from; its own keys for the target are allowed, too.
        allowed: the most that the output may grant.
        target: whose file it is.
    """
    try:
        document = target.parse(data, path)
        again = target.read(document, agent.slug).agent
        if document.repaired or again is None or again.slug != agent.slug:
            return ReadBack(widening="the output does not read back")
        granted = target.most(document)
    except UnreadableError as error:
        return ReadBack(widening=f"the output does not read back: {error.message}")
    except TooManyPatternsError as error:
        return ReadBack(widening=error.message)
    may = Abilities(allowed.with_flat_names(), tuple(brought(target.effects_of, _declared(agent, target, document))))
    has = Abilities(granted.with_flat_names(), tuple(brought(target.effects_of, document.metadata.items())))
    return ReadBack(document, again, granted, _first(gained(may, has)))


def gain_by_overrides(before: bytes, after: bytes, slug: str, target: Dialect) -> str:
    """Describe what an output gives beyond one without overrides, as intended; empty where it gives nothing more.

    The target's reader covers what neither the grants nor the proof do: guards, and an agent that is switched off.
    """
    had, has = (target.parse(data, "") for data in (before, after))
    if target.read(had, slug).agent is None or target.read(has, slug).agent is None:
        return "the output does not read back"
    return _first(gained(*(intended_abilities(target, document, slug) for document in (had, has))))


def upper_bound_of(read: ReadAgent, effective: Overridden, target: Dialect, options: WriteOptions) -> Grants:
    """Return the upper bound of what the target may grant to this agent."""
    # For its own tool, that is what the tool itself enforces of the source's file.
    if read.dialect is target and not effective.regranted:
        return target.most(read.document)
    grants = effective.agent.grants if effective.agent else read.agent.grants
    return upper_bound(grants.with_effects() if target.uses_effects else grants, target.capabilities, options)


def _first(gains: tuple[Gain, ...]) -> str:
    """The reason of the first gain that counts; a model permits nothing, and its name is translated."""
    return next((gain.reason for gain in gains if not gain.is_model), "")


def _declared(agent: Agent, target: Dialect, output: Document) -> list[tuple[str, JsonValue]]:
    """The keys that an agent declares for this tool; those of another tool mean nothing here and must not come up."""
    if agent.dialect not in {target.name, NEUTRAL}:
        return []
    fields = {"hooks": agent.hooks, "mcpservers": agent.mcp_servers}
    spelled = [(key, fields[folded_key(key)]) for key in output.metadata if folded_key(key) in fields]
    return [*agent.native.items(), *agent.unknown.items(), *agent.own_permissions.items(), *spelled]
