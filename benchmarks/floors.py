"""What nobody can be faster than on this machine: the same work with nothing around it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import yaml

_TOOLS = 3


def floors(agents: Path, scratch: Path) -> Mapping[str, Callable[[], object]]:
    """Functions to time, by name.

    Args:
        agents: the directory of the team's agents.
        scratch: where files may be written.
    """
    texts = [path.read_bytes() for path in sorted(agents.iterdir())]
    files = texts * _TOOLS
    return {
        f"write {len(files)} files": partial(_write, files, scratch / "plain", durable=False),
        f"write {len(files)} files, fsync each": partial(_write, files, scratch / "durable", durable=True),
        f"parse {len(texts)} frontmatters (libyaml)": partial(_parse, texts),
        f"sha256 of {len(files)} files": partial(_digest, files),
    }


def _write(files: list[bytes], directory: Path, *, durable: bool) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    for number, data in enumerate(files):
        temporary = directory / f".{number}"
        with temporary.open("xb", buffering=0) as file:
            file.write(data)
            if durable:
                os.fsync(file.fileno())
        temporary.rename(directory / str(number))


def _parse(texts: list[bytes]) -> None:
    for text in texts:
        yaml.load(text.split(b"---\n", 2)[1], Loader=yaml.CSafeLoader)


def _digest(files: list[bytes]) -> None:
    for data in files:
        hashlib.sha256(data).hexdigest()
