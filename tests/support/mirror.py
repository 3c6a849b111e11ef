"""What to fetch, and what fetching it must give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentsync.errors import SourceUnavailableError
from agentsync.git import Auth, Mirror, Remote

if TYPE_CHECKING:
    from support.gitserver import GitServer
    from support.repository import Repository


def local(repository: Repository, ref: str = "refs/heads/main", deadline: float = 60.0) -> Remote:
    return Remote(repository.url, ref, allow_local=True, deadline=deadline)


def over_http(server: GitServer, ref: str = "HEAD", *, auth: Auth | None = None, userinfo: str = "") -> Remote:
    return Remote(server.url("source.git", userinfo), ref, auth or Auth(), allow_http=True)


def failure(mirror: Mirror, remote: Remote) -> SourceUnavailableError:
    with pytest.raises(SourceUnavailableError) as caught:
        mirror.fetch(remote)
    return caught.value


def committed(repository: Repository, mirror: Mirror) -> str:
    commit = repository.commit()
    assert mirror.fetch(local(repository)) == commit
    return commit
