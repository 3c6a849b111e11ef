"""Faults of the remote, and the errors that users see."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

import pytest

from agentsync.core.errors import ConfigError
from agentsync.git.mirror import Mirror, Remote, TransientError
from support.mirror import failure, local, over_http, trusted
from support.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path

    from support.gitserver import GitServer


def test_an_empty_repository_is_named_as_such(tmp_path: Path, mirror: Mirror) -> None:
    error = failure(mirror, local(Repository(tmp_path / "empty.git"), "HEAD"))
    assert error.message == "the repository has no commits yet"


def test_a_missing_branch_is_named_with_those_that_are_near(repository: Repository, mirror: Mirror) -> None:
    repository.create_branch("release")
    error = failure(mirror, local(repository, "refs/heads/relaese"))
    assert error.message == "the repository has no branch relaese"
    assert error.hint == "it has release"


def test_a_deleted_branch_is_missing_and_the_old_commit_stays(repository: Repository, mirror: Mirror) -> None:
    repository.create_branch("team")
    commit = mirror.fetch(local(repository, "refs/heads/team")).id
    mirror.trust("team", commit)
    repository.delete_branch("team")
    assert "no branch team" in failure(mirror, local(repository, "refs/heads/team")).message
    assert trusted(mirror) == [commit]
    assert mirror.has(commit)


@pytest.mark.parametrize("protocol_v2", [True, False])
def test_an_unknown_commit_id_is_named(mirror: Mirror, server: GitServer, *, protocol_v2: bool) -> None:
    server.protocol_v2 = protocol_v2
    assert failure(mirror, over_http(server, "1" * 40)).message == f"the repository has no commit {'1' * 40}"


def test_a_tag_of_a_file_leads_to_no_commit(repository: Repository, mirror: Mirror) -> None:
    repository.tag("file", repository.git("rev-parse", "main:agents/reviewer.md"))
    assert failure(mirror, local(repository, "refs/tags/file")).message == "tag file does not lead to a commit"


def test_a_url_that_names_no_repository_is_reported(repository: Repository, mirror: Mirror, server: GitServer) -> None:
    nowhere = Remote(str(repository.path / "nowhere"), allow_local=True)
    elsewhere = Remote(server.url("ssl-certificate.git"), allow_http=True)
    for remote in (nowhere, elsewhere):
        assert failure(mirror, remote).message == "there is no repository at this URL"


def test_a_local_path_needs_leave_and_the_hint_names_the_key(repository: Repository, mirror: Mirror) -> None:
    for url in (repository.url, str(repository.path)):
        error = failure(mirror, Remote(url))
        assert error.message == "local paths are not allowed"
        assert "allow_local = true" in error.hint


@pytest.mark.parametrize("url", ["http://host/x", "git://host/x", "ext::sh -c id", "fd::7"])
def test_other_protocols_are_refused_before_git_is_run(mirror: Mirror, url: str) -> None:
    assert "URLs are not allowed" in failure(mirror, Remote(url)).message


@pytest.mark.parametrize(
    "ref", ["main", "refs/heads/*", "+HEAD", "refs/heads/a:b", "refs/heads/a..b", "--upload-pack=x"]
)
def test_only_full_refs_reach_git(repository: Repository, mirror: Mirror, ref: str) -> None:
    with pytest.raises(ConfigError):
        mirror.fetch(local(repository, ref))


def test_a_name_that_does_not_resolve_and_a_closed_port_may_pass(mirror: Mirror) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    unresolved = failure(mirror, Remote("https://nowhere.invalid/x"))
    assert unresolved.message == "the server's name cannot be resolved"
    for url in (f"https://127.0.0.1:{port}/x", f"ssh://127.0.0.1:{port}/x"):
        error = failure(mirror, Remote(url))
        assert error.message == "the server cannot be reached"
        assert isinstance(error, TransientError)


def test_a_server_without_trusted_tls_is_reported_and_not_tried_again(mirror: Mirror, server: GitServer) -> None:
    error = failure(mirror, Remote(f"https://127.0.0.1:{server.port}/source.git", deadline=5))
    assert error.message == "no trusted TLS connection could be made"
    assert not isinstance(error, TransientError)


def test_an_error_of_the_server_may_pass(mirror: Mirror, server: GitServer) -> None:
    server.mode = "error"
    assert isinstance(failure(mirror, over_http(server)), TransientError)


def test_a_redirect_is_not_followed(mirror: Mirror, server: GitServer) -> None:
    server.mode = "redirect"
    error = failure(mirror, over_http(server))
    assert error.message == "the server redirects to another URL"
    assert len(server.seen) == 1


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_local_repository_of_another_user_is_refused(repository: Repository, mirror: Mirror) -> None:
    os.chown(repository.path, 12_345, 12_345)
    error = failure(mirror, Remote(str(repository.path), allow_local=True))
    assert error.message == "the local repository belongs to another user"
