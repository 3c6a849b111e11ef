"""Configuration of this machine: sources, targets, and how agents are converted for each."""

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
from agentsync.core.files import read_regular
from agentsync.core.ownership import require_trusted
from agentsync.core.paths import config_candidates, is_directory, is_file, text_of
from agentsync.dialects import Dialect, default_dialect, dialects
from agentsync.formats.validated_toml import MisplacedError, Settings, load
from agentsync.git.mirror import Remote
from agentsync.repository.acceptance import AcceptanceList
from agentsync.repository.manifest import OverrideTables, known_dialect
from agentsync.repository.overrides import AgentFilter
from agentsync.targets.deletion_limits import DeletionLimits
from agentsync.targets.installed_tools import directory_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Target(Settings):
    """Target with all defaults resolved.

    Attributes:
        dialect: the dialect that is written.
        directory: where it is written; absolute.
        create: whether the directory may be created although its tool's own does not exist.
        filter: which agents it gets.
        allow_restore: whether a managed file that was edited here is backed up and written again.
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
        """Diagnostic for a tool that is not on this machine; None where it is.

        The directory may be created where the tool's own directory exists, or where the user sets `create`.
        """
        if self.create or is_directory(self.directory) or is_directory(self.directory.parent):
            return None
        message = f"neither this directory nor its parent exists, so nothing is written for {self.written.title}"
        return Diagnostic(Code.TARGET_MISSING, message, path=str(self.directory), target=self.name)


class Config(Settings):
    """Parsed configuration file.

    Attributes:
        overrides: settings of this machine that override those of some agents.
        accept: diagnostics that are accepted on this machine.
        overlays: the directory of the user's overlays; `overlays` beside the configuration unless it is set.
    """

    version: Literal[1]
    sources: dict[str, SourceTable] = Field(default_factory=dict)
    targets: dict[str, TargetTable] = Field(default_factory=dict)
    models: dict[DialectName, dict[str, str]] = Field(default_factory=dict)
    overrides: OverrideTables = Field(default_factory=dict)
    accept: AcceptanceList = ()
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
    def _distinct_directories(self) -> Self:
        directories: dict[Path, str] = {}
        for target in self.resolved_targets():
            if target.directory in directories:
                other = directories[target.directory]
                message = f"targets `{other}` and `{target.name}` are the same directory {target.directory}"
                raise MisplacedError(message, "targets", target.name)
            directories[target.directory] = target.name
        return self

    def remote_of(self, source: str) -> Remote:
        """Return what to fetch for a source."""
        return replace(self.sources[source].remote(), max_bytes=self.limits.fetch_bytes)

    def resolved_targets(self) -> tuple[Target, ...]:
        """Return the targets in the order of the configuration."""
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

    def deletion_limits(self, *, allow_deletions: bool) -> DeletionLimits:
        return DeletionLimits(self.limits.max_deletion_share, self.limits.min_deletions, allow_deletions)


def find_config(given: Path | None) -> Path:
    """Find the configuration file to use.

    Raises:
        ConfigError: there is none.
    """
    if given is not None:
        return given
    candidates = config_candidates()
    for candidate in candidates:
        if is_file(candidate):
            return candidate
    searched = ", ".join(str(candidate) for candidate in candidates)
    raise ConfigError(
        "there is no configuration",
        hint=f"run `agentsync init URL` to write one, or give --source and --to (searched for {searched})",
    )


def load_config(path: Path) -> Config:
    """Read a configuration.

    Raises:
        ConfigError: the file cannot be read, or the first mistake in it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError("this configuration does not exist", place=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"this configuration cannot be read: {why(error)}", place=str(path)) from error
    if is_file(path):  # and not a pipe, which belongs to whoever started this
        _require_trusted(path)
    config = load(text, Config, str(path))
    if config.overlays is None:
        beside = path.absolute().parent / "overlays"
        if is_directory(beside):
            _require_trusted(beside)
        return config.model_copy(update={"overlays": beside})
    if not is_directory(config.overlays):
        message = f"`overlays`: there is no directory {config.overlays}"
        # Overlays may restrict agents, so a missing directory is an error and not an empty one.
        raise ConfigError(message, place=str(path), hint="without its overlays, agents could do more than you allow")
    _require_trusted(config.overlays)
    return config


def _require_trusted(path: Path) -> None:
    """Check that no other user decides by this file or directory.

    Raises:
        ConfigError: another user can change or replace it.
    """
    try:
        require_trusted(path)
    except OSError as error:
        message = f"another user could decide what is written here: {error.strerror}"
        raise ConfigError(
            message, place=str(path), hint="let you or root own it, and nobody else write to it"
        ) from error


def policy_of(config: Config, machine: Path) -> Policy:
    """Combine the policies in force: the configuration's, and the machine's where there is one.

    Raises:
        ConfigError: the machine's policy cannot be read, or has a mistake in it. It is never skipped.
    """
    try:
        text = read_regular(machine).decode()
    except FileNotFoundError:
        return Policy((config.policy,))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"this machine's policy cannot be read: {why(error)}", place=str(machine)) from error
    _require_trusted(machine)
    own = read_policy(text, str(machine))
    return Policy((config.policy, own), own.rollout)


def load_with_text(path: Path) -> tuple[Config, str]:
    """Read a configuration and its text; the text is empty where it changed meanwhile, so that no fingerprint is kept.

    Raises:
        ConfigError: as `load_config`.
    """
    text = text_of(path)
    config = load_config(path)
    return config, text if text == text_of(path) else ""


def check_complete(config: Config, path: Path) -> None:
    """Check that there is something to pull, and somewhere to write it.

    Raises:
        ConfigError: there is no source, or no target.
    """
    target = f"[targets.{default_dialect().name}]"
    tables = {"source": (config.sources, "[sources.team] with a `url`"), "target": (config.targets, target)}
    for what, (table, example) in tables.items():
        if not table:
            raise ConfigError(f"no {what} is configured", place=str(path), hint=f"add a table such as {example}")
