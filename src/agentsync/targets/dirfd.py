"""Folders opened one below the other, without following a link.

Where the platform has directory descriptors every name is looked up below an open one, so a folder that is swapped
for a link in between cannot lead a write astray. Elsewhere (Windows) paths are checked, then used.
"""

# Descriptors and plain paths go through the same calls here, and pathlib knows no descriptors.
# ruff: noqa: PTH114, PTH118

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from agentsync.core.errors import AgentsyncError

NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
"""For os.open: fail where the last part of the path is a link; 0 where the platform cannot."""

_DESCRIPTORS = {os.open, os.stat, os.mkdir, os.rmdir, os.unlink, os.link, os.rename} <= os.supports_dir_fd
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
# What is only passed through need not be readable: on a shared machine the way to a home often is not.
_PASSED = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_UNSAFE = "\0\\:" if os.name == "nt" else "\0"


class UnsafePathError(AgentsyncError):
    """A relative path that could lead out of its directory."""


@dataclass(frozen=True, slots=True)
class DirectoryHandle:
    """A directory to look names up in: by its descriptor, or by its path where there are none.

    Every method raises OSError where the file system refuses.
    """

    path: str
    descriptor: int | None

    @classmethod
    def open(cls, path: Path, *, passing: bool = False) -> Self:
        """Open a directory by its path, which may go through links; `passing` where only names below it are used."""
        if _DESCRIPTORS:
            return cls(str(path), os.open(path, _PASSED if passing else _DIRECTORY))
        os.scandir(path).close()
        return cls(str(path), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the directory."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def at(self, name: str) -> str:
        """What to call a name in a system call that also gets the descriptor."""
        return name if self.descriptor is not None else os.path.join(self.path, name)

    def child(self, name: str, *, create: bool, passing: bool = False) -> DirectoryHandle:
        """Open a directory in this one, never through a link; `create` makes it where it is missing."""
        try:
            return self._child(name, passing=passing)
        except FileNotFoundError:
            if not create:
                raise
        with suppress(FileExistsError):
            os.mkdir(self.at(name), dir_fd=self.descriptor)
        return self._child(name, passing=passing)

    def _child(self, name: str, *, passing: bool) -> DirectoryHandle:
        path = os.path.join(self.path, name)
        if self.descriptor is not None:
            flags = _PASSED if passing else _DIRECTORY
            return DirectoryHandle(path, os.open(name, flags | NOFOLLOW, dir_fd=self.descriptor))
        if os.path.islink(path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        os.scandir(path).close()
        return DirectoryHandle(path, None)

    def sync(self) -> None:
        """Make the names in it durable, where there are descriptors."""
        if self.descriptor is None:
            return
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network file systems cannot sync a directory
                raise


def parts(relative: str) -> list[str]:
    """The parts of a relative path, separated by `/`.

    Raises:
        UnsafePathError: it is absolute, has empty parts, `.`, `..` or NUL, or the platform cannot encode it.
    """
    found = relative.split("/")
    if any(part in ("", ".", "..") or set(part) & set(_UNSAFE) for part in found):
        raise UnsafePathError("the path is not safe to use", place=repr(relative))
    try:
        os.fsencode(relative)
    except UnicodeEncodeError as error:
        raise UnsafePathError("the path cannot be encoded", place=repr(relative)) from error
    return found
