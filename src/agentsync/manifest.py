"""`agentsync.toml` at the root of a source: what the repository says about itself. It can never widen a policy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from agentsync.dialects import dialects
from agentsync.settings import Settings, load

FILE_NAME = "agentsync.toml"
MAX_BYTES = 64 * 1024


def known_dialect(name: str) -> str:
    """The name, if there is such a dialect.

    Raises:
        ValueError: naming the dialects that there are.
    """
    if name not in dialects():
        raise ValueError(f"there is no dialect `{name}`; there are {', '.join(dialects())}")
    return name


class AgentsTable(Settings):
    """Which files are agents, and what they are written for."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dialects: dict[str, str] = Field(default_factory=dict)

    @field_validator("dialects")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        return {pattern: known_dialect(name) for pattern, name in value.items()}


class Manifest(Settings):
    """The whole document.

    Attributes:
        agents: files and dialects; patterns are relative to the source's subfolder.
        models: for each dialect, a model as agents name it to the tool's own name for it.
    """

    version: Literal[1] = 1
    agents: AgentsTable = AgentsTable()
    models: dict[str, dict[str, str]] = Field(default_factory=dict)


def read_manifest(data: bytes) -> Manifest:
    """Reads a manifest.

    Raises:
        ConfigError: the first mistake, with its line.
    """
    return load(data.decode(errors="replace"), Manifest, FILE_NAME)
