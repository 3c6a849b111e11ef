"""Fetch the content of the files that are read only, where the rest of a repository may be large.

The commits and trees of the whole history come first, so that ancestry is verified as always (a partial clone, with
git's filter `blob:none`). Then the content of the files that are read is asked for by its ids: git would fetch what is
missing when it is read, but nothing may reach the network then, nor anything later that works without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agentsync.core.urls import local_path
from agentsync.git.bare_repository import BareRepository
from agentsync.git.process import Done
from agentsync.git.remote import Remote

FILTER: Final = "--filter=blob:none"
CONTENT_BATCH: Final = 2_000
"""Files in one request: what came is kept where the next one fails."""

FETCH_CONTENT: Final = (
    "fetch",
    "--quiet",
    "--no-tags",
    "--no-write-fetch-head",
    "--no-auto-maintenance",
    FILTER,
    "--stdin",
)
_SMALL_BYTES: Final = 16 << 20


def wants_part(repository: BareRepository, remote: Remote) -> bool:
    """Whether to fetch only a part: into a new mirror, a large one, or one that is partial already.

    A small mirror that is whole stays so, since that takes fewer requests. A local repository is near, and git accepts
    no path as the place of what is missing. What breaks a rule is looked for in whole repositories only.
    """
    if repository.is_partial:
        return True
    if repository.is_whole or repository.is_lenient or local_path(remote.url) is not None:
        return False
    return repository.packs == 0 or repository.size > _SMALL_BYTES


def ignores_filter(done: Done) -> bool:
    """Whether the server of a fetch sent everything that was new, since it does not filter."""
    return done.status == 0 and "filtering not recognized by server" in done.stderr


def missing_content(repository: BareRepository, ids: Iterable[str]) -> frozenset[str]:
    """Return those of these ids whose content is missing."""
    asked = frozenset(ids)
    data = "".join(f"{id_}\n" for id_ in asked).encode()
    # Not `cat-file`, which fails at the first one that is missing.
    command = ("rev-list", "--objects", "--no-walk", "--ignore-missing", "--missing=allow-any", "--stdin")
    done = repository.run(*command, data=data)
    if done.status:
        raise repository.unreadable(done.reason)
    return asked - {line.split(b" ", 1)[0].decode() for line in done.output.splitlines()}
