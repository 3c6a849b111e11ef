"""`status --watch`: shown again when something changed, until ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.machine import Machine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

_SECONDS = 20


@contextmanager
def watching(machine: Machine, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = machine.start("status", "--watch", *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: subprocess.Popen[str], text: str) -> list[str]:
    """The lines up to one with this text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(lines)


def test_changes_are_appended_and_ctrl_c_is_a_good_end(pulled: Machine) -> None:
    with watching(pulled) as process:
        assert read_until(process, "in sync")[0].startswith("SOURCE")
        (pulled.claude / "tester.md").write_text("mine\n")
        assert "1 drifted" in "".join(read_until(process, "! conflict"))
        (pulled.claude / "tester.md").unlink()
        assert "+ restore" in "".join(read_until(process, "+ restore"))
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=_SECONDS)
        assert (process.returncode, stdout.strip(), "Traceback" in stderr) == (0, "", False)


def test_as_json_it_is_a_document_a_line(pulled: Machine) -> None:
    with watching(pulled, "--format", "json", "--exit-code") as process:
        [first] = read_until(process, "sync_id")
        (pulled.claude / "tester.md").write_text("mine\n")
        [second] = read_until(process, "sync_id")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=_SECONDS)
        assert process.returncode == 1
    drifted = [json.loads(line)["targets"][0]["drifted"] for line in (first, second)]
    assert drifted == [0, 1]


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_mistake_that_comes_meanwhile_is_reported_and_does_not_end_it(pulled: Machine, form: str) -> None:
    good = pulled.config.read_text()
    with watching(pulled, "--format", form) as process:
        read_until(process, "opencode")
        pulled.config.write_text("brnach = 1\n" + good)
        if form == "json":
            [reported] = read_until(process, "brnach")
            assert json.loads(reported)["exit_code"] == 2
        assert process.stderr is not None
        assert "config.toml:1: unknown key `brnach`" in process.stderr.readline()
        pulled.config.write_text(good.replace("[targets.opencode]", ""))
        read_until(process, "claude")
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=_SECONDS)
        assert (process.returncode, stderr.count("brnach")) == (0, 0)


def test_it_does_not_begin_with_a_mistake(pulled: Machine) -> None:
    pulled.config.write_text("brnach = 1\n")
    assert pulled.run("status", "--watch").code == 2


def test_a_terminal_is_drawn_again(pulled: Machine) -> None:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        pulled.command("status", "--watch"), stdin=slave, stdout=slave, stderr=slave, env=pulled.environment
    )
    os.close(slave)
    shown = b""
    while shown.count(b"\x1b[2J") < 2:
        shown += os.read(master, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait(_SECONDS) == 0
    os.close(master)
    assert b"in sync" in shown
