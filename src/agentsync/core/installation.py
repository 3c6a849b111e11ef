"""Identity of this installation: the same in each run, and different on each machine and for each user."""

from __future__ import annotations

import os
import secrets
import socket
from hashlib import sha256
from pathlib import Path
from typing import Final

from agentsync.core.paths import AppPaths

_MACHINE_ID: Final = Path("/etc/machine-id")
_NO_IDS: Final = frozenset({"", "uninitialized"})  # in an image before its first boot, by machine-id(5)
_KEPT_ID: Final = "installation-id"


def installation_id(machine_id: Path = _MACHINE_ID, fallback: str = "") -> str:
    """Return the identity of this user on this machine, as hexadecimal digits.

    Args:
        machine_id: machine-id(5); it is never disclosed, only a digest of it is used.
        fallback: used where there is no machine id, as in most containers.
    """
    try:
        identity = machine_id.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        identity = ""
    if identity in _NO_IDS:
        identity = fallback
    user = os.getuid() if hasattr(os, "getuid") else 0
    return sha256(f"agentsync\n{identity}\n{user}".encode()).hexdigest()


def own_fraction(machine_id: Path = _MACHINE_ID, fallback: str = "") -> float:
    """Return the offset of this user on this machine, from 0 to 1, the same each time; arguments as above."""
    digits = 16
    return float(int(installation_id(machine_id, fallback)[:digits], 16) / 16**digits)


def kept_id(app_paths: AppPaths) -> str:
    """Return the id that is drawn at random once, and kept with this installation's state.

    Where it cannot be kept, the host's name is used: in a fleet of containers each has another one.
    The caller must be the only service, or the only run, of this installation.
    """
    path = app_paths.state / _KEPT_ID
    try:
        path.touch(mode=0o600)
        if kept := path.read_text(encoding="utf-8", errors="replace").strip():
            return kept
        made = secrets.token_hex(16)
        path.write_text(f"{made}\n", encoding="utf-8")
    except OSError:
        return socket.gethostname()
    return made
