"""The up-to-date check leaves the decision to a whole run where anything differs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace

import pytest

from agentsync.core.errors import ExitCode
from agentsync.state.store import State
from support.installation import MOVING, Installation, damage, known, lose_remote
from support.signing import allowed, ssh_key


def edit(installation: Installation) -> None:
    """Keep size and modification time, so that only the change time shows it."""
    path = installation.first / "tester.md"
    stat = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def delete(installation: Installation) -> None:
    (installation.second / "writer.md").unlink()


def link(installation: Installation) -> None:
    path = installation.first / "tester.md"
    path.rename(installation.root / "moved.md")
    path.symlink_to(installation.root / "moved.md")


def swap_directory(installation: Installation) -> None:
    installation.first.rename(installation.root / "moved")
    installation.first.symlink_to(installation.root / "moved")


def remove_directory(installation: Installation) -> None:
    shutil.rmtree(installation.second)


def publish(installation: Installation) -> None:
    installation.publish()


def rewrite(installation: Installation) -> None:
    installation.source.rewrite()


def configure(installation: Installation) -> None:
    installation.text += 'approval = "allow"\n'


def write_overlay(installation: Installation) -> None:
    installation.overlays.mkdir()
    (installation.overlays / "tester.md").write_text("Be brief.\n")


def apply_another(installation: Installation) -> None:
    """Let another configuration of the same installation take the files over."""
    text = installation.text
    installation.publish()
    installation.text = text.replace("[targets.opencode]", '[targets.other]\ndialect = "claude"')
    installation.pull()
    installation.text = text


def change_mirror(installation: Installation) -> None:
    [packs] = installation.app_paths.cache.glob("mirrors/*.git/objects/pack")
    (packs / "pack-1.idx").touch()


def record_another_commit(installation: Installation) -> None:
    recorded = known(installation)
    with State.open(installation.app_paths.database) as state:
        state.set_source(replace(recorded, commit="1" * 40))


@pytest.mark.parametrize(
    "differ",
    [
        edit,
        delete,
        link,
        swap_directory,
        remove_directory,
        publish,
        rewrite,
        lose_remote,
        configure,
        write_overlay,
        damage,
        apply_another,
        change_mirror,
        record_another_commit,
    ],
)
def test_any_difference_is_left_to_a_whole_run(resting: Installation, differ: Callable[[Installation], None]) -> None:
    assert resting.find()
    differ(resting)
    assert resting.find() is None


def test_a_trial_looks_again_once_the_machines_own_records_are_others(installation: Installation) -> None:
    own = installation.request
    trial = installation.request = replace(own, ad_hoc=True)
    installation.pull()
    assert installation.find()
    installation.request = own
    installation.pull()
    installation.request = trial
    assert installation.find() is None


@pytest.mark.parametrize("variable", ["HOME", "ELSEWHERE", *MOVING])
def test_a_variable_with_another_value_counts(
    resting: Installation, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(resting.root / "other"))
    assert resting.find() is None


def test_another_version_of_the_code_decides_again(resting: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsync.sync.up_to_date.engine", lambda: "another")
    assert resting.find() is None


@pytest.mark.parametrize("file", ["allowed_signers", "revoked"])
def test_the_content_of_key_files_counts(installation: Installation, file: str) -> None:
    keys = installation.root / "keys"
    key = ssh_key(keys)
    key.commit(installation.source)
    (keys / "allowed_signers").write_text(allowed(key))
    (keys / "revoked").write_text("")
    paths = ", ".join(f'{name} = "{keys / name}"' for name in ("allowed_signers", "revoked"))
    installation.text = installation.text.replace("allow_local", f"signed = {{ {paths} }}\nallow_local", 1)
    for _ in range(2):
        assert installation.pull().exit_code is ExitCode.OK
    assert installation.find()
    (keys / file).write_text(allowed(ssh_key(keys, "bob")) if file == "allowed_signers" else f"{key.public}\n")
    assert installation.find() is None
    assert installation.pull().exit_code is ExitCode.OK
    assert installation.find()
    (keys / file).unlink()
    assert installation.find() is None
    assert installation.pull().exit_code is ExitCode.INCOMPLETE
    assert installation.find() is None
