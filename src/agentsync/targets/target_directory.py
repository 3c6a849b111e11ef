"""Target directory: files below it are observed and replaced without following a link out of it."""

# Descriptors and plain paths go through the same calls here, and pathlib knows no descriptors.
# ruff: noqa: PTH101, PTH114

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from agentsync.core.codes import Code
from agentsync.core.errors import AgentsyncError
from agentsync.state.records import Known
from agentsync.targets.change import Actual
from agentsync.targets.directory_handle import NOFOLLOW, DirectoryHandle, open_directory, parts, top_of
from agentsync.targets.observe import ABSENT, ChangedError, Observed, holds, observe, opened

TEMPORARY_SUFFIX = ".agentsync-tmp"

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | NOFOLLOW | getattr(os, "O_BINARY", 0)
_LONGEST_STEM = 200
_ACL = "system.posix_acl_access"
_NO_ACL = frozenset({errno.ENODATA, errno.ENOTSUP, errno.EOPNOTSUPP}) if hasattr(errno, "ENODATA") else frozenset()
_CHMOD_TAKES_DESCRIPTORS = os.chmod in os.supports_fd

# Errors of file systems without hard links: FAT, some FUSE and SMB mounts, some sandboxes.
_NO_LINKS = frozenset(
    {errno.EPERM, errno.EACCES, errno.EINVAL, errno.EMLINK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
)


class TargetError(AgentsyncError):
    """A target directory cannot be used; `code` is the reason."""

    def __init__(self, code: Code, message: str, *, place: str) -> None:
        super().__init__(message, place=place, hint=code.remedy)
        self.code = code


def temporary(relative: str) -> str:
    """Return a new path beside `relative` to stage its bytes at."""
    above, slash, name = relative.rpartition("/")
    stem = name.encode("utf-8", "ignore")[:_LONGEST_STEM].decode("utf-8", "ignore")
    return f"{above}{slash}.{stem}.{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"


def find_link(path: Path) -> Path | None:
    """Return the first symbolic link on the way to a target that is followed only where the user allows it."""
    way = [part for part in (path, *path.parents) if top_of(path) in part.parents]
    return next((part for part in reversed(way) if os.path.islink(part)), None)


class TargetDirectory:
    """Open target directory. Paths are relative to it, with `/` between their parts.

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
            create: create the directory, and those above it, where they are missing.
            follow_symlinks: accept symbolic links on the way to it. Links that belong to the system's own layout,
                above the user's home or right below the root, are always followed.

        Raises:
            TargetError: it is missing, lies behind a symbolic link, is not a directory, or cannot be opened.
        """
        try:
            return cls(open_directory(path, create=create, follow_symlinks=follow_symlinks))
        except OSError as error:
            raise _target_error(path, path if follow_symlinks else top_of(path), error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the directory."""
        self._handle.close()

    def observe(self, relative: str, known: Known | None = None) -> Observed:
        """Observe a path; never raises OSError, since a file that cannot be read is reported in the result.

        Args:
            relative: the path.
            known: an earlier result; the file is not read where its stat proves that this still holds.
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

    def size(self, relative: str) -> int:
        """Size of a file in bytes; 0 where there is none.

        Raises:
            OSError: it cannot be looked at.
        """
        try:
            with self._parent(relative) as (handle, name):
                return os.stat(handle.at(name), dir_fd=handle.descriptor, follow_symlinks=False).st_size
        except FileNotFoundError:
            return 0

    def read(self, relative: str) -> bytes:
        """Read a regular file.

        Raises:
            ChangedError: it is not a regular file.
        """
        with (
            self._parent(relative) as (handle, name),
            opened(handle, name) as descriptor,
            os.fdopen(descriptor, "rb", closefd=False) as file,
        ):
            return file.read()

    def holds(self, relative: str, known: Known) -> bool:
        """Whether the stat of a file proves that it still has the known digest; nothing is read."""
        try:
            with self._parent(relative) as (handle, name):
                return holds(handle, name, known)
        except OSError:
            return False

    def temporary(self, relative: str) -> str:
        """Return a new path to stage the bytes of `relative` at."""
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
            ChangedError: there is a file of that name.
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
        """Replace a file that has the expected digest by a staged one.

        Raises:
            ChangedError: the file has another digest.
        """
        self._touch(relative)
        with self._parent(relative) as (handle, name):
            old, new = handle.at(_name(temp)), handle.at(name)
            with suppress(FileNotFoundError):  # a missing file is reported by the check that follows
                _copy_access(handle, name, _name(temp))
            # Nothing may come between the check and the rename: what the user writes in between would be lost.
            _check(handle, name, expected, relative)
            os.replace(old, new, src_dir_fd=handle.descriptor, dst_dir_fd=handle.descriptor)

    def remove(self, relative: str, expected: str) -> None:
        """Delete a file that has the expected digest, and the directories that it leaves empty.

        Raises:
            ChangedError: the file has another digest.
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
        names = parts(relative)[:-1]
        while names:
            try:
                with self._parent("/".join(names)) as (handle, name):
                    os.rmdir(handle.at(name), dir_fd=handle.descriptor)
            except OSError:  # not empty, not ours to remove, or gone: an empty directory that stays does no harm
                return
            names = names[:-1]

    def sync(self) -> None:
        """Make the names durable that were created or removed since the last call."""
        touched, self._touched = self._touched, set()
        for names in sorted(touched):
            # A directory that was pruned needs no sync, since its parent is touched too.
            with suppress(FileNotFoundError), self._handle.descend(names) as handle:
                handle.sync()

    def _touch(self, relative: str) -> None:
        names = parts(relative)[:-1]
        self._touched.update(tuple(names[:depth]) for depth in range(len(names) + 1))

    @contextmanager
    def _parent(self, relative: str, *, create: bool = False) -> Iterator[tuple[DirectoryHandle, str]]:
        *names, name = parts(relative)
        if not names:  # the usual case, and there are thousands
            yield self._handle, name
            return
        with self._handle.descend(names, create=create) as handle:
            yield handle, name


def _copy_access(handle: DirectoryHandle, source: str, target: str) -> None:
    """Give a file the owner, group, permissions and ACL of another, so that whoever may read it stays the same.

    Where the group cannot be kept, since this user is not in it, its permissions go: they would be another group's.
    """
    before = os.stat(handle.at(source), dir_fd=handle.descriptor, follow_symlinks=False)
    if not stat.S_ISREG(before.st_mode):
        return  # the check that follows reports it
    mode = stat.S_IMODE(before.st_mode) & 0o777
    if not _CHMOD_TAKES_DESCRIPTORS:
        os.chmod(handle.at(target), mode)
        return
    with opened(handle, target) as descriptor:  # by name, a link that replaced the file would be followed
        if _take_owner(descriptor, before):
            with opened(handle, source) as old:
                _copy_acl(old, descriptor)
        else:
            _set_acl(descriptor, None)
            mode &= ~0o070
        os.chmod(descriptor, mode)


def _take_owner(descriptor: int, before: os.stat_result) -> bool:
    """Give an open file the owner and group of an earlier one, as far as possible; whether it has its group."""
    now = os.fstat(descriptor)
    if now.st_uid != before.st_uid:
        with suppress(PermissionError):
            os.fchown(descriptor, before.st_uid, -1)
    if now.st_gid != before.st_gid:
        try:
            os.fchown(descriptor, -1, before.st_gid)
        except PermissionError:
            return False
    return True


def _copy_acl(source: int, target: int) -> None:
    if not hasattr(os, "getxattr"):  # only Linux has it
        return
    try:
        acl = os.getxattr(source, _ACL)
    except OSError as error:
        if error.errno not in _NO_ACL:
            raise
        acl = None
    _set_acl(target, acl)


def _set_acl(descriptor: int, acl: bytes | None) -> None:
    """Set the ACL of an open file; None removes the one that its directory may have given it."""
    if not hasattr(os, "setxattr"):
        return
    try:
        if acl is None:
            os.removexattr(descriptor, _ACL)
        else:
            os.setxattr(descriptor, _ACL, acl)
    except OSError as error:
        if error.errno not in _NO_ACL:
            raise


def _name(relative: str) -> str:
    return relative.rpartition("/")[2]


def _check(handle: DirectoryHandle, name: str, expected: str, relative: str) -> None:
    try:
        actual = observe(handle, name).actual.digest
    except FileNotFoundError:
        actual = None
    if not expected or actual != expected:  # the digest is empty for a link or a directory
        raise ChangedError("the file has changed since it was looked at", place=relative)


def _rename_new(handle: DirectoryHandle, temp: str, name: str, relative: str) -> None:
    """Rename where there are no hard links; only here, between the check and the rename, could a new file be lost."""
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


def _target_error(path: Path, top: Path, error: OSError) -> TargetError:
    link = find_link(path) if path != top else None
    if link:
        return TargetError(Code.TARGET_SYMLINK, f"`{link}` is a symbolic link", place=str(path))
    if isinstance(error, FileNotFoundError):
        return TargetError(Code.TARGET_MISSING, "the directory does not exist", place=str(path))
    return TargetError(Code.WRITE_FAILED, f"the directory cannot be opened: {error.strerror}", place=str(path))
