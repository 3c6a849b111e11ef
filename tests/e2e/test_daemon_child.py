"""The processes in which the service runs its syncs: killed, left alone, or of another version."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agentsync.core.errors import AgentsyncError
from agentsync.service.child_process import ChildProcesses, LogSettings
from support.gitserver import GitServer
from support.machine import Machine, source
from support.repository import Repository
from support.service import Service, change

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it finds processes in /proc")

_BUILD = """
from pathlib import Path

import agentsync.core.build_id

agentsync.core.build_id.engine = lambda: Path({path!r}).read_text(encoding="ascii")
"""


def _own_children(process: int) -> set[int]:
    lists = (path.read_text() for path in Path(f"/proc/{process}/task").glob("*/children"))
    return {int(child) for children in lists for child in children.split()}


def _children(process: int) -> set[int]:
    """The processes that a process has started, and those that they have."""
    found = _own_children(process)
    return found.union(*map(_children, found))


def _is_gone(process: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{process}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    with GitServer(repository.path.parent) as running:
        yield running


@pytest.fixture
def waiting(machine: Machine, server: GitServer, start: Callable[..., Service]) -> Service:
    """A service whose first sync waits for a server that is silent."""
    server.mode = "silent"
    machine.configure(source("team", server.url("team.git"), "allow_http = true\n") + "[targets.claude]\n")
    machine.claude.mkdir(parents=True)
    service = start()
    Service.until(lambda: bool(server.seen))
    return service


def test_a_sync_that_is_killed_is_reported_and_the_next_run_converges(
    machine: Machine, server: GitServer, waiting: Service
) -> None:
    [child] = _own_children(waiting.process.pid)
    os.kill(child, signal.SIGKILL)
    event = waiting.wait_for("sync.failed")
    assert event["error"] == "the process of a sync was killed (SIGKILL)"
    server.mode = "serve"
    assert waiting.wait_for("sync.finished")["exit_code"] == 0
    assert len(machine.names()) == 5
    assert waiting.end() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_sync_ends_with_its_service(waiting: Service, number: signal.Signals) -> None:
    children = _children(waiting.process.pid)
    waiting.process.send_signal(number)
    waiting.process.wait(20)
    Service.until(lambda: all(_is_gone(child) for child in children))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import sys; sys.stdin.read()", "a sync showed no sign of progress for 0 s"),
        ("raise SystemExit(3)", "the process of a sync ended with status 3"),
    ],
)
def test_a_process_that_hangs_or_fails_is_ended_and_reported(code: str, message: str) -> None:
    work = ChildProcesses([sys.executable, "-c", code], LogSettings(0, readable=False, colors=None))
    with pytest.raises(AgentsyncError, match=message):
        work._call("load", Path(), patience=0)


def test_another_version_that_was_installed_takes_over_in_the_same_process(
    follows: Machine, repository: Repository, start: Callable[..., Service], tmp_path: Path
) -> None:
    build = tmp_path / "build"
    build.write_text("1")
    (tmp_path / "sitecustomize.py").write_text(_BUILD.format(path=str(build)))
    service = start(environment={"PYTHONPATH": str(tmp_path)})
    service.wait_for("sync.finished")
    build.write_text("2")
    change(repository)
    assert follows.run("pull").code == 0  # by itself, since the service answers nobody while it begins again
    service.wait_for("daemon.outdated")
    service.wait_for("daemon.started")
    service.wait_for("sync.finished")
    commit = change(repository, "tester")
    assert follows.run("pull").code == 0
    service.wait_for("source.moved", commit=commit)
    assert service.end() == 0


def test_the_service_imports_nothing_that_only_a_sync_needs() -> None:
    heavy = ("pydantic", "tomlkit", "frontmatter", "agentsync.config", "agentsync.dialects", "agentsync.sync.cycle")
    code = f"import sys; import agentsync.cli.daemon; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
