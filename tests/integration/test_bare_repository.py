"""The mirror's directory against real damage: whatever happens to it, the next fetch makes it whole."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from agentsync.core.errors import SourceUnavailableError
from agentsync.git.mirror import Mirror
from support.mirror import committed, failure, local

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.repository import Repository


def _garbage_head(directory: Path) -> None:
    (directory / "HEAD").write_text("garbage")


def _no_repository(directory: Path) -> None:
    (directory / "HEAD").unlink()


def _empty_ref(directory: Path) -> None:
    (directory / "refs/agentsync/candidate").write_text("")


def _torn_packs(directory: Path) -> None:
    for path in directory.glob("objects/pack/*"):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:40])


DAMAGE = [_garbage_head, _no_repository, _empty_ref, _torn_packs]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_mirror_is_set_aside_and_made_again(
    repository: Repository, mirror: Mirror, damage: Callable[[Path], None]
) -> None:
    for _ in range(2):
        mirror.fetch(local(repository))
        damage(mirror.directory)
        commit = mirror.fetch(local(repository)).id
        assert commit == repository.head
        assert [entry.path for entry in mirror.tree(commit)] == ["agents/reviewer.md"]
        assert len(list(mirror.directory.parent.glob("mirror.corrupt-*"))) == 1
    assert (mirror.directory.parent / "mirror.corrupt-2").is_dir()


def test_a_mirror_without_its_objects_is_filled_again(repository: Repository, mirror: Mirror) -> None:
    commit = mirror.fetch(local(repository)).id
    mirror.trust("team", commit)
    for path in mirror.directory.glob("objects/pack/*"):
        path.unlink()
    [entry] = mirror.tree(mirror.fetch(local(repository)).id)
    assert list(mirror.blobs([entry.blob])) == [(entry.blob, b"one\n")]


def test_damage_that_only_reading_finds_is_healed_by_the_next_fetch(repository: Repository, mirror: Mirror) -> None:
    content = random.Random(1).randbytes(100_000)  # noqa: S311 - the same in every run, and git cannot compress it
    repository.write({"agents/reviewer.md": content})
    [entry] = mirror.tree(committed(repository, mirror))
    [pack] = mirror.directory.glob("objects/pack/*.pack")
    pack.chmod(0o600)
    with pack.open("r+b") as stream:
        stream.seek(50_000)
        stream.write(b"damage")
    mirror.fetch(local(repository))
    with pytest.raises(SourceUnavailableError, match="the mirror is damaged"):
        list(mirror.blobs([entry.blob]))
    mirror.fetch(local(repository))
    assert list(mirror.blobs([entry.blob])) == [(entry.blob, content)]


def test_asking_for_a_commit_that_was_never_there_keeps_the_mirror(repository: Repository, mirror: Mirror) -> None:
    mirror.fetch(local(repository))
    with pytest.raises(SourceUnavailableError, match=f"cannot give object {'1' * 40}"):
        list(mirror.blobs(["1" * 40]))
    assert not list(mirror.directory.parent.glob("mirror.corrupt-*"))


def test_a_failure_of_the_remote_keeps_the_mirror(repository: Repository, mirror: Mirror) -> None:
    commit = mirror.fetch(local(repository)).id
    (repository.path / "HEAD").write_text("garbage")
    failure(mirror, local(repository))
    assert mirror.has(commit)
    assert not list(mirror.directory.parent.glob("mirror.corrupt-*"))


def test_locks_and_unfinished_packs_that_a_killed_git_left_are_cleared(repository: Repository, mirror: Mirror) -> None:
    mirror.fetch(local(repository))
    left = ["HEAD.lock", "packed-refs.lock", "refs/agentsync/candidate.lock", "objects/pack/tmp_pack_x"]
    left += ["shallow.lock", "reftable/tables.list.lock", "objects/aa/tmp_obj_x", "objects/info/commit-graphs/x.lock"]
    for name in left:
        (mirror.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror.directory / name).touch()
    repository.write({"a.md": "a"})
    assert mirror.fetch(local(repository)).id != repository.commit()
    assert mirror.fetch(local(repository)).id == repository.head
    assert not [name for name in left if (mirror.directory / name).exists()]


def test_a_mirror_half_made_is_made_again(repository: Repository, mirror: Mirror) -> None:
    building = mirror.directory.with_name("mirror.new")
    (building / "objects").mkdir(parents=True)
    assert mirror.fetch(local(repository)).id == repository.head
    assert not building.exists()


def test_a_mirror_that_cannot_be_written_is_named(tmp_path: Path, repository: Repository) -> None:
    (tmp_path / "file").touch()
    error = failure(Mirror(tmp_path / "file" / "mirror", tmp_path / "home2"), local(repository))
    assert error.message.startswith("the mirror cannot be used: ")
    assert str(tmp_path / "file") in error.place
