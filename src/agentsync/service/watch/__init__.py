"""Reports that files changed, soon after they did: only a hint, since the regular full cycle is the guarantee.

watchdog does the watching. The workarounds here are for the behaviour of its version 7.1 on Linux:

- A directory that is deleted takes its watch with it, and the watch of one that is replaced stays on the old one, while
  the observer seems alive. So `follow` compares what is watched with what is there, and the parent is watched as well.
- Where inotify's table is full, directories below the first are left out silently. So one more watch is tried.
- An observer that lacks a second file descriptor never closes the first one. So their number is checked beforehand.
- An overflow of the kernel's queue, by which events are lost, is only logged. So watchdog's log is read.
- A directory that is made within one that was made just before is added twice at times, about which it warns. So that
  warning is ignored: where warnings are errors, it would end the observer's thread.
- Each watch takes a thread, and each directory a place in the table. So `followed` leaves out ignored directories.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
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
_PROBE: Final = "/proc"  # a directory that is never followed

_LIBRARY: Final = logging.getLogger("watchdog")


@dataclass(frozen=True, slots=True)
class _Watched:
    """A watched directory: how it is watched, its identity, and watchdog's handle for it."""

    spot: Spot
    identity: tuple[int, int]
    handle: ObservedWatch


class Watch:
    """Reports that files were created, written, moved or deleted, soon after that.

    Reading reports nothing, nor do changes below `.git` or another directory that is never searched for agents, nor
    changes of the temporary files in which writes are staged.
    """

    def __init__(self, on_change: Callable[[frozenset[Path]], None], *, settle: float = 0.5, most: float = 5.0) -> None:
        """Watch nothing before `follow`.

        Args:
            on_change: called, in a thread of its own, with the followed files and directories that changed.
            settle: seconds after the last change of a burst until it is reported.
            most: seconds after its first change until it is reported at the latest.
        """
        self._burst = Burst(on_change, settle=settle, most=most)
        self._observer: BaseObserver | None = None
        self._handler = _Handler(self._on_event)
        self._followed = FollowedPaths()
        self._watched: dict[Path, _Watched] = {}
        self._is_full = False
        self._paths: tuple[tuple[Path, ...], tuple[Path, ...]] = (), ()
        self._is_partial = True
        self._is_silent = False
        self._log = _OverflowListener(self._on_overflow)
        _LIBRARY.addHandler(self._log)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all watching and its threads; must not be called by `on_change`."""
        self._stop()
        _LIBRARY.removeHandler(self._log)
        self._burst.close()

    def follow(self, files: Iterable[Path], directories: Iterable[Path]) -> tuple[str, ...]:
        """Follow these absolute paths and no others.

        Call it again from time to time: it finds what was created, removed or replaced since. A path that was followed
        before and whose watch had to be renewed is reported, since changes of it may have been missed.

        Args:
            files: each is watched in the directory that it is in, and so is each link on the way to it.
            directories: with everything below them. One that is itself a symbolic link is not followed: a caller that
                writes through links passes what they lead to.

        Returns:
            The fallbacks: each path that cannot be watched, or only in part, and the reason.
        """
        self._paths = tuple(files), tuple(directories)
        outlook = Outlook(*self._paths)
        before, self._followed = self._followed, outlook.followed
        renewed = self._watch(outlook)
        self._is_full = bool(self._watched) and not self._has_room()
        if self._is_full:
            outlook.fall_back(chain(*outlook.followed.trees.values()), _FULL)
        self._is_partial = bool(outlook.fallbacks)
        self._note(renewed & before.all)
        return tuple(f"{path}: {reason}" for path, reason in outlook.fallbacks.items())

    def mark(self) -> None:
        """Begin a period without an event; called before somebody looks at all followed paths."""
        self._is_silent = True

    def was_silent(self, files: Iterable[Path], directories: Iterable[Path]) -> bool:
        """Whether these paths were followed, all of them and without a gap, and nothing changed since `mark`.

        It takes no longer for many files than for a few.
        """
        return (
            self._is_silent
            and not self._is_partial
            and (tuple(files), tuple(directories)) == self._paths
            and all(self._is_alive(path, watched) for path, watched in self._watched.items())
        )

    def _watch(self, outlook: Outlook) -> set[Path]:
        """Update the watches to what is there now.

        Returns:
            The followed paths for which a watch was added.
        """
        if self._is_full and self._has_room():
            self._stop()
        spots = outlook.spots()
        for path in [path for path, watched in self._watched.items() if not self._holds(path, watched, spots)]:
            self._drop(path)
        renewed: set[Path] = set()
        for path, spot in spots.items():
            if path in self._watched:
                continue
            try:
                self._add(path, spot)
            except (OSError, RuntimeError) as error:  # the latter where no thread can be started
                outlook.fall_back(spot.followed, _reason(error))
            else:
                renewed |= spot.followed
        return renewed

    def _on_event(self, path: Path) -> None:
        self._note(self._followed.affected_by(path))

    def _on_overflow(self) -> None:
        self._note(self._followed.all)

    def _note(self, paths: Iterable[Path]) -> None:
        paths = set(paths)
        if paths:
            self._is_silent = False
        self._burst.note(paths)

    def _add(self, path: Path, spot: Spot) -> None:
        if self._observer is None:
            _try_descriptors()
            warnings.filterwarnings("ignore", "Callback with id .* already exists", RuntimeWarning)
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
        """Whether a watch is still alive, of the directory that is there now, and of the kind that is needed."""
        spot = spots.get(path)
        if spot is None or (spot.recursive, spot.writing) != (watched.spot.recursive, watched.spot.writing):
            return False
        return self._is_alive(path, watched)

    def _is_alive(self, path: Path, watched: _Watched) -> bool:
        emitters = self._observer.emitters if self._observer else ()
        alive = any(emitter.watch == watched.handle and emitter.is_alive() for emitter in emitters)
        return alive and watched.identity == _identity(path)

    def _has_room(self) -> bool:
        """Whether there is room for one more watch; always true on systems without a table of watches."""
        if self._observer is None or sys.platform != "linux":
            return True
        try:
            self._observer.unschedule(self._observer.schedule(self._handler, _PROBE, event_filter=[]))
        except (OSError, RuntimeError):
            return False
        return True


class _Handler(FileSystemEventHandler):
    """Passes on the paths of every watchdog event."""

    def __init__(self, on_event: Callable[[Path], None]) -> None:
        self._on_event = on_event

    def dispatch(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if path:
                self._on_event(Path(os.fsdecode(path)))


class _OverflowListener(logging.Handler):
    """Finds overflows in watchdog's log, which is shown nowhere."""

    def __init__(self, on_overflow: Callable[[], None]) -> None:
        super().__init__(logging.WARNING)
        self._on_overflow = on_overflow

    def emit(self, record: logging.LogRecord) -> None:
        if "overflow" in record.getMessage():
            self._on_overflow()


def _identity(path: Path) -> tuple[int, int]:
    """The device and inode of the directory at a path; zeros where there is none."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


def _try_descriptors() -> None:
    """Open as many file descriptors as an observer needs, and close them again.

    Raises:
        OSError: there are too few.
    """
    with ExitStack() as stack:
        for _ in range(_DESCRIPTORS):
            stack.callback(os.close, os.open(os.devnull, os.O_RDONLY))


def _reason(error: OSError | RuntimeError) -> str:
    if isinstance(error, OSError):
        return _REASONS.get(error.errno or 0) or error.strerror or str(error)
    return str(error)
