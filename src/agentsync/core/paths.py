"""Where agentsync keeps things on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from platformdirs import PlatformDirs

_DIRS = PlatformDirs("agentsync", appauthor=False)
CONFIG_NAME = "config.toml"
_MACHINE_STATE, _MACHINE_CACHE = Path("/var/lib/agentsync"), Path("/var/cache/agentsync")
_MACHINE_CONFIGURATION = Path("/etc/agentsync")
MACHINE_POLICY = _MACHINE_CONFIGURATION / "policy.toml"
"""What binds all users of a machine. Nothing moves it: who could, would be free of it."""


@dataclass(frozen=True, slots=True)
class AppPaths:
    """The places of one installation: state (small, precious), cache (can be made again), and the machine's policy."""

    state: Path
    cache: Path
    policy: Path = MACHINE_POLICY

    @property
    def database(self) -> Path:
        return self.state / "state.sqlite3"

    @property
    def lock(self) -> Path:
        return self.state / "run.lock"

    @property
    def service_lock(self) -> Path:
        """Held by the service as long as it runs."""
        return self.state / "daemon.lock"

    @property
    def socket(self) -> Path:
        """Where the service is asked to pull."""
        return self.state / "daemon.sock"

    @property
    def backups(self) -> Path:
        """What was overwritten or deleted."""
        return self.state / "kept.sqlite3"

    @property
    def git_home(self) -> Path:
        """An empty home for git, so that no configuration of the user's is read."""
        return self.state / "git-home"

    @property
    def outcomes(self) -> Path:
        """What came of the files that were read before."""
        return self.cache / "outcomes.sqlite3"

    def mirror(self, key: str) -> Path:
        return self.cache / "mirrors" / f"{key}.git"


def app_paths() -> AppPaths:
    """The directories of the machine's service for this user, where there is one, or those of the user."""
    return AppPaths(
        state=_service_directory("STATE_DIRECTORY", _MACHINE_STATE) or _DIRS.user_state_path,
        cache=_service_directory("CACHE_DIRECTORY", _MACHINE_CACHE) or _DIRS.user_cache_path,
    )


def config_candidates() -> tuple[Path, ...]:
    """Where a configuration is looked for, in order, when no path is given."""
    service = _service_directory("CONFIGURATION_DIRECTORY", _MACHINE_CONFIGURATION)
    found = [service / CONFIG_NAME] if service else []
    return (*found, _DIRS.user_config_path / CONFIG_NAME, _MACHINE_CONFIGURATION / CONFIG_NAME)


def first_config() -> Path | None:
    """The first of them that is there."""
    return next((path for path in config_candidates() if is_file(path)), None)


def text_of(config: Path) -> str:
    """What a configuration says, below a line with its path; empty where it cannot be read, or only once, as a pipe.

    The path belongs to what it says: the overlays of one that does not name them lie beside it.
    """
    try:
        return f"# {str(config.absolute())!a}\n{config.read_text(encoding='utf-8')}" if config.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""


def user_config() -> Path:
    """Where `init` writes."""
    return _DIRS.user_config_path / CONFIG_NAME


def shorten(path: str, home: str = "") -> str:
    """The path with the home directory, or another one that is shown as such, as `~`."""
    home = home or str(Path.home())
    return f"~{path[len(home) :]}" if path == home or path.startswith(home + os.sep) else path


def _service_directory(variable: str, machine: Path) -> Path | None:
    """The first directory in a variable of systemd's (systemd.exec(5), RuntimeDirectory=), or what it would hold."""
    if value := os.environ.get(variable, "").split(":")[0]:
        return Path(value)
    user = _served_user()
    return machine / user if user else None


def _served_user() -> str:
    """The name of the user for whom `agentsync@USER.service` runs or has run, where it is this one; else nothing.

    What a service keeps is what the user's own commands have to look at, whoever started it. Under another home,
    this is another installation.
    """
    if not _MACHINE_STATE.is_dir():
        return ""
    import pwd  # noqa: PLC0415 - Windows has neither this nor that directory

    try:
        user = pwd.getpwuid(os.getuid())
        owner = (_MACHINE_STATE / user.pw_name).stat().st_uid
    except (KeyError, OSError):
        return ""
    return user.pw_name if owner == user.pw_uid and Path.home() == Path(user.pw_dir) else ""


def is_directory(path: Path) -> bool:
    """Whether a directory is there as far as one may look; pathlib's own question raises where one may not."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def is_file(path: Path) -> bool:
    """As `is_directory`, for a regular file."""
    return os.path.isfile(path)  # noqa: PTH113 - see above
