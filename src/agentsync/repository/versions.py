"""Agents of one name: versions of one agent for several tools, copies, and clashes.

A team that maintains an agent for several tools has a file of it in the directory of each. These are one agent in
several versions. Two files of one tool are not: it is unclear which of them counts.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import islice
from types import MappingProxyType
from typing import NamedTuple

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.naming import name_key
from agentsync.dialects import Dialect, dialects
from agentsync.repository.selection import Selection, dialect_of

_AGENT_DIRECTORIES = frozenset({"agents", "agent"})


class Place(NamedTuple):
    """Where a file is, as far as that decides between agents of one name.

    Attributes:
        project: the path of the project that it belongs to: what contains the directory of agents.
        certainty: how its tool is known: 0 from a directory of that tool's, 1 otherwise by its path or as declared, 2
            from its content.
        is_root: whether the project is the whole source.
    """

    project: str
    certainty: int
    is_root: bool


_ANY = Selection()


@dataclass(frozen=True, slots=True)
class Named:
    """Identity of an agent for the check of names: source, path in it, blob id, its name and that of its files.

    Attributes:
        dialect: that its file is in.
        selection: how it was chosen.
    """

    source: str
    path: str
    blob: str
    name: str
    slug: str
    dialect: str = ""
    selection: Selection = field(default=_ANY, compare=False, repr=False)

    @property
    def place(self) -> Place:
        """Where its file is; only agents of one name are asked for that."""
        return place_of(self.path, self.selection)

    @property
    def keys(self) -> frozenset[str]:
        """What must be its own: the key of its name, and the stem of its files."""
        return frozenset((name_key(self.name), self.slug))

    @property
    def tool(self) -> str:
        """The tool of its dialect."""
        return tool_of(self.dialect)


@dataclass(frozen=True, slots=True)
class Versions:
    """One agent that is used, in one version or in several.

    Attributes:
        by_tool: the version for each tool that has one; None where it cannot be used: there are two, or it cannot be
            read. That tool gets no other version then, since its own may be the one that restricts the agent there.
    """

    by_tool: Mapping[str, Named | None]

    @property
    def usable(self) -> tuple[Named, ...]:
        """The versions that can be used; at least one."""
        return tuple(filter(None, self.by_tool.values()))

    @property
    def source(self) -> str:
        """The source that has all of them."""
        return self.usable[0].source

    def chosen(self, target: Dialect, order: Sequence[str]) -> Named | None:
        """The version that a target gets: its tool's own, else the first in order; None if its own cannot be used."""
        own = tool_of(target.name)
        if own in self.by_tool:
            return self.by_tool[own]
        preferred = (self.by_tool.get(tool) for tool in _preference(target, order))
        return next(filter(None, preferred), self.usable[0])


def place_of(path: str, selection: Selection) -> Place:
    """Return where a file is."""
    file, _ = split_path(path)
    root = selection.subfolder.strip("/")
    certainty = 2 if dialect_of(path, selection) is None else 1
    if match := _tool_directories().match(f"/{file}"):
        project, certainty = match[1].strip("/"), 0
    elif selection.dialect_of(path):
        project = root
    else:
        above = file.split("/")[:-1]
        last = max((index for index, part in enumerate(above) if part in _AGENT_DIRECTORIES), default=len(above))
        project = "/".join(above[:last])
    return Place(project, certainty, project == root)


@cache
def _tool_directories() -> re.Pattern[str]:
    """Match a path in a directory of a tool's, or of a tool's multi-agent file; the last one counts."""
    directories = {place for dialect in dialects().values() if not dialect.shared for place in dialect.places}
    files = {place for dialect in dialects().values() if dialect.shared for place in dialect.places}
    either = (
        f"(?:{'|'.join(map(re.escape, sorted(names)))}){end}" for names, end in ((directories, "/"), (files, "$"))
    )
    return re.compile(rf"(.*/)(?:{'|'.join(either)})", re.DOTALL)


@cache
def _tools() -> Mapping[str, str]:
    """Each dialect with that of the same tool that comes first: two with a directory in common are one tool's."""
    every = dialects().values()
    return {one.name: next(other.name for other in every if one is other or one.places & other.places) for one in every}


def tool_of(dialect: str) -> str:
    """Return what the dialects of one tool have in common, by which its versions are known."""
    return _tools().get(dialect, dialect)


@cache
def default_order() -> tuple[str, ...]:
    """The dialects, first those that express most: of an agent in such a format, least is lost on the way to others."""
    return tuple(sorted(dialects(), key=lambda name: (-_expressed(dialects()[name]), name)))


def _expressed(dialect: Dialect) -> int:
    """Return how many fields of an agent a format has, and how many tools it can grant, and ask for."""
    capabilities = dialect.capabilities
    return len(dialect.carries) + len(capabilities.tools) + len(capabilities.asks & capabilities.tools)


def _preference(target: Dialect, order: Sequence[str]) -> Iterator[str]:
    """Yield the tools whose version a target gets that has none: as ordered, then those whose files its tool reads."""
    yield from map(tool_of, (*order, *target.also_reads, *default_order()))


class NameCheck(NamedTuple):
    """Result of the check of names: the agents that are used, those that are refused, and the diagnostics."""

    used: Sequence[Versions]
    refused: Sequence[Named]
    diagnostics: Sequence[Diagnostic]


def check_names(
    agents: Sequence[Named],
    overriding: frozenset[str],
    unusable: Sequence[Named] = (),
    owners: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> NameCheck:
    """Decide which agents are used where several have the same name, or would have files of the same name.

    Equal content is used once. Files of one source for different tools are versions of one agent. Where one tool has
    two in one project, neither is used; where two projects of a source have agents of one name, none is, unless one
    project is the whole source or is alone in having them in directories of tools.

    Of several sources one has the name, whatever the others publish: a later one that is configured to replace those
    above it, else the one whose agent is on this machine, else the first. So a source cannot block another's agent.

    Args:
        agents: in the order of their sources.
        overriding: sources whose agents win over those of earlier sources.
        unusable: files of tools that would be agents and cannot be used; their names may be those of their files, or
            empty where a file would contain several agents.
        owners: for the key of a name, or the stem of its files, the sources whose agent of that name is on this
            machine. Such a source keeps the name as long as it has the agent, even where that cannot be used now.
    """
    used: list[Versions] = []
    refused: list[Named] = []
    diagnostics: list[Diagnostic] = []
    holders: dict[str, _Claim] = {}
    for claim in _in_order_of_precedence([*_claims(agents), *_claims_of(unusable)], overriding, owners):
        found = (holders[key] for key in claim.keys if key in holders)
        if holder := next((one for one in found if one.source != claim.source), None):
            lost, reported = _lost(claim, holder)
            refused += lost
            diagnostics += reported
            continue
        if claim.versions or claim.replaces or claim.is_owner:
            for key in claim.keys:
                holders.setdefault(key, claim)
        refused += claim.twins
        diagnostics += _twins(claim.twins)
        if claim.versions:
            used.append(claim.versions)
            settled = {*claim.versions.usable, *claim.twins}
            diagnostics += [_ignored(one, claim.versions) for one in claim.agents if one not in settled]
    return NameCheck(_with_unusable(used, unusable), refused, diagnostics)


@dataclass(frozen=True, slots=True)
class _Claim:
    """Claim of one source to a name, or to several that its agents connect.

    Attributes:
        agents: those of the name.
        keys: of their names and files.
        versions: the versions that are used if the source has the name; None if none can be.
        twins: the agents that cannot be distinguished.
        replaces: whether the source replaces those above it, and no later one does so.
        is_replaced: whether a later source that replaces this one claims the name, too.
        is_owner: whether the source has the name on this machine.
    """

    agents: Sequence[Named]
    keys: frozenset[str]
    versions: Versions | None = None
    twins: Sequence[Named] = ()
    replaces: bool = False
    is_replaced: bool = False
    is_owner: bool = False

    @property
    def source(self) -> str:
        return self.agents[0].source


def _claims(agents: Iterable[Named]) -> Iterator[_Claim]:
    """Yield what each source claims; sources are grouped one by one, so that none connects names of another."""
    by_source: defaultdict[str, list[Named]] = defaultdict(list)
    for agent in agents:
        by_source[agent.source].append(agent)
    for members in by_source.values():
        for group in groups_of_names(members):
            yield _Claim(group, frozenset(key for one in group for key in one.keys), *_of_source(group))


def _claims_of(unusable: Iterable[Named]) -> Iterator[_Claim]:
    for file in unusable:
        if file.slug:
            yield _Claim((file,), file.keys)


def _in_order_of_precedence(
    claims: Iterable[_Claim], overriding: frozenset[str], owners: Mapping[str, Collection[str]]
) -> Sequence[_Claim]:
    """Return the claims, first the one that has the name where several sources claim it."""
    claims = [*claims]
    order = {source: index for index, source in enumerate(dict.fromkeys(claim.source for claim in claims))}
    last: dict[str, int] = {}
    for claim in claims:
        if claim.source in overriding:
            last.update((key, max(order[claim.source], last.get(key, 0))) for key in claim.keys)
    ranked = [
        replace(
            claim,
            replaces=any(last.get(key) == order[claim.source] for key in claim.keys),
            is_replaced=any(last.get(key, 0) > order[claim.source] for key in claim.keys),
            is_owner=any(claim.source in owners.get(key, ()) for key in claim.keys),
        )
        for claim in claims
    ]
    return sorted(ranked, key=lambda claim: (claim.is_replaced, not claim.is_owner, order[claim.source]))


def _lost(claim: _Claim, holder: _Claim) -> tuple[Sequence[Named], Sequence[Diagnostic]]:
    """Return the agents of a claim that are refused since another source has the name, and what is reported."""
    if claim.is_replaced or (claim.versions is None and not claim.twins):
        return (), ()
    if holder.versions and not _differs(holder.versions, claim):
        return (), [_ignored(one, holder.versions) for one in claim.agents]
    return claim.agents, [_taken(one, holder) for one in claim.agents]


def groups_of_names(agents: Sequence[Named]) -> Collection[Sequence[Named]]:
    """Group the agents that share a name or the name of their files, with each other or through others.

    The two differ only for a name in another script, since the stem of its file counts for the names of files.
    """
    leaders: dict[str, str] = {}

    def leader(key: str) -> str:
        while leaders.setdefault(key, key) != key:
            leaders[key] = leaders[leaders[key]]  # halves the way for the next search
            key = leaders[key]
        return key

    for agent in agents:
        leaders[leader(name_key(agent.name))] = leader(agent.slug)
    groups: defaultdict[str, list[Named]] = defaultdict(list)
    for agent in agents:
        groups[leader(agent.slug)].append(agent)
    return groups.values()


def _differs(versions: Versions, claim: _Claim) -> bool:
    """Whether another source has different content under the same name."""
    contents = ({one.blob for one in each.usable} if each else set() for each in (versions, claim.versions))
    return bool(claim.twins) or len({*map(frozenset, contents)}) > 1


def _of_source(group: Sequence[Named]) -> tuple[Versions | None, Sequence[Named]]:
    if len(group) == 1:
        return Versions({group[0].tool: group[0]}), ()
    places = {agent: agent.place for agent in group}
    by_tool: dict[str, Named | None] = {}
    twins: list[Named] = []
    for tool, candidates in _by_tool(_of_project(places)).items():
        least = min(places[one].certainty for one in candidates)
        surest = [one for one in candidates if places[one].certainty == least]
        is_clear = len({one.blob for one in surest}) == 1
        by_tool[tool] = surest[0] if is_clear else None
        twins += [] if is_clear else surest
    versions = Versions(by_tool)
    return (versions, twins) if versions.usable else (None, group)


def _by_tool(agents: Iterable[Named]) -> Mapping[str, list[Named]]:
    by_tool: defaultdict[str, list[Named]] = defaultdict(list)
    for agent in agents:
        by_tool[agent.tool].append(agent)
    return by_tool


def _of_project(places: Mapping[Named, Place]) -> Sequence[Named]:
    """Return the agents of the project that counts; empty where two do, with different agents."""
    ranks = {place.project: 2 for place in places.values()}
    ranks |= {place.project: 0 if place.is_root else 1 for place in places.values() if place.certainty == 0}
    least = min(ranks.values())
    first = [agent for agent, place in places.items() if ranks[place.project] == least]
    distinct = {(agent.tool, agent.blob): agent for agent in reversed(first)}.values()
    projects = {places[agent].project for agent in distinct}
    if len(projects) > 1 and len({agent.blob for agent in first}) > 1:
        return []
    counts = places[first[0]].project
    return [agent for agent in first if places[agent].project == counts]


def _with_unusable(used: Sequence[Versions], unusable: Sequence[Named]) -> list[Versions]:
    """Return the agents with None for the tools whose version cannot be used."""
    tools: defaultdict[tuple[str, str], defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file in unusable:
        tools[file.source, file.slug][file.place.project].add(file.tool)
    return [_with_those(agent, tools) if tools else agent for agent in used]


def _with_those(agent: Versions, tools: Mapping[tuple[str, str], Mapping[str, set[str]]]) -> Versions:
    keys = {(agent.source, slug) for slug in ("", *(version.slug for version in agent.usable))} & tools.keys()
    projects = {version.place.project for version in agent.usable} if keys else set()
    missing = {tool for key in keys for project in projects for tool in tools[key].get(project, ())}
    return Versions({**dict.fromkeys(sorted(missing)), **agent.by_tool}) if missing else agent


_SHOWN = 4


def several_versions(agents: Iterable[Versions], order: Sequence[str]) -> Iterator[Diagnostic]:
    """Report once which agents of a source have versions for several tools, and which of them other tools get."""
    several = [agent for agent in agents if len(agent.usable) > 1]
    if not several:
        return
    tools = {version.tool for agent in several for version in agent.usable}
    ordered = dict.fromkeys(tool for tool in map(tool_of, (*order, *default_order())) if tool in tools)
    names = ", ".join(f"`{agent.usable[0].name}`" for agent in several[:_SHOWN])
    more = f" and {len(several) - _SHOWN} more" if len(several) > _SHOWN else ""
    verb = "has" if len(several) == 1 else "have"
    message = (
        f"{names}{more} {verb} versions for several tools: each gets its own, "
        f"any other tool the first one there is in the order {', '.join(ordered)}"
    )
    yield Diagnostic(Code.VERSIONS, message)


def _ignored(agent: Named, versions: Versions) -> Diagnostic:
    """Report an agent that is not used, since another file is."""
    other = versions.by_tool.get(agent.tool) or versions.usable[0]
    place = _place(other, agent)
    same = any(one.blob == agent.blob for one in versions.usable)
    message = f"the same agent is in {place}" if same else f"not used, since {place} has this name and takes precedence"
    return Diagnostic(Code.SAME_TWICE, message, path=agent.path, agent=agent.slug)


def _taken(agent: Named, holder: _Claim) -> Diagnostic:
    """Report an agent that is refused, since another source has its name."""
    other = next((one for one in holder.agents if not agent.keys.isdisjoint(one.keys)), holder.agents[0])
    has = "has the name on this machine" if holder.is_owner else "is listed first"
    message = f"`{other.name}` is also the name of {_place(other, agent)}, which {has}"
    return Diagnostic(Code.NAME_TWICE, message, path=agent.path, agent=agent.slug)


def _twins(group: Sequence[Named]) -> Iterator[Diagnostic]:
    """Report each agent of a group whose names are one, or whose files would be."""
    shared = Counter(name_key(agent.name) for agent in group)
    for agent in group:
        others = islice((other for other in group if other is not agent), _SHOWN)
        places = ", ".join(_place(other, agent) for other in others)
        more = f" and {len(group) - 1 - _SHOWN} more" if len(group) - 1 > _SHOWN else ""
        key, hint = name_key(agent.name), ""
        if shared[key] > 1 or key == agent.slug:
            name = agent.slug if key == agent.slug else agent.name
            message = f"`{name}` is also the name of {places}{more}"
        else:
            message = (
                f"`{agent.slug}`, which is written for `{agent.name}` in file names, is also that of {places}{more}"
            )
            hint = "give one of these files another name, which counts for agents named in another script"
        yield Diagnostic(Code.NAME_TWICE, message, path=agent.path, agent=agent.slug, hint=hint)


def _place(agent: Named, beside: Named) -> str:
    return agent.path if agent.source == beside.source else f"{agent.path} of source `{agent.source}`"
