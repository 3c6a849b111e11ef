"""Apply against a file that its user and a tool write too: only our entries change, whatever happens."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import time
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from agentsync.core.codes import Code
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.dialects import dialects
from agentsync.dialects.roo.modes_file import canonical, edited, entries
from agentsync.dialects.roo.modes_layout import layout
from agentsync.state.backups import Backups
from agentsync.state.records import Action
from agentsync.targets.apply import observe, recover
from agentsync.targets.change import Actual
from agentsync.targets.observe import ChangedError
from agentsync.targets.shared_file import SharedEntries
from agentsync.targets.target_place import DirectoryOptions
from support.targets import Machine, actions, codes, needs_fork, nth, run_and_kill

SHARED = dialects()["roo"].shared
assert SHARED is not None

USER = b"""# Mine, keep out
customModes:
  # first
  - slug: own   # the best
    name: 'Own'
    roleDefinition: >-
      Folded
      text
    groups: [read]

  # second
  - slug: other
    name: Other
    roleDefinition: Other
    groups:
    - read
# tail
"""

NAME = "project/.roomodes"

needs_symlinks = pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")


def mode(slug: str, role: str = "R") -> bytes:
    return canonical({"slug": slug, "name": slug.title(), "roleDefinition": role, "groups": ["read"]})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "home")
    (tmp_path / "home" / "project").mkdir(parents=True)
    machine.add(NAME, shared=SHARED)
    return machine


@pytest.fixture
def file(machine: Machine) -> Path:
    return machine.home / "project" / ".roomodes"


def sync(machine: Machine, *modes: bytes) -> Any:
    return machine.sync(**{NAME: tree(*modes)})


def tree(*modes: bytes) -> dict[str, bytes]:
    return {slug: data for entry in modes for slug, data in entries(entry).items()}


def names(file: Path) -> list[str]:
    return sorted(path.name for path in file.parent.iterdir())


def test_each_action_has_its_effect_and_the_rest_stays(machine: Machine, file: Path) -> None:
    file.write_bytes(USER)
    assert actions(sync(machine, mode("a"), mode("b"), mode("c"))) == dict.fromkeys("abc", "create")
    assert entries(file.read_bytes()) == {**entries(USER), **tree(mode("a"), mode("b"), mode("c"))}
    file.write_bytes(edited(file.read_bytes(), {"c": None, "e": mode("e")}))
    outcomes = sync(machine, mode("a", "new"), mode("c"), mode("d"), mode("e"))
    assert actions(outcomes) == {"a": "update", "b": "delete", "c": "restore", "d": "create", "e": "take"}
    assert all(outcome.ok for outcome in outcomes)
    wanted = tree(mode("a", "new"), mode("c"), mode("d"), mode("e"))
    steps = ({"a": wanted["a"]}, {"e": wanted["e"]}, {"c": wanted["c"], "d": wanted["d"]})
    expected = USER
    for step in steps:
        expected = edited(expected, step)
    assert file.read_bytes() == expected
    assert {path: row.digest for (_, path), row in machine.inventory().items()} == {
        slug: digest(entry) for slug, entry in wanted.items()
    }
    sync(machine)
    assert file.read_bytes() == USER
    assert names(file) == [".roomodes"]


def test_a_file_in_sync_is_not_touched(machine: Machine, file: Path) -> None:
    sync(machine, mode("a"))
    before = file.stat()
    assert sync(machine, mode("a")) == []
    assert (file.stat().st_ino, file.stat().st_ctime_ns) == (before.st_ino, before.st_ctime_ns)


def test_a_file_that_is_missing_is_made_and_stays_when_it_is_empty(machine: Machine, file: Path) -> None:
    sync(machine, mode("a"))
    assert file.read_bytes() == mode("a")
    sync(machine)
    assert file.read_bytes() == b"customModes: []\n"


def test_a_file_that_went_is_made_again(machine: Machine, file: Path) -> None:
    sync(machine, mode("a"), mode("b"))
    file.unlink()
    assert actions(sync(machine, mode("a"))) == {"a": "restore", "b": "forget"}
    assert file.read_bytes() == mode("a")


def test_the_directory_is_made_where_that_is_wanted(machine: Machine) -> None:
    made = machine.add("deep/settings/modes.yaml", shared=SHARED)
    machine.add("none/modes.yaml", create=False, shared=SHARED)
    outcomes = machine.sync(**{f"{name}/modes.yaml": tree(mode("a")) for name in ("deep/settings", "none")})
    assert [outcome.diagnostic and outcome.diagnostic.code for outcome in outcomes] == [None, Code.TARGET_MISSING]
    assert made.read_bytes() == mode("a")
    assert not (machine.home / "none").exists()


def test_a_file_that_the_tool_rewrites_is_no_drift(machine: Machine, file: Path) -> None:
    file.write_bytes(USER)
    sync(machine, mode("a", "Line\nline\n"))
    modes = [json.dumps({**mode.value, "source": "project"}) for mode in layout(file.read_bytes()).modes]
    file.write_text("".join(["customModes:\n", *(f"  - {value}\n" for value in reversed(modes))]))
    before = file.read_bytes()
    assert sync(machine, mode("a", "Line\nline\n")) == []
    assert file.read_bytes() == before
    assert actions(sync(machine, mode("a", "Other"))) == {"a": "update"}
    assert entries(file.read_bytes()) == {**entries(before), **tree(mode("a", "Other"))}


def test_edits_beside_our_entries_are_kept(machine: Machine, file: Path) -> None:
    sync(machine, mode("a"), mode("b"))
    ours = file.read_text()
    first, second = ours.index("  - slug", 0), ours.index("  - slug", 20)
    mine = "# mine\n\n  - slug: mine # yes\n    name: M\n"
    text = f"# top\ncustomModes: # all\n{ours[second:]}{mine}{ours[first:second]}\n# end\nother: {{}}\n"
    file.write_text(text)
    assert sync(machine, mode("a"), mode("b")) == []
    assert all(outcome.ok for outcome in sync(machine, mode("a", "new")))
    changed = mode("a", "new").decode().removeprefix("customModes:\n")
    assert file.read_text() == f"# top\ncustomModes: # all\n{mine}{changed}\n# end\nother: {{}}\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [("Aaa", "Mine"), ("slug:", "# mine\n    slug:"), ('["read"]', '["read", "edit"]'), ('"R"', '"R" # mine')],
)
def test_an_edited_entry_is_kept(machine: Machine, file: Path, old: str, new: str) -> None:
    sync(machine, mode("aaa"), mode("b"))
    text = file.read_text().replace(old, new, 1)
    file.write_text(text)
    outcomes = sync(machine, mode("aaa", "new"))
    assert codes(outcomes) == {"aaa": Code.CONFLICT_EDITED}
    assert file.read_text() == text[: text.index('  - slug: "b"')]


def test_a_mode_of_the_users_own_is_kept(machine: Machine, file: Path) -> None:
    file.write_bytes(USER)
    assert codes(sync(machine, mode("own"), mode("b"))) == {"own": Code.CONFLICT_UNMANAGED}
    assert file.read_bytes() == edited(USER, {"b": mode("b")})
    sync(machine)
    assert file.read_bytes() == USER


def test_the_entry_that_an_overruled_conflict_replaces_is_backed_up(machine: Machine, file: Path) -> None:
    file.write_bytes(USER)
    trees = {NAME: tree(mode("own"))}
    with machine.state() as state:
        plan = machine.plan(state, trees)
        plan = replace(plan, changes=tuple(replace(change, action=Action.REPLACE) for change in plan.changes))
        assert all(outcome.ok for outcome in machine.apply(state, plan, trees))
    kept = entries(USER)["own"]
    assert b"# the best" in kept
    with Backups.open(machine.home / "kept.db") as backups:
        assert backups.content(digest(kept)) == kept
    assert entries(file.read_bytes()) == {**entries(USER), **tree(mode("own"))}


@pytest.mark.parametrize(
    "text",
    [b"", b'{"customModes": []}', b"customModes: [\n", b"a: &b []\n", b"\xff\xfe", b"\xef\xbb\xbfcustomModes: []\n"],
)
def test_a_file_that_cannot_be_edited_is_left_and_reported_once(machine: Machine, file: Path, text: bytes) -> None:
    file.write_bytes(text)
    outcomes = sync(machine, mode("a"), mode("b"))
    assert len({outcome.diagnostic for outcome in outcomes}) == 1
    (diagnostic,) = {outcome.diagnostic for outcome in outcomes}
    assert diagnostic is not None
    assert (diagnostic.code, diagnostic.path) == (Code.WRITE_FAILED, str(file))
    assert "left as it is" in diagnostic.message
    assert diagnostic.hint == "fix the file, or move it away"
    assert file.read_bytes() == text
    assert names(file) == [".roomodes"]


def test_a_directory_in_its_place_is_left(machine: Machine, file: Path) -> None:
    file.mkdir()
    assert codes(sync(machine, mode("a"))) == {"a": Code.WRITE_FAILED}
    assert file.is_dir()


@pytest.mark.skipif(os.name == "nt" or not os.geteuid(), reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_costs_nothing(machine: Machine, file: Path) -> None:
    file.write_bytes(USER)
    file.parent.chmod(0o500)
    assert codes(sync(machine, mode("a"))) == {"a": Code.WRITE_FAILED}
    file.parent.chmod(0o700)
    assert file.read_bytes() == USER


@pytest.mark.skipif(os.name == "nt", reason="there are no such modes")
def test_the_files_mode_stays(machine: Machine, file: Path) -> None:
    file.write_bytes(USER)
    file.chmod(0o440)
    sync(machine, mode("a"))
    assert stat.S_IMODE(file.stat().st_mode) == 0o440


def test_a_file_that_is_too_large_is_not_even_read(machine: Machine, file: Path) -> None:
    file.write_bytes(USER)
    with file.open("r+b") as sparse:
        sparse.truncate(1 << 40)  # to read it would take minutes, and all memory
    assert codes(sync(machine, mode("a"))) == {"a": Code.WRITE_FAILED}
    assert SHARED is not None
    with SharedEntries.open(file, SHARED) as shared, pytest.raises(AgentsyncError, match="it is over 4,194,304 bytes"):
        shared.read("a")
    assert file.stat().st_size == 1 << 40


@needs_symlinks
def test_a_link_is_followed_only_where_that_is_wanted(machine: Machine, file: Path) -> None:
    real = machine.home / "real.yaml"
    real.write_bytes(USER)
    file.symlink_to(real)
    assert codes(sync(machine, mode("a"))) == {"a": Code.TARGET_SYMLINK}
    assert real.read_bytes() == USER
    machine.options[str(file)] = DirectoryOptions(create=True, follow_symlinks=True, shared=SHARED)
    assert codes(sync(machine, mode("a"))) == {}
    assert file.is_symlink()
    assert real.read_bytes() == edited(USER, {"a": mode("a")})


@needs_symlinks
def test_a_link_that_comes_between_plan_and_apply_is_not_followed(machine: Machine, file: Path) -> None:
    real = machine.home / "real.yaml"
    trees = {NAME: tree(mode("a"))}
    with machine.state() as state:
        plan = machine.plan(state, trees)
        real.write_bytes(USER)
        file.symlink_to(real)
        assert codes(machine.apply(state, plan, trees)) == {"a": Code.TARGET_SYMLINK}
    assert real.read_bytes() == USER


def test_an_edit_between_plan_and_apply_is_kept(machine: Machine, file: Path) -> None:
    sync(machine, mode("a"), mode("b"), mode("c"))
    trees = {NAME: tree(mode("a", "new"), mode("c", "new"), mode("d"))}
    with machine.state() as state:
        plan = machine.plan(state, trees)
        mine = {"a": mode("a", "mine"), "b": mode("b", "mine"), "d": mode("d", "mine")}
        file.write_bytes(edited(file.read_bytes(), mine) + b"# mine\n")
        outcomes = machine.apply(state, plan, trees)
    assert [outcome.change.path for outcome in outcomes if outcome.ok] == ["c"]
    assert entries(file.read_bytes()) == {**mine, **tree(mode("c", "new"))}
    assert file.read_bytes().endswith(b"# mine\n")


@pytest.mark.parametrize("there", [True, False])
def test_an_edit_just_before_the_rename_is_kept(
    machine: Machine, file: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    if there:
        file.write_bytes(USER)
    fsync = os.fsync

    def write(descriptor: int) -> None:
        """The new file was staged just now."""
        fsync(descriptor)
        file.write_bytes(USER + b"# mine\n")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", write)
        outcomes = sync(machine, mode("a"), mode("b"))
    assert codes(outcomes) == dict.fromkeys("ab", Code.WRITE_FAILED)
    assert file.read_bytes() == USER + b"# mine\n"
    assert names(file) == [".roomodes"]
    assert codes(sync(machine, mode("a"), mode("b"))) == {}
    assert entries(file.read_bytes()) == {**entries(USER), **tree(mode("a"), mode("b"))}


def test_a_disk_that_fails_costs_nothing(machine: Machine, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    file.write_bytes(USER)
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        assert codes(sync(machine, mode("a"))) == {"a": Code.WRITE_FAILED}
    assert file.read_bytes() == USER
    assert names(file) == [".roomodes"]


def test_a_file_is_parsed_once_and_then_known_by_its_stat(
    machine: Machine, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_bytes(USER)
    sync(machine, mode("a"))
    later = time.time_ns() + 10_000_000_000
    monkeypatch.setattr(time, "time_ns", lambda: later)
    sync(machine, mode("a"))
    key = (str(file), "a")
    with machine.state() as state:
        assert state.cached_stats([key[0]])[key].digest == digest(mode("a"))
        state._connection.execute("UPDATE inventory SET digest = 'as cached'")
        assert observe(machine.options, [key], state.inventory([key[0]]), state) == {key: Actual("as cached")}
        file.write_bytes(mode("a", "other"))
        assert observe(machine.options, [key], state.inventory([key[0]]), state) == {
            key: Actual(digest(mode("a", "other")))
        }


def test_its_entries_can_be_read(file: Path) -> None:
    assert SHARED is not None
    file.write_bytes(USER)
    with SharedEntries.open(file, SHARED) as opened:
        assert opened.read("other") == entries(USER)["other"]
        with pytest.raises(ChangedError, match="has gone"):
            opened.read("none")


def test_an_entry_that_is_another_than_expected_is_not_changed(file: Path) -> None:
    assert SHARED is not None
    file.write_bytes(USER)
    with SharedEntries.open(file, SHARED) as opened:
        temp = opened.temporary("own")
        opened.stage(temp, mode("own"))
        for slug, expected in (("own", ""), ("own", digest(b"")), ("none", digest(mode("none")))):
            with pytest.raises(ChangedError):
                opened.publish_over(temp, slug, expected)
            with pytest.raises(ChangedError):
                opened.remove(slug, expected)
        with pytest.raises(ChangedError):
            opened.publish_new(temp, "own")
        opened.sync()
    assert file.read_bytes() == USER


@needs_fork
def test_a_kill_before_any_step_is_recovered_from(machine: Machine, file: Path, tmp_path: Path) -> None:
    old = tree(mode("update"), mode("delete"), mode("keep"))
    new = tree(mode("update", "new"), mode("create"), mode("keep"))
    file.write_bytes(USER)
    sync(machine, *old.values())
    snapshot = tmp_path / "snapshot"
    shutil.copytree(machine.home, snapshot)
    before = file.read_bytes()
    sync(machine, *new.values())
    after, inventory = file.read_bytes(), machine.inventory()
    assert edited(after, dict.fromkeys(new)) == USER
    steps = Counter[str]()
    for number in count(1):
        shutil.rmtree(machine.home)
        shutil.copytree(snapshot, machine.home)
        step = run_and_kill(machine, new, at=nth(number), name=NAME)
        if not step:
            break
        steps[step] += 1
        assert file.read_bytes() in (before, after)
        run_and_kill(machine, new, at=nth(number), name=NAME)  # now and then it dies while it recovers
        assert file.read_bytes() in (before, after)
        sync(machine, *new.values())
        assert file.read_bytes() == after, f"killed before {step}, step {number}"
        assert names(file) == [".roomodes"]
        assert machine.inventory() == inventory
        assert sync(machine, *new.values()) == []
    assert steps["replace"]


@needs_fork
def test_a_deletion_that_was_killed_leaves_nothing_beside_the_file(machine: Machine, file: Path) -> None:
    file.write_bytes(USER)
    sync(machine, mode("a"))
    assert run_and_kill(machine, {}, at=lambda step: step == "replace", name=NAME)
    assert len(names(file)) == 2
    with machine.state() as state:
        recover(state, machine.options)
    assert names(file) == [".roomodes"]
    sync(machine)
    assert file.read_bytes() == USER
