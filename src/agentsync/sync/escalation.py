"""Escalations: agents that would get more abilities than their last version here had are reported, or held."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from agentsync.agents.abilities import Abilities, gained
from agentsync.agents.key_effects import Effect
from agentsync.convert.abilities import enforced_abilities
from agentsync.convert.policy import Rules
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError
from agentsync.dialects import dialects
from agentsync.state.records import Action, Key
from agentsync.sync.contents import ContentStore
from agentsync.sync.last_applied import LastApplied
from agentsync.targets.batch import WRITING
from agentsync.targets.change import Change, absolute, slug_of
from agentsync.targets.plan import Plan

_UNATTENDED: Final = frozenset({Effect.RUNS_PROGRAM, Effect.OPENS_ADDRESS, Effect.CHANGES_APPROVAL})
"""Effects with which something happens that nobody is asked about. A missing guard has the first of them, too."""


def hold_escalations(
    plan: Plan,
    contents: ContentStore,
    last_applied: Mapping[Key, LastApplied],
    *,
    rules: Callable[[Change], Sequence[Rules]],
    is_confirmed: Callable[[Change], bool],
) -> Plan:
    """Return the plan with a diagnostic for each escalation; where the policy requires it, the change is held.

    With the new file of a renamed agent, the deletion of its former file is held: the agent stays as it was.

    Args:
        plan: what would be done.
        contents: the bytes that would be written; those of a path in `last_applied` are loaded.
        last_applied: what was last applied of the agents that another version is wanted of.
        rules: the policy's rules for a change's agent.
        is_confirmed: whether the user confirmed a change although it is an escalation.
    """
    diagnostics: list[Diagnostic] = []
    held: dict[Key, Change] = {}
    former: dict[Key, Diagnostic] = {}
    for change in plan.changes:
        last = last_applied.get(change.key)
        if change.action not in WRITING or last is None:
            continue
        escalation = _escalation(change, last, contents(change))
        if not is_confirmed(change) and any(escalation.is_held_by(one) for one in rules(change)):
            diagnostic = escalation.diagnostic(change, Code.HELD_ESCALATION, "held, since it would be given more")
            held[change.key] = replace(change, diagnostic=diagnostic)
            former[last.key] = diagnostic
            diagnostics.append(diagnostic)
        elif not escalation.is_known:
            diagnostics.append(escalation.diagnostic(change, Code.LAST_UNKNOWN, "it may be given more"))
        elif escalation.added:
            diagnostics.append(escalation.diagnostic(change, Code.GROWN, "is given more"))
    for change in plan.changes:
        if change.action is Action.DELETE and change.key in former:
            held[change.key] = replace(change, diagnostic=former[change.key])
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.key not in held),
        held=(*plan.held, *held.values()),
        diagnostics=(*plan.diagnostics, *diagnostics),
    )


@dataclass(frozen=True, slots=True)
class _Escalation:
    """What an agent gains over its last version.

    Attributes:
        last: that version.
        added: the name of each ability that it gains; of an unknown version, of those that count as unattended.
        is_unattended: whether something that nobody is asked about is among them.
        is_known: whether that version could be compared.
    """

    last: LastApplied
    added: tuple[str, ...]
    is_unattended: bool
    is_known: bool = True

    def is_held_by(self, rules: Rules) -> bool:
        """Whether these rules of a policy hold the change."""
        if rules.escalation == "hold":
            return bool(self.added) or not self.is_known
        return self.is_unattended and rules.escalation == "hold-unattended"

    def diagnostic(self, change: Change, code: Code, message: str) -> Diagnostic:
        """Return a diagnostic that names what is added, beginning with this message."""
        if not self.is_known:
            than = ": its last version is no longer kept here"
            added = f", and it has {', '.join(self.added)}" if self.added else ""
        else:
            than = " than it had here" if change.key == self.last.key else f" than `{self.last.row.agent}` had here"
            added = f": {', '.join(self.added)}"
        path = absolute(change.directory, change.path)
        return Diagnostic(code, message + than + added, path=path, agent=change.agent, target=change.target)


def _escalation(change: Change, last: LastApplied, data: bytes) -> _Escalation:
    """Compare the version that a change would write with the last one; every gain counts, model and all."""
    assert change.wanted is not None  # noqa: S101 - only changes that write are compared
    try:
        after = _abilities(change.wanted.dialect, data, change.path)
    except AgentsyncError as error:
        return _Escalation(last, (error.message,), is_unattended=True)
    try:
        before = None if last.data is None else _abilities(last.row.dialect, last.data, last.key[1])
    except (AgentsyncError, KeyError):  # of a tool, or in a form, that this version of agentsync does not know
        before = None
    if before is None:
        brought = tuple(dict.fromkeys(str(one) for one in after.brought if one.effect in _UNATTENDED))
        return _Escalation(last, brought, is_unattended=bool(brought), is_known=False)
    gains = gained(before, after)
    unasked = {gain.name for gain in gained(Abilities(before.unattended), Abilities(after.unattended))}
    names = (gain.name for gain in gains if gain.name not in unasked)
    added = tuple(dict.fromkeys((*(_without_asking(name) for name in sorted(unasked)), *names)))
    brings = any(gain.ability and gain.ability.effect in _UNATTENDED for gain in gains)
    return _Escalation(last, added, is_unattended=bool(unasked) or brings)


def _without_asking(name: str) -> str:
    return f"{name.removesuffix(' that its session has')} without asking"


def _abilities(dialect: str, data: bytes, path: str) -> Abilities:
    tool = dialects()[dialect]
    return enforced_abilities(tool, tool.parse(data, path), slug_of(path))
