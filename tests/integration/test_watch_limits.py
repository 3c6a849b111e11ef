"""A watch at the kernel's limits, in a process of its own, and on network file systems."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from agentsync.service.watch import mounts
from agentsync.service.watch.mounts import devices, network_devices
from support.processes import without_root_privileges
from support.watching import Listener, linux


@linux
def test_a_directory_that_may_not_be_read_is_reported(tmp_path: Path) -> None:
    script = """
        closed = [flat / "agents", deep / "1/2"]
        deep.chmod(0)
        flat.chmod(0o100)
        print(*watch.follow([deep / "1/config.toml"], closed), sep="\\n")
        deep.chmod(0o700)
        flat.chmod(0o700)
        watch.close()
    """
    wanted = ["flat/agents: Permission denied", "deep/1/2: Permission denied", "deep/1/config.toml: Permission denied"]
    printed = _run(tmp_path, script, before=[*without_root_privileges()])
    assert printed.splitlines() == [f"{tmp_path}/{line}" for line in wanted]


# The kernel's limits, in a process of its own.

_PROLOGUE = """
    import os, resource, sys, threading
    from pathlib import Path
    from queue import SimpleQueue
    from agentsync.service.watch import Watch
    top = Path(sys.argv[1])
    for name in ("flat", "deep/1/2", "deep/3", "deep/4", "deep/5/6/7"):
        (top / name).mkdir(parents=True)
    flat, deep = top / "flat", top / "deep"
    reports = SimpleQueue()
    watch = Watch(reports.put, settle=0.05)
    def descriptors():
        return len(os.listdir("/proc/self/fd"))
"""


def _limited(tmp_path: Path, script: str, *, limit: str = "max_inotify_watches", number: int) -> str:
    """Run a script in a user namespace with this limit of inotify; return what it prints."""
    unshare = shutil.which("unshare")
    if sys.platform != "linux" or not unshare:
        pytest.skip("there are no user namespaces")
    setting = f"/proc/sys/user/{limit}"
    lower = ["sh", "-c", f'echo {number} > {setting} && exec "$@"', "sh"]
    probe = subprocess.run([unshare, "-Ur", *lower, "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("no user namespace can be made here")
    return _run(tmp_path, f"LIMIT = Path('{setting}')\n{textwrap.dedent(script)}", before=[unshare, "-Ur", *lower])


def _run(tmp_path: Path, script: str, before: list[str] | None = None) -> str:
    text = textwrap.dedent(_PROLOGUE) + textwrap.dedent(script)
    command = [*(before or []), sys.executable, "-W", "error", "-c", text, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""
    assert done.returncode == 0
    return done.stdout


def test_a_table_that_is_full_below_a_directory_is_reported_and_mended(tmp_path: Path) -> None:
    script = """
        for line in watch.follow([], [flat, deep]):
            print(line)
        LIMIT.write_text("100")
        print(watch.follow([], [flat, deep]))
        print(reports.get(timeout=20) == {flat, deep})
        (deep / "5/6/7/agent.md").write_text("seen")
        print(reports.get(timeout=20) == {deep})
        watch.close()
    """
    full = "inotify's table is full, so not every directory is watched; see fs.inotify.max_user_watches"
    wanted = f"{tmp_path}/flat: {full}\n{tmp_path}/deep: {full}\n()\nTrue\nTrue\n"
    assert _limited(tmp_path, script, number=5) == wanted


def test_a_table_that_is_full_at_once_is_reported(tmp_path: Path) -> None:
    script = """
        print(*watch.follow([], [flat]), *watch.follow([flat / "config.toml"], []), sep="\\n")
        watch.close()
    """
    full = "inotify's table is full, so not every directory is watched; see fs.inotify.max_user_watches"
    wanted = f"{tmp_path}/flat: {full}\n{tmp_path}/flat/config.toml: {full}\n"
    assert _limited(tmp_path, script, number=0) == wanted


def test_a_lack_of_inotify_instances_is_reported_and_mended(tmp_path: Path) -> None:
    script = """
        print(*watch.follow([], [flat]))
        LIMIT.write_text("1")
        print(watch.follow([], [flat]))
        watch.close()
    """
    reason = "no inotify instance or file descriptor is left; see fs.inotify.max_user_instances and `ulimit -n`"
    printed = _limited(tmp_path, script, limit="max_inotify_instances", number=0)
    assert printed == f"{tmp_path}/flat: {reason}\n()\n"


@linux
def test_a_lack_of_descriptors_is_reported_and_leaks_none(tmp_path: Path) -> None:
    script = """
        before = descriptors()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        fallbacks = set()
        for free in range(1, 10):
            taken = [os.dup(0) for _ in range(30)]
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 1 + free, hard))
            fallbacks.update(watch.follow([], [flat]))
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            for descriptor in taken:
                os.close(descriptor)
            watch.follow([], [])
        print(*fallbacks, sep="\\n")
        watch.close()
        print(descriptors() - before)
    """
    reason = "no inotify instance or file descriptor is left; see fs.inotify.max_user_instances and `ulimit -n`"
    assert _run(tmp_path, script) == f"{tmp_path}/flat: {reason}\n0\n"


# Network file systems.


@linux
def test_a_network_file_system_is_reported_and_not_watched(
    listener: Listener, agents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No network file system can be mounted here, so the test declares the files' own one to be one."""
    listener.follow(agents)
    types = dict(devices(Path("/proc/self/mountinfo").read_text()))
    own = types.get(agents.stat().st_dev)
    if own is None:
        pytest.skip("this file system gives its files another device than its mount")
    monkeypatch.setattr(mounts, "NETWORK", {own})
    config = agents.parent / "config.toml"
    wanted = {
        f"{path}: it is on a network file system ({own}), where not every change is reported"
        for path in (agents, config, listener.bell)
    }
    assert set(listener.follow(agents, files=(config,))) == wanted
    monkeypatch.undo()
    assert listener.follow(agents, files=(config,)) == ()


def test_the_kernels_list_of_mounts_is_read() -> None:
    text = textwrap.dedent("""\
        22 27 0:21 / /proc rw,relatime - proc proc rw
        27 1 254:3 / / rw,relatime shared:1 - ext4 /dev/root rw
        90 27 0:51 /home /home\\040of\\040all rw,nosuid shared:44 master:2 - nfs4 server:/home rw,addr=10.0.0.1
        91 27 0:52 / /mnt/c rw - 9p drvfs rw,dirsync
    """)
    types = {(os.major(device), os.minor(device)): type_ for device, type_ in devices(text)}
    assert types == {(0, 21): "proc", (254, 3): "ext4", (0, 51): "nfs4", (0, 52): "9p"}
    assert {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs"} <= mounts.NETWORK


def test_where_there_is_no_such_list_nothing_is_on_the_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_TABLE", tmp_path / "none")
    assert network_devices() == {}
