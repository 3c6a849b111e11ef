"""Debounces events: a burst is reported once, when it is over or has gone on for too long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Condition, Thread


class Burst:
    """Collects paths and reports them together, from a thread of its own that sleeps while there are none.

    An editor that saves makes five events, a checkout thousands; each of them only postpones the report.
    """

    def __init__(self, on_change: Callable[[frozenset[Path]], None], *, settle: float, most: float) -> None:
        """Start the thread.

        Args:
            on_change: called with the paths of a burst.
            settle: seconds without an event after which a burst is over.
            most: seconds after its first event at which a burst is reported although it goes on.
        """
        self._on_change = on_change
        self._settle = settle
        self._most = most
        self._paths: set[Path] = set()
        self._first = self._last = 0.0
        self._closed = False
        self._changed = Condition()
        self._thread = Thread(target=self._run, name="agentsync-burst", daemon=True)
        self._thread.start()

    def note(self, paths: Iterable[Path]) -> None:
        """Add paths, from any thread."""
        paths = set(paths)
        if not paths:
            return
        with self._changed:
            self._last = time.monotonic()
            if not self._paths:
                self._first = self._last
                self._changed.notify()  # of later events, the thread sees the new times by itself
            self._paths |= paths

    def close(self) -> None:
        """End the thread; paths that are not reported by now never are."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while paths := self._next():
            self._on_change(paths)

    def _next(self) -> frozenset[Path]:
        """Wait for a burst to be over and return its paths; none once this is closed."""
        with self._changed:
            while not self._closed:
                remaining = min(self._last + self._settle, self._first + self._most) - time.monotonic()
                if not self._paths:
                    self._changed.wait()
                elif remaining > 0:
                    self._changed.wait(remaining)
                else:
                    paths, self._paths = frozenset(self._paths), set()
                    return paths
            return frozenset()
