"""A progress line on the terminal."""

from __future__ import annotations

import sys
from threading import Event, Thread
from typing import Final, Self

import click

_DELAY: Final = 1.0  # seconds before the line appears
_REDRAW: Final = 0.1  # seconds until it is redrawn
_BAR: Final = 24  # characters


class Waiting:
    """A line that shows the progress of a long step; nothing where standard error is not a terminal. A context manager.

    A thread draws it, since a fetch reports no progress.
    """

    def __init__(self) -> None:
        self._text = ""
        self._width = 0  # of what is drawn
        self._done = Event()
        self._thread = Thread(target=self._run, daemon=True)
        if sys.stderr.isatty():
            self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def __call__(self, what: str, done: int, total: int) -> None:
        self._text = f"{what} {_bar(done, total)}" if total else f"{what} ..."

    def clear(self) -> None:
        """End the progress line, and remove it from the terminal."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._width:
            self._draw("")
            self._draw("")  # the cursor is at the beginning then

    def _run(self) -> None:
        wait = _DELAY
        while not self._done.wait(wait):
            wait = _REDRAW
            self._draw(self._text)

    def _draw(self, text: str) -> None:
        """Replace the line; by spaces, since a control sequence is not wanted with NO_COLOR."""
        click.echo(f"\r{text.ljust(self._width)}", nl=False, err=True)
        self._width = len(text)


def _bar(done: int, total: int) -> str:
    filled = _BAR * done // total
    return f"[{'#' * filled}{'.' * (_BAR - filled)}] {done}/{total}"
