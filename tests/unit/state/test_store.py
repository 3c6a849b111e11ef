"""The state database: its content, and its behaviour when it is damaged, newer or busy."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from agentsync.core.errors import StateError
from agentsync.state.fingerprints import Fingerprints
from agentsync.state.records import Action, FileChange, Intent, Known, Recorded, SourceState, Stat, Suspension, Sync
from agentsync.state.schema import SCHEMA_VERSION
from agentsync.state.sqlite import DamagedError
from agentsync.state.store import State

DIRECTORY = "/target"
ROW = Recorded("digest", "agent", "claude", "team", "url", "x.md", "commit", "blob")
STAT = Stat(3, 1, 2, 2**64 - 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "agentsync.db"


def begun(path: Path) -> State:
    state = State.open(path)
    state.begin_sync("sync", started_at=1.5, commits={"team": "abc"})
    return state


def intent(path: str = "x.md", recorded: Recorded | None = ROW, sync_id: str = "sync") -> Intent:
    change = FileChange(sync_id, DIRECTORY, path, Action.CREATE, "agent", "claude", None, "digest")
    return Intent(change, f".{path}.tmp", recorded)


def test_a_settled_change_is_in_inventory_and_history_after_reopening(path: Path) -> None:
    with begun(path) as state:
        state.intend([intent("x.md"), intent("y.md")])
        assert state.intents() == [intent("x.md"), intent("y.md")]
        state.settle([intent("x.md")], [intent("x.md")])
    with State.open(path) as state:
        assert state.inventory([DIRECTORY]) == {(DIRECTORY, "x.md"): ROW}
        assert state.inventory(["/other"]) == {}
        assert state.intents() == [intent("y.md")]
        assert state.changes("sync") == [intent("x.md").change]
        assert not state.recovered


def test_settling_without_a_row_forgets_the_file(path: Path) -> None:
    with begun(path) as state:
        state.settle([intent()])
        state.settle([intent(recorded=None)])
        assert state.inventory([DIRECTORY]) == {}


def test_settling_is_all_or_nothing(path: Path) -> None:
    with begun(path) as state:
        with pytest.raises(StateError):
            state.settle([intent("x.md"), intent("y.md", sync_id="never begun")])
        assert state.inventory([DIRECTORY]) == {}


def test_a_cached_stat_lasts_until_the_file_is_written_again(path: Path) -> None:
    key = (DIRECTORY, "x.md")
    with begun(path) as state:
        state.settle([intent()])
        assert state.cached_stats([DIRECTORY]) == {}
        state.cache_stats({key: Known("another", STAT, 5)})
        assert state.cached_stats([DIRECTORY]) == {}
        state.cache_stats({key: Known("digest", STAT, 5)})
        assert state.cached_stats([DIRECTORY]) == {key: Known("digest", STAT, 5)}
        state.settle([intent()])
        assert state.cached_stats([DIRECTORY]) == {}


def test_a_source_is_remembered(path: Path) -> None:
    source = SourceState("team", "url", "main", commit="abc", fetched_at=1.0, rejected_commit="def", error="down")
    with State.open(path) as state:
        assert state.source("team", "url", "main") is None
        state.set_source(SourceState("team", "url", "main"))
        state.set_source(source)
        state.set_source(SourceState("team", "url", "other", commit="xyz"))
        assert state.source("team", "url", "main") == source


def test_syncs_are_listed_newest_first_and_a_killed_one_stays_open(path: Path) -> None:
    with begun(path) as state:
        state.begin_sync("later", started_at=2.0, commits={})
        state.finish_sync("later", finished_at=3.0, result="ok", counts={"create": 2})
        later, first = state.syncs(5)
        assert later == Sync("later", 2.0, 3.0, "ok", {}, {"create": 2})
        assert first == Sync("sync", 1.5, None, "", {"team": "abc"}, {})
        assert state.syncs(1) == [later]


def test_trimming_history_returns_content_that_no_sync_refers_to(path: Path) -> None:
    with begun(path) as state:
        for name, old in (("a", "1"), ("b", "2"), ("c", "1"), ("d", "3")):
            state.begin_sync(name, started_at=2.0, commits={})
            done = intent(sync_id=name)
            state.settle([replace(done, change=replace(done.change, old=old, new=f"written by {name}"))])
        assert state.trim_history(9) == []
        assert state.trim_history(2) == ["2", "written by a", "written by b"]
        assert state.trim_history(2) == []
        pending = intent(sync_id="d")
        state.intend([replace(pending, change=replace(pending.change, old="1"))])
        state.begin_sync("e", started_at=3.0, commits={})
        assert state.trim_history(1) == ["written by c"]
        assert [sync.id for sync in state.syncs(9)] == ["e", "d"]


def test_what_was_last_written_is_known_as_long_as_the_sync_that_removed_it(path: Path) -> None:
    with begun(path) as state:
        state.settle([intent("x.md"), intent("y.md")])
        for name in ("a", "b", "c"):
            state.begin_sync(name, started_at=2.0, commits={})
        removed = intent("x.md", None, sync_id="b")
        base = replace(ROW, digest="last")
        state.settle([replace(removed, change=replace(removed.change, new=None, base=ROW))])
        state.settle([replace(removed, change=replace(removed.change, new=None, base=base, sync_id="c"))])
        assert state.departed([DIRECTORY, "/other"]) == {(DIRECTORY, "x.md"): base}
        state.relocate({DIRECTORY: "/moved"})
        assert (state.departed([DIRECTORY]), state.departed(["/moved"])) == ({}, {("/moved", "x.md"): base})
        assert "last" not in state.trim_history(1)
        assert state.departed(["/moved"]) == {("/moved", "x.md"): base}
        state.begin_sync("d", started_at=3.0, commits={})
        assert state.trim_history(1) == ["last"]
        assert state.departed(["/moved"]) == {}


def test_trimming_history_keeps_the_newest_and_unsettled_syncs(path: Path) -> None:
    with begun(path) as state:
        state.intend([intent()])
        for name in ("a", "b", "c"):
            state.begin_sync(name, started_at=2.0, commits={})
            state.settle([intent(sync_id=name)])
        state.trim_history(1)
        assert [sync.id for sync in state.syncs(9)] == ["c", "sync"]
        assert (state.changes("a"), len(state.changes("c"))) == ([], 1)


@pytest.mark.skipif(os.name == "nt", reason="there are no modes there")
def test_only_the_owner_can_read_it(path: Path) -> None:
    with begun(path):
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert len(modes) == 4  # with -wal, -shm and .checked
    assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_file_that_is_not_a_database_is_set_aside_and_a_new_one_started(path: Path) -> None:
    path.parent.mkdir()
    for number in (1, 2):
        path.write_bytes(b"garbage" * 1000)
        with State.open(path) as state:
            assert state.recovered
            assert state.inventory([DIRECTORY]) == {}
        assert path.with_name(f"{path.name}.corrupt-{number}").read_bytes() == b"garbage" * 1000


@pytest.mark.parametrize("whole", [b'["digest"', b'{"team": ', b"create"])
def test_a_database_with_a_damaged_value_is_set_aside(path: Path, whole: bytes) -> None:
    with begun(path) as state:
        known = intent()
        state.settle([replace(known, change=replace(known.change, base=ROW))])
    data = path.read_bytes()
    assert whole in data
    path.write_bytes(data.replace(whole, b"!" + whole[1:]))
    with State.open(path) as state:
        assert state.recovered
        assert state.syncs(1) == []


def test_refusals_are_kept_until_they_are_over_and_a_time_without_a_date_is_damage(path: Path) -> None:
    first, second = ("team", "x.md", "claude"), ("team", "x.md", "codex")
    with State.open(path) as state:
        state.set_refused({first: 1.5, second: 2.5}, [])
    with State.open(path) as state:
        state.set_refused({}, [first])
        assert state.refused_since() == {second: 2.5}
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE refused SET since = 1e300")
    with State.open(path) as state:
        assert (state.recovered, state.refused_since()) == (True, {})


def test_a_database_is_checked_again_once_something_else_changed_it_or_it_cannot_be_read(path: Path) -> None:
    with begun(path) as state:
        state.settle([intent(f"{number}.md") for number in range(500)])
    with State(path) as state:
        assert state._is_known_sound()
    data = path.read_bytes()
    path.write_bytes(data)
    with pytest.raises(DamagedError), Fingerprints(path):
        pass
    with State(path) as state:
        assert state._is_known_sound()
    path.write_bytes(data[:4096] + os.urandom(len(data) - 4096))
    status, checked = path.stat(), path.with_name(f"{path.name}.checked")
    checked.write_text(f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}")
    with pytest.raises(DamagedError), State(path) as state:  # as if the disk had done it
        state.inventory([DIRECTORY])
    assert not checked.exists()
    with State.open(path) as state:
        assert state.recovered


def test_a_database_with_damaged_pages_is_set_aside(path: Path) -> None:
    with begun(path) as state:
        state.settle([intent(f"{number}.md") for number in range(500)])
    data = bytearray(path.read_bytes())
    data[4096:] = os.urandom(len(data) - 4096)
    path.write_bytes(data)
    with State.open(path) as state:
        assert state.recovered
        assert state.syncs(1) == []


def test_a_fingerprint_goes_when_the_inventory_changes_or_another_takes_its_place(path: Path) -> None:
    with begun(path) as state:
        state.remember("first", "1")
        assert (state.recall("first"), state.recall("second")) == ("1", None)
        state.remember("second", "2")
        assert (state.recall("first"), state.recall("second")) == (None, "2")
        state.cache_stats({})
        assert state.recall("second") == "2"
        state.settle([intent()])
        assert state.recall("second") is None


def test_a_state_of_an_earlier_version_is_set_aside(path: Path) -> None:
    with begun(path) as state:
        state.settle([intent()])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    with State.open(path) as state:
        assert state.recovered
        assert state.count([DIRECTORY]) == 0
    assert path.with_name(f"{path.name}.corrupt-1").exists()


def test_a_newer_version_is_refused_and_left_alone(path: Path) -> None:
    State.open(path).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    before = path.read_bytes()
    with pytest.raises(StateError) as caught:
        State.open(path)
    assert caught.value.hint
    assert path.read_bytes() == before


def test_a_directory_in_its_place_is_an_error_with_the_path(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StateError) as caught:
        State.open(path)
    assert caught.value.place == str(path)


def test_a_full_disk_is_a_state_error_and_leaves_the_state_as_it_was(path: Path) -> None:
    with begun(path) as state:
        pages = state._connection.execute("PRAGMA page_count").fetchone()[0]
        state._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StateError):
            state.settle([intent(f"{number}.md") for number in range(500)])
        state._connection.execute("PRAGMA max_page_count = 100000")
        assert state.inventory([DIRECTORY]) == {}
        assert len(state.syncs(1)) == 1


def test_a_busy_database_is_waited_for_and_then_an_error(path: Path) -> None:
    with begun(path) as state, State.open(path) as other:
        other._connection.execute("PRAGMA busy_timeout = 50")
        state._connection.execute("BEGIN IMMEDIATE")
        started = time.monotonic()
        with pytest.raises(StateError):
            other.settle([intent()])
        assert time.monotonic() - started >= 0.05
        assert len(other.syncs(1)) == 1  # readers are not kept out
        state._connection.execute("ROLLBACK")
        other.settle([intent()])


def test_while_nothing_is_applied_no_sync_begins_but_a_rollback_and_nothing_is_remembered(path: Path) -> None:
    with State.open(path) as state, State.open(path) as other:
        other.suspend(Suspension(1.0, "demo"))
        assert not state.begin_sync("pull", started_at=2.0, commits={"team": "abc"})
        assert (state.syncs(-1), state.has_open_sync()) == ([], False)
        state.remember("key", "value")
        assert state.recall("key") is None
        assert state.begin_sync("rollback", started_at=3.0, commits={}, while_suspended=True)
        assert state.has_open_sync()
        state.finish_sync("rollback", finished_at=4.0, result="ok", counts={})
        assert not state.has_open_sync()
        other.resume()
        assert state.begin_sync("pull", started_at=5.0, commits={})
        state.remember("key", "value")
        assert state.recall("key") == "value"
