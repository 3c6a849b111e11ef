"""The locks of an installation: one run at a time fetches, plans and applies, and there is one service at most."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from agentsync.core.errors import LockedError, StateError
from agentsync.core.paths import AppPaths

LOCK_TIMEOUT: Final = 90.0
"""Seconds that a user's word to stop or go back waits for a run: half as long again as a source may take by default."""

BRIEF_LOCK_TIMEOUT: Final = 3.0
"""Seconds that a run which somebody waits for waits for another one: most have nothing to do and take less."""

AGAIN: Final = "wait for it to end, then try again"
"""What to do where another run is under way."""


def locked(app_paths: AppPaths, *, lock_timeout: float = 0, hint: str = AGAIN) -> AbstractContextManager[None]:
    """Holds the lock of a run.

    Args:
        app_paths: where it is.
        lock_timeout: for how many seconds another run is waited for.
        hint: what to do where that did not end.

    Raises:
        LockedError: another run holds it.
        StateError: the directory of the state cannot be used.
    """
    return _held(app_paths, app_paths.lock, "another run is under way", hint, lock_timeout=lock_timeout)


def locked_for_service(app_paths: AppPaths) -> AbstractContextManager[None]:
    """Holds the lock of the service, which leaves that of a run free between its cycles.

    Raises:
        LockedError: there is a service already.
        StateError: the directory of the state cannot be used.
    """
    hint = "`agentsync status` shows what it does; end it before you start another"
    return _held(app_paths, app_paths.service_lock, "another agentsync daemon is under way", hint)


@contextmanager
def _held(app_paths: AppPaths, path: Path, message: str, hint: str, *, lock_timeout: float = 0) -> Iterator[None]:
    lock = FileLock(path)
    try:
        app_paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(timeout=lock_timeout)
    except Timeout as error:
        raise LockedError(message, place=str(path), hint=hint) from error
    except OSError as error:
        reason = f"the directory of the state cannot be used: {error.strerror}"
        raise StateError(reason, place=str(app_paths.state), hint="check its owner, mode and space") from error
    try:
        yield
    finally:
        lock.release()
