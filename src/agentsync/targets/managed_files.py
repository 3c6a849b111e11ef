"""Files that agentsync wrote, all at once: one digest of their stats proves that none has changed.

The up-to-date check imports this, and looks at every managed file, so it is made to take a few microseconds for each.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentsync.targets.directory_handle import DirectoryHandle, open_directory, parts

Proof = tuple[int, int, int, int]
"""Size, time of modification and of change in nanoseconds, and inode: what `state.records.Stat` has."""


@dataclass(frozen=True, slots=True)
class ManagedFiles:
    """The files of one target directory.

    Attributes:
        follow_symlinks: whether links on the way to the directory are followed.
        names: names of files, by their directory relative to the target; empty for the target itself.
    """

    follow_symlinks: bool
    names: Mapping[str, Sequence[str]]


def grouped(paths: Iterable[str], *, follow_symlinks: bool) -> ManagedFiles:
    """Group relative paths by their directory."""
    names: dict[str, list[str]] = {}
    for path in paths:
        above, _, name = path.rpartition("/")
        names.setdefault(above, []).append(name)
    return ManagedFiles(follow_symlinks, names)


def digest_of(proofs: Iterable[Proof]) -> str:
    """Return the digest of the stats of files, in order."""
    return hashlib.sha256("".join(map(_LINE.__mod__, proofs)).encode()).hexdigest()


_LINE = "%d %d %d %d\n"


def digest_on_disk(targets: Mapping[str, ManagedFiles]) -> str | None:
    """Return the digest of the stats that files have now, in the order of directories and names.

    None where one is missing or no regular file, or a directory is missing, or lies behind a link that is not followed.
    """
    try:
        return digest_of(_proofs(targets))
    except (OSError, ValueError):
        return None


def _proofs(targets: Mapping[str, ManagedFiles]) -> list[Proof]:
    proofs: list[Proof] = []
    for path, files in targets.items():
        with open_directory(Path(path), follow_symlinks=files.follow_symlinks) as target:
            for above, names in files.names.items():
                with target.descend(parts(above) if above else ()) as directory:
                    _add_stats(proofs, directory, names)
    return proofs


def _add_stats(proofs: list[Proof], directory: DirectoryHandle, names: Sequence[str]) -> None:
    at, descriptor, look, add = directory.at, directory.descriptor, os.stat, proofs.append
    for name in names if descriptor is not None else map(at, names):
        status = look(name, dir_fd=descriptor, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError(name)
        add((status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
