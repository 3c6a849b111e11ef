"""Rows 1 to 3: a remote that is down, silent, slow, broken, elsewhere or too large."""

from __future__ import annotations

import random
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Thread

import pytest

from agentsync.core.errors import SourceUnavailableError
from agentsync.git.mirror import Mirror, Remote
from support.gitserver import GitServer, Mode
from support.machine import Machine
from support.mirror import failure, over_http
from support.processes import commands_naming
from support.repository import Repository
from support.trial import Trial

posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no limits of this kind")


@contextmanager
def socket_server(*, reset: bool) -> Iterator[str]:
    """The address of a server that accepts connections and then sends nothing, or resets them."""
    with ExitStack() as held, socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                if reset:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    connection.close()
                else:
                    held.enter_context(connection)

        thread = Thread(target=take)
        thread.start()
        host, port = listener.getsockname()
        try:
            yield f"{host}:{port}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def address(server: GitServer) -> str:
    return f"127.0.0.1:{server.port}"


# 1: down


def test_01_a_remote_that_is_down_keeps_everything_and_status_shows_since_when(
    machine: Machine, repository: Repository
) -> None:
    with GitServer(repository.path.parent) as server:
        trial = Trial(machine, repository, server.url("team.git"))
        trial.converges()
    trial.holds(3, "the server cannot be reached", "check the URL and the network")
    status = machine.run("status")
    assert repository.head[:12] in status.stdout
    assert re.search(r"fetched .* ago", status.stdout)
    assert "failed, see below" in status.stdout
    assert "the server cannot be reached" in status.stderr
    assert "`agentsync doctor` tries again, and shows what to do" in status.stderr
    assert "check the URL and the network" in machine.run("doctor").stdout
    trial.push()
    with GitServer(repository.path.parent, server.port):
        trial.converges()


def test_01_a_first_pull_from_a_remote_that_is_down_leaves_nothing(trial: Trial, server: GitServer) -> None:
    server.mode = "error"
    trial.holds(3, "the server reports an error of its own")
    assert len(server.seen) == 3  # the number of attempts
    server.mode = "serve"
    trial.converges()


@pytest.mark.parametrize(
    ("mode", "status", "words", "requests"),
    [
        ("error", 503, "the server reports an error of its own", 1),
        ("error", 429, "the server is asked too often", 1),
        ("error", 404, "there is no repository at this URL", 1),
        ("page", 200, "there is no repository at this URL", 1),
    ],
)
def test_01_a_server_that_does_not_answer_as_one_of_git(  # noqa: PLR0917 - as pytest calls it
    pulled: Trial, server: GitServer, mode: Mode, status: int, words: str, requests: int
) -> None:
    server.mode, server.status, server.headers = mode, status, {"Retry-After": "120"}
    server.seen.clear()
    pulled.holds(3, words)
    assert len(server.seen) == requests
    server.mode = "serve"
    pulled.push()
    pulled.converges()


@pytest.mark.parametrize(
    ("mode", "words"),
    [("cut", "the connection broke off"), ("garble", "the server sent objects that fail git's checks")],
)
def test_01_a_pack_that_arrives_in_part_or_damaged(pulled: Trial, server: GitServer, mode: Mode, words: str) -> None:
    server.mode = mode
    pulled.push("Better, and much longer. " * 40)
    pulled.holds(3, words)
    server.mode = "serve"
    pulled.converges()


def test_01_a_connection_that_is_thrown_out(pulled: Trial) -> None:
    with socket_server(reset=True) as address:
        pulled.follow(url=f"http://{address}/team.git")
        pulled.holds(3, "the server cannot be reached")
    pulled.follow()
    pulled.converges()


# 2 and 3: silent, slow


@pytest.mark.parametrize("scheme", ["http", "https", "ssh"])
def test_02_a_server_that_takes_the_connection_and_is_silent(pulled: Trial, scheme: str) -> None:
    with socket_server(reset=False) as address:
        pulled.follow("timeout = 0.7", url=f"{scheme}://{address}/team.git")
        began = time.monotonic()
        pulled.holds(3, "there was no answer within 0.7 seconds")
        assert time.monotonic() - began < 20  # a busy machine takes seconds to start a program
        assert ends(address)
    pulled.follow()
    pulled.converges()


@pytest.mark.parametrize("mode", ["silent", "stall"])
def test_02_a_server_that_falls_silent_before_or_in_the_pack(pulled: Trial, server: GitServer, mode: Mode) -> None:
    pulled.follow("timeout = 0.7")
    pulled.push("Better, and much longer. " * 40)
    server.mode = mode
    pulled.holds(3, "there was no answer within 0.7 seconds")
    assert ends(address(server))
    server.mode = "serve"
    pulled.follow()
    pulled.converges()


def test_03_a_server_that_trickles_is_left_at_the_deadline(pulled: Trial, server: GitServer) -> None:
    pulled.follow("timeout = 0.7")
    server.mode = "trickle"
    pulled.holds(3, "there was no answer within 0.7 seconds")
    assert ends(address(server))
    server.mode = "serve"
    pulled.follow()
    pulled.converges()


def ends(text: str) -> bool:
    """Whether every process with this in its command line ends, which a killed one does at once."""
    until = time.monotonic() + 2
    while sys.platform == "linux" and commands_naming(text):
        if time.monotonic() > until:
            return False
    return True


# Elsewhere and too large


def test_a_redirect_to_another_host_is_not_followed_and_sends_it_nothing(
    pulled: Trial, server: GitServer, repository: Repository
) -> None:
    token = pulled.machine.root / "token"
    token.write_text("s3cret-token")
    pulled.secrets.append("s3cret-token")
    pulled.follow(auth=f'token_file = "{token}"')
    with GitServer(repository.path.parent) as other:
        server.mode, server.elsewhere = "redirect", other.url("")
        pulled.holds(3, "the server redirects to another URL", "write the new URL into the configuration")
        assert other.seen == []
    server.mode = "serve"
    pulled.push()
    pulled.converges()


@pytest.fixture
def mirror(machine: Machine) -> Mirror:
    return Mirror(machine.cache / "mirror", machine.cache / "home")


@posix
@pytest.mark.parametrize("mode", ["endless pack", "endless refs"])
def test_what_has_no_end_is_stopped_by_its_size_long_before_the_deadline(
    mirror: Mirror, server: GitServer, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    monkeypatch.setattr("agentsync.git.connection._MEMORY_BYTES", 200 << 20)
    remote = Remote(server.url("team.git"), "refs/heads/main", allow_http=True, max_bytes=4 << 20)
    commit = mirror.fetch(remote).id
    server.mode = mode
    other = Mirror(mirror.directory.with_name("other"), mirror.directory.with_name("home"))
    began = time.monotonic()
    error = failure(other, remote)
    assert time.monotonic() - began < 30
    assert error.message == "the repository takes more than the 4 MiB that a source may"
    written = [path.stat().st_size for path in other.directory.rglob("*") if path.is_file()]
    assert sum(written) < 5 << 20
    server.mode = "serve"
    assert other.fetch(remote).id == commit
    assert not list(other.directory.glob("objects/pack/tmp_*"))


@posix
def test_a_pack_that_is_too_large_leaves_the_mirror_as_it_was(
    mirror: Mirror, server: GitServer, repository: Repository
) -> None:
    remote = Remote(server.url("team.git"), "refs/heads/main", allow_http=True, max_bytes=200_000)
    good = mirror.fetch(remote).id
    repository.write({"noise": random.Random(1).randbytes(300_000)})  # noqa: S311 - git cannot compress it
    repository.commit()
    assert isinstance(failure(mirror, remote), SourceUnavailableError)
    assert mirror.has(good)
    repository.reset(good)
    assert mirror.fetch(remote).id == good


@posix
def test_a_pack_over_the_configured_limit_is_not_fetched(pulled: Trial, repository: Repository) -> None:
    text = pulled.machine.config.read_text()
    repository.write({"noise": random.Random(1).randbytes(2 << 20)})  # noqa: S311 - git cannot compress it
    pulled.push()
    pulled.machine.config.write_text(f"{text}[limits]\nfetch_bytes = {1 << 20}\n")
    pulled.holds(3, "takes more than the 1 MiB", "limits.fetch_bytes")
    pulled.machine.config.write_text(f"{text}[limits]\nfetch_bytes = {3 << 20}\n")
    pulled.converges()


@pytest.mark.parametrize("filters", [False, True])
def test_what_rewriting_leaves_in_the_mirror_is_removed(
    mirror: Mirror, server: GitServer, repository: Repository, *, filters: bool
) -> None:
    """Also where each rewritten commit was refused, and nothing of it was ever applied."""
    repository.git("config", "uploadpack.allowFilter", str(filters).lower())
    noise = random.Random(1)  # noqa: S311 - git cannot compress it
    remote = over_http(server, name="team.git", max_bytes=1_000_000)
    first = repository.head
    for _ in range(12):
        repository.reset(first)
        repository.write({"noise": noise.randbytes(200_000)})
        commit = repository.commit()
        mirror.fetch(remote)
        mirror.fetch_content(mirror.missing(entry.blob for entry in mirror.tree(commit)), remote)
    assert sum(path.stat().st_size for path in mirror.directory.rglob("*") if path.is_file()) < 1_500_000


def test_a_mirror_that_outgrew_its_limit_is_not_filled_further(mirror: Mirror, server: GitServer) -> None:
    remote = over_http(server, name="team.git")
    mirror.fetch(remote)
    message = failure(mirror, replace(remote, max_bytes=100)).message
    assert "takes more than" in message
    mirror.fetch(remote)


def test_a_tree_that_unfolds_to_a_billion_files_is_refused(pulled: Trial, repository: Repository) -> None:
    """Each directory holds the one below ten times, so a few hundred bytes name more files than any memory holds."""
    good = repository.head
    content = repository.git("hash-object", "-w", "--stdin", stdin=b"x")
    tree = repository.git("mktree", stdin="".join(f"100644 blob {content}\t{n}.md\n" for n in range(10)).encode())
    for _ in range(8):
        tree = repository.git("mktree", stdin="".join(f"040000 tree {tree}\t{n}\n" for n in range(10)).encode())
    repository.reset(repository.git("commit-tree", tree, "-p", good, "-m", "bomb"))
    pulled.holds(4, "it has far too many files")
    repository.reset(good)
    pulled.push()
    pulled.converges()
