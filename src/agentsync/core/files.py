"""Small files.

Of those that a configuration names only regular ones are opened, and only so much of them is read.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

MAX_BYTES: Final = 8 << 20
"""The most that a file of keys, a token or a policy may have; none has a thousandth of it."""

# Opening a pipe for reading would wait for its writer, and opening a terminal could make it this process's own.
_READ: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


def read_regular(path: Path, largest: int = MAX_BYTES) -> bytes:
    """Read a regular file, or the one that a link leads to.

    Args:
        path: of the file.
        largest: how many bytes it may have.

    Raises:
        OSError: it cannot be read, it is a pipe, a device or a directory, or it is too large.
    """
    descriptor = os.open(path, _READ)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _unusable("it is not a regular file", path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(largest + 1)
    finally:
        os.close(descriptor)
    if len(data) > largest:
        raise _unusable(f"it is over {largest:,} bytes", path)
    return data


def check_regular(path: Path) -> None:
    """Check a file that another program opens: a pipe would have it wait until its deadline.

    Raises:
        OSError: it is there and is no regular file. One that is missing is left to the program to report.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if not stat.S_ISREG(mode):
        raise _unusable("it is not a regular file", path)


def replace_quickly(path: Path, text: str) -> None:
    """Replace one of agentsync's own files at once, so that only this user reads it, without waiting for the disk.

    Raises:
        OSError: it cannot be written.
    """
    building = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(building, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    building.replace(path)


def _unusable(reason: str, path: Path) -> OSError:
    return OSError(errno.EINVAL, reason, str(path))
