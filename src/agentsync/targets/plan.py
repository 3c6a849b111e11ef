"""Plan of an apply: base (last written), actual (on disk) and wanted decide one change for each path."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.state.records import Action, Key, Recorded
from agentsync.targets.change import Actual, Change, TargetState, Wanted, absolute
from agentsync.targets.deletion_limits import DeletionLimits, excessive_deletions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from collections.abc import Set as AbstractSet


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan with every change, sorted by target and path.

    Attributes:
        changes: to be applied; includes paths that are kept or in conflict.
        held: not to be applied until the user confirms it.
        diagnostics: of the conflicts and the holds, each once.
        held_sources: sources with all changes held, and why.
    """

    changes: tuple[Change, ...]
    held: tuple[Change, ...]
    diagnostics: tuple[Diagnostic, ...]
    held_sources: Mapping[str, str] = field(default_factory=dict)


def decide(base: str | None, actual: str | None, wanted: str | None) -> Action:
    """Decide the action for one path from three digests, None meaning absent."""
    if actual == wanted:
        if base == wanted:
            return Action.KEEP
        return Action.FORGET if wanted is None else Action.TAKE
    if actual == base:
        if wanted is None:
            return Action.DELETE
        return Action.CREATE if base is None else Action.UPDATE
    if base is None and wanted is None:
        return Action.KEEP
    return Action.RESTORE if actual is None else Action.CONFLICT


def make_plan(
    targets: Sequence[TargetState],
    inventory: Mapping[Key, Recorded],
    disk: Mapping[Key, Actual],
    *,
    prunable: frozenset[str],
    source_urls: Mapping[str, str],
    limits: DeletionLimits,
    gone: frozenset[str] = frozenset(),
    replaces: Callable[[Change], bool] = lambda _conflict: False,
    same: AbstractSet[Key] = frozenset(),
) -> Plan:
    """Compare what is wanted, what was written and what is there.

    Args:
        targets: the wanted state; directories that are not among them are ignored.
        inventory: what was last written.
        disk: the actual state of each path that is wanted or in the inventory.
        prunable: the sources that were fetched and read completely, so that their rows may be removed.
        source_urls: the URL of each configured source.
        limits: how much a source may delete.
        gone: the sources that are no longer configured, so that others may take over what these wrote.
        replaces: whether the user wants the source's file to replace the file in conflict with it.
        same: the paths where a file that agentsync did not write defines the wanted agent; it is kept as it is.
    """
    places = _places(targets, inventory)
    changes = [
        _change(place, path, disk[place.directory, path], prunable=prunable, source_urls=source_urls, gone=gone)
        for place in places
        for path in place.files.keys() | place.rows.keys()
    ]
    changes = [_resolved(change, replaces, same) if _is_replaceable(change) else change for change in changes]
    changes.sort(key=lambda change: (change.target, change.directory, change.path))
    holds = {} if limits.allow_deletions else excessive_deletions(changes, limits)
    held = {change.key for change in changes if change.source in holds and change.action not in _INERT}
    diagnostics = [change.diagnostic for change in changes if change.diagnostic]
    return Plan(
        changes=tuple(change for change in changes if change.key not in held),
        held=tuple(change for change in changes if change.key in held),
        diagnostics=tuple(dict.fromkeys([*diagnostics, *holds.values()])),
        held_sources=dict.fromkeys(
            (change.source for change in changes if change.key in held), "it would delete too much and is held"
        ),
    )


def recorded(wanted: Wanted, source_url: str) -> Recorded:
    """Return the inventory's row for a wanted file that was written."""
    return Recorded(
        digest=wanted.digest,
        agent=wanted.agent,
        dialect=wanted.dialect,
        source=wanted.source,
        source_url=source_url,
        source_path=wanted.source_path,
        commit=wanted.commit,
        blob=wanted.blob,
    )


def conflict(change: Change) -> Diagnostic:
    """Return the diagnostic for a path with content that agentsync did not write."""
    if change.actual.code:
        return Diagnostic(
            change.actual.code,
            change.actual.reason,
            path=change.directory,
            target=change.target,
            hint=change.actual.hint,
        )
    reason = f"; {change.actual.reason}" if change.actual.reason else ""
    adopt = f"`agentsync adopt {change.slug}`"
    if change.base is None:
        code, message = Code.CONFLICT_UNMANAGED, "what is here was not written by agentsync and is kept"
        adopted = f"{adopt} puts the team's agent in its place and keeps yours as a backup"
        hint = f"{adopted if change.actual.digest else 'move it away'}; or leave it as it is"
    else:
        code, message = Code.CONFLICT_EDITED, "it was edited here since agentsync wrote it and is kept"
        adopted = f"{adopt} puts the source's version back and keeps yours as a backup"
        instead = adopted if change.wanted and change.actual.digest else "move it away"
        hint = f"take the edit to the source, or {instead}"
    return _diagnostic(change, code, message + reason, hint)


_INERT = frozenset({Action.KEEP, Action.CONFLICT})


@dataclass(frozen=True, slots=True)
class _Place:
    """Directory with the files that all of its targets want there, and the rows of what was written there."""

    target: str
    directory: str
    files: dict[str, tuple[str, Wanted]] = field(default_factory=dict)
    kept: set[tuple[str, str]] = field(default_factory=set)
    rows: dict[str, Recorded] = field(default_factory=dict)


def _places(targets: Sequence[TargetState], inventory: Mapping[Key, Recorded]) -> Iterable[_Place]:
    places: dict[str, _Place] = {}
    for state in targets:
        place = places.setdefault(state.directory, _Place(state.target, state.directory))
        place.files.update((path, (state.target, wanted)) for path, wanted in state.files.items())
        place.kept.update(state.kept)
    for (directory, path), row in inventory.items():
        if directory in places:
            places[directory].rows[path] = row
    return places.values()


def _change(
    place: _Place,
    path: str,
    actual: Actual,
    *,
    prunable: frozenset[str],
    source_urls: Mapping[str, str],
    gone: frozenset[str],
) -> Change:
    target, wanted = place.files.get(path, (place.target, None))
    base = place.rows.get(path)
    # The usual case, in which none of what follows makes a difference, and there are thousands.
    if base and wanted and base.digest == actual.digest == wanted.digest and _same_origin(base, wanted, source_urls):
        return Change(target, place.directory, path, Action.KEEP, base, actual, wanted)
    is_orphan = base is not None and base.source in gone
    released = base is not None and base.source in prunable and not _is_kept(base, place.kept)
    released = released or (is_orphan and actual.digest is None)
    change = Change(target, place.directory, path, Action.KEEP, base, actual, wanted)
    if wanted and base and not (released or is_orphan or _same_source(base, wanted, source_urls)):
        message = f"source `{wanted.source}` wants this file, but source `{base.source}` wrote it"
        diagnostic = _diagnostic(change, Code.OTHER_SOURCE, message)
        return replace(change, action=Action.CONFLICT, diagnostic=diagnostic)
    if wanted or released or base is None:
        action = decide(base.digest if base else None, actual.digest, wanted.digest if wanted else None)
    else:
        # It is unknown whether its source still has it, so it stays; only the user's own edits are reported.
        action = Action.KEEP if actual.digest in (None, base.digest) else Action.CONFLICT
    if action is Action.KEEP and wanted and base and not _same_origin(base, wanted, source_urls):
        action = Action.TAKE
    change = replace(change, action=action)
    return replace(change, diagnostic=conflict(change)) if action is Action.CONFLICT else change


def _is_kept(row: Recorded, kept: AbstractSet[tuple[str, str]]) -> bool:
    """Whether the origin of a file cannot be read now: its agent, or the multi-agent file that contains it."""
    return not kept.isdisjoint((row.source, path) for path in (row.source_path, split_path(row.source_path)[0]))


def _is_replaceable(change: Change) -> bool:
    """Whether the wanted file can replace the one in conflict: a regular file that no other source owns."""
    code = change.diagnostic.code if change.diagnostic else None
    return bool(change.wanted and change.actual.digest) and code in (Code.CONFLICT_UNMANAGED, Code.CONFLICT_EDITED)


def _resolved(change: Change, replaces: Callable[[Change], bool], same: AbstractSet[Key]) -> Change:
    if replaces(change):
        return replace(change, action=Action.REPLACE, diagnostic=None)
    if change.base is not None or change.key not in same:
        return change
    message = "what is here was not written by agentsync, defines the team's agent, and is kept as it is"
    hint = f"`agentsync adopt {change.slug}` lets later changes of the team's arrive, and keeps yours as a backup"
    return replace(change, action=Action.KEEP, diagnostic=_diagnostic(change, Code.SAME_AGENT, message, hint))


def _same_source(base: Recorded, wanted: Wanted, source_urls: Mapping[str, str]) -> bool:
    return base.source == wanted.source or base.source_url == source_urls[wanted.source]


def _same_origin(base: Recorded, wanted: Wanted, source_urls: Mapping[str, str]) -> bool:
    """Whether the row still names the right agent; its commit is that of the last write and may be older."""
    return _origin(base, base.source_url) == _origin(wanted, source_urls[wanted.source])


def _origin(file: Recorded | Wanted, source_url: str) -> tuple[str, ...]:
    return file.source, file.source_path, file.blob, file.agent, file.dialect, file.digest, source_url


def _diagnostic(change: Change, code: Code, message: str, hint: str = "") -> Diagnostic:
    path = absolute(change.directory, change.path)
    return Diagnostic(code, message, path=path, agent=change.agent, target=change.target, hint=hint)
