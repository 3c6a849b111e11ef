"""A machine and a team's repository for each test."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.machine import Machine, agent
from support.repository import Repository
from support.service import Service


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


# So long that nothing happens by the schedule while a test lasts.
RARELY = "[daemon]\ninterval = 86400\n"


@pytest.fixture
def follows(machine: Machine, repository: Repository) -> Machine:
    """A machine with a service that pulls once a day by itself, and otherwise only on request."""
    machine.follow(repository, settings="")
    machine.config.write_text(machine.config.read_text() + RARELY)
    return machine


@pytest.fixture
def start(machine: Machine) -> Iterator[Callable[..., Service]]:
    """Start services that are ended with the test."""
    started: list[Service] = []

    def start(*, environment: dict[str, str] | None = None, clock: Path | None = None) -> Service:
        started.append(Service(machine, environment=environment, clock=clock))
        return started[-1]

    yield start
    for service in started:
        service.kill()
