"""Second step of a cycle: what would change, and what is refused or held. Pure: it looks at nothing but its values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agentsync.config import Config
from agentsync.convert.policy import Rules
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.sync.cycle_diagnostics import (
    kept_last_good,
    left_sources,
    left_targets,
    typos_first,
    without_agents,
)
from agentsync.sync.escalation import hold_escalations
from agentsync.sync.observe import Observation
from agentsync.sync.request import SyncRequest
from agentsync.sync.scattered import hold_scattered
from agentsync.sync.unmatched import unmatched_of_targets
from agentsync.targets.change import Change, TargetState
from agentsync.targets.plan import Plan, make_plan


@dataclass(frozen=True, slots=True)
class Planned:
    """What a cycle would do.

    Attributes:
        states: what each target should contain, and what is kept there.
        plan: the changes, and those that are held.
        diagnostics: on targets, files, agents and changes, in this order.
    """

    states: tuple[TargetState, ...]
    plan: Plan
    diagnostics: tuple[Diagnostic, ...]


def plan(config: Config, request: SyncRequest, observation: Observation) -> Planned:
    """Plan the changes that bring the targets to what the sources want."""
    states, former = _with_former_urls_kept(request, observation)
    gone = frozenset(row.source for row in observation.inventory.values()) - config.sources.keys()
    changes = _changes(config, request, observation, states, gone)
    if not request.consent.scattered:
        changes = hold_scattered(changes, observation.snapshots, observation.built.used, observation.inventory)
    changes = _with_escalations(request, observation, changes)
    diagnostics = (
        *observation.diagnostics,
        *observation.built.diagnostics,
        *kept_last_good(observation.built, observation.inventory, observation.disk),
        *without_agents(observation.snapshots, observation.built, may_be_empty=request.consent.deletions),
        *_unmatched(observation),
        *former,
        *left_targets(observation.left),
        *([] if request.ad_hoc else left_sources(changes, gone)),
        *changes.diagnostics,
    )
    return Planned(states, changes, typos_first(diagnostics))


def _unmatched(observation: Observation) -> tuple[Diagnostic, ...]:
    """Report patterns of targets that match no agent, unless a source that may have it cannot be read."""
    if len(observation.snapshots) < len(observation.sources):
        return ()
    return tuple(unmatched_of_targets(observation.targets, observation.built.compiled))


def _with_former_urls_kept(
    request: SyncRequest, observation: Observation
) -> tuple[tuple[TargetState, ...], list[Diagnostic]]:
    """Keep what a source of the same name wrote from another URL: nothing of it is deleted without consent."""
    urls, states = observation.urls, observation.built.states
    former = {
        (row.source, row.source_path)
        for row in observation.inventory.values()
        if row.source in urls and row.source_url != urls[row.source]
    }
    if not former or request.consent.deletions:
        return states, []
    names = ", ".join(sorted({f"`{source}`" for source, _ in former}))
    message = f"the URL of source {names} changed; what only the former one has is kept"
    kept = tuple(replace(state, kept=state.kept | former) for state in states)
    return kept, [Diagnostic(Code.SOURCE_CHANGED, message)]


def _changes(
    config: Config,
    request: SyncRequest,
    observation: Observation,
    states: Sequence[TargetState],
    gone: frozenset[str],
) -> Plan:
    consent = request.consent
    prunable = frozenset(snapshot.name for snapshot in observation.snapshots)
    return make_plan(
        states,
        observation.inventory,
        observation.disk,
        prunable=prunable | gone if consent.deletions else prunable,
        gone=gone,
        source_urls=observation.urls,
        limits=config.deletion_limits(allow_deletions=consent.deletions),
        replaces=lambda change: (
            consent.replaces(change) or change.key in observation.trials or _restores(request, observation, change)
        ),
        same=observation.same,
    )


def _restores(request: SyncRequest, observation: Observation, change: Change) -> bool:
    """Whether a conflict is an edited file of ours in a target that restores such files."""
    return (
        request.allow_restore
        and change.base is not None
        and any(target.allow_restore and target.name == change.target for target in observation.targets)
    )


def _with_escalations(request: SyncRequest, observation: Observation, changes: Plan) -> Plan:
    """Return the plan with escalations reported or held."""
    urls, consent = observation.urls, request.consent
    slugs = {(one.source, one.path): one.slugs for one in observation.built.used}

    def rules(change: Change) -> Sequence[Rules]:
        assert change.wanted is not None  # noqa: S101 - only changes that write are compared
        names = slugs[change.source, change.wanted.source_path]
        return observation.policy.of_source(change.source, urls[change.source]).rules(*names)

    return hold_escalations(
        changes,
        observation.built.contents,
        observation.last_applied,
        rules=rules,
        is_confirmed=lambda change: consent.escalation or consent.replaces(change),
    )
