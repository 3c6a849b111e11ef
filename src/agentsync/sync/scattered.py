"""Agents outside of directories of agents: a source that is new here and brings many of them is held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.repository.places import is_where_agents_are
from agentsync.state.records import Action, Key, Recorded
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.snapshot import Snapshot
from agentsync.targets.plan import Plan

_FEWEST = 10
"""The least number of agents outside of directories of agents for which a source is held."""

_SHOWN_DIRECTORIES = 4


def hold_scattered(
    plan: Plan, snapshots: Sequence[Snapshot], used: Sequence[CompiledAgent], inventory: Mapping[Key, Recorded]
) -> Plan:
    """Return the plan with the changes of each source held that is new here and has its agents in unexpected places."""
    known = {(row.source, row.source_url) for row in inventory.values()}
    holds = find_scattered([one for one in snapshots if (one.name, one.url) not in known], used)
    if not holds:
        return plan
    held = {
        change.key
        for change in plan.changes
        if change.source in holds and change.action not in (Action.KEEP, Action.CONFLICT)
    }
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.key not in held),
        held=(*plan.held, *(change for change in plan.changes if change.key in held)),
        diagnostics=(*plan.diagnostics, *holds.values()),
        held_sources={**plan.held_sources, **{name: one.message for name, one in holds.items()}},
    )


def find_scattered(snapshots: Sequence[Snapshot], used: Sequence[CompiledAgent]) -> dict[str, Diagnostic]:
    """Find the sources that are held where they are new; returns a diagnostic for each of their names.

    That is a source most of whose agents are not in its directories of agents, and that has some there. A repository
    without any such directory has its agents where they are.
    """
    holds: dict[str, Diagnostic] = {}
    for snapshot in (one for one in snapshots if not one.accepts_scattered):
        paths = [one.path for one in used if one.source == snapshot.name and _is_written(one)]
        scattered = [path for path in paths if not is_where_agents_are(path)]
        expected = len(paths) - len(scattered)
        if len(scattered) >= _FEWEST and len(scattered) > expected > 0:
            holds[snapshot.name] = _diagnostic(snapshot.name, expected, scattered)
    return holds


def depends_on_unwritten(snapshot: Snapshot, used: Sequence[CompiledAgent]) -> bool:
    """Whether agents that none of these targets gets decide about a hold, if other targets get them."""
    scattered = [one for one in used if not is_where_agents_are(one.path)]
    expected = [one for one in used if is_where_agents_are(one.path)]
    least = sum(map(_is_written, expected))
    may_hold = not snapshot.accepts_scattered and bool(expected) and len(scattered) >= max(_FEWEST, least + 1)
    return may_hold and not all(map(_is_written, used))


def _is_written(agent: CompiledAgent) -> bool:
    return any(output.digest for output in agent.outputs.values())


def _diagnostic(source: str, expected: int, scattered: Iterable[str]) -> Diagnostic:
    directories = Counter(str(PurePosixPath(path).parent) for path in scattered)
    listed = [f"`{directory}` ({count})" for directory, count in directories.most_common(_SHOWN_DIRECTORIES)]
    more = len(directories) - len(listed)
    shown = ", ".join(listed) + (f" and {more} more directories" if more > 0 else "")
    message = (
        f"source `{source}` is new here; it has {expected} agents in directories of agents, and would bring "
        f"{directories.total()} from elsewhere: {shown}"
    )
    hint = (
        f"look at them with `agentsync plan`; if they are intended, name their directories under `include` in "
        f"agentsync.toml, set `allow_scattered = true` under `[sources.{source}]`, or run "
        f"`agentsync pull --allow-scattered`"
    )
    return Diagnostic(Code.HELD_SCATTERED, message, hint=hint)
