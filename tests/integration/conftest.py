"""What the tests against real git have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentsync.git.mirror import Mirror
from support.gitserver import GitServer
from support.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory of the test's own, so that nothing outside of tmp_path is read or written."""
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
