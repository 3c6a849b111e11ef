"""What of this machine a configuration makes use of: a service that may reach nothing else has to be given it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentsync.config import Config, Target
from agentsync.config.tables import SourceTable
from agentsync.core.paths import is_directory
from agentsync.core.urls import local_path, scheme
from agentsync.dialects import moving_variables

_PLACES: Final = ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "STATE_DIRECTORY", "CACHE_DIRECTORY")
"""Variables that say where agentsync looks for what is its own."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a service with this configuration reaches beside its state and cache; absolute paths.

    Attributes:
        written: directories in which it makes and replaces files, whether they are there or not.
        read: files and directories below a home that it reads.
        variables: what decides all that, as it is set here.
    """

    written: tuple[Path, ...]
    read: tuple[Path, ...]
    variables: dict[str, str]


def footprint(config: Config, path: Path) -> Footprint:
    """The footprint of a configuration that lies at `path`."""
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
    """Makes the targets' directories as the first pull would, since a service cannot make what it is to be given.

    Yields:
        Those that were made.

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
    """Where a source's repository, keys and passwords are, as far as they are files."""
    if local := local_path(source.url):
        yield Path(local).expanduser().absolute()
    auth = source.auth
    yield from (path for path in (auth.token_file, auth.ssh_key, auth.known_hosts, auth.ca_file) if path)
    yield from source.signer_files()
    home = Path.home()
    if scheme(source.url) == "ssh" and not (auth.ssh_key and auth.known_hosts and not auth.use_ssh_config):
        yield home / ".ssh"
    if auth.use_netrc:
        yield home / ".netrc"
    if auth.use_credential_helper:
        yield from (home / name for name in (".gitconfig", ".config/git", ".git-credentials"))


def _variables() -> dict[str, str]:
    return {name: os.environ[name] for name in sorted({*_PLACES, *moving_variables()}) if os.environ.get(name)}
