"""The policy: what this machine lets agents be given. It is local and never comes from a source.

A policy accepts or refuses what is about to be written, and changes none of it. There may be two, the machine's own
and its user's: what either of them refuses is refused, so neither can loosen the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from agentsync.agents.grants import MCP, Approval, Grants, Rule
from agentsync.agents.patterns import ANY
from agentsync.core.limits import MAX_FILES
from agentsync.formats.document import MAX_FILE_BYTES
from agentsync.formats.validated_toml import MisplacedError, Settings, load
from agentsync.rollout.rules import RolloutPolicy

Verdict = Literal["allow", "refuse"]
_Globs = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=256)], ...], Field(max_length=256)]
EVERYTHING_GLOBS: Final = (ANY,)

OUTSIDE: Final = "external_directory"


class Rules(Settings):
    """What agents may be given.

    Attributes:
        hooks: whether an agent may bring commands that its tool runs at its events.
        mcp_servers: whether it may bring MCP servers; naming those that the user configured is allowed.
        programs: whether it may bring other programs that its tool runs, or code that its tool loads.
        addresses: whether it may bring other addresses that its tool sends to, as of a provider of models.
        files: whether its tool may read files outside the project by itself, or write some.
        inherit: whether it may have every tool there is, by naming none.
        unattended: which calls that change or send something an agent's file may let through without asking: all; those
            with some arguments only, and what the tool runs unasked by default; or none.
        modes: globs of the permission modes that it may set, beside those that leave the user's guard where it is.
        keys: globs of the keys that its file may have although their effect is not declared, as `dialect.key`.
        tools: globs of the tools that it may have, by their canonical names.
        servers: globs of the MCP servers whose tools it may have.
        models: globs of the models that it may ask for, as `provider/id`.
        reserved: globs of the names that it may not have.
        secrets, hidden: whether its file may hold what looks like a credential, or characters that nobody sees.
        max_bytes: how large that file may be.
        escalation: which agents that are given more than their last version had are held until confirmed: none, those
            that gain something that acts unattended (programs, servers, approval), or all; the others are reported.
    """

    hooks: Verdict = "refuse"
    mcp_servers: Verdict = "refuse"
    programs: Verdict = "refuse"
    addresses: Verdict = "refuse"
    files: Verdict = "refuse"
    inherit: Verdict = "allow"
    unattended: Literal["allow", "limited", "refuse"] = "limited"
    modes: _Globs = ()
    keys: _Globs = ()
    tools: _Globs = EVERYTHING_GLOBS
    servers: _Globs = EVERYTHING_GLOBS
    models: _Globs = EVERYTHING_GLOBS
    reserved: _Globs = ()
    secrets: Verdict = "refuse"
    hidden: Verdict = "refuse"
    max_bytes: int = Field(default=MAX_FILE_BYTES, ge=1, le=MAX_FILE_BYTES)
    escalation: Literal["report", "hold-unattended", "hold"] = "hold-unattended"

    @property
    def grants(self) -> Grants | None:
        """The most that an agent may be granted; None where that is everything."""
        if self.tools == self.servers == EVERYTHING_GLOBS:
            return None
        names = (*self.tools, OUTSIDE)  # which is where a tool may be used, and no tool
        tools = [Rule(name, Approval.ALLOW) for name in names if not name.startswith(MCP)]
        no_servers = Rule(f"{MCP}{ANY}", Approval.DENY)
        servers = [Rule(f"{MCP}{server}/{ANY}", Approval.ALLOW) for server in self.servers]
        return Grants((*tools, no_servers, *servers))


class PolicyTable(Rules):
    """A whole policy.

    Attributes:
        max_agents: how many agents one source may have.
        agents: other rules for some agents, by `SOURCE/AGENT`, two globs; the last match counts, key by key. A source
            is matched by its name, or by its URL where the glob has a colon.
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
    """The policy of a machine, which its users' configurations cannot loosen.

    Attributes:
        rollout: what it sets of the machine's part in rollouts.
    """

    rollout: RolloutPolicy = RolloutPolicy()

    @field_validator("agents")
    @classmethod
    def _of_urls(cls, tables: dict[str, Rules]) -> dict[str, Rules]:
        for pattern in tables:
            source = pattern.rpartition("/")[0]
            if source != ANY and ":" not in source:
                raise MisplacedError("mean the source by its URL: its name is chosen by who configures it", pattern)
        return tables


def read_policy(text: str, place: str) -> MachinePolicy:
    """Read a machine's policy, a TOML file of its own.

    Raises:
        ConfigError: the first mistake, with its line.
    """
    return load(text, MachinePolicy, place)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A policy for one source: the rules of all its agents, and those of some."""

    rules: PolicyTable
    exceptions: tuple[tuple[str, Rules], ...]

    def of(self, slug: str) -> Rules:
        matching = [rules for pattern, rules in self.exceptions if fnmatchcase(slug, pattern)]
        update = {key: getattr(rules, key) for rules in matching for key in rules.model_fields_set}
        return self.rules.model_copy(update=update) if update else self.rules


@dataclass(frozen=True, slots=True)
class SourcePolicy:
    """All that counts for the agents of one source."""

    layers: tuple[_Layer, ...] = ()

    def rules(self, *slugs: str) -> tuple[Rules, ...]:
        """What counts for an agent, under each of its names: each must take it."""
        return tuple(layer.of(slug) for layer in self.layers for slug in slugs)

    @property
    def max_agents(self) -> int:
        """How many agents the source may have."""
        return min((layer.rules.max_agents for layer in self.layers), default=MAX_FILES)


@dataclass(frozen=True, slots=True)
class Policy:
    """All policies that count on this machine.

    Attributes:
        tables: what agents may be given: by the configuration, and by the machine's own policy.
        rollout: what the latter sets of the machine's part in rollouts.
    """

    tables: tuple[PolicyTable, ...] = ()
    rollout: RolloutPolicy = field(default_factory=RolloutPolicy)

    def of_source(self, name: str, url: str) -> SourcePolicy:
        """What counts for one source."""
        return SourcePolicy(tuple(_Layer(table, tuple(_exceptions(table, name, url))) for table in self.tables))


def _exceptions(table: PolicyTable, name: str, url: str) -> Iterator[tuple[str, Rules]]:
    for pattern, rules in table.agents.items():
        source, _, agent = pattern.rpartition("/")
        if fnmatchcase(url if ":" in source else name, source):
            yield agent, rules


DEFAULT: Final = Policy((PolicyTable(),))
"""The policy where nothing is configured."""


def is_among(name: str, globs: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)
