"""Where to watch, so that a change of some files and directories is seen whatever becomes of them."""

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
from agentsync.targets.directory import TEMPORARY_SUFFIX

_LINK: Final = "it is a symbolic link, which is not followed"
_NOT_THERE: Final = "neither it nor the directory that it would be in is there"

_MOST_SPOTS: Final = 64  # for one tree: each costs a thread
_MOST_LINKS: Final = 40  # on the way to a file, as Linux has it


@dataclass(frozen=True, slots=True)
class Spot:
    """How a directory is to be watched.

    Attributes:
        recursive: with all that is below it.
        writing: whether what is written to its files counts, or only what comes and goes.
        followed: what for.
    """

    recursive: bool
    writing: bool
    followed: frozenset[Path]

    def __or__(self, other: Spot) -> Spot:
        return Spot(self.recursive or other.recursive, self.writing or other.writing, self.followed | other.followed)


@dataclass(frozen=True, slots=True)
class FollowedPaths:
    """What is followed, and which paths mean it.

    Attributes:
        names: by path, what is there, or is reached by a link there.
        trees: by path, the directory there with all that is below it.
    """

    names: defaultdict[Path, set[Path]] = field(default_factory=lambda: defaultdict(set))
    trees: defaultdict[Path, set[Path]] = field(default_factory=lambda: defaultdict(set))

    @property
    def all(self) -> set[Path]:
        """Everything that is followed."""
        return set().union(*self.names.values())

    def intended_by(self, path: Path) -> Iterator[Path]:
        """What has changed when something changed at a path."""
        yield from self.names.get(path, ())
        if path.name.endswith(TEMPORARY_SUFFIX):
            return
        for number, top in enumerate(path.parents, start=1):
            if top in self.trees and not {*path.parts[-number:]} & IGNORED:
                yield from self.trees[top]


class Outlook:
    """What is there of what is to be followed.

    Attributes:
        followed: all of it, whether it is there or not.
        fallbacks: what cannot be watched, and why.
    """

    def __init__(self, files: Iterable[Path], directories: Iterable[Path]) -> None:
        """Looks at the paths, which are absolute, and at all directories below the latter."""
        self.followed = FollowedPaths()
        self.fallbacks: dict[Path, str] = {}
        self._spots: dict[Path, Spot] = {}
        self._network = network_devices()
        for directory in directories:
            self._add_directory(directory)
        for file in files:
            self._add_file(file)

    def spots(self) -> dict[Path, Spot]:
        """Where to watch; nothing apart that is below what is watched with all below it."""
        trees = {path for path, spot in self._spots.items() if spot.recursive}
        return {path: spot for path, spot in self._spots.items() if not trees.intersection(path.parents)}

    def fall_back(self, followed: Iterable[Path], reason: str) -> None:
        """Notes why something cannot be watched; the first reason counts."""
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
        elif above:  # else it tells when the directory comes
            self.fall_back([directory], above)

    def _add_file(self, file: Path) -> None:
        path = self._add_ways(file, links=True)
        if problem := self._problem(path.parent):
            self.fall_back([file], problem)
        else:
            self._add(path.parent, Spot(recursive=False, writing=True, followed=frozenset([file])))

    def _add_ways(self, followed: Path, *, links: bool) -> Path:
        """Sees to the links that lead to a path; where they lead."""
        *ways, path = _ways(followed, links=links)
        for way in (*ways, path):
            self.followed.names[way].add(followed)
        for way in ways:
            # The system's own, such as /var/run, stay as they are. Where a directory cannot be watched without all that
            # is below it (macOS), the uppermost one would be the whole disk.
            if way.parent != Path(way.anchor) and not self._problem(way.parent):
                self._add(way.parent, Spot(recursive=False, writing=False, followed=frozenset([followed])))
        return path

    def _add(self, path: Path, spot: Spot) -> None:
        self._spots[path] = self._spots[path] | spot if path in self._spots else spot

    def _problem(self, directory: Path) -> str | None:
        """Why a directory cannot be watched, if that is so."""
        try:
            os.scandir(directory).close()
            type_ = self._network.get(directory.stat().st_dev)
        except FileNotFoundError:
            return _NOT_THERE
        except OSError as error:
            return error.strerror
        return f"it is on a network file system ({type_}), where not every change is told" if type_ else None


def _cover(top: Path) -> Mapping[Path, bool]:
    """The directories to watch for a tree, each with whether all below it is meant.

    Where each directory takes a place in a table, those that nobody reads are left out, unless that makes too many
    spots of the others. Elsewhere the system watches a whole tree at once.
    """
    if sys.platform != "linux":
        return {top: True}
    directories: list[Path] = []
    apart: set[Path] = set()  # without what is below
    for name, below, _ in os.walk(top):
        directory = Path(name)
        directories.append(directory)
        kept = [name for name in below if name not in IGNORED]
        if len(kept) < len(below):
            apart |= {above for above in (directory, *directory.parents) if above.is_relative_to(top)}
        below[:] = kept
    cover = {path: path not in apart for path in directories if path == top or path.parent in apart}
    return cover if len(cover) <= _MOST_SPOTS else {top: True}


def _ways(path: Path, *, links: bool) -> Iterator[Path]:
    """Each link on the way to an absolute path, itself reached without links, and at last where the way leads.

    A link in the last place is followed where `links` says so.
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
    """What a symbolic link says; None for what is none, or may not be looked at."""
    try:
        return path.readlink()
    except OSError:
        return None
