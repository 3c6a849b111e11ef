"""Paths of agentsync's own files on this machine."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from platformdirs import PlatformDirs

from agentsync.core.errors import ConfigError
from agentsync.core.ownership import require_own

_DIRS = PlatformDirs("agentsync", appauthor=False)
CONFIG_NAME = "config.toml"
_MACHINE_STATE, _MACHINE_CACHE = Path("/var/lib/agentsync"), Path("/var/cache/agentsync")
_MACHINE_CONFIGURATION = Path("/etc/agentsync")
MACHINE_POLICY = _MACHINE_CONFIGURATION / "policy.toml"
"""The policy that binds all users of a machine. The path is fixed: a user who could change it could evade it."""


@dataclass(frozen=True, slots=True)
class AppPaths:
    """Paths of one installation: state (small, must be kept), cache (can be rebuilt), and the machine's policy.

    Attributes:
        trials: whether records and mirrors are those of trial runs, which leave no trace in the machine's own; the
            locks are the same.
    """

    state: Path
    cache: Path
    policy: Path = MACHINE_POLICY
    trials: bool = False

    @property
    def counterpart(self) -> AppPaths:
        """The paths of trial runs; for these, the machine's own."""
        return replace(self, trials=not self.trials)

    @property
    def database(self) -> Path:
        return self._own(self.state) / "state.sqlite3"

    @property
    def lock(self) -> Path:
        return self.state / "run.lock"

    @property
    def service_lock(self) -> Path:
        """The lock that the service holds while it runs."""
        return self.state / "daemon.lock"

    @property
    def socket(self) -> Path:
        """The socket on which the service accepts requests to pull."""
        return self.state / "daemon.sock"

    @property
    def backups(self) -> Path:
        """The database with backups of written, overwritten and deleted files."""
        return self._own(self.state) / "kept.sqlite3"

    @property
    def git_home(self) -> Path:
        """An empty home for git, so that it reads no configuration of the user."""
        return self.state / "git-home"

    @property
    def outcomes(self) -> Path:
        """The cache with the results of files that were read before."""
        return self._own(self.cache) / "outcomes.sqlite3"

    @property
    def checks(self) -> Path:
        """The cache with the results of files that `check` read before."""
        return self._own(self.cache) / "checks.sqlite3"

    def mirror(self, key: str) -> Path:
        """The bare repository that mirrors one source."""
        return self._own(self.cache) / "mirrors" / f"{key}.git"

    def _own(self, directory: Path) -> Path:
        return directory / "trials" if self.trials else directory


def app_paths() -> AppPaths:
    """Paths of the system service that runs for this user, or the user's own where there is none."""
    return AppPaths(
        state=_service_directory("STATE_DIRECTORY", _MACHINE_STATE) or _own(lambda: _DIRS.user_state_path),
        cache=_service_directory("CACHE_DIRECTORY", _MACHINE_CACHE) or _own(lambda: _DIRS.user_cache_path),
    )


def home() -> Path:
    """The user's home directory.

    Raises:
        ConfigError: it is not known.
    """
    return _own(Path.home)


def make_private(directory: Path) -> None:
    """Make a directory this user's only, whatever the umask is, with those above it that are missing.

    Raises:
        PermissionError: another user can change it, or replace it.
        OSError: one cannot be created.
    """
    missing: list[Path] = []
    for path in (directory, *directory.parents):
        if os.path.lexists(path):  # what is no directory is reported when a name below it is used
            break
        missing.append(path)
    for path in reversed(missing):
        try:
            path.mkdir(mode=0o700, exist_ok=True)
        except FileExistsError as error:  # a file is here, which the user looks for in vain by that reason
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from error
    if is_directory(directory):
        require_own(directory)


def _own(path: Callable[[], Path]) -> Path:
    try:
        return path()
    except RuntimeError as error:  # HOME is not set, or empty, and the password database does not have this user
        hint = "set HOME to a directory of this user's"
        raise ConfigError("the home directory of this user is not known", hint=hint) from error


def config_candidates() -> tuple[Path, ...]:
    """Paths searched for a configuration, in order, when none is given."""
    service = _service_directory("CONFIGURATION_DIRECTORY", _MACHINE_CONFIGURATION)
    service_config = [service / CONFIG_NAME] if service else []
    own = _own(lambda: _DIRS.user_config_path)
    return (*service_config, own / CONFIG_NAME, _MACHINE_CONFIGURATION / CONFIG_NAME)


def is_of_machine(config: Path) -> bool:
    """Whether a configuration is the machine's, for its services, and no user's own."""
    service = os.environ.get("CONFIGURATION_DIRECTORY", "").split(":")[0]
    places = (_MACHINE_CONFIGURATION, *([Path(service)] if service else []))
    return any(config.absolute().is_relative_to(place) for place in places)


def runs_for_machine() -> bool:
    """Whether this process is a service of the machine, which systemd gives a directory below the machine's own."""
    return Path(os.environ.get("STATE_DIRECTORY", "").split(":")[0]).is_relative_to(_MACHINE_STATE)


def first_config() -> Path | None:
    """The first configuration candidate that exists."""
    return next((path for path in config_candidates() if is_file(path)), None)


def text_of(config: Path) -> str:
    """Text of a configuration, below a line with its path; empty where it is unreadable or, as a pipe, readable once.

    The path is part of the meaning: a configuration that names no overlays has them in its own directory.
    """
    try:
        return f"# {str(config.absolute())!a}\n{config.read_text(encoding='utf-8')}" if config.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""


def user_config() -> Path:
    """The configuration that `init` writes."""
    return _own(lambda: _DIRS.user_config_path) / CONFIG_NAME


def shorten(path: str, below: str = "") -> str:
    """Abbreviate the home directory at the start of a path to `~`; `below` replaces the user's own."""
    below = below or os.path.expanduser("~")  # noqa: PTH111 - stays `~` where it is not known
    return f"~{path[len(below) :]}" if path == below or path.startswith(below + os.sep) else path


def _service_directory(variable: str, machine: Path) -> Path | None:
    """The first directory in a variable set by systemd (systemd.exec(5), RuntimeDirectory=), or its expected value."""
    if value := os.environ.get(variable, "").split(":")[0]:
        return Path(value)
    user = _served_user()
    return machine / user if user else None


def _served_user() -> str:
    """The current user's name, if `agentsync@USER.service` runs or has run for that user; else empty.

    The user's own commands must use the state of that service. Under another home directory, this is another
    installation.
    """
    if not _MACHINE_STATE.is_dir():
        return ""
    import pwd  # noqa: PLC0415 - Windows has neither this nor that directory

    try:
        user = pwd.getpwuid(os.getuid())
        owner = (_MACHINE_STATE / user.pw_name).stat().st_uid
    except (KeyError, OSError):
        return ""
    return user.pw_name if owner == user.pw_uid and home() == Path(user.pw_dir) else ""


def is_directory(path: Path) -> bool:
    """Whether a directory is visible here; pathlib's own check raises where permission is missing."""
    return os.path.isdir(path)  # noqa: PTH112 - see above


def is_file(path: Path) -> bool:
    """Whether a regular file is visible here, as `is_directory`."""
    return os.path.isfile(path)  # noqa: PTH113 - see above
