"""A line that moves while people wait."""

from __future__ import annotations

import sys
from threading import Event, Thread
from typing import Final

import click

_PATIENCE: Final = 1.0  # seconds before a line appears
_REDRAWN: Final = 0.1  # seconds until it is drawn anew
_BAR: Final = 24  # characters


class Waiting:
    """A line on the terminal that tells how far a long step is; nothing at all where nobody watches.

    A thread draws it, since a fetch says nothing while it goes on.
    """

    def __init__(self) -> None:
        self._text = ""
        self._drawn = False
        self._done = Event()
        self._thread = Thread(target=self._run, daemon=True)
        if sys.stderr.isatty():
            self._thread.start()

    def __call__(self, what: str, done: int, total: int) -> None:
        self._text = f"{what} {_bar(done, total)}" if total else f"{what} ..."

    def clear(self) -> None:
        """Ends it, and leaves nothing on the terminal."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._drawn:
            click.echo("\r\x1b[K", nl=False, err=True)

    def _run(self) -> None:
        wait = _PATIENCE
        while not self._done.wait(wait):
            self._drawn, wait = True, _REDRAWN
            click.echo(f"\r\x1b[K{self._text}", nl=False, err=True)


def _bar(done: int, total: int) -> str:
    filled = _BAR * done // total
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}"
