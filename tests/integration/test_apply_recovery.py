"""Apply after a lost state, a kill at any step, and any sequence of edits."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsync.core.codes import Code
from agentsync.core.digest import digest
from agentsync.state.records import Action
from agentsync.targets.apply import recover
from support.targets import SYSTEM_CALLS, Machine, Tree, actions, codes, identities, needs_fork, nth, run_and_kill, tree


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.add("target").mkdir()
    return machine


def test_a_lost_state_is_rebuilt_by_digest_and_nothing_is_deleted(machine: Machine) -> None:
    machine.sync(target={"a.md": b"1", "old.md": b"1"})
    (machine.home / "state.db").unlink()
    assert actions(machine.sync(target={"a.md": b"1"})) == {"a.md": "take"}
    assert tree(machine.home / "target") == {"a.md": b"1", "old.md": b"1"}


@needs_fork
def test_an_update_whose_run_was_killed_is_no_conflict_when_the_source_has_moved_on(machine: Machine) -> None:
    machine.sync(target={"a.md": b"1"})
    replaced = []

    def after_replacing(name: str) -> bool:
        replaced.append(name)
        return "replace" in replaced[:-1]

    assert run_and_kill(machine, {"a.md": b"2"}, at=after_replacing)
    assert tree(machine.home / "target") == {"a.md": b"2"}
    assert actions(machine.sync(target={"a.md": b"3"})) == {"a.md": "update"}
    with machine.state() as state:
        assert [change.new for sync in state.syncs(9) for change in state.changes(sync.id)] == [
            digest(b"3"),
            digest(b"2"),
            digest(b"1"),
        ]


@needs_fork
def test_leftovers_of_a_killed_run_wait_until_their_target_can_be_used(machine: Machine) -> None:
    target, moved = machine.home / "target", machine.home / "moved"
    run_and_kill(machine, {"a.md": b"1"}, at=lambda name: name == "link")
    target.rename(moved)
    target.symlink_to(moved)
    with machine.state() as state:
        recover(state, machine.options)
        assert len(state.intents()) == 1
        assert len(tree(moved)) == 1
        target.unlink()
        moved.rename(target)
        recover(state, machine.options)
        assert state.intents() == []
    assert tree(target) == {}


def test_a_staged_file_that_cannot_be_deleted_is_deleted_by_the_next_run(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    target = machine.home / "target"
    trees = {"target": {"a.md": b"1"}}
    with machine.state() as state, monkeypatch.context() as patch:
        plan = machine.plan(state, trees)
        (target / "a.md").write_bytes(b"mine")
        patch.setattr(os, "unlink", refuse)
        assert codes(machine.apply(state, plan, trees)) == {"a.md": Code.CONFLICT_UNMANAGED}
    assert len(tree(target)) == 2
    machine.sync(**trees)
    assert tree(target) == {"a.md": b"mine"}
    assert machine.inventory() == {}


@needs_fork
def test_leftovers_of_a_killed_run_are_cleared_when_their_target_is_gone(machine: Machine) -> None:
    run_and_kill(machine, {"a.md": b"1"}, at=lambda name: name == "link")
    shutil.rmtree(machine.home / "target")
    with machine.state() as state:
        recover(state, machine.options)
    assert machine.inventory() == {}


@needs_fork
def test_a_kill_before_any_step_is_recovered_from(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> None:
    old = {"update": b"1", "delete": b"1", "gone/delete": b"1", "keep": b"1"}
    new = {"update": b"2", "create": b"2", "made/create": b"2", "keep": b"1"}
    target = machine.home / "target"
    machine.sync(target=old)
    (target / "mine").write_bytes(b"mine")
    snapshot = tmp_path_factory.mktemp("snapshot") / "home"
    shutil.copytree(machine.home, snapshot)
    machine.sync(target=new)
    expected_tree, expected_inventory = tree(target), machine.inventory()
    steps = Counter[str]()
    for number in count(1):
        shutil.rmtree(machine.home)
        shutil.copytree(snapshot, machine.home)
        step = run_and_kill(machine, new, at=nth(number))
        if not step:
            break
        steps[step] += 1
        for path, data in tree(target).items():
            if path in {*old, *new} and data is not None:
                assert data in {old.get(path), new.get(path)}
        run_and_kill(machine, new, at=nth(number))  # now and then this one dies while it recovers
        machine.sync(target=new)
        assert tree(target) == expected_tree, f"killed before {step}, step {number}"
        assert machine.inventory() == expected_inventory
        assert machine.sync(target=new) == []
    assert steps.keys() == {*SYSTEM_CALLS, "BEGIN IMMEDIATE", "COMMIT"}


PATHS = st.sampled_from(["a.md", "b.md", "sub/c.md"])
CONTENTS = st.sampled_from([b"1", b"2"])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(PATHS, CONTENTS),
            st.dictionaries(PATHS, st.one_of(st.none(), CONTENTS, st.just(b"mine"))),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_users_and_sources_do_in_turn(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[tuple[Tree, Mapping[str, bytes | None]]]
) -> None:
    with tempfile.TemporaryDirectory(dir=tmp_path_factory.getbasetemp()) as home:
        machine = Machine(Path(home))
        target = machine.add("target")
        target.mkdir()
        for wanted, edits in rounds:
            edit(target, edits)
            managed = {path: row.digest for (_, path), row in machine.inventory().items()}
            users = {
                path: data
                for path, data in tree(target).items()
                if data is not None and digest(data) != managed.get(path)
            }
            outcomes = machine.sync(target=wanted)
            after = tree(target)
            assert {path: after.get(path) for path in users} == users
            conflicts = codes(outcomes)
            assert {path: after.get(path) for path in wanted if path not in conflicts} == {
                path: data for path, data in wanted.items() if path not in conflicts
            }
            before = identities(target)
            assert codes(machine.sync(target=wanted)) == conflicts
            assert identities(target) == before
            with machine.state() as state:
                remaining = {change.action for change in machine.plan(state, {"target": wanted}).changes}
            assert remaining <= ({Action.KEEP, Action.CONFLICT} if conflicts else {Action.KEEP})


def edit(target: Path, edits: Mapping[str, bytes | None]) -> None:
    for path, data in edits.items():
        if data is None:
            (target / path).unlink(missing_ok=True)
        else:
            (target / path).parent.mkdir(exist_ok=True)
            (target / path).write_bytes(data)
