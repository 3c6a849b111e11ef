"""Build of the wanted state of all targets: each file of each source is read and rendered, or taken from the cache.

The result for a file depends only on its bytes, its path and the settings of the targets, so it is cached and a run
reads only what changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from agentsync.config import Target
from agentsync.convert.approval_check import Author
from agentsync.convert.policy import Policy, Rules, SourcePolicy
from agentsync.convert.policy_check import judge_output, judge_text
from agentsync.convert.render import RenderedFile, without_losses
from agentsync.core.build_id import engine
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.dialects import refused
from agentsync.git.objects import Entry
from agentsync.repository.checks import masked
from agentsync.repository.dialect_detection import NoAgent, ReadAgent
from agentsync.repository.overrides import unused
from agentsync.repository.plugins import Plugins, prefixes
from agentsync.repository.selection import dialect_of
from agentsync.state.render_cache import Cache
from agentsync.sync.agent_versions import Owners, claimed, claims_of, named_agent, used_agents, without_clashes
from agentsync.sync.called_agents import called_names, missing_agents
from agentsync.sync.compiled_agent import CompiledAgent, Output, decode, encode
from agentsync.sync.contents import ContentStore, render_file
from agentsync.sync.needs import with_needs
from agentsync.sync.request import Progress, no_progress
from agentsync.sync.snapshot import Snapshot
from agentsync.sync.time_budget import TimeBudget, took_too_long
from agentsync.sync.unmatched import unmatched_of_source
from agentsync.targets.change import TargetState, Wanted


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
    owners: Owners = MappingProxyType({}),
    progress: Progress = no_progress,
) -> BuildResult:
    """Read and render every file of every source for every target.

    An agent that the policy does not accept is refused, and treated like a file that cannot be read; so is a file that
    takes too long.

    Args:
        snapshots: of the sources.
        targets: which get their agents.
        cache: of earlier results; None to use none.
        policy: what agents may be given.
        owners: the sources that have names on this machine and keep them.
        progress: called after each file that is read.

    Raises:
        SourceUnavailableError: a mirror cannot be read.
        StateError: the cache cannot be used.
    """
    snapshots = [_with_plugin_prefixes(snapshot, cache) for snapshot in snapshots]
    contents = ContentStore(snapshots, targets, cache.staging if cache else None)
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
    names = used_agents(snapshots, compiled, targets, owners)
    used = without_clashes(names.used, targets, owners)
    snapshots = [replace(one, called=called_names(one, used, targets)) for one in snapshots]
    contents.follow(snapshots)
    for snapshot in snapshots:
        entries = [entry for entry in snapshot.entries if entry.path in snapshot.called]
        if entries:
            calling, source_policy = replace(snapshot, entries=entries), policy.of_source(snapshot.name, snapshot.url)
            again = _compile(calling, targets, cache, contents, policy=source_policy, progress=progress)
            used = tuple(_with_called_names(snapshot, used, again))
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
        *map(masked, missing_agents(snapshots, compiled)),
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


def _unused(snapshots: Sequence[Snapshot], compiled: Sequence[CompiledAgent]) -> Iterator[Diagnostic]:
    """Report each override that matches no agent of its sources."""
    for override in dict.fromkeys(override for snapshot in snapshots for override in snapshot.overrides):
        sources = {snapshot.name for snapshot in snapshots if override in snapshot.overrides}
        agents = (
            compiled_agent for compiled_agent in compiled if compiled_agent.source in sources and compiled_agent.name
        )
        yield from unused([override], ((compiled_agent.slugs, compiled_agent.tags) for compiled_agent in agents))


def _with_called_names(
    snapshot: Snapshot, used: Iterable[CompiledAgent], compiled: Iterable[CompiledAgent]
) -> Iterator[CompiledAgent]:
    """Yield the agents, those of one source with the outputs of what was compiled for the names of called agents."""
    renewed = {one.path: one for one in compiled}
    for agent in used:
        if agent.source != snapshot.name or agent.path not in renewed:
            yield agent
        else:
            called, again = snapshot.called[agent.path], renewed[agent.path].outputs
            outputs = {
                target: again[target] if target in called and output.digest else output
                for target, output in agent.outputs.items()
            }
            yield replace(agent, outputs=outputs)


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
    """Compile each file, in the order of the entries; results that are not in the cache are added to it.

    That a file took too long is not: it may have been this machine's fault.
    """
    common = _digest_of_settings(snapshot, targets, policy)
    entries = {_key(snapshot, entry, common): entry for entry in snapshot.entries}
    compiled = {
        key: decode(value, source=snapshot.name, path=entries[key].path, blob=entries[key].blob)
        for key, value in (cache.get_many(entries) if cache else ())
    }
    missing: dict[str, list[str]] = {}
    for key, entry in entries.items():
        if key not in compiled:
            missing.setdefault(entry.blob, []).append(key)
    if missing:
        fresh: dict[str, CompiledAgent] = {}
        total = sum(map(len, missing.values()))
        for blob, data in snapshot.blobs(missing):
            for key in missing[blob]:
                fresh[key] = _make(snapshot, entries[key], data, targets, contents=contents, policy=policy)
                progress("reading", len(fresh), total)
        if cache:
            cache.put_many((key, encode(one)) for key, one in fresh.items() if not took_too_long(one.diagnostics))
        compiled |= fresh
    yield from map(compiled.__getitem__, entries)


def _digest_of_settings(snapshot: Snapshot, targets: Sequence[Target], policy: SourcePolicy) -> str:
    """Return a digest of everything that decides the results of all files of a source."""
    settings = [
        [
            target.name,
            target.dialect,
            repr((target.options, target.filter)),
            sorted(snapshot.models.get(target.dialect, {}).items()),
        ]
        for target in targets
    ]
    common = repr((policy, snapshot.overrides, snapshot.filters, snapshot.prefix, snapshot.prefixes))
    return digest(json.dumps([engine(), common, settings]).encode())


def _key(snapshot: Snapshot, entry: Entry, common: str) -> str:
    """Return the cache key: everything that decides the result; `common` is what applies to all files of the source."""
    forced = snapshot.selection.dialect_of(entry.path)
    prefix = snapshot.plugin_prefixes.get(entry.path)
    called = sorted((target, sorted(names.items())) for target, names in snapshot.called.get(entry.path, {}).items())
    return digest(json.dumps([common, entry.path, entry.blob, forced, prefix, called]).encode())


def _make(
    snapshot: Snapshot,
    entry: Entry,
    data: bytes,
    targets: Sequence[Target],
    *,
    contents: ContentStore,
    policy: SourcePolicy,
) -> CompiledAgent:
    read, files = render_file(snapshot, entry.path, data, targets, TimeBudget())
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
            digested = contents.keep(file.data) if file.data is not None else ""
            outputs[target.name] = Output(file.path, digested, tuple(map(masked, located)), file.name, file.lost)
    return replace(
        compiled_agent,
        name=agent.name,
        slug=agent.slug,
        own_slug=agent.own_slug,
        dialect=read.dialect.name,
        description=agent.description,
        tags=agent.tags,
        outputs=outputs,
        needs=read.needs,
    )


def _judged(read: ReadAgent, file: RenderedFile, target: Target, rules: Sequence[Rules]) -> RenderedFile:
    """Return the rendered file, without its data where a policy does not accept it."""
    if file.document is None:
        return file
    author = Author(read.dialect, read.document, frees_session=target.options.approval == "allow")
    # A line number means something to the author only in the agent's own file.
    document = file.document if file.document is read.document else replace(file.document, lines={})
    refusals = judge_output(target.written, document, read.agent.slug, rules, author)
    return RenderedFile("", None, (*without_losses(file.diagnostics), *refusals)) if refusals else file


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
