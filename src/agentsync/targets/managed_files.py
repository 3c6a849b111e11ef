"""Files that agentsync wrote, all at once: one digest of their stats proves that none has changed.

The up-to-date check imports this, and looks at every managed file, so it is made to take a few microseconds for each.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentsync.core.errors import AgentsyncError
from agentsync.targets.directory_handle import DirectoryHandle, open_directory, parts

if TYPE_CHECKING:
    from agentsync.state.records import Key

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


def stats_on_disk(targets: Mapping[str, ManagedFiles]) -> dict[Key, Proof]:
    """Return the stats that files have now.

    Raises:
        OSError: one is missing, or a directory cannot be used.
        ValueError: one is no regular file.
    """
    return dict(zip(keys_of(targets), _proofs(targets), strict=True))


def have_contents(digests: Mapping[str, Mapping[str, str]], targets: Mapping[str, ManagedFiles]) -> bool:
    """Whether files have the contents with these digests, which are given by target and relative path."""
    from agentsync.targets.observe import opened  # noqa: PLC0415 - see the module's docstring

    try:
        for path, files in digests.items():
            with open_directory(Path(path), follow_symlinks=targets[path].follow_symlinks) as target:
                for relative, expected in files.items():
                    *above, name = parts(relative)
                    with (
                        target.descend(above) as directory,
                        opened(directory, name) as descriptor,
                        os.fdopen(descriptor, "rb", closefd=False) as file,
                    ):
                        if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                            return False
    except (AgentsyncError, OSError):
        return False
    return True


def keys_of(targets: Mapping[str, ManagedFiles]) -> Iterator[Key]:
    for path, files in targets.items():
        for above, names in files.names.items():
            yield from ((path, f"{above}/{name}" if above else name) for name in names)


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
