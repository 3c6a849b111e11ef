"""The tools on this machine: which are installed, and where each keeps its agents."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from agentsync.core.paths import is_directory, is_file
from agentsync.dialects import Dialect, SharedFile, dialects


def directory_of(dialect: Dialect, project: Path | None = None) -> Path | None:
    """Where a tool looks for the user's own agents, or for those of a project; None where it has no such place.

    That is a file where the tool keeps all agents in one.
    """
    if dialect.shared and (file := _file_of(dialect, dialect.shared, project)):
        return file
    if project is not None:
        return project / dialect.project_directories[0] if dialect.project_directories else None
    return _at_home(dialect, dialect.user_directory) if dialect.user_directory else None


def _file_of(dialect: Dialect, shared: SharedFile, project: Path | None) -> Path | None:
    """The tool's one file, where it or the directory that the tool made for it is there."""
    if project is not None:
        return next((file for name in shared.project_files if is_file(file := project / name)), None)
    files = (_at_home(dialect, name) for name in shared.user_files)
    return next((file for file in files if is_directory(file.parent)), None)


def _at_home(dialect: Dialect, name: str) -> Path:
    """A place that is named as it stands in the home directory, where the tool looks for it now."""
    for moved in dialect.environment:
        says = os.environ.get(moved.variable, "")
        if says and PurePosixPath(name).is_relative_to(moved.directory):
            return Path(says, moved.below, PurePosixPath(name).relative_to(moved.directory))
    return Path.home() / name


def has_program(dialect: Dialect) -> bool:
    """Whether one of the tool's commands is on PATH."""
    return any(shutil.which(binary) for binary in dialect.binaries)


def has_home(dialect: Dialect) -> bool:
    """Whether the directory is there in which the tool keeps its own things."""
    directory = directory_of(dialect)
    return directory is not None and is_directory(directory.parent)


def installed() -> tuple[Dialect, ...]:
    """The tools of which the program or the own directory is there.

    Of two dialects of one tool, in one directory, the one that reads the other's files too stands for both.
    """
    there = [dialect for dialect in dialects().values() if has_home(dialect) or has_program(dialect)]
    second = {
        other
        for dialect in there
        for other in dialect.also_reads
        if dialects()[other].user_directory == dialect.user_directory
    }
    return tuple(dialect for dialect in there if dialect.name not in second)


def also_read(written: Iterable[str]) -> Iterator[tuple[Dialect, Dialect]]:
    """Each tool that reads another one's directory too, with that other, where agents are written to the latter.

    Args:
        written: the dialects that are written; beside them, the tools that are installed count.

    Such a tool takes the other's files for its own, perhaps without what restricts them, and shows an agent twice
    where it is written for both.
    """
    names = [*dict.fromkeys(written)]
    readers = dict.fromkeys([*names, *(dialect.name for dialect in installed())])
    for reader in readers:
        dialect = dialects()[reader]
        yield from ((dialect, dialects()[other]) for other in dialect.also_reads if other in names)
