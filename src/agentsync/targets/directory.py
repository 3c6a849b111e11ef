"""Files below one target directory: looked at and replaced without following a link out of it."""

# Descriptors and plain paths go through the same calls here, and pathlib knows no descriptors.
# ruff: noqa: PTH101, PTH103, PTH111, PTH114

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from agentsync.core.codes import Code
from agentsync.core.errors import AgentsyncError
from agentsync.state.records import Known
from agentsync.targets.change import Actual
from agentsync.targets.dirfd import NOFOLLOW, DirectoryHandle, parts
from agentsync.targets.observe import ABSENT, ChangedError, Observed, holds, observe, opened

TEMPORARY_SUFFIX = ".agentsync-tmp"

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW | getattr(os, "O_BINARY", 0)
_LONGEST_STEM = 200
_CHMOD_TAKES_DESCRIPTORS = os.chmod in os.supports_fd

# What a file system without hard links answers: FAT, some FUSE and SMB mounts, some sandboxes.
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.EINVAL, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
)


class TargetError(AgentsyncError):
    """A target directory that cannot be used; `code` says why."""

    def __init__(self, code: Code, message: str, *, place: str) -> None:
        super().__init__(message, place=place, hint=code.remedy)
        self.code = code


def temporary(relative: str) -> str:
    """A fresh path beside `relative` to stage its bytes at."""
    handle, slash, name = relative.rpartition("/")
    stem = name.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore")
    return f"{handle}{slash}.{stem}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"


def find_link(path: Path) -> Path | None:
    """The first symbolic link on the way to a target that is followed only where the user allows it."""
    way = [part for part in (path, *path.parents) if _top(path) in part.parents]
    return next((part for part in reversed(way) if os.path.islink(part)), None)


class TargetDirectory:
    """One target directory, held open. Paths are relative to it, with `/` between their parts.

    Every method raises UnsafePathError for a path that is absolute, has empty parts, `.`, `..` or NUL, and OSError
    where the file system refuses. Methods may be called from several threads.
    """

    def __init__(self, handle: DirectoryHandle) -> None:
        self._handle = handle
        self._touched: set[tuple[str, ...]] = set()

    @classmethod
    def open(cls, path: Path, *, create: bool = False, follow_symlinks: bool = False) -> Self:
        """Open a target directory.

        Args:
            path: an absolute path.
            create: make the directory, and those above it, where they are missing.
            follow_symlinks: accept symbolic links on the way to it; where the system itself is set up with links,
                above the user's home or right below the root, they are always followed.

        Raises:
            TargetError: it is missing, lies behind a symbolic link, is no directory, or cannot be opened.
        """
        top = path if follow_symlinks else _top(path)
        names = path.relative_to(top).parts
        try:
            if create:
                os.makedirs(top, exist_ok=True)
            handle = DirectoryHandle.open(top, passing=bool(names))
            for left, name in zip(range(len(names) - 1, -1, -1), names, strict=True):
                with handle:
                    handle = handle.child(name, create=create, passing=bool(left))
        except OSError as error:
            raise _target_error(path, top, error) from error
        return cls(handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the directory."""
        self._handle.close()

    def observe(self, relative: str, known: Known | None = None) -> Observed:
        """What stands at a path; never raises OSError, since what cannot be read is a finding too.

        Args:
            relative: the path.
            known: an earlier answer, which spares reading the file where it must still hold.
        """
        try:
            with self._parent(relative) as (handle, name):
                return observe(handle, name, known)
        except FileNotFoundError:
            return ABSENT
        except ChangedError as error:
            return Observed(Actual("", reason=error.message))
        except OSError as error:
            return Observed(Actual("", reason=_reason(error)))

    def read(self, relative: str) -> bytes:
        """A regular file's bytes.

        Raises:
            ChangedError: it is something else.
        """
        with (
            self._parent(relative) as (handle, name),
            opened(handle, name) as descriptor,
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            return file.read()

    def holds(self, known: Mapping[str, Known]) -> bool:
        """Whether what stands at each of these paths is proved by its stat to be what is known; nothing is read."""
        handles: defaultdict[str, list[tuple[str, Known]]] = defaultdict(list)
        for relative, proof in known.items():
            above, _, name = relative.rpartition("/")
            handles[above].append((name, proof))
        try:
            for above, files in handles.items():
                with self._descend(tuple(parts(above)) if above else ()) as handle:
                    if not all(holds(handle, name, proof) for name, proof in files):
                        return False
        except OSError:
            return False
        return True

    def temporary(self, relative: str) -> str:
        """A fresh path to stage the bytes of `relative` at."""
        return temporary(relative)

    def stage(self, temp: str, data: bytes) -> None:
        """Write and fsync a new file, with the directories above it; `temp` comes from `temporary`."""
        with self._parent(temp, create=True) as (handle, name):
            descriptor = os.open(handle.at(name), _NEW, 0o666, dir_fd=handle.descriptor)
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
        with self._parent(relative) as (handle, name):
            old, new = handle.at(_name(temp)), handle.at(name)
            where = {"src_dir_fd": handle.descriptor, "dst_dir_fd": handle.descriptor}
            try:
                os.link(old, new, follow_symlinks=False, **where)
            except FileExistsError as error:
                raise ChangedError("a file has appeared here since", place=relative) from error
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                _rename_new(handle, _name(temp), name, relative)
            else:
                os.unlink(old, dir_fd=handle.descriptor)

    def publish_over(self, temp: str, relative: str, expected: str) -> None:
        """Put a staged file in the place of one that has the expected digest.

        Raises:
            ChangedError: what is there has another.
        """
        self._touch(relative)
        with self._parent(relative) as (handle, name):
            old, new = handle.at(_name(temp)), handle.at(name)
            with suppress(FileNotFoundError):  # which the look that follows tells
                _copy_mode(handle, new, old)
            # Nothing may come between these two: what its user writes there would be lost.
            _check(handle, name, expected, relative)
            os.replace(old, new, src_dir_fd=handle.descriptor, dst_dir_fd=handle.descriptor)

    def remove(self, relative: str, expected: str) -> None:
        """Delete a file that has the expected digest, and the directories that it leaves empty.

        Raises:
            ChangedError: what is there has another.
        """
        self._touch(relative)
        with self._parent(relative) as (handle, name):
            _check(handle, name, expected, relative)
            os.unlink(handle.at(name), dir_fd=handle.descriptor)
        self.prune(relative)

    def discard(self, temp: str) -> None:
        """Delete a staged file, if it is there, and the directories that it leaves empty."""
        with suppress(FileNotFoundError), self._parent(temp) as (handle, name):
            os.unlink(handle.at(name), dir_fd=handle.descriptor)
        self.prune(temp)

    def prune(self, relative: str) -> None:
        """Remove the directories above a path that are empty, up to the target, which stays."""
        handles = parts(relative)[:-1]
        while handles:
            try:
                with self._parent("/".join(handles)) as (handle, name):
                    os.rmdir(handle.at(name), dir_fd=handle.descriptor)
            except OSError:  # not empty, not ours to remove, or gone: an empty directory more does no harm
                return
            handles = handles[:-1]

    def sync(self) -> None:
        """Make the names durable that were given or taken since the last call."""
        touched, self._touched = self._touched, set()
        for handles in sorted(touched):
            # A directory that was pruned needs no sync, its parent is among the touched.
            with suppress(FileNotFoundError), self._descend(handles) as handle:
                handle.sync()

    def _touch(self, relative: str) -> None:
        handles = parts(relative)[:-1]
        self._touched.update(tuple(handles[:depth]) for depth in range(len(handles) + 1))

    @contextmanager
    def _descend(self, names: tuple[str, ...], *, create: bool = False) -> Iterator[DirectoryHandle]:
        with ExitStack() as stack:
            handle = self._handle
            for name in names:
                handle = stack.enter_context(handle.child(name, create=create))
            yield handle

    @contextmanager
    def _parent(self, relative: str, *, create: bool = False) -> Iterator[tuple[DirectoryHandle, str]]:
        *handles, name = parts(relative)
        if not handles:  # the usual case, and there are thousands
            yield self._handle, name
            return
        with self._descend(tuple(handles), create=create) as handle:
            yield handle, name


def _copy_mode(handle: DirectoryHandle, source: str, target: str) -> None:
    """Give a file the permissions of another: what its user narrowed stays narrow."""
    mode = stat.S_IMODE(os.stat(source, dir_fd=handle.descriptor, follow_symlinks=False).st_mode)
    if _CHMOD_TAKES_DESCRIPTORS:  # by its name, a link that took its place would be followed
        with opened(handle, _name(target)) as descriptor:
            os.chmod(descriptor, mode & 0o777)
    else:
        os.chmod(target, mode & 0o777)


def _name(relative: str) -> str:
    return relative.rpartition("/")[2]


def _check(handle: DirectoryHandle, name: str, expected: str, relative: str) -> None:
    try:
        actual = observe(handle, name).actual.digest
    except FileNotFoundError:
        actual = None
    if not expected or actual != expected:  # empty is what has no digest: a link, a directory
        raise ChangedError("the file has changed since it was looked at", place=relative)


def _rename_new(handle: DirectoryHandle, temp: str, name: str, relative: str) -> None:
    """Rename where there are no links; only here, between the look and the rename, could a new file be lost."""
    try:
        os.stat(handle.at(name), dir_fd=handle.descriptor, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(handle.at(temp), handle.at(name), src_dir_fd=handle.descriptor, dst_dir_fd=handle.descriptor)
    else:
        raise ChangedError("a file has appeared here since", place=relative)


def _reason(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "a directory above it is a symbolic link or a file"
    return f"it cannot be read: {error.strerror}"


def _top(path: Path) -> Path:
    """How far the way to a directory is the system's: to the user's home, else to what is right below the root."""
    home = Path(os.path.expanduser("~"))
    return home if home in path.parents else Path(*path.parts[: min(2, len(path.parts) - 1)])


def _target_error(path: Path, top: Path, error: OSError) -> TargetError:
    link = find_link(path) if path != top else None
    if link:
        return TargetError(Code.TARGET_SYMLINK, f"`{link}` is a symbolic link", place=str(path))
    if isinstance(error, FileNotFoundError):
        return TargetError(Code.TARGET_MISSING, "the directory does not exist", place=str(path))
    return TargetError(Code.WRITE_FAILED, f"the directory cannot be opened: {error.strerror}", place=str(path))
