"""A machine and a team's repository for each test."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.machine import Machine, agent
from support.repository import Repository


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A source with five agents on `main`."""
    team = Repository(tmp_path / "served" / "team.git")
    names = ("reviewer", "tester", "writer", "planner", "explainer")
    team.write({f"agents/{name}.md": agent(name, tools="Read, Grep") for name in names})
    team.commit("Five agents")
    return team


@pytest.fixture
def pulled(machine: Machine, repository: Repository) -> Machine:
    """A machine that has pulled the repository once."""
    machine.follow(repository)
    result = machine.run("pull")
    assert result.code == 0, result.stderr
    return machine


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        yield server
