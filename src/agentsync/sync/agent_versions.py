"""Which compiled agents are used: the check of names over all sources, and the version of an agent for each target."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import PurePosixPath

from agentsync.config import Target
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.naming import name_key, slug
from agentsync.dialects import Dialect, dialects
from agentsync.repository.checks import masked
from agentsync.repository.selection import dialect_of
from agentsync.repository.versions import Named, Versions, check_names, several_versions
from agentsync.state.records import Key, Recorded
from agentsync.sync.compiled_agent import CompiledAgent, Output
from agentsync.sync.snapshot import Snapshot
from agentsync.targets.change import slug_of

Owners = Mapping[str, Collection[str]]
"""For the key of a name, or the stem of its files, the sources whose agent of that name is on this machine."""


def owners_of(inventory: Mapping[Key, Recorded], snapshots: Iterable[Snapshot]) -> Owners:
    """Return which source owns which names: it wrote the agent, under its present name or from its present URL."""
    names = {snapshot.url: snapshot.name for snapshot in snapshots}
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for (_, path), row in inventory.items():
        for key in {name_key(row.agent), slug_of(path)}:
            owners[key].add(names.get(row.source_url, row.source))
    return owners


@dataclass(frozen=True, slots=True)
class UsedAgents:
    """Result of the check of names.

    Attributes:
        compiled: each file; it has outputs only for the targets that get it, and is refused where its name clashes.
        used: those that are used.
        diagnostics: on agents of one name.
    """

    compiled: tuple[CompiledAgent, ...]
    used: tuple[CompiledAgent, ...]
    diagnostics: tuple[Diagnostic, ...]


def used_agents(
    snapshots: Sequence[Snapshot], compiled: Sequence[CompiledAgent], targets: Sequence[Target], owners: Owners
) -> UsedAgents:
    """Decide which agents are used, and for which targets; a source keeps the names that it owns."""
    by_name = {snapshot.name: snapshot for snapshot in snapshots}
    overriding = frozenset(snapshot.name for snapshot in snapshots if snapshot.replaces)
    indices = {named_agent(agent, by_name[agent.source]): index for index, agent in enumerate(compiled) if agent.slug}
    refused = chain.from_iterable(claimed(agent, by_name[agent.source]) for agent in compiled)
    unread = chain.from_iterable(_unread(snapshot) for snapshot in snapshots)
    unusable = [*refused, *unread]
    agents, twins, found = check_names([*indices], overriding, unusable, owners)
    diagnostics = [*found]
    results = [*compiled]
    for agent in agents:
        order = by_name[agent.source].selection.versions
        files = {version: results[indices[version]] for version in agent.usable}
        for version, file in _for_targets(agent, files, targets, order).items():
            results[indices[version]] = file
    used = sorted(indices[version] for agent in agents for version in agent.usable)
    clashing = {indices[twin] for twin in twins}
    for index in {*indices.values()}.difference(used):
        results[index] = replace(results[index], outputs={}, refused=index in clashing)
    for snapshot in snapshots:
        own = [one for one in agents if one.source == snapshot.name]
        renamed = [results[index] for index in used if results[index].source == snapshot.name]
        diagnostics += map(masked, (*several_versions(own, snapshot.selection.versions), *_plugin_names(renamed)))
    diagnostics += filter(None, map(_blocking, unusable))
    return UsedAgents(tuple(results), tuple(results[index] for index in used), tuple(diagnostics))


def without_clashes(
    used: Sequence[CompiledAgent], targets: Sequence[Target], owners: Owners
) -> tuple[CompiledAgent, ...]:
    """Refuse an output whose path belongs to another agent: one whose own name it is, or each one's of several.

    Only names that were adapted to a target can clash here, since equal ones are found before. Of several sources, the
    one that owns the name has the path, else the first.
    """
    refusals: dict[int, dict[str, Output]] = {}
    for target in targets:
        users: defaultdict[str, list[int]] = defaultdict(list)
        for index, compiled_agent in enumerate(used):
            if (output := compiled_agent.outputs.get(target.name)) and output.path:
                users[output.path].append(index)
        for path, indices in ((path, indices) for path, indices in users.items() if len(indices) > 1):
            has_it = _holder([used[index].source for index in indices], owners.get(slug_of(path), ()))
            for index in indices:
                agent = used[index]
                rivals = [other for other in indices if other != index and used[other].source in (agent.source, has_it)]
                if rivals and (agent.source != has_it or target.written.path_of(agent.slug) != path):
                    others = ", ".join(used[other].path for other in rivals)
                    message = f"the name that it gets here is also that of {others}"
                    refusal = Diagnostic(
                        Code.NAME_TWICE, message, path=agent.path, agent=agent.name, target=target.name
                    )
                    refusals.setdefault(index, {})[target.name] = Output("", "", (masked(refusal),))
    return tuple(
        replace(agent, outputs={**agent.outputs, **refusals[index]}) if index in refusals else agent
        for index, agent in enumerate(used)
    )


def _holder(sources: Sequence[str], owners: Collection[str]) -> str:
    """Return which of the sources has a path: the first that owns its name, else the first."""
    return next((source for source in sources if source in owners), sources[0])


_SHOWN = 4


def _plugin_names(agents: Sequence[CompiledAgent]) -> Iterator[Diagnostic]:
    """Report once which agents of a source got the name of their plugin in front."""
    names = [f"`{agent.name}`" for agent in agents if agent.own_slug]
    if names:
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        message = f"their own names are also those of other agents: {', '.join(names[:_SHOWN])}{more}"
        yield Diagnostic(Code.PLUGIN_NAMES, message)


def _blocking(file: Named) -> Diagnostic | None:
    """Report a file of several agents that cannot be used: it is unknown which agents its tool has versions of."""
    if file.slug:
        return None
    tool = dialects()[file.dialect].title
    message = f"it may have versions of any agent beside it, so {tool} gets none of these until it can be read"
    return Diagnostic(Code.KEPT_LAST_GOOD, message, path=file.path)


def named_agent(agent: CompiledAgent, snapshot: Snapshot) -> Named:
    """Return the identity of an agent for the check of names."""
    return Named(
        agent.source, agent.path, agent.blob, agent.name, agent.slug, agent.dialect, selection=snapshot.selection
    )


def claimed(agent: CompiledAgent, snapshot: Snapshot) -> Iterator[Named]:
    """Yield the identities that a refused file would have."""
    for name in agent.claims:
        yield replace(named_agent(agent, snapshot), name=name, slug=name)


def claims_of(path: str, name: str, dialect: Dialect, prefix: str) -> tuple[str, ...]:
    """Return the slugs that the agent in a file would have, which cannot be used.

    Args:
        path: of the file in its source.
        name: what the file calls the agent; empty where that is not known.
        dialect: that it is in.
        prefix: what names begin with here.

    Returns:
        An empty slug, for any agent, where the file would contain several.
    """
    file, entry = split_path(path)
    if dialect.shared and not entry:
        return ("",)
    base = PurePosixPath(file).name
    ending = max((suffix for suffix in dialect.suffixes if base.endswith(suffix)), key=len, default="")
    stem = entry or base.removesuffix(ending)
    return tuple(dict.fromkeys(filter(None, (slug(prefix + stem), slug(prefix + name, prefix + stem) if name else ""))))


def _unread(snapshot: Snapshot) -> Iterator[Named]:
    """Yield the identities of files of tools that are not read; a symbolic link is no version of its own."""
    for problem in snapshot.diagnostics:
        dialect = dialect_of(problem.path, snapshot.selection)
        if dialect and problem.code is not Code.SYMLINK:
            claims = claims_of(problem.path, "", dialect, snapshot.prefix_of(problem.path))
            file = CompiledAgent(snapshot.name, problem.path, "", dialect=dialect.name, claims=claims)
            yield from claimed(file, snapshot)


def _for_targets(
    agent: Versions, files: Mapping[Named, CompiledAgent], targets: Sequence[Target], order: Sequence[str]
) -> Mapping[Named, CompiledAgent]:
    """Return the files of an agent, each with the outputs for the targets that get this version.

    A target is excluded from the other versions, whose former output there is no longer wanted; but not where the
    version for it cannot be used, since the last good one stays then, from whichever file it is.
    """
    if len(agent.by_tool) == 1:
        return files
    dropped: dict[Named, set[str]] = {version: set() for version in files}
    excluded: dict[Named, set[str]] = {version: set() for version in files}
    for target in targets:
        chosen = agent.chosen(target.written, order)
        for version in files:
            if version != chosen:
                dropped[version].add(target.name)
                if chosen and _is_settled(files[chosen], target.name):
                    excluded[version].add(target.name)
    return {
        version: replace(
            file,
            outputs={name: output for name, output in file.outputs.items() if name not in dropped[version]},
            excluded=file.excluded | excluded[version],
        )
        for version, file in files.items()
    }


def _is_settled(agent: CompiledAgent, target: str) -> bool:
    """Whether a target gets this version, or none at all since the version is excluded there."""
    output = agent.outputs.get(target)
    return target in agent.excluded or bool(output and output.digest)
