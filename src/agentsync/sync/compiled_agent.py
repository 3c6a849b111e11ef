"""Compiled agent: the result of one file of a source, with its outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from agentsync.core.diagnostics import Diagnostic
from agentsync.repository.dependencies import NO_NEEDS, Needs


@dataclass(frozen=True, slots=True)
class Output:
    """Output for one target: path and digest; the digest is empty where the agent is refused or excluded."""

    path: str
    digest: str
    diagnostics: tuple[Diagnostic, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledAgent:
    """Result of compiling one file of a source.

    Attributes:
        name, slug, dialect, description, tags: of the agent; empty where the file is not one.
        excluded: the targets that do not get it.
        refused: whether it looks like an agent and cannot be used, or must not be.
        outputs: by target's name.
        needs: what the agent names and does not bring.
    """

    source: str
    path: str
    blob: str
    name: str = ""
    slug: str = ""
    dialect: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    refused: bool = False
    diagnostics: tuple[Diagnostic, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    needs: Needs = NO_NEEDS


def encode(compiled_agent: CompiledAgent) -> bytes:
    """Encode for the cache; source, path and blob are left out, since they are known where it is read."""
    record = {
        "name": compiled_agent.name,
        "slug": compiled_agent.slug,
        "dialect": compiled_agent.dialect,
        "description": compiled_agent.description,
        "tags": compiled_agent.tags,
        "excluded": sorted(compiled_agent.excluded),
        "refused": compiled_agent.refused,
        "diagnostics": [diagnostic.as_dict() for diagnostic in compiled_agent.diagnostics],
        "outputs": {
            target: [output.path, output.digest, [diagnostic.as_dict() for diagnostic in output.diagnostics]]
            for target, output in compiled_agent.outputs.items()
        },
        "needs": asdict(compiled_agent.needs),
    }
    return json.dumps(record).encode()


def decode(value: bytes) -> CompiledAgent:
    """Decode a value of the cache; source, path and blob are empty."""
    record = json.loads(value)
    outputs = {
        target: Output(path, digested, tuple(Diagnostic.from_dict(diagnostic) for diagnostic in diagnostics))
        for target, (path, digested, diagnostics) in record.pop("outputs").items()
    }
    diagnostics = tuple(Diagnostic.from_dict(diagnostic) for diagnostic in record.pop("diagnostics"))
    tags, excluded = tuple(record.pop("tags")), frozenset(record.pop("excluded"))
    needs = Needs(**{kind: tuple(names) for kind, names in record.pop("needs").items()})
    return CompiledAgent(
        "", "", "", tags=tags, excluded=excluded, diagnostics=diagnostics, outputs=outputs, needs=needs, **record
    )
