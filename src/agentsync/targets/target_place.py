"""How a target's place is opened: its directory, or the file that has all of its entries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentsync.targets.shared_file import SharedEntries
from agentsync.targets.target_directory import TargetDirectory

if TYPE_CHECKING:
    from agentsync.dialects import SharedFile


@dataclass(frozen=True, slots=True)
class DirectoryOptions:
    """How a target's directory may be opened; `TargetDirectory.open` explains each.

    Attributes:
        shared: how to edit the one file that a tool has for all agents, in the place of a directory.
    """

    create: bool = False
    follow_symlinks: bool = False
    shared: SharedFile | None = None


Place = TargetDirectory | SharedEntries
"""Where a target's files are, or its entries: both have the same methods."""


def open_place(directory: str, options: DirectoryOptions, *, create: bool) -> Place:
    path, follow = Path(directory), options.follow_symlinks
    if options.shared:
        return SharedEntries.open(path, options.shared, create=create, follow_symlinks=follow)
    return TargetDirectory.open(path, create=create, follow_symlinks=follow)
