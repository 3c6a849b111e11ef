"""Obstacles to checking a signature; tests/fault/test_signatures.py has the results of checks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from agentsync.core.errors import SourceUnavailableError, UnverifiedError
from agentsync.git.mirror import Mirror, Remote, Signers
from support.repository import Repository
from support.signing import Key, allowed, ssh_key


@pytest.fixture
def ada(tmp_path: Path) -> Key:
    return ssh_key(tmp_path / "keys")


@pytest.fixture
def signers(tmp_path: Path, repository: Repository, ada: Key) -> Signers:
    """The allowed signers: Ada alone; she has signed the repository's commit."""
    ada.commit(repository)
    file = tmp_path / "keys" / "allowed_signers"
    file.write_text(allowed(ada))
    return Signers(allowed_signers=file)


def test_nothing_is_left_behind(
    mirror: Mirror, repository: Repository, signers: Signers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    remote = Remote(str(repository.path), allow_local=True)
    mirror.verify(mirror.fetch(remote).id, remote, signers)
    assert list(scratch.iterdir()) == []


def test_without_room_for_it_nothing_counts(
    mirror: Mirror, repository: Repository, signers: Signers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remote = Remote(str(repository.path), allow_local=True)
    commit = mirror.fetch(remote).id
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(UnverifiedError, match=f"the signature of commit {commit[:12]} cannot be checked: No such"):
        mirror.verify(commit, remote, signers)


def test_a_tag_that_another_run_fetched_again_is_checked_again(
    mirror: Mirror, repository: Repository, ada: Key, signers: Signers
) -> None:
    ada.tag(repository, "v1")
    remote = Remote(str(repository.path), "refs/tags/v1", allow_local=True)
    first = mirror.fetch(remote).id
    mirror.verify(first, remote, signers)
    repository.write({"agents/reviewer.md": "two\n"})
    repository.commit()
    ada.tag(repository, "v1")
    mirror.fetch(remote)
    with pytest.raises(SourceUnavailableError, match="tag v1 moved meanwhile"):
        mirror.verify(first, remote, signers)
