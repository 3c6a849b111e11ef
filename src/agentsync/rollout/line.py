"""A branch's line of commits: when each was published here, and which of them contain something that was reverted."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

_ABBREVIATED: Final = 7
_REVERTS: Final = re.compile(r"^This reverts commit ([0-9a-f]{7,64})\b", re.MULTILINE)
_URGENT: Final = re.compile(r"^Agentsync-Rollout:[ \t]*now[ \t]*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of a branch's first-parent line.

    Attributes:
        tree: the id of its files.
        time: of its committer, in seconds since the epoch.
        message: whole.
        halts: whether its manifest halts the rollout.
        takes_back: the earlier commits that it reverts as a merge, whatever its message.
        brings: the commits beside or before the line that may be held at, of which it is the oldest descendant on it.
    """

    id: str
    tree: str
    time: float
    message: str = ""
    halts: bool = False
    takes_back: frozenset[str] = frozenset()
    brings: frozenset[str] = frozenset()

    @property
    def is_urgent(self) -> bool:
        """Whether its trailer lets it, and everything before it, go to all machines at once."""
        return bool(_URGENT.search(self.message.rstrip().rpartition("\n\n")[2]))


Line = Sequence[Commit]
"""First-parent line of a branch, the newest commit first."""


def descendants(line: Line, ancestor: str, is_ancestor: Callable[[str, str], bool]) -> int:
    """Return how many commits of a line contain one that the first of them contains: they come first.

    Args:
        line: never empty.
        ancestor: an id.
        is_ancestor: whether the first of two ids is in the history of the second, or the same.
    """
    return bisect_left(line, 1, key=lambda commit: int(not is_ancestor(ancestor, commit.id)))


def with_held(line: Line, held: Iterable[str], is_ancestor: Callable[[str, str], bool]) -> Line:
    """Return a line that knows the commits to hold at which are beside it, or too far back.

    Args:
        line: never empty.
        held: ids that the first commit contains; those of the line itself change nothing.
        is_ancestor: as in `descendants`.
    """
    marked, ids = [*line], {commit.id for commit in line}
    for id_ in held:
        if id_ not in ids:
            index = descendants(line, id_, is_ancestor) - 1
            marked[index] = replace(marked[index], brings=marked[index].brings | {id_})
    return marked


@dataclass(frozen=True, slots=True)
class Sighting:
    """A commit that a fetch found at the tip, and the first and the last time that one did, in seconds."""

    tip: str
    first_at: float
    last_at: float


def published(line: Line, sightings: Sequence[Sighting], now: float) -> Mapping[str, float]:
    """Return when each commit was published, by its id, in seconds since the epoch.

    That is its committer's date, within what this machine knows: after the last fetch that did not contain it, and not
    after the first that did. So a forged or an old date gains at most the time between two fetches. Where a wrong clock
    made these contradict each other, the later one counts. A commit is never published before one that it contains.

    Args:
        line: of the branch, as fetched now.
        sightings: of this source's tips, in the order of fetches; the last is the line's first commit, if it was
            recorded.
        now: upper limit for a commit that no earlier fetch contained.
    """
    position = {commit.id: index for index, commit in enumerate(line)}
    times: dict[str, float] = {}
    latest = float("-inf")
    seen = [(position.get(one.tip), one) for one in _believable(sightings, min(one.time for one in line), now)]
    for index in range(len(line) - 1, -1, -1):
        commit = line[index]
        lower, upper = float("-inf"), now
        for at, sighting in seen:
            if at is not None and at <= index:
                upper = min(upper, sighting.first_at)
                break
            lower = max(lower, sighting.last_at)
        latest = max(latest, lower, min(commit.time, upper))
        times[commit.id] = latest
    return times


def _believable(sightings: Sequence[Sighting], oldest: float, now: float) -> Sequence[Sighting]:
    """Return the sightings with times that are possible, whatever clock this machine had.

    A time to come is of a clock that was ahead, and one before the oldest commit of a clock that was not set: all that
    is known of it is that it was before the next one.
    """
    believable: list[Sighting] = []
    limit = now
    for one in reversed(sightings):
        last = one.last_at if oldest <= one.last_at <= now else limit
        first = min(one.first_at, last) if one.first_at >= oldest else last
        believable.append(Sighting(one.tip, first, last))
        limit = first
    return believable[::-1]


def reverted(line: Line) -> Mapping[str, str]:
    """Return the commits that contain something reverted, by id, each with the newest commit that reverts it.

    A commit reverts an earlier one by its message, as `git revert` writes it, by having the tree of one from before it,
    or as a merge of a revert. What is between both contains what was reverted. A revert that is itself reverted does
    not count.
    """
    marked: dict[str, str] = {}
    named, undone = _named(line), _undone(line)
    for index, commit in enumerate(line):
        if commit.id not in marked:
            oldest = max([*named[index], undone[index]])
            for contains in line[index + 1 : oldest + 1]:
                marked.setdefault(contains.id, commit.id)
    return marked


def _named(line: Line) -> Sequence[Sequence[int]]:
    """Return for each commit the positions of the earlier ones that its message names, or that it takes back."""
    position = {commit.id: index for index, commit in enumerate(line)}
    by_prefix: defaultdict[str, list[int]] = defaultdict(list)
    for index, commit in enumerate(line):
        by_prefix[commit.id[:_ABBREVIATED]].append(index)
    return [
        [
            *(
                older
                for match in _REVERTS.finditer(commit.message)
                for older in by_prefix[match[1][:_ABBREVIATED]]
                if older > index and line[older].id.startswith(match[1])
            ),
            *(position[id_] for id_ in commit.takes_back),
        ]
        for index, commit in enumerate(line)
    ]


def _undone(line: Line) -> Sequence[int]:
    """Return for each commit the position of the oldest one that it undoes by its tree; its own where it undoes none.

    That is the last one before the nearest earlier commit of the same tree, and none where these are neighbours.
    """
    nearest: dict[str, int] = {}
    undone = [0] * len(line)
    for index in range(len(line) - 1, -1, -1):
        tree = line[index].tree
        undone[index] = nearest.get(tree, index + 1) - 1
        nearest[tree] = index
    return undone
