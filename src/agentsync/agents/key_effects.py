"""Effects of the keys in an agent's file: the one table shared by repair, readers, policy and checks.

Keys are listed folded (`agentsync.core.naming.folded_key`), so one row covers `disallowedTools`, `disallowed-tools`
and `Disallowed Tools`. A key without a row has no effect as far as agentsync knows.

Sources, November 2026, with the versions named in each dialect's module: the tools' documentation; the schemas of
Vibe 3.0.3 (`vibe_schema.py`) and Codex 0.169.0 (`ConfigToml`), which both accept any key of their configuration in an
agent's file; and, for spellings that no tool reads, files of authors in public repositories.
"""

from __future__ import annotations

import re
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

    RESTRICTS = "restricts"
    RUNS_PROGRAM = "runs a program"
    OPENS_ADDRESS = "opens a server or address"
    READS_FILE = "reads a file"
    CHANGES_APPROVAL = "changes approval"
    CHANGES_MODEL = "changes the model"


class Meaning(StrEnum):
    """Reading of a key's value, where several readers have to agree on it."""

    ALLOWED_TOOLS = "the tools that there are"
    DENIED_TOOLS = "the tools that are denied"
    ALLOWED = "what is allowed, tools or arguments"
    DENIED = "what is denied, tools or arguments"
    PERMISSION_MODE = "Claude Code's permission mode"
    MODE = "the kind of agent, or a permission mode"
    SWITCH = "restricts where it is on"
    SERVERS = "MCP servers, each perhaps with limits"
    HOOKS = "commands that may refuse a call"


def _is_empty(value: JsonValue) -> bool:
    return value in (None, False, "", [], {})


def _is_off_throughout(value: JsonValue) -> bool:
    """Whether a table sets nothing, apart from switches that are off, as `{enabled: false}`."""
    return all(map(_is_off_throughout, value.values())) if isinstance(value, dict) else _is_empty(value)


def _is_one_of(*words: str) -> Callable[[JsonValue], bool]:
    """Build a check whether a value is empty or one of these words, in upper or lower case."""
    return lambda value: _is_empty(value) or (isinstance(value, str) and value.lower() in words)


_SCHEME: Final = re.compile(r"(?:file|skill)://\s*")
_OUTSIDE: Final = re.compile(
    r"[/\\~]|localhost/|[A-Za-z][A-Za-z0-9+.-]*:"  # a colon makes it a Windows drive or an address
    r"|.*(?:[${}]|%[0-9A-Fa-f]{2})"  # variables and escapes, which may expand to another path
    r"|(?:.*[/\\])?\.\.(?:[/\\]|$)",
    re.DOTALL,
)
"""Matches a path that may lead out of a project."""

_PARTS_OF_RESOURCE: Final = frozenset("type source name description indexType include exclude autoUpdate".split())
"""Keys of a Kiro resource that is not a plain path: https://kiro.dev/docs/cli/custom-agents (November 2026)."""


def _is_within_project(value: JsonValue) -> bool:
    """Whether all text in a value is paths that stay within the project, judged by the text alone."""
    match value:
        case str():
            return not _OUTSIDE.match(_SCHEME.sub("", value.strip(), count=1))
        case list():
            return all(map(_is_within_project, value))
        case dict():
            return "source" in value and value.keys() <= _PARTS_OF_RESOURCE and _is_within_project(value["source"])
        case _:
            return _is_empty(value)


def _names_no_file(value: JsonValue) -> bool:
    """Whether no table within a value names a configuration file."""
    if isinstance(value, dict):
        return "config_file" not in value and all(map(_names_no_file, value.values()))
    return True


def _takes_variables_away(value: JsonValue) -> bool:
    """Whether Codex's policy for the environment of commands only removes variables."""
    keys = value.keys() if isinstance(value, dict) else set()
    return _is_empty(value) or bool(keys and keys <= {"inherit", "exclude", "include_only"})


def _exports_nothing(value: JsonValue) -> bool:
    """Whether Codex's telemetry has no exporter."""
    values = value.values() if isinstance(value, dict) else [value]
    return all(inner == "none" or _is_empty(inner) for inner in values)


def _is_confined(value: JsonValue) -> bool:
    """Whether Codex's table for a writable workspace allows neither the network nor further directories."""
    if not isinstance(value, dict):
        return _is_empty(value)
    return all(_is_empty(inner) or key.startswith("exclude_") for key, inner in value.items())


@dataclass(frozen=True, slots=True)
class KeyEffect:
    """One effect of a key.

    Attributes:
        effect: the kind of effect.
        meaning: the reading of the value, where more than one module depends on it.
        dialects: the dialects in whose files the key has the effect; empty for all.
        is_harmless: whether a value is without this effect.
    """

    effect: Effect
    meaning: Meaning | None = None
    dialects: frozenset[str] = frozenset()
    is_harmless: Callable[[JsonValue], bool] = _is_empty

    def applies_to(self, dialect: str, value: JsonValue) -> bool:
        """Whether this value has the effect in a file of this dialect."""
        return (not self.dialects or dialect in self.dialects) and not self.is_harmless(value)


_DENYING: Final = "deny denied disallow disallowed disable disabled exclude excluded block blocked forbid forbidden"
_ALLOWING: Final = "allow allowed enable enabled include included available core"


def _about_tools(verbs: str) -> str:
    return " ".join(f"{verb}tools" for verb in verbs.split())


def _row(
    keys: str,
    effect: Effect,
    meaning: Meaning | None = None,
    *,
    only: str = "",
    unless: Callable[[JsonValue], bool] = _is_empty,
) -> tuple[str, KeyEffect]:
    """Declare one effect of some keys, in files of the dialects in `only`, unless the value is harmless."""
    return keys, KeyEffect(effect, meaning, frozenset(only.split()), unless)


_ROWS: Final = (
    # Keys that restrict an agent in some tool, and keys that only make sense as a restriction.
    _row(f"tools {_about_tools(_ALLOWING)}", Effect.RESTRICTS, Meaning.ALLOWED_TOOLS),
    _row(_about_tools(_DENYING), Effect.RESTRICTS, Meaning.DENIED_TOOLS),
    _row("allow allowlist", Effect.RESTRICTS, Meaning.ALLOWED),
    _row("deny denied denylist disallow disallowed forbidden blocked blocklist", Effect.RESTRICTS, Meaning.DENIED),
    _row("permissionmode", Effect.RESTRICTS, Meaning.PERMISSION_MODE),
    _row("readonly", Effect.RESTRICTS, Meaning.SWITCH),
    _row("permission permissions restrictions groups toolssettings outsideworkdir allowedmcpservers", Effect.RESTRICTS),
    _row("approvalmode approvalpolicy sandbox sandboxmode defaultpermissions", Effect.RESTRICTS),
    _row("basedisabled disableskills enabledskills disabledskills", Effect.RESTRICTS),
    _row("mode", Effect.RESTRICTS, Meaning.MODE),
    _row("hooks", Effect.RESTRICTS, Meaning.HOOKS),
    _row("mcp mcpservers", Effect.RESTRICTS, Meaning.SERVERS),
    # Keys that restrict in one tool, and have another or no meaning in the others.
    _row("websearch", Effect.RESTRICTS, only="codex"),
    _row(
        "commandexecutionpolicy excludedefaultcomponents inheritcustomizations inheritmcp",
        Effect.RESTRICTS,
        only="antigravity",
    ),
    _row("targets", Effect.RESTRICTS, only="neutral"),
    # Programs that a tool runs by itself, and code that it loads.
    _row("hooks", Effect.RUNS_PROGRAM, Meaning.HOOKS),
    _row("toolpaths enableautoupdate", Effect.RUNS_PROGRAM, only="vibe"),
    _row("experimentalenableprmonitoring experimentalenableprdiscovery", Effect.RUNS_PROGRAM, only="vibe"),
    _row("executor executionbackend", Effect.RUNS_PROGRAM, only="qwen"),
    _row("plugins", Effect.RUNS_PROGRAM, only="antigravity codex", unless=_is_off_throughout),
    # A provider may have a command for its key, and an environment may load a program into every command.
    _row("notify modelproviders marketplaces", Effect.RUNS_PROGRAM, only="codex"),
    _row("shellenvironmentpolicy", Effect.RUNS_PROGRAM, only="codex", unless=_takes_variables_away),
    _row("zshpath jsreplnodepath jsreplnodemoduledirs", Effect.RUNS_PROGRAM, only="codex"),
    # Servers and addresses that receive what the agent sees.
    _row("mcpservers", Effect.OPENS_ADDRESS, Meaning.SERVERS),
    _row("providers transcribeproviders ttsproviders connectors", Effect.OPENS_ADDRESS, only="vibe"),
    _row("otelendpoint consolebaseurl vibebaseurl vibecodesessionsbaseurl", Effect.OPENS_ADDRESS, only="vibe"),
    _row("experimentalenabledocumentlibraryconnector", Effect.OPENS_ADDRESS, only="vibe"),
    _row("experimentalenableregistryskills enableotel enablesystemtruststore", Effect.OPENS_ADDRESS, only="vibe"),
    _row("modelproviders openaibaseurl chatgptbaseurl mcpoauthcallbackurl", Effect.OPENS_ADDRESS, only="codex"),
    _row("apps", Effect.OPENS_ADDRESS, only="codex", unless=_is_off_throughout),
    _row("otel", Effect.OPENS_ADDRESS, only="codex", unless=_exports_nothing),
    _row("experimentalthreadconfigendpoint", Effect.OPENS_ADDRESS, only="codex"),
    _row("experimentalrealtimewsbaseurl experimentalrealtimewebrtccallbaseurl", Effect.OPENS_ADDRESS, only="codex"),
    _row("experimentalthreadstoreendpoint experimentalthreadstore", Effect.OPENS_ADDRESS, only="codex"),
    _row("providerbaseurl", Effect.OPENS_ADDRESS, only="auggie"),
    # Files that the model reads as part of its input, and files that the tool writes.
    _row("resources", Effect.READS_FILE, only="kiro kiro2", unless=_is_within_project),
    _row("skillpaths agentpaths", Effect.READS_FILE, only="vibe", unless=_is_within_project),
    _row("sessionlogging", Effect.READS_FILE, only="vibe"),
    # Codex resolves a relative path from the directory of its configuration, which is outside the project, too.
    _row("modelinstructionsfile experimentalinstructionsfile modelcatalogjson", Effect.READS_FILE, only="codex"),
    _row("experimentalcompactpromptfile logdir sqlitehome debug", Effect.READS_FILE, only="codex"),
    _row("projectdocfallbackfilenames", Effect.READS_FILE, only="codex", unless=_is_within_project),
    _row("agents", Effect.READS_FILE, only="codex", unless=_names_no_file),
    # Whether a call is approved, and by whom.
    _row("permissionmode", Effect.CHANGES_APPROVAL, unless=_is_one_of("default", "plan", "dontask")),
    _row("approvalmode", Effect.CHANGES_APPROVAL, unless=_is_one_of("default", "plan")),
    _row("sandboxmode", Effect.CHANGES_APPROVAL, unless=_is_one_of("read-only", "workspace-write")),
    _row("defaultpermissions", Effect.CHANGES_APPROVAL, only="codex", unless=_is_one_of(":read-only", ":workspace")),
    _row("sandboxworkspacewrite", Effect.CHANGES_APPROVAL, only="codex", unless=_is_confined),
    _row("permissions profile profiles projects approvalsreviewer autoreview", Effect.CHANGES_APPROVAL, only="codex"),
    _row("commandexecutionpolicy", Effect.CHANGES_APPROVAL, only="antigravity", unless=_is_one_of("off", "sandbox")),
    _row("bypasstoolpermissions smartapprovedefault smartapproveavailable", Effect.CHANGES_APPROVAL, only="vibe"),
    _row("safety", Effect.CHANGES_APPROVAL, only="vibe", unless=_is_one_of("safe", "neutral", "destructive")),
    # The choice of model, apart from the key from which a dialect reads it.
    _row("models allowedmodels compactionmodel visionmodel utilitymodels", Effect.CHANGES_MODEL, only="vibe"),
    _row("routeddefaultmodel routedmodelconfig routedextramodels", Effect.CHANGES_MODEL, only="vibe"),
    _row("activetranscribemodel transcribemodels activettsmodel ttsmodels", Effect.CHANGES_MODEL, only="vibe"),
    _row("modelprovider ossprovider reviewmodel", Effect.CHANGES_MODEL, only="codex"),
    _row("providermodel providerapikey", Effect.CHANGES_MODEL, only="auggie"),
    _row("providerid", Effect.CHANGES_MODEL, only="cline"),
    _row("modelconfig", Effect.CHANGES_MODEL, only="qwen"),
)


def _by_key(rows: Iterable[tuple[str, KeyEffect]]) -> dict[str, tuple[KeyEffect, ...]]:
    """Index the rows by key; a key in several rows has several effects."""
    table: dict[str, tuple[KeyEffect, ...]] = {}
    for keys, row in rows:
        for key in keys.split():
            table[key] = (*table.get(key, ()), row)
    return table


KEY_EFFECTS: Final[Mapping[str, tuple[KeyEffect, ...]]] = _by_key(_ROWS)
"""Effects of each key; the keys are folded."""


def effects_of(key: str) -> tuple[KeyEffect, ...]:
    """Effects of a key in any spelling; empty for an unknown key."""
    return KEY_EFFECTS.get(folded_key(key), ())


@cache
def meaning(*meanings: Meaning) -> frozenset[str]:
    """Folded keys that have one of these meanings."""
    return frozenset(key for key, rows in KEY_EFFECTS.items() if any(row.meaning in meanings for row in rows))


def _restricting(rows: Iterable[KeyEffect]) -> list[KeyEffect]:
    return [row for row in rows if row.effect is Effect.RESTRICTS]


RESTRICTING: Final = frozenset(key for key, rows in KEY_EFFECTS.items() if _restricting(rows))
"""Folded keys that restrict an agent in some tool."""

READ_BY_VALUE: Final = meaning(Meaning.MODE, Meaning.HOOKS)
"""Keys that restrict only with some of their values; the readers of all dialects agree on which."""

FOREIGN_RESTRICTING: Final = frozenset(
    key
    for key in RESTRICTING - READ_BY_VALUE - meaning(Meaning.SERVERS)
    if any(not row.dialects for row in _restricting(KEY_EFFECTS[key]))
)
"""Keys that are intended as a restriction by their presence alone, in a file of any dialect."""


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
    return folded_key(key).partition(".")[0] in RESTRICTING


def may_restrict(key: str, text: str) -> bool:
    """Whether a key may restrict an agent, given the text of its value or the start of that text."""
    folded = folded_key(key).partition(".")[0]
    if folded not in RESTRICTING:
        return False
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
