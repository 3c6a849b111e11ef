"""Factory Droid: Markdown with YAML frontmatter, and one list of tools.

Facts: https://docs.factory.ai/harness/subagents, and the tool itself, version 0.215.0 (November 2026). One value of a
wrong type makes Droid drop the whole frontmatter, and the agent then has every tool; so those are errors here. When the
user edits any droid in the tool, it deletes each file that is not named like the agent in it.

Two tools cannot be taken from an agent: skills, and its own list of things to do. If the list omits them, that is only
reported. `mcpServers` restricts nothing, despite the documentation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, MCP, Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition, Review, ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import ServerNames, ToolNames, listed
from agentsync.dialects.factory.models import MODELS
from agentsync.formats.document import Document
from agentsync.formats.yaml_types import types_a_name, types_a_value

# Words that mean several tools where `tools` is only such a word; in a list they mean nothing.
_CATEGORIES: Final = {
    "read-only": ("Read", "LS", "Grep", "Glob"),
    "edit": ("Edit", "Create", "ApplyPatch"),
    "execute": ("Execute",),
    "execution": ("Execute",),
    "web": ("WebSearch", "FetchUrl"),
    "mcp": (),
}
_SERVER_TOOL: Final = re.compile(f"{MCP}[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*/[A-Za-z0-9-][A-Za-z0-9_-]*")


class _Servers(ServerNames):
    """`server___tool`, where neither part may be a pattern (read in the tool's own code)."""

    __slots__ = ()

    def read(self, name: str) -> str | None:
        pattern = ServerNames.read(self, name)
        return pattern if pattern and _SERVER_TOOL.fullmatch(pattern) else None


_TOOLS: Final = ToolNames(
    written={
        "Read": ("read",),
        "LS": ("list",),
        "Grep": ("grep",),
        "Glob": ("glob",),
        # The session's model determines which of three tools edits files, and one of them also creates them.
        "Edit": ("write", "edit"),
        "Execute": ("bash",),
        "FetchUrl": ("webfetch",),
        "WebSearch": ("websearch",),
        "TodoWrite": ("todo",),
        "Skill": ("skill",),
    },
    read={
        "Create": ("write", "edit"),
        "ApplyPatch": ("write", "edit"),
        "MultiEdit": ("write", "edit"),
        "Loop": (),
        "GenerateImage": (),
        **dict.fromkeys(_CATEGORIES, ()),
    },
    gone=dict.fromkeys(("AskUser", "Task", "TaskOutput", "TaskStop", "ToolSearch"), ()),  # given to no agent
    everything=frozenset(),
    servers=_Servers("", "___"),
)
_WRITES: Final = frozenset({"Create", "ApplyPatch"})
_EDITS: Final = frozenset({"Edit", "MultiEdit", "ApplyPatch"})

_DENIED_TO_READ_ONLY: Final = ("write", "edit", "notebook", "task", "question")
_ALWAYS: Final = ("skill", "todo")

_SERVERS: Final = "mcpServers"
_TEXTS: Final = ("name", "description", "model", "reasoningEffort")
_LISTS: Final = ("tools", _SERVERS)
_FRONTMATTER: Final = re.compile(r"---\r?\n(.*?)\r?\n---\r?\n?", re.DOTALL)


@dataclass(frozen=True)
class _Tools(ToolList):
    """The list, the words for several tools, and a schema that fails open."""

    @cached_property
    def capabilities(self) -> Capabilities:
        return Capabilities(units=self.tools.written, server_name=_server_tool)

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        rules = ToolList.intended_rules(self, _spelled_out(metadata))
        if names := [*_named(metadata.get("tools"))]:
            rules += [Rule("write", Approval.DENY)] * (not _WRITES.intersection(names))
            rules += [Rule("edit", Approval.DENY)] * (not _EDITS.intersection(names))
        if _SERVERS in metadata:
            rules += _only_servers(metadata[_SERVERS], closed="tools" in metadata)
        return rules

    def enforced_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        if any(_misfits(metadata)):
            return list(EVERYTHING.rules)
        if metadata.get("tools") == "read-only":  # which includes the shell, and the servers
            return [*EVERYTHING.rules, *(Rule(tool, Approval.DENY) for tool in _DENIED_TO_READ_ONLY)]
        return ToolList.enforced_rules(self, _spelled_out(metadata))

    def check(self, fields: Fields) -> None:
        for key, wanted in _misfits(fields.metadata):
            message = f"`{key}` must be {wanted}; Droid drops the whole frontmatter and grants every tool otherwise"
            fields.report(Code.WRONG_TYPE, message, key)
        value = fields.peek("tools")
        if not isinstance(value, str) or "," in value:
            for name in listed(value):
                if name in _CATEGORIES:
                    fields.report(Code.UNKNOWN_TOOL, f"`{name}` has a meaning only on its own, not in a list", "tools")
        elif value == "read-only":
            message = "`read-only` includes the shell, which the session's autonomy alone restrains"
            fields.report(Code.NO_EFFECT, message, "tools", hint="name the tools: [Read, LS, Grep, Glob]")
        fields.raw(_SERVERS)
        if fields.has(_SERVERS):
            message = "Droid neither takes servers away nor adds any by `mcpServers`"
            fields.report(Code.NO_EFFECT, message, _SERVERS, hint="name single tools in `tools`, as `server___tool`")

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        permissions, diagnostics = ToolList.write(self, agent, options)
        names = permissions.get("tools")
        if isinstance(names, list) and "Edit" in names:
            names.insert(names.index("Edit") + 1, "Create")
        return permissions, [*diagnostics, *_beyond(agent.grants, options)]


@dataclass(frozen=True, slots=True)
class _Droid(TableDialect):
    """A loader that types values by itself."""

    def loads(self, document: Document) -> bool:
        """Whether Droid finds the same keys and instructions in the file.

        It wants the first line bare, ends the frontmatter at any three dashes, and types values by itself.
        """
        text = document.data.decode(errors="replace")
        match = _FRONTMATTER.match(text)
        if match is None or text[match.end() :] != document.body:
            return False
        names = [name for key in _LISTS for name in listed(document.metadata.get(key))]
        return not types_a_value(match[1], _TEXTS) and not types_a_name(match[1], names)


def _misfits(metadata: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """The keys with values that Droid's schema refuses, with the type that each needs; one drops the frontmatter."""
    for key in metadata:
        value = metadata[key]
        if key in _TEXTS and not isinstance(value, str):
            yield key, "text"
        elif key in _LISTS and not _is_listed(value):
            yield key, "a list of names"


def _is_listed(value: JsonValue) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(item, str) for item in value))


def _spelled_out(metadata: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """The keys, with a word for several tools replaced by their names."""
    names = [*_named(metadata.get("tools"))]
    return {**metadata, "tools": list[JsonValue](names)} if names else metadata


def _named(value: JsonValue) -> Iterator[str]:
    """The tools that a value names, with the word for several of them replaced."""
    if isinstance(value, str) and value in _CATEGORIES:
        yield from _CATEGORIES[value]
    elif not isinstance(value, str) or "," in value:
        yield from (name for name in listed(value) if name not in _CATEGORIES)
    else:
        yield from listed(value)


def _only_servers(value: JsonValue, *, closed: bool) -> Iterator[Rule]:
    """The rules that the author of a list of servers intended: no other server; a list of tools takes precedence."""
    if not closed:
        yield Rule(f"{MCP}{ANY}", Approval.DENY)
        yield from (Rule(f"{MCP}{name}/{ANY}", Approval.SESSION) for name in listed(value))


def _server_tool(pattern: str) -> str | None:
    """The name of one tool of a server; None for a pattern of several."""
    return "___".join(pattern.removeprefix(MCP).split("/")) if _SERVER_TOOL.fullmatch(pattern) else None


def _beyond(grants: Grants, options: WriteOptions) -> Iterator[Diagnostic]:
    """Diagnostics for the tools that no list takes away."""
    still_given = [tool for tool in _ALWAYS if not min(grants.approvals(tool))]
    if not still_given:
        return
    message = f"Droid gives every agent its skills and a list of things to do, this one too: {', '.join(still_given)}"
    if options.strict_approval and grants.everything_else:
        yield Diagnostic(Code.REFUSED_WIDER, f"{message}, and `strict_approval` is set")
    else:
        yield Diagnostic(Code.UNRESTRICTABLE, message)


_DROID: Final = _Droid(
    name="factory",
    title="Factory Droid",
    permissions=_Tools(_TOOLS, ToolLists(null="all", mistyped="all"), further=(_SERVERS,)).codec,
    keys={"effort": Key("reasoningEffort")},
    models=MODELS,
    native=frozenset({"color", "version", "createdAt", "updatedAt"}),
    required=(),
    names=NameRule(scripts=True),
)


DIALECT: Final = _DROID.dialect(
    user_directory=".factory/droids",
    project_directories=(".factory/droids",),
    binaries=("droid",),
    review=Review(
        restricted_by="`tools`; one null or mistyped value drops the frontmatter and grants every tool",
        handling="such a file is an error; Skill and TodoWrite cannot be removed (`AS313`)",
    ),
    version="0.215.0",
    source="https://docs.factory.ai/harness/subagents",
    environment=(Moved("FACTORY_HOME_OVERRIDE", ""),),  # seen: it replaces the home directory
    notice="when a droid is edited in the tool itself, it rewrites all files of that directory",
    recognition=Recognition(
        aliases=("droid",),
        not_synced={
            Kind.MCP: ("/.factory/mcp.json",),
            Kind.SETTINGS: ("/.factory/settings.json",),
            Kind.PLUGIN: ("/.factory-plugin/plugin.json",),
        },
    ),
)
