"""The locks of an installation, where their file or its directory is not what it should be."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from pathlib import Path

import pytest

from agentsync.core.errors import LockedError, StateError
from agentsync.core.paths import AppPaths
from agentsync.state.lock import ServiceLock, locked


@pytest.fixture
def app_paths(tmp_path: Path) -> AppPaths:
    return AppPaths(tmp_path / "local" / "state", tmp_path / "cache")


def test_a_service_whose_state_is_deleted_takes_its_lock_again(app_paths: AppPaths) -> None:
    with ServiceLock(app_paths) as lock:
        assert not lock.renew()
        shutil.rmtree(app_paths.state)
        assert lock.renew()
        with pytest.raises(LockedError), ServiceLock(app_paths):
            pass


def test_a_service_whose_place_another_one_took_ends(app_paths: AppPaths) -> None:
    with ServiceLock(app_paths) as lock:
        shutil.rmtree(app_paths.state)
        with ServiceLock(app_paths), pytest.raises(LockedError):
            lock.renew()


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK])
def test_a_file_system_without_locks_is_reported(
    app_paths: AppPaths, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def flock(_descriptor: int, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StateError, match="has no locks") as caught, locked(app_paths):
        pass
    assert "XDG_STATE_HOME" in caught.value.hint


def test_whatever_the_umask_is_nobody_else_may_hold_the_lock(app_paths: AppPaths, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with locked(app_paths), ServiceLock(app_paths):
            modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    finally:
        os.umask(before)
    assert modes == {"local": 0o700, "cache": 0o700, "state": 0o700, "run.lock": 0o600, "daemon.lock": 0o600}
