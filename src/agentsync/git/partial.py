"""Fetch the content of a part of the files only, where the rest of a repository is large.

The commits and trees of the whole history come first, so that ancestry is verified as always (a partial clone, with
git's filter `blob:none`). Then the content of the files that are read is asked for by its ids: git would fetch what is
missing when it is read, but nothing may reach the network then, nor anything later that works without it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

from agentsync.core.urls import local_path
from agentsync.git.bare_repository import BareRepository
from agentsync.git.process import Done
from agentsync.git.remote import Remote

FILTER: Final = "--filter=blob:none"
MANIFEST: Final = "agentsync.toml"
"""The manifest of a source, which is read with whatever part of it."""

_BATCH: Final = 2_000  # files in one request: what came is kept where the next one fails
FETCH_CONTENT: Final = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    FILTER,
    "--stdin",
)


def wants_part(repository: BareRepository, remote: Remote) -> bool:
    """Whether to fetch only a part: into a new mirror, or one that is partial already.

    A local repository is near, and git accepts no path as the place of what is missing.
    """
    is_new = repository.packs == 0 and not repository.is_whole and local_path(remote.url) is None
    return repository.is_partial or (bool(remote.subfolder) and is_new)


def fetch_content(repository: BareRepository, commit: str, remote: Remote, ask: Callable[..., Done]) -> Done | None:
    """Fetch the content of the files that are read at a commit, as far as it is missing.

    Args:
        repository: where the commit and its trees are.
        commit: the id of the commit.
        remote: with the part that is read.
        ask: runs FETCH_CONTENT with the ids that are its `data`, each in a line.

    Returns:
        The result of the request that failed; None where nothing is missing any longer.
    """
    ids = iter(missing_content(repository, commit, *read_paths(remote)))
    while batch := list(islice(ids, _BATCH)):
        data = "".join(f"{id_}\n" for id_ in batch).encode()
        done = ask(data=data)
        if done.status:
            return done
    return None


def read_paths(remote: Remote) -> tuple[str, ...]:
    """Paths of what is read of a source; none where all of it is."""
    part = remote.subfolder.strip("/")
    return (part, MANIFEST) if part else ()


def missing_content(repository: BareRepository, commit: str, *paths: str) -> frozenset[str]:
    """Ids of the content that is missing of the files at a commit: of all, or of those at or below some paths."""
    literal = [f":(literal){path}" for path in paths]
    # Not the commit itself: git leaves out one that changes none of the paths.
    command = ("rev-list", "--objects", "--missing=print", f"{commit}^{{tree}}", "--", *literal)
    lines = repository.read(*command).splitlines()
    return frozenset(line[1:].decode() for line in lines if line.startswith(b"?"))
