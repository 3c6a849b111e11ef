"""Locks of an installation: one run at a time fetches, plans and applies, and at most one service is running."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final, Self

from filelock import FileLock, Timeout

from agentsync.core.errors import LockedError, StateError
from agentsync.core.paths import AppPaths, make_private

LOCK_TIMEOUT: Final = 90.0
"""Seconds that `suspend` and `rollback` wait for another run: half as long again as a source may take by default."""

BRIEF_LOCK_TIMEOUT: Final = 3.0
"""Seconds that an interactive run waits for another one: most runs have nothing to do and take less."""

_NO_LOCKS: Final = frozenset({errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK})

RETRY_HINT: Final = "wait for it to end, then try again"
"""What to do while another run is in progress."""


def locked(app_paths: AppPaths, *, lock_timeout: float = 0, hint: str = RETRY_HINT) -> AbstractContextManager[None]:
    """Hold the lock of a run.

    Args:
        app_paths: where the lock file is.
        lock_timeout: how many seconds to wait for another run.
        hint: what the user can do if the other run did not finish in time.

    Raises:
        LockedError: another run holds the lock.
        StateError: the state directory cannot be used.
    """
    return _held(app_paths, app_paths.lock, "another run is in progress", hint, lock_timeout=lock_timeout)


class ServiceLock:
    """The lock of the service, a context manager; it leaves the lock of a run free between its cycles."""

    def __init__(self, app_paths: AppPaths) -> None:
        self._app_paths = app_paths
        self._path = app_paths.service_lock
        self._held: ExitStack | None = None
        self._identity: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        """Take the lock.

        Raises:
            LockedError: a service is running already.
            StateError: the state directory cannot be used.
        """
        self._take()
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    def renew(self) -> bool:
        """Take the lock again if its file was deleted, as with the whole state; whether that was so.

        A lock on a file that has no name excludes nobody.

        Raises:
            LockedError: another service was started meanwhile.
            StateError: the state directory cannot be used.
        """
        if self._held and _identity(self._path) == self._identity:
            return False
        self._release()
        self._take()
        return True

    def _take(self) -> None:
        hint = "`agentsync status` shows what it does; stop it before you start another"
        held = ExitStack()
        held.enter_context(_held(self._app_paths, self._path, "another agentsync daemon is running", hint))
        self._held, self._identity = held, _identity(self._path)

    def _release(self) -> None:
        if self._held:
            self._held.close()
            self._held = None


def _identity(path: Path) -> tuple[int, int] | None:
    """The device and inode of a file; None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


@contextmanager
def _held(app_paths: AppPaths, path: Path, message: str, hint: str, *, lock_timeout: float = 0) -> Iterator[None]:
    lock = FileLock(path, mode=0o600)
    directory = app_paths.state
    try:
        for directory in (app_paths.cache, app_paths.state):
            make_private(directory)
        _require_locks(path)
        lock.acquire(timeout=lock_timeout)
    except Timeout as error:
        raise LockedError(message, place=str(path), hint=hint) from error
    except OSError as error:
        if error.errno in _NO_LOCKS:
            reason = f"the file system of the state directory has no locks: {error.strerror}"
            hint = "set XDG_STATE_HOME to a directory on a local disk"
            raise StateError(reason, place=str(app_paths.state), hint=hint) from error
        which = "state" if directory == app_paths.state else "cache"
        reason = f"the {which} directory cannot be used: {error.strerror}"
        hint = "check its owner, mode and space"
        if error.errno == errno.EPERM:  # of `core.ownership`
            hint = (
                "correct that, or set XDG_STATE_HOME and XDG_CACHE_HOME to directories that only this user can change"
            )
        raise StateError(reason, place=str(directory), hint=hint) from error
    try:
        yield
    finally:
        lock.release()


def _require_locks(path: Path) -> None:
    """Unlock a file, which only fails where the file system has no locks.

    FileLock takes a file that is there for a lock then, and the file of a run that was killed would stay there.
    """
    if sys.platform == "win32":
        return
    import fcntl  # noqa: PLC0415 - Windows does not have it

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    finally:
        os.close(descriptor)
