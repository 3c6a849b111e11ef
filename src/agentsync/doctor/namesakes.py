"""Check for files of the user's that define an agent of the team's name, where the tool finds them and no change is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from agentsync.config import Target
from agentsync.core.paths import shorten
from agentsync.doctor.result import CheckResult, Health
from agentsync.formats.document import MAX_FILE_BYTES
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from agentsync.sync.report import Report
from agentsync.targets.change import slug_of

_MOST_FILES: Final = 1_000


def check_namesakes(target: Target, report: Report) -> Iterator[CheckResult]:
    """Yield a warning for each of the user's files that has the name of an agent which the target gets.

    A pull looks only at the paths that it writes, where such a file is a conflict. A tool goes by the name in the file,
    in directories below too, and does not report that it left one of them out.
    """
    dialect = target.written
    if dialect.shared:  # its entries have one name each
        return
    paths = {change.path for change in report.plan.changes if change.target == target.name}
    names = {slug_of(path) for path in paths}
    for path in islice(_files(target.directory, recursive=dialect.recursive), _MOST_FILES):
        below = path.relative_to(target.directory).as_posix()
        if below in paths or not below.endswith(dialect.suffixes):
            continue
        read = read_agent(below, _content(path), dialect.name)
        if isinstance(read, ReadAgent) and read.agent.slug in names:
            message = f"{shorten(str(path))} defines `{read.agent.slug}` too: {dialect.title} may load it in its place"
            hint = "rename the agent in your file, or delete it; a pull touches no file that it did not write"
            yield CheckResult(f"namesakes {target.name}", Health.WARNING, message, hint)


def _files(directory: Path, *, recursive: bool) -> Iterator[Path]:
    for place, names, files in os.walk(directory):
        names[:] = sorted(names) if recursive else []
        yield from (Path(place) / name for name in sorted(files))


def _content(path: Path) -> bytes:
    """The content of a regular file; empty for what cannot be read, or is no agent because of its size."""
    try:
        return path.read_bytes() if path.is_file() and path.stat().st_size <= MAX_FILE_BYTES else b""
    except OSError:
        return b""
