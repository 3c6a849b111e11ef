"""The mirror against real git: fetching, and reading from it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agentsync.core.errors import SourceRefusedError
from agentsync.git.mirror import Mirror, Remote
from support.gitserver import GitServer
from support.mirror import committed, failure, local, over_http, trusted
from support.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("ref", ["HEAD", "refs/heads/main", "refs/tags/light", "refs/tags/annotated"])
def test_each_kind_of_ref_leads_to_its_commit(repository: Repository, mirror: Mirror, ref: str) -> None:
    repository.tag("light")
    repository.tag("annotated", annotated=True)
    assert mirror.fetch(local(repository, ref)).id == repository.head


def test_a_commit_id_is_fetched_though_no_branch_ends_there(repository: Repository, mirror: Mirror) -> None:
    first = repository.head
    repository.write({"agents/reviewer.md": "two\n"})
    repository.commit()
    assert mirror.fetch(local(repository, first)).id == first


def test_a_commit_id_is_found_where_the_server_hands_out_branches_only(
    repository: Repository, mirror: Mirror, server: GitServer
) -> None:
    server.protocol_v2 = False
    first = repository.head
    repository.write({"agents/reviewer.md": "two\n"})
    repository.commit()
    assert mirror.fetch(over_http(server, first)).id == first


def test_the_head_of_the_remote_counts_whatever_it_is_called(tmp_path: Path, mirror: Mirror) -> None:
    source = Repository(tmp_path / "other.git", branch="trunk")
    source.write({"a.md": "a"})
    source.commit()
    assert mirror.fetch(local(source, "HEAD")).id == source.head


def test_fetching_twice_brings_nothing_and_then_the_new_commit(repository: Repository, mirror: Mirror) -> None:
    first = mirror.fetch(local(repository)).id
    assert mirror.fetch(local(repository)).id == first
    repository.write({"agents/reviewer.md": "two\n"})
    second = repository.commit()
    assert mirror.fetch(local(repository)).id == second
    assert mirror.is_ancestor(first, second)
    assert not mirror.is_ancestor(second, first)


def test_the_mirror_is_bare_and_private_and_holds_no_hooks_and_no_tags(repository: Repository, mirror: Mirror) -> None:
    repository.tag("v1")
    before = os.umask(0)
    try:
        mirror.fetch(local(repository))
    finally:
        os.umask(before)
    assert not (mirror.directory / "hooks").exists()
    assert not [path for path in mirror.directory.parent.rglob("*") if path.stat().st_mode & 0o022]
    assert [path.name for path in (mirror.directory / "refs").rglob("*") if path.is_file()] == ["candidate"]
    assert mirror.directory.stat().st_mode & 0o777 == 0o700


def test_a_relative_path_is_taken_from_the_current_directory(
    repository: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository.path.parent)
    assert mirror.fetch(Remote("./source.git", allow_local=True)).id == repository.head


def test_a_tree_has_modes_sizes_and_names_byte_for_byte(repository: Repository, mirror: Mirror) -> None:
    repository.remove("agents/reviewer.md")
    repository.write({"a\nb.md": "12345", "caf\udce9.md": b"", "sub/deep/x.md": "x"})
    repository.link("link.md", "../../etc/passwd")
    repository.submodule("module", "1" * 40)
    entries = mirror.tree(committed(repository, mirror))
    assert [(entry.path, entry.mode, entry.size) for entry in entries] == [
        ("a\nb.md", "100644", 5),
        ("caf\udce9.md", "100644", 0),
        ("link.md", "120000", 16),
        ("module", "160000", 0),
        ("sub/deep/x.md", "100644", 1),
    ]
    assert entries[3].blob == "1" * 40


@pytest.mark.parametrize("subfolder", ["sub", "/sub/", "sub/deep"])
def test_a_subfolder_limits_the_tree_and_paths_stay_whole(
    repository: Repository, mirror: Mirror, subfolder: str
) -> None:
    repository.write({"sub/deep/x.md": "x", "subway.md": "y"})
    commit = committed(repository, mirror)
    assert [entry.path for entry in mirror.tree(commit, subfolder)] == ["sub/deep/x.md"]
    assert mirror.tree(commit, "nowhere") == []


def test_two_thousand_blobs_are_streamed_in_order(repository: Repository, mirror: Mirror) -> None:
    contents = {f"agents/{number:04}.md": f"{number}\n" * (number % 97) for number in range(2_000)}
    contents["agents/large.md"] = "x" * 1_000_000
    repository.write(contents)
    entries = mirror.tree(committed(repository, mirror), "agents")
    wanted = [entry.blob for entry in entries]
    read = list(mirror.blobs(iter(wanted)))
    assert [id_ for id_, _ in read] == wanted
    by_path = {entry.path: data.decode() for entry, (_, data) in zip(entries, read, strict=True)}
    assert by_path == contents | {"agents/reviewer.md": "one\n"}


def test_a_commit_has_author_time_and_subject(repository: Repository, mirror: Mirror) -> None:
    repository.write({"a.md": "a"})
    commit = repository.commit("Añadir un agente\n\nlong story", when=1_800_000_000)
    facts = mirror.fetch(local(repository))
    assert (facts.id, facts.time, facts.subject) == (commit, 1_800_000_000, "Añadir un agente")
    assert mirror.commit_facts(commit) == facts


@pytest.mark.parametrize("name", ["team", "my team/..", "a~b^c:d", "x.lock", "ünï", "-x"])
def test_trusted_commits_are_remembered_by_any_name(repository: Repository, mirror: Mirror, name: str) -> None:
    commit = mirror.fetch(local(repository)).id
    assert trusted(mirror) == []
    mirror.trust(name, commit)
    assert trusted(mirror) == [commit]


def test_a_mirror_that_was_never_fetched_holds_nothing(mirror: Mirror) -> None:
    assert not mirror.has("1" * 40)


def test_a_git_that_reports_success_and_fetches_nothing_is_no_answer(
    repository: Repository, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.fetch(local(repository))
    repository.write({"a.md": "a"})
    repository.commit()
    idle = tmp_path / "bin" / "git"
    idle.parent.mkdir()
    idle.write_text(f'#!/bin/sh\n[ "$1" = fetch ] && exit 0\nexec {shutil.which("git")} "$@"\n')
    idle.chmod(0o755)
    monkeypatch.setenv("PATH", str(idle.parent), prepend=os.pathsep)
    assert "fetched nothing" in failure(mirror, local(repository)).message


@pytest.mark.parametrize("known", [True, False])
def test_a_source_that_becomes_shallow_is_fetched(
    repository: Repository, mirror: Mirror, server: GitServer, *, known: bool
) -> None:
    if known:
        mirror.fetch(over_http(server))
    for number in range(2):
        repository.write({"a.md": str(number)})
        repository.commit()
    repository.make_shallow()
    assert mirror.fetch(over_http(server)).id == repository.head
    assert mirror.is_cut(repository.head)


@pytest.mark.parametrize(
    ("object_format", "defaults", "protocol_v2"),
    [("sha256", "sha1", True), ("sha256", "sha1", False), ("sha1", "sha256", True), ("sha256", "sha256", False)],
)
def test_the_mirror_has_the_object_format_of_its_source(
    tmp_path: Path,
    mirror: Mirror,
    monkeypatch: pytest.MonkeyPatch,
    *,
    defaults: str,
    protocol_v2: bool,
    object_format: str,
) -> None:
    later = tmp_path / "bin" / "git"  # a git with other defaults, as version 3 is to have
    later.parent.mkdir()
    later.write_text(f'#!/bin/sh\nexport GIT_DEFAULT_HASH={defaults}\nexec {shutil.which("git")} "$@"\n')
    later.chmod(0o755)
    monkeypatch.setenv("PATH", str(later.parent), prepend=os.pathsep)
    source = Repository(tmp_path / "served" / "source.git", object_format=object_format)
    source.write({"a.md": "a"})
    first = source.commit()
    with GitServer(source.path.parent) as server:
        server.protocol_v2 = protocol_v2
        assert mirror.fetch(over_http(server)).id == source.head
        source.write({"a.md": "b"})
        source.commit()
        assert mirror.fetch(over_http(server)).id == source.head
        assert mirror.is_ancestor(first, source.head)
        [entry] = mirror.tree(source.head)
        assert list(mirror.blobs([entry.blob])) == [(entry.blob, b"b")]


def test_a_source_that_changes_its_object_format_is_refused_unless_it_may_be_another_one(
    repository: Repository, mirror: Mirror
) -> None:
    commit = committed(repository, mirror)
    shutil.rmtree(repository.path)
    other = Repository(repository.path, object_format="sha256")
    other.write({"a.md": "a"})
    other.commit()
    with pytest.raises(SourceRefusedError, match="object format sha256"):
        mirror.fetch(local(other))
    assert mirror.has(commit)
    assert mirror.fetch(local(other), may_start_over=True).id == other.head


def test_a_defect_is_refused_in_what_is_read_and_accepted_behind_it(repository: Repository, mirror: Mirror) -> None:
    first = mirror.fetch(local(repository)).id
    mirror.trust("team", first)
    bad = repository.commit_in_a_bad_time_zone()
    for _ in range(2):  # the second time it is here already
        error = failure(mirror, local(repository))
        assert error.message.startswith(f"object {bad[:12]} breaks git's rule badTimezone: ")
        assert 'accept_defects = ["badTimezone"]' in error.hint
    repository.write({"a.md": "a"})
    following = repository.commit()
    assert "badTimezone" in failure(mirror, local(repository)).message  # it came since the trusted one
    accepting = replace(local(repository), accept_defects=("badTimezone",))
    assert mirror.fetch(accepting).id == following
    mirror.trust("team", following)
    repository.write({"a.md": "b"})
    assert mirror.fetch(local(repository)).id == following
    assert repository.commit() == mirror.fetch(local(repository)).id


def test_a_defect_in_old_history_is_neither_refused_nor_taken_for_damage(
    repository: Repository, mirror: Mirror
) -> None:
    repository.commit_in_a_bad_time_zone()
    repository.write({"a.md": "a"})
    commit = repository.commit()
    assert mirror.fetch(local(repository)).id == commit
    (repository.path / "HEAD").write_text("garbage")
    failure(mirror, local(repository))
    assert mirror.has(commit)
    assert not list(mirror.directory.parent.glob("mirror.corrupt-*"))


def test_many_packs_become_one(repository: Repository, mirror: Mirror) -> None:
    def packs() -> int:
        return len(list(mirror.directory.glob("objects/pack/*.pack")))

    commits = []
    for number in range(21):
        repository.write({"a.md": str(number)})
        commits.append(committed(repository, mirror))
        before = packs()
        mirror.maintain()
    assert before == 21
    assert packs() == 1
    assert all(map(mirror.has, commits))
