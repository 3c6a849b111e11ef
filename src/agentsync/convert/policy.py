"""What this machine lets agents be given: the policy, which is local and never comes from a source.

A policy takes or refuses what is about to be written, and changes none of it. There may be two, the machine's own and
its user's: what either of them refuses is refused, so neither can loosen the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal, assert_never

from pydantic import Field, JsonValue, field_validator

from agentsync.agents.grants import MCP, TOOLS, Approval, Grants, Rule, wider
from agentsync.agents.key_effects import Effect, KeyEffect, Meaning, effects_of
from agentsync.agents.patterns import ANY, TooManyPatternsError
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.limits import MAX_FILES
from agentsync.dialects import Dialect
from agentsync.formats.document import MAX_FILE_BYTES, Document
from agentsync.formats.validated_toml import MisplacedError, Settings, load

Say = Literal["allow", "refuse"]
_Globs = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=256)], ...], Field(max_length=256)]
_EVERYTHING: Final = (ANY,)

_OUTSIDE: Final = "external_directory"


class Rules(Settings):
    """What agents may be given.

    Attributes:
        hooks: whether an agent may bring commands that its tool runs at its events.
        mcp_servers: whether it may bring MCP servers; naming those that the user configured is no bringing.
        programs: whether it may bring other programs that its tool runs, or code that its tool loads.
        addresses: whether it may bring other addresses that its tool sends to, as of a provider of models.
        files: whether its tool may read files outside the project by itself, or write some.
        inherit: whether it may have every tool there is, by naming none.
        modes: globs of the permission modes that it may set, beside those that leave the user's guard where it is.
        tools: globs of the tools that it may have, by their canonical names.
        servers: globs of the MCP servers whose tools it may have.
        models: globs of the models that it may ask for, as `provider/id`.
        reserved: globs of the names that it may not have.
        secrets, hidden: whether its file may hold what looks like a credential, or characters that nobody sees.
        max_bytes: how large that file may be.
        escalation: whether one that is given more than its last version is only told, or held until that is confirmed.
    """

    hooks: Say = "refuse"
    mcp_servers: Say = "refuse"
    programs: Say = "refuse"
    addresses: Say = "refuse"
    files: Say = "refuse"
    inherit: Say = "allow"
    modes: _Globs = ()
    tools: _Globs = _EVERYTHING
    servers: _Globs = _EVERYTHING
    models: _Globs = _EVERYTHING
    reserved: _Globs = ()
    secrets: Say = "refuse"
    hidden: Say = "refuse"
    max_bytes: int = Field(default=MAX_FILE_BYTES, ge=1, le=MAX_FILE_BYTES)
    escalation: Literal["report", "hold"] = "report"

    @property
    def grants(self) -> Grants | None:
        """The most that an agent may be granted; None where that is everything."""
        if self.tools == self.servers == _EVERYTHING:
            return None
        names = (*self.tools, _OUTSIDE)  # which is where a tool may be used, and no tool
        tools = [Rule(name, Approval.ALLOW) for name in names if not name.startswith(MCP)]
        no_servers = Rule(f"{MCP}{ANY}", Approval.DENY)
        servers = [Rule(f"{MCP}{server}/{ANY}", Approval.ALLOW) for server in self.servers]
        return Grants((*tools, no_servers, *servers))


class PolicyTable(Rules):
    """A whole policy.

    Attributes:
        max_agents: how many agents one source may have.
        agents: by `SOURCE/AGENT`, two globs, what is said otherwise of some agents; of several the last counts, key by
            key. A source is meant by its name, or by its URL where the glob has a colon.
    """

    max_agents: int = Field(default=MAX_FILES, ge=1, le=MAX_FILES)
    agents: dict[str, Rules] = Field(default_factory=dict, max_length=256)

    @field_validator("agents")
    @classmethod
    def _of_two_globs(cls, tables: dict[str, Rules]) -> dict[str, Rules]:
        for pattern in tables:
            if not all(pattern.rpartition("/")):
                raise MisplacedError("name both, as `SOURCE/AGENT`; `*` is any of them", pattern)
        return tables


class MachinePolicy(PolicyTable):
    """The policy of a machine, which its users' configurations cannot loosen."""

    @field_validator("agents")
    @classmethod
    def _of_urls(cls, tables: dict[str, Rules]) -> dict[str, Rules]:
        for pattern in tables:
            source = pattern.rpartition("/")[0]
            if source != ANY and ":" not in source:
                raise MisplacedError("mean the source by its URL: its name is chosen by who configures it", pattern)
        return tables


def read_policy(text: str, place: str) -> MachinePolicy:
    """Reads a machine's policy, a TOML file of its own.

    Raises:
        ConfigError: the first mistake, with its line.
    """
    return load(text, MachinePolicy, place)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A policy for one source: what counts for each of its agents, and what is said otherwise of some."""

    rules: PolicyTable
    otherwise: tuple[tuple[str, Rules], ...]

    def of(self, slug: str) -> Rules:
        declared = [rules for pattern, rules in self.otherwise if fnmatchcase(slug, pattern)]
        update = {key: getattr(rules, key) for rules in declared for key in rules.model_fields_set}
        return self.rules.model_copy(update=update) if update else self.rules


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """All that counts for the agents of one source."""

    layers: tuple[_Layer, ...] = ()

    def rules(self, slug: str) -> tuple[Rules, ...]:
        """What counts for an agent: each must take it."""
        return tuple(layer.of(slug) for layer in self.layers)

    @property
    def max_agents(self) -> int:
        """How many agents the source may have."""
        return min((layer.rules.max_agents for layer in self.layers), default=MAX_FILES)


@dataclass(frozen=True, slots=True)
class Policy:
    """All policies that count on this machine."""

    tables: tuple[PolicyTable, ...] = ()

    def of_source(self, name: str, url: str) -> SourcePolicy:
        """What counts for one source."""
        return SourcePolicy(tuple(_Layer(table, tuple(_otherwise(table, name, url))) for table in self.tables))


def _otherwise(table: PolicyTable, name: str, url: str) -> Iterator[tuple[str, Rules]]:
    for pattern, rules in table.agents.items():
        source, _, agent = pattern.rpartition("/")
        if fnmatchcase(url if ":" in source else name, source):
            yield agent, rules


DEFAULT: Final = Policy((PolicyTable(),)).of_source("", "")
"""What counts where nobody says anything."""


# Judging


def judge_text(found: Sequence[Diagnostic], slug: str, size: int, policy: Sequence[Rules]) -> tuple[Diagnostic, ...]:
    """The findings on an agent's file, with what a policy refuses as errors.

    Args:
        found: by its reader and the checks.
        slug: what the agent is called.
        size: of the file, in bytes.
        policy: what counts for the agent.
    """
    refusals = {
        code: refusal
        for code, refusal, key in (
            (Code.HIDDEN_UNICODE, Code.HIDDEN_REFUSED, "hidden"),
            (Code.SECRET, Code.SECRET_REFUSED, "secrets"),
        )
        if any(getattr(rules, key) == "refuse" for rules in policy)
    }
    judged = [replace(finding, code=refusals.get(finding.code, finding.code)) for finding in found]
    for rules in policy:
        if _is_among(slug, rules.reserved):
            judged.append(Diagnostic(Code.NAME_REFUSED, f"`{slug}` is no name for an agent of a source"))
        if size > rules.max_bytes:
            judged.append(Diagnostic(Code.SIZE_REFUSED, f"{size} bytes are over {rules.max_bytes}"))
    return tuple(dict.fromkeys(judged))


def judge_output(target: Dialect, document: Document, slug: str, policy: Sequence[Rules]) -> tuple[Diagnostic, ...]:
    """A finding for each thing in a tool's file that a policy refuses.

    Args:
        target: whose file it is.
        document: the file.
        slug: what the agent is called.
        policy: what counts for the agent.
    """
    found = (finding for rules in policy for finding in _refusals(target, document, slug, rules))
    return tuple(dict.fromkeys(found))


def _refusals(target: Dialect, document: Document, slug: str, rules: Rules) -> Iterator[Diagnostic]:
    for key, value, row in _effects(target, document):
        for code, message in _refused_effect(key, value, row, rules):
            yield Diagnostic(code, message, line=document.lines.get(key, 0))
    if rules.models != _EVERYTHING:
        agent = target.read(document, slug).agent
        if agent and agent.model and not _is_among(agent.model, rules.models):
            yield Diagnostic(Code.MODEL_REFUSED, f"model `{agent.model}`", line=document.lines.get("model", 0))
    if grant := _excess(target, document, rules):
        yield Diagnostic(Code.GRANT_REFUSED, grant)


# The setting that takes or refuses what keys bring, with the code and the message of a refusal.
_SETTINGS: Final[Mapping[tuple[Effect, Meaning | None], tuple[str, Code, str]]] = {
    (Effect.RUNS_PROGRAM, Meaning.HOOKS): (
        "hooks",
        Code.HOOKS_REFUSED,
        "`{}` are commands that the tool runs by itself",
    ),
    (Effect.OPENS_ADDRESS, Meaning.SERVERS): ("mcp_servers", Code.SERVERS_REFUSED, "brings the MCP server `{}`"),
    (Effect.RUNS_PROGRAM, None): ("programs", Code.PROGRAM_REFUSED, "`{}` has the tool run a program or load code"),
    (Effect.OPENS_ADDRESS, None): (
        "addresses",
        Code.ADDRESS_REFUSED,
        "`{}` names a server or address that the tool sends to",
    ),
    (Effect.READS_FILE, None): (
        "files",
        Code.FILE_REFUSED,
        "`{}` has the tool read or write files outside the project",
    ),
}


def _refused_effect(key: str, value: JsonValue, row: KeyEffect, rules: Rules) -> Iterator[tuple[Code, str]]:
    """The refusals of one effect that a key of a file has."""
    match row.effect:
        case Effect.RESTRICTS:
            pass
        case Effect.CHANGES_APPROVAL:
            mode = _mode(key, value)
            if not _is_among(mode, rules.modes):
                yield Code.MODE_REFUSED, f"permission mode `{mode}` takes the user's guard away"
        case Effect.CHANGES_MODEL:
            if rules.models != _EVERYTHING:
                yield Code.MODEL_REFUSED, f"`{key}` chooses a model in a way that `models` cannot judge"
        case Effect.RUNS_PROGRAM | Effect.OPENS_ADDRESS | Effect.READS_FILE:
            setting, code, message = _SETTINGS[row.effect, row.meaning]
            names = _brought(value) if row.meaning is Meaning.SERVERS else (key,)
            if getattr(rules, setting) == "refuse":
                yield from ((code, message.format(name)) for name in names)
        case _:
            assert_never(row.effect)


def _excess(target: Dialect, document: Document, rules: Rules) -> str:
    """What a file grants beyond what it may; empty where there is nothing."""
    allowed = rules.grants
    if allowed is None and rules.inherit == "allow":
        return ""
    granted = target.enforced(document)
    try:
        if rules.inherit == "refuse" and granted.everything_else:
            return "it has every tool that its session has, since it names none"
        if allowed is None:
            return ""
        if target.uses_effects:
            allowed = allowed.with_effects()
        found = wider(granted.with_flat_names(), allowed.with_flat_names())
    except TooManyPatternsError as error:
        return error.message
    return f"it would have {found.call}" if found else ""


def _effects(target: Dialect, document: Document) -> Iterator[tuple[str, JsonValue, KeyEffect]]:
    """The keys of a tool's file that have an effect there, with their values, once for each effect.

    Keys count in every spelling: which one a tool reads is its own to know.
    """
    for key, value in document.metadata.items():
        yield from ((key, value, row) for row in effects_of(key) if row.applies_to(target.name, value))


def _brought(servers: JsonValue) -> dict[str, JsonValue]:
    """The servers that a value says how to start or reach, by name; one that is only named is none."""
    if isinstance(servers, dict):
        return servers
    entries = [entry for entry in servers if isinstance(entry, dict)] if isinstance(servers, list) else []
    return {str(entry.get("name") or next(iter(entry), "")): entry for entry in entries}


def _mode(key: str, value: JsonValue) -> str:
    """What a policy calls a mode: its word, or the key where it is a switch or a table."""
    return key if isinstance(value, bool | dict) else str(value)


def _is_among(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


# Growth


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
    found = [(key, value, row) for key, value, row in _effects(target, document) if row.effect is not Effect.RESTRICTS]
    hooks = {key: value for key, value, row in found if row.meaning is Meaning.HOOKS}
    servers = [value for _, value, row in found if row.meaning is Meaning.SERVERS]
    modes = [(key, value) for key, value, row in found if _sets_mode(row, value)]
    others = {key: value for key, value, row in found if row.meaning is None and not _sets_mode(row, value)}
    return Abilities(
        grants=target.enforced(document).with_flat_names(),
        hooks=hooks,
        servers={name: how for value in servers for name, how in _brought(value).items()},
        modes=frozenset(_mode(key, value) for key, value in modes),
        others=others,
        model=(agent.model or "") if agent else "",
        disabled=bool(agent and agent.disabled),
    )


def _sets_mode(row: KeyEffect, value: JsonValue) -> bool:
    """Whether a value is a mode with a name, and no table that may change under the same name."""
    return row.effect is Effect.CHANGES_APPROVAL and not isinstance(value, dict)


def escalation(before: Abilities, after: Abilities) -> tuple[str, ...]:
    """What an agent has after a change and did not have before, each in words; nothing where it has no more.

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
    found = [*_of_tools(before, after), *_of_patterns(before, after)]
    return found or [widening.call]


def _of_tools(before: Grants, after: Grants) -> Iterator[str]:
    for tool in sorted(TOOLS - {_OUTSIDE}):
        if widening := wider(_only(tool, after), before):
            yield widening.call


def _of_patterns(before: Grants, after: Grants) -> Iterator[str]:
    return (f"`{name}`" for name in after.patterns if name not in TOOLS and wider(_only(name, after), before))


def _only(name: str, grants: Grants) -> Grants:
    """What they say of this tool, and of no other."""
    return Grants(tuple(Rule(name, rule.approval, rule.argument) for rule in grants.for_tool(name)))
