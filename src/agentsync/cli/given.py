"""Sources and targets that are given by options; the up-to-date check imports this, and no configuration."""

from __future__ import annotations

import json
from pathlib import Path

from agentsync.core.errors import ConfigError
from agentsync.core.urls import local_path


def given_text(sources: tuple[str, ...], targets: tuple[str, ...], branch: str | None, subfolder: str) -> str:
    """Return a key for a configuration that is made of options: it differs where they do.

    Raises:
        ConfigError: a path is empty, or is of a user that there is not.
    """
    names = [name.partition("=") for name in targets]
    places = [(name, str(directory_in(path, "--to")) if equals else "") for name, equals, path in names]
    return json.dumps([[absolute_url(url) for url in sources], places, branch, subfolder])


def absolute_url(url: str) -> str:
    """Make a relative path in a URL absolute.

    Raises:
        ConfigError: the path is empty, or is of a user that there is not.
    """
    path = local_path(url)
    return str(directory_in(path, "--source").resolve()) if path is not None else url


def directory_in(text: str, option: str) -> Path:
    """Return the directory that an option names.

    Raises:
        ConfigError: the path is empty, or is of a user that there is not.
    """
    try:
        if text.strip():
            return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError("there is no such user", place=f"{option} {text}") from error
    raise ConfigError("the path is empty", place=option, hint="is a variable not set?")
