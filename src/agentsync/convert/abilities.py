"""What a tool's file gives its agent, and what a change of it gives more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import TOOLS, Grants, Rule, wider
from agentsync.agents.key_effects import Effect, KeyEffect, Meaning
from agentsync.convert.policy import OUTSIDE
from agentsync.dialects import Dialect
from agentsync.formats.document import Document


def effective_keys(target: Dialect, document: Document) -> Iterator[tuple[str, JsonValue, KeyEffect]]:
    """The keys of a tool's file that have an effect there, with their values, once for each effect.

    Keys count in every spelling: which one a tool reads is its own to know.
    """
    for key, value in document.metadata.items():
        yield from ((key, value, row) for row in target.effects_of(key) if not row.is_harmless(value))


def brought_servers(servers: JsonValue) -> dict[str, JsonValue]:
    """The servers that a value describes how to start or reach, by name; a mere name does not count."""
    if isinstance(servers, dict):
        return servers
    entries = [entry for entry in servers if isinstance(entry, dict)] if isinstance(servers, list) else []
    return {str(entry.get("name") or next(iter(entry), "")): entry for entry in entries}


def mode_name(key: str, value: JsonValue) -> str:
    """What a policy calls a mode: its word, or the key where it is a switch or a table."""
    return key if isinstance(value, bool | dict) else str(value)


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a tool's file gives its agent.

    Attributes:
        grants: what the tool lets it do.
        hooks: as they are written, by key.
        servers: the MCP servers that it brings, as they are written, by name.
        modes: the permission modes that take the user's guard away.
        others: the keys that have another effect than to restrict, as they are written.
        model: as `provider/id`; empty where it is the session's.
        disabled: whether it is switched off.
    """

    grants: Grants
    hooks: Mapping[str, JsonValue] = field(default_factory=dict)
    servers: Mapping[str, JsonValue] = field(default_factory=dict)
    modes: frozenset[str] = frozenset()
    others: Mapping[str, JsonValue] = field(default_factory=dict)
    model: str = ""
    disabled: bool = False


def abilities(target: Dialect, document: Document, slug: str) -> Abilities:
    """What a tool's file gives its agent."""
    agent = target.read(document, slug).agent
    effects = [
        (key, value, row) for key, value, row in effective_keys(target, document) if row.effect is not Effect.RESTRICTS
    ]
    hooks = {key: value for key, value, row in effects if row.meaning is Meaning.HOOKS}
    servers = [value for _, value, row in effects if row.meaning is Meaning.SERVERS]
    modes = [(key, value) for key, value, row in effects if _sets_mode(row, value)]
    others = {key: value for key, value, row in effects if row.meaning is None and not _sets_mode(row, value)}
    return Abilities(
        grants=target.enforced(document).with_flat_names(),
        hooks=hooks,
        servers={name: how for value in servers for name, how in brought_servers(value).items()},
        modes=frozenset(mode_name(key, value) for key, value in modes),
        others=others,
        model=(agent.model or "") if agent else "",
        disabled=bool(agent and agent.disabled),
    )


def _sets_mode(row: KeyEffect, value: JsonValue) -> bool:
    """Whether a value is a mode with a name, and no table that may change under the same name."""
    return row.effect is Effect.CHANGES_APPROVAL and not isinstance(value, dict)


def escalation(before: Abilities, after: Abilities) -> tuple[str, ...]:
    """What an agent has after a change and did not have before, each in words; empty if it gained nothing.

    Hooks that changed count, since they are commands; and so do those that went, since they may have been a guard.

    Raises:
        TooManyPatternsError: the permissions cannot be compared within bounds.
    """
    servers = [name for name, declared in after.servers.items() if before.servers.get(name, _ABSENT) != declared]
    grown = [
        *_more_tools(before.grants, after.grants),
        *(["hooks"] if after.hooks != before.hooks else []),
        *(f"MCP server `{name}`" for name in servers),
        *(f"permission mode `{mode}`" for mode in sorted(after.modes - before.modes)),
        *(f"`{key}`" for key, value in after.others.items() if before.others.get(key, _ABSENT) != value),
        *([f"model `{after.model}`"] if after.model and after.model != before.model else []),
        *(["to be switched on"] if before.disabled and not after.disabled else []),
    ]
    return tuple(grown)


_ABSENT: Final = object()


def _more_tools(before: Grants, after: Grants) -> list[str]:
    """The tools of which some call gets more than before."""
    widening = wider(after, before)
    if widening is None:
        return []
    if after.everything_else and not before.everything_else:
        return ["every tool that its session has"]
    gained = [*_of_tools(before, after), *_of_patterns(before, after)]
    return gained or [widening.call]


def _of_tools(before: Grants, after: Grants) -> Iterator[str]:
    for tool in sorted(TOOLS - {OUTSIDE}):
        if widening := wider(_only(tool, after), before):
            yield widening.call


def _of_patterns(before: Grants, after: Grants) -> Iterator[str]:
    return (f"`{name}`" for name in after.patterns if name not in TOOLS and wider(_only(name, after), before))


def _only(name: str, grants: Grants) -> Grants:
    """The rules for this tool only."""
    return Grants(tuple(Rule(name, rule.approval, rule.argument) for rule in grants.for_tool(name)))
