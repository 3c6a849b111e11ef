"""Codex: TOML without a list of tools; a sandbox and an approval policy restrict its one shell.

Facts: https://developers.openai.com/codex/subagents, and the tool itself, version 0.169.0 (November 2026). An unknown
key makes Codex refuse the file.
"""

from __future__ import annotations

from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import Grants
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Dialect, Kind, Moved, NameRule, Reading, Recognition, Writing, refused
from agentsync.dialects._kit.fields import (
    UNKNOWN_VENDOR,
    Fields,
    identity,
    known_vendor,
    losses,
    model_name,
    name_here,
    speaks,
    without_none,
)
from agentsync.dialects.codex.effects import EFFECTS
from agentsync.dialects.codex.permissions import CAPABILITIES, KEYS, PERMISSION_KEYS, check, enforced, intended, spell
from agentsync.dialects.codex.roles import ROLES
from agentsync.formats.document import Document
from agentsync.formats.toml import parse_toml
from agentsync.formats.toml_writer import format_toml

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_NATIVE: Final = frozenset(
    {"nickname_candidates", "model_provider", "model_reasoning_summary", "model_verbosity", "personality"}
    | {"service_tier", "features", "skills", "tools", "agents", "permissions", "sandbox_workspace_write"}
)
_VENDORS: Final = {"gpt-": "openai", "codex-": "openai", "o1": "openai", "o3": "openai", "o4": "openai"}
_NAMES: Final = NameRule(scripts=True)
# The models that version 0.169.0 lists.
_MODELS: Final = frozenset(
    "gpt-5.5 gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra gpt-6-astra gpt-6-luna gpt-6-sol gpt-6.1-sol gpt-6.1-terra".split()
)


def read(document: Document, stem: str) -> Reading:
    fields = Fields(document, Code.WRONG_TYPE)
    name, description = fields.name(stem, required=True), fields.description(required=True)
    prompt = fields.text("developer_instructions")
    if not (prompt or "").strip():
        fields.report(Code.WRONG_TYPE, "`developer_instructions` must hold the prompt", "developer_instructions")
    check(fields, document.metadata)
    own_values = {key: fields.raw(key) for key in KEYS if fields.has(key)}
    own = {key: value for key, value in own_values.items() if value in KEYS[key]}
    model = fields.text("model")
    effort = fields.text("model_reasoning_effort")
    mcp_servers = fields.raw("mcp_servers")
    if name is None or description is None or refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    native, unknown = fields.rest(_NATIVE)
    agent = Agent.model_validate(
        {
            **identity(name, stem),
            "description": description,
            "dialect": "codex",
            "prompt": prompt,
            "grants": intended(document.metadata),
            "own_permissions": own,
            "model": known_vendor(model, _VENDORS) if model else None,
            "effort": effort,
            "mode": "subagent",
            "mcp_servers": mcp_servers,
            "native": {**native, **{key: value for key, value in own_values.items() if key not in own}},
            "unknown": unknown,
        }
    )
    return Reading(agent, fields.diagnostics, loads="name" in document.metadata and not fields.respelled)


def write(agent: Agent, options: WriteOptions) -> Writing:
    name, diagnostics = name_here(agent, _NAMES)
    speaking = speaks(agent, "codex")
    diagnostics += losses(agent, "codex", _CARRIED | ({"mcp_servers"} if speaking else frozenset()))
    prompt = agent.prompt.strip()
    if not (prompt and agent.description.strip()):
        missing = "a description" if prompt else "instructions"
        diagnostics.append(Diagnostic(Code.REFUSED_REQUIRED, f"Codex needs {missing}"))
        return Writing(None, tuple(diagnostics))
    own = agent.dialect == "codex"
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if not own:
        narrowed = narrow(agent.grants.with_effects(), CAPABILITIES, options)
        permissions, permission_diagnostics = spell(narrowed, agent.grants, options)
        diagnostics += dict.fromkeys((*narrowed.diagnostics, *permission_diagnostics))
    model, model_diagnostics = model_name(
        agent, options, {}, lambda model: own or model.removeprefix("openai/") in _MODELS
    )
    effort, effort_diagnostics = _write_effort(agent)
    metadata = without_none(
        {
            "name": agent.name if own else name,
            "description": agent.description,
            "model": model.removeprefix("openai/").removeprefix(f"{UNKNOWN_VENDOR}/") if model else None,
            "model_reasoning_effort": effort,
            **permissions,
            "mcp_servers": agent.mcp_servers if speaking else None,
        }
    )
    if speaking:
        metadata |= {**agent.native, **agent.unknown}
    data = format_toml(metadata, "developer_instructions", prompt)
    return Writing(data, (*diagnostics, *model_diagnostics, *effort_diagnostics))


_CARRIED: Final = frozenset({"model", "effort"})


def enforced_by(document: Document) -> Grants:
    return enforced(document.metadata)


def _write_effort(agent: Agent) -> tuple[str | None, list[Diagnostic]]:
    if agent.effort is None or agent.effort in _EFFORTS or agent.dialect == "codex":
        return None if agent.effort is None else str(agent.effort), []
    return None, [Diagnostic(Code.FIELD_LOST, f"reasoning effort `{agent.effort}` is not a level that Codex accepts")]


def score(document: Document) -> int:
    return 4 * ("developer_instructions" in document.metadata) + ("name" in document.metadata)


def sniff(document: Document) -> bool:
    """Whether a TOML file is an agent; `name` and `description` are in many that are not."""
    return "developer_instructions" in document.metadata


DIALECT: Final = Dialect(
    name="codex",
    title="Codex",
    suffixes=(".toml",),
    user_directory=".codex/agents",
    project_directories=(".codex/agents",),
    recursive=True,
    binaries=("codex",),
    version="0.169.0",
    source="https://developers.openai.com/codex/subagents",
    parse=parse_toml,
    score=score,
    reader=read,
    write=write,
    capabilities=CAPABILITIES,
    enforced=enforced_by,
    permission_keys=PERMISSION_KEYS,
    remedy="write `sandbox_mode`",
    effects=EFFECTS,
    carries=_CARRIED,
    required=("name", "description", "developer_instructions"),
    names=_NAMES,
    environment=(Moved("CODEX_HOME", ".codex"),),
    uses_effects=True,
    settings=ROLES,
    recognition=Recognition(
        anywhere=(".toml",),
        sniff=sniff,
        other_directories=(),
        not_synced={
            Kind.COMMAND: ("/.codex/prompts/",),
            Kind.SETTINGS: ("/.codex/config.toml",),
            Kind.PLUGIN: ("/.codex-plugin/plugin.json",),
        },
    ),
)
