"""Directory handles, opened one below the other without following a link.

Where the platform has directory descriptors every name is looked up below an open one, so a directory that is replaced
by a link in between cannot redirect a write. Elsewhere (Windows) paths are checked, then used.
"""

# Descriptors and plain paths go through the same calls here, and pathlib knows no descriptors.
# ruff: noqa: PTH103, PTH111, PTH114, PTH118

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from agentsync.core.errors import AgentsyncError

NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
"""Flag for os.open: fail where the last part of the path is a link; 0 where the platform has no such flag."""

_DESCRIPTORS = {os.open, os.stat, os.mkdir, os.rmdir, os.unlink, os.link, os.rename} <= os.supports_dir_fd
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
# Directories on the way need not be readable: on a shared machine those above a home often are not.
_PASSING = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0)
_UNSAFE = "\0\\:" if os.name == "nt" else "\0"


class UnsafePathError(AgentsyncError):
    """A relative path could lead out of its directory."""


@dataclass(frozen=True, slots=True)
class DirectoryHandle:
    """Directory to look names up in: by its descriptor, or by its path where the platform has no descriptors.

    Every method raises OSError where the file system refuses.
    """

    path: str
    descriptor: int | None

    @classmethod
    def open(cls, path: Path, *, passing: bool = False) -> Self:
        """Open a directory by its path, which may go through links; `passing` where only names below it are used."""
        if _DESCRIPTORS:
            return cls(str(path), os.open(path, _PASSING if passing else _DIRECTORY))
        os.scandir(path).close()
        return cls(str(path), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the directory."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def at(self, name: str) -> str:
        """Return the path for a name in a system call that also gets the descriptor."""
        return name if self.descriptor is not None else os.path.join(self.path, name)

    def child(self, name: str, *, create: bool, passing: bool = False) -> DirectoryHandle:
        """Open a directory in this one, never through a link; with `create`, create it where it is missing."""
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
            flags = _PASSING if passing else _DIRECTORY
            return DirectoryHandle(path, os.open(name, flags | NOFOLLOW, dir_fd=self.descriptor))
        if os.path.islink(path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        os.scandir(path).close()
        return DirectoryHandle(path, None)

    @contextmanager
    def descend(self, names: Sequence[str], *, create: bool = False) -> Iterator[DirectoryHandle]:
        """Open a directory below this one, as `child` does, until the end of the block."""
        with ExitStack() as stack:
            handle = self
            for name in names:
                handle = stack.enter_context(handle.child(name, create=create))
            yield handle

    def sync(self) -> None:
        """Make the names in it durable, where the platform has descriptors."""
        if self.descriptor is None:
            return
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network file systems cannot sync a directory
                raise


def open_directory(path: Path, *, create: bool = False, follow_symlinks: bool = False) -> DirectoryHandle:
    """Open a directory by an absolute path; the arguments are those of `TargetDirectory.open`.

    Raises:
        OSError: it is missing, lies behind a symbolic link, is not a directory, or cannot be opened.
    """
    top = path if follow_symlinks else top_of(path)
    names = path.relative_to(top).parts
    if create:
        os.makedirs(top, exist_ok=True)
    handle = DirectoryHandle.open(top, passing=bool(names))
    for remaining, name in zip(range(len(names) - 1, -1, -1), names, strict=True):
        with handle:
            handle = handle.child(name, create=create, passing=bool(remaining))
    return handle


def top_of(path: Path) -> Path:
    """Return the part of a path that belongs to the system: the user's home, else the directory below the root."""
    home = Path(os.path.expanduser("~"))
    return home if home in path.parents else Path(*path.parts[: min(2, len(path.parts) - 1)])


def parts(relative: str) -> list[str]:
    """Split a relative path at each `/`.

    Raises:
        UnsafePathError: it is absolute, has empty parts, `.`, `..` or NUL, or the platform cannot encode it.
    """
    names = relative.split("/")
    if any(name in ("", ".", "..") or set(name) & set(_UNSAFE) for name in names):
        raise UnsafePathError("the path is not safe to use", place=repr(relative))
    try:
        os.fsencode(relative)
    except UnicodeEncodeError as error:
        raise UnsafePathError("the path cannot be encoded", place=repr(relative)) from error
    return names
