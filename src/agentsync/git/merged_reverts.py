"""Merges that take back an earlier commit of a branch, since a commit that they merge reverts it.

Where a host merges a revert, the message on the branch is the host's, and names no commit. The one of the merged side
does, but anybody can write that; so the merge must undo exactly what the commit changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from agentsync.git.objects import CommitRecord

_REVERTS: Final = re.compile(r"^This reverts commit ([0-9a-f]{40,64})\b", re.MULTILINE)
_MOST: Final = 50  # reverts that are looked at, the newest first
_LIST: Final = (
    "log",
    "-z",
    "--no-show-signature",
    "--grep=^This reverts commit [0-9a-f]",
    f"--max-count={_MOST}",
    "--format=%H%n%B",
)
_DIFFERENCE: Final = ("diff-tree", "-r", "-z", "--no-renames")


def merged_reverts(git: Callable[..., bytes], line: Sequence[CommitRecord]) -> Mapping[str, frozenset[str]]:
    """Return for the merges of a branch's first-parent line which earlier commits of it they take back, by their ids.

    Args:
        git: runs a command in the repository and returns its output.
        line: the newest commit first.
    """
    position = {commit.id: index for index, commit in enumerate(line)}
    taken_back: dict[str, frozenset[str]] = {}
    since = (f"^{line[-1].id}",) if len(line) > 1 else ()
    for record in git(*_LIST, line[0].id, *since).decode(errors="replace").split("\0")[:-1]:
        revert, _, message = record.partition("\n")
        named = {match[1] for match in _REVERTS.finditer(message)} & position.keys()
        if revert in position or not named:
            continue
        contain = git("rev-list", "--ancestry-path", f"{revert}..{line[0].id}").decode().split()
        merge = max(position.keys() & set(contain), key=position.__getitem__, default="")
        undone = {one for one in named if merge and position[one] > position[merge] and _undoes(git, merge, one)}
        taken_back[merge] = taken_back.get(merge, frozenset()) | undone
    return {merge: commits for merge, commits in taken_back.items() if commits}


def _undoes(git: Callable[..., bytes], merge: str, commit: str) -> bool:
    """Whether a commit changes exactly what another one changed back to what it was."""
    return git(*_DIFFERENCE, f"{commit}^1", commit) == git(*_DIFFERENCE, merge, f"{merge}^1")
