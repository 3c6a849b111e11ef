"""The unit files with which systemd runs agentsync.

A unit is written exactly as it ships. Settings of this machine are in a drop-in file beside it.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from agentsync.core.paths import AppPaths, home
from agentsync.service.systemd.footprint import Footprint
from agentsync.service.systemd.text import bind, command, drop_in, word

SYSTEM_UNITS: Final = Path("/etc/systemd/system")

USER_UNITS: Final = ("agentsync.service", "agentsync-pull.timer")
"""The units of which a user may have installed one."""

_DAEMON, _TIMER = USER_UNITS
_PULL: Final = "agentsync-pull.service"
_TEMPLATE: Final = "agentsync@.service"
_DROP_IN: Final = "10-agentsync.conf"  # before `override.conf`, which is what `systemctl edit` makes
_SECONDS: Final = 60  # that systemctl may take to print its version
_SINCE: Final = (
    (253, (("Type", "notify-reload"), ("ExecReload", ""))),  # `systemctl reload` waits until the service has reloaded
    (254, (("RestartSteps", "6"), ("RestartMaxDelaySec", "10min"))),  # exponential backoff of restarts
)
"""Settings of a service that keeps running, each with the version of systemd that introduced it."""


@dataclass(frozen=True, slots=True)
class Service:
    """The units of one installation of agentsync in systemd.

    Attributes:
        directory: the absolute path of the directory of its files.
        unit: the unit to enable and start.
        manager: the systemctl command that manages it.
        files: the text of each file, by its path below the directory.
    """

    directory: Path
    unit: str
    manager: tuple[str, ...]
    files: Mapping[str, str]

    def commands(self, *verbs: Sequence[str]) -> tuple[tuple[str, ...], ...]:
        """Each of these verbs as a command of its manager."""
        return tuple((*self.manager, *verb) for verb in verbs)


def user_units() -> Path:
    """The directory of a user's units (systemd.unit(5), "Unit File Load Path")."""
    return Path(os.environ.get("XDG_CONFIG_HOME") or home() / ".config") / "systemd/user"


def user_service(directory: Path, program: Sequence[str], app_paths: AppPaths, needs: Footprint) -> Service:
    """The service of the current user, in the user's own systemd."""
    settings = _settings([*program, "daemon"], needs, app_paths, keeps_running=True)
    return _of_user(directory, _DAEMON, {_DAEMON: settings})


def user_timer(directory: Path, program: Sequence[str], app_paths: AppPaths, needs: Footprint) -> Service:
    """A timer instead of a service, so that nothing runs between two pulls."""
    settings = _settings([*program, "pull"], needs, app_paths, keeps_running=False)
    return _of_user(directory, _TIMER, {_PULL: settings, _TIMER: []})


def system_service(user: str, program: Sequence[str], needs: Footprint) -> Service:
    """The service for one user, in the machine's systemd, which sets its state and cache directories."""
    settings = _settings([*program, "daemon"], needs, None, keeps_running=True)
    read = [("BindReadOnlyPaths", bind(str(path), optional=True)) for path in needs.read]
    texts = {_TEMPLATE: _shipped(_TEMPLATE), f"agentsync@{user}.service.d/{_DROP_IN}": drop_in([*settings, *read])}
    return Service(SYSTEM_UNITS, f"agentsync@{user}.service", ("systemctl",), texts)


def of_one_user(service: Service) -> Service:
    """A system service without the template unit, if another user still needs that."""
    others = [
        *service.directory.glob("agentsync@?*.service.d"),
        *service.directory.glob("*.wants/agentsync@?*.service"),
    ]
    if all(path.name.removesuffix(".d") == service.unit for path in others):
        return service
    own = {name: text for name, text in service.files.items() if name != _TEMPLATE}
    return Service(service.directory, service.unit, service.manager, own)


def _of_user(directory: Path, unit: str, units: Mapping[str, list[tuple[str, str]]]) -> Service:
    texts = {name: _shipped(name) for name in units}
    special = {f"{name}.d/{_DROP_IN}": drop_in(settings) for name, settings in units.items() if settings}
    return Service(directory, unit, ("systemctl", "--user"), texts | special)


def _settings(
    program: Iterable[str], needs: Footprint, app_paths: AppPaths | None, *, keeps_running: bool
) -> list[tuple[str, str]]:
    """The settings of a drop-in; paths are bound, which makes them writable wherever they are, also below /tmp."""
    version = _systemd_version() if keeps_running else 0
    own = (app_paths.state, app_paths.cache) if app_paths else ()
    return [
        *(("Environment", word(f"{name}={value}")) for name, value in needs.variables.items()),
        ("ExecStart", ""),
        ("ExecStart", command(program)),
        *(setting for since, settings in _SINCE if version >= since for setting in settings),
        ("ReadWritePaths", ""),
        ("BindPaths", ""),  # empties BindReadOnlyPaths= too
        *(("BindPaths", bind(str(path))) for path in own),
        *(("BindPaths", bind(str(path), optional=True)) for path in needs.written),
    ]


def _shipped(name: str) -> str:
    return files("agentsync").joinpath("units", name).read_text(encoding="utf-8")


def _systemd_version() -> int:
    """The version of systemd on this machine; 0 where there is none."""
    try:
        done = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.match(r"systemd (\d+)", done.stdout)
    return int(match[1]) if match else 0
