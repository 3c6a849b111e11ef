"""Tells that files changed, soon after they did: a hint, and a full reconcile stays the guarantee.

watchdog does the watching. What is done around it answers to what was seen of its version 7.1 on Linux:

- A directory that is deleted takes its watch with it, and the watch of one that is replaced stays on the old one, while
  the observer seems alive. So `follow` compares what is watched with what is there, and the parent is watched as well.
- Where inotify's table is full, directories below the first are left out without a word. So one more watch is tried.
- An observer that finds no file descriptor for its second need keeps what it took for the first. So they are tried.
- That the kernel's queue ran over, and events are lost, is told to the log alone. So that is listened to.
- Each watch takes a thread, and each directory a place in the table. So `followed` leaves out what nobody reads.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from errno import EMFILE, ENOSPC
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

from agentsync.service.watch.burst import Burst
from agentsync.service.watch.followed import FollowedPaths, Outlook, Spot

_COMING_AND_GOING: Final[list[type[FileSystemEvent]]] = [
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
]
_WRITING: Final[list[type[FileSystemEvent]]] = [FileModifiedEvent, FileClosedEvent]

_FULL: Final = "inotify's table is full, so not every directory is watched; see fs.inotify.max_user_watches"
_REASONS: Final = {
    ENOSPC: _FULL,
    EMFILE: "no inotify instance or file descriptor is left; see fs.inotify.max_user_instances and `ulimit -n`",
}

_DESCRIPTORS: Final = 8  # more than an observer takes
_ROOM: Final = "/proc"  # a directory that nobody follows

_LIBRARY: Final = logging.getLogger("watchdog")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A directory that is watched: how, which one it was, and what watchdog calls it."""

    spot: Spot
    identity: tuple[int, int]
    handle: ObservedWatch


class Watch:
    """Tells that files changed, soon after they did: a hint, and a full reconcile stays the guarantee.

    Only what changes tells (made, written, moved, deleted), never what is read. Nothing below `.git`, or another
    directory in which no agents are looked for, does, nor do the temporary names that files are staged at.
    """

    def __init__(self, on_change: Callable[[frozenset[Path]], None], *, settle: float = 0.5, most: float = 5.0) -> None:
        """Nothing is watched before `follow`.

        Args:
            on_change: called, in a thread of its own, with the followed files and directories that changed.
            settle: seconds after the last change of a burst at which it is told.
            most: seconds after its first one at which it is told at the latest.
        """
        self._burst = Burst(on_change, settle=settle, most=most)
        self._observer: BaseObserver | None = None
        self._handler = _Handler(self._noticed)
        self._followed = FollowedPaths()
        self._watched: dict[Path, _Watched] = {}
        self._is_full = False
        self._log = _Overheard(self._lost)
        _LIBRARY.addHandler(self._log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends all watching, and every thread of it; not to be called by `tell`."""
        self._stop()
        _LIBRARY.removeHandler(self._log)
        self._burst.close()

    def follow(self, files: Iterable[Path], directories: Iterable[Path]) -> tuple[str, ...]:
        """Follows these absolute paths and no others.

        To be called again from time to time: it finds what was made, removed or replaced since. What was followed
        already and had to be watched anew is told, since changes of it may have been missed.

        Args:
            files: each is watched in the directory that it is in, and so is each link on the way to it.
            directories: with all that is below them. One that is itself a symbolic link is not followed: whoever
                writes through links hands in what they lead to.

        Returns:
            The fallbacks: each path that cannot be watched, or not as a whole, and why.
        """
        found = Outlook(files, directories)
        before, self._followed = self._followed, found.followed
        anew = self._watch(found)
        self._is_full = bool(self._watched) and not self._has_room()
        if self._is_full:
            found.fall_back(chain(*found.followed.trees.values()), _FULL)
        self._burst.note(anew & before.all)
        return tuple(f"{path}: {reason}" for path, reason in found.fallbacks.items())

    def _watch(self, found: Outlook) -> set[Path]:
        """Brings what is watched in line with what was found; what is followed that had to be watched anew."""
        if self._is_full and self._has_room():
            self._stop()
        spots = found.spots()
        for path in [path for path, watched in self._watched.items() if not self._holds(path, watched, spots)]:
            self._drop(path)
        anew: set[Path] = set()
        for path, spot in spots.items():
            if path in self._watched:
                continue
            try:
                self._add(path, spot)
            except (OSError, RuntimeError) as error:  # the latter where no thread can be started
                found.fall_back(spot.followed, _reason(error))
            else:
                anew |= spot.followed
        return anew

    def _noticed(self, path: Path) -> None:
        self._burst.note(self._followed.intended_by(path))

    def _lost(self) -> None:
        self._burst.note(self._followed.all)

    def _add(self, path: Path, spot: Spot) -> None:
        if self._observer is None:
            _try_descriptors()
            self._observer = Observer()
            self._observer.start()
        identity = _identity(path)
        events = [*_COMING_AND_GOING, *(_WRITING if spot.writing else ())]
        handle = self._observer.schedule(self._handler, path, recursive=spot.recursive, event_filter=events)
        self._watched[path] = _Watched(spot, identity, handle)

    def _drop(self, path: Path) -> None:
        watched = self._watched.pop(path)
        if self._observer:
            self._observer.unschedule(watched.handle)

    def _stop(self) -> None:
        self._watched.clear()
        if self._observer:
            self._observer.stop()
            self._observer.join()
            self._observer = None

    def _holds(self, path: Path, watched: _Watched, spots: dict[Path, Spot]) -> bool:
        """Whether what is watched is what is there, and is watched as it is to be."""
        spot = spots.get(path)
        if spot is None or (spot.recursive, spot.writing) != (watched.spot.recursive, watched.spot.writing):
            return False
        emitters = self._observer.emitters if self._observer else ()
        alive = any(emitter.watch == watched.handle and emitter.is_alive() for emitter in emitters)
        return alive and watched.identity == _identity(path)

    def _has_room(self) -> bool:
        """Whether there is room for one more watch; always, where systems have no table of them."""
        if self._observer is None or sys.platform != "linux":
            return True
        try:
            self._observer.unschedule(self._observer.schedule(self._handler, _ROOM, event_filter=[]))
        except (OSError, RuntimeError):
            return False
        return True


class _Handler(FileSystemEventHandler):
    """Takes every event of watchdog's."""

    def __init__(self, noticed: Callable[[Path], None]) -> None:
        self._noticed = noticed

    def dispatch(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if path:
                self._noticed(Path(os.fsdecode(path)))


class _Overheard(logging.Handler):
    """Hears what watchdog logs, which nobody else does, and nobody should see."""

    def __init__(self, lost: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._lost = lost

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._lost()


def _identity(path: Path) -> tuple[int, int]:
    """Which directory is at a path; zeros where none is."""
    try:
        found = path.stat()
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino


def _try_descriptors() -> None:
    """Takes as many file descriptors as are needed at once, and gives them back.

    Raises:
        OSError: there are not so many.
    """
    with ExitStack() as stack:
        for _ in range(_DESCRIPTORS):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))


def _reason(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return str(error)
