"""Submodules as directories: their files appear below their paths."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from agentsync.core.errors import SourceRefusedError
from agentsync.core.urls import printable
from agentsync.git.objects import SUBMODULE, Entry
from agentsync.repository.selection import Selection, may_contain_agents

MAX_SUBMODULES: Final = 32
"""Maximum number of submodules of a source that are followed, those in submodules included."""

MAX_DEPTH: Final = 4
"""Maximum depth of submodules in submodules."""


def with_submodules(
    entries: Sequence[Entry], selection: Selection, tree: Callable[[str], Sequence[Entry]]
) -> list[Entry]:
    """Replace each submodule that may contain agents by its files.

    Args:
        entries: all files of a source.
        selection: which files are read.
        tree: lists the files at a commit of a submodule.

    Raises:
        SourceRefusedError: there are too many, or they are too deep in one another.
    """
    followed = 0

    def expand(entries: Sequence[Entry], depth: int) -> Iterator[Entry]:
        nonlocal followed
        for entry in entries:
            if entry.mode != SUBMODULE or not may_contain_agents(entry.path, selection):
                yield entry
                continue
            followed += 1
            if depth == MAX_DEPTH or followed > MAX_SUBMODULES:
                limit = f"{MAX_DEPTH} levels of" if depth == MAX_DEPTH else f"{MAX_SUBMODULES}"
                hint = "name those without agents under `exclude`"
                raise SourceRefusedError(f"it has more than {limit} submodules", place=printable(entry.path), hint=hint)
            below = [replace(one, path=f"{entry.path}/{one.path}") for one in tree(entry.blob)]
            yield from expand(below, depth + 1)

    return [*expand(entries, 0)]
