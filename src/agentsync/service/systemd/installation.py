"""Puts the service into systemd's care, and takes it out again.

Every file is sealed (`text`), and one without an unbroken seal is never written over or deleted.
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
from agentsync.targets.directory import TargetDirectory

_SECONDS: Final = 60  # that a command may take


class ServiceError(AgentsyncError):
    """A unit cannot be written, or must not be."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it.

    Attributes:
        changed: the files that were written or deleted.
        undone: the commands that have to be run by hand, since the first of them failed, or could not be run.
        trouble: why; empty where nothing is left to do.
    """

    changed: tuple[Path, ...]
    undone: tuple[tuple[str, ...], ...] = ()
    trouble: str = ""


def commands(service: Service, *, anew: bool) -> tuple[tuple[str, ...], ...]:
    """What has systemd run it; `anew` where it may run already, otherwise than it should."""
    start = "restart" if anew else "start"
    return service.commands(["daemon-reload"], ["enable", service.unit], [start, "--no-block", service.unit])


def check(service: Service) -> None:
    """Makes sure that all its files that are there are ours.

    Raises:
        ServiceError: one of them is not.
    """
    if service.directory.is_dir():
        with _opened(service.directory) as directory:
            for name in service.files:
                _digest(directory, service, name)


def install(service: Service, *, anew: bool = False) -> Outcome:
    """Writes what differs, and has systemd run it now and whenever it starts; `anew` although nothing differs.

    Raises:
        ServiceError: a file is there that is not ours, or cannot be written; nothing has been changed then.
    """
    changed = _write_all(service)
    return _reported(changed, commands(service, anew=anew or bool(changed)))


def uninstall(service: Service) -> Outcome | None:
    """Ends it and deletes its files; None where there is none of them.

    Raises:
        ServiceError: one of them is not ours, or cannot be deleted; nothing has been changed then.
    """
    if not service.directory.is_dir():
        return None
    with _opened(service.directory) as directory:
        there = {name: digest for name in service.files if (digest := _digest(directory, service, name)) is not None}
        if not there:
            return None
        ended = _reported((), service.commands(["disable", "--now", service.unit]))
        for name, digest in there.items():
            _delete(directory, service, name, digest)
        directory.sync()
    deleted = tuple(service.directory / name for name in there)
    reloaded = _reported(deleted, service.commands(["daemon-reload"]))
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
    """The digest of a file of ours; None where there is nothing."""
    actual = directory.observe(name).actual
    if actual.digest is None:
        return None
    if not actual.digest or not is_ours(directory.read(name)):
        hint = f"if it can go, keep its settings for `systemctl edit {service.unit}`, delete it, and say this again"
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


def _reported(changed: tuple[Path, ...], reported: Sequence[tuple[str, ...]]) -> Outcome:
    """Runs commands until one fails; what is left is for the user, whose systemd may be out of reach from here."""
    for number, words in enumerate(reported):
        if trouble := _run(words):
            return Outcome(changed, tuple(reported[number:]), trouble)
    return Outcome(changed)


def _run(words: Sequence[str]) -> str:
    """Runs a command; returns why it failed, empty where it did not."""
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
