"""Agents that were renamed, found by their text as git finds renamed files: most of the lines are the same.

It takes time that grows with the text: lines that many files have lead to none of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Final

from agentsync.state.records import Key

_SHORTEST: Final = 20
"""Length in bytes from which a line is characteristic of its agent: `tools: Read, Bash` does not."""

_COMMON: Final = 16
"""The most files that a line may be in to lead to any of them."""


def find_renamed(new: Mapping[Key, bytes], gone: Mapping[Key, bytes]) -> dict[Key, Key]:
    """Map each new file to the one that is gone from its directory and whose text it has, if there is one.

    Of all characteristic lines, each counted by its length, the larger of both files shares more than half. One
    that is gone may be the former version of several.

    Args:
        new: the content of files that nothing was known of.
        gone: the content of files that are no longer wanted.
    """
    lines = {key: _lines(data) for key, data in gone.items()}
    holders: defaultdict[tuple[str, bytes], list[Key]] = defaultdict(list)
    for key, known in lines.items():
        for line in known:
            holders[key[0], line].append(key)
    found = {}
    for key, data in new.items():
        own = _lines(data)
        shared: Counter[Key] = Counter()
        for line in own:
            candidates = holders.get((key[0], line), ())
            if len(candidates) <= _COMMON:
                shared.update(dict.fromkeys(candidates, len(line)))
        best = max(shared, key=lambda candidate: (shared[candidate], candidate), default=None)
        if best and 2 * _size(own & lines[best]) > max(_size(own), _size(lines[best])):
            found[key] = best
    return found


def _lines(data: bytes) -> frozenset[bytes]:
    return frozenset(line for line in map(bytes.strip, data.splitlines()) if len(line) >= _SHORTEST)


def _size(lines: frozenset[bytes]) -> int:
    return sum(map(len, lines))
