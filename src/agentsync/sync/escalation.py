"""What would be given more than its version here has: told, or held until the user confirms it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from agentsync.convert.policy import Abilities, Rules, abilities, escalation
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.core.naming import slug
from agentsync.dialects import dialects
from agentsync.state.records import Action
from agentsync.sync.build import ContentStore
from agentsync.targets.apply import WRITING, DirectoryOptions, Place
from agentsync.targets.change import Change, absolute
from agentsync.targets.directory import TargetDirectory, TargetError
from agentsync.targets.plan import Plan
from agentsync.targets.shared_file import SharedEntries

_UNKNOWN = ("what it was given before is not known here",)


def hold_escalations(
    plan: Plan,
    contents: ContentStore,
    directories: Mapping[str, DirectoryOptions],
    *,
    rules: Callable[[Change], Sequence[Rules]],
    is_confirmed: Callable[[Change], bool],
) -> Plan:
    """The plan with a finding for each agent that it gives more than it had; those that have to wait are held.

    Args:
        plan: what would be done.
        contents: the bytes that would be written.
        directories: how the targets' directories may be opened.
        rules: what the policy says of a change's agent.
        is_confirmed: whether the user wants a change although it gives more.

    Raises:
        SourceUnavailableError: a mirror cannot be read.
    """
    newer = [change for change in plan.changes if _is_newer(change)]
    contents.load(newer)
    found = []
    held = {}
    for change, grown in _grown(newer, contents, directories):
        waits = not is_confirmed(change) and any(declared.escalation == "hold" for declared in rules(change))
        if waits:
            diagnostic = _diagnostic(change, Code.HELD_ESCALATION, "held, since it would be given more: ", grown)
            held[change.key] = replace(change, diagnostic=diagnostic)
        elif grown != _UNKNOWN:
            found.append(_diagnostic(change, Code.GROWN, "is given more than it had here: ", grown))
    return replace(
        plan,
        changes=tuple(change for change in plan.changes if change.key not in held),
        held=(*plan.held, *held.values()),
        diagnostics=(*plan.diagnostics, *found, *(change.diagnostic for change in held.values() if change.diagnostic)),
    )


def _is_newer(change: Change) -> bool:
    """Whether it writes another version of what agentsync wrote before."""
    return bool(
        change.action in WRITING and change.base and change.wanted and change.base.digest != change.wanted.digest
    )


def _grown(
    changes: Sequence[Change], contents: ContentStore, directories: Mapping[str, DirectoryOptions]
) -> Iterator[tuple[Change, Sequence[str]]]:
    """The changes that give more, or may, with what they give in words."""
    for directory, group in groupby(changes, key=lambda change: change.directory):
        together = list(group)
        try:
            with _opened(directory, directories[directory]) as place:
                compared = [(change, _compared(change, place, contents)) for change in together]
        except TargetError:  # it has gone with all that was in it
            compared = [(change, _UNKNOWN) for change in together]
        yield from ((change, grown) for change, grown in compared if grown)


def _opened(directory: str, options: DirectoryOptions) -> Place:
    path, follow = Path(directory), options.follow_symlinks
    if options.shared:
        return SharedEntries.open(path, options.shared, follow_symlinks=follow)
    return TargetDirectory.open(path, follow_symlinks=follow)


def _compared(change: Change, place: Place, contents: ContentStore) -> tuple[str, ...]:
    """What a change gives that the version here does not; that has to be here as it was written."""
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
    return abilities(target, target.parse(data, change.path), slug(change.agent))


def _diagnostic(change: Change, code: Code, message: str, grown: Sequence[str]) -> Diagnostic:
    path = absolute(change.directory, change.path)
    return Diagnostic(code, message + ", ".join(grown), path=path, agent=change.agent, target=change.target)
