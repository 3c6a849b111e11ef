"""File systems that other machines can change too, as the kernel lists them (proc_pid_mountinfo(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

NETWORK: Final = frozenset(
    "9p afs beegfs ceph cifs coda fakeowner fuse.ceph fuse.glusterfs fuse.grpcfuse fuse.rclone fuse.s3fs fuse.sshfs "
    "fuse.vmhgfs-fuse gpfs lustre ncpfs nfs nfs4 orangefs prl_fs smb3 smbfs vboxsf virtiofs vmhgfs wslfs".split()
)
"""The types whose files another machine, or the host of this one, may change without this kernel's knowledge."""

_TABLE = Path("/proc/self/mountinfo")


def network_devices() -> dict[int, str]:
    """The type of each such file system by device, as in `os.stat`; none where the system has no such list."""
    try:
        text = _TABLE.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return {}
    return {device: type_ for device, type_ in devices(text) if type_ in NETWORK}


def devices(mountinfo: str) -> Iterator[tuple[int, str]]:
    """Parse the device and the type of each mount."""
    for line in mountinfo.splitlines():
        mount, _, file_system = line.partition(" - ")
        major, _, minor = mount.split()[2].partition(":")
        yield os.makedev(int(major), int(minor)), file_system.split()[0]
