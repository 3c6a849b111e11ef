"""Up-to-date check: whether a pull would change nothing, without reading the configuration or an agent.

Most pulls change nothing, and a full run costs three times as much as this check: most of it is importing and running
the code that reads configurations and agents. So a pull with nothing to do and nothing to report stores a fingerprint
of everything that decided it. The next pull would have the same result while all of these hold: the code, the
configuration's text, the values of its variables and the other files read with it are the same, each remote still
points to the same commit, and each written file has the stat that proves its content.

The files are looked at while git asks the remotes. If anything differs, fails or is unclear, a full run decides, and
reuses the answers of the remotes. The fingerprint is deleted when the inventory changes (`State.settle`), and a run
with a diagnostic that must be reported each time stores none. That an agent is refused follows from what is
fingerprinted: it is stored how many are, and with which exit status the run ended, so that each later pull ends with
the same one and reports it. It is kept under a key of all inputs of the run that are known before the configuration is
read: of every field of its `Environment` and its `SyncRequest`, so that a field added there is part of the key by
itself.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from threading import Thread
from types import FunctionType
from typing import Any

from agentsync.core.build_id import engine
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError, ExitCode
from agentsync.core.log import Event
from agentsync.core.paths import AppPaths, is_file
from agentsync.git.process import accept
from agentsync.git.remote import Auth, Remote
from agentsync.state.fingerprints import Fingerprints
from agentsync.state.lock import locked
from agentsync.state.polled import Polled, record_polls, source_key
from agentsync.sync.fetch import Fetches, place_of
from agentsync.sync.fingerprint import AppliedSource, Fingerprint, encoded
from agentsync.sync.finished import finished
from agentsync.sync.request import SyncRequest, key_fields
from agentsync.targets.managed_files import (
    ManagedFiles,
    digest_on_disk,
    have_contents,
)

# No name of a variable contains a dollar sign or a brace.
_VARIABLE = r"\$\w+|\$\{[^{}$]*\}"
_PATHS = ("token_file", "ssh_key", "known_hosts", "ca_file", "ca_directory", "client_cert", "client_key")


@dataclass(frozen=True, slots=True)
class UpToDate:
    """Result of a pull that found everything up to date.

    Attributes:
        seconds: how long it took.
        commits: by source.
        files: number of files in all targets.
        targets: number of targets.
        accepted: number of accepted diagnostics.
        exit_code: the exit status of the run that the fingerprint is from.
        refused: number of agents that were refused then, and still are.
        kept: number of those that are still installed as they were before.
        rollouts: what events have of each rollout's choice, by source.
    """

    sync_id: str
    seconds: float
    commits: Mapping[str, str]
    files: int
    targets: int
    accepted: int = 0
    exit_code: ExitCode = ExitCode.OK
    refused: int = 0
    kept: int = 0
    rollouts: Mapping[str, Mapping[str, str | float | None]] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """Counts with the keys of `Report.counts`."""
        counts = {"keep": self.files, "conflict": 0, "held": 0, "failed": 0}
        return {**counts, "refused": self.refused, "accepted": self.accepted}

    @property
    def event(self) -> Event:
        """What a whole cycle with nothing to do reports at its end."""
        return finished(self.sync_id, self.seconds, self.exit_code, self.commits, self.counts, rollouts=self.rollouts)


def expansions(text: str, variables: Iterable[str]) -> dict[str, str]:
    """Map each `~`, `~user` and `$variable` of a configuration, and each of these variables, to its current value.

    The value is given as a digest, since a variable may contain a secret.
    """
    expressions = {"~", *re.findall(rf"~[\w.-]*|{_VARIABLE}", text), *(f"${{{name}}}" for name in variables)}
    return {expression: _value_digest(expression) for expression in sorted(expressions)}


def deciding(text: str, variables: Iterable[str]) -> frozenset[str]:
    """Return the names of the variables that a configuration may have used, together with these."""
    return frozenset({"HOME", *variables, *re.findall(r"\w+", " ".join(re.findall(_VARIABLE, text)))})


def content_of(path: Path) -> str:
    """Return a digest of a file or of a directory tree, and of who may change each file of it.

    A new random one each time where something cannot be read.
    """
    try:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        contents = [(str(file), *(_facts_of(file) if file.is_file() else ())) for file in files]
    except OSError:
        return secrets.token_hex()
    return digest(json.dumps(contents).encode())


def condition_of(database: Path) -> str:
    """Return what changes with each change of a database; empty where there is none."""
    facts = []
    for path in (database, database.with_name(f"{database.name}-wal")):
        with suppress(OSError):
            status = path.stat()
            facts.append((status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino))
    return repr(facts) if facts else ""


def _facts_of(file: Path) -> tuple[int, int, str]:
    status = file.stat()
    return status.st_mode, status.st_uid, digest(file.read_bytes())


def key_of(environment: Mapping[str, Any], request: SyncRequest) -> str | None:
    """Return the key of a run; None where it cannot be compared with another one.

    Args:
        environment: `key_fields` of the run's environment.
        request: what the run is asked to do.
    """
    if not environment["text"]:
        return None
    try:
        inputs = [engine(), _comparable(environment), _comparable(key_fields(request))]
    except _NotComparableError:
        return None
    return digest(json.dumps(inputs, sort_keys=True).encode())


class _NotComparableError(Exception):
    """An input of a run is a function or an object, which may differ although it looks the same."""


def _comparable(value: object) -> object:
    """Return a value as JSON that differs where the value does."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Path():
            return str(value)
        case Enum():
            return value.name
        case Mapping():
            return {str(key): _comparable(item) for key, item in value.items()}
        case tuple() | list():
            return [_comparable(item) for item in value]
        case FunctionType() if value.__qualname__.isidentifier():  # of a module, so its name identifies it
            return f"{value.__module__}.{value.__qualname__}"
        case _ if is_dataclass(value):
            return {one.name: _comparable(getattr(value, one.name)) for one in fields(value)}
        case _:
            raise _NotComparableError(repr(value))


def find_up_to_date(
    text: str, app_paths: AppPaths, fetches: Fetches, request: SyncRequest, *, files_watched: bool = False
) -> UpToDate | None:
    """Return the result of a run that has nothing to do; None where there may be something to do.

    Args:
        text: the configuration.
        app_paths: where state and mirrors are.
        fetches: asks the remotes.
        request: what the run is asked to do.
        files_watched: whether watches would have reported a change of a file; then none is looked at.
    """
    began = time.perf_counter()
    key = key_of({"text": text, "app_paths": app_paths}, request)
    if key is None or not is_file(app_paths.database):
        return None
    try:
        with locked(app_paths):
            with Fingerprints(app_paths.database) as state:
                fingerprint = _recall(state, key)
                polls = _recorded(fingerprint, state, app_paths) if fingerprint else None
            others = condition_of(app_paths.counterpart.database) if app_paths.trials else ""
            if fingerprint is None or polls is None or others != fingerprint.managed:
                return None
            now_ns = time.time_ns()
            holds = _are_unmoved if files_watched else _is_unchanged
            if not holds(fingerprint, app_paths, fetches):
                return None
            if not files_watched:
                _settle(fingerprint, key, app_paths, now_ns)
            _record(fingerprint, polls, app_paths, fetches)
    except AgentsyncError:  # of the lock, the state or a remote: a full run meets and reports it too
        return None
    return UpToDate(
        sync_id=secrets.token_hex(6),
        seconds=time.perf_counter() - began,
        commits={source.name: source.commit for source in fingerprint.sources},
        files=fingerprint.keep,
        targets=len(fingerprint.targets),
        accepted=fingerprint.accepted,
        exit_code=ExitCode(fingerprint.exit_code),
        refused=fingerprint.refused,
        kept=fingerprint.kept,
        rollouts=fingerprint.rollouts,
    )


def _recall(state: Fingerprints, key: str) -> Fingerprint | None:
    """Return the fingerprint stored under this key, if its expansions and inputs still have the same values."""
    stored = state.recall(key)
    if stored is None:
        return None
    try:
        record = json.loads(stored)
        files = {path: ManagedFiles(**managed) for path, managed in record["files"].items()}
        sources = [_applied_source(source) for source in record["sources"]]
        fingerprint = Fingerprint(**{**record, "sources": sources, "files": files})
    except (ValueError, TypeError, KeyError, AttributeError):  # the file is damaged; the full run replaces the value
        return None
    same_expansions = all(_value_digest(name) == value for name, value in fingerprint.expansions.items())
    same_inputs = all(content_of(Path(path)) == content for path, content in fingerprint.inputs.items())
    holds = fingerprint.holds_until is None or fingerprint.holds_from <= time.time() < fingerprint.holds_until
    return fingerprint if same_expansions and same_inputs and holds else None


def _applied_source(record: dict[str, Any]) -> AppliedSource:
    remote = record.pop("remote")
    auth = remote.pop("auth")
    paths = {name: Path(auth[name]) for name in _PATHS if auth[name] is not None}
    remote["accept_defects"] = tuple(remote["accept_defects"])
    return AppliedSource(remote=Remote(**remote, auth=Auth(**{**auth, **paths})), **record)


def _value_digest(expression: str) -> str:
    return digest(os.fsencode(os.path.expandvars(os.path.expanduser(expression))))  # noqa: PTH111 - not a path


def _recorded(
    fingerprint: Fingerprint, state: Fingerprints, app_paths: AppPaths
) -> list[tuple[float | None, bool]] | None:
    """Return when each source was fetched, in seconds since the epoch, and whether nothing was wrong with it.

    None where another commit is applied, or a mirror is not as it was.
    """
    recorded = []
    for source in fingerprint.sources:
        known = state.source(source.name, source.remote.url, source.remote.ref)
        mirror = place_of(app_paths, source.name, source.remote.url).condition()
        if known is None or known[0] != source.commit or not mirror or mirror != source.mirror:
            return None
        recorded.append(known[1:])
    return recorded


def _is_unchanged(fingerprint: Fingerprint, app_paths: AppPaths, fetches: Fetches) -> bool:
    """Whether all files and all remotes are unchanged; the files are looked at while git asks the remotes.

    Raises:
        AgentsyncError: a remote cannot be asked.
    """
    stats: list[str | None] = []
    # The remotes are asked here, since only the main thread is interrupted, and then has to end git.
    looking = Thread(target=lambda: stats.append(digest_on_disk(fingerprint.files)), daemon=True)
    try:
        looking.start()
    except RuntimeError:  # no thread can be started; a whole run says so, if git cannot be run either
        return False
    if not _are_unmoved(fingerprint, app_paths, fetches):
        return False
    looking.join()
    has_contents = not fingerprint.recent or have_contents(fingerprint.recent, fingerprint.files)
    return stats == [fingerprint.stats] and has_contents


def _are_unmoved(fingerprint: Fingerprint, app_paths: AppPaths, fetches: Fetches) -> bool:
    """Whether all remotes still have what they had.

    Raises:
        AgentsyncError: a remote cannot be asked.
    """
    accept(fingerprint.gits)
    return all(
        fetches.is_unmoved(
            place_of(app_paths, source.name, source.remote.url),
            source.name,
            source.remote,
            previous=source.commit,
            tip=source.tip or source.commit,
            allow_rewrite=source.allow_rewrite,
        )
        for source in fingerprint.sources
    )


def _settle(fingerprint: Fingerprint, key: str, app_paths: AppPaths, now_ns: int) -> None:
    """Store that the stats prove all contents, once the files that were just written are old enough for that.

    Raises:
        StateError: the state cannot be used.
    """
    if fingerprint.recent and now_ns > fingerprint.proven_from:
        from agentsync.state.store import State  # noqa: PLC0415 - see the module's docstring

        with State(app_paths.database) as state:
            state.remember(key, encoded(replace(fingerprint, recent={})), beside_others=app_paths.trials)


def _record(
    fingerprint: Fingerprint, recorded: Sequence[tuple[float | None, bool]], app_paths: AppPaths, fetches: Fetches
) -> None:
    """Record when the sources were asked.

    Raises:
        StateError: the state cannot be used.
    """
    now = time.time()
    polls: dict[str, Polled] = {}
    for source, (fetched_at, was_well) in zip(fingerprint.sources, recorded, strict=True):
        remote = source.remote
        if not fetches.asked(place_of(app_paths, source.name, remote.url)):
            continue
        if source.tip or not was_well:
            _record_durably(source, app_paths, now)
        else:
            polls[source_key(source.name, remote.url, remote.ref)] = (fetched_at, now)
    if polls:
        record_polls(app_paths.database, polls)


def _record_durably(source: AppliedSource, app_paths: AppPaths, now: float) -> None:
    """Record what decides later: since when a rollout's commit is known, and that a source is well again."""
    from agentsync.state.store import State  # noqa: PLC0415 - see the module's docstring

    where = (source.name, source.remote.url, source.remote.ref)
    with State(app_paths.database) as state:
        if source.tip:
            state.record_tip(*where, source.tip, now)
        if known := state.source(*where):
            state.set_source(replace(known, fetched_at=now, rejected_commit="", rejected_reason="", error=""))
