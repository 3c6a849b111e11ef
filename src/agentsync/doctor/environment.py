"""Environment checks: git, clock, disk, the kernel's limits for watching, the service, the programs of the tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from agentsync.core.paths import AppPaths, is_file, shorten
from agentsync.dialects import Dialect
from agentsync.doctor.result import CheckResult, Health
from agentsync.git.process import MINIMUM_VERSION
from agentsync.service.control_socket import listens
from agentsync.service.systemd.units import USER_UNITS, user_units

_SECONDS: Final = 10  # that another program may take
_LOW_BYTES: Final = 500 << 20
_NO_BYTES: Final = 20 << 20
_ONE_FILE: Final = 64 << 10
_DAY: Final = 86400
_INOTIFY: Final = Path("/proc/sys/fs/inotify")
_PROPERTIES: Final = ("ActiveState", "SubState", "ExecMainStatus")
_NOT_STARTED: Final = {"217": "USER", "226": "NAMESPACE"}
"""Statuses of systemd's own for a service that it could not start in its sandbox (systemd.exec(5))."""
_FEW: Final = {"max_user_watches": 8192, "max_user_instances": 64}
"""Below these, an editor or two use up the limit; the kernel's own defaults are 8192 and more, and 128."""


def check_git() -> CheckResult:
    """Check that git is installed and new enough."""
    program = shutil.which("git")
    if program is None:
        return CheckResult("git", Health.BAD, "git is not on PATH", "install git")
    version_line = _version_of(program)
    if version_line is None:
        return CheckResult("git", Health.BAD, "git cannot be run", "reinstall git")
    match = re.search(r"(?<!\d)(\d++)\.(\d+)", version_line)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < MINIMUM_VERSION:
        wanted = ".".join(map(str, MINIMUM_VERSION))
        return CheckResult("git", Health.BAD, version_line, f"install git {wanted} or newer")
    return CheckResult("git", Health.GOOD, version_line)


def check_disk(app_paths: AppPaths) -> Iterator[CheckResult]:
    """Check that there is room for the state and the cache."""
    for name, directory in (("state", app_paths.state), ("cache", app_paths.cache)):
        free = shutil.disk_usage(_existing(directory)).free
        message = f"{free >> 20:,} MiB free for {shorten(str(directory))}"
        health = Health.BAD if free < _NO_BYTES else Health.WARNING if free < _LOW_BYTES else Health.GOOD
        hint = "" if health is Health.GOOD else "free some space: until then nothing is written, and nothing is lost"
        yield CheckResult(f"disk of the {name}", health, message, hint)


def is_full(directory: Path) -> bool:
    """Whether there is no room for one more file on the directory's file system."""
    return shutil.disk_usage(directory).free < _ONE_FILE


def check_clock(commit_times: Iterable[int], now: float | None = None) -> CheckResult:
    """Check that the clock is plausible: no commit is dated more than a day ahead.

    Args:
        commit_times: the times of the sources' newest commits, in seconds since the epoch.
        now: the current time in seconds since the epoch; read from the clock by default.
    """
    now = time.time() if now is None else now
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now))
    ahead = max(commit_times, default=0) - now
    if ahead > _DAY:
        message = f"{shown}, and the newest commit was made {ahead / _DAY:.0f} days later"
        hint = "set the clock: certificates are checked against it, and the times of fetches are reported by it"
        return CheckResult("clock", Health.WARNING, message, hint)
    return CheckResult("clock", Health.GOOD, shown)


def check_watching(directory: Path = _INOTIFY) -> Iterator[CheckResult]:
    """Check the kernel's limits for watching files (inotify(7)); no results on systems without inotify."""
    for name, few in _FEW.items():
        try:
            limit = int((directory / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        good = limit >= few
        hint = "" if good else f"`sysctl fs.inotify.{name}={few * 8}`; until then changes are seen in each cycle only"
        yield CheckResult(f"inotify {name}", Health.GOOD if good else Health.WARNING, str(limit), hint)


def check_service(app_paths: AppPaths) -> CheckResult:
    """Check whether the service is running; that is optional."""
    if listens(app_paths):
        return CheckResult("service", Health.GOOD, "it is running")
    message = "it is not running: agents are updated when `agentsync pull` runs"
    return CheckResult("service", Health.GOOD, message, "`agentsync install-service` lets systemd run it")


def check_units() -> Iterator[CheckResult]:
    """Check the state of each unit that is installed for this user in systemd."""
    for unit in USER_UNITS:
        if not is_file(user_units() / unit):
            continue
        shown = _output_of(["systemctl", "--user", "show", unit, f"--property={','.join(_PROPERTIES)}"])
        properties = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        state, below, status = (properties.get(name, "") for name in _PROPERTIES)
        ends = state == "failed" or below == "auto-restart"  # which systemd calls `activating`
        match state:
            case _ if ends and (name := _NOT_STARTED.get(status)):
                message = f"systemd cannot start it: {status}/{name}"
                hint = "this machine does not allow its sandbox; `agentsync docs systemd` has the settings without it"
                yield CheckResult(unit, Health.BAD, message, hint)
            case _ if ends:
                message = "failed" if state == "failed" else f"it ends with {status} and is started again and again"
                yield CheckResult(unit, Health.BAD, message, f"`journalctl --user -u {unit}` shows why")
            case "active" | "activating" | "reloading":
                yield CheckResult(unit, Health.GOOD, state)
            case "":
                hint = "log in again, or run `loginctl enable-linger`; without systemd, keep `agentsync daemon` running"
                yield CheckResult(unit, Health.WARNING, "the user's systemd cannot be reached", hint)
            case _:
                yield CheckResult(unit, Health.WARNING, state, f"`systemctl --user enable --now {unit}`")


def check_tools(written: Iterable[Dialect]) -> Iterator[CheckResult]:
    """Compare the version of each target's tool with the version that its dialect was checked with."""
    for dialect in {dialect.name: dialect for dialect in written}.values():
        program = next(filter(None, map(shutil.which, dialect.binaries)), None)
        if program is None:
            continue
        match = re.search(r"(?<!\d)\d++(?:\.\d+)+", _version_of(program) or "")
        version = match[0] if match else "unknown"
        message = f"{dialect.title} {version}; agentsync's rules for it were checked with {dialect.version}"
        older = match is not None and _numbers(version) < _numbers(dialect.version)
        hint = "an older release may know fewer keys: update it" if older else ""
        yield CheckResult(f"tool {dialect.name}", Health.WARNING if older else Health.GOOD, message, hint)


def _version_of(program: str) -> str | None:
    """The first line that `--version` prints; None where it prints nothing."""
    return _output_of([program, "--version"]).partition("\n")[0] or None


def _output_of(command: Sequence[str]) -> str:
    """Run a program and return its output; empty where it cannot be run, or takes too long."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def _existing(directory: Path) -> Path:
    """The nearest existing directory above a path, or the path itself."""
    return next(path for path in (directory, *directory.parents) if path.is_dir())
