"""A working directory that is read as a commit would be, by the same names and with the same ids."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import get_args

import pytest

from agentsync.cli.check import run_checks
from agentsync.config.tables import Submodules
from agentsync.core.errors import ConfigError
from agentsync.git.objects import SUBMODULE
from agentsync.repository.working_tree import WORKING_TREE, WorkingTree
from support.machine import agent
from support.repository import Repository


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "agents").mkdir(parents=True)
    (root / "agents" / "one.md").write_text(agent("one"))
    (root / "agents" / "two.md").write_text(agent("two"))
    return root


def test_each_file_has_the_id_that_git_gives_it(root: Path, tmp_path: Path) -> None:
    repository = Repository(tmp_path / "team.git")
    repository.write({f"agents/{name}.md": agent(name) for name in ("one", "two")})
    commit = repository.commit()
    listed = [line.split() for line in repository.git("ls-tree", "-r", commit).splitlines()]
    tree = WorkingTree(root)
    entries = tree.identified(tree.tree(WORKING_TREE))
    assert [(entry.mode, entry.blob, entry.path) for entry in entries] == [
        (mode, blob, path) for mode, _, blob, path in listed
    ]
    assert [data.decode() for _, data in tree.blobs(entry.blob for entry in entries)] == [agent("one"), agent("two")]


def test_a_file_that_changes_while_it_is_read_does_not_keep_its_old_id(root: Path) -> None:
    tree = WorkingTree(root)
    (one, _) = tree.identified(tree.tree(WORKING_TREE))
    (root / "agents" / "one.md").write_text(agent("one", "Meanwhile."))
    with pytest.raises(ConfigError, match="changed while it was read"):
        list(tree.blobs([one.blob]))
    (one, _) = tree.identified(tree.tree(WORKING_TREE))
    assert [data for _, data in tree.blobs([one.blob])] == [agent("one", "Meanwhile.").encode()]


def test_excluded_files_are_not_there(root: Path) -> None:
    (root / "out").mkdir()
    (root / "out" / "one.md").write_text("written")
    (root / "agents.toml").write_text("[one]")
    tree = WorkingTree(root, [root / "out", root / "agents.toml"])
    assert [entry.path for entry in tree.tree(WORKING_TREE)] == ["agents/one.md", "agents/two.md"]
    assert sorted(tree.stats()) == ["agents/one.md", "agents/two.md"]


def test_a_save_changes_the_stat_of_its_file_alone(root: Path) -> None:
    tree = WorkingTree(root)
    before = tree.stats()
    assert tree.stats() == before
    beside = root / "beside"
    beside.write_text(agent("one"))
    beside.replace(root / "agents" / "one.md")
    after = tree.stats()
    assert {path for path in after if after[path] != before[path]} == {"agents/one.md"}


def test_a_git_command_changes_no_stat(root: Path) -> None:
    tree = WorkingTree(root)
    before = tree.stats()
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root.parent), "LC_ALL": "C"}
    for command in (["init", "--quiet"], ["add", "."]):
        subprocess.run(["git", *command], cwd=root, check=True, env=environment)
    assert (root / ".git").is_dir()
    assert tree.stats() == before


def test_a_directory_that_is_gone_is_reported(tmp_path: Path) -> None:
    tree = WorkingTree(tmp_path / "gone")
    for look in (tree.stats, lambda: tree.tree(WORKING_TREE)):
        with pytest.raises(ConfigError, match="this directory cannot be read"):
            look()


def test_a_repository_within_it_is_a_submodule_as_in_a_commit(root: Path) -> None:
    for name, marker in (("shared", "file"), ("vendor/clone", "directory")):
        (root / name / "agents").mkdir(parents=True)
        (root / name / "agents" / "three.md").write_text(agent("three"))
        git = root / name / ".git"
        git.write_text("gitdir: ../.git/modules/shared\n") if marker == "file" else git.mkdir()
    (root / ".git").mkdir()
    entries = {entry.path: entry.mode for entry in WorkingTree(root).tree(WORKING_TREE)}
    files = {"agents/one.md": "100644", "agents/two.md": "100644"}
    assert entries == {**files, "shared": SUBMODULE, "vendor/clone": SUBMODULE}
    entered = WorkingTree(root, as_committed=False).tree("")  # as `import` reads a tool's directory
    assert "shared/agents/three.md" in {entry.path for entry in entered}
    (root / "vendor/clone/agents/three.md").unlink()
    counts = {
        submodules: len(run_checks(root, (), submodules=submodules).agents) for submodules in get_args(Submodules)
    }
    assert counts == {"report": 2, "follow": 3}  # as `pull` would deliver
