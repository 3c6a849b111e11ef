"""Build of the wanted state of all targets: each file of each source is read and rendered, or taken from the cache.

The result for a file depends only on its bytes, its path and the settings of the targets, so it is cached and a run
reads only what changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from agentsync.config import Target
from agentsync.convert.policy import Policy, Rules, SourcePolicy
from agentsync.convert.policy_check import judge_output, judge_text
from agentsync.convert.render import RenderedFile, render
from agentsync.core.build_id import engine
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.dialects import refused
from agentsync.git.objects import Entry
from agentsync.repository.checks import masked
from agentsync.repository.dependencies import needs_of
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from agentsync.repository.overrides import also_denied, prefixed, unused
from agentsync.repository.plugins import Plugins, prefixes
from agentsync.repository.selection import dialect_of
from agentsync.state.render_cache import Cache
from agentsync.sync.agent_versions import claimed, claims_of, named_agent, used_agents, without_clashes
from agentsync.sync.compiled_agent import CompiledAgent, Output, decode, encode
from agentsync.sync.needs import with_needs
from agentsync.sync.request import Progress, no_progress
from agentsync.sync.snapshot import Snapshot
from agentsync.sync.unmatched import unmatched_of_source
from agentsync.targets.change import Change, TargetState, Wanted


@dataclass(frozen=True, slots=True)
class BuildResult:
    """Compiled agents, those of them that are used, the wanted state of each target, and all diagnostics.

    The compiled agents include the files that look like agents and must not be read, which are refused.
    """

    compiled: tuple[CompiledAgent, ...]
    used: tuple[CompiledAgent, ...]
    states: tuple[TargetState, ...]
    diagnostics: tuple[Diagnostic, ...]
    contents: ContentStore


# Cached results of earlier commits and settings that are worth keeping: enough for a branch and its predecessor.
_CACHE_SHARE = 3
_CACHE_LEAST = 2000


def build(
    snapshots: Sequence[Snapshot],
    targets: Sequence[Target],
    cache: Cache | None,
    policy: Policy,
    *,
    progress: Progress = no_progress,
) -> BuildResult:
    """Read and render every file of every source for every target; `progress` is called with how many are done.

    An agent that the policy does not accept is refused, and treated like a file that cannot be read.

    Raises:
        SourceUnavailableError: a mirror cannot be read.
        StateError: the cache cannot be used.
    """
    snapshots = [_with_plugin_prefixes(snapshot, cache) for snapshot in snapshots]
    contents = ContentStore(snapshots, targets)
    compiled: tuple[CompiledAgent, ...] = ()
    oversized: list[Diagnostic] = []
    unmatched: list[Diagnostic] = []
    for snapshot in snapshots:
        source_policy = policy.of_source(snapshot.name, snapshot.url)
        compiling = _compile(snapshot, targets, cache, contents, policy=source_policy, progress=progress)
        of_source = with_needs(snapshot, tuple(compiling))
        if problem := _too_many_agents(snapshot, of_source, source_policy):
            oversized.append(problem)
            of_source = tuple(CompiledAgent(one.source, one.path, one.blob, refused=True) for one in of_source)
        unmatched += [*snapshot.unmatched, *unmatched_of_source(snapshot, (*of_source, *_unusable(snapshot)))]
        compiled += of_source
    if cache:
        cache.trim(_CACHE_SHARE * len(compiled) + _CACHE_LEAST)
    names = used_agents(snapshots, compiled, targets)
    used = without_clashes(names.used, targets)
    by_file = {(one.source, one.path): one for one in used}
    compiled = tuple(by_file.get((one.source, one.path), one) for one in names.compiled)
    commits = {snapshot.name: snapshot.commit for snapshot in snapshots}
    unread = frozenset(
        (snapshot.name, path)
        for snapshot in snapshots
        for path in (*(problem.path for problem in snapshot.diagnostics), *snapshot.unread)
    )
    states = tuple(_target_state(target, compiled, used, commits, unread) for target in targets)
    diagnostics = [
        *(diagnostic for snapshot in snapshots for diagnostic in snapshot.diagnostics),
        *oversized,
        *unmatched,
        *(diagnostic for compiled_agent in compiled for diagnostic in compiled_agent.diagnostics),
        *names.diagnostics,
        *_unused(snapshots, compiled),
        *(
            diagnostic
            for compiled_agent in used
            for output in compiled_agent.outputs.values()
            for diagnostic in output.diagnostics
        ),
    ]
    unusable = tuple(one for snapshot in snapshots for one in _unusable(snapshot))
    return BuildResult((*compiled, *unusable), used, states, tuple(diagnostics), contents)


def _unusable(snapshot: Snapshot) -> Iterator[CompiledAgent]:
    """Yield each file that looks like an agent and must not be read, such as a symbolic link."""
    for path in dict.fromkeys(one.path for one in snapshot.diagnostics if one.path and refused((one,))):
        yield CompiledAgent(snapshot.name, path, "", refused=True)


class ContentStore:
    """Bytes of wanted files: those rendered in this run, and the others on demand."""

    def __init__(self, snapshots: Sequence[Snapshot], targets: Sequence[Target]) -> None:
        self._snapshots = {snapshot.name: snapshot for snapshot in snapshots}
        self._targets = targets
        self._bytes: dict[tuple[str, str], bytes] = {}

    def keep(self, target: str, data: bytes) -> str:
        """Store the bytes of one file and return their digest."""
        digested = digest(data)
        self._bytes[target, digested] = data
        return digested

    def load(self, files: Iterable[tuple[str, Wanted]]) -> None:
        """Render those of these files, each with its target, that this run took from the cache; read each mirror once.

        Raises:
            SourceUnavailableError: a mirror cannot be read.
        """
        missing = (file for target, file in files if (target, file.digest) not in self._bytes)
        for snapshot, path, data in self._sources_of((file.source, file.blob, file.source_path) for file in missing):
            for name, rendered in _render(snapshot, path, data, self._targets)[1].items():
                if rendered.data is not None:
                    self.keep(name, rendered.data)

    def read_again(self, compiled: Iterable[CompiledAgent]) -> Iterator[ReadAgent]:
        """Read agents again as they were read for the build, which does not keep them; each mirror is read once.

        Raises:
            SourceUnavailableError: a mirror cannot be read.
            ConfigError: a working tree cannot be read, or has changed.
        """
        for snapshot, path, data in self._sources_of((one.source, one.blob, one.path) for one in compiled):
            read, _ = _render(snapshot, path, data, ())
            assert isinstance(read, ReadAgent)  # noqa: S101 - the build found an agent in the same bytes
            yield read

    def _sources_of(self, files: Iterable[tuple[str, str, str]]) -> Iterator[tuple[Snapshot, str, bytes]]:
        """Yield the snapshot, the path and the bytes of files that are given by source, blob and path."""
        paths: dict[str, dict[str, dict[str, None]]] = {}
        for source, blob, path in files:
            paths.setdefault(source, {}).setdefault(blob, {})[path] = None
        for source, blobs in paths.items():
            snapshot = self._snapshots[source]
            for blob, data in snapshot.blobs(blobs):
                yield from ((snapshot, path, data) for path in blobs[blob])

    def __call__(self, change: Change) -> bytes:
        """Return the bytes of a change's wanted file; `load` must have been called with that file before."""
        assert change.wanted is not None  # noqa: S101 - only changes that write ask for bytes
        return self._bytes[change.target, change.wanted.digest]


def _unused(snapshots: Sequence[Snapshot], compiled: Sequence[CompiledAgent]) -> Iterator[Diagnostic]:
    """Report each override that matches no agent of its sources."""
    for override in dict.fromkeys(override for snapshot in snapshots for override in snapshot.overrides):
        sources = {snapshot.name for snapshot in snapshots if override in snapshot.overrides}
        agents = (
            compiled_agent for compiled_agent in compiled if compiled_agent.source in sources and compiled_agent.name
        )
        yield from unused([override], ((compiled_agent.slugs, compiled_agent.tags) for compiled_agent in agents))


def _with_plugin_prefixes(snapshot: Snapshot, cache: Cache | None) -> Snapshot:
    """Return the snapshot with a plugin's name in front of each agent that other plugins have one of the same name of.

    These depend on the repository alone, so settings of this machine do not rename an agent.
    """
    plugins = Plugins(snapshot.paths, snapshot.plugins)
    if not plugins.several(entry.path for entry in snapshot.entries):
        return snapshot
    plain = replace(snapshot, prefix="", filters=(), overrides=())
    compiled = [*_compile(plain, (), cache, ContentStore((), ()), policy=SourcePolicy())]
    named = [named_agent(agent, snapshot) for agent in compiled if agent.slug]
    named += [one for agent in compiled for one in claimed(agent, snapshot) if one.slug]
    return replace(snapshot, plugin_prefixes=prefixes(named, plugins))


def _too_many_agents(snapshot: Snapshot, compiled: Iterable[CompiledAgent], policy: SourcePolicy) -> Diagnostic | None:
    """Report a source that has more agents than its policy allows."""
    agents = len({compiled_agent.slug for compiled_agent in compiled if compiled_agent.slug})
    if agents <= policy.max_agents:
        return None
    message = f"source `{snapshot.name}` has {agents} agents, more than the {policy.max_agents} allowed"
    return Diagnostic(Code.HELD_CROWD, message)


def _compile(
    snapshot: Snapshot,
    targets: Sequence[Target],
    cache: Cache | None,
    contents: ContentStore,
    *,
    policy: SourcePolicy,
    progress: Progress = no_progress,
) -> Iterator[CompiledAgent]:
    """Compile each file, in the order of the entries; results that are not in the cache are added to it."""
    common = repr((policy, snapshot.overrides, snapshot.filters, snapshot.prefix, snapshot.prefixes))
    keys = {entry: _key(snapshot, entry, targets, common) for entry in snapshot.entries}
    cached = cache.get_many(keys.values()) if cache else {}
    compiled = {key: decode(value) for key, value in cached.items()}
    missing: dict[str, list[Entry]] = {}
    for entry, key in keys.items():
        if key not in compiled:
            missing.setdefault(entry.blob, []).append(entry)
    if missing:
        fresh = {
            keys[entry]: _make(snapshot, entry, data, targets, contents=contents, policy=policy)
            for blob, data in _counted(snapshot.blobs(missing), len(missing), progress)
            for entry in missing[blob]
        }
        if cache:
            cache.put_many({key: encode(compiled_agent) for key, compiled_agent in fresh.items()})
        compiled |= fresh
    for entry, key in keys.items():
        yield replace(compiled[key], source=snapshot.name, path=entry.path, blob=entry.blob)


def _counted(blobs: Iterable[tuple[str, bytes]], total: int, progress: Progress) -> Iterator[tuple[str, bytes]]:
    for done, blob in enumerate(blobs, start=1):
        yield blob
        progress("reading", done, total)


def _key(snapshot: Snapshot, entry: Entry, targets: Sequence[Target], common: str) -> str:
    """Return the cache key: everything that decides the result; `common` is what applies to all files of the source."""
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
    prefix = snapshot.plugin_prefixes.get(entry.path)
    inputs = [engine(), entry.path, entry.blob, forced, prefix, common, settings]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()


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
        dialect = dialect_of(entry.path, snapshot.selection)
        if not (read.refused and dialect):
            return replace(compiled_agent, refused=read.refused)
        claims = claims_of(entry.path, read.name, dialect, snapshot.prefix_of(entry.path))
        return replace(compiled_agent, refused=True, dialect=dialect.name, claims=claims)
    agent = read.agent
    if not all(agent_filter.takes(agent) for agent_filter in snapshot.filters):
        everywhere = frozenset(target.name for target in targets)
        return CompiledAgent(
            snapshot.name, entry.path, entry.blob, tags=agent.tags, excluded=everywhere, left_out=agent.slugs
        )
    rules = policy.rules(*agent.slugs)
    judged = judge_text(read.diagnostics, agent.slug, len(read.document.data), rules)
    included = {target for target, file in files.items() if not file.excluded}
    compiled_agent = replace(
        compiled_agent,
        excluded=frozenset(target.name for target in targets if target.name not in included),
        diagnostics=tuple(masked(diagnostic.at(path=entry.path, agent=agent.name)) for diagnostic in judged),
    )
    if refused(compiled_agent.diagnostics):
        return replace(compiled_agent, refused=True, dialect=read.dialect.name, claims=(agent.slug,))
    outputs = {}
    for target in targets:
        if target.name in files:
            file = _judged(read, files[target.name], target, rules)
            located = (
                diagnostic.at(path=entry.path, agent=agent.name, target=target.name) for diagnostic in file.diagnostics
            )
            digested = contents.keep(target.name, file.data) if file.data is not None else ""
            outputs[target.name] = Output(file.path, digested, tuple(map(masked, located)))
    return replace(
        compiled_agent,
        name=agent.name,
        slug=agent.slug,
        own_slug=agent.own_slug,
        dialect=read.dialect.name,
        description=agent.description,
        tags=agent.tags,
        outputs=outputs,
        needs=needs_of(agent, read.document),
    )


def _judged(read: ReadAgent, file: RenderedFile, target: Target, rules: Sequence[Rules]) -> RenderedFile:
    """Return the rendered file, without its data where a policy does not accept it."""
    if file.document is None:
        return file
    refusals = judge_output(target.written, file.document, read.agent.slug, rules)
    if not refusals:
        return file
    # A line number means something to the author only in the agent's own file.
    located = refusals if file.document is read.document else tuple(replace(refusal, line=0) for refusal in refusals)
    return RenderedFile("", None, (*file.diagnostics, *located))


def _render(
    snapshot: Snapshot, path: str, data: bytes, targets: Iterable[Target]
) -> tuple[ReadAgent | NoAgent, dict[str, RenderedFile]]:
    """Read a file, and render it for each target that takes it, by the target's name."""
    read = read_agent(path, data, snapshot.selection.dialect_of(path))
    if isinstance(read, NoAgent):
        return read, {}
    if prefix := snapshot.prefix_of(path):
        agent = prefixed(read.agent, prefix)
        if path in snapshot.plugin_prefixes:
            agent = agent.model_copy(update={"own_slug": prefixed(read.agent, snapshot.prefix).slug})
        read = replace(read, agent=agent, passes_through=False)
    overrides = (*also_denied(read.agent, *snapshot.prefixes), *snapshot.overrides)
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
    """Return the wanted state of a target; the outputs of files that are refused or cannot be read stay as they are."""
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
    not_excluded = (
        (compiled_agent.source, compiled_agent.path)
        for compiled_agent in compiled
        if target.name not in compiled_agent.excluded
    )
    kept = unread.union(not_excluded) - written
    return TargetState(target.name, str(target.directory), files, kept)
