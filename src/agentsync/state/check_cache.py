"""Cache of checks: what files turned out to be, for authors who check a repository at each save."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from agentsync.core.errors import AgentsyncError, StateError
from agentsync.state.render_cache import Cache
from agentsync.state.sqlite import delete

MOST_BYTES = 64 << 20
"""The size at which the file is deleted and begun again: that of some fifty thousand results."""


class CheckCache(Cache):
    """Cache for any number of repositories. Where its file cannot be used, nothing is cached: it only saves time."""

    def get_many(self, keys: Iterable[str]) -> dict[str, bytes]:
        """Return the values of those keys that have one."""
        try:
            return super().get_many(keys)
        except StateError:
            return {}

    def put_many(self, values: Mapping[str, bytes]) -> None:
        """Store values, replacing those that have the same keys."""
        with suppress(StateError):
            super().put_many(values)

    def trim(self, keep: int) -> None:
        """Keep all values, since most may be of other repositories; the file's size is limited instead."""


@contextmanager
def check_cache(place: Callable[[], Path]) -> Iterator[CheckCache | None]:
    """Open the cache at a place, for the thread that opens it; None where it cannot be used, or there is no place."""
    try:
        path = place()
        if path.exists() and path.stat().st_size > MOST_BYTES:
            delete(path)
        cache = CheckCache.open(path)
    except (AgentsyncError, OSError):
        cache = None
    try:
        yield cache
    finally:
        if cache:
            cache.close()
