"""Locks of an installation: one run at a time fetches, plans and applies, and at most one service is running."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from agentsync.core.errors import LockedError, StateError
from agentsync.core.paths import AppPaths

LOCK_TIMEOUT: Final = 90.0
"""Seconds that `suspend` and `rollback` wait for another run: half as long again as a source may take by default."""

BRIEF_LOCK_TIMEOUT: Final = 3.0
"""Seconds that an interactive run waits for another one: most runs have nothing to do and take less."""

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


def locked_for_service(app_paths: AppPaths) -> AbstractContextManager[None]:
    """Hold the lock of the service, which leaves the lock of a run free between its cycles.

    Raises:
        LockedError: a service is running already.
        StateError: the state directory cannot be used.
    """
    hint = "`agentsync status` shows what it does; stop it before you start another"
    return _held(app_paths, app_paths.service_lock, "another agentsync daemon is running", hint)


@contextmanager
def _held(app_paths: AppPaths, path: Path, message: str, hint: str, *, lock_timeout: float = 0) -> Iterator[None]:
    lock = FileLock(path)
    try:
        app_paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(timeout=lock_timeout)
    except Timeout as error:
        raise LockedError(message, place=str(path), hint=hint) from error
    except OSError as error:
        reason = f"the state directory cannot be used: {error.strerror}"
        raise StateError(reason, place=str(app_paths.state), hint="check its owner, mode and space") from error
    try:
        yield
    finally:
        lock.release()
