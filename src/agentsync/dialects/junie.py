"""Junie CLI: Markdown with YAML frontmatter, and lists of tool groups, denied groups and MCP servers.

Facts: https://junie.jetbrains.com/docs/junie-cli-subagents.html (November 2026). An empty list of tools or of servers
counts as absent, so neither can express "nothing". The documentation leaves open how a list names a tool of a server,
and what happens to unknown names. Its example has `$path` in the instructions for what the calling agent passes; what
happens to such a word where no argument is passed is not documented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import MCP, Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, Narrowed, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, NameRule, Recognition, Review, ToolLists, Writing
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.intent import excepted
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import ToolNames, listed, named_in, spell_lists

_SERVERS: Final = "mcpServers"
_NO_SERVER: Final = "agentsync-no-server"
"""The only entry of a list that lets no server through: the list is complete as soon as it names one."""

_ARGUMENT: Final = re.compile(r"\$[A-Za-z]\w*", re.ASCII)

_TOOLS: Final = ToolNames(
    written={
        "Read": ("read",),
        "Glob": ("glob",),
        "Grep": ("grep",),
        "Write": ("write",),
        "Edit": ("edit",),
        "Bash": ("bash",),
        # It may also fetch the results.
        "WebSearch": ("websearch", "webfetch"),
        "AskUserQuestion": ("question",),
    },
    # Tools of Claude Code: Junie offers to import its agents.
    gone={
        "WebFetch": ("webfetch",),
        "NotebookEdit": ("notebook",),
        "Task": ("task",),
        "Agent": ("task",),
        "LS": ("list",),
        "LSP": ("lsp",),
        "TodoWrite": ("todo",),
        "Skill": ("skill",),
    },
)


@dataclass(frozen=True)
class _Tools(ToolList):
    """A list of MCP servers beside the lists of tools."""

    @cached_property
    def capabilities(self) -> Capabilities:
        return Capabilities(units=self.tools.written, server_name=_server)

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        rules = ToolList.intended_rules(self, metadata)
        closed = _is_closed(rules)
        if closed:
            rules = [rule for rule in rules if rule.tool != "webfetch"]
        servers = metadata.get(_SERVERS)
        names, excluded = excepted(servers if isinstance(servers, dict) else named_in(servers))
        if not names and (closed or servers is None):
            return rules
        # A listed server keeps its denied tools denied.
        denied = [rule for rule in rules if not rule.approval and rule.tool.startswith((MCP, ANY))]
        excluding = (Rule(f"{MCP}{name}/{ANY}", Approval.DENY) for name in excluded)
        return [*rules, *_only_servers(names), *denied, *excluding]

    def enforced_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        rules = ToolList.enforced_rules(self, metadata)
        servers = metadata.get(_SERVERS)
        if names := [*listed(servers)] if isinstance(servers, list) else []:
            return [*rules, *_only_servers(names)]
        return [*rules, Rule(f"{MCP}{ANY}", Approval.SESSION)] if _is_closed(rules) else rules

    def check(self, fields: Fields) -> None:
        value = fields.raw(_SERVERS)
        if fields.has(_SERVERS) and not (isinstance(value, list) and [*listed(value)]):
            message = f"`{_SERVERS}` names no server, so Junie shows the agent every one there is"
            fields.report(Code.NO_EFFECT, message, _SERVERS)

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        narrowed = narrow(agent.grants, self.capabilities, options)
        lists = spell_lists(narrowed, self.tools, denies=True)
        diagnostics = [*narrowed.diagnostics, *lists.diagnostics]
        permissions: dict[str, JsonValue] = {}
        if lists.allowed is not None:
            groups = [name for name in lists.allowed if name in self.tools.written]
            permissions[self.tools_key] = list[JsonValue](groups)
            if not groups:
                message = "no tool is left, and Junie reads an empty list as every tool there is"
                diagnostics.append(Diagnostic(Code.REFUSED_WIDER, message))
        if denied := [name for name in lists.denied if name in self.tools.written]:
            permissions[self.lists.denied] = list[JsonValue](denied)
        if lists.allowed is not None or not all(narrowed.servers.values()):
            servers, server_diagnostics = _servers(agent.grants, narrowed)
            permissions[_SERVERS] = list[JsonValue](servers or [_NO_SERVER])
            diagnostics += server_diagnostics
        return permissions, diagnostics


def _is_closed(rules: list[Rule]) -> bool:
    return Rule(ANY, Approval.SESSION) not in rules


def _only_servers(names: Iterable[str]) -> Iterator[Rule]:
    yield Rule(f"{MCP}{ANY}", Approval.DENY)
    yield from (Rule(f"{MCP}{name}/{ANY}", Approval.SESSION) for name in names if name != _NO_SERVER)


@dataclass(frozen=True, slots=True)
class _Junie(TableDialect):
    """Instructions with arguments."""

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        writing = TableDialect.write(self, agent, options)
        warnings = _argument_warnings(agent.prompt) if agent.dialect != self.name else []
        return replace(writing, diagnostics=(*writing.diagnostics, *warnings))


def _argument_warnings(prompt: str) -> list[Diagnostic]:
    """A diagnostic where the instructions of another tool's agent hold a word that Junie may replace."""
    word = _ARGUMENT.search(prompt)
    if word is None:
        return []
    message = f"Junie reads `{word[0]}` in the instructions as an argument, and may replace it"
    return [Diagnostic(Code.FIELD_LOST, message, hint="write it without the dollar sign")]


def _servers(grants: Grants, narrowed: Narrowed) -> tuple[list[str], list[Diagnostic]]:
    """The complete list of servers, and a diagnostic for each that has to be left out."""
    denied_tools = [rule.tool for rule in grants.rules if not rule.approval and _server(rule.tool) is None]
    granted = [name for name, level in narrowed.servers.items() if level]
    mixed = [name for name in granted if any(tool.startswith(f"{MCP}{name}/") for tool in denied_tools)]
    diagnostics = [Diagnostic(Code.GLOB_NARROWED, f"`{name}` is refused in part, so it is left out") for name in mixed]
    if narrowed.default is not Approval.DENY:
        message = "only a complete list can take a server away here, so servers that it does not name are hidden"
        diagnostics.append(Diagnostic(Code.TOOL_LOST, message))
    return [name for name in granted if name not in mixed], diagnostics


def _server(pattern: str) -> str | None:
    """The name of a whole server; None for a part of one, which has no name here."""
    server, _, tool = pattern.removeprefix(MCP).partition("/")
    is_plain = server and server.strip() == server and {"*", "?"}.isdisjoint(server)
    return server if tool == ANY and is_plain else None


_JUNIE: Final = _Junie(
    name="junie",
    title="Junie",
    permissions=_Tools(
        _TOOLS, ToolLists(empty="all", strings=False, denied="disallowedTools"), further=(_SERVERS,)
    ).codec,
    keys={
        "effort": Key("reasoningLevel", synonyms=("effort", "reasoningLevel")),
        "max_turns": Key("maxTurns", "count"),
        "skills": Key("skills", "names"),
    },
    native=frozenset({"allowPromptArgument"}),
    required=("description",),
    names=NameRule(pattern="[a-z][a-z0-9-]*"),
    models=Models(names={"anthropic/sonnet": "sonnet", "anthropic/opus": "opus"}),
)


DIALECT: Final = _JUNIE.dialect(
    user_directory=".junie/agents",
    project_directories=(".junie/agents",),
    binaries=("junie",),
    review=Review(
        restricted_by="`tools`, `disallowedTools`, `mcpServers`; empty lists are everything",
        handling='servers are always listed together with tools; "none" is a server that does not exist',
        from_documentation=True,
    ),
    version="1 (November 2026)",
    source="https://junie.jetbrains.com/docs/junie-cli-subagents.html",
    recognition=Recognition(
        not_synced={Kind.RULE: ("/.junie/guidelines.md",), Kind.MCP: ("/.junie/mcp/mcp.json",)},
    ),
)
