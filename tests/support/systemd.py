"""The real systemd for a test, as process 1 of namespaces in which nothing outside can be reached.

Its root is this machine's, under a layer in memory that takes what is written; the kernel's settings are read-only.
Root alone can make one.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

USER: Final = "alice"
PROGRAM: Final = "/opt/agentsync/bin/agentsync"

_SYSTEMD: Final = next(
    (path for path in map(Path, ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")) if path.exists()), None
)
_PYTHON: Final = "/usr/bin/python3"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SECONDS: Final = 60

_NAMESPACES: Final = ("--mount", "--pid", "--ipc", "--uts", "--cgroup", "--net")
_PROBE: Final = """
set -e
mount -t tmpfs tmpfs /mnt
cd /mnt
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
mount -t cgroup2 cgroup2 root/mnt
"""
_BOOT: Final = """
set -e
outside=$1 packages=$2 source=$3 systemd=$4 python=$5 version=$6
mount -t tmpfs tmpfs "$outside/layer"
cd "$outside/layer"
mkdir up work root
mount -t overlay overlay -o lowerdir=/,upperdir=up,workdir=work root
cd root
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t tmpfs tmpfs sys/fs/cgroup
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do touch dev/$name; mount --bind /dev/$name dev/$name; done
mkdir dev/shm dev/pts && mount -t tmpfs tmpfs dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs tmpfs tmp
mkdir run/outside && mount --bind "$outside/notify" run/outside
"$python" -m venv --without-pip opt/agentsync
mkdir -p opt/agentsync/src "opt/agentsync/lib/python$version/site-packages"
mount --bind "$packages" "opt/agentsync/lib/python$version/site-packages"
mount --bind "$source" opt/agentsync/src
cat > opt/agentsync/bin/agentsync <<END
#!/opt/agentsync/bin/python3
import sys
sys.path.insert(0, "/opt/agentsync/src")
from agentsync.cli import main
sys.exit(main())
END
chmod 755 opt/agentsync/bin/agentsync
mkdir .outside
pivot_root . .outside
cd /
umount -l /.outside
exec env -i container=test PATH="$PATH" NOTIFY_SOCKET=/run/outside/socket "$systemd" --system --unit=basic.target
"""


def missing() -> str:
    """Why no systemd can be started for a test here; empty where one can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "namespaces are made by root on Linux"
    if _SYSTEMD is None:
        return "systemd is not installed"
    tools = ("unshare", "nsenter", "pivot_root", "useradd", "runuser", "dbus-daemon", "git", _PYTHON)
    if absent := [tool for tool in tools if not shutil.which(tool)]:
        return f"{', '.join(absent)} is not installed"
    # The packages that were built for this Python are used by the system's, since a service sees no home directory.
    ask = [_PYTHON, "-c", "import sys, venv; print(*sys.version_info[:2], sep='.')"]
    version = subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip()
    if version != _VERSION:
        return f"{_PYTHON} is {version or 'without venv'}, and the tests run with {_VERSION}"
    probe = ["unshare", *_NAMESPACES, "--fork", "sh", "-c", _PROBE]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    return f"a root of its own cannot be made: {done.stderr.strip()}" if done.returncode else ""


_VERSION: Final = ".".join(map(str, sys.version_info[:2]))


class Systemd:
    """Process 1 of a machine with one user, `alice`, with the user's own systemd; a context manager."""

    def __init__(self, root: Path) -> None:
        for name in ("layer", "notify"):
            (root / name).mkdir()
        packages = next(path for path in sys.path if path.endswith("site-packages"))
        source = Path(__file__).parents[2] / "src"
        words = [str(root), packages, str(source), str(_SYSTEMD), _PYTHON, _VERSION]
        namespaces = ["unshare", *_NAMESPACES, "--propagation", "private", "--fork", "--kill-child"]
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            ready.bind(str(root / "notify/socket"))
            ready.settimeout(_SECONDS)
            self._outer = subprocess.Popen(
                [*namespaces, "sh", "-c", _BOOT, "sh", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
            while b"READY=1" not in ready.recv(4096).split(b"\n"):
                pass
        self._first = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}/children").read_text().split()[0]

    def __enter__(self) -> Self:
        self.run("systemctl", "start", "dbus.service")
        self.run("useradd", "--create-home", USER)
        self.number = self.run("id", "--user", USER).strip()
        # As `loginctl enable-linger` does: else the user's systemd ends soon after the last command that the user ran.
        self.run("install", "-D", "/dev/null", f"/var/lib/systemd/linger/{USER}")
        self.run("systemctl", "start", f"user@{self.number}.service")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._outer.kill()  # and with it, process 1 of the others
        self._outer.wait(_SECONDS)

    def run(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """Run a command in there as root; return its output."""
        return self._run(words, code, stdin, {"HOME": "/root"})

    def run_as_user(self, *words: str, code: int = 0, stdin: str = "") -> str:
        """Run a command as the user, within reach of the user's systemd."""
        own = {"HOME": f"/home/{USER}", "XDG_RUNTIME_DIR": f"/run/user/{self.number}"}
        return self._run(["runuser", "--user", USER, "--", *words], code, stdin, own)

    def property(self, *words: str, user: bool = False) -> str:
        """The output of `systemctl show --value --property=...`."""
        asked = ["systemctl", *(["--user"] if user else []), "show", "--value", f"--property={words[0]}", *words[1:]]
        return (self.run_as_user(*asked) if user else self.run(*asked)).strip()

    def _run(self, words: Sequence[str], code: int, stdin: str, variables: dict[str, str]) -> str:
        inside = ["nsenter", "--target", self._first, "--all", "--root", "--wd=/", "env", "-i", f"PATH={_PATH}"]
        done = subprocess.run(
            [*inside, *(f"{name}={value}" for name, value in variables.items()), *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr
