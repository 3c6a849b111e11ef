"""Kiro's command line before version 3: JSON with a list of tools, and one of tools that run without asking.

Facts: its own code, read and not run, as published in https://github.com/aws/amazon-q-developer-cli (crates/agent,
November 2026). No list of tools, or an empty one, means none. A call that `allowedTools` does not name is asked for
unless the user trusts the tool. Version 3 reads these files as well. A prompt that begins with `file://` names a file.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import Approval, Grants
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, Narrowed, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import is_slug
from agentsync.dialects._base import Dialect, Reading, Recognition, Review, ToolLists, Writing, refused
from agentsync.dialects._kit.fields import Fields, identity, losses, speaks
from agentsync.dialects.kiro.effects import EFFECTS
from agentsync.dialects.kiro.keys import MODELS, NATIVE, REMEDY, check, values_of
from agentsync.dialects.kiro.permissions import KEYS, enforced, guarded_tools, intended
from agentsync.dialects.kiro.writer import server_name, with_search
from agentsync.formats.document import Document
from agentsync.formats.json_reader import format_json, parse_json

_FILE: Final = "file://"
_CARRIED: Final = frozenset({"model"})
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


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.WRONG_TYPE)
    name, description = fields.name(stem, required=True), fields.description(required=False)
    prompt = fields.text("prompt") or ""
    if prompt.startswith(_FILE):
        message = f"the instructions are in another file, `{prompt}`, which is not read"
        fields.report(Code.WRONG_TYPE, message, "prompt", hint="write them into `prompt`")
    check(fields)
    values = values_of(fields)
    if name is None or description is None or refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    native, unknown = fields.rest(NATIVE)
    agent = Agent.model_validate(
        {
            **identity(name, stem),
            **values,
            "description": description,
            "dialect": "kiro2",
            "prompt": prompt,
            "grants": intended(document.metadata, version=2),
            "own_permissions": {key: document.metadata[key] for key in KEYS if fields.has(key)},
            "native": native,
            "unknown": unknown,
        }
    )
    return Reading(agent, fields.diagnostics, loads="name" in document.metadata)


def write(agent: Agent, options: WriteOptions) -> Writing:
    own, speaking = agent.dialect == "kiro2", speaks(agent, "kiro2")
    diagnostics = losses(agent, "kiro2", _CARRIED | ({"mcp_servers", "hooks"} if speaking else frozenset()))
    if not is_slug(agent.name) and not own:
        diagnostics.append(Diagnostic(Code.NAME_CHANGED, f"{agent.name!r} is called `{agent.slug}` here"))
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if not own:
        narrowed = narrow(with_search(agent.grants, ("list",)), _CAPABILITIES, options)
        permissions, permission_diagnostics = _spell(narrowed)
        diagnostics += [*narrowed.diagnostics, *permission_diagnostics]
    model, model_diagnostics = MODELS.write(agent, "kiro2", options)
    # Kiro would read a prompt that begins with `file://` from that file.
    prompt = f"\n{agent.prompt}" if agent.prompt.startswith(_FILE) else agent.prompt
    metadata: dict[str, JsonValue] = {"name": agent.name if own else agent.slug, "description": agent.description}
    metadata |= {"model": model} if model else {}
    metadata |= permissions
    if speaking:
        servers = {"mcpServers": agent.mcp_servers, "hooks": agent.hooks}
        metadata |= {key: value for key, value in servers.items() if value is not None}
        metadata |= {**agent.native, **agent.unknown}
    return Writing(format_json({**metadata, "prompt": prompt}), (*diagnostics, *model_diagnostics))


def _spell(narrowed: Narrowed) -> tuple[dict[str, JsonValue], list[Diagnostic]]:
    """The lists that express the narrowed grants, and diagnostics for losses."""
    levels = {**narrowed.units, **narrowed.servers}
    diagnostics: list[Diagnostic] = []
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


def enforced_by(document: Document) -> Grants:
    return enforced(document.metadata, version=2)


def score(document: Document) -> int:
    return 4 * ("allowedTools" in document.metadata) + 4 * ("toolsSettings" in document.metadata)


DIALECT: Final = Dialect(
    name="kiro2",
    title="Kiro CLI 2",
    suffixes=(".json",),
    user_directory=".kiro/agents",
    project_directories=(".kiro/agents",),
    recursive=False,
    binaries=(),
    review=Review(
        restricted_by="`tools`, `allowedTools`; without a list there is no tool",
        handling="a list is always written",
        from_documentation=True,
    ),
    version="2.28",
    source="https://kiro.dev/docs/custom-agents/configuration-reference",
    parse=parse_json,
    score=score,
    reader=read,
    write=write,
    capabilities=_CAPABILITIES,
    enforced=enforced_by,
    permission_keys=frozenset(KEYS),
    remedy=REMEDY,
    guarded_tools=guarded_tools,
    runs_hooks=True,
    effects=EFFECTS,
    carries=_CARRIED,
    lists=ToolLists(absent="none", null="refused", mistyped="refused"),
    required=("name",),
    notice="version 3 and the IDE read these files as well as Markdown: write for one of them only",
    uses_effects=True,
    recognition=Recognition(sniff=None),  # much is JSON
)
