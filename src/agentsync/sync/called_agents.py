"""Agents that others call: by which names they are known in each target, and names that no agent has.

A rule names an agent as its source calls it. Prefixes, plugins and names that a target does not take give it another
name there, which is known once all files of the source are compiled; so an agent that calls such a one is compiled
again, by a key that includes those names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache

from agentsync.agents.patterns import matches
from agentsync.config import Target
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.suggest import nearest
from agentsync.dialects import dialects
from agentsync.repository.plugins import Plugins
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.snapshot import Snapshot

_OF_PLUGIN = ":"
"""What is between the name of a plugin and that of its agent in Claude Code."""


def called_names(
    snapshot: Snapshot, used: Iterable[CompiledAgent], targets: Sequence[Target]
) -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    """Return, by path of an agent that calls others and by target, the names there of those that have another one."""
    agents = [one for one in used if one.source == snapshot.name]
    callers = [one for one in agents if one.needs.agents]
    if not callers:
        return {}
    names = _Names(snapshot, agents)
    # In its own tool an agent names others as they are called there, unless they are renamed for this machine.
    renamed_here = {one.slug for one in agents if snapshot.prefix_of(one.path)}
    found: defaultdict[str, dict[str, Mapping[str, str]]] = defaultdict(dict)
    for target in targets:
        here = {one.slug: out.name for one in agents if (out := one.outputs.get(target.name)) and out.digest}
        renamed: dict[tuple[str, bool], Mapping[str, str]] = {}
        for caller in callers:
            plugin, is_own = key = names.plugin_of(caller), caller.dialect == target.dialect
            if key not in renamed:
                meant = ((name, slug) for name, slug in names.meant_in(plugin).items() if slug in here)
                others = {name: here[slug] for name, slug in meant if slug in renamed_here or not is_own}
                renamed[key] = {name: other for name, other in others.items() if other != name}
            if concerned := _concerned(caller.needs.agents, renamed[key]):
                found[caller.path][target.name] = concerned
    return dict(found)


class _Names:
    """The names that the agents of a source have in it: their own, and those with their plugin in front."""

    def __init__(self, snapshot: Snapshot, agents: Iterable[CompiledAgent]) -> None:
        self._snapshot = snapshot
        self._plugins = Plugins(snapshot.paths, snapshot.plugins)
        self._slugs: defaultdict[str, set[str]] = defaultdict(set)
        self._beside: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        for agent in agents:
            for name in self.of(agent):
                self._slugs[name].add(agent.slug)
                self._beside[self.plugin_of(agent)][name].add(agent.slug)

    def plugin_of(self, agent: CompiledAgent) -> str:
        """The plugin of an agent; empty where it is in none."""
        return self._plugins.of(agent.path)

    def of(self, agent: CompiledAgent) -> Iterator[str]:
        """Yield the names of an agent, unless they would be read as patterns."""
        name = agent.name.removeprefix(self._snapshot.prefix_of(agent.path))
        if _is_exact(name):
            yield name
            if plugin := self.plugin_of(agent):
                yield f"{plugin}{_OF_PLUGIN}{name}"

    def meant_in(self, plugin: str) -> Mapping[str, str]:
        """The slug of the agent that each name means to a plugin's agents: one of the plugin, or else the only one."""
        meant = {name: self._beside[plugin].get(name, slugs) for name, slugs in self._slugs.items()}
        return {name: next(iter(slugs)) for name, slugs in meant.items() if len(slugs) == 1}


def _concerned(patterns: Iterable[str], renamed: Mapping[str, str]) -> Mapping[str, str]:
    """Return those of the renamed agents for which there may be rules, by either name."""
    exact = {pattern for pattern in patterns if _is_exact(pattern)}
    others = [pattern for pattern in patterns if pattern not in exact]
    return {
        name: other
        for name, other in sorted(renamed.items())
        if name in exact or other in exact or any(matches(one, name) or matches(one, other) for one in others)
    }


def missing_agents(snapshots: Sequence[Snapshot], compiled: Sequence[CompiledAgent]) -> Iterator[Diagnostic]:
    """Report, once for each agent, the names in its rules that are those of no agent."""
    if not any(one.needs.agents for one in compiled):
        return
    for snapshot in snapshots:
        agents = [one for one in compiled if one.source == snapshot.name and one.name]
        names = _Names(snapshot, agents)
        own = {name for one in agents for name in names.of(one)}
        # A file that cannot be used may be the one, and another source may have it.
        elsewhere = {name for one in compiled if one.source != snapshot.name for name in (one.name, one.slug)}
        elsewhere |= {name for one in compiled for name in one.claims} | _built_in()
        files = {_stem(one.path): next(names.of(one), "") for one in agents}
        for agent in agents:
            unknown = [name for name in agent.needs.agents if _is_exact(name) and name not in own | elsewhere]
            # An agent of another tool's is called by the name of its file in this one.
            known = {one.slug for one in agents if one.dialect != agent.dialect} if unknown else set[str]()
            if missing := [name for name in unknown if name not in known]:
                shown = ", ".join(f"`{name}`{_suggested(name, own, files)}" for name in missing)
                message = f"names agents that no file defines: {shown}"
                yield Diagnostic(Code.AGENT_UNKNOWN, message, path=agent.path, agent=agent.name)


def _is_exact(pattern: str) -> bool:
    return {"*", "?"}.isdisjoint(pattern)


def _suggested(name: str, own: Collection[str], files: Mapping[str, str]) -> str:
    """The agent that was probably meant, as a question: the one whose file is called so, or that has a name like it."""
    meant = files.get(name) or nearest(name, own)
    return f" (did you mean `{meant}`?)" if meant else ""


def _stem(path: str) -> str:
    """What the file of an agent is called, without its ending, or its entry in a file of several."""
    file, entry = split_path(path)
    return entry or file.rpartition("/")[2].partition(".")[0]


@cache
def _built_in() -> frozenset[str]:
    """The names of agents that tools have themselves: a rule of any tool may be for one."""
    return frozenset(name for dialect in dialects().values() for name in dialect.built_in | dialect.names.reserved)
