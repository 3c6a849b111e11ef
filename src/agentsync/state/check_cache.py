"""Cache of checks: what files turned out to be, for authors who check a repository at each save."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agentsync.core.errors import AgentsyncError, StateError
from agentsync.state.render_cache import Cache
from agentsync.state.sqlite import delete

MOST_BYTES = 64 << 20
"""The size at which the file is deleted and begun again: that of some fifty thousand results."""


class CheckCache(Cache):
    """Cache for any number of repositories. Where its file cannot be used, nothing is cached: it only saves time."""

    @property
    def staging(self) -> None:
        """A check writes no files."""

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield those of the keys that have a value, each with it."""
        with suppress(StateError):
            yield from super().get_many(keys)

    def put_many(self, values: Iterable[tuple[str, bytes]]) -> None:
        """Store values by their keys, replacing those that have the same ones."""
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
