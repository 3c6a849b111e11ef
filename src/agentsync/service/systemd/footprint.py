"""The paths and variables that a configuration uses, to which a sandboxed service needs access."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentsync.config import Config, Target
from agentsync.config.tables import SourceTable
from agentsync.core.paths import home, is_directory
from agentsync.core.urls import local_path, scheme
from agentsync.dialects import moving_variables

_PLACES: Final = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "STATE_DIRECTORY", "CACHE_DIRECTORY")
"""Variables that determine the directories of agentsync's own files."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """The absolute paths that a service with this configuration uses, apart from its state and cache.

    Attributes:
        written: directories in which it creates and replaces files, whether they exist or not.
        read: files and directories below a home that it reads.
        variables: the environment variables that determine these paths, as set here.
    """

    written: tuple[Path, ...]
    read: tuple[Path, ...]
    variables: dict[str, str]


def footprint(config: Config, path: Path) -> Footprint:
    """The footprint of the configuration at `path`."""
    places = [*map(_written, config.resolved_targets())]
    if config.health.textfile:
        places.append(config.health.textfile.parent)
    if config.health.address and config.health.address.path:
        places.append(Path(config.health.address.path).parent)
    read = [path.absolute().parent, *([config.overlays] if config.overlays else [])]
    for source in config.sources.values():
        read += _read(source)
    return Footprint(tuple(dict.fromkeys(places)), tuple(dict.fromkeys(read)), _variables())


def make_directories(config: Config) -> Iterator[Path]:
    """Create the targets' directories as the first pull would, since a service can be given only existing paths.

    Yields:
        The directories that were created.

    Raises:
        OSError: the file system refuses.
    """
    for target in config.resolved_targets():
        directory = _written(target)
        if not is_directory(directory) and (target.create or is_directory(directory.parent)):
            directory.mkdir(parents=True)
            yield directory


def _written(target: Target) -> Path:
    return target.directory.parent if target.written.shared else target.directory


def _read(source: SourceTable) -> Iterator[Path]:
    """The files of a source's local repository, keys and passwords."""
    if local := local_path(source.url):
        yield Path(local).expanduser().absolute()
    auth = source.auth
    files = (auth.token_file, auth.ssh_key, auth.known_hosts)
    certificates = (auth.ca_file, auth.ca_directory, auth.client_cert, auth.client_key)
    yield from (path for path in (*files, *certificates) if path)
    yield from source.signer_files()
    own = home()
    if scheme(source.url) == "ssh" and not (auth.ssh_key and auth.known_hosts and not auth.use_ssh_config):
        yield own / ".ssh"
    if auth.use_netrc:
        yield own / ".netrc"


def _variables() -> dict[str, str]:
    return {name: os.environ[name] for name in sorted({*_PLACES, *moving_variables()}) if os.environ.get(name)}
