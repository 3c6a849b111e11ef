"""Apply against real files: the user's bytes survive, and one failure does not stop the others."""

from __future__ import annotations

import errno
import math
import os
import stat
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentsync.core.codes import Code
from agentsync.core.digest import digest
from agentsync.state.records import Action
from agentsync.targets import apply as apply_module
from agentsync.targets import batch as batch_module
from agentsync.targets.apply import observe
from agentsync.targets.change import Actual
from agentsync.targets.deletion_limits import DeletionLimits
from agentsync.targets.plan import Plan
from agentsync.targets.target_place import DirectoryOptions
from support.targets import Machine, actions, codes, identities, tree

needs_symlinks = pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.add("target").mkdir()
    return machine


def test_a_target_gets_the_wanted_files_and_then_stays_untouched(machine: Machine) -> None:
    target = machine.home / "target"
    wanted = {"a.md": b"a", "sub/b.md": b"b"}
    assert actions(machine.sync(target=wanted)) == {"a.md": "create", "sub/b.md": "create"}
    assert tree(target) == {**wanted, "sub": None}
    before = identities(target)
    assert machine.sync(target=wanted) == []
    assert identities(target) == before


def test_each_action_has_its_effect(machine: Machine) -> None:
    target = machine.home / "target"
    machine.sync(target={"update": b"1", "sub/delete": b"1", "restore": b"1", "forget": b"1", "keep": b"1"})
    (target / "restore").unlink()
    (target / "forget").unlink()
    (target / "take").write_bytes(b"same")
    inode = (target / "take").stat().st_ino
    wanted = {"update": b"2", "restore": b"2", "keep": b"1", "take": b"same", "create": b"1"}
    outcomes = machine.sync(target=wanted)
    names = ("create", "forget", "restore", "take", "update")
    assert actions(outcomes) == {**{name: name for name in names}, "sub/delete": "delete"}
    assert all(outcome.ok for outcome in outcomes)
    assert tree(target) == wanted
    assert (target / "take").stat().st_ino == inode
    assert {path: row.digest for (_, path), row in machine.inventory().items()} == {
        path: digest(data) for path, data in wanted.items()
    }


def test_bytes_are_durable_before_they_are_published_and_names_afterwards(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def spy(name: str) -> None:
        call = getattr(os, name)

        def spied(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return call(*args, **kwargs)

        monkeypatch.setattr(os, name, spied)

    machine.sync(target={"a.md": b"1"})
    for name in ("fsync", "link", "replace"):
        spy(name)
    machine.sync(target={"a.md": b"2", "b.md": b"2"})
    # The last one records that the database is sound, which need not be durable.
    assert calls == ["fsync", "fsync", "replace", "link", "fsync", "replace"]


def test_history_records_each_change(machine: Machine) -> None:
    machine.sync(target={"a.md": b"1"})
    machine.sync(target={"a.md": b"2"})
    with machine.state() as state:
        (change,) = state.changes(state.syncs(1)[0].id)
    assert (change.action, change.path, change.agent) == (Action.UPDATE, "a.md", "a.md")
    assert (change.old, change.new) == (digest(b"1"), digest(b"2"))


def test_conflicts_are_kept_and_the_others_go_on(machine: Machine) -> None:
    target = machine.home / "target"
    machine.sync(target={"edited": b"1", "gone": b"1", "fine": b"1"})
    for name in ("edited", "gone", "unmanaged"):
        (target / name).write_bytes(b"mine")
    outcomes = machine.sync(target={"edited": b"2", "unmanaged": b"2", "fine": b"2"})
    assert codes(outcomes) == {
        "edited": Code.CONFLICT_EDITED,
        "gone": Code.CONFLICT_EDITED,
        "unmanaged": Code.CONFLICT_UNMANAGED,
    }
    assert tree(target) == {"edited": b"mine", "gone": b"mine", "unmanaged": b"mine", "fine": b"2"}


def test_an_edit_between_plan_and_apply_is_kept(machine: Machine) -> None:
    target = machine.home / "target"
    machine.sync(target={"update": b"1", "delete": b"1", "restore": b"1"})
    (target / "restore").unlink()
    trees = {"target": {"update": b"2", "restore": b"2", "create": b"2", "fine": b"2"}}
    with machine.state() as state:
        plan = machine.plan(state, trees)
        for name in ("update", "delete", "restore", "create"):
            (target / name).write_bytes(b"mine")
        outcomes = machine.apply(state, plan, trees)
    assert [outcome.change.path for outcome in outcomes if outcome.ok] == ["fine"]
    assert set(codes(outcomes).values()) == {Code.CONFLICT_EDITED, Code.CONFLICT_UNMANAGED}
    assert tree(target) == {**dict.fromkeys(("update", "delete", "restore", "create"), b"mine"), "fine": b"2"}


def replacing(plan: Plan) -> Plan:
    """The plan with every conflict overruled."""
    return replace(plan, changes=tuple(replace(change, action=Action.REPLACE) for change in plan.changes))


def test_the_file_that_an_overruled_conflict_replaces_is_backed_up(machine: Machine) -> None:
    (machine.home / "target" / "a.md").write_bytes(b"mine")
    trees = {"target": {"a.md": b"team"}}
    with machine.state() as state:
        plan = machine.plan(state, trees)
        assert all(outcome.ok for outcome in machine.apply(state, replacing(plan), trees))
    assert tree(machine.home / "target") == {"a.md": b"team"}
    assert machine.backups.content(digest(b"mine")) == b"mine"
    assert machine.sync(**trees) == []


def test_a_file_that_changed_after_planning_is_not_replaced(machine: Machine) -> None:
    (machine.home / "target" / "a.md").write_bytes(b"mine")
    trees = {"target": {"a.md": b"team"}}
    with machine.state() as state:
        plan = machine.plan(state, trees)
        (machine.home / "target" / "a.md").write_bytes(b"mine too")
        assert codes(machine.apply(state, replacing(plan), trees)) == {"a.md": Code.CONFLICT_UNMANAGED}
    assert tree(machine.home / "target") == {"a.md": b"mine too"}


def test_a_held_change_is_not_applied(machine: Machine) -> None:
    machine.sync(target={"a.md": b"1"})
    with machine.state() as state:
        plan = machine.plan(state, {"target": {}}, DeletionLimits())
        assert machine.apply(state, plan, {}) == []
        assert len(plan.held) == 1
    assert tree(machine.home / "target") == {"a.md": b"1"}


def test_targets_that_cannot_be_used_do_not_stop_the_others(machine: Machine) -> None:
    machine.add("missing", create=False)
    machine.add("file").write_bytes(b"mine")
    machine.add("made")
    wanted = {"a.md": b"1"}
    outcomes = machine.sync(missing=wanted, file=wanted, made=wanted, target=wanted)
    assert {outcome.change.target: outcome.ok for outcome in outcomes} == {
        "missing": False,
        "file": False,
        "made": True,
        "target": True,
    }
    diagnostics = {outcome.change.target: outcome.diagnostic for outcome in outcomes if outcome.diagnostic}
    assert {name: diagnostic.code for name, diagnostic in diagnostics.items()} == {
        "missing": Code.TARGET_MISSING,
        "file": Code.WRITE_FAILED,
    }
    assert diagnostics["missing"].path == str(machine.home / "missing")
    assert not (machine.home / "missing").exists()


@needs_symlinks
def test_a_target_that_became_a_link_is_refused_and_its_rows_stay(machine: Machine) -> None:
    target, moved = machine.home / "target", machine.home / "moved"
    machine.sync(target={"a.md": b"1", "b.md": b"1"})
    target.rename(moved)
    target.symlink_to(moved)
    outcomes = machine.sync(target={"a.md": b"2", "c.md": b"2"})
    assert codes(outcomes) == dict.fromkeys(("a.md", "b.md", "c.md"), Code.TARGET_SYMLINK)
    assert tree(moved) == {"a.md": b"1", "b.md": b"1"}
    assert len(machine.inventory()) == 2
    machine.options[str(target)] = DirectoryOptions(follow_symlinks=True)
    machine.sync(target={"a.md": b"2", "c.md": b"2"})
    assert tree(moved) == {"a.md": b"2", "c.md": b"2"}


@pytest.mark.skipif(os.name == "nt", reason="there are no resource limits there")
def test_a_file_that_cannot_be_written_leaves_nothing_and_the_others_go_on(machine: Machine) -> None:
    import resource  # noqa: PLC0415 - absent on Windows

    machine.sync(target={"update": b"1"})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, before[1]))
    try:
        outcomes = machine.sync(target={"new/large": bytes(3_000_000), "update": bytes(3_000_000), "fine": b"1"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert codes(outcomes) == {"new/large": Code.WRITE_FAILED, "update": Code.WRITE_FAILED}
    assert tree(machine.home / "target") == {"update": b"1", "fine": b"1"}
    assert {path for _, path in machine.inventory()} == {"update", "fine"}


def test_many_batches_give_one_outcome_each_in_the_plans_order(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apply_module, "BATCH", 2)
    (machine.home / "target" / "2").write_bytes(b"mine")
    trees = {"target": {str(number): b"1" for number in range(7)}}
    with machine.state() as state:
        outcomes = machine.apply(state, machine.plan(state, trees), trees)
    assert [(outcome.change.path, outcome.ok) for outcome in outcomes] == [(str(n), n != 2) for n in range(7)]
    assert len(machine.inventory()) == 6


@pytest.mark.parametrize(("worth_threads", "several"), [(0.0, True), (math.inf, False)])
def test_files_are_staged_in_several_threads_where_the_disk_is_slow(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, worth_threads: float, *, several: bool
) -> None:
    monkeypatch.setattr(batch_module, "WORTH_THREADS", worth_threads)
    threads = set()
    fsync = os.fsync

    def spied(descriptor: int) -> None:
        threads.add(threading.get_ident())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", spied)
    wanted = {f"{number}/x.md": b"%d" % number for number in range(4 * batch_module.TRIAL)}
    outcomes = machine.sync(target=wanted)
    assert (len(threads) > 1) is several
    assert all(outcome.ok for outcome in outcomes)
    assert {path: data for path, data in tree(machine.home / "target").items() if data is not None} == wanted
    assert len(machine.inventory()) == len(wanted)


def test_a_change_that_cannot_be_made_durable_is_made_and_then_fails(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    trees = {"target": {"a.md": b"1", "b.md": b"2"}}
    with machine.state() as state, monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        outcomes = [*machine.outcomes(state, machine.plan(state, trees), trees)]
    seen = [(outcome.change.path, outcome.ok) for outcome in outcomes]
    assert seen == [("a.md", True), ("b.md", True), ("a.md", False), ("b.md", False)]
    machine.sync(**trees)
    assert len(machine.inventory()) == 2


def test_content_that_differs_from_the_plan_is_never_written(machine: Machine) -> None:
    trees = {"target": {"a.md": b"1"}}
    with machine.state() as state:
        plan = machine.plan(state, trees)
        with pytest.raises(ValueError, match=r"a\.md"):
            machine.apply(state, plan, {"target": {"a.md": b"2"}})
    assert tree(machine.home / "target") == {}


def test_a_file_is_read_once_and_then_known_by_its_stat(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    path = machine.home / "target" / "a.md"
    key = (str(path.parent), path.name)
    machine.sync(target={"a.md": b"1"})
    with machine.state() as state:
        assert state.cached_stats([key[0]]) == {}
    later = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later)
    machine.sync(target={"a.md": b"1"})
    with machine.state() as state:
        known = state.cached_stats([key[0]])[key]
        state._connection.execute("UPDATE inventory SET digest = 'as cached'")
        assert observe(machine.options, [key], state.inventory([key[0]]), state) == {key: Actual("as cached")}
        path.write_bytes(b"2")
        assert observe(machine.options, [key], state.inventory([key[0]]), state) == {key: Actual(digest(b"2"))}
    assert known.digest == digest(b"1")
