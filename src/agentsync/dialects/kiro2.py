"""Kiro's command line before version 3: JSON with a list of tools, and one of tools that run without asking.

Facts: its own code, read and not run, as published in https://github.com/aws/amazon-q-developer-cli (crates/agent,
November 2026). No list of tools, or an empty one, means none. A call that `allowedTools` does not name is asked for
unless the user trusts the tool. Version 3 reads these files as well. A prompt that begins with `file://` names a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import Approval
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Recognition, Review, ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.kiro.effects import EFFECTS
from agentsync.dialects.kiro.keys import KEYS, MODELS, NATIVE
from agentsync.dialects.kiro.permissions import codec
from agentsync.dialects.kiro.writer import server_name, with_search
from agentsync.formats.json_reader import format_json, parse_json

_FILE: Final = "file://"
_CAPABILITIES: Final = Capabilities(
    units={
        "read": ("read", "list"),
        "grep": ("grep",),
        "glob": ("glob",),
        "write": ("write", "edit"),
        "shell": ("bash",),
        "web_fetch": ("webfetch",),
        "web_search": ("websearch",),
        "subagent": ("task",),
        "todo_list": ("todo",),
    },
    nameless=frozenset({"lsp"}),
    server_name=server_name,
)


def _write(agent: Agent, options: WriteOptions) -> Permissions:
    narrowed = narrow(with_search(agent.grants, ("list",)), _CAPABILITIES, options)
    levels = {**narrowed.units, **narrowed.servers}
    diagnostics = [*narrowed.diagnostics]
    is_open = narrowed.default is not Approval.DENY and all(levels.values())
    if narrowed.default is not Approval.DENY and not is_open:
        message = "only a complete list can take a tool away here, so tools that it does not name are left out"
        diagnostics.append(Diagnostic(Code.TOOL_LOST, message))
    keys: dict[str, JsonValue] = {"tools": [ANY]}
    if not is_open:
        denied = [name for name, level in narrowed.servers.items() if not level]
        granted = {name: level for name, level in levels.items() if level}
        mixed = [name for name in granted if any(_share(name, other) for other in denied)]
        diagnostics += [
            Diagnostic(Code.GLOB_NARROWED, f"`{name}` is refused in part, so it is left out") for name in mixed
        ]
        levels = {name: level for name, level in granted.items() if name not in mixed}
        keys["tools"] = [name.removesuffix("/*") for name in levels]
    if keys["tools"] == []:
        keys["permissions"] = {"rules": [{"capability": "all", "effect": "deny"}]}  # for version 3
    unasked = [name.removesuffix("/*") for name, level in levels.items() if level is Approval.ALLOW]
    # A pattern over servers' tools may also cover one that must be asked for.
    asked = [name for name, level in levels.items() if level is not Approval.ALLOW]
    unasked = [name for name in unasked if not any(_share(name, other) for other in asked)]
    if unasked:
        keys["allowedTools"] = list[JsonValue](unasked)
    if is_open or any(name.startswith("@") for name in levels):
        keys["includeMcpJson"] = True
    return keys, diagnostics


def _share(one: str, other: str) -> bool:
    """Whether two names may cover one tool; true for some pairs that do not, but never false for one that does."""
    first, second = one.removesuffix("/*").partition(ANY)[0], other.removesuffix("/*").partition(ANY)[0]
    return one[:1] == other[:1] == "@" and (first.startswith(second) or second.startswith(first))


@dataclass(frozen=True, slots=True)
class _Kiro2(TableDialect):
    """A table dialect whose instructions may be the name of a file."""

    def check(self, fields: Fields) -> None:
        prompt = fields.peek("prompt")
        if isinstance(prompt, str) and prompt.startswith(_FILE):
            message = f"the instructions are in another file, `{prompt}`, which is not read"
            fields.report(Code.WRONG_TYPE, message, "prompt", hint="write them into `prompt`")


def _format(metadata: Mapping[str, JsonValue], prompt: str) -> bytes:
    # Kiro would read a prompt that begins with `file://` from that file.
    return format_json({**metadata, "prompt": f"\n{prompt}" if prompt.startswith(_FILE) else prompt})


_KIRO2: Final = _Kiro2(
    name="kiro2",
    title="Kiro CLI 2",
    permissions=codec(2, _CAPABILITIES, _write, ToolLists(absent="none", null="refused", mistyped="refused")),
    keys=KEYS,
    models=MODELS,
    own=frozenset(KEYS),
    native=NATIVE,
    required=("name",),
    name_key="free",
    mode=None,
    prompt_key="prompt",
    invalid=Code.LEFT_OUT,
    runs_hooks=True,
    format=_format,
)


DIALECT: Final = _KIRO2.dialect(
    suffixes=(".json",),
    user_directory=".kiro/agents",
    project_directories=(".kiro/agents",),
    binaries=(),
    review=Review(
        restricted_by="`tools`, `allowedTools`; without a list there is no tool",
        handling="a list is always written",
        from_documentation=True,
    ),
    version="2.28",
    source="https://kiro.dev/docs/custom-agents/configuration-reference",
    parse=parse_json,
    notice="version 3 and the IDE read these files as well as Markdown: write for one of them only",
    recognition=Recognition(sniff=None),  # much is JSON
    effects=EFFECTS,
)
