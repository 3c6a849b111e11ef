"""Another user than root, for what the system does not limit or refuse for root."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_USER = 60_000 + os.getpid() % 5_000  # of whom there are no other processes, which would count


def give_away(root: Path) -> tuple[str, ...]:
    """Give a directory with all that is in it to another user, and return the command that becomes that user.

    Whoever is not root keeps all, and needs no command.
    """
    if os.name == "nt" or os.geteuid() != 0:
        return ()
    for path in (root, *root.rglob("*")):
        os.chown(path, _USER, _USER, follow_symlinks=False)
    # Other than `user=` of subprocess, it can run a Python that is in root's home.
    return ("setpriv", f"--reuid={_USER}", f"--regid={_USER}", "--clear-groups")


def python_for(root: Path) -> dict[str, str]:
    """Return variables with which a Python in root's home, run as that user, can start itself again.

    The other user may not execute it by its path, as the service does with `sys.executable`.
    """
    (root / "sitecustomize.py").write_text(_AGAIN, encoding="utf-8")
    return {"PYTHONPATH": str(root)}


_AGAIN = """
import subprocess
import sys

_start = subprocess.Popen.__init__


def _start_again(self, args, *rest, **named):
    if args[0] == sys.executable:
        named["executable"] = "/proc/self/exe"
    _start(self, args, *rest, **named)


subprocess.Popen.__init__ = _start_again
"""


def limit(process: int, kind: str, most: int | str, becoming: Sequence[str]) -> str:
    """Set a soft limit of a process, and return the one before.

    It is done as the user of the process, since a root without all capabilities may not limit others.

    Args:
        process: its number.
        kind: as an option of prlimit(1): `nproc`, `nofile`, `fsize`.
        most: the limit.
        becoming: the command that becomes the user of the process.
    """
    command = [*becoming, "prlimit", f"--pid={process}"]
    query = [*command, f"--{kind}", "--output=SOFT", "--noheadings", "--raw"]
    before = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip()
    subprocess.run([*command, f"--{kind}={most}:"], check=True)
    return before
