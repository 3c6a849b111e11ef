"""Abilities: all that an agent can do and brings with it, as one value, and the one comparison of two of them.

Grants decide which calls an agent may make. Some keys of its file do more: they have its tool run a program, open a
server, read a file, skip an approval. A conversion, an override and a new version are all judged by what they add to
both, which is what `gained` returns; a policy judges what a file adds to the grants that it allows and to no keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from agentsync.agents.grants import NOTHING, READING, Approval, Grants, Rule, Widening, widenings
from agentsync.agents.key_effects import Effect, KeyEffect, Meaning
from agentsync.agents.patterns import TooManyPatternsError

if TYPE_CHECKING:
    from pydantic import JsonValue

    from agentsync.agents.model import Mode

SWITCHED_ON: Final = "its author switched it off"


@dataclass(frozen=True, slots=True)
class Ability:
    """Something that a key brings, beyond grants.

    Two are equal only if they are declared alike under the same spelling of the key: which spelling a tool reads is
    its own to know.

    Attributes:
        effect, meaning: of the key.
        name: of the server or the permission mode; for other keys, the key.
        key: as it is spelled.
        declaration: the value, or that of the one server in it, as JSON.
    """

    effect: Effect
    meaning: Meaning | None
    name: str
    key: str
    declaration: str

    def __str__(self) -> str:
        if self.meaning is Meaning.HOOKS:
            return "hooks"
        if self.meaning is Meaning.SERVERS:
            return f"MCP server `{self.name}`"
        return f"permission mode `{self.name}`" if self.effect is Effect.CHANGES_APPROVAL else f"`{self.name}`"


def brought(
    effects_of: Callable[[str], Iterable[KeyEffect]], keys: Iterable[tuple[str, JsonValue]]
) -> Iterator[Ability]:
    """Yield what keys bring to an agent, in their order, in whatever spelling they are.

    Args:
        effects_of: the effects of a key in files of the agent's dialect.
        keys: of the file, with their values.
    """
    for key, value in keys:
        for row in effects_of(key):
            if row.effect not in (Effect.INERT, Effect.RESTRICTS) and not row.is_harmless(value):
                for name, declared in _named(key, value, row):
                    yield Ability(row.effect, row.meaning, name, key, json.dumps(declared, sort_keys=True))


def _named(key: str, value: JsonValue, row: KeyEffect) -> Iterable[tuple[str, JsonValue]]:
    """Return the name and declaration of each thing that a value brings."""
    if row.meaning is Meaning.SERVERS:
        return _servers(value)
    is_named_mode = row.effect is Effect.CHANGES_APPROVAL and not isinstance(value, bool | dict)
    return [(str(value) if is_named_mode else key, value)]


def _servers(value: JsonValue) -> Iterable[tuple[str, JsonValue]]:
    """Return the servers that a value describes how to start or reach; a mere name refers to one of the user's."""
    if isinstance(value, dict):
        return value.items()
    entries = [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
    return [(str(entry.get("name") or next(iter(entry), "")), entry) for entry in entries]


@dataclass(frozen=True, slots=True)
class Abilities:
    """All that an agent can do and brings with it.

    Attributes:
        grants: the calls that it may make.
        brought: what its keys bring.
        guards: those of them that may refuse a call in a way that the grants do not include.
        model: as `provider/id`; empty where it is the session's.
        is_disabled: whether it is switched off.
        mode: where it runs: as a subagent, the main agent, or both; None where its file does not define it.
        further: what else it does, each with a value that may change: skills, a first prompt, a memory.
    """

    grants: Grants = NOTHING
    brought: tuple[Ability, ...] = ()
    guards: tuple[Ability, ...] = ()
    model: str = ""
    is_disabled: bool = False
    mode: Mode | None = None
    further: frozenset[tuple[str, str]] = frozenset()

    @property
    def unattended(self) -> Grants:
        """The calls that nobody is asked about, whatever the session allows; those that only read do not count."""
        rules = (Rule(rule.tool, _allowed_or_not(rule.approval), rule.argument) for rule in self.grants.rules)
        return Grants((*rules, *(Rule(tool, Approval.DENY) for tool in sorted(READING))))


def _allowed_or_not(approval: Approval) -> Approval:
    return approval if approval is Approval.ALLOW else Approval.DENY


@dataclass(frozen=True, slots=True)
class Gain:
    """One ability that an agent has and may not have, or did not have before.

    Attributes:
        name: what it is, as text for a list.
        reason: why it counts, as a clause.
        ability: what a key brings, or the guard that is missing; None for a call, the model and the switch.
        is_model: whether it is a choice of model, which permits nothing.
    """

    name: str
    reason: str
    ability: Ability | None = None
    is_model: bool = False


def gained(before: Abilities, after: Abilities) -> tuple[Gain, ...]:
    """Compare two abilities exactly: return what `after` has beyond `before`, or empty if there is nothing.

    Grants that cannot be compared within bounds count as a gain, unless they are equal.
    """
    return (*_granted(before.grants, after.grants), *_added(before, after))


def _granted(before: Grants, after: Grants) -> Iterator[Gain]:
    """Yield the calls that get more than before, one for each rule that grants them."""
    if before == after:
        return
    try:
        found = widenings(after, before)
        inherits = bool(found and after.everything_else and not before.everything_else)
    except TooManyPatternsError as error:
        yield Gain("permissions that cannot be compared", error.message)
        return
    if inherits:
        yield Gain("every tool that its session has", str(found[0]))
    else:
        by_name: dict[str, Widening] = {}
        for widening in found:
            by_name.setdefault(widening.granted, widening)
        yield from (Gain(name, str(widening)) for name, widening in by_name.items())


def _added(before: Abilities, after: Abilities) -> Iterator[Gain]:
    for ability in dict.fromkeys(after.brought):
        if ability not in before.brought:
            yield Gain(str(ability), f"{ability} would be added", ability, ability.effect is Effect.CHANGES_MODEL)
    for guard in dict.fromkeys(before.guards):
        if guard not in after.guards:
            yield Gain(str(guard), f"{guard} may be a guard and would be missing", guard)
    if after.model and after.model != before.model:
        yield Gain(f"model `{after.model}`", f"its model would be `{after.model}`", is_model=True)
    if before.is_disabled and not after.is_disabled:
        yield Gain("to be switched on", SWITCHED_ON)
    # A file that names no mode may mean any, so it counts as more than a subagent, and as less than both.
    if after.mode not in (before.mode, "subagent") and before.mode != "all":
        yield Gain(f"mode `{after.mode or 'all'}`", f"its mode would be {after.mode or 'all'}")
    for name in dict.fromkeys(name for name, _ in sorted(after.further - before.further)):
        yield Gain(name, f"{name} would be added")
