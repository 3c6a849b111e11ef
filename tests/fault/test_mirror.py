"""Rows 16, 17 and 25: the mirror and the state when they are damaged, half-made, lost, or left behind by the dead."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock

from agentsync.git.mirror import Mirror
from support.gitserver import GitServer
from support.machine import Machine, agent
from support.mirror import committed, local
from support.processes import descendants, without_root_privileges
from support.repository import Repository
from support.trial import Trial

Damage = Callable[[Path], None]


def mirror_of(trial: Trial) -> Path:
    [directory] = trial.machine.cache.glob("mirrors/*.git")
    return directory


# 16: damaged


def lose_head(mirror: Path) -> None:
    (mirror / "HEAD").unlink()


def lose_objects(mirror: Path) -> None:
    shutil.rmtree(mirror / "objects")


def lose_all_but_the_objects(mirror: Path) -> None:
    for path in mirror.iterdir():
        if path.name != "objects":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def lose_refs(mirror: Path) -> None:
    shutil.rmtree(mirror / "refs")


def tear_packs(mirror: Path) -> None:
    for path in mirror.glob("objects/pack/*.pack"):
        overwrite(path, path.read_bytes()[:-30])


def spoil_indexes(mirror: Path) -> None:
    for path in mirror.glob("objects/pack/*.idx"):
        overwrite(path, b"garbage" * 100)


def empty_refs(mirror: Path) -> None:
    for path in mirror.glob("refs/agentsync/**/*"):
        if path.is_file():
            path.write_text("")


def lead_refs_nowhere(mirror: Path) -> None:
    for path in mirror.glob("refs/agentsync/**/*"):
        if path.is_file():
            path.write_text("1" * 40 + "\n")


def spoil_settings(mirror: Path) -> None:
    (mirror / "config").write_text("[core\ngarbage")


def become_a_file(mirror: Path) -> None:
    shutil.rmtree(mirror)
    mirror.write_text("garbage")


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


DAMAGE = [
    lose_head,
    lose_objects,
    lose_all_but_the_objects,
    lose_refs,
    tear_packs,
    spoil_indexes,
    empty_refs,
    lead_refs_nowhere,
    spoil_settings,
    become_a_file,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_16_a_damaged_mirror_costs_one_run_at_most_and_no_file(pulled: Trial, damage: Damage) -> None:
    before = pulled.machine.files()
    damage(mirror_of(pulled))
    pulled.push()
    result = pulled.machine.run("pull")
    assert result.code in {0, 3}, result.stderr
    if result.code:
        assert pulled.machine.files() == before
        assert len([record for record in result.events if record["level"] == "error"]) == 1
    pulled.converges()
    assert len(list(pulled.machine.cache.glob("mirrors/*"))) <= 2  # the damaged one is kept for inspection


def test_16_a_damaged_mirror_while_the_remote_is_down_costs_no_file(pulled: Trial, server: GitServer) -> None:
    become_a_file(mirror_of(pulled))
    server.mode = "error"
    pulled.holds(3)
    server.mode = "serve"
    pulled.push()
    pulled.converges()


def test_16_a_commit_that_the_mirror_cannot_keep_is_reported_and_kept_by_the_next_run(
    pulled: Trial, server: GitServer
) -> None:
    kept = mirror_of(pulled) / "refs/agentsync/trusted/team"
    first = kept.read_text()
    kept.unlink()
    kept.mkdir()
    (kept / "in-the-way").write_text(first)
    moved = pulled.push()
    result = pulled.machine.run("pull")
    assert result.code == 3
    (event,) = (record for record in result.events if record["level"] == "error")
    assert (event["event"], "refs/agentsync/trusted/team" in event["error"]) == ("source.failed", True)
    assert "Better." in (pulled.machine.claude / "tester.md").read_text()
    assert pulled.machine.run("history", "--format", "json").json[0]["counts"]["update"] == 2
    assert pulled.machine.run("status", "--exit-code", "--format", "json").code == 1
    written = pulled.machine.files()
    server.mode = "error"
    assert pulled.machine.run("pull").code == 3
    assert pulled.machine.files() == written  # and not those of the commit that was kept before
    server.mode = "serve"
    (kept / "in-the-way").unlink()
    kept.rmdir()
    assert "up to date" in pulled.converges().stdout
    assert kept.read_text().strip() == moved


def test_16_a_mirror_that_was_lost_keeps_its_commit_again(pulled: Trial, repository: Repository) -> None:
    shutil.rmtree(mirror_of(pulled))
    assert pulled.machine.run("pull", "--format", "json").code == 0
    assert (mirror_of(pulled) / "refs/agentsync/trusted/team").read_text().strip() == repository.head


def test_16_a_mirror_half_made_is_made_again(trial: Trial, server: GitServer) -> None:
    server.mode = "error"
    trial.holds(3)
    mirror = mirror_of(trial)
    shutil.rmtree(mirror)
    (mirror.with_name(f"{mirror.name}.new") / "objects").mkdir(parents=True)
    server.mode = "serve"
    trial.converges()
    assert list(mirror.parent.iterdir()) == [mirror]


def test_16_a_cache_that_may_not_be_entered_is_reported_and_no_bug(pulled: Trial) -> None:
    machine, mirrors = pulled.machine, pulled.machine.cache / "mirrors"
    mirrors.chmod(0)
    try:
        result = machine.run("pull", before=without_root_privileges())
        looked = machine.run("status", before=without_root_privileges())
    finally:
        mirrors.chmod(0o700)
    assert (result.code, looked.code) == (3, 0)
    [failed] = result.reported("source.failed")
    assert "the mirror cannot be used: Permission denied" in failed["error"]
    assert "check its owner" in failed["hint"]
    assert machine.run("pull").code == 0


# 17: left behind


LEFT = [
    "HEAD.lock",
    "config.lock",
    "packed-refs.lock",
    "packed-refs.new",
    "shallow.lock",
    "gc.pid",
    "gc.pid.lock",
    "refs/agentsync/candidate.lock",
    "refs/agentsync/trusted/team.lock",
    "objects/maintenance.lock",
    "objects/info/commit-graphs/commit-graph-chain.lock",
    "objects/pack/tmp_pack_dead",
    "objects/pack/.tmp-1-pack-dead.pack",
    "objects/pack/multi-pack-index.lock",
]


def test_17_leftovers_of_dead_processes_are_cleared_under_our_own_lock_only(pulled: Trial) -> None:
    mirror = mirror_of(pulled)
    for name in LEFT:
        (mirror / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror / name).touch()
    pulled.push()
    before = pulled.machine.files()
    with FileLock(pulled.machine.state / "run.lock"), ThreadPoolExecutor() as threads:
        for result in threads.map(pulled.machine.run, ("pull", "plan")):  # at once, since each waits for a while
            assert result.code == 75
            assert "another run is in progress" in result.stderr
        assert [name for name in LEFT if not (mirror / name).exists()] == []
        assert pulled.machine.files() == before
    pulled.converges()
    assert [name for name in LEFT if (mirror / name).exists()] == []


@pytest.fixture
def mirror(machine: Machine) -> Mirror:
    return Mirror(machine.cache / "mirror", machine.cache / "home")


def test_17_packing_is_not_stopped_by_leftovers_and_ends_before_the_fetch_does(
    mirror: Mirror, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentsync.git.mirror._MAX_PACKS", 2)
    before = descendants(os.getpid())
    for number in range(3):
        repository.write({"a.md": str(number)})
        committed(repository, mirror)
    for name in LEFT:
        (mirror.directory / name).parent.mkdir(parents=True, exist_ok=True)
        (mirror.directory / name).touch()
    mirror.fetch(local(repository))
    assert len(list(mirror.directory.glob("objects/pack/*.pack"))) == 1
    assert not (mirror.directory / "gc.pid").exists()
    if sys.platform == "linux":
        assert descendants(os.getpid()) <= before


def test_17_packing_that_fails_stops_no_fetch(
    mirror: Mirror, repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("agentsync.git.mirror._MAX_PACKS", 0)
    git = tmp_path / "bin" / "git"
    git.parent.mkdir()
    git.write_text(f'#!/bin/sh\n[ "$1" = gc ] && exit 1\nexec {shutil.which("git")} "$@"\n')
    git.chmod(0o700)
    monkeypatch.setenv("PATH", f"{git.parent}{os.pathsep}{os.environ['PATH']}")
    for number in range(2):
        repository.write({"a.md": str(number)})
        committed(repository, mirror)


# 25: the state


def lose(state: Path) -> None:
    shutil.rmtree(state)


def spoil(state: Path) -> None:
    for path in state.glob("state.sqlite3*"):
        path.write_bytes(b"garbage" * 1_000)


def tear(state: Path) -> None:
    path = state / "state.sqlite3"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(state: Path) -> None:
    (state / "state.sqlite3").write_bytes(b"")


@pytest.mark.parametrize("damage", [lose, spoil, tear, empty])
def test_25_a_state_that_is_lost_or_damaged_deletes_nothing_and_knows_the_files_again(
    pulled: Trial, repository: Repository, damage: Damage
) -> None:
    before = pulled.machine.files()
    damage(pulled.machine.state)
    result = pulled.converges()
    assert len(result.reported("state.recovered")) == (damage in {spoil, tear})
    assert pulled.machine.files() == before
    repository.remove("agents/writer.md")
    pulled.push()
    pulled.converges()


def test_25_an_agent_that_the_source_dropped_while_the_state_was_lost_stays(
    pulled: Trial, repository: Repository
) -> None:
    repository.remove("agents/writer.md")
    repository.commit()
    before = pulled.machine.files()
    lose(pulled.machine.state)
    assert pulled.machine.run("pull").code == 0
    assert pulled.machine.files() == before


def test_25_backups_stay_when_the_state_that_knew_of_them_is_lost(trial: Trial) -> None:
    mine = agent("reviewer", "I wrote this too.")
    (trial.machine.claude / "reviewer.md").write_text(mine)
    assert trial.machine.run("adopt", "--all").code == 0
    spoil(trial.machine.state)
    trial.converges()
    trial.push()  # from here on there is a history again, without the replaced file
    trial.converges()
    with closing(sqlite3.connect(trial.machine.state / "kept.sqlite3")) as connection:
        kept = [zlib.decompress(data) for (data,) in connection.execute("SELECT data FROM contents")]
    assert mine.encode() in kept


def test_25_a_state_of_a_newer_version_is_left_alone(pulled: Trial) -> None:
    database = pulled.machine.state / "state.sqlite3"

    def set_version(number: int) -> None:
        with sqlite3.connect(database) as connection:
            connection.execute(f"PRAGMA user_version = {number}")
        connection.close()

    with sqlite3.connect(database) as connection:
        [(version,)] = connection.execute("PRAGMA user_version")
    connection.close()
    set_version(99)
    content, before = database.read_bytes(), pulled.machine.files()
    pulled.push()
    result = pulled.machine.run("pull")
    assert result.code == 4
    assert "version 99" in result.stderr
    assert (database.read_bytes(), pulled.machine.files()) == (content, before)
    set_version(version)
    pulled.converges()
