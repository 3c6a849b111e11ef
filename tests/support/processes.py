"""Processes of this machine, as /proc shows them to anybody, and their privileges."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest


def children(parent: int | None = None) -> set[int]:
    """The child processes of a process, or of this one, that were not yet waited for."""
    pids = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[1]) == (os.getpid() if parent is None else parent):
            pids.add(int(stat.parent.name))
    return pids


def descendants(parent: int) -> set[int]:
    """The child processes, and theirs in turn."""
    below = children(parent)
    return below.union(*map(descendants, below))


def commands_naming(text: str) -> list[str]:
    """The command lines on this machine that contain a text."""
    commands = (command_line(int(path.name)) for path in Path("/proc").glob("[0-9]*"))
    return [command for command in commands if text in command]


def command_line(process: int) -> str:
    """A process's command line, which anybody can see; empty once it has ended."""
    return _text(process, "cmdline")


def environment(process: int) -> str:
    """A process's variables, which its owner can see, a blank after each; empty once it has ended."""
    return _text(process, "environ")


def _text(process: int, name: str) -> str:
    try:
        content = Path(f"/proc/{process}/{name}").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return content.replace(b"\0", b" ").decode(errors="replace")


def without_root_privileges() -> Sequence[str]:
    """A command prefix that drops root's privileges, so that the modes of files hold."""
    if sys.platform == "win32":
        pytest.skip("modes of directories mean nothing there")
    if os.geteuid() != 0:
        return ()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("root can write everywhere, and there is no setpriv to give that up")
    return (setpriv, "--bounding-set=-dac_override,-dac_read_search", "--")
