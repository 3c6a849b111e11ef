"""What the service watches, and whether it may believe that nothing there changed."""

from __future__ import annotations

from pathlib import Path

from agentsync.service.belief import Belief
from agentsync.service.events import log_fallback
from agentsync.service.settings import ServiceSettings
from agentsync.service.watch import Watch


class Lookout:
    """The watches of one service, and when all files were looked at last."""

    def __init__(self, path: Path, watch: Watch) -> None:
        """Take the path of the configuration, which is watched too."""
        self._path = path
        self._watch = watch
        self._belief = Belief()
        self._fallbacks: frozenset[str] = frozenset()
        self._began = self._belief.now()

    def follow(self, settings: ServiceSettings) -> tuple[str, ...]:
        """Watch the paths that matter now, and log what newly cannot be watched.

        Returns:
            What cannot be watched, each with its reason.
        """
        fallbacks = self._watch.follow(*self._paths(settings))
        for fallback in sorted(set(fallbacks) - self._fallbacks):
            log_fallback(fallback)
        self._fallbacks = frozenset(fallbacks)
        return fallbacks

    def is_believed(self, settings: ServiceSettings, wait: float | None) -> bool:
        """Whether files need not be looked at: all are watched, nothing was reported, and it is not long ago.

        Args:
            settings: what is watched, and how long that is believed.
            wait: seconds until the next regular run at the latest; None for never.
        """
        is_recent = settings.watch and self._belief.holds(settings.full_scan, wait)
        return is_recent and self._watch.was_silent(*self._paths(settings))

    def begin(self) -> None:
        """Note that a run begins that looks at all files."""
        self._began = self._belief.now()
        self._watch.mark()

    def end(self, *, done: bool) -> None:
        """Note the end of that run: whether it did look at all files."""
        if done:
            self._belief.looked(self._began)
        else:
            self._belief.doubt()

    def _paths(self, settings: ServiceSettings) -> tuple[list[Path], list[Path]]:
        """The files and the directories to watch."""
        if not settings.watch:
            return [], []
        return [self._path, *settings.files], [*settings.directories, *(path.resolve() for path in settings.linked)]
