"""All machines, from a directory with one file of each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from agentsync.core.errors import ConfigError, why
from agentsync.core.files import read_regular
from agentsync.fleet import documents, samples
from agentsync.fleet.model import FleetMachine, FleetView, Unreadable

_LARGEST: Final = 16 << 20
"""Bytes of one file: a status document has a line for each file and each diagnostic of a machine."""

_MOST: Final = 100_000


def read_documents(directory: Path) -> FleetView:
    """Read status documents, `NAME.json` for each machine.

    Raises:
        ConfigError: the directory cannot be read, or has no such files or too many.
    """
    return _read(directory, ".json", documents.machine_of)


def read_textfiles(directory: Path) -> FleetView:
    """Read text files for node_exporter, `NAME.prom` for each machine; lines of other programs are passed over.

    Raises:
        ConfigError: the directory cannot be read, has no such files or too many, or the library for them is not
            installed.
    """
    try:
        return _read(directory, ".prom", machine_of_textfile)
    except ImportError as error:
        message = "`--textfiles` needs a package that is not installed"
        raise ConfigError(message, hint="pip install 'agentsync[metrics]'") from error


def machine_of_textfile(name: str, data: bytes) -> FleetMachine:
    """Read the text file of one machine.

    Raises:
        ImportError: the library for it is not installed.
        ValueError: it is malformed, or has no metrics of agentsync.
    """
    from agentsync.report.metrics.prometheus import parse  # noqa: PLC0415 - an extra

    own = [samples.Sample(*one) for one in parse(data.decode(), samples.NAMES)]
    if not own:
        raise ValueError("it has no metrics of agentsync")
    return samples.machine_of(name, own)


def _read(directory: Path, suffix: str, machine_of: Callable[[str, bytes], FleetMachine]) -> FleetView:
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == suffix and not path.name.startswith("."))
    except OSError as error:
        raise ConfigError(f"this directory cannot be read: {why(error)}", place=str(directory)) from error
    if len(paths) > _MOST:
        raise ConfigError(f"there are over {_MOST:,} files", place=str(directory))
    if not paths:
        hint = "`--textfiles` reads `MACHINE.prom`, and `--status` reads `MACHINE.json`"
        raise ConfigError(f"there is no file of a machine here, `MACHINE{suffix}`", place=str(directory), hint=hint)
    machines, unreadable = [], []
    for path in paths:
        try:
            machines.append(machine_of(path.stem, read_regular(path, _LARGEST)))
        except (OSError, ValueError) as error:
            unreadable.append(Unreadable(str(path), why(error)))
    return FleetView(tuple(machines), tuple(unreadable))
