"""git processes: the right git, with nothing inherited, and never left behind."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from agentsync.git.mirror import Mirror, Remote, TransientError
from agentsync.git.process import run
from support.mirror import committed, failure, local, over_http
from support.otheruser import give_away
from support.processes import children, commands_naming
from support.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.gitserver import GitServer, Mode

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


# Leftovers


@linux
def test_leaving_a_stream_of_blobs_early_leaves_no_process(repository: Repository, mirror: Mirror) -> None:
    before = children()
    repository.write({f"{number}.md": "x" * 10_000 + str(number) for number in range(100)})
    stream = mirror.blobs([entry.blob for entry in mirror.tree(committed(repository, mirror))])
    next(stream)
    _closed(stream)
    assert children() == before


@linux
def test_an_environment_that_the_system_does_not_pass_on_is_reported(
    repository: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.fetch(local(repository))
    for number in range(100):
        monkeypatch.setenv(f"LARGE_{number}", "x" * 100_000)
    error = failure(mirror, local(repository))
    assert error.message == "git cannot be started: Argument list too long"
    assert "unset the largest variables" in error.hint


@linux
def test_21_the_first_process_of_a_container_keeps_no_zombies(tmp_path: Path) -> None:
    """A process that adopts orphans, as that one does, runs a command whose child outlives it."""
    command = ["/bin/sh", "-c", "sh -c 'sleep 600; true' & sleep 600"]
    code = f"""
import ctypes, os, sys, time
from pathlib import Path
from tempfile import TemporaryDirectory
from agentsync.git.process import run
assert ctypes.CDLL(None).prctl(36, 1) == 0
done = run({command!r}, Path({str(tmp_path)!r}), {{}}, time.monotonic() + 0.2)
assert done.timed_out
sys.exit(len(Path(f"/proc/self/task/{{os.getpid()}}/children").read_text().split()))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@linux
@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="the limit counts whatever else this user runs")
def test_no_git_is_left_where_no_thread_can_be_started(repository: Repository) -> None:
    code = """
import os, resource, sys, time
from pathlib import Path
from agentsync.core.errors import SourceUnavailableError
from agentsync.git.mirror import Mirror, Remote
root = Path(sys.argv[1])
mirror, remote = Mirror(root / "mirror", root / "home"), Remote(str(root / "source.git"), allow_local=True)
mirror.fetch(remote)
_, hard = resource.getrlimit(resource.RLIMIT_NPROC)


def message(most):
    resource.setrlimit(resource.RLIMIT_NPROC, (most, hard))
    try:
        mirror.fetch(remote)
    except SourceUnavailableError as error:
        return error.message
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, (hard, hard))


no_process, no_thread = "git cannot be started: Resource temporarily unavailable", "no thread can be started"
assert message(1) == no_process
for most in (2, 3):  # this process and git, then a thread too
    end = time.monotonic() + 20
    while (shown := message(most)) == no_process:  # a process of the fetch before has not quite ended
        assert time.monotonic() < end
    assert shown == f"git cannot be run: {no_thread}", shown
    assert not Path(f"/proc/self/task/{os.getpid()}/children").read_text()
mirror.fetch(remote)
"""
    with TemporaryDirectory() as directory:  # which another user can reach, other than tmp_path
        root = Path(directory)
        shutil.move(repository.path, root / "source.git")
        command = [*give_away(root), sys.executable, "-c", code, directory]
        subprocess.run(command, check=True, cwd=directory)


@linux
@pytest.mark.parametrize("mode", ["silent", "trickle"])
def test_a_server_that_never_ends_its_answer_is_left_at_the_deadline_with_no_process_behind(
    mirror: Mirror, server: GitServer, mode: Mode
) -> None:
    server.mode = mode
    before, start = children(), time.monotonic()
    error = failure(mirror, Remote(server.url("source.git"), allow_http=True, deadline=1))
    assert 0.9 < time.monotonic() - start < 4
    assert isinstance(error, TransientError)
    assert error.message == "there was no answer within 1 seconds"
    assert children() == before
    while commands_naming(server.url("")):  # killed, and gone as soon as the kernel gets to it
        assert time.monotonic() - start < 4


@linux
def test_thirty_fetches_leave_no_descriptor_and_no_process(repository: Repository, mirror: Mirror) -> None:
    def use() -> None:
        commit = mirror.fetch(local(repository)).id
        assert len(list(mirror.blobs(entry.blob for entry in mirror.tree(commit)))) == 1

    def descriptors() -> int:
        gc.collect()  # leftovers of other tests in this process would be collected in between
        return len(list(Path("/proc/self/fd").iterdir()))

    use()
    before, processes = descriptors(), children()
    for _ in range(30):
        use()
    assert descriptors() <= before
    assert children() == processes


def test_an_endless_answer_of_a_server_does_not_fill_the_memory(tmp_path: Path) -> None:
    chatter = "import sys; sys.stderr.write('x' * 1_000_000 + 'fatal: the end')"
    done = run([sys.executable, "-c", chatter], tmp_path, {"PATH": os.environ["PATH"]}, time.monotonic() + 10)
    assert done.stderr.endswith("fatal: the end")
    assert len(done.stderr) == 64 * 1024


# Inherited settings, and the right git


@pytest.fixture
def led_astray(
    tmp_path: Path, home: Path, repository: Repository, server: GitServer, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """An environment and a user's configuration full of traps; those that snap leave a file in the directory."""
    other = Repository(tmp_path / "other.git")
    traps = tmp_path / "traps"
    traps.mkdir()
    askpass = tmp_path / "askpass"
    askpass.write_text(f"#!/bin/sh\ntouch '{traps}/asked'\necho x\n")
    askpass.chmod(0o700)
    (home / ".gitconfig").write_text(f'[url "{other.url}"]\n\tinsteadOf = {server.url("source.git")}\n')
    inherited = {
        "GIT_DIR": str(other.path),
        "GIT_OBJECT_DIRECTORY": str(traps / "objects"),
        "GIT_ASKPASS": str(askpass),
        "SSH_ASKPASS": str(askpass),
        "GIT_TRACE": str(traps / "traced"),
        "GIT_CONFIG_PARAMETERS": f"'url.{other.url}.insteadof'='{server.url(repository.path.name)}'",
        "GIT_NAMESPACE": "elsewhere",
        "http_proxy": "http://127.0.0.1:1",
    }
    for name, value in inherited.items():
        monkeypatch.setenv(name, value)
    return traps


@pytest.mark.usefixtures("led_astray")
def test_inherited_and_user_settings_lead_nowhere_else(
    repository: Repository, mirror: Mirror, server: GitServer
) -> None:
    assert mirror.fetch(over_http(server)).id == repository.head


def test_no_inherited_helper_or_trace_is_used(led_astray: Path, mirror: Mirror, server: GitServer) -> None:
    server.authorization = "Bearer x"
    assert "credentials" in failure(mirror, over_http(server)).message
    assert not list(led_astray.iterdir())


def test_a_missing_git_is_an_error_that_names_what_to_install(
    tmp_path: Path, repository: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = failure(mirror, local(repository))
    assert error.message == "git was not found"
    assert "install git 2.31" in error.hint


def test_a_git_that_would_ignore_the_settings_is_refused(
    tmp_path: Path, repository: Repository, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho git version 2.17.1\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", f"{old.parent}{os.pathsep}{os.environ['PATH']}")
    assert failure(mirror, local(repository)).message == "git 2.17 is too old"


def _closed(stream: Iterator[tuple[str, bytes]]) -> None:
    close = getattr(stream, "close", None)
    assert callable(close)
    close()
