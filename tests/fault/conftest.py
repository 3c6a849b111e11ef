"""A machine, a team's repository and a server for it; the number in a test's name is its row of docs/reliability.md."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.gitserver import GitServer, NotStartedError, SshServer, find_sshd
from support.machine import Machine, agent
from support.repository import Repository
from support.trial import Trial


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path, measured=False)  # the other tests see to that


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A source with three agents on `main`."""
    team = Repository(tmp_path / "served" / "team.git")
    team.write({f"agents/{name}.md": agent(name, tools="Read") for name in ("reviewer", "tester", "writer")})
    team.commit("Three agents")
    return team


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    with GitServer(repository.path.parent) as running:
        yield running


@pytest.fixture
def trial(machine: Machine, repository: Repository, server: GitServer) -> Trial:
    """A machine that follows the repository over HTTP and has not pulled yet."""
    return Trial(machine, repository, server.url("team.git"))


@pytest.fixture
def pulled(trial: Trial) -> Trial:
    """The same once it has pulled."""
    trial.converges()
    return trial


@pytest.fixture
def ssh_server(tmp_path: Path) -> Iterator[SshServer]:
    sshd = find_sshd()
    if sshd is None:
        pytest.skip("OpenSSH's server is not installed")
    with ExitStack() as stack:
        try:
            running = stack.enter_context(SshServer(tmp_path / "ssh", sshd))
        except NotStartedError as error:
            pytest.skip(f"OpenSSH's server does not start: {error}")
        yield running
