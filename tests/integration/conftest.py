"""Fixtures for tests against real git."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from agentsync.git.mirror import Mirror
from agentsync.state.records import RACY_NS
from support.endpoint import Watched
from support.gitserver import GitServer
from support.installation import MOVING, Installation
from support.repository import Repository
from support.watching import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory for the test alone, so that nothing outside of tmp_path is read or written."""
    directory = tmp_path / "home"
    directory.mkdir()
    monkeypatch.setenv("HOME", str(directory))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return directory


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A source with one commit on `main`."""
    source = Repository(tmp_path / "served" / "source.git")
    source.write({"agents/reviewer.md": "one\n"})
    source.commit("first")
    return source


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "cache" / "mirror", tmp_path / "cache" / "home")


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    """An HTTP server for `repository`, as `source.git`."""
    with GitServer(repository.path.parent) as running:
        yield running


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path / "bell")
    with listener.watch:
        yield listener


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    """A directory with a file, and one below it with another."""
    agents = tmp_path / "tool" / "agents"
    (agents / "team").mkdir(parents=True)
    (agents / "one.md").write_text("one")
    (agents / "team" / "two.md").write_text("two")
    return agents


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """A service after its first cycle."""
    with Watched(tmp_path) as service:
        service.cycle()
        yield service


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """An installation with files that are old enough to be known by their stat."""
    monkeypatch.setenv("ELSEWHERE", str(tmp_path / "elsewhere"))
    for variable in MOVING:
        monkeypatch.delenv(variable, raising=False)
    real = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: real() + 10 * RACY_NS)
    return Installation(tmp_path)


@pytest.fixture
def resting(installation: Installation) -> Installation:
    """An installation that was pulled, and pulled again with nothing to do."""
    installation.pull()
    installation.pull()
    return installation
