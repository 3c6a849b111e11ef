"""Patterns of agents that match none: those of a source, and those of a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath

from agentsync.config import Target
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.naming import slug
from agentsync.repository.manifest import FILE_NAME
from agentsync.repository.unmatched import Known, unmatched_agents
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.snapshot import Snapshot


def unmatched_of_source(snapshot: Snapshot, compiled: Sequence[CompiledAgent]) -> Iterator[Diagnostic]:
    """Report each pattern of agents of a source, or of its manifest, that matches none of its agents."""
    agents = _known(compiled, snapshot.prefix)
    owner = f"source `{snapshot.name}`"
    for agent_filter, place in zip(snapshot.filters, (FILE_NAME, ""), strict=False) if agents else ():
        yield from unmatched_agents(agent_filter, agents, owner=owner, prefix=snapshot.prefix, place=place)


def unmatched_of_targets(targets: Sequence[Target], compiled: Sequence[CompiledAgent]) -> Iterator[Diagnostic]:
    """Report each pattern of a target that matches no agent of any source."""
    agents = _known(compiled, "")
    for target in targets if agents else ():
        yield from unmatched_agents(target.filter, agents, owner=f"target `{target.name}`")


def _known(compiled: Sequence[CompiledAgent], prefix: str) -> list[Known]:
    """Return the agents; none where a file of several cannot be read, since it may have any."""
    if any("" in one.claims for one in compiled):
        return []
    return [
        Known(names, one.tags)
        for one in compiled
        if (names := (*filter(None, one.slugs), *one.left_out, *one.claims) or _named_by_file(one, prefix))
    ]


def _named_by_file(compiled_agent: CompiledAgent, prefix: str) -> tuple[str, ...]:
    """Return the name that a refused file would give its agent, where no more is known of it."""
    file, entry = split_path(compiled_agent.path)
    stem = slug(prefix + (entry or PurePosixPath(file).name.partition(".")[0]))
    return (stem,) if compiled_agent.refused and stem else ()
