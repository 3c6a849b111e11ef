"""Files below one target directory: looked at and replaced without following a link out of it.

Where the platform has directory descriptors every name is looked up below an open one, so a directory that is
swapped for a link in between cannot lead a write astray. Elsewhere (Windows) paths are checked, then used.
"""

# Descriptors and plain paths go through the same calls here, and pathlib knows no descriptors.
# ruff: noqa: PTH103, PTH114, PTH118

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from agentsync.diagnostics import Code
from agentsync.errors import AgentsyncError
from agentsync.plan import Actual

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

TEMPORARY_SUFFIX = ".agentsync-tmp"

RACY_NS = 2_000_000_000
"""A digest is trusted by its stat only if the file was this much older when it was taken: file systems round times
to as much as two seconds, and two writes within one tick look like one (git's racy index)."""

_DESCRIPTORS = {os.open, os.stat, os.mkdir, os.rmdir, os.unlink, os.link, os.rename} <= os.supports_dir_fd
_NOFOLLOW: int = getattr(os, "O_NOFOLLOW", 0)
_BINARY: int = getattr(os, "O_BINARY", 0)
_READ = os.O_RDONLY | _NOFOLLOW | _BINARY | getattr(os, "O_NONBLOCK", 0)
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | _BINARY
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_UNSAFE = "\0\\:" if os.name == "nt" else "\0"
_LONGEST_STEM = 200

# What a file system without hard links answers: FAT, some FUSE and SMB mounts, some sandboxes.
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.EINVAL, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
)


class TargetError(AgentsyncError):
    """A target directory that cannot be used; `code` says why."""

    def __init__(self, code: Code, message: str, *, place: str) -> None:
        super().__init__(message, place=place, hint=code.remedy)
        self.code = code


class ChangedError(AgentsyncError):
    """A file is no longer what it was when it was looked at."""


class UnsafePathError(AgentsyncError):
    """A relative path that could lead out of its directory."""


@dataclass(frozen=True, slots=True)
class Stat:
    """What changes when a file does. The device is left out: it differs from one mount to the next."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


@dataclass(frozen=True, slots=True)
class Known:
    """A digest, the stat of the file when it was taken, and that moment in nanoseconds since the epoch."""

    digest: str
    stat: Stat
    observed_ns: int

    def holds_for(self, found: Stat) -> bool:
        """Whether a file with this stat must still have this digest."""
        return found == self.stat and self.observed_ns - max(found.mtime_ns, found.ctime_ns) > RACY_NS


@dataclass(frozen=True, slots=True)
class Observed:
    """What stands at a path, and what may be remembered of it; None where that could not be trusted later."""

    actual: Actual
    known: Known | None = None


ABSENT = Observed(Actual(None))


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def temporary(relative: str) -> str:
    """A fresh path beside `relative` to stage its bytes at."""
    folder, slash, name = relative.rpartition("/")
    stem = name.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore")
    return f"{folder}{slash}.{stem}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"


class Directory:
    """One target directory, held open. Paths are relative to it, with `/` between their parts.

    Every method raises UnsafePathError for a path that is absolute, has empty parts, `.`, `..` or NUL, and OSError
    where the file system refuses. Methods may be called from several threads.
    """

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._touched: set[tuple[str, ...]] = set()

    @classmethod
    def open(cls, path: Path, *, create: bool = False, follow_symlinks: bool = False, root: Path | None = None) -> Self:
        """Open a target directory.

        Args:
            path: an absolute path.
            create: make the directory, and those above it, where they are missing.
            follow_symlinks: accept a symbolic link in the directory's place.
            root: the directory below which no component may be a symbolic link; the parent where it is None or
                `path` is not below it.

        Raises:
            TargetError: it is missing, a symbolic link, no directory, or cannot be opened.
        """
        top = root if root and root != path and path.is_relative_to(root) else path.parent
        if follow_symlinks:
            top = path
        try:
            if create:
                os.makedirs(top, exist_ok=True)
            place = _Place.open(top)
            for folder in path.relative_to(top).parts:
                with place:
                    place = place.child(folder, create=create)
        except OSError as error:
            raise _target_error(path, top, error) from error
        return cls(place)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the directory."""
        self._place.close()

    def observe(self, relative: str, known: Known | None = None) -> Observed:
        """What stands at a path; never raises OSError, since what cannot be read is a finding too.

        Args:
            relative: the path.
            known: an earlier answer, which spares reading the file where it must still hold.
        """
        try:
            with self._parent(relative) as (place, name):
                return _observe(place, name, known)
        except FileNotFoundError:
            return ABSENT
        except ChangedError as error:
            return Observed(Actual("", reason=error.message))
        except OSError as error:
            return Observed(Actual("", reason=_reason(error)))

    def read(self, relative: str) -> bytes:
        """The bytes of a regular file.

        Raises:
            ChangedError: it is something else.
        """
        with (
            self._parent(relative) as (place, name),
            _opened(place, name) as descriptor,
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            return file.read()

    def stage(self, temp: str, data: bytes) -> None:
        """Write and fsync a new file, with the directories above it; `temp` comes from `temporary`."""
        with self._parent(temp, create=True) as (place, name):
            descriptor = os.open(place.at(name), _NEW, 0o666, dir_fd=place.descriptor)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                remaining = memoryview(data)
                while remaining:
                    remaining = remaining[file.write(remaining) :]
                os.fsync(descriptor)

    def publish_new(self, temp: str, relative: str) -> None:
        """Give a staged file its name, where nothing has that name.

        Raises:
            ChangedError: something has.
        """
        self._touch(relative)
        with self._parent(relative) as (place, name):
            old, new = place.at(_name(temp)), place.at(name)
            where = {"src_dir_fd": place.descriptor, "dst_dir_fd": place.descriptor}
            try:
                os.link(old, new, follow_symlinks=False, **where)
            except FileExistsError as error:
                raise ChangedError("a file has appeared here since", place=relative) from error
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                _rename_new(place, _name(temp), name, relative)
            else:
                os.unlink(old, dir_fd=place.descriptor)

    def publish_over(self, temp: str, relative: str, expected: str) -> None:
        """Put a staged file in the place of one that has the expected digest.

        Raises:
            ChangedError: what is there has another.
        """
        self._touch(relative)
        with self._parent(relative) as (place, name):
            _check(place, name, expected, relative)
            os.replace(place.at(_name(temp)), place.at(name), src_dir_fd=place.descriptor, dst_dir_fd=place.descriptor)

    def remove(self, relative: str, expected: str) -> None:
        """Delete a file that has the expected digest, and the directories that it leaves empty.

        Raises:
            ChangedError: what is there has another.
        """
        self._touch(relative)
        with self._parent(relative) as (place, name):
            _check(place, name, expected, relative)
            os.unlink(place.at(name), dir_fd=place.descriptor)
        self.prune(relative)

    def discard(self, temp: str) -> None:
        """Delete a staged file, if it is there, and the directories that it leaves empty."""
        with suppress(FileNotFoundError), self._parent(temp) as (place, name):
            os.unlink(place.at(name), dir_fd=place.descriptor)
        self.prune(temp)

    def prune(self, relative: str) -> None:
        """Remove the directories above a path that are empty, up to the target, which stays."""
        folders = _parts(relative)[:-1]
        while folders:
            try:
                with self._parent("/".join(folders)) as (place, name):
                    os.rmdir(place.at(name), dir_fd=place.descriptor)
            except OSError:  # not empty, not ours to remove, or gone: an empty directory more does no harm
                return
            folders = folders[:-1]

    def sync(self) -> None:
        """Make the names durable that were given or taken since the last call."""
        touched, self._touched = self._touched, set()
        for folders in sorted(touched):
            # A directory that was pruned needs no sync, its parent is among the touched.
            with suppress(FileNotFoundError), self._descend(folders) as place:
                place.sync()

    def _touch(self, relative: str) -> None:
        folders = _parts(relative)[:-1]
        self._touched.update(tuple(folders[:depth]) for depth in range(len(folders) + 1))

    @contextmanager
    def _descend(self, folders: tuple[str, ...], *, create: bool = False) -> Iterator[_Place]:
        with ExitStack() as opened:
            place = self._place
            for folder in folders:
                place = opened.enter_context(place.child(folder, create=create))
            yield place

    @contextmanager
    def _parent(self, relative: str, *, create: bool = False) -> Iterator[tuple[_Place, str]]:
        *folders, name = _parts(relative)
        with self._descend(tuple(folders), create=create) as place:
            yield place, name


@dataclass(frozen=True, slots=True)
class _Place:
    """A directory to look names up in: by its descriptor, or by its path where there are none."""

    path: str
    descriptor: int | None

    @classmethod
    def open(cls, path: Path) -> Self:
        if _DESCRIPTORS:
            return cls(str(path), os.open(path, _DIRECTORY))
        os.scandir(path).close()
        return cls(str(path), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)

    def at(self, name: str) -> str:
        """What to call a name in a system call that also gets the descriptor."""
        return name if self.descriptor is not None else os.path.join(self.path, name)

    def child(self, name: str, *, create: bool) -> _Place:
        """A directory in this one, never through a link."""
        if create:
            with suppress(FileExistsError):
                os.mkdir(self.at(name), dir_fd=self.descriptor)
        path = os.path.join(self.path, name)
        if self.descriptor is not None:
            return _Place(path, os.open(name, _DIRECTORY | _NOFOLLOW, dir_fd=self.descriptor))
        if os.path.islink(path):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        os.scandir(path).close()
        return _Place(path, None)

    def sync(self) -> None:
        if self.descriptor is None:
            return
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            if error.errno != errno.EINVAL:  # some network file systems cannot sync a directory
                raise


def _parts(relative: str) -> list[str]:
    parts = relative.split("/")
    if any(part in ("", ".", "..") or set(part) & set(_UNSAFE) for part in parts):
        raise UnsafePathError("the path is not safe to use", place=repr(relative))
    try:
        os.fsencode(relative)
    except UnicodeEncodeError as error:
        raise UnsafePathError("the path cannot be encoded", place=repr(relative)) from error
    return parts


def _name(relative: str) -> str:
    return relative.rpartition("/")[2]


def _observe(place: _Place, name: str, known: Known | None) -> Observed:
    now = time.time_ns()
    found = os.stat(place.at(name), dir_fd=place.descriptor, follow_symlinks=False)
    if not stat.S_ISREG(found.st_mode):
        return Observed(Actual("", reason=_kind(found.st_mode)))
    if known and known.holds_for(_stat(found)):
        return Observed(Actual(known.digest), known)
    with _opened(place, name) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        before = _stat(os.fstat(descriptor))
        fresh = Known(hashlib.file_digest(file, "sha256").hexdigest(), before, now)
    return Observed(Actual(fresh.digest), fresh if fresh.holds_for(before) else None)


@contextmanager
def _opened(place: _Place, name: str) -> Iterator[int]:
    descriptor = os.open(place.at(name), _READ, dir_fd=place.descriptor)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise ChangedError(_kind(mode), place=name)
        yield descriptor
    finally:
        os.close(descriptor)


def _check(place: _Place, name: str, expected: str, relative: str) -> None:
    try:
        actual = _observe(place, name, None).actual.digest
    except FileNotFoundError:
        actual = None
    if not expected or actual != expected:  # empty is what has no digest: a link, a directory
        raise ChangedError("the file has changed since it was looked at", place=relative)


def _rename_new(place: _Place, temp: str, name: str, relative: str) -> None:
    """Rename where there are no links; only here, between the look and the rename, could a new file be lost."""
    try:
        os.stat(place.at(name), dir_fd=place.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(place.at(temp), place.at(name), src_dir_fd=place.descriptor, dst_dir_fd=place.descriptor)
    else:
        raise ChangedError("a file has appeared here since", place=relative)


def _stat(found: os.stat_result) -> Stat:
    return Stat(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino)


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "it is a symbolic link"
    return "it is a directory" if stat.S_ISDIR(mode) else "it is no regular file"


def _reason(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "a directory above it is a symbolic link or a file"
    return f"it cannot be read: {error.strerror}"


def _target_error(path: Path, top: Path, error: OSError) -> TargetError:
    below = [part for part in (path, *path.parents) if part != top and part.is_relative_to(top)]
    links = [part for part in below if os.path.islink(part)]
    if links:
        return TargetError(Code.TARGET_SYMLINK, f"`{links[-1]}` is a symbolic link", place=str(path))
    if isinstance(error, FileNotFoundError):
        return TargetError(Code.TARGET_MISSING, "the directory does not exist", place=str(path))
    return TargetError(Code.WRITE_FAILED, f"the directory cannot be opened: {error.strerror}", place=str(path))
