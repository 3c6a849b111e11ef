"""Mistral Vibe: TOML, with lists of tools, a permission for each tool, and any key of Vibe's own configuration.

Facts: the tool's own code and observed behaviour, version 3.0.3 (November 2026); https://docs.mistral.ai/vibe/code/overview
covers less. The file's name is the agent's. An empty list of enabled tools means all of them, and a permission in
another case, such as `Never`, means nothing. A description or a prompt that is not text breaks every other subagent.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import Grants
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import is_slug
from agentsync.dialects._base import (
    Dialect,
    Kind,
    Moved,
    NameRule,
    Reading,
    Recognition,
    Review,
    ToolLists,
    Writing,
    refused,
)
from agentsync.dialects._kit.fields import Fields, identity, losses, speaks
from agentsync.dialects._kit.models import Models
from agentsync.dialects.vibe.effects import EFFECTS
from agentsync.dialects.vibe.permissions import (
    CAPABILITIES,
    PERMISSION_KEYS,
    check,
    enforced,
    intended,
    own_keys,
    spell,
)
from agentsync.formats.document import Document
from agentsync.formats.toml import parse_toml
from agentsync.formats.toml_writer import format_toml

_SAFETIES: Final = ("safe", "neutral", "destructive", "smart", "yolo")
_NATIVE: Final = frozenset(
    {"display_name", "safety", "system_prompt_id", "models", "providers", "allowed_models", "compaction_model"}
    | {"compaction_prompt_id", "vision_model", "utility_models", "auto_compact_threshold", "output_limit_retries"}
    | {"include_project_context", "include_prompt_detail", "include_commit_signature", "tool_paths", "skill_paths"}
    | {"connectors", "enable_connectors", "enable_mcp", "enable_subagents", "max_subagents"}
    | {"enable_background_processes"}
)
_MAX_INSTRUCTIONS: Final = 64 << 10

# Models are named by aliases from the user's own configuration, so no name is known here.
_MODELS: Final = Models(
    key="active_model", vendors=dict.fromkeys(("mistral-", "devstral", "codestral", "magistral"), "mistral")
)
_CARRIED: Final = frozenset({"model"})
_NAMES: Final = NameRule(
    reserved=frozenset("main ask accept-edits smart-approve auto-approve explore lean".split()), slugs=False
)


def read(document: Document, stem: str) -> Reading:
    # Vibe names an agent after its file, regardless of a key `name`.
    unnamed = {key: value for key, value in document.metadata.items() if key != "name"}
    fields = Fields(replace(document, metadata=unnamed), Code.WRONG_TYPE)
    kind = fields.text("agent_type", ("agent", "subagent")) or "agent"
    name, description = fields.name(stem, required=False), fields.description(required=kind == "subagent")
    prompt, model = fields.text("instructions") or "", fields.text("active_model")
    fields.text("safety", _SAFETIES)
    check(fields, unnamed)
    mcp_servers = fields.raw("mcp_servers")
    if name in _NAMES.reserved:
        fields.report(Code.WRONG_TYPE, f"`{name}` is a name of Vibe's own", hint="rename the file")
    if name is None or description is None or refused(fields.diagnostics):
        return Reading(None, fields.diagnostics)
    native, unknown = fields.rest(_NATIVE)
    named = {"name": document.metadata["name"]} if "name" in document.metadata else {}
    safety = {key: document.metadata[key] for key in ("safety",) if key in document.metadata}
    agent = Agent.model_validate(
        {
            **identity(name, stem),
            "description": description,
            "dialect": "vibe",
            "prompt": prompt,
            "grants": intended(unnamed),
            "own_permissions": own_keys(unnamed),
            "model": _MODELS.read(model),
            "mode": "subagent" if kind == "subagent" else "primary",
            "mcp_servers": mcp_servers,
            "native": {**native, **safety},
            "unknown": {**named, **unknown},
        }
    )
    return Reading(agent, fields.diagnostics, loads="base_disabled" not in unnamed)


def write(agent: Agent, options: WriteOptions) -> Writing:
    own, speaking = agent.dialect == "vibe", speaks(agent, "vibe")
    carried = _CARRIED | ({"mcp_servers"} if speaking else frozenset()) | ({"mode"} if own else frozenset())
    diagnostics = losses(agent, "vibe", carried)
    if not is_slug(agent.name):
        diagnostics.append(Diagnostic(Code.NAME_CHANGED, f"{agent.name!r} is called `{agent.slug}` here"))
    prompt = agent.prompt.strip()
    if not own and (problem := _problem(agent, prompt)):
        return Writing(None, (*diagnostics, Diagnostic(Code.REFUSED_REQUIRED, problem)))
    permissions: dict[str, JsonValue] = dict(agent.own_permissions)
    if not own:
        narrowed = narrow(agent.grants, CAPABILITIES, options)
        permissions, permission_diagnostics = spell(narrowed)
        diagnostics += [*narrowed.diagnostics, *permission_diagnostics]
    model, model_diagnostics = _MODELS.write(agent, "vibe", options)
    metadata: dict[str, JsonValue] = {
        "description": agent.description,
        "agent_type": "agent" if own and agent.mode == "primary" else "subagent",
        "active_model": model,
        **permissions,
        "mcp_servers": agent.mcp_servers if speaking else None,
    }
    if speaking:
        metadata |= {**agent.native, **agent.unknown}
    return Writing(format_toml(metadata, "instructions", prompt), (*diagnostics, *model_diagnostics))


def _problem(agent: Agent, prompt: str) -> str:
    """Why Vibe would not accept the agent; empty where it does."""
    if not prompt or not agent.description.strip():
        return "Vibe needs a description" if prompt else "Vibe needs instructions, and gives its own without"
    if len(prompt) > _MAX_INSTRUCTIONS:
        return f"Vibe takes at most {_MAX_INSTRUCTIONS:,} characters of instructions"
    return "" if _NAMES.takes(agent.slug) else f"Vibe has an agent of its own called `{agent.slug}`"


def enforced_by(document: Document) -> Grants:
    return enforced(document.metadata)


def score(document: Document) -> int:
    metadata = document.metadata
    return 5 * ("agent_type" in metadata) + 2 * any(key in metadata for key in ("enabled_tools", "disabled_tools"))


DIALECT: Final = Dialect(
    name="vibe",
    title="Mistral Vibe",
    suffixes=(".toml",),
    user_directory=".vibe/agents",
    project_directories=(".vibe/agents",),
    recursive=False,
    binaries=("vibe",),
    review=Review(
        restricted_by="`enabled_tools`, `disabled_tools`, `tools.<name>.permission`; an empty list is every tool",
        handling=(
            "servers and the web do not exist for agents; patterns are read in their widest sense; a denial "
            "of one of its three shells is read as denying the shell"
        ),
    ),
    version="3.0.3",
    source="https://docs.mistral.ai/vibe/code/overview",
    parse=parse_toml,
    score=score,
    reader=read,
    write=write,
    capabilities=CAPABILITIES,
    enforced=enforced_by,
    permission_keys=PERMISSION_KEYS,
    remedy="write `enabled_tools`",
    effects=EFFECTS,
    carries=_CARRIED,
    lists=ToolLists(empty="all", mistyped="refused", denied="disabled_tools"),
    required=("description", "instructions"),
    names=_NAMES,
    environment=(Moved("VIBE_HOME", ".vibe"),),
    notice="agents of a project count where its folder is trusted",
    # A TOML file elsewhere is an agent of a tool with instructions under a key of its own, or something else.
    recognition=Recognition(
        sniff=None,
        aliases=("mistral",),
        not_synced={Kind.SETTINGS: ("/.vibe/config.toml",)},
    ),
)
