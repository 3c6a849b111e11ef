"""What stands at a name: its digest, and a proof that spares reading it again."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from agentsync.core.errors import AgentsyncError
from agentsync.state.records import Known, Stat
from agentsync.targets.change import Actual
from agentsync.targets.dirfd import NOFOLLOW, DirectoryHandle

_READ = os.O_RDONLY | NOFOLLOW | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class ChangedError(AgentsyncError):
    """A file is no longer what it was when it was looked at."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What stands at a path, and what may be remembered of it; None where that could not be trusted later."""

    actual: Actual
    known: Known | None = None


ABSENT = Observed(Actual(None))


def observe(handle: DirectoryHandle, name: str, known: Known | None = None) -> Observed:
    """What stands at a name of a folder.

    Args:
        handle: where to look.
        name: without `/`.
        known: an earlier answer, which spares reading the file where it must still hold.

    Raises:
        ChangedError: it stopped being a regular file meanwhile.
        OSError: nothing stands there, or it cannot be read.
    """
    now = time.time_ns()
    found = os.stat(handle.at(name), dir_fd=handle.descriptor, follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode):
        return Observed(Actual("", reason=_kind(found.st_mode)))
    if known and known.holds_for(_stat(found)):
        return Observed(Actual(known.digest), known)
    with opened(handle, name) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        before = _stat(os.fstat(descriptor))
        fresh = Known(hashlib.file_digest(file, "sha256").hexdigest(), before, now)
    return Observed(Actual(fresh.digest), fresh if fresh.holds_for(before) else None)


def holds(handle: DirectoryHandle, name: str, known: Known) -> bool:
    """Whether the stat of what stands at a name of a folder proves that it is still what is known.

    Raises:
        OSError: nothing stands there, or the folder cannot be used.
    """
    found = os.stat(handle.at(name), dir_fd=handle.descriptor, follow_symlinks=False)
    return stat.S_ISREG(found.st_mode) and known.holds_for(_stat(found))


@contextmanager
def opened(handle: DirectoryHandle, name: str) -> Iterator[int]:
    """A descriptor to read a regular file with, closed at the end.

    Raises:
        ChangedError: it is something else.
        OSError: it cannot be opened, or it is a link.
    """
    descriptor = os.open(handle.at(name), _READ, dir_fd=handle.descriptor)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise ChangedError(_kind(mode), place=name)
        yield descriptor
    finally:
        os.close(descriptor)


def _stat(found: os.stat_result) -> Stat:
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    return "it is a directory" if stat.S_ISDIR(mode) else "it is no regular file"
