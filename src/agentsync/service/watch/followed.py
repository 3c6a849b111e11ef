"""Where to watch, so that changes of files and directories are seen even when these are replaced or created later."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agentsync.repository.working_tree import IGNORED
from agentsync.service.watch.mounts import network_devices
from agentsync.targets.target_directory import TEMPORARY_SUFFIX

_LINK: Final = "it is a symbolic link, which is not followed"
_NOT_THERE: Final = "neither it nor the directory that it would be in is there"

_MOST_SPOTS: Final = 64  # for one tree: each costs a thread
_MOST_LINKS: Final = 40  # on the way to a file, as in Linux


@dataclass(frozen=True, slots=True)
class Spot:
    """How to watch a directory.

    Attributes:
        recursive: with everything below it.
        writing: whether writing to its files matters, or only creating, moving and deleting them.
        followed: the followed paths that need this watch.
    """

    recursive: bool
    writing: bool
    followed: frozenset[Path]

    def __or__(self, other: Spot) -> Spot:
        return Spot(self.recursive or other.recursive, self.writing or other.writing, self.followed | other.followed)


@dataclass(frozen=True, slots=True)
class FollowedPaths:
    """The followed files and directories, by the paths at which a change affects them.

    Attributes:
        names: by path, what is there, or is reached through a link there.
        trees: by path, the followed directory of which everything below that path matters.
    """

    names: defaultdict[Path, set[Path]] = field(default_factory=lambda: defaultdict(set))
    trees: defaultdict[Path, set[Path]] = field(default_factory=lambda: defaultdict(set))

    @property
    def all(self) -> set[Path]:
        """All followed paths."""
        return set().union(*self.names.values())

    def affected_by(self, path: Path) -> Iterator[Path]:
        """The followed paths that a change at this path affects."""
        yield from self.names.get(path, ())
        if path.name.endswith(TEMPORARY_SUFFIX):
            return
        for number, top in enumerate(path.parents, start=1):
            if top in self.trees and not {*path.parts[-number:]} & IGNORED:
                yield from self.trees[top]


class Outlook:
    """The places to watch for a set of followed paths, given what exists now.

    Attributes:
        followed: all followed paths, whether they exist or not.
        fallbacks: the paths that cannot be watched, and why.
    """

    def __init__(self, files: Iterable[Path], directories: Iterable[Path]) -> None:
        """Look at the absolute paths, and at all directories below the latter."""
        self.followed = FollowedPaths()
        self.fallbacks: dict[Path, str] = {}
        self._spots: dict[Path, Spot] = {}
        self._network = network_devices()
        for directory in directories:
            self._add_directory(directory)
        for file in files:
            self._add_file(file)

    def spots(self) -> dict[Path, Spot]:
        """The directories to watch; none separately that a recursive watch covers already."""
        trees = {path for path, spot in self._spots.items() if spot.recursive}
        return {path: spot for path, spot in self._spots.items() if not trees.intersection(path.parents)}

    def fall_back(self, followed: Iterable[Path], reason: str) -> None:
        """Note why paths cannot be watched; the first reason counts."""
        for path in followed:
            self.fallbacks.setdefault(path, reason)

    def _add_directory(self, directory: Path) -> None:
        path = self._add_ways(directory, links=False)
        self.followed.trees[path].add(directory)
        if _target(path):
            self.fall_back([directory], _LINK)
            return
        above = self._problem(path.parent)
        if not above:
            self._add(path.parent, Spot(recursive=False, writing=False, followed=frozenset([directory])))
        problem = self._problem(path)
        if problem is None:
            for below, recursive in _cover(path).items():
                self._add(below, Spot(recursive, writing=True, followed=frozenset([directory])))
        elif problem != _NOT_THERE:
            self.fall_back([directory], problem)
        elif above:  # else the watch of the parent reports when the directory is created
            self.fall_back([directory], above)

    def _add_file(self, file: Path) -> None:
        path = self._add_ways(file, links=True)
        if problem := self._problem(path.parent):
            self.fall_back([file], problem)
        else:
            self._add(path.parent, Spot(recursive=False, writing=True, followed=frozenset([file])))

    def _add_ways(self, followed: Path, *, links: bool) -> Path:
        """Watch the links that lead to a path, and return where they lead."""
        *ways, path = _ways(followed, links=links)
        for way in (*ways, path):
            self.followed.names[way].add(followed)
        for way in ways:
            # Links of the system itself, such as /var/run, never change. And where every watch is recursive (macOS),
            # watching the root directory would watch the whole disk.
            if way.parent != Path(way.anchor) and not self._problem(way.parent):
                self._add(way.parent, Spot(recursive=False, writing=False, followed=frozenset([followed])))
        return path

    def _add(self, path: Path, spot: Spot) -> None:
        self._spots[path] = self._spots[path] | spot if path in self._spots else spot

    def _problem(self, directory: Path) -> str | None:
        """The reason why a directory cannot be watched, if there is one."""
        try:
            os.scandir(directory).close()
            type_ = self._network.get(directory.stat().st_dev)
        except FileNotFoundError:
            return _NOT_THERE
        except OSError as error:
            return error.strerror
        return f"it is on a network file system ({type_}), where not every change is reported" if type_ else None


def _cover(top: Path) -> Mapping[Path, bool]:
    """The directories to watch for a tree, each with whether it is watched recursively.

    Where each directory takes a place in a table (Linux), ignored directories are left out, unless that would need too
    many watches for the others. Other systems watch a whole tree at once.
    """
    if sys.platform != "linux":
        return {top: True}
    directories: list[Path] = []
    apart: set[Path] = set()  # watched without what is below
    for name, below, _ in os.walk(top):
        directory = Path(name)
        directories.append(directory)
        searched = [name for name in below if name not in IGNORED]
        if len(searched) < len(below):
            apart |= {above for above in (directory, *directory.parents) if above.is_relative_to(top)}
        below[:] = searched
    cover = {path: path not in apart for path in directories if path == top or path.parent in apart}
    return cover if len(cover) <= _MOST_SPOTS else {top: True}


def _ways(path: Path, *, links: bool) -> Iterator[Path]:
    """Yield each link on the way to an absolute path, itself reached without links, and at last where they lead.

    A link in the last place is followed only if `links` is set.
    """
    at, names = Path(path.anchor), list(path.parts[1:])
    followed = 0
    while names:
        name = names.pop(0)
        here = at / name
        if name == os.pardir:
            at = at.parent
        elif (names or links) and followed < _MOST_LINKS and (target := _target(here)):
            yield here
            followed += 1
            at = Path(target.anchor) if target.anchor else at
            names[:0] = target.parts[1:] if target.anchor else target.parts
        else:
            at = here
    yield at


def _target(path: Path) -> Path | None:
    """Read a symbolic link; None where it is not one, or cannot be read."""
    try:
        return path.readlink()
    except OSError:
        return None
