"""What the targets should hold: every file of every source, read and rendered, or known from an earlier run.

What came of a file depends on its bytes, its path and the settings of the targets alone, so it is kept in a cache
and a run reads only what changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agentsync.config import Target
from agentsync.convert.policy import Policy, Rules, SourcePolicy, judge_output, judge_text
from agentsync.convert.render import RenderedFile, render
from agentsync.core.build_id import engine
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.dialects import refused
from agentsync.git.objects import Entry
from agentsync.repository.checks import Named, check_names, masked
from agentsync.repository.detection import NoAgent, ReadAgent, read_agent
from agentsync.repository.overrides import also_denied, prefixed, unused
from agentsync.state.render_cache import Cache
from agentsync.sync.compiled_agent import CompiledAgent, Output, decode, encode
from agentsync.sync.snapshot import Snapshot
from agentsync.targets.change import Change, TargetState, Wanted


@dataclass(frozen=True, slots=True)
class BuildResult:
    """All products, those that are used, what each target should hold, and all findings."""

    compiled: tuple[CompiledAgent, ...]
    used: tuple[CompiledAgent, ...]
    states: tuple[TargetState, ...]
    diagnostics: tuple[Diagnostic, ...]
    contents: ContentStore


# How many outcomes of earlier commits and settings are worth keeping: enough for a branch and its predecessor.
_CACHE_SHARE = 3
_CACHE_LEAST = 2000


def build(snapshots: Sequence[Snapshot], targets: Sequence[Target], cache: Cache, policy: Policy) -> BuildResult:
    """Reads and renders every file of every source for every target.

    What the policy does not take is refused, and so has the place of a file that cannot be read.

    Raises:
        SourceUnavailableError: a mirror cannot be read.
        StateError: the cache cannot be used.
    """
    contents = ContentStore(snapshots, targets)
    compiled: tuple[CompiledAgent, ...] = ()
    crowded: list[Diagnostic] = []
    for snapshot in snapshots:
        counts = policy.of_source(snapshot.name, snapshot.url)
        made = tuple(_products(snapshot, targets, cache, contents, counts))
        if problem := _crowd(snapshot, made, counts):
            crowded.append(problem)
            made = tuple(CompiledAgent(one.source, one.path, one.blob, refused=True) for one in made)
        compiled += made
    cache.trim(_CACHE_SHARE * len(compiled) + _CACHE_LEAST)
    overriding = frozenset(snapshot.name for snapshot in snapshots if snapshot.replaces)
    names = {_named(compiled_agent): compiled_agent for compiled_agent in compiled if compiled_agent.slug}
    used_names, found = check_names(list(names), overriding)
    used = tuple(compiled_agent for named, compiled_agent in names.items() if named in used_names)
    commits = {snapshot.name: snapshot.commit for snapshot in snapshots}
    unread = frozenset((snapshot.name, found.path) for snapshot in snapshots for found in snapshot.diagnostics)
    states = tuple(_target_state(target, compiled, used, commits, unread) for target in targets)
    findings = [
        *(diagnostic for snapshot in snapshots for diagnostic in snapshot.diagnostics),
        *crowded,
        *(diagnostic for compiled_agent in compiled for diagnostic in compiled_agent.diagnostics),
        *found,
        *_unused(snapshots, compiled),
        *(
            diagnostic
            for compiled_agent in used
            for output in compiled_agent.outputs.values()
            for diagnostic in output.diagnostics
        ),
    ]
    return BuildResult(compiled, used, states, tuple(findings), contents)


class ContentStore:
    """The bytes of wanted files: those rendered in this run, and the others on demand."""

    def __init__(self, snapshots: Sequence[Snapshot], targets: Sequence[Target]) -> None:
        self._snapshots = {snapshot.name: snapshot for snapshot in snapshots}
        self._targets = targets
        self._bytes: dict[tuple[str, str], bytes] = {}

    def keep(self, target: str, data: bytes) -> str:
        """Takes in the bytes of one file and returns their digest."""
        digested = digest(data)
        self._bytes[target, digested] = data
        return digested

    def load(self, changes: Iterable[Change]) -> None:
        """Renders again, with one reading of each mirror, what these changes want and this run did not render."""
        missing: dict[str, dict[str, set[str]]] = {}
        for change in changes:
            wanted = change.wanted
            if wanted and (change.target, wanted.digest) not in self._bytes:
                missing.setdefault(wanted.source, {}).setdefault(wanted.blob, set()).add(wanted.source_path)
        for source, paths in missing.items():
            snapshot = self._snapshots[source]
            for blob, data in snapshot.files.blobs(paths):
                for path in paths[blob]:
                    for target, file in _render(snapshot, path, data, self._targets)[1].items():
                        if file.data is not None:
                            self.keep(target, file.data)

    def __call__(self, change: Change) -> bytes:
        """The bytes of a change's wanted file, which `load` was called with before."""
        assert change.wanted is not None  # noqa: S101 - only changes that write ask for bytes
        return self._bytes[change.target, change.wanted.digest]


def _unused(snapshots: Sequence[Snapshot], compiled: Sequence[CompiledAgent]) -> Iterator[Diagnostic]:
    """A finding for each override that no agent of its sources is meant by."""
    for override in dict.fromkeys(override for snapshot in snapshots for override in snapshot.overrides):
        sources = {snapshot.name for snapshot in snapshots if override in snapshot.overrides}
        there = (
            compiled_agent for compiled_agent in compiled if compiled_agent.source in sources and compiled_agent.name
        )
        yield from unused([override], ((compiled_agent.slug, compiled_agent.tags) for compiled_agent in there))


def _named(compiled_agent: CompiledAgent) -> Named:
    return Named(compiled_agent.source, compiled_agent.path, compiled_agent.blob, compiled_agent.slug)


def _crowd(snapshot: Snapshot, compiled: Iterable[CompiledAgent], policy: SourcePolicy) -> Diagnostic | None:
    """A finding where a source has more agents than it may."""
    agents = sum(bool(compiled_agent.slug) for compiled_agent in compiled)
    if agents <= policy.max_agents:
        return None
    message = f"source `{snapshot.name}` has {agents} agents, which are over {policy.max_agents}"
    return Diagnostic(Code.HELD_CROWD, message)


def _products(
    snapshot: Snapshot, targets: Sequence[Target], cache: Cache, contents: ContentStore, policy: SourcePolicy
) -> Iterator[CompiledAgent]:
    """One product a file, in the order of the entries; those that the cache does not have are made and cached."""
    common = repr((policy, snapshot.overrides, snapshot.filters, snapshot.prefix))
    keys = {entry: _key(snapshot, entry, targets, common) for entry in snapshot.entries}
    compiled = {key: decode(value) for key, value in cache.get_many(keys.values()).items()}
    missing: dict[str, list[Entry]] = {}
    for entry, key in keys.items():
        if key not in compiled:
            missing.setdefault(entry.blob, []).append(entry)
    if missing:
        made = {
            keys[entry]: _make(snapshot, entry, data, targets, contents=contents, policy=policy)
            for blob, data in snapshot.files.blobs(missing)
            for entry in missing[blob]
        }
        cache.put_many({key: encode(compiled_agent) for key, compiled_agent in made.items()})
        compiled |= made
    for entry, key in keys.items():
        yield replace(compiled[key], source=snapshot.name, path=entry.path, blob=entry.blob)


def _key(snapshot: Snapshot, entry: Entry, targets: Sequence[Target], common: str) -> str:
    """Everything that decides what comes of a file; `common` is what decides about all files of its source."""
    settings = [
        [
            target.name,
            target.dialect,
            repr((target.options, target.filter)),
            sorted(snapshot.models.get(target.dialect, {}).items()),
        ]
        for target in targets
    ]
    forced = snapshot.selection.dialect_of(entry.path)
    parts = [engine(), entry.path, entry.blob, forced, common, settings]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _make(
    snapshot: Snapshot,
    entry: Entry,
    data: bytes,
    targets: Sequence[Target],
    *,
    contents: ContentStore,
    policy: SourcePolicy,
) -> CompiledAgent:
    read, files = _render(snapshot, entry.path, data, targets)
    compiled_agent = CompiledAgent(
        snapshot.name, entry.path, entry.blob, diagnostics=tuple(map(masked, read.diagnostics))
    )
    if isinstance(read, NoAgent):
        return replace(compiled_agent, refused=read.refused)
    agent = read.agent
    if not all(accepted.takes(agent) for accepted in snapshot.filters):
        return CompiledAgent(
            snapshot.name, entry.path, entry.blob, excluded=frozenset(target.name for target in targets)
        )
    rules = policy.rules(agent.slug)
    judged = judge_text(read.diagnostics, agent.slug, len(read.document.data), rules)
    taken = {target for target, file in files.items() if not file.excluded}
    compiled_agent = replace(
        compiled_agent,
        excluded=frozenset(target.name for target in targets if target.name not in taken),
        diagnostics=tuple(masked(found.at(path=entry.path, agent=agent.name)) for found in judged),
    )
    if refused(compiled_agent.diagnostics):
        return replace(compiled_agent, refused=True)
    outputs = {}
    for target in targets:
        if target.name in files:
            file = _judged(read, files[target.name], target, rules)
            reported = (found.at(path=entry.path, agent=agent.name, target=target.name) for found in file.diagnostics)
            digested = contents.keep(target.name, file.data) if file.data is not None else ""
            outputs[target.name] = Output(file.path, digested, tuple(map(masked, reported)))
    return replace(
        compiled_agent,
        name=agent.name,
        slug=agent.slug,
        dialect=read.dialect.name,
        description=agent.description,
        tags=agent.tags,
        outputs=outputs,
    )


def _judged(read: ReadAgent, file: RenderedFile, target: Target, rules: Sequence[Rules]) -> RenderedFile:
    """What a target gets of an agent, unless a policy does not take it."""
    if file.document is None:
        return file
    found = judge_output(target.written, file.document, read.agent.slug, rules)
    if not found:
        return file
    # Only in the agent's own file does a line mean anything to its author.
    placed = found if file.document is read.document else tuple(replace(one, line=0) for one in found)
    return RenderedFile("", None, (*file.diagnostics, *placed))


def _render(
    snapshot: Snapshot, path: str, data: bytes, targets: Iterable[Target]
) -> tuple[ReadAgent | NoAgent, dict[str, RenderedFile]]:
    """What a file is, and by target's name what becomes of it there."""
    read = read_agent(path, data, snapshot.selection.dialect_of(path))
    if isinstance(read, NoAgent):
        return read, {}
    overrides = snapshot.overrides
    if snapshot.prefix:
        read = replace(read, agent=prefixed(read.agent, snapshot.prefix), passes_through=False)
        overrides = (*also_denied(read.agent, snapshot.prefix), *overrides)
    files = {}
    for target in targets:
        if target.filter.takes(read.agent):
            options = replace(target.options, models=snapshot.models.get(target.dialect, {}))
            files[target.name] = render(read, target.written, options, overrides)
    return read, files


def _target_state(
    target: Target,
    compiled: Sequence[CompiledAgent],
    used: Sequence[CompiledAgent],
    commits: Mapping[str, str],
    unread: frozenset[tuple[str, str]],
) -> TargetState:
    """What a target should hold; what comes of a file that is refused, read or unread, stays as it was."""
    files: dict[str, Wanted] = {}
    for compiled_agent in used:
        output = compiled_agent.outputs.get(target.name)
        if output and output.digest:
            files[output.path] = Wanted(
                output.digest,
                compiled_agent.name,
                target.dialect,
                compiled_agent.source,
                compiled_agent.path,
                commits[compiled_agent.source],
                compiled_agent.blob,
            )
    written = {(wanted.source, wanted.source_path) for wanted in files.values()}
    there = (
        (compiled_agent.source, compiled_agent.path)
        for compiled_agent in compiled
        if target.name not in compiled_agent.excluded
    )
    kept = unread.union(there) - written
    return TargetState(target.name, str(target.directory), files, kept)
