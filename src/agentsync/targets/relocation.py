"""Target directories that moved, as with a home directory: what was written there is recognised by its content."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agentsync.core.errors import AgentsyncError
from agentsync.state.records import Key, Recorded
from agentsync.state.store import State
from agentsync.targets.target_place import DirectoryOptions, open_place


def find_relocations(state: State, directories: Mapping[str, DirectoryOptions]) -> dict[str, str]:
    """Map the former path of each target directory that moved to its present one.

    A directory moved if its former path is gone, or leads to the present one, if nothing was ever written to the
    present one, and if that has a file that was written to the former one, with the same name and content.

    Args:
        state: what was written.
        directories: the present target directories.
    """
    used = state.directories()
    former = sorted(used - directories.keys())
    moved: dict[str, str] = {}
    for directory in directories.keys() - used if former else ():
        candidates = [path for path in former if path not in moved and _may_be(path, directory)]
        matches = {path: _matches(state, path, directory, directories[directory]) for path in candidates}
        if any(matches.values()):
            moved[max(candidates, key=lambda path: matches[path])] = directory
    return moved


def relocated(inventory: Mapping[Key, Recorded], moved: Mapping[str, str]) -> dict[Key, Recorded]:
    """Return an inventory with the present paths of directories that moved."""
    return {(moved.get(directory, directory), path): row for (directory, path), row in inventory.items()}


def _may_be(former: str, present: str) -> bool:
    try:
        return not os.path.lexists(former) or Path(former).samefile(present)
    except OSError:
        return False


def _matches(state: State, former: str, present: str, options: DirectoryOptions) -> int:
    """Number of files in the present directory that were written to the former one."""
    rows = state.inventory([former])
    with suppress(AgentsyncError, OSError), open_place(present, options, create=False) as place:
        return sum(place.observe(path).actual.digest == row.digest for (_, path), row in rows.items())
    return 0
