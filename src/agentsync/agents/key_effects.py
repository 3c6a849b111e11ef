"""What keys of an agent's file do: the one table that repair, readers, policy and checks share.

A key is listed folded (`agentsync.core.naming.folded_key`), so one row covers `disallowedTools`, `disallowed-tools` and
`Disallowed Tools`. A key that is in no row is inert as far as agentsync knows.

Sources, November 2026, with the versions named in each dialect's module: the tools' documentation; the schemas of
Vibe 3.0.3 (`vibe_schema.py`) and Codex 0.169.0 (`ConfigToml`), both of which take any key of their configuration in
an agent's file; and, for spellings that no tool reads, what authors wrote in public repositories.
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
    """What a key does to an agent, or lets the agent do."""

    RESTRICTS = "restricts"
    RUNS_PROGRAM = "runs a program"
    OPENS_ADDRESS = "opens a server or address"
    READS_FILE = "reads a file"
    CHANGES_APPROVAL = "changes approval"
    CHANGES_MODEL = "changes the model"


class Meaning(StrEnum):
    """How the value of a key is read, where several readers have to agree on it."""

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
    """Whether nothing is set within a table but switches that are off, as `{enabled: false}`."""
    return all(map(_is_off_throughout, value.values())) if isinstance(value, dict) else _is_empty(value)


def _is_one_of(*words: str) -> Callable[[JsonValue], bool]:
    """Whether a value is empty or one of these words, in any case."""
    return lambda value: _is_empty(value) or (isinstance(value, str) and value.lower() in words)


_SCHEME: Final = re.compile(r"(?:file|skill)://\s*")
_OUTSIDE: Final = re.compile(
    r"[/\\~]|localhost/|[A-Za-z][A-Za-z0-9+.-]*:"  # a colon makes it a drive, or an address
    r"|.*(?:[${}]|%[0-9A-Fa-f]{2})"  # what may become another text
    r"|(?:.*[/\\])?\.\.(?:[/\\]|$)",
    re.DOTALL,
)
"""A path that may lead out of a project."""

_PARTS_OF_RESOURCE: Final = frozenset("type source name description indexType include exclude autoUpdate".split())
"""The keys of a resource of Kiro's that is no plain path: https://kiro.dev/docs/cli/custom-agents (November 2026)."""


def _is_within_project(value: JsonValue) -> bool:
    """Whether every text in a value is a path that stays within the project, as far as its text shows."""
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
    """Whether no table within a value has a configuration file of its own."""
    if isinstance(value, dict):
        return "config_file" not in value and all(map(_names_no_file, value.values()))
    return True


def _takes_variables_away(value: JsonValue) -> bool:
    """Whether Codex's policy for the environment of commands only leaves variables out."""
    keys = value.keys() if isinstance(value, dict) else set()
    return _is_empty(value) or bool(keys and keys <= {"inherit", "exclude", "include_only"})


def _exports_nothing(value: JsonValue) -> bool:
    values = value.values() if isinstance(value, dict) else [value]
    return all(inner == "none" or _is_empty(inner) for inner in values)


def _is_confined(value: JsonValue) -> bool:
    """Whether Codex's table of a writable workspace opens neither the network nor further directories."""
    if not isinstance(value, dict):
        return _is_empty(value)
    return all(_is_empty(inner) or key.startswith("exclude_") for key, inner in value.items())


@dataclass(frozen=True, slots=True)
class KeyEffect:
    """One effect of a key.

    Attributes:
        effect: what it does.
        meaning: how its value is read, where that matters to more than one module.
        dialects: the dialects whose tools do this; empty where it counts in every dialect's file.
        is_harmless: whether a value has no such effect.
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
    """One effect of some keys, in the files of the dialects named in `only`, unless a value is harmless."""
    return keys, KeyEffect(effect, meaning, frozenset(only.split()), unless)


_ROWS: Final = (
    # What restricts an agent in some tool, and what nobody would write but to restrict.
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
    # Words that restrict in one tool, and mean something else or nothing in the others.
    _row("websearch", Effect.RESTRICTS, only="codex"),
    _row(
        "commandexecutionpolicy excludedefaultcomponents inheritcustomizations inheritmcp",
        Effect.RESTRICTS,
        only="antigravity",
    ),
    _row("targets", Effect.RESTRICTS, only="neutral"),
    # Programs that a tool runs by itself, or code that it loads.
    _row("hooks", Effect.RUNS_PROGRAM, Meaning.HOOKS),
    _row("toolpaths enableautoupdate", Effect.RUNS_PROGRAM, only="vibe"),
    _row("experimentalenableprmonitoring experimentalenableprdiscovery", Effect.RUNS_PROGRAM, only="vibe"),
    _row("executor executionbackend", Effect.RUNS_PROGRAM, only="qwen"),
    _row("plugins", Effect.RUNS_PROGRAM, only="antigravity codex", unless=_is_off_throughout),
    # A provider may have a command for its key, and an environment may load a program into every command.
    _row("notify modelproviders marketplaces", Effect.RUNS_PROGRAM, only="codex"),
    _row("shellenvironmentpolicy", Effect.RUNS_PROGRAM, only="codex", unless=_takes_variables_away),
    _row("zshpath jsreplnodepath jsreplnodemoduledirs", Effect.RUNS_PROGRAM, only="codex"),
    # Servers and addresses to which what the agent sees is sent.
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
    # Files that become part of what the model reads, or that the tool writes.
    _row("resources", Effect.READS_FILE, only="kiro kiro2", unless=_is_within_project),
    _row("skillpaths agentpaths", Effect.READS_FILE, only="vibe", unless=_is_within_project),
    _row("sessionlogging", Effect.READS_FILE, only="vibe"),
    # Codex takes a relative path from the directory of its configuration, which is no project either.
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
    # Which model runs, beside the key that a dialect reads it from.
    _row("models allowedmodels compactionmodel visionmodel utilitymodels", Effect.CHANGES_MODEL, only="vibe"),
    _row("routeddefaultmodel routedmodelconfig routedextramodels", Effect.CHANGES_MODEL, only="vibe"),
    _row("activetranscribemodel transcribemodels activettsmodel ttsmodels", Effect.CHANGES_MODEL, only="vibe"),
    _row("modelprovider ossprovider reviewmodel", Effect.CHANGES_MODEL, only="codex"),
    _row("providermodel providerapikey", Effect.CHANGES_MODEL, only="auggie"),
    _row("providerid", Effect.CHANGES_MODEL, only="cline"),
    _row("modelconfig", Effect.CHANGES_MODEL, only="qwen"),
)


def _by_key(rows: Iterable[tuple[str, KeyEffect]]) -> dict[str, tuple[KeyEffect, ...]]:
    table: dict[str, tuple[KeyEffect, ...]] = {}
    for keys, row in rows:
        for key in keys.split():
            table[key] = (*table.get(key, ()), row)
    return table


KEY_EFFECTS: Final[Mapping[str, tuple[KeyEffect, ...]]] = _by_key(_ROWS)
"""The effects of each key, folded."""


def effects_of(key: str) -> tuple[KeyEffect, ...]:
    """The effects of a key in any spelling; none where nothing is known of it."""
    return KEY_EFFECTS.get(folded_key(key), ())


@cache
def meaning(*meanings: Meaning) -> frozenset[str]:
    """The keys, folded, that have one of these meanings."""
    return frozenset(key for key, rows in KEY_EFFECTS.items() if any(row.meaning in meanings for row in rows))


def _restricting(rows: Iterable[KeyEffect]) -> list[KeyEffect]:
    return [row for row in rows if row.effect is Effect.RESTRICTS]


RESTRICTING: Final = frozenset(key for key, rows in KEY_EFFECTS.items() if _restricting(rows))
"""The keys, folded, that restrict an agent in some tool."""

READ_BY_VALUE: Final = meaning(Meaning.MODE, Meaning.HOOKS)
"""Those that restrict by some of their values only, in the same way for the readers of all dialects."""

FOREIGN_RESTRICTING: Final = frozenset(
    key
    for key in RESTRICTING - READ_BY_VALUE - meaning(Meaning.SERVERS)
    if any(not row.dialects for row in _restricting(KEY_EFFECTS[key]))
)
"""Those whose presence alone is meant as a restriction, in whichever dialect's file they are found."""


TAKING_MODES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("plan", "planning"), "plan"),
    **dict.fromkeys(("dontask", "readonly", "read", "deny", "denied", "never", "none"), "dontAsk"),
}
"""What a permission mode says, folded, in another spelling than any tool's, or where there is no such mode."""


def is_off(value: object) -> bool:
    """Whether the value of a switch means that it is off; YAML 1.2 reads `no` and `off` as text."""
    return str(value).strip().lower() in ("", "none", "false", "no", "off", "0")


def restricts(key: str) -> bool:
    """Whether a key in any spelling restricts an agent in some tool; of a dotted key its first part counts."""
    return folded_key(key).partition(".")[0] in RESTRICTING


def may_restrict(key: str, text: str) -> bool:
    """Whether a key with a value of which this is the text, or its beginning, may restrict an agent."""
    folded = folded_key(key).partition(".")[0]
    if folded not in RESTRICTING:
        return False
    text = text.strip()
    if folded in meaning(Meaning.MODE):
        return folded_key(text.split()[0].strip("\"'")).removesuffix("mode") in TAKING_MODES if text else False
    if folded in meaning(Meaning.HOOKS, Meaning.SERVERS):
        return text[:1] in ("", "{", "[")  # the others cannot be hooks or servers
    return not (folded in meaning(Meaning.SWITCH) and text and is_off(text.partition("#")[0].strip("\"' \t")))


def is_foreign_restriction(key: str, value: JsonValue) -> bool:
    """Whether a key with this value is meant as a restriction in whichever dialect's file it is found."""
    folded = folded_key(key).partition(".")[0]
    is_switched_off = folded in meaning(Meaning.SWITCH) and is_off(value)
    return folded in FOREIGN_RESTRICTING and value not in (None, False) and not is_switched_off
