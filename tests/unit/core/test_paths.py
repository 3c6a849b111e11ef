"""The application's paths."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agentsync.core import paths
from agentsync.core.errors import ConfigError
from agentsync.core.paths import AppPaths, app_paths, config_candidates, shorten, user_config

VARIABLES = ("STATE_DIRECTORY", "CACHE_DIRECTORY", "CONFIGURATION_DIRECTORY")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in (*VARIABLES, "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_places_are_in_the_home_directory(home: Path) -> None:
    paths = app_paths()
    assert paths.state.is_relative_to(home)
    assert paths.cache.is_relative_to(home)
    assert paths.database.parent == paths.lock.parent == paths.git_home.parent == paths.state
    assert paths.mirror("abc").is_relative_to(paths.cache)


def test_the_directories_of_a_service_win(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, f"{home / variable.lower()}{':' + str(home / 'second')}")
    assert app_paths() == AppPaths(home / "state_directory", home / "cache_directory")
    assert config_candidates()[0] == home / "configuration_directory" / "config.toml"


def test_a_configuration_of_the_user_comes_before_that_of_the_machine(home: Path) -> None:
    first, last = config_candidates()
    assert first.is_relative_to(home)
    assert last == Path("/etc/agentsync/config.toml")


@pytest.mark.skipif(sys.platform == "win32", reason="systemd is Linux's, and so are these users")
class TestWhereTheMachinesServiceServesAUser:
    @pytest.fixture(autouse=True)
    def served(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The directories that systemd makes for this user."""
        import pwd  # noqa: PLC0415 - Windows has none

        user = pwd.getpwuid(os.getuid())
        monkeypatch.setenv("HOME", user.pw_dir)
        for name in ("STATE", "CACHE", "CONFIGURATION"):
            monkeypatch.setattr(paths, f"_MACHINE_{name}", tmp_path / name)
        served = tmp_path / "STATE" / user.pw_name
        served.mkdir(parents=True)
        return served

    def test_the_users_commands_look_where_it_does(self, served: Path, tmp_path: Path) -> None:
        assert app_paths() == AppPaths(served, tmp_path / "CACHE" / served.name)
        first, own, last = config_candidates()
        assert first == tmp_path / "CONFIGURATION" / served.name / "config.toml"
        assert own.is_relative_to(Path.home())
        assert last == tmp_path / "CONFIGURATION" / "config.toml"

    def test_another_home_is_another_installation(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", str(tmp_path / "other"))
        assert app_paths().state.is_relative_to(tmp_path / "other")

    def test_another_users_directories_are_not_looked_at(self, served: Path) -> None:
        if os.getuid():
            served.rmdir()
            served.symlink_to("/")
        else:
            os.chown(served, 12345, -1)
        assert app_paths().state.is_relative_to(Path.home())


def test_the_home_directory_is_shortened_and_nothing_that_only_begins_like_it(home: Path) -> None:
    assert shorten(str(home)) == "~"
    assert shorten(str(home / "a")) == f"~{os.sep}a"
    assert shorten(f"{home}er{os.sep}a") == f"{home}er{os.sep}a"
    assert shorten(f"{os.sep}other{os.sep}a", f"{os.sep}other") == f"~{os.sep}a"


@pytest.mark.skipif(sys.platform == "win32", reason="there is no password database")
@pytest.mark.parametrize("home", [None, ""])
def test_a_user_without_a_home_is_reported(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    import pwd  # noqa: PLC0415 - Windows does not have it

    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    if home is not None:
        monkeypatch.setenv("HOME", home)

    def unknown(_user: int) -> None:
        raise KeyError("no entry")

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for find in (app_paths, config_candidates, user_config):
        with pytest.raises(ConfigError, match="the home directory of this user is not known"):
            find()
