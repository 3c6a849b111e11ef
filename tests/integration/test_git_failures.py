"""Faults of the remote, and the errors that users see."""

from __future__ import annotations

import os
import shutil
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
        assert failure(mirror, remote).message.startswith("there is no repository at this URL")


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
    assert unresolved.message.startswith("the server's name cannot be resolved")
    for url in (f"https://127.0.0.1:{port}/x", f"ssh://127.0.0.1:{port}/x"):
        error = failure(mirror, Remote(url))
        assert error.message.startswith("the server cannot be reached")
        assert isinstance(error, TransientError)


def test_a_server_without_trusted_tls_is_reported_and_not_tried_again(mirror: Mirror, server: GitServer) -> None:
    error = failure(mirror, Remote(f"https://127.0.0.1:{server.port}/source.git", deadline=5))
    assert error.message.startswith("no trusted TLS connection could be made: ")
    assert not isinstance(error, TransientError)


def test_an_error_of_the_server_may_pass(mirror: Mirror, server: GitServer) -> None:
    server.mode = "error"
    assert isinstance(failure(mirror, over_http(server)), TransientError)


def test_a_redirect_is_not_followed(mirror: Mirror, server: GitServer) -> None:
    server.mode = "redirect"
    error = failure(mirror, over_http(server))
    assert error.message.startswith("the server redirects to another URL")
    assert len(server.seen) == 1
    assert f"(http://127.0.0.1:{server.port}/elsewhere/source.git)" in error.message


def _stand_in(directory: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a program before git in PATH; `$GIT` in its script is git."""
    directory.mkdir()
    program = directory / "git"
    program.write_text(f"#!/bin/sh\nGIT={shutil.which('git')}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (
            "NOTICE: Access denied to unauthorized users.\nfatal: Could not read from remote repository.",
            "NOTICE: Access denied to unauthorized users.",
        ),
        ("remote: Could not resolve host of a hook\nfatal: early EOF", "the connection broke off: remote: Could not"),
        (
            "Warning: Identity file k not accessible\ngit@h: Permission denied (publickey).",
            "the server refused the credentials, or wants some: Warning: Identity file k not accessible; git@h: Perm",
        ),
        ("remote: bad token hunter22\nfatal: Authentication failed", "the server refused the credentials, or wants "),
        ("fatal: something\x1b[31m new", "something\\x1b[31m new"),
    ],
)
def test_the_last_lines_are_part_of_the_message_and_only_those_of_git_and_ssh_decide_on_it(
    mirror: Mirror, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, printed: str, message: str
) -> None:
    (tmp_path / "printed").write_text(printed)
    script = f'[ "$1" = fetch ] && {{ cat {tmp_path}/printed >&2; exit 128; }}\nexec "$GIT" "$@"'
    _stand_in(tmp_path / "bin", script, monkeypatch)
    error = failure(mirror, over_http(server, userinfo="ada:hunter22@"))
    assert error.message.startswith(message)
    assert "hunter22" not in error.message


def test_what_a_shim_reports_is_shown(
    mirror: Mirror, server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stand_in(tmp_path / "bin", 'echo "No version is set for command git" >&2; exit 126', monkeypatch)
    error = failure(mirror, over_http(server))
    assert error.message == "git does not report its version: No version is set for command git"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give a file away")
def test_a_local_repository_of_another_user_is_refused(repository: Repository, mirror: Mirror) -> None:
    os.chown(repository.path, 12_345, 12_345)
    error = failure(mirror, Remote(str(repository.path), allow_local=True))
    assert error.message.startswith("the local repository belongs to another user")
