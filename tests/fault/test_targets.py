"""Rows 20, 21 and 40 to 46: the content of a tool's directory, and the directory's place."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.machine import Machine, agent, source
from support.processes import without_root_privileges
from support.repository import Repository
from support.trial import Trial

posix = pytest.mark.skipif(os.name == "nt", reason="there are no modes, mounts and links there")

NAMES = ("reviewer.md", "tester.md", "writer.md")
MINE = "---\nname: tester\n---\nMine.\n"


def texts(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


@contextmanager
def mounted(place: Path, *arguments: str | Path) -> Iterator[None]:
    """Something is mounted at a place; skips where that cannot be done."""
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount(8)")
    done = subprocess.run([mount, *arguments, place], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


# 20: not writable


@contextmanager
def without_the_right(directory: Path) -> Iterator[Sequence[str]]:
    directory.chmod(0o555)
    try:
        yield without_root_privileges()
    finally:
        directory.chmod(0o755)


@contextmanager
def on_a_read_only_mount(directory: Path) -> Iterator[Sequence[str]]:
    with mounted(directory, "--bind", directory):
        subprocess.run(["mount", "-o", "remount,ro,bind", directory], check=True)
        yield ()


@posix
@pytest.mark.parametrize("read_only", [without_the_right, on_a_read_only_mount])
def test_20_a_target_that_is_read_only_fails_and_the_others_go_on(
    pulled: Trial, read_only: Callable[[Path], Iterator[Sequence[str]]]
) -> None:
    pulled.push()
    pulled.repository.remove("agents/writer.md")
    pulled.repository.write({"agents/new.md": agent("new")})
    pulled.repository.commit()
    before = texts(pulled.machine.claude)
    with read_only(pulled.machine.claude) as command:  # type: ignore[attr-defined]
        result = pulled.machine.run("pull", before=command)
    assert result.code == 4
    failed = result.reported("agent.failed")
    assert {(event["code"], event["target"], event["agent"]) for event in failed} == {
        ("AS405", "claude", name) for name in ("tester", "writer", "new")
    }
    assert texts(pulled.machine.claude) == before
    assert sorted(texts(pulled.machine.opencode)) == ["new.md", "reviewer.md", "tester.md"]
    pulled.converges()


# 21: another file system


@posix
def test_21_targets_on_file_systems_of_their_own_are_written_as_any_other(trial: Trial, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    trial.machine.opencode.mkdir()
    with (
        mounted(trial.machine.claude, "-t", "tmpfs", "-o", "size=4m", "tmpfs"),
        mounted(trial.machine.opencode, "--bind", elsewhere),
    ):
        assert len({path.stat().st_dev for path in (trial.machine.claude, trial.machine.home)}) == 2
        (trial.machine.claude / "mine.md").write_text(agent("mine", "I wrote this."))
        trial.converges()
        trial.push()
        trial.repository.remove("agents/writer.md")
        trial.repository.commit()
        trial.converges()
        assert trial.machine.run("rollback").code == 0
        assert {*NAMES, "mine.md"} == set(texts(trial.machine.claude))
        assert set(texts(elsewhere)) == set(NAMES)
        assert trial.machine.run("resume").code == 0
        (trial.machine.claude / "filler").write_bytes(bytes(shutil.disk_usage(trial.machine.claude).free))
        trial.push("Some more.")
        assert trial.machine.run("pull").code == 4
        assert "`agentsync pull` writes what is pending, or shows why it cannot" in trial.machine.run("status").stdout
        assert "there is no space left for ~/.claude/agents" in trial.machine.run("doctor").stdout


@posix
def test_21_a_file_that_something_is_mounted_at_is_kept_and_reported(pulled: Trial, tmp_path: Path) -> None:
    """Containers get single files in this way; nothing can be renamed over such a file."""
    tester = pulled.machine.claude / "tester.md"
    outside = tmp_path / "outside.md"
    shutil.copy(tester, outside)
    before = texts(pulled.machine.claude)
    pulled.push()
    with mounted(tester, "--bind", outside):
        result = pulled.machine.run("pull")
        assert (result.code, [event["agent"] for event in result.reported("agent.failed")]) == (4, ["tester"])
        assert texts(pulled.machine.claude) == before
        assert "Better." in (pulled.machine.opencode / "tester.md").read_text()
    assert outside.read_text() == before["tester.md"]
    pulled.converges()


# 40: edited


def test_40_an_edit_is_kept_and_reported_until_adopt_replaces_it_with_a_backup(pulled: Trial) -> None:
    machine, edited = pulled.machine, pulled.machine.claude / "tester.md"
    edited.write_text(MINE)
    pulled.push()
    for arguments in (["pull"], ["pull", "--allow-deletions"]):
        result = machine.run(*arguments)
        (event,) = result.reported("agent.conflict")
        assert (result.code, event["code"], event["path"]) == (4, "AS402", str(edited))
        assert edited.read_text() == MINE
    assert machine.run("pull", "--force").code == 2
    assert edited.read_text() == MINE
    assert machine.run("adopt", edited).code == 0
    pulled.converges()
    assert machine.run("rollback").code == 0
    assert edited.read_text() == MINE


# 41: in the way


def test_41_a_file_of_the_users_is_never_overwritten_without_their_consent(trial: Trial) -> None:
    machine, own = trial.machine, trial.machine.claude / "tester.md"
    own.write_text(MINE)
    for arguments in (["pull"], ["pull", "--allow-deletions"]):
        result = machine.run(*arguments)
        (event,) = result.reported("agent.conflict")
        assert (result.code, event["code"], event["path"]) == (4, "AS401", str(own))
        assert own.read_text() == MINE
    trial.repository.remove("agents/tester.md")
    trial.repository.commit()
    assert machine.run("pull").code == 0
    assert own.read_text() == MINE  # nor is it deleted with the agent that it was in the way of


def test_41_adopt_replaces_it_and_keeps_a_backup(trial: Trial) -> None:
    own = trial.machine.claude / "tester.md"
    own.write_text(MINE)
    assert trial.machine.run("adopt", own).code == 0
    trial.converges()
    assert trial.machine.run("rollback").code == 0
    assert own.read_text() == MINE


# 42: deleted


def test_42_a_deleted_file_comes_back_and_one_that_is_left_out_does_not(pulled: Trial) -> None:
    machine, deleted = pulled.machine, pulled.machine.claude / "tester.md"
    deleted.unlink()
    result = machine.run("pull")
    assert (result.code, [event["path"] for event in result.reported("agent.restored")]) == (0, [str(deleted)])
    pulled.converges()
    deleted.unlink()
    text = machine.config.read_text()
    machine.config.write_text(text.replace("[targets.claude]", '[targets.claude]\nskip = ["tester"]'))
    for _ in range(2):
        assert machine.run("pull").code == 0
        assert not deleted.exists()
    assert (machine.opencode / "tester.md").exists()


# 43: links


@posix
@pytest.mark.parametrize("link", [".claude/agents", ".claude"])
def test_43_a_link_on_the_way_to_a_target_is_followed_only_when_allowed(trial: Trial, link: str) -> None:
    machine = trial.machine
    place, elsewhere = machine.home / link, machine.root / "elsewhere"
    place.rename(elsewhere)
    place.symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    result = machine.run("pull")
    assert (result.code, {event["code"] for event in result.reported("agent.conflict")}) == (4, {"AS404"})
    assert machine.run("doctor").code == 1
    assert sorted(elsewhere.rglob("*")) == before
    assert set(texts(machine.opencode)) == set(NAMES)
    text = machine.config.read_text()
    machine.config.write_text(text.replace("[targets.claude]", "[targets.claude]\nfollow_symlinks = true"))
    trial.converges()
    assert place.is_symlink()


# 44: missing


def test_44_a_directory_is_made_only_where_its_tool_is_or_with_create(trial: Trial) -> None:
    machine = trial.machine
    shutil.rmtree(machine.claude.parent)
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (0, ["AS403"])
    assert not machine.claude.parent.exists()
    machine.claude.parent.mkdir()
    assert machine.run("pull").code == 0
    assert set(texts(machine.claude)) == set(NAMES)
    shutil.rmtree(machine.claude.parent)
    text = machine.config.read_text()
    machine.config.write_text(text.replace("[targets.claude]", "[targets.claude]\ncreate = true"))
    assert machine.run("pull").code == 0
    assert set(texts(machine.claude)) == set(NAMES)


def test_44_a_rollback_makes_no_directory_either_where_its_tool_has_gone(pulled: Trial) -> None:
    machine = pulled.machine
    pulled.repository.remove("agents/writer.md")
    pulled.repository.commit()
    pulled.converges()
    shutil.rmtree(machine.claude.parent)
    result = machine.run("rollback", "--format", "json")
    assert (result.code, result.codes) == (0, ["AS403"])
    assert [event["code"] for event in result.reported("agent.diagnostic")] == ["AS403"]
    assert not machine.claude.parent.exists()
    assert set(texts(machine.opencode)) == set(NAMES)


# 45: a configuration with a mistake


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("[targets.claude]\nfolow_symlinks = true\n", ["unknown key `targets.claude.folow_symlinks`", "did you mean"]),
        ("[targets.claude]\ncreate = 'perhaps'\n", ["`targets.claude.create`"]),
        ("[targets.claude]\npath = 'agents'\n", ["`targets.claude.path`", "absolute"]),
        ("[limits]\nhistory = 0\n", ["`limits.history`"]),
        ("[targets.claude\n", ["not valid TOML"]),
    ],
)
def test_45_a_mistake_in_the_configuration_is_reported_with_its_line_and_nothing_is_done(
    pulled: Trial, table: str, words: list[str]
) -> None:
    machine, before = pulled.machine, pulled.machine.files()
    pulled.push()
    text = f"version = 1\n{source('team', pulled.repository.url)}[targets.opencode]\n"
    machine.config.write_text(text + table)
    result = machine.run("pull")
    assert result.code == 2
    line = int(result.stderr.split(f"{machine.config}:")[1].split(":")[0])
    assert len(text.splitlines()) < line <= len(text.splitlines()) + 2
    assert [word for word in words if word not in result.stderr] == []
    assert machine.files() == before
    pulled.follow()
    pulled.converges()


# 46: a file that its user and the tool write too


def test_46_of_a_shared_file_only_our_entries_change(machine: Machine, repository: Repository) -> None:
    """test_crash.py and test_state_machine.py test the same with kills, errors and edits in between."""
    head = "# Mine\ncustomModes:\n  # first\n  - slug: own   # keep\n    name: 'Own'\n    groups: [read]\n"
    tail = "\n  # second\n  - groups: ['edit']\n    slug: other\n    name: Other\n# the end\n"
    modes = machine.home / "work/.roomodes"
    modes.parent.mkdir()
    modes.write_text(head)
    machine.configure(source("team", repository.url) + '[targets.roo]\nproject = "~/work"\n')
    assert machine.run("pull").code == 0
    ours = modes.read_text().removeprefix(head)
    modes.write_text(head + ours + tail)
    repository.write({"agents/tester.md": agent("tester", "Better.")})
    repository.remove("agents/writer.md")
    repository.commit()
    assert machine.run("pull").code == 0
    text = modes.read_text()
    assert text.startswith(head)
    assert text.endswith(tail)
    assert ("Better." in text, "writer" in text) == (True, False)
    repository.remove("agents/tester.md", "agents/reviewer.md")
    repository.commit()
    assert machine.run("pull", "--allow-deletions").code == 0
    assert modes.read_text() == head + tail
