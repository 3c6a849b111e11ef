"""Shared by `init`, `source` and `target`: how the configuration in use is read and edited."""

from __future__ import annotations

from pathlib import Path

from agentsync.cli.options import common
from agentsync.config import Config, find_config, load_config
from agentsync.config.editor import replace
from agentsync.core.errors import ConfigError
from agentsync.core.paths import text_of
from agentsync.dialects import Dialect
from agentsync.targets.installed_tools import directory_of, has_home
from agentsync.targets.target_directory import find_link


def read() -> tuple[Path, str, Config]:
    """Return the configuration in use: its path, its text and what it means.

    Raises:
        ConfigError: there is none, or it has a mistake.
    """
    path = find_config(common().config)
    config = load_config(path)
    return path, text_of(path).partition("\n")[2], config


def edit(path: Path, before: str, after: str) -> None:
    """Write an edited configuration.

    Raises:
        ConfigError: it would have a mistake, or cannot be written; then it stays as it is.
    """
    replace(path, before, after)


def append(path: Path, before: str, text: str) -> None:
    """Write the configuration with a table at its end; errors are those of `edit`."""
    try:
        edit(path, before, f"{before.rstrip()}\n{text}")
    except ConfigError as error:
        if not error.hint:
            error.hint = "nothing was changed: add the table by hand"
        raise


def needed_settings(dialect: Dialect) -> dict[str, object]:
    """The settings that a tool needs as it is installed today, where they are not the defaults."""
    directory = directory_of(dialect)
    settings: dict[str, object] = {}
    if not has_home(dialect):  # installed, but never started
        settings["create"] = True
    if directory and find_link(directory):  # made by a dotfile manager
        settings["follow_symlinks"] = True
    return settings
