"""Commits of trees that no porcelain would make, and programs with measured time and memory."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from support.repository import Repository

DIRECTORY, FILE, LINK, SUBMODULE = "40000", "100644", "120000", "160000"

Item = tuple[str, bytes, str]
"""An entry of a tree: git's mode, the name, and the object's id."""


def blob(repository: Repository, data: bytes) -> str:
    """Store a blob and return its id."""
    return _store(repository, "blob", len(data), [data])


def large_blob(repository: Repository, size: int) -> str:
    """Store a blob of so many zero bytes, a whole number of MiB; its object takes hardly any room here."""
    return _store(repository, "blob", size, itertools.repeat(bytes(1 << 20), size >> 20))


def _store(repository: Repository, kind: str, size: int, chunks: Iterable[bytes]) -> str:
    """Write a loose object as git does, which saves a process for each of ten thousand."""
    head = f"{kind} {size}\0".encode()
    digest, packed = hashlib.sha1(head, usedforsecurity=False), zlib.compressobj(1)
    with tempfile.NamedTemporaryFile(dir=repository.path / "objects", delete=False) as file:
        file.write(packed.compress(head))
        for chunk in chunks:
            digest.update(chunk)
            file.write(packed.compress(chunk))
        file.write(packed.flush())
    id_ = digest.hexdigest()
    directory = repository.path / "objects" / id_[:2]
    directory.mkdir(exist_ok=True)
    Path(file.name).chmod(0o444)
    Path(file.name).replace(directory / id_[2:])
    return id_


def tree(repository: Repository, items: Sequence[Item]) -> str:
    """Store a tree in git's order, whatever its names are, and return its id."""
    ordered = sorted(items, key=lambda item: item[1] + b"/" * (item[0] == DIRECTORY))
    data = b"".join(b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(id_)) for mode, name, id_ in ordered)
    return _store(repository, "tree", len(data), [data])


def trees(repository: Repository, files: Mapping[bytes, tuple[str, str]]) -> str:
    """Store the trees of these paths, each with its mode and object, and return the id of the root."""
    directories: dict[bytes, dict[bytes, tuple[str, str]]] = {}
    items: list[Item] = []
    for path, (mode, id_) in files.items():
        name, slash, rest = path.partition(b"/")
        if slash:
            directories.setdefault(name, {})[rest] = (mode, id_)
        else:
            items.append((mode, path, id_))
    items += [(DIRECTORY, name, trees(repository, inner)) for name, inner in directories.items()]
    return tree(repository, items)


def commit(repository: Repository, root: str) -> str:
    """Make a tree the content of the current branch."""
    parent = ["-p", repository.head] if repository.head else []
    made = repository.git("commit-tree", root, "-m", "hostile", *parent)
    repository.reset(made)
    return made


@dataclass(frozen=True, slots=True)
class Measured:
    """The result of a program, with its seconds and the most memory that it or a child held, in MiB."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    megabytes: float


def measured(command: Sequence[str], directory: Path, environment: Mapping[str, str], *, most: int) -> Measured:
    """Run a program to its end with at most so many MiB of address space, where the system can limit that."""
    if sys.platform == "win32":
        pytest.skip("processes are measured otherwise there")
    shell = shutil.which("sh") or "/bin/sh"
    limited = [shell, "-c", f'ulimit -v {most << 10} 2>/dev/null; exec "$@"', "sh", *command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        process = subprocess.Popen(
            limited, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=directory, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - started
        out.seek(0)
        err.seek(0)
        stdout, stderr = out.read().decode(), err.read().decode()
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Measured(process.returncode, stdout, stderr, seconds, usage.ru_maxrss / unit)


def everything(root: Path, *, but: Sequence[Path] = ()) -> dict[str, tuple[object, ...]]:
    """Every path below a directory, except below some: kind and mode, and content with its time."""
    entries: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        if any(path == excluded or excluded in path.parents for excluded in but):
            continue
        facts = path.lstat()
        entry: tuple[object, ...] = (facts.st_mode,)
        if stat.S_ISLNK(facts.st_mode):
            entry += (os.readlink(path),)  # noqa: PTH115 - bytes of any kind
        elif stat.S_ISREG(facts.st_mode):
            entry += (path.read_bytes(), facts.st_mtime_ns)
        entries[str(path.relative_to(root))] = entry
    return entries
