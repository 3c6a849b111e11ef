"""Runs that meet, and runs that are ended from outside, while a server keeps git waiting."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from support.machine import Machine
from support.repository import Repository

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_a_pull_and_git_with_it(
    machine: Machine, repository: Repository, silent: socket.socket, number: signal.Signals, code: int
) -> None:
    host, port = silent.getsockname()
    url = f"http://{host}:{port}/team.git"
    machine.configure(f'[sources.team]\nurl = "{url}"\nallow_http = true\n[targets.claude]\n')
    # An interpreter of its own, other than that of most tests: its end shows what the signal leaves to Python.
    process = subprocess.Popen(
        machine.command("pull", "--format", "json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=machine.root,
        env=machine.environment,
    )
    connection, _ = silent.accept()
    with connection:
        if number == signal.SIGINT:  # once is enough, since it waits for a while
            second = machine.run("pull", "--format", "json")
            assert second.code == 75
            assert second.json["error"]["message"] == "another run is in progress"
            assert second.json["exit_code"] == 75
        assert machine.run("status").code == 0
        process.send_signal(number)
        _, stderr = process.communicate(timeout=20)
        assert process.returncode == code, stderr
        assert "Traceback" not in stderr
        connection.settimeout(20)
        while connection.recv(4096):  # the end of it shows that git's own child, which held it, is gone
            pass
    machine.follow(repository)
    assert machine.run("pull").code == 0
    assert len(machine.names()) == 5


def test_a_silent_server_is_left_at_the_deadline(machine: Machine, silent: socket.socket) -> None:
    host, port = silent.getsockname()
    settings = f'url = "http://{host}:{port}/team.git"\nallow_http = true\ntimeout = 1\n'
    machine.configure(f"[sources.team]\n{settings}[targets.claude]\n")
    result = machine.run("pull")
    assert result.code == 3
    assert "there was no answer within" in result.reported("source.failed")[0]["error"]
