"""Targets of a check, which are never written: each agent's own tool, and the tools that the user names.

For its own tool alone an agent costs a fraction of its conversion to all tools of which the repository has agents.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentsync.agents.model import NEUTRAL, Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.config import Target
from agentsync.repository.overrides import AgentFilter

_ALL = AgentFilter()


@dataclass(frozen=True, slots=True)
class OwnAgents(AgentFilter):
    """Filter that takes the agents of one tool, and with them those that its agents may call by another name.

    Attributes:
        dialect: of the tool.
        renamed: whether agents of other tools are taken that got the name of their plugin in front.
    """

    dialect: str = ""
    renamed: bool = False

    def takes(self, agent: Agent) -> bool:
        """Whether this agent is taken."""
        return agent.dialect == self.dialect or (self.renamed and bool(agent.own_slug))


def unwritten_target(dialect: str, agents: AgentFilter = _ALL) -> Target:
    """Make a target that is never written."""
    return Target(
        name=dialect,
        dialect=dialect,
        directory=Path(),
        create=False,
        follow_symlinks=False,
        options=WriteOptions(),
        filter=agents,
    )


def targets_of(own: Mapping[str, bool], named: Collection[str]) -> list[Target]:
    """Return the targets of a check: those that are named, for all agents, and each agent's own tool.

    Args:
        own: the dialects of the agents, and whether one of that dialect calls others by their names.
        named: the dialects to which every agent is converted.
    """
    filters: dict[str, AgentFilter] = dict.fromkeys(named, _ALL)
    filters |= {name: OwnAgents(dialect=name, renamed=calls) for name, calls in own.items() if name not in filters}
    # Without a target no agent could be excluded from one.
    return [unwritten_target(name, filters[name]) for name in sorted(filters)] or [unwritten_target(NEUTRAL)]
