"""What `agentsync check` finds beside the files that a manifest includes: agents that reach no tool."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from agentsync.config.tables import SourceTable
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.globs import path_matches
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from agentsync.repository.manifest import FILE_NAME, read_manifest
from agentsync.repository.selection import select, without_large
from agentsync.sync.snapshot import Snapshot

_MOST: Final = 5


def left_out(snapshot: Snapshot) -> Iterator[Diagnostic]:
    """Yield a diagnostic on the agents of a repository that its `include` leaves out; none where it includes all.

    They are recognised as where nothing is included by name, so a page in Markdown is none.

    Raises:
        ConfigError: a file cannot be read.
    """
    selection = snapshot.selection
    if not selection.include:
        return
    included = {entry.path for entry in snapshot.entries}
    found = select(snapshot.files.tree(snapshot.commit), replace(selection, include=())).entries
    others = [entry for entry in found if entry.path not in included and entry.path != FILE_NAME]
    others, _ = without_large(snapshot.files.identified(others), selection)
    contents = dict(snapshot.blobs({entry.blob for entry in others}))
    paths = [
        entry.path
        for entry in others
        if not _matches(entry.path, selection.include)  # one that is refused is among the diagnostics
        and isinstance(read_agent(entry.path, contents[entry.blob], selection.dialect_of(entry.path)), ReadAgent)
    ]
    if paths:
        yield _diagnostic(sorted(paths))


def left_out_file(path: Path) -> Iterator[Diagnostic]:
    """Yield a diagnostic on a file that the manifest above it does not include.

    Raises:
        ConfigError: the manifest has a mistake.
    """
    root = next((directory for directory in path.parents if (directory / FILE_NAME).is_file()), None)
    if root is None:
        return
    manifest = read_manifest((root / FILE_NAME).read_bytes())
    include = SourceTable(url=str(root), allow_local=True).selection(manifest.agents).include
    below = path.relative_to(root).as_posix()
    if include and not _matches(below, include):
        yield _diagnostic([below])


def _matches(path: str, patterns: Iterable[str]) -> bool:
    return any(path_matches(pattern, path) for pattern in patterns)


def _diagnostic(paths: list[str]) -> Diagnostic:
    more = f" and {len(paths) - _MOST} more" if len(paths) > _MOST else ""
    verb = "define agents" if len(paths) > 1 else "defines an agent"
    message = f"{', '.join(paths[:_MOST])}{more} {verb}, and `include` leaves that out"
    return Diagnostic(Code.NOT_INCLUDED, message, path=FILE_NAME)
