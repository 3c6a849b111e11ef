"""Observation of a file: its digest, and a stat that proves the digest later without reading the file again."""

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
from agentsync.targets.directory_handle import NOFOLLOW, DirectoryHandle

_READ = os.O_RDONLY | NOFOLLOW | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class ChangedError(AgentsyncError):
    """A file is no longer what it was when it was observed."""


@dataclass(frozen=True, slots=True)
class Observed:
    """State of a path, with the proof to store for it; None where that could not be trusted later."""

    actual: Actual
    known: Known | None = None


ABSENT = Observed(Actual(None))


def observe(handle: DirectoryHandle, name: str, known: Known | None = None) -> Observed:
    """Observe a name in a directory.

    Args:
        handle: the directory.
        name: without `/`.
        known: an earlier result; the file is not read where its stat proves that this still holds.

    Raises:
        ChangedError: it stopped being a regular file meanwhile.
        OSError: there is nothing, or it cannot be read.
    """
    now = time.time_ns()
    status = os.stat(handle.at(name), dir_fd=handle.descriptor, follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode):
        return Observed(Actual("", reason=_kind(status.st_mode)))
    if known and known.holds_for(_stat(status)):
        return Observed(Actual(known.digest), known)
    with opened(handle, name) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        before = _stat(os.fstat(descriptor))
        fresh = Known(hashlib.file_digest(file, "sha256").hexdigest(), before, now)
    return Observed(Actual(fresh.digest), fresh if fresh.holds_for(before) else None)


def holds(handle: DirectoryHandle, name: str, known: Known) -> bool:
    """Whether the stat of a file proves that it still has the known digest.

    Raises:
        OSError: there is nothing, or the directory cannot be used.
    """
    status = os.stat(handle.at(name), dir_fd=handle.descriptor, follow_symlinks=False)
    return stat.S_ISREG(status.st_mode) and known.holds_for(_stat(status))


@contextmanager
def opened(handle: DirectoryHandle, name: str) -> Iterator[int]:
    """Open a regular file for reading, and close its descriptor at the end.

    Raises:
        ChangedError: it is not a regular file.
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


def _stat(status: os.stat_result) -> Stat:
    return Stat(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    return "it is a directory" if stat.S_ISDIR(mode) else "it is not a regular file"
