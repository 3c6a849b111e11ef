"""Effects of the keys in an agent's file: the one table shared by repair, readers, policy and checks.

Keys are listed folded (`agentsync.core.naming.folded_key`), so one row covers `disallowedTools`, `disallowed-tools`
and `Disallowed Tools`. A key without a row has no effect as far as agentsync knows. The table has the keys that mean
the same wherever they are; what a key does in the files of one tool only is declared by its dialect.

Sources, November 2026, with the versions named in each dialect's module: the tools' documentation; and, for spellings
that no tool reads, files of authors in public repositories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Final

from agentsync.core.naming import folded_key

if TYPE_CHECKING:
    from pydantic import JsonValue  # as in agentsync.document: importing this must stay cheap


class Effect(StrEnum):
    """Effect of a key on an agent, or on what the agent can do."""

    INERT = "inert"
    RESTRICTS = "restricts"
    RUNS_PROGRAM = "runs a program"
    OPENS_ADDRESS = "opens a server or address"
    READS_FILE = "reads a file"
    CHANGES_APPROVAL = "changes approval"
    CHANGES_MODEL = "changes the model or provider"


class Meaning(StrEnum):
    """Reading of a key's value, where several readers have to agree on it."""

    ALLOWED_TOOLS = "the tools that there are"
    DENIED_TOOLS = "the tools that are denied"
    ALLOWED = "what is allowed, tools or arguments"
    DENIED = "what is denied, tools or arguments"
    PERMISSION_MODE = "the permission mode"
    MODE = "the kind of agent, or a permission mode"
    SWITCH = "restricts where it is on"
    SERVERS = "MCP servers, each perhaps with limits"
    HOOKS = "commands that may refuse a call"


def is_empty(value: JsonValue) -> bool:
    """Whether a value sets nothing."""
    return value in (None, False, "", [], {})


def is_one_of(*words: str) -> Callable[[JsonValue], bool]:
    """Build a check whether a value is empty or one of these words, in upper or lower case."""
    return lambda value: is_empty(value) or (isinstance(value, str) and value.lower() in words)


_TRUSTING: Final = frozenset("trust trusted autoapprove autoallow alwaysallow".split())
_APPROVING: Final = frozenset("approvalmode defaulttoolsapprovalmode".split())


def asks_for_servers(value: JsonValue) -> bool:
    """Whether no server within a value lets calls of its tools run without asking, in the spelling of any tool."""
    match value:
        case dict():
            return all(
                asks_for_servers(inner)  # a table below such a key is a server of that name
                and (folded_key(key) not in _TRUSTING or isinstance(inner, dict) or inner == [] or is_off(inner))
                and (folded_key(key) not in _APPROVING or isinstance(inner, dict) or inner in ("prompt", "auto"))
                for key, inner in value.items()
            )
        case list():
            return all(map(asks_for_servers, value))
        case _:
            return True


@dataclass(frozen=True, slots=True)
class KeyEffect:
    """One effect of a key.

    Attributes:
        effect: the kind of effect.
        meaning: the reading of the value, where more than one module depends on it.
        is_harmless: whether a value is without this effect.
    """

    effect: Effect
    meaning: Meaning | None = None
    is_harmless: Callable[[JsonValue], bool] = is_empty


_DENYING: Final = "deny denied disallow disallowed disable disabled exclude excluded block blocked forbid forbidden"
_ALLOWING: Final = "allow allowed enable enabled include included available core"


def _about_tools(verbs: str) -> str:
    return " ".join(f"{verb}tools" for verb in verbs.split())


def row(
    keys: str, effect: Effect, meaning: Meaning | None = None, *, unless: Callable[[JsonValue], bool] = is_empty
) -> tuple[str, KeyEffect]:
    """Declare one effect of some keys, separated by blanks, unless the value is harmless."""
    return keys, KeyEffect(effect, meaning, unless)


def effects_by_key(*rows: tuple[str, KeyEffect]) -> dict[str, tuple[KeyEffect, ...]]:
    """Index such rows by key; a key in several rows has several effects."""
    table: dict[str, tuple[KeyEffect, ...]] = {}
    for keys, row in rows:
        for key in keys.split():
            table[key] = (*table.get(key, ()), row)
    return table


_ROWS: Final = (
    # Keys that restrict an agent in some tool, and keys that only make sense as a restriction.
    row(f"tools {_about_tools(_ALLOWING)}", Effect.RESTRICTS, Meaning.ALLOWED_TOOLS),
    row(_about_tools(_DENYING), Effect.RESTRICTS, Meaning.DENIED_TOOLS),
    row("allow allowlist", Effect.RESTRICTS, Meaning.ALLOWED),
    row("deny denied denylist disallow disallowed forbidden blocked blocklist", Effect.RESTRICTS, Meaning.DENIED),
    row("permissionmode", Effect.RESTRICTS, Meaning.PERMISSION_MODE),
    row("readonly", Effect.RESTRICTS, Meaning.SWITCH),
    row("permission permissions restrictions groups toolssettings outsideworkdir allowedmcpservers", Effect.RESTRICTS),
    row("approvalmode approvalpolicy sandbox sandboxmode defaultpermissions", Effect.RESTRICTS),
    row("basedisabled disableskills enabledskills disabledskills", Effect.RESTRICTS),
    row("mode", Effect.RESTRICTS, Meaning.MODE),
    row("hooks", Effect.RESTRICTS, Meaning.HOOKS),
    row("mcp mcpservers", Effect.RESTRICTS, Meaning.SERVERS),
    # Programs that a tool runs by itself, and code that it loads.
    row("hooks", Effect.RUNS_PROGRAM, Meaning.HOOKS),
    # Servers and addresses that receive what the agent sees.
    row("mcpservers", Effect.OPENS_ADDRESS, Meaning.SERVERS),
    # Whether a call is approved, and by whom.
    row("permissionmode", Effect.CHANGES_APPROVAL, unless=is_one_of("default", "plan", "dontask", "ask")),
    row("approvalmode", Effect.CHANGES_APPROVAL, unless=is_one_of("default", "plan")),
    row("sandboxmode", Effect.CHANGES_APPROVAL, unless=is_one_of("read-only", "workspace-write")),
    row("mcpservers", Effect.CHANGES_APPROVAL, unless=asks_for_servers),
)


KEY_EFFECTS: Final[Mapping[str, tuple[KeyEffect, ...]]] = effects_by_key(*_ROWS)
"""Effects of each key in the files of every tool; the keys are folded."""


def effects_of(key: str) -> tuple[KeyEffect, ...]:
    """Effects of a key in any spelling and in the files of every tool; empty for an unknown key."""
    return KEY_EFFECTS.get(folded_key(key), ())


@cache
def meaning(*meanings: Meaning) -> frozenset[str]:
    """Folded keys that have one of these meanings."""
    return frozenset(key for key, rows in KEY_EFFECTS.items() if any(row.meaning in meanings for row in rows))


RESTRICTING: Final = frozenset(
    key for key, rows in KEY_EFFECTS.items() if any(row.effect is Effect.RESTRICTS for row in rows)
)
"""Folded keys that restrict an agent in several tools, or that are intended to; each dialect declares its own."""

READ_BY_VALUE: Final = meaning(Meaning.MODE, Meaning.HOOKS)
"""Keys that restrict only with some of their values; the readers of all dialects agree on which."""

FOREIGN_RESTRICTING: Final = RESTRICTING - READ_BY_VALUE - meaning(Meaning.SERVERS)
"""Keys that are intended as a restriction by their presence alone, in a file of any dialect."""

_own_restrictions: set[str] = set()


def add_own_restrictions(keys: Iterable[str]) -> None:
    """Add folded keys that restrict in the one tool that reads them, and have another or no meaning elsewhere.

    The discovery of the dialects adds their keys, so that a repair keeps them in a file of any dialect.
    """
    _own_restrictions.update(keys)


TAKING_MODES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("plan", "planning"), "plan"),
    **dict.fromkeys(("dontask", "readonly", "read", "deny", "denied", "never", "none"), "dontAsk"),
}
"""Permission modes intended by folded spellings that no tool has, or in tools without such a mode."""


def is_off(value: object) -> bool:
    """Whether the value turns a switch off; YAML 1.2 reads `no` and `off` as text."""
    return str(value).strip().lower() in ("", "none", "false", "no", "off", "0")


def restricts(key: str) -> bool:
    """Whether a key in any spelling restricts an agent in some tool; a dotted key is judged by its first part."""
    folded = folded_key(key).partition(".")[0]
    return folded in RESTRICTING or folded in _own_restrictions


def may_restrict(key: str, text: str) -> bool:
    """Whether a key may restrict an agent, given the text of its value or the start of that text."""
    if not restricts(key):
        return False
    folded = folded_key(key).partition(".")[0]
    text = text.strip()
    if folded in meaning(Meaning.MODE):
        return folded_key(text.split()[0].strip("\"'")).removesuffix("mode") in TAKING_MODES if text else False
    if folded in meaning(Meaning.HOOKS, Meaning.SERVERS):
        return text[:1] in ("", "{", "[")  # other values cannot be hooks or servers
    return not (folded in meaning(Meaning.SWITCH) and text and is_off(text.partition("#")[0].strip("\"' \t")))


def is_foreign_restriction(key: str, value: JsonValue) -> bool:
    """Whether a key with this value is intended as a restriction in a file of any dialect."""
    folded = folded_key(key).partition(".")[0]
    is_switched_off = folded in meaning(Meaning.SWITCH) and is_off(value)
    return folded in FOREIGN_RESTRICTING and value not in (None, False) and not is_switched_off
