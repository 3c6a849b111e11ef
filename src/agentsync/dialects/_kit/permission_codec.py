"""How a tool restricts an agent: a codec between the keys of its files and grants."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from agentsync.agents.grants import Grants
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.guards import Names
from agentsync.dialects._kit.intent import intended_by
from agentsync.formats.document import Document

Permissions = tuple[dict[str, JsonValue], list[Diagnostic]]
"""The keys that express grants, and diagnostics for what they cannot express."""


def as_they_are(fields: Fields, keys: frozenset[str]) -> dict[str, JsonValue]:
    """These keys of a file, and their values."""
    return {key: fields.raw(key) for key in fields.keys if key in keys}


@dataclass(frozen=True, slots=True)
class PermissionCodec:
    """The permissions of one tool's agents.

    Reading has two semantics. The intended grants are the narrower sense wherever there is a doubt; other tools get
    these. The enforced grants are the widest that the tool may let through; the proof relies on them.

    Attributes:
        keys: as `Dialect.permission_keys`.
        capabilities: as in Dialect.
        intended: the keys of a file to the grants that their author intended.
        enforced: as in Dialect.
        write: the keys for an agent of another dialect.
        remedy: as in Dialect.
        check: reports what is wrong with the keys, and reads them, so that they count as known.
        own: the keys with which an agent of this dialect is written again.
        spelled: the keys among them that the tool itself reads, in its own spelling; all of them where it is empty.
        knows: as `Dialect.knows`, for these keys.
        any_spelling, guarded_tools, lists, uses_effects: as in Dialect.
    """

    keys: frozenset[str]
    capabilities: Capabilities
    intended: Callable[[Mapping[str, JsonValue]], Grants]
    enforced: Callable[[Document], Grants]
    write: Callable[[Agent, WriteOptions], Permissions]
    remedy: str
    check: Callable[[Fields], None] = lambda _fields: None
    own: Callable[[Fields, frozenset[str]], dict[str, JsonValue]] = as_they_are
    spelled: frozenset[str] = frozenset()
    knows: Callable[[str, JsonValue], Iterable[bool]] = lambda _key, _value: ()
    any_spelling: bool = False
    guarded_tools: Names = intended_by
    lists: ToolLists | None = None
    uses_effects: bool = False
