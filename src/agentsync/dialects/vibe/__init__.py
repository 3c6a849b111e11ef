"""Mistral Vibe: TOML, with lists of tools, a permission for each tool, and any key of Vibe's own configuration.

Facts: the tool's own code and observed behaviour, version 3.0.3 (November 2026); https://docs.mistral.ai/vibe/code/overview
covers less. The file's name is the agent's. An empty list of enabled tools means all of them, and a permission in
another case, such as `Never`, means nothing. A description or a prompt that is not text breaks every other subagent.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Final

from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Moved, NameRule, Reading, Recognition, Review, Writing
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects.vibe.effects import EFFECTS, undeclared
from agentsync.dialects.vibe.permissions import PERMISSIONS
from agentsync.formats.document import Document
from agentsync.formats.toml import parse_toml
from agentsync.formats.toml_writer import format_toml

_KIND: Final = "agent_type"
_PROMPT: Final = "instructions"
_SAFETIES: Final = ("safe", "neutral", "destructive", "smart", "yolo")


@dataclass(frozen=True, slots=True)
class _Vibe(TableDialect):
    """Subagents, and the agents that users start themselves, which need neither a description nor instructions."""

    def check(self, fields: Fields) -> None:
        fields.text(_KIND, ("agent", "subagent"))
        if fields.peek("safety") not in (None, *_SAFETIES):
            fields.wrong_type("safety", f"one of {', '.join(_SAFETIES)}")

    def loads(self, document: Document) -> bool:
        return "base_disabled" not in document.metadata

    def read(self, document: Document, stem: str) -> Reading:
        is_subagent = document.metadata.get(_KIND) == "subagent"
        table = self if is_subagent else replace(self, required=(), mode="primary")
        reading = TableDialect.read(table, document, stem)
        if reading.agent is None or self.names.takes(reading.agent.name):
            return reading
        message = f"`{reading.agent.name}` is a name of Vibe's own"
        refusal = Diagnostic(Code.WRONG_TYPE, message, path=document.path, hint="rename the file")
        return Reading(None, (*reading.diagnostics, refusal))

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        if agent.dialect != self.name:
            return TableDialect.write(replace(self, required=("description", "prompt")), agent, options)
        # Its kind is among its permissions, so that no mode is lost.
        kind = "agent" if agent.mode == "primary" else "subagent"
        kept = {"mode": "subagent", "own_permissions": {_KIND: kind, **agent.own_permissions}}
        return TableDialect.write(replace(self, required=(), longest=inf), agent.model_copy(update=kept), options)


_VIBE: Final = _Vibe(
    name="vibe",
    title="Mistral Vibe",
    permissions=PERMISSIONS,
    keys={"mcp_servers": Key("mcp_servers", "any")},
    # Models are named by aliases from the user's own configuration, so no name is known here.
    models=Models(
        key="active_model", vendors=dict.fromkeys(("mistral-", "devstral", "codestral", "magistral"), "mistral")
    ),
    own=frozenset({"mcp_servers"}),
    native=frozenset(
        {"display_name", "safety", "system_prompt_id", "models", "providers", "allowed_models", "compaction_model"}
        | {"compaction_prompt_id", "vision_model", "utility_models", "auto_compact_threshold", "output_limit_retries"}
        | {"include_project_context", "include_prompt_detail", "include_commit_signature", "tool_paths", "skill_paths"}
        | {"connectors", "enable_connectors", "enable_mcp", "enable_subagents", "max_subagents"}
        | {"enable_background_processes"}
    ),
    required=("description",),
    names=NameRule(reserved=frozenset("main ask accept-edits smart-approve auto-approve explore lean".split())),
    name_key="unread",
    title_key="display_name",
    prompt_key=_PROMPT,
    longest=64 << 10,
    invalid=Code.LEFT_OUT,
    format=partial(format_toml, prompt_key=_PROMPT),
)


DIALECT: Final = _VIBE.dialect(
    suffixes=(".toml",),
    user_directory=".vibe/agents",
    project_directories=(".vibe/agents",),
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
    environment=(Moved("VIBE_HOME", ".vibe"),),
    notice="agents of a project count where its folder is trusted",
    # A TOML file elsewhere is an agent of a tool with instructions under a key of its own, or something else.
    recognition=Recognition(
        sniff=None,
        aliases=("mistral",),
        not_synced={Kind.SETTINGS: ("/.vibe/config.toml",)},
    ),
    effects=EFFECTS,
    undeclared=undeclared,
)
