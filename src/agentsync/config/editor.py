"""Edit the text of a configuration: what is added is rendered, what is removed takes only its own table with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Item, Table

from agentsync.config import Config
from agentsync.core.errors import ConfigError
from agentsync.formats.validated_toml import load

Kind = Literal["sources", "targets"]

NEW: Final = "# Written by `agentsync init`; `agentsync docs configuration` explains every key.\nversion = 1\n"
"""A configuration with nothing in it."""


def table(path: Sequence[str], values: Mapping[str, object], comments: Mapping[str, str] | None = None) -> str:
    """Render a table, with tables within its values as tables of their own, and comments behind some of its keys."""
    content = _with_comments(values, comments or {})
    for name in reversed(path[1:]):
        above = tomlkit.table(is_super_table=True)
        above.add(name, content)
        content = above
    document = tomlkit.document()
    document.add(path[0], content)
    return f"\n{tomlkit.dumps(document)}"


def _with_comments(values: Mapping[str, object], comments: Mapping[str, str]) -> Table:
    made = tomlkit.table()
    for key, value in values.items():
        item: Item = _with_comments(value, comments) if isinstance(value, Mapping) else tomlkit.item(value)
        if key in comments:
            item.comment(comments[key])
        made.add(key, item)
    return made


def removed(text: str, kind: Kind, name: str, place: str) -> str:
    """Return the text without the table of a source or target.

    Raises:
        ConfigError: the text cannot be edited, or has no such table.
    """
    try:
        document = tomlkit.parse(text)
        tables: Any = document.get(kind, {})
        if name not in tables:
            hint = f"there is {', '.join(tables)}" if tables else ""
            raise ConfigError(f"there is no {kind.removesuffix('s')} `{name}`", place=place, hint=hint)
        del tables[name]
        if not tables:
            del document[kind]
        lines = _without_lines(text, [kind, name])
        # tomlkit counts a comment above a table to the table before it, and would remove it with that one.
        return lines if _is_same(lines, document) else tomlkit.dumps(document)
    except TOMLKitError as error:
        raise ConfigError(f"this cannot be edited: {error}", place=place) from error


def _without_lines(text: str, keys: Sequence[str]) -> str:
    """Remove the lines of a table and of those within it, but for comments right above the table that follows."""
    kept: list[str] = []
    above: list[str] = []
    is_removed = False
    for line in text.splitlines(keepends=True):
        if (header := _keys_of_header(line)) is not None:
            is_removed = header[: len(keys)] == keys
            kept += above
            above = []
        if not is_removed:
            kept.append(line)
        elif line.lstrip().startswith("#"):
            above.append(line)
        else:
            above = []
    return "".join(kept)


def _keys_of_header(line: str) -> list[str] | None:
    """The keys of a table's header; None where a line is none."""
    if not line.lstrip().startswith("["):
        return None
    try:
        value: object = tomlkit.parse(line).unwrap()
    except TOMLKitError:
        return None
    keys = []
    while isinstance(value, dict) and value:
        ((key, value),) = value.items()
        keys.append(key)
    return keys


def _is_same(text: str, document: tomlkit.TOMLDocument) -> bool:
    """Whether a text has the values of a document."""
    try:
        return tomlkit.parse(text).unwrap() == document.unwrap()
    except TOMLKitError:
        return False


def create(path: Path, text: str) -> None:
    """Write a configuration where there is none.

    Raises:
        ConfigError: there is one by now, or it cannot be written.
    """
    try:
        # Whatever the umask is: a configuration that others could replace is refused when it is read.
        for directory in reversed(path.parents):
            if not directory.is_dir():
                directory.mkdir(mode=0o755, exist_ok=True)
        # A URL may hold a password, so only the user may read the file; O_EXCL never replaces a file made meanwhile.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"the configuration cannot be written: {error.strerror}", place=str(path)) from error


def replace(path: Path, before: str, after: str) -> Config:
    """Write an edited configuration, atomically, if it is valid and the file is still as it was read.

    Raises:
        ConfigError: it has a mistake, the file changed meanwhile, or it cannot be written; then it stays as it is.
    """
    config = load(after, Config, str(path))
    real = path.resolve()  # a link to it stays one
    staged = real.with_name(f".{real.name}.{os.getpid()}")
    try:
        if real.read_text(encoding="utf-8") != before:
            raise ConfigError("the configuration was changed meanwhile", place=str(path), hint="try again")
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, real.stat().st_mode & 0o777)
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(after)
            file.flush()
            os.fsync(descriptor)
        staged.replace(real)
    except OSError as error:
        raise ConfigError(f"the configuration cannot be written: {error.strerror}", place=str(path)) from error
    finally:
        with suppress(OSError):
            staged.unlink()
    return config
