"""What other users of the machine can change in the state and the cache, and what they cannot."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentsync.config import Config, load_config, policy_of
from agentsync.config.editor import create
from agentsync.core.errors import ConfigError
from support.machine import agent
from support.repository import Repository
from support.trial import Trial

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has access lists instead of modes")

NOBODY = 65534


def mirror_of(trial: Trial) -> Path:
    [directory] = trial.machine.cache.glob("mirrors/*.git")
    return directory


def name_a_command(mirror: Path, other: Repository, mark: Path) -> None:
    """The attack that was demonstrated: git runs this command when a fetch negotiates."""
    (mirror / "objects/info").mkdir(exist_ok=True)
    (mirror / "objects/info/alternates").write_text(f"{other.path}/objects\n")
    with (mirror / "config").open("a") as config:
        config.write(f'[core]\n\talternateRefsCommand = "touch {mark}; true"\n')


def lend_objects(mirror: Path, other: Repository, mark: Path) -> None:
    (mirror / "objects/info").mkdir(exist_ok=True)
    (mirror / "objects/info/alternates").write_text(f"{other.path}/objects\n")
    mark.with_name("unused").touch()


def rewrite_urls(mirror: Path, other: Repository, mark: Path) -> None:
    with (mirror / "config").open("a") as config:
        config.write(f'[url "{other.url}"]\n\tinsteadOf = http://\n')
    mark.with_name("unused").touch()


def include_settings(mirror: Path, other: Repository, mark: Path) -> None:
    included = other.path.with_name("included")
    included.write_text(f'[url "{other.url}"]\n\tinsteadOf = http://\n[core]\n\tgitProxy = "touch {mark}"\n')
    with (mirror / "config").open("a") as config:
        config.write(f"[include]\n\tpath = {included}\n")


def lead_elsewhere(mirror: Path, other: Repository, mark: Path) -> None:
    shutil.copytree(mirror, mark.with_name("elsewhere"))
    name_a_command(mark.with_name("elsewhere"), other, mark)
    shutil.rmtree(mirror)
    mirror.symlink_to(mark.with_name("elsewhere"), target_is_directory=True)


def give_away(mirror: Path, other: Repository, mark: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a directory to another user")
    name_a_command(mirror, other, mark)
    os.chown(mirror, NOBODY, NOBODY)


def open_up(mirror: Path, other: Repository, mark: Path) -> None:
    assert other.path.is_dir()
    mirror.chmod(0o777)
    mark.with_name("unused").touch()


@pytest.mark.parametrize(
    "tamper",
    [name_a_command, lend_objects, rewrite_urls, include_settings, lead_elsewhere, give_away, open_up],
    ids=lambda tamper: tamper.__name__,
)
def test_nothing_that_others_put_into_a_mirror_is_honoured(
    pulled: Trial, tmp_path: Path, tamper: Callable[[Path, Repository, Path], None]
) -> None:
    other = Repository(tmp_path / "served/other.git")
    other.write({"agents/evil.md": agent("evil")})
    other.commit()
    mark = tmp_path / "ran"
    tamper(mirror_of(pulled), other, mark)
    read = pulled.machine.run("list", "agents")
    assert not mark.exists()
    assert read.code, "who only reads refuses it"
    pulled.repository.write({"agents/new.md": agent("new")})
    pulled.repository.commit()
    pulled.converges()
    assert not mark.exists()
    assert pulled.machine.names() == ["mine.md", "new.md", "reviewer.md", "tester.md", "writer.md"]
    mirror = mirror_of(pulled)
    assert (mirror.stat().st_uid, mirror.stat().st_mode & 0o777, mirror.is_symlink()) == (os.geteuid(), 0o700, False)
    assert mirror.with_name(f"{mirror.name}.corrupt-1").exists()


def test_modes_that_let_others_in_are_taken_back(pulled: Trial) -> None:
    machine = pulled.machine
    own = [machine.state, machine.cache, machine.cache / "mirrors", *machine.state.glob("*.sqlite3")]
    own += machine.cache.glob("*.sqlite3")
    for path in own:
        path.chmod(0o777)
    pulled.repository.write({"agents/new.md": agent("new")})
    pulled.repository.commit()
    pulled.converges()
    assert {path.name: oct(path.stat().st_mode & 0o077) for path in own} == {path.name: "0o0" for path in own}


@pytest.mark.parametrize("which", [".cache", ".local/state"])
def test_a_directory_above_that_others_can_change_is_refused(pulled: Trial, which: str) -> None:
    above = pulled.machine.home / which
    before = pulled.machine.files()
    pulled.repository.write({"agents/new.md": agent("new")})
    pulled.repository.commit()
    above.chmod(0o777)
    result = pulled.machine.run("pull")
    assert result.code not in (0, 70)
    assert f"{above} can be changed by every user (chmod o-w)" in result.stderr
    assert "correct that, or set XDG_STATE_HOME" in result.stderr
    assert pulled.machine.files() == before
    if not os.geteuid():
        above.chmod(0o700)
        os.chown(above, NOBODY, -1)
        assert f"{above} belongs to user nobody" in pulled.machine.run("pull").stderr
        os.chown(above, 0, NOBODY)
        above.chmod(0o770)
        assert f"{above} can be changed by group " in pulled.machine.run("pull").stderr
    above.chmod(0o755)
    pulled.converges()


@pytest.mark.parametrize("which", ["config.toml", "overlays", ""])
def test_a_configuration_that_others_can_change_is_refused(pulled: Trial, which: str) -> None:
    path = pulled.machine.config.parent / which
    if which == "overlays":
        path.mkdir()
    mode = path.stat().st_mode & 0o777
    before = pulled.machine.files()
    pulled.repository.write({"agents/new.md": agent("new")})
    pulled.repository.commit()
    path.chmod(mode | 0o002)
    result = pulled.machine.run("pull")
    assert result.code == 2
    assert f"{path} can be changed by every user (chmod o-w)" in result.stderr
    path.chmod(mode)
    if not os.geteuid():
        os.chown(path, NOBODY, -1)
        assert f"{path} belongs to user nobody" in pulled.machine.run("pull").stderr
        os.chown(path, 0, -1)
    assert pulled.machine.files() == before
    pulled.converges()


def test_a_machines_policy_that_others_can_change_is_refused(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text('hooks = "refuse"')
    assert len(policy_of(Config(version=1), policy).tables) == 2
    policy.chmod(0o666)
    with pytest.raises(ConfigError, match="can be changed by every user"):
        policy_of(Config(version=1), policy)


def test_a_new_configuration_can_be_used_whatever_the_umask_is(tmp_path: Path) -> None:
    path = tmp_path / "home/.config/agentsync/config.toml"
    before = os.umask(0)
    try:
        create(path, "version = 1\n")
    finally:
        os.umask(before)
    assert load_config(path).version == 1
