"""How much a source may delete at once before its changes are held."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.state.records import Action
from agentsync.targets.change import Change

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class DeletionLimits:
    """Limits of what a source may delete at once, counted in agents.

    A source is held when it drops at least `min_deletions` agents and more than `max_deletion_share` of those that
    are recorded for it, or when it no longer has any agent.
    """

    max_deletion_share: float = 0.5
    min_deletions: int = 3
    allow_deletions: bool = False


def excessive_deletions(changes: Sequence[Change], limits: DeletionLimits) -> dict[str, Diagnostic]:
    """Return the sources that would delete too much, each with its diagnostic."""
    known: dict[str, set[str]] = defaultdict(set)
    dropped: dict[str, set[str]] = defaultdict(set)
    wanting = {(c.directory, c.wanted.source, c.wanted.source_path) for c in changes if c.wanted}
    for change in changes:
        if base := change.base:
            known[base.source].add(base.source_path)
            renamed = (change.directory, base.source, base.source_path) in wanting
            if change.action is Action.DELETE and not renamed:
                dropped[base.source].add(base.source_path)
    holds = {}
    for source in sorted(dropped):
        lost, total = len(dropped[source]), len(known[source])
        if source not in {owner for _, owner, _ in wanting}:
            message = (
                f"source `{source}` has no agents left and would delete {lost} of {total}; nothing of it is applied"
            )
            holds[source] = Diagnostic(Code.HELD_EMPTY, message)
        elif lost >= limits.min_deletions and lost > limits.max_deletion_share * total:
            message = f"source `{source}` would delete {lost} of {total} agents at once; nothing of it is applied"
            holds[source] = Diagnostic(Code.HELD_DELETIONS, message)
    return holds
