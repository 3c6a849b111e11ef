"""Gemini CLI: Markdown with YAML frontmatter, and one list of the available tools.

Facts: https://geminicli.com/docs/core/subagents, and the tool itself, version 0.61.0 (November 2026). It refuses a file
for every key, type or tool that it does not know. Without `tools` an agent has all that the session has, but never
other agents. The instructions are a template: no run begins where they hold a `${word}` that Gemini CLI has no value
for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import Approval, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, narrow
from agentsync.core.codes import Code
from agentsync.dialects._base import Kind, Moved, NameRule, Reading, Recognition, Review, ToolLists, Writing, refused
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.prompt_template import PromptTemplate
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects.gemini.tools import (
    ANY_SERVER,
    TOOLS,
    denies_no_server,
    enforced_of_servers,
    intended_of_servers,
)
from agentsync.formats.document import Document
from agentsync.formats.yaml_types import types_a_value

_TEMPLATE: Final = PromptTemplate("Gemini CLI", frozenset({"query", "cliVersion", "activeModel", "today"}), r"\w+")
_MODELS: Final = frozenset(
    "gemini-2.5-flash gemini-2.5-flash-lite gemini-2.5-pro gemini-3-flash-preview gemini-3-pro-preview "
    "gemini-3.1-flash-lite gemini-3.1-pro-preview gemini-3.5-flash gemini-3.5-flash-lite gemini-3.8-flash".split()
)
_TEXTS: Final = ("name", "description", "display_name", "model")
_VENDOR: Final = "google/"


_NO_AGENTS: Final = Rule("task", Approval.DENY)
"""An agent can never call other agents, and its author could rely on that."""


@dataclass(frozen=True)
class _Tools(ToolList):
    """Besides the list: the agent's own servers."""

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        rules = ToolList.intended_rules(self, metadata)
        return [*rules, _NO_AGENTS, *intended_of_servers(metadata.get("mcp_servers"))]

    def enforced_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        rules = ToolList.enforced_rules(self, metadata)
        return [*rules, _NO_AGENTS, *enforced_of_servers(metadata.get("mcp_servers"))]

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        permissions, diagnostics = ToolList.write(self, agent, options)
        tools, default = permissions.get("tools"), narrow(agent.grants, self.capabilities, options).default
        if isinstance(tools, list) and default and denies_no_server(agent.grants):
            permissions["tools"] = [*(name for name in tools if not str(name).startswith("mcp_")), ANY_SERVER]
        return permissions, diagnostics


@dataclass(frozen=True)
class _Gemini(TableDialect):
    """A schema that refuses much, and instructions that are a template."""

    def check(self, fields: Fields) -> None:
        for key in fields.keys:
            if fields.peek(key) is None:
                fields.leave_out(key, f"`{key}` has no value, so Gemini CLI refuses the file")
        if fields.peek("kind") not in (None, "local"):
            message = "an agent that another server runs has no tools or instructions to give to other tools"
            fields.report(Code.WRONG_DIALECT, message, "kind")
        if not isinstance(fields.peek("display_name") or "", str):
            fields.wrong_type("display_name", "text")
        minutes = fields.peek("timeout_mins")
        if fields.has("timeout_mins") and (isinstance(minutes, bool) or not isinstance(minutes, int) or minutes < 1):
            fields.wrong_type("timeout_mins", "a whole number from 1")
        servers = fields.peek("mcp_servers")
        maps = servers.values() if isinstance(servers, dict) else [servers]
        if fields.has("mcp_servers") and not all(isinstance(settings, dict) for settings in maps):
            fields.wrong_type("mcp_servers", "a map of names to servers")

    def loads(self, document: Document) -> bool:
        """Whether Gemini CLI finds the same keys and instructions in the file.

        It ends the frontmatter at any line that starts with three dashes, and wants text to be text. Anything else on
        that line, even a blank, costs the agent its instructions.
        """
        head = document.data.removesuffix(document.body.encode())
        cut = head.count(b"\n---") == 1 and head.rstrip(b"\r\n").endswith(b"\n---")
        return cut and not types_a_value(head.decode(errors="replace"), _TEXTS)

    def read(self, document: Document, stem: str) -> Reading:
        return _TEMPLATE.read(TableDialect.read(self, document, stem))

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        agent, diagnostics = _TEMPLATE.escaped(agent) if agent.dialect != self.name else (agent, [])
        writing = TableDialect.write(self, agent, options)
        return Writing(None if refused(tuple(diagnostics)) else writing.data, (*writing.diagnostics, *diagnostics))


_GEMINI: Final = _Gemini(
    name="gemini",
    title="Gemini CLI",
    permissions=_Tools(
        TOOLS,
        ToolLists(null="refused", mistyped="refused", unknown="refused", strings=False, trims=False),
        overwrites=True,
    ).codec,
    keys={
        "temperature": Key("temperature", "number"),
        "max_turns": Key("max_turns", "count"),
        "mcp_servers": Key("mcp_servers", "any"),
    },
    own=frozenset({"mcp_servers"}),
    models=Models(
        inherit="inherit",
        vendors={"gemini-": "google", "gemma-": "google"},
        names={_VENDOR + alias: alias for alias in ("auto", "pro", "flash", "flash-lite")},
        takes=lambda model: model.startswith(_VENDOR) and model.removeprefix(_VENDOR) in _MODELS,
        vendor="google",
    ),
    native=frozenset({"kind", "display_name", "timeout_mins"}),
    names=NameRule(
        reserved=frozenset({"codebase_investigator", "cli_help", "generalist", "browser_agent"}),
        slugs=False,
        pattern="[a-z0-9_-]+",
    ),
    title_key="display_name",
    invalid=Code.LEFT_OUT,
    strict=True,
)


DIALECT: Final = _GEMINI.dialect(
    user_directory=".gemini/agents",
    project_directories=(".gemini/agents",),
    binaries=("gemini",),
    review=Review(
        restricted_by="`tools`; an unknown name refuses the file",
        handling="its own file is written without such a name; calls of other agents are never written, since they do "
        "not exist for agents",
    ),
    version="0.61.0",
    source="https://geminicli.com/docs/core/subagents",
    environment=(Moved("GEMINI_CLI_HOME", ""),),  # `homedir` in the tool's utils/paths.js: the home directory itself
    notice="in a project it takes agents where the folder is trusted, and asks for each that is new or changed",
    recognition=Recognition(
        sign=lambda document: int(document.metadata.get("kind") == "local"),
        other_stems=("gemini",),
        not_synced={Kind.SETTINGS: ("/.gemini/settings.json",), Kind.PLUGIN: ("/gemini-extension.json",)},
    ),
)
