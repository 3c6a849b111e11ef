"""Augment's CLI, auggie: Markdown with YAML frontmatter, and either a list of tools or a list of those denied.

Facts: https://docs.augmentcode.com/cli/subagents, and the tool itself, version 0.36.0 (November 2026). It fails open:
an empty list of tools counts as a missing one, a list of denied tools overrides the other one, and a frontmatter that
it cannot read leaves an agent with every tool. Only a list with an unknown name grants nothing.

Its tool for reading files also lists directories, so an agent that may read is treated as one that may list. It has a
tool for deleting files, which in other products only the shell can do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, MCP, Approval, Grants, Rule
from agentsync.agents.key_effects import Effect, effects_by_key, is_off, row
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Recognition, Review, ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import ToolNames, listed, named_in, spell_lists
from agentsync.formats.document import Document
from agentsync.formats.yaml_types import types_a_value

_DELETION: Final = "remove-files"
# All names for each ability: a list of allowed tools has them all, and only a denial of all takes the ability away.
_GROUPS: Final = {
    "view": ("view", "view-range-untruncated", "search-untruncated"),
    "grep-search": ("grep-search", "codebase-retrieval"),
    "save-file": ("save-file",),
    "str-replace-editor": ("str-replace-editor",),
    "launch-process": ("launch-process", "read-process", "write-process", "kill-process", "list-processes", _DELETION),
    "web-fetch": ("web-fetch",),
    "web-search": ("web-search",),
    "view_tasklist": ("view_tasklist", "add_tasks", "update_tasks", "reorganize_tasklist"),
}
_PATCH: Final = "apply_patch"
"""A tool that both creates and edits files, besides one tool for each."""

_NOTHING: Final = "none"
"""The name that is written in a list to grant nothing."""

_TOOLS: Final = ToolNames(
    written={
        "view": ("read", "list"),
        "grep-search": ("grep",),
        "save-file": ("write",),
        "str-replace-editor": ("edit",),
        "launch-process": ("bash",),
        "web-fetch": ("webfetch",),
        "web-search": ("websearch",),
        "view_tasklist": ("todo",),
    },
    read={
        **{name: () for names in _GROUPS.values() for name in names},
        _PATCH: ("write", "edit"),
        "codebase-retrieval": ("grep",),
        "codebase-retrieval-raw": ("grep",),
        "git-commit-retrieval": (),
        "conversation-retrieval": (),
        "view-session": (),
        _DELETION: (),
        "render-mermaid": (),
        "add_tasks": ("todo",),
        "update_tasks": ("todo",),
        "reorganize_tasklist": ("todo",),
        _NOTHING: (),
        # The tools of a smaller set, which the main agent may have instead.
        "read": ("read",),
        "ls": ("list",),
        "grep": ("grep",),
        "find": ("glob",),
        "write": ("write",),
        "edit": ("edit",),
        "bash": ("bash",),
    },
    gone={"ask-user": ("question",), "sub-agent": ("task",)},  # given to no agent
    everything=frozenset(),
)
# The names to deny for each ability, including those that lists of allowed tools leave out.
_DENIALS: Final = {
    "save-file": ("save-file", _PATCH, "write"),
    "str-replace-editor": ("str-replace-editor", _PATCH, "edit"),
    "launch-process": (*_GROUPS["launch-process"], "bash"),
    "view": (*_GROUPS["view"], "read", "ls"),
    "grep-search": (*_GROUPS["grep-search"], "codebase-retrieval-raw", "grep"),
}
_DENIED: Final = "disabled_tools"
_TEXTS: Final = ("name", "description", "model", "color")
_FRONTMATTER: Final = re.compile(r"---(?>\s*\n)(?:(.*?)\n|)---(?>\s*\n)", re.DOTALL)
_COLORS: Final = ("red", "blue", "green", "yellow", "orange", "purple", "pink", "cyan")


@dataclass(frozen=True)
class _Tools(ToolList):
    """Two lists, only one of which is used, and several names for the same tool."""

    def enforced_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        allowed, denied = _items(metadata.get("tools")), _items(metadata.get(_DENIED))
        known = (name for name in allowed if self.tools.is_known(name))
        rules = list(EVERYTHING.rules) if not allowed or denied else self.tools.granted(known)
        if _DELETION in allowed:
            rules.append(Rule("bash", Approval.SESSION))  # the only canonical tool that covers deleting files
        taken = [unit for unit, names in _SUFFICIENT.items() if names <= set(denied)]
        return [*rules, *(Rule(tool, Approval.DENY) for unit in taken for tool in self.tools.written[unit])]

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        rules = self.tools.intended(_items(metadata["tools"])) if "tools" in metadata else list(EVERYTHING.rules)
        denied = [*named_in(metadata.get(_DENIED))]
        rules += self.tools.intended_denials(denied)
        if not is_off(metadata.get("disable_skills")):
            rules.append(Rule("skill", Approval.DENY))
        # A name that is not auggie's own may be a server's tool, which has other names in other tools.
        if any(not self.tools.is_known(name) for name in denied):
            rules.append(Rule(f"{MCP}{ANY}", Approval.DENY))
        return rules

    def mistyped(self, value: JsonValue) -> bool:
        return not isinstance(value, str | list)

    def check(self, fields: Fields) -> None:
        if all(_items(fields.peek(key)) for key in ("tools", _DENIED)):
            message = f"`tools` has no effect beside `{_DENIED}`, so every other tool is granted"
            fields.report(Code.NO_EFFECT, message, "tools", hint="write one of the two")

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        narrowed = narrow(_listing(agent.grants), self.capabilities, options)
        lists = spell_lists(narrowed, self.tools, denies=True)
        diagnostics = [*narrowed.diagnostics, *lists.diagnostics]
        permissions: dict[str, JsonValue] = {}
        if lists.allowed is not None:
            names = [name for unit in lists.allowed for name in _GROUPS[unit]]
            if {"save-file", "str-replace-editor"} <= set(names):
                names.append(_PATCH)
            permissions["tools"] = list[JsonValue](names or [_NOTHING])
        elif lists.denied:
            names = [name for unit in lists.denied for name in _DENIALS.get(unit, _GROUPS[unit])]
            permissions[_DENIED] = list[JsonValue](dict.fromkeys(names))
        skills = agent.grants.approvals("skill")
        if not min(skills):
            permissions["disable_skills"] = True
            if max(skills):
                message = "skills are refused in part, so all of them are switched off"
                diagnostics.append(Diagnostic(Code.GLOB_NARROWED, message))
        return permissions, diagnostics


_SUFFICIENT: Final = {
    "view": {"view"},
    "grep-search": {"grep-search", "codebase-retrieval"},
    "save-file": {"save-file", _PATCH},
    "str-replace-editor": {"str-replace-editor", _PATCH},
    "launch-process": {"launch-process", _DELETION},
    "web-fetch": {"web-fetch"},
    "web-search": {"web-search"},
    "view_tasklist": set(_GROUPS["view_tasklist"]),
}
"""The names that must all be denied to take a unit away from an agent."""


def _items(value: JsonValue) -> list[str]:
    """The names of a list or a string; auggie converts every item of a list to text."""
    if isinstance(value, list):
        return [text for item in value if (text := str(item).strip())]
    return [*listed(value)]


def _listing(grants: Grants) -> Grants:
    """The grants with listing raised to the level of reading, unless they name listing themselves."""
    level = min(grants.approvals("read"))
    if "list" in grants.patterns or level <= min(grants.approvals("list")):
        return grants
    return Grants((*grants.rules, Rule("list", level)))


@dataclass(frozen=True, slots=True)
class _Auggie(TableDialect):
    """A loader that wants its fences at certain places."""

    def loads(self, document: Document) -> bool:
        """Whether Auggie finds the same keys and instructions in the file.

        It wants three dashes at the start and a line end after the closing ones, and takes the first that fit.
        """
        text = document.data.decode(errors="replace")
        match = _FRONTMATTER.match(text)
        if match is None or text[match.end() :].lstrip() != document.body.lstrip():
            return False
        return not types_a_value(match[1] or "", _TEXTS)


_AUGGIE: Final = _Auggie(
    name="auggie",
    title="Auggie",
    permissions=_Tools(
        _TOOLS, ToolLists(empty="all", denied=_DENIED), further=("disable_skills",), uses_effects=True
    ).codec,
    keys={"color": Key("color", words={color: color for color in _COLORS}), "hidden": Key("hidden", "flag")},
    models=Models(
        vendors={"claude-": "anthropic", "gpt-": "openai", "gemini-": "google"},
        names={
            "anthropic/haiku": "claude-haiku-4-5",
            "anthropic/sonnet": "claude-sonnet-4-6",
            "anthropic/claude-haiku-4-5": "claude-haiku-4-5",
            "anthropic/claude-sonnet-4-6": "claude-sonnet-4-6",
        },
    ),
    native=frozenset(
        {"finish_tool", "provider_model", "provider_api_key", "provider_base_url", "replace_system_prompt"}
        | {"disable_rules", "disable_workspace_guidelines", "tool_description", "instruction_description"}
    ),
    required=(),
)


DIALECT: Final = _AUGGIE.dialect(
    suffixes=(".md", ".txt"),
    user_directory=".augment/agents",
    project_directories=(".augment/agents",),
    recursive=True,
    binaries=("auggie",),
    review=Review(
        restricted_by="`tools` or `disabled_tools`, which voids the other; an empty list is every tool",
        handling='"nothing" is written as a name that no tool has; removing files belongs to the shell',
    ),
    version="0.36.0",
    source="https://docs.augmentcode.com/cli/subagents",
    also_reads=("claude",),
    effects=effects_by_key(
        row("providerbaseurl", Effect.OPENS_ADDRESS),
        row("providermodel providerapikey", Effect.CHANGES_MODEL),
    ),
    recognition=Recognition(
        aliases=("augment",),
        not_synced={
            Kind.RULE: ("/.augment-guidelines", "/.augment/rules/"),
            Kind.SETTINGS: ("/.augment/settings.json",),
        },
    ),
)
