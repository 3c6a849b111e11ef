"""Files and directories that only this user can change, since what is read from them decides what is run and written.

As with ssh's StrictModes (sshd_config(5)), every directory on the way counts: whoever can write in one can put another
in the place of what is below.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from functools import cache
from pathlib import Path

_OTHERS = 0o077
_ALL_USERS = ["0", "0", "4294967295"]


def require_own(directory: Path) -> None:
    """Take the permissions of all others from a directory, and check that none of them can replace it.

    A directory of the system's user is accepted as it is, as a container's volume is; it cannot be changed either.

    Raises:
        PermissionError: another user owns it or a directory above it, or can write in one of these.
        OSError: it cannot be examined or changed.
    """
    if sys.platform == "win32":
        return
    status = directory.stat()
    if status.st_uid == os.geteuid() and status.st_mode & _OTHERS:
        directory.chmod(status.st_mode & ~_OTHERS & 0o7777)
    require_trusted(directory)


def require_trusted(path: Path) -> None:
    """Check that no other user can change a file or directory that decides what is allowed here, nor replace it.

    Raises:
        PermissionError: another user owns it or a directory above it, or can write in one of these; says which.
        OSError: it cannot be examined.
    """
    if sys.platform == "win32":
        return
    absolute = path.absolute()
    for part in dict.fromkeys([*_upwards(absolute), *_upwards(absolute.resolve())]):
        if reason := changed_by(part):
            raise PermissionError(errno.EPERM, f"{part} {reason}", str(path))


def changed_by(path: Path) -> str:
    """Say which other user can change a file or directory, and what to do; empty if none can.

    Raises:
        OSError: it cannot be examined.
    """
    if sys.platform == "win32":
        return ""
    status = path.stat()
    if status.st_uid not in (0, os.geteuid(), _nobody()):
        return f"belongs to user {_user(status.st_uid)}"
    # In a sticky directory, as /tmp is, nobody can remove or rename what belongs to another user.
    if status.st_mode & stat.S_ISVTX and stat.S_ISDIR(status.st_mode):
        return ""
    # Nobody but root mounts; a volume that everybody can write to is a container's, whose users are one.
    if status.st_uid == 0 and path.is_mount():
        return ""
    if status.st_mode & stat.S_IWOTH:
        return "can be changed by every user (chmod o-w)"
    if status.st_mode & stat.S_IWGRP and not _is_private(status.st_gid):
        return f"can be changed by group {_group(status.st_gid)} (chmod g-w)"
    return ""


@cache
def _nobody() -> int:
    """Return the user that owners count as whom this process cannot see, among them root (user_namespaces(7)).

    A sandbox of the user's own, as a service with PrivateUsers= has, sees that user alone. -1 where all are visible.
    """
    try:
        shown = Path("/proc/self/uid_map").read_text(encoding="ascii").split()
        overflow = int(Path("/proc/sys/kernel/overflowuid").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return -1
    return -1 if shown == _ALL_USERS else overflow


def _upwards(path: Path) -> tuple[Path, ...]:
    return (path, *path.parents)


def _is_private(group: int) -> bool:
    """Whether a group is root's, or this user's alone: of the same name and without members, as Debian makes them."""
    if group == 0:
        return True
    import grp  # noqa: PLC0415 - Windows has no such module

    try:
        found = grp.getgrgid(group)
    except KeyError:
        return False
    user = _user(os.geteuid())
    return found.gr_name == user and not {*found.gr_mem} - {user}


def _group(id_: int) -> str:
    import grp  # noqa: PLC0415 - as above

    try:
        return grp.getgrgid(id_).gr_name
    except KeyError:
        return str(id_)


def _user(id_: int) -> str:
    import pwd  # noqa: PLC0415 - as above

    try:
        return pwd.getpwuid(id_).pw_name
    except KeyError:
        return str(id_)
