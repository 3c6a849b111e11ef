"""Codex: TOML without a list of tools; a sandbox and an approval policy restrict its one shell.

Facts: https://developers.openai.com/codex/subagents, and the tool itself, version 0.171.0 (November 2026). A key that
is none of the configuration's makes Codex refuse the file, as does a value of a wrong type.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from agentsync.core.codes import Code
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.codex.config import KEYS, mistyped
from agentsync.dialects.codex.effects import EFFECTS, undeclared
from agentsync.dialects.codex.permissions import PERMISSIONS, SHELL
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


@dataclass(frozen=True, slots=True)
class _Codex(TableDialect):
    """A loader that takes each key of the configuration, and no other."""

    def check(self, fields: Fields) -> None:
        """Report what keeps Codex from loading the file; for all tools where it may be intended to restrict."""
        for one in mistyped(fields.metadata):
            message = f"{one.problem}, and Codex does not load the file otherwise"
            if one.is_clear:
                fields.refuse(message, one.key)
            else:
                fields.report(Code.WRONG_TYPE, message, one.key)


_CODEX: Final = _Codex(
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
        vendor="openai",
    ),
    own=frozenset({"mcp_servers"}),
    native=KEYS - {"model", "model_reasoning_effort", "mcp_servers", "sandbox_mode"},
    required=("name", "description", "prompt"),
    names=NameRule(scripts=True),
    name_key="free",
    prompt_key=_PROMPT,
    invalid=Code.LEFT_OUT,
    strict=True,
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
    undeclared=undeclared,
    unasked=frozenset(SHELL),  # within the sandbox of a trusted project
)
