"""Installs the service's systemd units, and removes them.

Every file holds a digest of its text (`text.sealed`), and a file without a valid digest is never overwritten or
deleted.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agentsync.core.errors import AgentsyncError
from agentsync.service.systemd.text import is_ours, sealed
from agentsync.service.systemd.units import Service
from agentsync.targets.target_directory import TargetDirectory

_SECONDS: Final = 60  # that a command may take


class ServiceError(AgentsyncError):
    """A unit cannot or must not be written."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an installation or removal.

    Attributes:
        changed: the files that were written or deleted.
        undone: the commands to run by hand, since the first of them failed or could not be run.
        trouble: the reason; empty where nothing is left to do.
    """

    changed: tuple[Path, ...]
    undone: tuple[tuple[str, ...], ...] = ()
    trouble: str = ""


def commands(service: Service, *, restart: bool) -> tuple[tuple[str, ...], ...]:
    """The commands that enable and start a service; `restart` where it may run with outdated settings."""
    verb = "restart" if restart else "start"
    return service.commands(["daemon-reload"], ["enable", service.unit], [verb, "--no-block", service.unit])


def check(service: Service) -> None:
    """Check that all existing files of a service were written by agentsync.

    Raises:
        ServiceError: one of them was not, or was edited since.
    """
    if service.directory.is_dir():
        with _opened(service.directory) as directory:
            for name in service.files:
                _digest(directory, service, name)


def install(service: Service, *, restart: bool = False) -> Outcome:
    """Write the files that differ, enable the service, and start it; restart it if a file changed, or if asked to.

    Raises:
        ServiceError: an existing file is not ours, or a file cannot be written; nothing was changed.
    """
    changed = _write_all(service)
    return _run_all(changed, commands(service, restart=restart or bool(changed)))


def uninstall(service: Service) -> Outcome | None:
    """Stop a service and delete its files; None where it has none.

    Raises:
        ServiceError: a file is not ours, or cannot be deleted; nothing was changed.
    """
    if not service.directory.is_dir():
        return None
    with _opened(service.directory) as directory:
        there = {name: digest for name in service.files if (digest := _digest(directory, service, name)) is not None}
        if not there:
            return None
        ended = _run_all((), service.commands(["disable", "--now", service.unit]))
        for name, digest in there.items():
            _delete(directory, service, name, digest)
        directory.sync()
    deleted = tuple(service.directory / name for name in there)
    reloaded = _run_all(deleted, service.commands(["daemon-reload"]))
    return Outcome(deleted, (*ended.undone, *reloaded.undone), ended.trouble or reloaded.trouble)


def _write_all(service: Service) -> tuple[Path, ...]:
    with _opened(service.directory) as directory:
        texts = {name: sealed(text).encode() for name, text in service.files.items()}
        there = {name: _digest(directory, service, name) for name in texts}
        changed = [name for name, data in texts.items() if there[name] is None or directory.read(name) != data]
        for name in changed:
            _write(directory, service, name, texts[name], there[name])
        directory.sync()
    return tuple(service.directory / name for name in changed)


def _opened(path: Path) -> TargetDirectory:
    try:
        return TargetDirectory.open(path, create=True)
    except AgentsyncError as error:
        raise ServiceError(error.message, place=error.place) from error


def _digest(directory: TargetDirectory, service: Service, name: str) -> str | None:
    """The digest of an existing file; None where there is none.

    Raises:
        ServiceError: the file is not ours, or was edited.
    """
    actual = directory.observe(name).actual
    if actual.digest is None:
        return None
    if not actual.digest or not is_ours(directory.read(name)):
        hint = f"if you do not need it, move its settings to `systemctl edit {service.unit}`, delete it, and try again"
        raise ServiceError(
            "this file was not written by `agentsync install-service`, or was edited since, and stays as it is",
            place=str(service.directory / name),
            hint=hint,
        )
    return actual.digest


def _write(directory: TargetDirectory, service: Service, name: str, data: bytes, digest: str | None) -> None:
    staged = directory.temporary(name)
    try:
        directory.stage(staged, data)
        if digest is None:
            directory.publish_new(staged, name)
        else:
            directory.publish_over(staged, name, digest)
    except (OSError, AgentsyncError) as error:
        with suppress(OSError):
            directory.discard(staged)
        raise _unwritable(service, name, error) from error


def _delete(directory: TargetDirectory, service: Service, name: str, digest: str) -> None:
    try:
        directory.remove(name, digest)
    except (OSError, AgentsyncError) as error:
        raise _unwritable(service, name, error) from error


def _unwritable(service: Service, name: str, error: OSError | AgentsyncError) -> ServiceError:
    reason = error.strerror if isinstance(error, OSError) else error.message
    return ServiceError(f"this file cannot be changed: {reason}", place=str(service.directory / name))


def _run_all(changed: tuple[Path, ...], steps: Sequence[tuple[str, ...]]) -> Outcome:
    """Run commands until one fails; the rest are left to the user, whose systemd may be out of reach from here."""
    for number, words in enumerate(steps):
        if trouble := _run(words):
            return Outcome(changed, tuple(steps[number:]), trouble)
    return Outcome(changed)


def _run(words: Sequence[str]) -> str:
    """Run a command; return why it failed, or an empty string."""
    try:
        done = subprocess.run(
            words,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return f"there is no {words[0]} here"
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"`{' '.join(words)}` could not be run: {error}"
    lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    return f"`{' '.join(words)}` failed: {lines[-1]}" if done.returncode else ""
