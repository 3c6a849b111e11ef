"""The lock of an installation: one run at a time fetches, plans and applies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from agentsync.errors import LockedError, StateError
from agentsync.paths import Places


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """Holds the lock of this installation.

    Raises:
        LockedError: another run holds it.
        StateError: the directory of the state cannot be used.
    """
    lock = FileLock(places.lock)
    try:
        places.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock.acquire(timeout=0)
    except Timeout as error:
        hint = "wait for it to end, then try again"
        raise LockedError("another run is under way", place=str(places.lock), hint=hint) from error
    except OSError as error:
        message = f"the directory of the state cannot be used: {error.strerror}"
        raise StateError(message, place=str(places.state), hint="check its owner, mode and space") from error
    try:
        yield
    finally:
        lock.release()
