"""Golden files: several small files in one, after Go's txtar (https://pkg.go.dev/golang.org/x/tools/txtar).

A line `-- name --` begins a file. A file without an end to its last line is marked: `-- name, no line end --`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

SUFFIX: Final = ".txtar"
_BEGINNING: Final = re.compile(r"^-- (?P<name>.+?)(?P<open>, no line end)? --\n", re.MULTILINE)


def read_archive(path: Path) -> dict[str, bytes]:
    """The files of an archive, by name and in order."""
    text = path.read_bytes().decode()
    headers = list(_BEGINNING.finditer(text))
    ends = [*(match.start() for match in headers[1:]), len(text)]
    contents = (text[match.end() : end] for match, end in zip(headers, ends, strict=True))
    return {
        match["name"]: (content.removesuffix("\n") if match["open"] else content).encode()
        for match, content in zip(headers, contents, strict=True)
    }


def write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """Write these files as an archive, in one step, since other tests may read it at the same time.

    Raises:
        ValueError: a file has a line that would begin another one.
    """
    parts = []
    for name, data in files.items():
        text = data.decode()
        if _BEGINNING.search(text):
            raise ValueError(f"{name} has a line that would begin another file")
        closed = text.endswith("\n") or not text
        parts.append(f"-- {name}{'' if closed else ', no line end'} --\n{text}{'' if closed else chr(10)}")
    whole = path.with_suffix(f".{os.getpid()}")
    whole.write_bytes("".join(parts).encode())
    whole.replace(path)
