"""Tools on this machine: which are installed, and where each keeps its agents."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from agentsync.core.paths import home, is_directory, is_file
from agentsync.dialects import Dialect, SharedFile, dialects


def directory_of(dialect: Dialect, project: Path | None = None) -> Path | None:
    """Return where a tool looks for the user's own agents, or for those of a project; None where it has no such place.

    The path is a file's where the tool keeps all agents in one file.
    """
    if dialect.shared and (file := _file_of(dialect, dialect.shared, project)):
        return file
    if project is not None:
        return project / dialect.project_directories[0] if dialect.project_directories else None
    return _at_home(dialect, dialect.user_directory) if dialect.user_directory else None


def _file_of(dialect: Dialect, shared: SharedFile, project: Path | None) -> Path | None:
    """Return the tool's file for all agents, where it or the directory that the tool made for it exists."""
    if project is not None:
        return next((file for name in shared.project_files if is_file(file := project / name)), None)
    files = (_at_home(dialect, name) for name in shared.user_files)
    return next((file for file in files if is_directory(file.parent)), None)


def _at_home(dialect: Dialect, name: str) -> Path:
    """Resolve a path relative to the home directory, which the tool's environment variables may move."""
    for moved in dialect.environment:
        directory = os.environ.get(moved.variable, "")
        if directory and PurePosixPath(name).is_relative_to(moved.directory):
            return Path(directory, moved.below, PurePosixPath(name).relative_to(moved.directory))
    return home() / name


def has_program(dialect: Dialect) -> bool:
    """Whether one of the tool's commands is on PATH."""
    return any(shutil.which(binary) for binary in dialect.binaries)


def has_home(dialect: Dialect) -> bool:
    """Whether the tool's own directory exists."""
    directory = directory_of(dialect)
    return directory is not None and is_directory(directory.parent)


def installed() -> tuple[Dialect, ...]:
    """Return the tools whose program or own directory exists.

    Of two dialects of one tool, in one directory, only the one that also reads the other's files is returned.
    """
    present = [dialect for dialect in dialects().values() if has_home(dialect) or has_program(dialect)]
    covered = {
        other
        for dialect in present
        for other in dialect.also_reads
        if dialects()[other].user_directory == dialect.user_directory
    }
    return tuple(dialect for dialect in present if dialect.name not in covered)


def also_read(written: Iterable[str]) -> Iterator[tuple[Dialect, Dialect]]:
    """Yield each tool that also reads another tool's directory, with that other tool, where agents are written there.

    Args:
        written: the dialects that are written; installed tools are considered as readers too.

    Such a tool takes the other's files for its own, perhaps without their restrictions, and shows an agent twice where
    it is written for both.
    """
    names = [*dict.fromkeys(written)]
    readers = dict.fromkeys([*names, *(dialect.name for dialect in installed())])
    for reader in readers:
        dialect = dialects()[reader]
        yield from ((dialect, dialects()[other]) for other in dialect.also_reads if other in names)
