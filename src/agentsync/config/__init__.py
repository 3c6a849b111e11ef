"""The configuration of this machine: sources, targets, and how agents are converted for each."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from agentsync.agents.narrowing import WriteOptions
from agentsync.config.tables import (
    AbsolutePath,
    DaemonTable,
    DialectName,
    HealthTable,
    LimitsTable,
    SourceTable,
    TargetTable,
)
from agentsync.convert.policy import Policy, PolicyTable, read_policy
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ConfigError, why
from agentsync.core.paths import config_candidates, is_directory, is_file, text_of
from agentsync.dialects import Dialect, dialects
from agentsync.formats.validated_toml import MisplacedError, Settings, load
from agentsync.git.mirror import Remote
from agentsync.repository.manifest import OverrideTables, known_dialect
from agentsync.repository.overrides import AgentFilter
from agentsync.targets.installed import directory_of
from agentsync.targets.plan import Limits

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Target(Settings):
    """A target with everything filled in.

    Attributes:
        dialect: what is written.
        directory: where; absolute.
        create: whether the directory may be made although its tool's own is not there.
        filter: which agents it gets.
        allow_restore: whether a file of ours that was edited here is kept aside and written again.
    """

    name: str
    dialect: str
    directory: Path
    create: bool
    follow_symlinks: bool
    options: WriteOptions
    filter: AgentFilter = AgentFilter()
    allow_restore: bool = False

    @property
    def written(self) -> Dialect:
        return dialects()[self.dialect]

    @property
    def absence(self) -> Diagnostic | None:
        """The finding that its tool is not on this machine; None where it is.

        The directory may be made where the tool's own directory is there, or where the user says so.
        """
        if self.create or is_directory(self.directory) or is_directory(self.directory.parent):
            return None
        message = f"neither this directory nor its parent is there, so {self.written.title} gets nothing"
        return Diagnostic(Code.TARGET_MISSING, message, path=str(self.directory), target=self.name)


class Config(Settings):
    """The whole document.

    Attributes:
        overrides: what this machine says otherwise of some agents.
        overlays: the directory of the user's overlays; `overlays` beside the configuration unless it is given.
    """

    version: Literal[1]
    sources: dict[str, SourceTable] = Field(default_factory=dict)
    targets: dict[str, TargetTable] = Field(default_factory=dict)
    models: dict[DialectName, dict[str, str]] = Field(default_factory=dict)
    overrides: OverrideTables = Field(default_factory=dict)
    overlays: AbsolutePath | None = None
    limits: LimitsTable = LimitsTable()
    daemon: DaemonTable = DaemonTable()
    health: HealthTable = HealthTable()
    policy: PolicyTable = PolicyTable()

    @field_validator("sources", "targets")
    @classmethod
    def _names(cls, tables: dict[str, Settings]) -> dict[str, Settings]:
        for name in tables:
            if not _NAME.fullmatch(name):
                raise ValueError(f"the name `{name}` must be letters, digits, dots, dashes and underscores")
        return tables

    @model_validator(mode="after")
    def _whole(self) -> Self:
        directories: dict[Path, str] = {}
        for target in self.resolved_targets():
            if target.directory in directories:
                other = directories[target.directory]
                message = f"targets `{other}` and `{target.name}` are the same directory {target.directory}"
                raise MisplacedError(message, "targets", target.name)
            directories[target.directory] = target.name
        return self

    def remote_of(self, source: str) -> Remote:
        """What is fetched for a source."""
        return replace(self.sources[source].remote(), max_bytes=self.limits.fetch_bytes)

    def resolved_targets(self) -> tuple[Target, ...]:
        """The targets in the order in which they are written down."""
        return tuple(self._target(name, table) for name, table in self.targets.items())

    def _target(self, name: str, table: TargetTable) -> Target:
        try:
            dialect = table.dialect or known_dialect(name)
        except ValueError as error:
            raise MisplacedError(f"{error}; give the target a `dialect`", "targets", name) from error
        directory = table.path or directory_of(dialects()[dialect], table.project)
        if directory is None:
            raise MisplacedError(f"{dialect} has no directory of its own; give the target a `path`", "targets", name)
        if not directory.is_absolute():
            message = f"{dialect} has its directory at `{directory}`, which is not absolute; give the target a `path`"
            raise MisplacedError(message, "targets", name)
        return Target(
            name=name,
            dialect=dialect,
            directory=directory,
            create=table.create,
            follow_symlinks=table.follow_symlinks,
            options=WriteOptions(
                approval=table.approval,
                unenforceable=table.unenforceable,
                coarse=table.coarse,
                strict_approval=table.strict_approval,
            ),
            filter=AgentFilter(table.only, table.skip),
            allow_restore=table.on_drift == "restore",
        )

    def deletion_limits(self, *, allow_deletions: bool) -> Limits:
        return Limits(self.limits.max_deletion_share, self.limits.min_deletions, allow_deletions)


def find_config(given: Path | None) -> Path:
    """The configuration that counts.

    Raises:
        ConfigError: none is there.
    """
    if given is not None:
        return given
    candidates = config_candidates()
    for candidate in candidates:
        if is_file(candidate):
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise ConfigError(
        "there is no configuration",
        hint=f"run `agentsync init URL` to write one, or give --source and --to (looked for {looked})",
    )


def load_config(path: Path) -> Config:
    """Reads a configuration.

    Raises:
        ConfigError: the file cannot be read, or the first mistake in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError("this configuration does not exist", place=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"this configuration cannot be read: {why(error)}", place=str(path)) from error
    config = load(text, Config, str(path))
    if config.overlays is None:
        return config.model_copy(update={"overlays": path.absolute().parent / "overlays"})
    if not is_directory(config.overlays):
        message = f"`overlays`: there is no directory {config.overlays}"
        raise ConfigError(
            message, place=str(path), hint="without what is said in it, agents could do more than you allow"
        )
    return config


def policy_of(config: Config, machine: Path) -> Policy:
    """The policies that count: the configuration's, and the machine's where there is one.

    Raises:
        ConfigError: the machine's cannot be read, or has a mistake in it. It is never passed over.
    """
    try:
        text = machine.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Policy((config.policy,))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"this machine's policy cannot be read: {why(error)}", place=str(machine)) from error
    return Policy((config.policy, read_policy(text, str(machine))))


def load_with_text(path: Path) -> tuple[Config, str]:
    """A configuration and its text; that is empty where it changed meanwhile, so that nothing is remembered for it.

    Raises:
        ConfigError: as `load_config`.
    """
    text = text_of(path)
    config = load_config(path)
    return config, text if text == text_of(path) else ""


def check_complete(config: Config, path: Path) -> None:
    """Makes sure that there is something to pull, and somewhere to write it.

    Raises:
        ConfigError: there is no source, or no target.
    """
    tables = {"source": (config.sources, "[sources.team] with a `url`"), "target": (config.targets, "[targets.claude]")}
    for what, (table, example) in tables.items():
        if not table:
            raise ConfigError(f"no {what} is configured", place=str(path), hint=f"add a table such as {example}")
