"""Targets of a check, which are never written: each agent's own tool, and the tools that the user names.

For its own tool alone an agent costs a fraction of its conversion to all tools of which the repository has agents.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsync.agents.model import NEUTRAL, Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.config import Target
from agentsync.repository.dependencies import calls_others
from agentsync.repository.dialect_detection import ReadAgent
from agentsync.repository.overrides import AgentFilter
from agentsync.sync.request import Progress
from agentsync.sync.snapshot import Snapshot

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


def agents_of(snapshot: Snapshot, progress: Progress) -> Iterator[Agent]:
    """Read every file of a snapshot, and yield the agents.

    Raises:
        ConfigError: a file cannot be read, or has changed.
    """
    paths: dict[str, list[str]] = {}
    for entry in snapshot.entries:
        paths.setdefault(entry.blob, []).append(entry.path)
    done = 0
    for blob, data in snapshot.blobs(paths):
        for path in paths[blob]:
            read = snapshot.read(path, data, snapshot.selection.dialect_of(path))
            if isinstance(read, ReadAgent):
                yield read.agent
            done += 1
            progress("reading", done, len(snapshot.entries))


def targets_of(agents: Sequence[Agent], named: Collection[str]) -> list[Target]:
    """Return the targets for these agents: those that are named, for all of them, and each one's own tool.

    Args:
        agents: of the repository.
        named: the dialects to which every agent is converted.
    """
    calling = {one.dialect for one in agents if calls_others(one)}
    others = {one.dialect for one in agents} - {*named}
    filters: dict[str, AgentFilter] = dict.fromkeys(named, _ALL)
    filters |= {name: OwnAgents(dialect=name, renamed=name in calling) for name in others}
    # Without a target no agent could be excluded from one.
    return [unwritten_target(name, filters[name]) for name in sorted(filters)] or [unwritten_target(NEUTRAL)]
