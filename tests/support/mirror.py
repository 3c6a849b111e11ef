"""Remotes to fetch from, and the expected results of fetching."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from agentsync.core.errors import SourceUnavailableError
from agentsync.git.mirror import Auth, Mirror, Remote

if TYPE_CHECKING:
    from support.gitserver import GitServer
    from support.repository import Repository


def local(repository: Repository, ref: str = "refs/heads/main", deadline: float = 60.0) -> Remote:
    return Remote(repository.url, ref, allow_local=True, deadline=deadline)


def over_http(
    server: GitServer,
    ref: str = "HEAD",
    *,
    name: str = "source.git",
    auth: Auth | None = None,
    userinfo: str = "",
    max_bytes: int = 1 << 30,
) -> Remote:
    return Remote(server.url(name, userinfo), ref, auth or Auth(), allow_http=True, max_bytes=max_bytes)


def failure(mirror: Mirror, remote: Remote) -> SourceUnavailableError:
    with pytest.raises(SourceUnavailableError) as caught:
        mirror.fetch(remote)
    return caught.value


def committed(repository: Repository, mirror: Mirror) -> str:
    commit = repository.commit()
    assert mirror.fetch(local(repository)).id == commit
    return commit


def trusted(mirror: Mirror) -> list[str]:
    """The commits that a mirror holds as trusted."""
    listing = ["for-each-ref", "--format=%(objectname)", "refs/agentsync/trusted/"]
    done = subprocess.run(["git", "--git-dir", str(mirror.directory), *listing], capture_output=True, check=True)
    return done.stdout.decode().split()
