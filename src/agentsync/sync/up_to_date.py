"""Up-to-date check: whether a pull would change nothing, without reading the configuration or an agent.

Most pulls change nothing, and a full run costs three times as much as this check: most of it is importing and running
the code that reads configurations and agents. So a pull with nothing to do and nothing to report stores a fingerprint
of everything that decided it. The next pull would have the same result while all of these hold: the code, the
configuration's text, the values of its variables and the other files read with it are the same, each remote still
points to the same commit, and each written file has the stat that proves its content.

If anything differs, fails or is unclear, a full run decides, and reuses the fetches made here. The fingerprint is
deleted when the inventory changes (`State.settle`), and a run with a diagnostic that must be reported each time
stores none. That an agent is refused follows from what is fingerprinted: it is stored how many are, and with which
exit status the run ended, so that each later pull ends with the same one and reports it. It is kept under a key of all
inputs of the run that are known before the configuration is read: of every field of its `Environment` and its
`SyncRequest`, so that a field added there is part of the key by itself.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from types import FunctionType
from typing import Any

from agentsync.core.build_id import engine
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError, ExitCode
from agentsync.core.paths import AppPaths, is_file
from agentsync.core.urls import redact
from agentsync.git.mirror import Auth, Remote
from agentsync.state.lock import locked
from agentsync.state.records import SourceState
from agentsync.state.store import State
from agentsync.sync.fetch import Fetches, mirror_of
from agentsync.sync.request import SyncRequest, key_fields
from agentsync.targets.target_directory import TargetDirectory

# No name of a variable contains a dollar sign or a brace.
_VARIABLE = re.compile(r"\$\w+|\$\{[^{}$]*\}")
_EXPANDED = re.compile(rf"~[\w.-]*|{_VARIABLE.pattern}")
_PATHS = ("token_file", "ssh_key", "known_hosts", "ca_file", "ca_directory", "client_cert", "client_key")


@dataclass(frozen=True, slots=True)
class AppliedSource:
    """Source as it was applied.

    Attributes:
        remote: what is fetched.
        allow_rewrite: whether its history may be rewritten.
        commit: the applied one.
        tip: what the ref leads to, where a rollout chose another commit; empty where it is the same.
    """

    name: str
    remote: Remote
    allow_rewrite: bool
    commit: str
    tip: str = ""

    @property
    def keeps_secrets(self) -> bool:
        """Whether it contains a secret, which must not be stored."""
        return any(redact(text) != text for text in (self.remote.url, self.remote.auth.proxy or ""))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Fingerprint of everything that decided a run with nothing to do and nothing to report.

    Attributes:
        expansions: each `~` and variable that the configuration may have used, and a digest of its value.
        inputs: each file or directory that was read beside the configuration, and a digest of its content.
        sources: in the configured order.
        targets: by directory, whether symbolic links may be followed.
        accepted: number of accepted diagnostics.
        holds_from, holds_until: between these it holds, in seconds since the epoch: before the first, a wrong clock
            decided; None where no time changes it.
        exit_code: the exit status of the run; not OK where agents are refused.
        refused: the number of refused agents, as in `Report.counts`.
        kept: the number of those that are still installed as they were before.
    """

    expansions: Mapping[str, str]
    inputs: Mapping[str, str]
    sources: Sequence[AppliedSource]
    targets: Mapping[str, bool]
    accepted: int = 0
    holds_from: float = 0
    holds_until: float | None = None
    exit_code: int = ExitCode.OK
    refused: int = 0
    kept: int = 0


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

    @property
    def counts(self) -> dict[str, int]:
        """Counts with the keys of `Report.counts`."""
        counts = {"keep": self.files, "conflict": 0, "held": 0, "failed": 0}
        return {**counts, "refused": self.refused, "accepted": self.accepted}


def expansions(text: str, variables: Iterable[str]) -> dict[str, str]:
    """Map each `~`, `~user` and `$variable` of a configuration, and each of these variables, to its current value.

    The value is given as a digest, since a variable may contain a secret.
    """
    expressions = {"~", *_EXPANDED.findall(text), *(f"${{{name}}}" for name in variables)}
    return {expression: _value_digest(expression) for expression in sorted(expressions)}


def deciding(text: str, variables: Iterable[str]) -> frozenset[str]:
    """Return the names of the variables that a configuration may have used, together with these."""
    return frozenset({"HOME", *variables, *re.findall(r"\w+", " ".join(_VARIABLE.findall(text)))})


def content_of(path: Path) -> str:
    """Return a digest of a file or of a directory tree; a new random one each time where that cannot be read."""
    try:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        contents = [(str(file), digest(file.read_bytes()) if file.is_file() else "") for file in files]
    except OSError:
        return secrets.token_hex()
    return digest(json.dumps(contents).encode())


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


def remember(state: State, key: str, fingerprint: Fingerprint) -> None:
    """Store the fingerprint of the run of this key, unless that would store a secret."""
    if not any(source.keeps_secrets for source in fingerprint.sources):
        state.remember(key, json.dumps(asdict(fingerprint), default=str))


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
        with locked(app_paths), State(app_paths.database) as state:
            fingerprint = _recall(state, key)
            sources = _unmoved(fingerprint, state, app_paths, fetches) if fingerprint else None
            if fingerprint is None or sources is None or state.intents():
                return None
            if not (files_watched or _files_unchanged(fingerprint, state)):
                return None
            for source in sources:
                state.set_source(source)
            files = state.count(fingerprint.targets)
    except AgentsyncError:  # of the lock, the state or a remote: a full run meets and reports it too
        return None
    return UpToDate(
        sync_id=secrets.token_hex(6),
        seconds=time.perf_counter() - began,
        commits={source.name: source.commit for source in fingerprint.sources},
        files=files,
        targets=len(fingerprint.targets),
        accepted=fingerprint.accepted,
        exit_code=ExitCode(fingerprint.exit_code),
        refused=fingerprint.refused,
        kept=fingerprint.kept,
    )


def _recall(state: State, key: str) -> Fingerprint | None:
    """Return the fingerprint stored under this key, if its expansions and inputs still have the same values."""
    stored = state.recall(key)
    if stored is None:
        return None
    try:
        record = json.loads(stored)
        fingerprint = Fingerprint(**{**record, "sources": [_applied_source(source) for source in record["sources"]]})
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


def _unmoved(fingerprint: Fingerprint, state: State, app_paths: AppPaths, fetches: Fetches) -> list[SourceState] | None:
    """Fetch the sources and return their states; None where one points to another commit than the applied one."""
    states = []
    for source in fingerprint.sources:
        url, commit = source.remote.url, source.commit
        known = state.source(source.name, url, source.remote.ref)
        if known is None or known.commit != commit:
            return None
        mirror = mirror_of(app_paths, source.name, url)
        rewrite = source.allow_rewrite
        found = fetches(mirror, source.name, source.remote, previous=commit, allow_rewrite=rewrite).id
        now, is_asked = time.time(), fetches.asked(mirror)
        if found != (source.tip if source.tip and is_asked else commit):
            return None
        if source.tip and is_asked:
            state.record_tip(source.name, url, source.remote.ref, found, now)
        if is_asked:
            known = replace(known, fetched_at=now, rejected_commit="", rejected_reason="", error="")
        states.append(replace(known, applied_at=now))
    return states


def _files_unchanged(fingerprint: Fingerprint, state: State) -> bool:
    """Whether the stat of each written file proves that its content is unchanged."""
    proofs = state.cached_stats(fingerprint.targets)
    if len(proofs) != state.count(fingerprint.targets):
        return False
    for path, follow_symlinks in fingerprint.targets.items():
        with TargetDirectory.open(Path(path), follow_symlinks=follow_symlinks) as directory:
            if not directory.holds({name: proof for (where, name), proof in proofs.items() if where == path}):
                return False
    return True
