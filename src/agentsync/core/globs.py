"""Globs over the paths of a repository."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import translate
from functools import lru_cache


def path_matches(pattern: str, path: str) -> bool:
    """Whether a glob matches a path, in time that is polynomial in their lengths.

    `*` and `?` stay within a directory, `**` matches any number of directories, a name without `/` matches at any
    depth, and a pattern that ends in `/` matches everything below that directory.
    """
    if pattern.endswith("/"):
        pattern += "**"
    parts, names = _parts(pattern), path.split("/")
    if parts[-1] and not parts[-1].match(names[-1]):
        return False  # enough to decide most pairs
    reached = _past_stars(parts, {0})
    for name in names:
        after: set[int] = set()
        for index in reached - {len(parts)}:
            part = parts[index]
            if part is None:
                after.add(index)
            elif part.match(name):
                after.add(index + 1)
        if not after:
            return False
        reached = _past_stars(parts, after)
    return len(parts) in reached


@lru_cache(maxsize=1024)
def _parts(pattern: str) -> tuple[re.Pattern[str] | None, ...]:
    """One pattern for each name in a path; None matches any number of names."""
    names = (pattern if "/" in pattern else f"**/{pattern}").split("/")
    # Several `**` in a row match the same as one.
    names = [name for name, before in zip(names, ["", *names], strict=False) if (name, before) != ("**", "**")]
    return tuple(None if name == "**" else re.compile(translate(name.replace("[", "[[]"))) for name in names)


def _past_stars(parts: Sequence[re.Pattern[str] | None], reached: set[int]) -> set[int]:
    """Add the positions after each `**`, which may also match nothing."""
    return reached | {index + 1 for index in reached if index < len(parts) and parts[index] is None}
