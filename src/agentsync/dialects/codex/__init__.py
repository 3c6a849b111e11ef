"""Codex: TOML without a list of tools; a sandbox and an approval policy restrict its one shell.

Facts: https://developers.openai.com/codex/subagents, and the tool itself, version 0.171.0 (November 2026). An unknown
key makes Codex refuse the file.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from agentsync.core.codes import Code
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.codex.effects import EFFECTS
from agentsync.dialects.codex.permissions import PERMISSIONS
from agentsync.dialects.codex.roles import ROLES
from agentsync.formats.document import Document
from agentsync.formats.toml import parse_toml
from agentsync.formats.toml_writer import format_toml

_PROMPT: Final = "developer_instructions"
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
# The models that version 0.171.0 lists.
_MODELS: Final = frozenset(
    "gpt-5.5 gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra gpt-6-astra gpt-6-luna gpt-6-sol gpt-6.1-sol gpt-6.1-terra "
    "gpt-6.2-astra gpt-6.2-sol".split()
)

_CODEX: Final = TableDialect(
    name="codex",
    title="Codex",
    permissions=PERMISSIONS,
    keys={
        "effort": Key("model_reasoning_effort", words={effort: effort for effort in _EFFORTS}, keeps=True),
        "mcp_servers": Key("mcp_servers", "any"),
    },
    models=Models(
        vendors={"gpt-": "openai", "codex-": "openai", "o1": "openai", "o3": "openai", "o4": "openai"},
        opaque="/",
        takes=lambda model: model.removeprefix("openai/") in _MODELS,
    ),
    own=frozenset({"mcp_servers"}),
    native=frozenset(
        {"nickname_candidates", "model_provider", "model_reasoning_summary", "model_verbosity", "personality"}
        | {"service_tier", "features", "skills", "tools", "agents", "permissions", "sandbox_workspace_write"}
        | {"approval_policy", "default_permissions", "web_search"}
    ),
    required=("name", "description", "prompt"),
    names=NameRule(scripts=True),
    name_key="free",
    prompt_key=_PROMPT,
    invalid=Code.WRONG_TYPE,
    format=partial(format_toml, prompt_key=_PROMPT),
)


def _sniff(document: Document) -> bool:
    """Whether a TOML file is an agent; `name` and `description` are in many that are not."""
    return _PROMPT in document.metadata


DIALECT: Final = _CODEX.dialect(
    suffixes=(".toml",),
    user_directory=".codex/agents",
    project_directories=(".codex/agents",),
    recursive=True,
    binaries=("codex",),
    version="0.171.0",
    source="https://developers.openai.com/codex/subagents",
    parse=parse_toml,
    environment=(Moved("CODEX_HOME", ".codex"),),
    settings=ROLES,
    recognition=Recognition(
        anywhere=(".toml",),
        sniff=_sniff,
        other_directories=(),
        not_synced={
            Kind.COMMAND: ("/.codex/prompts/",),
            Kind.SETTINGS: ("/.codex/config.toml",),
            Kind.PLUGIN: ("/.codex-plugin/plugin.json",),
        },
    ),
    effects=EFFECTS,
)
