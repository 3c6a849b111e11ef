"""Whether a pull would find everything as the last one left it, without reading the configuration or an agent.

That is the usual answer, and giving it the long way costs three times as much: most of it is importing and running what
reads configurations and agents. So a pull that ends with nothing to do and nothing to tell leaves a memory: all that
decided it. While the code, the configuration's text, what its variables stand for and what was read with it are the
same, each remote still leads to the same commit, and each file has the very stat that proves its content, the next
pull would end alike.

Whatever differs, fails or is only unclear leaves the answer to a whole run, which makes no fetch again. The memory goes
when the inventory changes (`State.settle`), and a run with a finding that is to be told each time leaves none.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from agentsync.core.build_id import engine
from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.core.paths import AppPaths, is_file
from agentsync.core.urls import redact
from agentsync.git.mirror import Auth, Remote
from agentsync.state.lock import locked
from agentsync.state.store import SourceState, State
from agentsync.sync.fetch import Fetches, mirror_of
from agentsync.targets.directory import TargetDirectory
from agentsync.sync.source_state import _moving, _source_state, _trusted
import secrets
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from agentsync.config import Config, Target, policy_of
from agentsync.convert.policy import Rules
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode, SourceRefusedError, SourceUnavailableError
from agentsync.core.naming import slug
from agentsync.core.paths import AppPaths, is_file
from agentsync.dialects import moving_variables
from agentsync.repository.overlays import read_overlays
from agentsync.repository.working_tree import WorkingTree
from agentsync.state.backups import Backups
from agentsync.state.lock import locked
from agentsync.state.records import Action, Key, Recorded
from agentsync.state.render_cache import Cache
from agentsync.state.store import SourceState, State
from agentsync.sync.build import BuildResult, build
from agentsync.sync.escalation import hold_escalations
from agentsync.sync.events import log_sync
from agentsync.sync.fetch import Fetches
from agentsync.sync.findings import kept_last_good, left_sources, suspended, without_agents
from agentsync.sync.report import Report, Scope, is_change
from agentsync.sync.snapshot import Files, Snapshot
from agentsync.sync.sources import Progress, ResolvedSource, finding, resolve_sources
from agentsync.sync.up_to_date import AppliedSource, Fingerprint, content_of, expansions, remember
from agentsync.targets.apply import WRITING, DirectoryOptions, Outcome, apply, observe, recover
from agentsync.targets.change import Change, Consent, TargetState
from agentsync.targets.plan import Plan, make_plan, recorded

from agentsync.sync.cycle import run

_VARIABLE = re.compile(r"\$\w+|\$\{[^}]*\}")
_EXPANDED = re.compile(rf"~[\w.-]*|{_VARIABLE.pattern}")
_PATHS = ("token_file", "ssh_key", "known_hosts", "ca_file")


@dataclass(frozen=True, slots=True)
class AppliedSource:
    """A source as it was applied: its name, what is fetched, the commit, and whether its history may be rewritten."""

    name: str
    remote: Remote
    allow_rewrite: bool
    commit: str

    @property
    def keeps_secrets(self) -> bool:
        """Whether it holds a secret, which must not be remembered."""
        return any(redact(text) != text for text in (self.remote.url, self.remote.auth.proxy or ""))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What decided a run that had nothing to do and nothing to tell.

    Attributes:
        expansions: each `~` and variable that the configuration may have used, and a digest of what it stood for.
        inputs: each file or directory that was read beside the configuration, and what was in it.
        sources: in the configured order.
        targets: by directory, whether that may be a symbolic link.
    """

    expansions: Mapping[str, str]
    inputs: Mapping[str, str]
    sources: Sequence[AppliedSource]
    targets: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class UpToDate:
    """What there is to tell of a pull that found everything as it was.

    Attributes:
        seconds: how long it took.
        commits: by source.
        files: how many there are, in all targets.
        targets: how many targets there are.
    """

    sync_id: str
    seconds: float
    commits: Mapping[str, str]
    files: int
    targets: int

    @property
    def counts(self) -> dict[str, int]:
        """As a report counts."""
        return {"keep": self.files, "conflict": 0, "held": 0, "failed": 0, "refused": 0}


def expansions(text: str, variables: Iterable[str]) -> dict[str, str]:
    """Each `~`, `~user` and `$variable` of a configuration, and each of these variables, with its meaning now.

    Of that only a digest is given, since a variable may hold a secret.
    """
    words = {"~", *_EXPANDED.findall(text), *(f"${{{name}}}" for name in variables)}
    return {word: _meaning(word) for word in sorted(words)}


def deciding(text: str, variables: Iterable[str]) -> frozenset[str]:
    """The names of the variables that a configuration may have used, and of these."""
    return frozenset({"HOME", *variables, *re.findall(r"\w+", " ".join(_VARIABLE.findall(text)))})


def content_of(path: Path) -> str:
    """A digest of a file, or of all that is below a directory; it differs each time where that cannot be read."""
    try:
        files = sorted(path.rglob("*")) if path.is_dir() else [path]
        parts = [(str(file), digest(file.read_bytes()) if file.is_file() else "") for file in files]
    except OSError:
        return secrets.token_hex()
    return digest(json.dumps(parts).encode())


def remember(state: State, text: str, fingerprint: Fingerprint) -> None:
    """Keeps what decided a run, for the configuration of this text; nothing where a secret would be kept with it."""
    if not any(source.keeps_secrets for source in fingerprint.sources):
        state.remember(_key(text), json.dumps(asdict(fingerprint), default=str))


def find_up_to_date(text: str, app_paths: AppPaths, fetches: Fetches) -> UpToDate | None:
    """What a pull would tell if it found nothing to do; None where it may find something.

    Args:
        text: the configuration.
        app_paths: where state and mirrors are.
        fetches: asks the remotes.
    """
    began = time.perf_counter()
    if not is_file(app_paths.database):
        return None
    try:
        with locked(app_paths), State(app_paths.database) as state:
            fingerprint = _recall(state, text)
            sources = _unmoved(fingerprint, state, app_paths, fetches) if fingerprint else None
            if fingerprint is None or sources is None or not _untouched(fingerprint, state):
                return None
            for source in sources:
                state.set_source(source)
            files = state.count(fingerprint.targets)
    except AgentsyncError:  # be it the lock, the state or a remote: a whole run meets it too, and tells it
        return None
    return UpToDate(
        sync_id=secrets.token_hex(6),
        seconds=time.perf_counter() - began,
        commits={source.name: source.commit for source in fingerprint.sources},
        files=files,
        targets=len(fingerprint.targets),
    )


def _key(text: str) -> str:
    return digest(f"{engine()}\n{text}".encode())


def _recall(state: State, text: str) -> Fingerprint | None:
    """What is remembered for this configuration, where its words and what was read with it are still the same."""
    remembered = state.recall(_key(text))
    if remembered is None:
        return None
    record = json.loads(remembered)
    fingerprint = Fingerprint(**{**record, "sources": [_followed(source) for source in record["sources"]]})
    same_words = all(_meaning(word) == intended for word, intended in fingerprint.expansions.items())
    same_inputs = all(content_of(Path(path)) == was for path, was in fingerprint.inputs.items())
    return fingerprint if same_words and same_inputs else None


def _followed(record: dict[str, Any]) -> AppliedSource:
    remote = record.pop("remote")
    auth = remote.pop("auth")
    paths = {name: Path(auth[name]) for name in _PATHS if auth[name] is not None}
    return AppliedSource(remote=Remote(**remote, auth=Auth(**{**auth, **paths})), **record)


def _meaning(word: str) -> str:
    return digest(os.fsencode(os.path.expandvars(os.path.expanduser(word))))  # noqa: PTH111 - a word, not a path


def _unmoved(fingerprint: Fingerprint, state: State, app_paths: AppPaths, fetches: Fetches) -> list[SourceState] | None:
    """What is known of the sources once each was fetched; None where one leads to another commit than was applied."""
    found = []
    for source in fingerprint.sources:
        url, commit = source.remote.url, source.commit
        known = state.source(source.name, url, source.remote.ref)
        if known is None or known.commit != commit:
            return None
        mirror = mirror_of(app_paths, source.name, url)
        rewrite = source.allow_rewrite
        if fetches(mirror, source.name, source.remote, previous=commit, allow_rewrite=rewrite).id != commit:
            return None
        now = time.time()
        if fetches.asked(mirror):
            known = replace(known, fetched_at=now, rejected_commit="", rejected_reason="", error="")
        found.append(replace(known, applied_at=now))
    return found


def _untouched(fingerprint: Fingerprint, state: State) -> bool:
    """Whether each file that was written is proved by its stat to be as it was."""
    proofs = state.cached_stats(fingerprint.targets)
    if state.intents() or len(proofs) != state.count(fingerprint.targets):
        return False
    for path, follow_symlinks in fingerprint.targets.items():
        with TargetDirectory.open(Path(path), follow_symlinks=follow_symlinks) as directory:
            if not directory.holds({name: proof for (where, name), proof in proofs.items() if where == path}):
                return False
    return True



def _memory(config: Config, report: Report, text: str, read: Mapping[str, str]) -> Fingerprint:
    """What decided a run at rest."""
    commits = {source.name: source.commit for source in report.sources}
    sources = [
        AppliedSource(name, config.remote_of(name), table.allow_rewrite, commits[name])
        for name, table in config.sources.items()
    ]
    targets = {str(target.directory): target.follow_symlinks for target in report.targets}
    return Fingerprint(expansions(text, moving_variables()), read, sources, targets)
