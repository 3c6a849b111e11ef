"""Diagnostics of a cycle beside those of reading, planning and applying: on whole sources, and on files that stay."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import refused
from agentsync.state.records import Action, Key, Recorded, Suspension
from agentsync.sync.build import BuildResult
from agentsync.sync.snapshot import Snapshot
from agentsync.targets.change import Actual
from agentsync.targets.plan import Plan

_CONFIRMED: Final = (Code.HELD_EMPTY, Code.HELD_DELETIONS, Code.SOURCE_CHANGED)
_OF_SOURCE: Final = re.compile(r"source `([^`]*)`")


def left_sources(plan: Plan, gone: Collection[str]) -> list[Diagnostic]:
    """Report each source that is no longer configured while files that it wrote remain."""
    kept = (change.base for change in plan.changes if change.action is Action.KEEP and change.actual.digest)
    remaining = Counter(row.source for row in kept if row and row.source in gone)
    return [
        Diagnostic(Code.SOURCE_LEFT, f"source `{name}` is no longer configured, and files that it wrote stay: {count}")
        for name, count in sorted(remaining.items())
    ]


def left_targets(left: Mapping[str, int]) -> list[Diagnostic]:
    """Report each directory that is no longer a target while files that agentsync wrote remain there."""
    return [
        Diagnostic(
            Code.TARGET_LEFT, f"no longer a target, and files that agentsync wrote stay: {count}", path=directory
        )
        for directory, count in sorted(left.items())
        if count
    ]


def suspended(suspension: Suspension | None) -> list[Diagnostic]:
    """Report that nothing is applied, where pulling is suspended."""
    return [Diagnostic(Code.SUSPENDED, f"pulling is suspended: {suspension.reason}")] if suspension else []


def without_agents(
    snapshots: Sequence[Snapshot], built: BuildResult, *, may_be_empty: bool = False
) -> list[Diagnostic]:
    """Report each source without a single agent: most often a folder or a pattern is wrong.

    That is an error where no other source has one, so that a wrong place is not taken for success; but not where the
    user agreed that everything may be deleted.
    """
    with_agents = {
        compiled_agent.source for compiled_agent in built.compiled if compiled_agent.name or compiled_agent.refused
    }
    empty = [one for one in snapshots if one.name not in with_agents and not refused(one.unmatched)]
    code = Code.NO_AGENTS if with_agents or may_be_empty else Code.NO_AGENTS_AT_ALL
    return [Diagnostic(code, f"source `{one.name}` has no agents at {one.commit[:12]}") for one in empty]


def typos_first(diagnostics: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Return diagnostics in which nobody is advised to confirm deletions that a mistyped pattern asks for."""
    typos = [one for one in diagnostics if one.code in (Code.NO_SUCH_PATH, Code.NO_SUCH_AGENT)]

    def causes(typo: Diagnostic, held: Diagnostic) -> bool:
        owner = _OF_SOURCE.search(typo.message)
        return owner is None or f"`{owner[1]}`" in held.message  # a target's pattern concerns every source

    def advised(one: Diagnostic) -> Diagnostic:
        cause = next((typo for typo in typos if one.code in _CONFIRMED and causes(typo, one)), None)
        return replace(one, hint=f"Correct the pattern that {cause.code.id} names first.") if cause else one

    return tuple(map(advised, diagnostics))


def kept_last_good(
    built: BuildResult, inventory: Mapping[Key, Recorded], disk: Mapping[Key, Actual]
) -> list[Diagnostic]:
    """Report each file that cannot be used now and whose last good version stays, once for each target that has it."""
    kept = {state.directory: state for state in built.states}
    by_policy = {one.path for one in built.diagnostics if one.code in _OF_POLICY}
    rows = {
        (row.source_path, kept[key[0]].target): row
        for key, row in inventory.items()
        if key[0] in kept and (row.source, row.source_path) in kept[key[0]].kept and disk[key].digest
    }
    return [
        Diagnostic(
            Code.KEPT_LAST_GOOD,
            "still installed as it was before",
            path=path,
            agent=row.agent,
            target=target,
            hint=_SKIP if path in by_policy else "",
        )
        for (path, target), row in sorted(rows.items())
    ]


_OF_POLICY: Final = frozenset(code for code in Code if code.id.startswith("AS5") and code.name.endswith("_REFUSED"))
_SKIP: Final = "to remove it although its source did not change, list it under `skip` of the target, which deletes it"
