"""Escalations: agents that would get more abilities than their version here has are reported, or held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agentsync.agents.abilities import Abilities, gained
from agentsync.convert.abilities import enforced_abilities
from agentsync.convert.policy import Rules
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError
from agentsync.dialects import dialects
from agentsync.state.records import Action, Key
from agentsync.sync.contents import ContentStore
from agentsync.targets.batch import WRITING
from agentsync.targets.change import Change, absolute
from agentsync.targets.plan import Plan

_UNKNOWN = ("its previous abilities are not known here",)


def hold_escalations(
    plan: Plan,
    contents: ContentStore,
    previous: Mapping[Key, bytes],
    *,
    rules: Callable[[Change], Sequence[Rules]],
    is_confirmed: Callable[[Change], bool],
) -> Plan:
    """Return the plan with a diagnostic for each escalation; where the policy requires it, the change is held.

    Args:
        plan: what would be done.
        contents: the bytes that would be written; those of a path in `previous` are loaded.
        previous: the bytes of each file that is still as agentsync wrote it, where another version is wanted.
        rules: the policy's rules for a change's agent.
        is_confirmed: whether the user confirmed a change although it is an escalation.
    """
    reported = []
    held = {}
    for change in filter(_is_newer, plan.changes):
        added = _added(change, contents, previous)
        if not added:
            continue
        is_held = not is_confirmed(change) and any(rule.escalation == "hold" for rule in rules(change))
        if is_held:
            diagnostic = _diagnostic(change, Code.HELD_ESCALATION, "held, since it would be given more: ", added)
            held[change.key] = replace(change, diagnostic=diagnostic)
        elif added != _UNKNOWN:
            reported.append(_diagnostic(change, Code.GROWN, "is given more than it had here: ", added))
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.key not in held),
        held=(*plan.held, *held.values()),
        diagnostics=(
            *plan.diagnostics,
            *reported,
            *(change.diagnostic for change in held.values() if change.diagnostic),
        ),
    )


def _is_newer(change: Change) -> bool:
    """Whether it writes another version of a file that agentsync wrote before."""
    return bool(
        change.action in WRITING and change.base and change.wanted and change.base.digest != change.wanted.digest
    )


def _added(change: Change, contents: ContentStore, previous: Mapping[Key, bytes]) -> tuple[str, ...]:
    """Describe what a change adds to the version here; unknown unless that is still as agentsync wrote it."""
    before = previous.get(change.key)
    if change.action is not Action.UPDATE or before is None:
        return _UNKNOWN
    try:
        gains = gained(_abilities(change, before), _abilities(change, contents(change)))
    except AgentsyncError:
        return _UNKNOWN
    return tuple(dict.fromkeys(gain.name for gain in gains))


def _abilities(change: Change, data: bytes) -> Abilities:
    assert change.wanted is not None  # noqa: S101 - only changes that write are compared
    target = dialects()[change.wanted.dialect]
    return enforced_abilities(target, target.parse(data, change.path), change.slug)


def _diagnostic(change: Change, code: Code, message: str, added: Sequence[str]) -> Diagnostic:
    path = absolute(change.directory, change.path)
    return Diagnostic(code, message + ", ".join(added), path=path, agent=change.agent, target=change.target)
