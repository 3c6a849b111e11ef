"""The directory of each tool's agents, and variables that move it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsync.dialects import dialects
from agentsync.targets.installed_tools import directory_of, has_home
from support.tool_facts import facts_by_tool

EXTENSION = "User/globalStorage/zoocodeorganization.zoo-code/settings/custom_modes.yaml"


MOVES = [
    (tool, variable, place)
    for tool, variables in facts_by_tool("variables").items()
    for variable, place in variables.items()
]
"""As each tool was observed to behave: a dialect, a variable, and the path behind the variable's value."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, and no variable that moves a tool's directory."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for dialect in dialects().values():
        for moved in dialect.environment:
            monkeypatch.delenv(moved.variable, raising=False)
    return tmp_path / "home"


@pytest.mark.parametrize(("dialect", "variable", "place"), MOVES)
def test_a_variable_of_the_tool_moves_its_directory(
    *, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str, variable: str, place: str
) -> None:
    tool = dialects()[dialect]
    assert directory_of(tool) == home / tool.user_directory
    monkeypatch.setenv(variable, "")  # which is how a variable is often taken back
    assert directory_of(tool) == home / tool.user_directory
    monkeypatch.setenv(variable, str(tmp_path / "there"))
    assert directory_of(tool) == tmp_path / "there" / place
    assert directory_of(tool, tmp_path) == tmp_path / tool.project_directories[0]


def test_every_variable_is_tried_here() -> None:
    there = {(dialect.name, moved.variable) for dialect in dialects().values() for moved in dialect.environment}
    assert {(dialect, variable) for dialect, variable, _ in MOVES} == there


def test_of_two_variables_the_tools_own_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("GOOSE_PATH_ROOT", str(tmp_path / "root"))
    assert directory_of(dialects()["goose"]) == tmp_path / "root/config/agents"


@pytest.mark.parametrize(("dialect", "variable"), [("opencode", "OPENCODE_CONFIG_DIR"), ("kilo", "KILO_CONFIG_DIR")])
def test_a_variable_that_adds_a_directory_moves_none(
    home: Path, monkeypatch: pytest.MonkeyPatch, dialect: str, variable: str
) -> None:
    monkeypatch.setenv(variable, "/elsewhere")
    assert directory_of(dialects()[dialect]) == home / dialects()[dialect].user_directory


def test_an_editors_directory_is_moved_where_it_is_the_one_that_is_there(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config/VSCodium" / EXTENSION
    file.parent.mkdir(parents=True)
    assert not has_home(dialects()["roo"])
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert directory_of(dialects()["roo"]) == file
    # A path outside the moved directory stays where it is.
    file.parent.rmdir()
    remote = home / ".vscode-server/data" / EXTENSION
    remote.parent.mkdir(parents=True)
    assert directory_of(dialects()["roo"]) == remote
