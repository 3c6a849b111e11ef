"""Overrides of what an agent's file sets: for one tool, by a repository, or by the user of a machine.

All of them use the keys of the neutral dialect. What an agent's own file sets for a target comes from its author and
applies as written; anybody else may restrict an agent and never give it more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import product

from pydantic import JsonValue

from agentsync.agents.abilities import Abilities, gained
from agentsync.agents.grants import UNTRANSLATED, Grants, Rule
from agentsync.agents.key_effects import is_foreign_restriction
from agentsync.agents.model import NEUTRAL, Agent
from agentsync.agents.patterns import ANY, TooManyPatternsError
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import slug
from agentsync.dialects import Dialect, dialects, no_dialect, refused
from agentsync.dialects._kit.fields import foreign_losses
from agentsync.dialects.neutral import FOR_TARGETS, read_table, spell

_CALLS = "task"

TAG = "tag:"
"""Prefix of a pattern that chooses agents by a tag instead of their name."""


@dataclass(frozen=True, slots=True)
class Override:
    """Override of some agents by somebody other than their author.

    Attributes:
        pattern: a glob over the agents' names as files have them, or `tag:` and one over their tags.
        place: where it is declared, for messages.
        table: the keys for every target, with `targets` for those of one.
        text: appended to the prompt.
        unusable: whether it cannot be parsed. It may be intended to restrict its agents, so they are refused then.
    """

    pattern: str
    place: str
    table: Mapping[str, JsonValue] = field(hash=False)
    text: str = ""
    unusable: bool = False

    def under(self, prefix: str) -> Override:
        """Return the override for agents whose names get this prefix where they are used."""
        return replace(self, pattern=_under(self.pattern, prefix))


@dataclass(frozen=True, slots=True)
class AgentFilter:
    """Filter of agents: those that match `only`, or all where it is empty, except those that match `skip`."""

    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()

    def takes(self, agent: Agent) -> bool:
        """Whether this agent is taken."""
        wanted = not self.only or any(chooses(pattern, agent) for pattern in self.only)
        return wanted and not any(chooses(pattern, agent) for pattern in self.skip)

    def under(self, prefix: str) -> AgentFilter:
        """Return the filter for agents whose names get this prefix, as `Override.under`."""
        only, skip = ([_under(pattern, prefix) for pattern in patterns] for patterns in (self.only, self.skip))
        return AgentFilter(tuple(only), tuple(skip))


@dataclass(frozen=True, slots=True)
class Overridden:
    """Agent for one target, with all overrides applied.

    Attributes:
        agent: None where the target does not get the agent, or it is refused for the target.
        changed: whether anything was overridden, so that the source's own bytes can no longer be used.
        regranted: whether its permissions are not those of its file.
        in_own_words: the place of an override that uses the target's own keys; what these grant shows only in the
            written file. Empty where there is none.
        excluded: whether the agent or an override excludes the target.
    """

    agent: Agent | None
    changed: bool = False
    regranted: bool = False
    in_own_words: str = ""
    excluded: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()


def matches(pattern: str, slugs: Iterable[str], tags: Iterable[str]) -> bool:
    """Whether a pattern matches the agent of these slugs and tags."""
    if pattern.startswith(TAG):
        return any(fnmatchcase(tag, pattern.removeprefix(TAG)) for tag in tags)
    return any(fnmatchcase(slug, pattern) for slug in slugs)


def chooses(pattern: str, agent: Agent) -> bool:
    """Whether a pattern matches this agent."""
    return matches(pattern, agent.slugs, agent.tags)


def _under(pattern: str, prefix: str) -> str:
    return pattern if pattern.startswith(TAG) else prefix + pattern


def unused(
    overrides: Iterable[Override], agents: Iterable[tuple[Sequence[str], Sequence[str]]]
) -> Iterator[Diagnostic]:
    """Report each override that matches none of these agents, given by slugs and tags."""
    known_agents = list(agents)
    for override in overrides:
        if not any(matches(override.pattern, slugs, tags) for slugs, tags in known_agents):
            yield Diagnostic(Code.OVERRIDE_UNUSED, f"there is no agent `{override.pattern}`", path=override.place)


def prefixed(agent: Agent, prefix: str) -> Agent:
    """Return the agent under a name that begins with `prefix`."""
    name = prefix + agent.name
    return agent.model_copy(update={"name": name, "slug": slug(name, prefix + agent.slug)}) if prefix else agent


def also_denied(agent: Agent, *prefixes: str) -> tuple[Override, ...]:
    """Return the override that repeats an agent's rules for calling other agents, for their names with each prefix."""
    distinct = [*filter(None, dict.fromkeys(prefixes))]
    place = f"the prefix {', '.join(f'`{prefix}`' for prefix in distinct)}"
    try:
        added = [*_under_prefixes(agent.grants, distinct)]
    except TooManyPatternsError:
        return (Override(agent.slug, place, {}, unusable=True),)
    return (Override(agent.slug, place, spell(Grants((*agent.grants.rules, *added)))),) if added else ()


def following(grants: Grants, names: Mapping[str, str], prefixes: Iterable[str]) -> Grants:
    """Return the grants of an agent that calls others by the names that they have in a target.

    Each of these agents may be called as its author's rules have it, whatever pattern decided that. By its former name
    nothing gets more than without the rules for that name, since another agent may have it there.

    Args:
        grants: with the names that the agents have in their source.
        names: the target's name of each agent that has another one there.
        prefixes: what names of agents begin with; rules that restrict are repeated for such names of other agents.

    Raises:
        TooManyPatternsError: the patterns cannot be compared within bounds.
    """
    added = [*_under_prefixes(grants, dict.fromkeys(filter(None, prefixes)))]
    rules = [rule for rule in grants.rules if not (rule.tool == _CALLS and rule.argument in names)] + added
    others = Grants(tuple(rules))
    for name in names:
        if (level := grants.approval(_CALLS, name)) < others.approval(_CALLS, name):
            rules.append(Rule(_CALLS, level, name))
    rest = Grants(tuple(rules))
    for name, other in names.items():
        if (level := grants.approval(_CALLS, name)) != rest.approval(_CALLS, other):
            rules.append(Rule(_CALLS, level, other))
    return Grants(tuple(rules))


def _under_prefixes(grants: Grants, prefixes: Iterable[str]) -> Iterator[Rule]:
    """Yield the rules for other agents again, for their names with each prefix; nothing where none of them restricts.

    They keep their order, since a later one may be an exception, and none gives more than its pattern has already.
    """
    rules = [
        rule for rule in grants.for_tool(_CALLS) if rule.argument != ANY and not rule.argument.startswith(UNTRANSLATED)
    ]
    if any(rule.approval < max(grants.approvals(_CALLS)) for rule in rules):
        for prefix, rule in product(prefixes, rules):
            argument = prefix + rule.argument
            yield Rule(_CALLS, min(rule.approval, grants.least(_CALLS, argument)), argument)


def check_override(override: Override) -> tuple[Diagnostic, ...]:
    """Return the diagnostics on an override, including its tables for single targets."""
    targets = override.table.get("targets")
    diagnostics = read_table(override.table, override.place)[1]
    for name, table in _tables(targets).items():
        diagnostics += read_table(table, override.place)[1]
        if name not in dialects():
            diagnostics += (Diagnostic(Code.WRONG_TYPE, no_dialect(name), path=override.place),)
    if targets is not None and len(_tables(targets)) != len(targets if isinstance(targets, dict) else [targets]):
        message = "`targets` must contain a map for each tool"
        diagnostics += (Diagnostic(Code.WRONG_TYPE, message, path=override.place),)
    return diagnostics


def overridden(agent: Agent, target: Dialect, overrides: Sequence[Override]) -> Overridden:
    """Return the agent for a target, after applying its own file's settings and then each override in order."""
    own = agent.targets.get(target.name, {})
    result = _apply(Overridden(agent), own, "", target) if own else Overridden(agent)
    for override in overrides:
        if not chooses(override.pattern, agent):
            continue
        if override.unusable and result.agent:
            problem = Diagnostic(Code.OVERLAY_UNUSABLE, "not written, since this cannot be used", path=override.place)
            return Overridden(None, changed=True, diagnostics=(*result.diagnostics, problem))
        for table in (override.table, _tables(override.table.get("targets")).get(target.name, {})):
            if result.agent and table.keys() - {"targets"}:
                result = _narrowed(result, _apply(result, table, override.place, target), override.place)
        if result.agent and override.text:
            prompt = f"{result.agent.prompt.rstrip()}\n\n{override.text.strip()}\n"
            result = replace(result, agent=result.agent.model_copy(update={"prompt": prompt}), changed=True)
    return result


def regranted(result: Overridden, target: Dialect) -> Overridden:
    """Have the permissions of the target's own agent written from its grants instead of as its file has them.

    Restricting keys that the target does not know are left out, since the grants include their effect already.
    """
    agent = result.agent
    if agent is None or result.regranted or agent.dialect != target.name:
        return result
    unknown = {key: value for key, value in agent.unknown.items() if not is_foreign_restriction(key, value)}
    update = {"own_permissions": {}, "dialect": NEUTRAL, "unknown": unknown}
    return replace(result, agent=agent.model_copy(update=update), changed=True, regranted=True)


def _tables(value: JsonValue) -> dict[str, dict[str, JsonValue]]:
    items = value.items() if isinstance(value, dict) else ()
    return {name: table for name, table in items if isinstance(table, dict)}


def _apply(before: Overridden, table: Mapping[str, JsonValue], place: str, target: Dialect) -> Overridden:
    agent = before.agent
    read, diagnostics = read_table(table, place)
    if read.excluded:
        where = f" by {place}" if place else " by its own file"
        diagnostics += (Diagnostic(Code.EXCLUDED, f"kept from {target.title}{where}"),)
    if agent is None or refused(diagnostics) or read.excluded:
        excluded = read.excluded and not refused(diagnostics)
        return Overridden(None, changed=True, excluded=excluded, diagnostics=(*before.diagnostics, *diagnostics))
    update: dict[str, object] = dict(read.values)
    regranted = read.grants is not None
    if regranted:
        # The permissions in the file for its own tool no longer apply.
        update |= {"grants": read.grants, "own_permissions": {}}
        if agent.dialect == target.name:
            update["dialect"] = NEUTRAL
    in_own_words = bool(read.native or read.values.keys() & FOR_TARGETS)
    if in_own_words:
        native = dict(read.native)
        if agent.dialect in (target.name, NEUTRAL):
            native = {**agent.native, **native}
        else:
            # These keys are the target's, so the keys of the agent's own tool are lost here.
            diagnostics += tuple(foreign_losses(agent))
            update = {"dialect": NEUTRAL, "unknown": {}, "mcp_servers": None, "hooks": None, **update}
        update["native"] = native
    return Overridden(
        agent.model_copy(update=update),
        changed=True,
        regranted=before.regranted or regranted,
        in_own_words=before.in_own_words or (place if in_own_words else ""),
        diagnostics=(*before.diagnostics, *diagnostics),
    )


def _narrowed(before: Overridden, after: Overridden, place: str) -> Overridden:
    """Return the result of an override, or refuse the agent where it grants more than the agent had before."""
    if before.agent is None or after.agent is None:
        return after
    had, has = (Abilities(agent.grants, is_disabled=bool(agent.disabled)) for agent in (before.agent, after.agent))
    gains = gained(had, has)
    if not gains:
        return after
    refusal = Diagnostic(Code.OVERRIDE_WIDER, gains[0].reason, path=place)
    return Overridden(None, changed=True, diagnostics=(*before.diagnostics, refusal))
