"""Escalations: agents that would get more abilities than their version here has are reported, or held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from agentsync.convert.abilities import Abilities, abilities, escalation
from agentsync.convert.policy import Rules
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.dialects import dialects
from agentsync.state.records import Action
from agentsync.sync.build import ContentStore
from agentsync.targets.batch import WRITING
from agentsync.targets.change import Change, absolute
from agentsync.targets.plan import Plan
from agentsync.targets.shared_file import SharedEntries
from agentsync.targets.target_directory import TargetDirectory, TargetError
from agentsync.targets.target_place import DirectoryOptions, Place

_UNKNOWN = ("its previous abilities are not known here",)


def hold_escalations(
    plan: Plan,
    contents: ContentStore,
    directories: Mapping[str, DirectoryOptions],
    *,
    rules: Callable[[Change], Sequence[Rules]],
    is_confirmed: Callable[[Change], bool],
) -> Plan:
    """Return the plan with a diagnostic for each escalation; where the policy requires it, the change is held.

    Args:
        plan: what would be done.
        contents: the bytes that would be written.
        directories: how the targets' directories may be opened.
        rules: the policy's rules for a change's agent.
        is_confirmed: whether the user confirmed a change although it is an escalation.

    Raises:
        SourceUnavailableError: a mirror cannot be read.
    """
    newer = [change for change in plan.changes if _is_newer(change)]
    contents.load(newer)
    reported = []
    held = {}
    for change, added in _escalations(newer, contents, directories):
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


def _escalations(
    changes: Sequence[Change], contents: ContentStore, directories: Mapping[str, DirectoryOptions]
) -> Iterator[tuple[Change, Sequence[str]]]:
    """Yield the changes that give an agent more, or may, each with a description of what is added."""
    for directory, group in groupby(changes, key=lambda change: change.directory):
        together = list(group)
        try:
            with _opened(directory, directories[directory]) as place:
                compared = [(change, _added(change, place, contents)) for change in together]
        except TargetError:  # the directory is gone, with all files in it
            compared = [(change, _UNKNOWN) for change in together]
        yield from ((change, added) for change, added in compared if added)


def _opened(directory: str, options: DirectoryOptions) -> Place:
    path, follow = Path(directory), options.follow_symlinks
    if options.shared:
        return SharedEntries.open(path, options.shared, follow_symlinks=follow)
    return TargetDirectory.open(path, follow_symlinks=follow)


def _added(change: Change, place: Place, contents: ContentStore) -> tuple[str, ...]:
    """Describe what a change adds to the version here; unknown unless that is still as agentsync wrote it."""
    if change.action is not Action.UPDATE or change.base is None:
        return _UNKNOWN
    try:
        before = place.read(change.path)
        if digest(before) != change.base.digest:
            return _UNKNOWN
        return escalation(_abilities(change, before), _abilities(change, contents(change)))
    except (AgentsyncError, OSError):
        return _UNKNOWN


def _abilities(change: Change, data: bytes) -> Abilities:
    assert change.wanted is not None  # noqa: S101 - only changes that write are compared
    target = dialects()[change.wanted.dialect]
    return abilities(target, target.parse(data, change.path), change.slug)


def _diagnostic(change: Change, code: Code, message: str, added: Sequence[str]) -> Diagnostic:
    path = absolute(change.directory, change.path)
    return Diagnostic(code, message + ", ".join(added), path=path, agent=change.agent, target=change.target)
