"""A plain directory, listed as git would list it as a tree: for agents that are in no commit yet."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from agentsync.errors import ConfigError
from agentsync.source import Entry

_IGNORED = (".git", ".venv", "node_modules")


def list_files(root: Path) -> list[Entry]:
    """Every file below a directory, by path.

    Raises:
        ConfigError: the directory cannot be read.
    """
    return sorted(_entries(root), key=lambda entry: entry.path)


def entry_of(root: Path, path: Path) -> Entry:
    """One file as an entry; what git would not store, such as a pipe, has no mode.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        facts = path.lstat()
    except OSError as error:
        raise _unreadable(path, error) from error
    mode = {stat.S_IFLNK: "120000", stat.S_IFREG: "100644"}.get(stat.S_IFMT(facts.st_mode), "")
    return Entry(path.relative_to(root).as_posix(), mode, "", facts.st_size)


def content(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _entries(root: Path) -> Iterator[Entry]:
    for directory, names, files in os.walk(root, onerror=_stop):
        names[:] = [name for name in names if name not in _IGNORED]
        for name in files:
            yield entry_of(root, Path(directory) / name)


def _stop(error: OSError) -> NoReturn:
    raise ConfigError(f"this directory cannot be read: {error.strerror}", place=str(error.filename)) from error


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"this file cannot be read: {error.strerror}", place=str(path))
