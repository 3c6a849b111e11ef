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

from support.forkserver import Child
from support.machine import Machine

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")

_SECONDS = 20


@contextmanager
def watching(machine: Machine, *arguments: str) -> Iterator[Child]:
    process = machine.start("status", "--watch", *arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process: Child, text: str) -> list[str]:
    """The lines up to one with this text."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if text in line:
            return lines
    raise AssertionError(lines)


# Where text and JSON show the same change, both look at it at once, since there are seconds between two looks.


def test_changes_are_appended_and_ctrl_c_is_a_good_end(pulled: Machine) -> None:
    """As JSON, each is a document a line."""
    with watching(pulled) as process, watching(pulled, "--format", "json", "--exit-code") as for_programs:
        assert read_until(process, "in sync")[0].startswith("SOURCE")
        [first] = read_until(for_programs, "sync_id")
        (pulled.claude / "tester.md").write_text("mine\n")
        assert "1 drifted" in "".join(read_until(process, "! conflict"))
        [second] = read_until(for_programs, "sync_id")
        for_programs.send_signal(signal.SIGINT)
        for_programs.communicate(timeout=_SECONDS)
        assert for_programs.returncode == 1
        (pulled.claude / "tester.md").unlink()
        assert "+ restore" in "".join(read_until(process, "+ restore"))
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=_SECONDS)
        assert (process.returncode, stdout.strip(), "Traceback" in stderr) == (0, "", False)
    drifted = [json.loads(line)["targets"][0]["drifted"] for line in (first, second)]
    assert drifted == [0, 1]


def test_a_mistake_that_comes_meanwhile_is_reported_and_does_not_end_it(pulled: Machine) -> None:
    good = pulled.config.read_text()
    with watching(pulled) as process, watching(pulled, "--format", "json") as for_programs:
        for each in (process, for_programs):
            read_until(each, "opencode")
        pulled.config.write_text("brnach = 1\n" + good)
        [reported] = read_until(for_programs, "brnach")
        assert json.loads(reported)["exit_code"] == 2
        for each in (process, for_programs):
            assert each.stderr is not None
            assert "config.toml:1: unknown key `brnach`" in each.stderr.readline()
        pulled.config.write_text(good.replace("[targets.opencode]", ""))
        for each in (process, for_programs):
            read_until(each, "claude")
            each.send_signal(signal.SIGINT)
            _, stderr = each.communicate(timeout=_SECONDS)
            assert (each.returncode, stderr.count("brnach")) == (0, 0)


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
