"""Compiled agent: the result of one file of a source, with its outputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from operator import attrgetter
from typing import Any

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.repository.dependencies import NO_NEEDS, Needs


@dataclass(frozen=True, slots=True)
class Output:
    """Output for one target.

    Attributes:
        path: below the target's directory.
        digest: of the file; empty where the agent is refused or excluded.
        diagnostics: of the conversion.
        name: by which other agents call it there; empty as well.
        lost: what the agent can no longer do there, each as the words after "can".
    """

    path: str
    digest: str
    diagnostics: tuple[Diagnostic, ...] = ()
    name: str = ""
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CompiledAgent:
    """Result of compiling one file of a source.

    Attributes:
        name, slug, description, tags: of the agent; empty where the file is not one.
        dialect: of the agent, or of a refused file where it is known.
        excluded: the targets that do not get it.
        own_slug: see `Agent`.
        left_out: the slugs of an agent that its source's patterns leave out.
        refused: whether it looks like an agent and cannot be used, or must not be.
        claims: the slugs that a refused one would have as far as is known; empty ones are those of a file of several.
        outputs: by target's name.
        needs: what the agent names and does not bring.
    """

    source: str
    path: str
    blob: str
    name: str = ""
    slug: str = ""
    own_slug: str = ""
    dialect: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    excluded: frozenset[str] = frozenset()
    left_out: tuple[str, ...] = ()
    refused: bool = False
    claims: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    outputs: Mapping[str, Output] = field(default_factory=dict)
    needs: Needs = NO_NEEDS

    @property
    def slugs(self) -> tuple[str, ...]:
        """The names by which patterns and policies know the agent."""
        return (self.slug, self.own_slug) if self.own_slug else (self.slug,)


def encode(compiled_agent: CompiledAgent) -> bytes:
    """Encode for the cache; source, path and blob are left out, since they are known where it is read."""
    record = {
        "name": compiled_agent.name,
        "slug": compiled_agent.slug,
        "own_slug": compiled_agent.own_slug,
        "dialect": compiled_agent.dialect,
        "description": compiled_agent.description,
        "tags": compiled_agent.tags,
        "excluded": sorted(compiled_agent.excluded),
        "left_out": compiled_agent.left_out,
        "refused": compiled_agent.refused,
        "claims": compiled_agent.claims,
        "diagnostics": [*map(_encoded, compiled_agent.diagnostics)],
        "outputs": {
            target: [output.path, output.digest, [*map(_encoded, output.diagnostics)], output.name, output.lost]
            for target, output in compiled_agent.outputs.items()
        },
        "needs": asdict(compiled_agent.needs),
    }
    return json.dumps(record).encode()


def decode(value: bytes, *, source: str, path: str, blob: str) -> CompiledAgent:
    """Decode a value of the cache."""
    record = json.loads(value)
    outputs = {
        target: Output(written, digested, _decoded(diagnostics), name, tuple(lost))
        for target, (written, digested, diagnostics, name, lost) in record.pop("outputs").items()
    }
    diagnostics = _decoded(record.pop("diagnostics"))
    tags, claims, left_out = (tuple(record.pop(key)) for key in ("tags", "claims", "left_out"))
    excluded = frozenset(record.pop("excluded"))
    needs = Needs(**{kind: tuple(names) for kind, names in record.pop("needs").items()})
    return CompiledAgent(
        source,
        path,
        blob,
        tags=tags,
        claims=claims,
        left_out=left_out,
        excluded=excluded,
        diagnostics=diagnostics,
        outputs=outputs,
        needs=needs,
        **record,
    )


def _encoded(diagnostic: Diagnostic) -> tuple[object, ...]:
    """A diagnostic as its values, of which there may be thousands."""
    return diagnostic.code.id, *_VALUES(diagnostic)


def _decoded(records: Iterable[Sequence[Any]]) -> tuple[Diagnostic, ...]:
    """Restore diagnostics; thousands of agents have the same messages, so each text is kept once."""
    return tuple(Diagnostic(_CODES[id_], sys.intern(message), *rest) for id_, message, *rest in records)


_CODES = {code.id: code for code in Code}
_VALUES = attrgetter(*(one.name for one in fields(Diagnostic) if one.name != "code"))
