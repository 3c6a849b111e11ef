"""A progress line on the terminal."""

from __future__ import annotations

import sys
from threading import Event, Thread
from typing import Final

import click

_DELAY: Final = 1.0  # seconds before the line appears
_REDRAW: Final = 0.1  # seconds until it is redrawn
_BAR: Final = 24  # characters


class Waiting:
    """A line that shows the progress of a long step; nothing where standard error is not a terminal.

    A thread draws it, since a fetch reports no progress.
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
        """End the progress line, and remove it from the terminal."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._drawn:
            click.echo("\r\x1b[K", nl=False, err=True)

    def _run(self) -> None:
        wait = _DELAY
        while not self._done.wait(wait):
            self._drawn, wait = True, _REDRAW
            click.echo(f"\r\x1b[K{self._text}", nl=False, err=True)


def _bar(done: int, total: int) -> str:
    filled = _BAR * done // total
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}"
