"""What restricts an agent whatever its dialect makes of it: hooks, limits on its servers, and other tools' keys.

A dialect cannot leave these out, so they are tried on one that claims to know every key and to restrict by none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, READING, Approval, Grants, wider
from agentsync.agents.key_effects import FOREIGN_RESTRICTING, KEY_EFFECTS, Meaning, meaning
from agentsync.agents.model import Agent
from agentsync.core.codes import Code
from agentsync.dialects import Dialect, dialects
from agentsync.dialects._base import Reading
from agentsync.formats.document import Document
from dialects.test_contract import CASES, _agent
from support.grants import available

ON: Mapping[Meaning | None, JsonValue] = {Meaning.SWITCH: True, Meaning.MODE: "readonly"}
HOOKS: JsonValue = {"PreToolUse": [{"matcher": "Bash", "hooks": []}]}
SERVERS: JsonValue = {"gh": {"command": "x", "disabledTools": ["delete"], "enabledTools": ["search"]}}
READS = READING | {"external_directory"}


def careless(document: Document, stem: str) -> Reading:
    """A reader that takes every key for harmless."""
    agent = Agent(
        name=stem, slug=stem, description="d", dialect="claude", grants=EVERYTHING, native=dict(document.metadata)
    )
    return Reading(agent)


CARELESS = replace(
    dialects()["claude"],
    reader=careless,
    permission_keys=frozenset(),
    any_spelling=False,
    guarded_tools=lambda _name: (),
    runs_hooks=True,
)


def _read(dialect: Dialect, metadata: Mapping[str, JsonValue]) -> Reading:
    return dialect.read(Document("x.md", metadata, "p", {}, repaired=False, diagnostics=(), data=b""), "x")


def _grants(metadata: Mapping[str, JsonValue]) -> Grants:
    agent = _read(CARELESS, metadata).agent
    assert agent
    return agent.grants


@pytest.mark.parametrize("key", sorted(FOREIGN_RESTRICTING | meaning(Meaning.MODE)))
def test_a_key_that_restricts_in_some_tool_leaves_reading_only(key: str) -> None:
    value = next((ON[row.meaning] for row in KEY_EFFECTS[key] if row.meaning in ON), "x")
    assert available(_grants({key: value})) <= READS
    assert [diagnostic.code for diagnostic in _read(CARELESS, {key: value}).diagnostics] == [Code.NO_EFFECT]


@pytest.mark.parametrize("key", sorted(meaning(Meaning.HOOKS)))
def test_a_call_that_hooks_may_refuse_is_denied(key: str) -> None:
    assert _grants({key: HOOKS}).approvals("bash") == {Approval.DENY, Approval.SESSION}
    assert _grants({key: HOOKS}).approvals("write") == {Approval.SESSION}


@pytest.mark.parametrize("key", sorted(meaning(Meaning.SERVERS)))
def test_limits_on_an_agents_servers_hold(key: str) -> None:
    granted = _grants({key: SERVERS})
    assert [granted.approval(f"mcp/gh/{tool}") for tool in ("search", "delete", "create")] == [
        Approval.SESSION,
        Approval.DENY,
        Approval.DENY,
    ]


TRIED: tuple[JsonValue, ...] = (
    "Bash",
    "plan",
    [],
    ["Bash"],
    ["*"],
    True,
    False,
    "off",
    {"deny": ["bash"]},
    {"Bash": False},
)


def test_every_key_that_a_dialect_claims_to_read_as_a_restriction_has_an_effect() -> None:
    """Naming a permission key takes it out of the general rule, so the dialect has to read it."""
    cases = [(case.parent.name, _agent(case).document) for case in CASES]
    unread = [
        (dialect.name, key)
        for dialect in dialects().values()
        for key in sorted(dialect.permission_keys)
        if not _has_effect(dialect, key, [document for name, document in cases if name == dialect.name])
    ]
    assert not unread, unread


def _has_effect(dialect: Dialect, key: str, documents: Sequence[Document]) -> bool:
    """Whether some value of a key changes what an agent may do, or whether it is read at all."""
    for document in documents:
        without = {name: value for name, value in document.metadata.items() if name != key}
        values = [document.metadata[key]] if key in document.metadata else TRIED
        for value in values:
            pair = (dialect.read(replace(document, metadata=each), "x") for each in (without, {**without, key: value}))
            free, bound = (reading.agent.grants if reading.agent else Grants(()) for reading in pair)
            if wider(free, bound) or wider(bound, free):
                return True
    return False
