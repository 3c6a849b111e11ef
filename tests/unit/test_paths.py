"""Where things are kept."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsync.paths import Places, config_candidates, places, shorten

VARIABLES = ("STATE_DIRECTORY", "CACHE_DIRECTORY", "CONFIGURATION_DIRECTORY")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in (*VARIABLES, "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_places_are_in_the_home_directory(home: Path) -> None:
    found = places()
    assert found.state.is_relative_to(home)
    assert found.cache.is_relative_to(home)
    assert found.database.parent == found.lock.parent == found.git_home.parent == found.state
    assert found.mirror("abc").is_relative_to(found.cache)


def test_the_directories_of_a_service_win(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, f"{home / variable.lower()}{':' + str(home / 'second')}")
    assert places() == Places(home / "state_directory", home / "cache_directory")
    assert config_candidates()[0] == home / "configuration_directory" / "config.toml"


def test_a_configuration_of_the_user_comes_before_that_of_the_machine(home: Path) -> None:
    first, last = config_candidates()
    assert first.is_relative_to(home)
    assert last == Path("/etc/agentsync/config.toml")


def test_the_home_directory_is_shortened_and_nothing_that_only_begins_like_it(home: Path) -> None:
    assert shorten(str(home)) == "~"
    assert shorten(str(home / "a")) == f"~{os.sep}a"
    assert shorten(f"{home}er{os.sep}a") == f"{home}er{os.sep}a"
    assert shorten(f"{os.sep}other{os.sep}a", f"{os.sep}other") == f"~{os.sep}a"
