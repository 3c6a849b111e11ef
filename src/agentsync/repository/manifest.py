"""Manifest: `agentsync.toml` at the root of a source, the repository's own settings. It can never widen a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, JsonValue, field_validator

from agentsync.core.codes import Severity
from agentsync.core.errors import ConfigError
from agentsync.dialects import dialects, no_dialect
from agentsync.formats.document import Document
from agentsync.formats.toml import load_toml
from agentsync.formats.validated_toml import MisplacedError, Settings, load
from agentsync.repository.acceptance import SharedAcceptanceList
from agentsync.repository.checks import hostile
from agentsync.repository.overrides import Override, check_override
from agentsync.rollout.tables import RolloutTable

FILE_NAME = "agentsync.toml"
MAX_BYTES = 64 * 1024


def known_dialect(name: str) -> str:
    """Return the name, if there is such a dialect.

    Raises:
        ValueError: there is none; the message names the nearest one, or all.
    """
    if name not in dialects():
        raise ValueError(no_dialect(name))
    return name


def _usable(tables: dict[str, dict[str, JsonValue]]) -> dict[str, dict[str, JsonValue]]:
    for pattern, table in tables.items():
        for diagnostic in check_override(Override(pattern, "", table)):
            if diagnostic.severity is Severity.ERROR:
                raise MisplacedError(diagnostic.message, pattern)
    return tables


# Each pattern is tried on each file or agent, so the number and length of a repository's patterns are limited.
_MAX_PATTERNS = 256
Pattern = Annotated[str, Field(max_length=256)]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=_MAX_PATTERNS)]

OverrideTables = Annotated[
    dict[Pattern, dict[str, JsonValue]], Field(max_length=_MAX_PATTERNS), AfterValidator(_usable)
]
"""Pattern of agents' names or tags to the keys that are overridden, as in the neutral dialect."""


def as_overrides(tables: Mapping[str, Mapping[str, JsonValue]], place: str) -> tuple[Override, ...]:
    """Return the overrides of a document, in its order."""
    return tuple(Override(pattern, place, table) for pattern, table in tables.items())


class AgentsTable(Settings):
    """Settings for which files are agents, and which of them are taken.

    Attributes:
        include, exclude: globs over paths.
        only, skip: patterns of agents: globs over their names, or `tag:` and one over their tags.
        dialects: glob over paths to dialect.
        versions: dialects, in the order in which other tools get their versions of an agent.
    """

    include: Patterns = ()
    exclude: Patterns = ()
    only: Patterns = ()
    skip: Patterns = ()
    dialects: dict[Pattern, str] = Field(default_factory=dict, max_length=_MAX_PATTERNS)
    versions: tuple[Annotated[str, AfterValidator(known_dialect)], ...] = Field(default=(), max_length=_MAX_PATTERNS)

    @field_validator("dialects")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        return {pattern: known_dialect(name) for pattern, name in value.items()}


class Manifest(Settings):
    """Parsed manifest.

    Attributes:
        agents: files and dialects; patterns are relative to the source's subfolder.
        models: for each dialect, a model as agents name it to the tool's own name for it.
        overrides: overrides of some agents; they can never give an agent more than its file does.
        rollout: how its commits spread over machines; at once where it is left out. That of the branch's tip counts.
        accept: losses in conversion that are accepted wherever the agents are used.
    """

    version: Literal[1] = 1
    agents: AgentsTable = AgentsTable()
    models: dict[str, dict[str, str]] = Field(default_factory=dict)
    overrides: OverrideTables = Field(default_factory=dict)
    rollout: RolloutTable | None = None
    accept: SharedAcceptanceList = ()


def read_manifest(data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        ConfigError: the first mistake, with its line.
    """
    text = data.decode("utf-8-sig", errors="replace")
    manifest = load(text, Manifest, FILE_NAME)
    document = Document(FILE_NAME, load_toml(text), data=text.encode())
    for _, message, line in hostile(document) if text.strip() else ():
        raise ConfigError(message, place=f"{FILE_NAME}:{line}", hint="it may become a part of any agent; remove it")
    return manifest
