"""Working tree: a plain directory, read as git would read it as a tree, for agents that are not committed yet."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from agentsync.core.errors import ConfigError
from agentsync.git.objects import SUBMODULE, Entry
from agentsync.state.records import Stat

IGNORED = frozenset({".git", ".venv", "node_modules"})
"""Directories that are not searched for agents."""

WORKING_TREE = "working tree"
"""Placeholder for the commit and the ref of files that are not committed."""


class WorkingTree:
    """Working directory of a repository, with the methods of a mirror, to read files as they are saved.

    Every method raises ConfigError where something cannot be read.
    """

    def __init__(
        self, root: Path, left_out: Collection[Path] = (), only: str = "", *, as_committed: bool = True
    ) -> None:
        """Set the directory, without reading it.

        Args:
            root: the directory; absolute.
            left_out: files and directories to skip, such as those that the agents are written to.
            only: the name of the only file that counts; all do where it is empty.
            as_committed: whether a repository within it is listed as the submodule that git would make of it.
        """
        self._root = root
        self._left_out = left_out
        self._only = only
        self._as_committed = as_committed
        self._ids: dict[str, str] = {}  # by path

    def stats(self) -> dict[str, Stat]:
        """Return each file's stat by path; it differs once a file was saved."""
        stats = {}
        for path in self._paths():
            with suppress(FileNotFoundError):  # most often an editor's temporary file, which is gone again
                now = path.lstat()
                stats[path] = Stat(now.st_size, now.st_mtime_ns, now.st_ctime_ns, now.st_ino)
        return {path.relative_to(self._root).as_posix(): stat for path, stat in stats.items()}

    def tree(self, _commit: str) -> list[Entry]:
        """Return every file in it, sorted by path, without the ids of their contents."""
        return sorted((entry_of(self._root, path) for path in self._paths()), key=lambda entry: entry.path)

    def identified(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the entries with the ids that git gives their contents, which stay the same once committed."""
        identified = [replace(entry, blob=_blob(content(self._root / entry.path))) for entry in entries]
        self._ids.update((entry.path, entry.blob) for entry in identified)
        return identified

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the content of each of these, which must have been identified before, one in memory at a time."""
        paths = {id_: path for path, id_ in self._ids.items()}
        for id_ in ids:
            path = self._root / paths[id_]
            data = content(path)
            if _blob(data) != id_:
                raise ConfigError("this file was changed while it was read", place=str(path))
            yield id_, data

    def has(self, _commit: str) -> bool:
        """Return False: there are no commits, those of submodules neither."""
        return False

    def commit_facts(self, _commit: str) -> None:
        """Return None: there is no commit."""

    def trust(self, name: str, commit: str) -> None:
        """Do nothing: what was applied cannot be kept, since the next save replaces it."""

    def _paths(self) -> Iterator[Path]:
        paths = [self._root / self._only] if self._only else _paths(self._root, as_committed=self._as_committed)
        return (path for path in paths if not any(path.is_relative_to(other) for other in self._left_out))


def _blob(data: bytes) -> str:
    """Return git's id of a content, in a repository with SHA-1 ids."""
    return hashlib.sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def entry_of(root: Path, path: Path) -> Entry:
    """Return one file as an entry; what git would not store, such as a pipe, has no mode.

    A directory that is a repository of its own is an entry too: git stores its commit, as that of a submodule.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        facts = path.lstat()
    except OSError as error:
        raise _unreadable(path, error) from error
    modes = {stat.S_IFLNK: "120000", stat.S_IFREG: "100644", stat.S_IFDIR: SUBMODULE}
    mode = modes.get(stat.S_IFMT(facts.st_mode), "")
    return Entry(path.relative_to(root).as_posix(), mode, "", facts.st_size)


def content(path: Path) -> bytes:
    """Read a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _paths(root: Path, *, as_committed: bool) -> Iterator[Path]:
    for directory, names, files in os.walk(root, onerror=_stop):
        names[:] = [name for name in names if name not in IGNORED]
        for name in files:
            yield Path(directory) / name
        if as_committed:
            repositories = [name for name in names if os.path.lexists(Path(directory, name, ".git"))]
            names[:] = [name for name in names if name not in repositories]
            yield from (Path(directory) / name for name in repositories)


def _stop(error: OSError) -> NoReturn:
    raise ConfigError(f"this directory cannot be read: {error.strerror}", place=str(error.filename)) from error


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"this file cannot be read: {error.strerror}", place=str(path))
