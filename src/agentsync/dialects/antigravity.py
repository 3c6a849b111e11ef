"""Antigravity: Markdown with YAML frontmatter; a list of tools restricts only if the built-in ones are excluded.

Facts: https://antigravity.google/docs/subagents, the changelog of the command line up to version 1.2.10, and the keys
of the SDK's own reader, version 0.1.22 (October 2026). `tools` adds to the tools that every agent has, unless
`excludeDefaultComponents` is set (since 1.2.1); servers, skills and agents come from the session unless
`inheritCustomizations` is off. A name that it does not know may hang the agent, so unknown names are not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import EVERYTHING, MCP, Approval, Rule
from agentsync.agents.key_effects import Effect, effects_by_key, is_off, is_one_of, row
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.dialects._base import Kind, Recognition, Review, ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.harmless import is_off_throughout
from agentsync.dialects._kit.intent import intended_mode
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import ToolNames, listed, spell_lists

_TOOLS: Final = ToolNames(
    written={
        "view_file": ("read",),
        "grep_search": ("grep",),
        "find_by_name": ("glob",),
        "list_dir": ("list",),
        "write_to_file": ("write",),
        "replace_file_content": ("edit",),
        "multi_replace_file_content": ("edit",),
        "notebook_edit": ("notebook",),
        "run_command": ("bash",),
        "read_url_content": ("webfetch",),
        "search_web": ("websearch",),
        "invoke_subagent": ("task",),
        "ask_question": ("question",),
    },
    read={
        "define_subagent": ("task",),
        "manage_subagents": ("task",),
        "send_message": ("task",),
        "call_mcp_tool": (f"{MCP}{ANY}",),
        # No other product has a tool for these alone.
        "manage_task": (),
        "command_status": (),
        "schedule": (),
        "generate_image": (),
        "finish": (),
        "list_resources": (),
        "read_resource": (),
        "ask_permission": (),
        "list_permissions": (),
    },
)

_SHELL: Final = "run_command"
_CLOSED: Final = "excludeDefaultComponents"
_INHERITS: Final = "inheritCustomizations"
_INHERITS_SERVERS: Final = "inheritMcp"
_INHERITED: Final = ("skill", "task")
_POLICY: Final = "commandExecutionPolicy"
# The approval of commands under each policy: as its author intends it, and at most. The session provides the sandbox.
_POLICIES: Final = {
    "off": (Approval.ASK, Approval.ASK),
    "sandbox": (Approval.SESSION, Approval.ALLOW),
    "auto": (Approval.SESSION, Approval.ALLOW),
    "eager": (Approval.ALLOW, Approval.ALLOW),
}
_DEFAULT_POLICY: Final = "sandbox"


@dataclass(frozen=True)
class _Tools(ToolList):
    """The list, the switches that make it complete, and the policy for commands."""

    @cached_property
    def capabilities(self) -> Capabilities:
        return self.tools.capabilities(asks=frozenset({"bash"}), overwrites=True)

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        complete = _is_complete(metadata) or self.tools_key in metadata
        rules = self.tools.granted(listed(metadata.get(self.tools_key))) if complete else list(EVERYTHING.rules)
        off = [key for key in (_INHERITS, _INHERITS_SERVERS) if metadata.get(key) is not None and is_off(metadata[key])]
        if off:
            rules.append(Rule(f"{MCP}{ANY}", Approval.DENY))
            rules += [Rule(tool, Approval.DENY) for tool in _INHERITED if _INHERITS in off and not complete]
        policy = str(metadata.get(_POLICY, _DEFAULT_POLICY))
        otherwise = Approval.ASK if intended_mode(policy) is None else Approval.DENY
        return _with_shell(rules, _POLICIES[policy][0] if policy in _POLICIES else otherwise)

    def enforced_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        names = filter(self.tools.is_known, listed(metadata.get(self.tools_key)))
        rules = self.tools.granted(names) if _is_complete(metadata) else list(EVERYTHING.rules)
        inherits = metadata.get(_INHERITS, True) is not False or metadata.get(_INHERITS_SERVERS) is True
        if inherits or metadata.get("mcpServers"):
            rules.append(Rule(f"{MCP}{ANY}", Approval.SESSION))
        policy = str(metadata.get(_POLICY, _DEFAULT_POLICY))
        return _with_shell(rules, _POLICIES[policy][1] if policy in _POLICIES else Approval.ALLOW)

    def check(self, fields: Fields) -> None:
        fields.text(_POLICY, _POLICIES)
        for key in (_CLOSED, _INHERITS, _INHERITS_SERVERS):
            fields.flag(key)
        if fields.has(self.tools_key) and not fields.raw(_CLOSED) and [*listed(fields.raw(self.tools_key))]:
            message = f"`tools` takes nothing away without `{_CLOSED}: true`: the built-in tools stay"
            fields.report(Code.NO_EFFECT, message, self.tools_key, hint=f"add `{_CLOSED}: true`")

    def check_nothing(self, fields: Fields, value: JsonValue) -> None:
        key = self.tools_key
        if self.mistyped(value):
            fields.report(Code.WRONG_TYPE, f"`{key}` must be a list of names", key)
        elif fields.raw(_CLOSED) is True:
            fields.report(Code.TOOLS_NONE, f"`{key}` names nothing, so the agent has no tools at all", key)
        else:
            message = f"`{key}` names nothing, and takes nothing away without `{_CLOSED}: true`"
            fields.report(Code.NO_EFFECT, message, key)

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        narrowed = narrow(agent.grants, self.capabilities, options)
        level = narrowed.units[_SHELL]
        lists = spell_lists(narrowed, self.tools, denies=False)
        permissions: dict[str, JsonValue] = {}
        if lists.allowed is not None:
            permissions = {
                self.tools_key: list[JsonValue](lists.allowed),
                _CLOSED: True,
                _INHERITS: False,
                _INHERITS_SERVERS: False,
            }
        # `eager` would skip all approval, so commands that need none are left to the session's own policy.
        free = Approval.SESSION if options.approval == "allow" else Approval.ALLOW
        if level and level < free:
            permissions[_POLICY] = "off"
        return permissions, [*narrowed.diagnostics, *lists.diagnostics]


def _with_shell(rules: list[Rule], level: Approval) -> list[Rule]:
    """The rules, with the shell at a level where they grant it."""
    has_shell = any(rule.tool in ("bash", ANY) for rule in rules)
    return [*rules, Rule("bash", level)] if has_shell and level is not Approval.SESSION else rules


def _is_complete(metadata: Mapping[str, JsonValue]) -> bool:
    """Whether the agent has the tools that it lists and no others."""
    value = metadata.get("tools")
    return metadata.get(_CLOSED) is True and (value is None or isinstance(value, list))


_ANTIGRAVITY: Final = TableDialect(
    name="antigravity",
    title="Antigravity",
    permissions=_Tools(
        _TOOLS,
        ToolLists(empty="all", mistyped="refused", strings=False),
        further=(_CLOSED, _INHERITS, _INHERITS_SERVERS, _POLICY),
    ).codec,
    keys={
        "mode": Key("mainAgent", "flag", words={False: "subagent", True: "all"}),
        "hidden": Key("hidden", "flag"),
    },
    models=Models(inherit="inherit", vendors={"flash": "google", "pro": "google", "gemini-": "google"}),
    native=frozenset({"subagent", "mcpServers", "skills", "preloadSkills", "plugins", "agents", "rules", "hooks"}),
    runs_hooks=True,
)


DIALECT: Final = _ANTIGRAVITY.dialect(
    user_directory=".gemini/config/agents",
    project_directories=(".agents/agents",),
    binaries=("agy", "antigravity"),
    review=Review(
        restricted_by="`tools` together with three switches",
        handling="all four are written together; commands are off unless they are allowed",
        from_documentation=True,
    ),
    version="1.2.10",
    source="https://antigravity.google/docs/subagents",
    unasked=frozenset({"bash"}),  # in a sandbox, which is the policy for commands where a file has none
    effects=effects_by_key(
        row("plugins", Effect.RUNS_PROGRAM, unless=is_off_throughout),
        row("commandexecutionpolicy", Effect.CHANGES_APPROVAL, unless=is_one_of("off", "sandbox")),
    ),
    notice="it enforces an agent's restrictions from version 1.2.1 on",
    recognition=Recognition(
        shared_directories=(".agents/agents",),
        other_directories=(),
        not_synced={Kind.COMMAND: ("/.agents/workflows/",), Kind.RULE: ("/.agents/rules/",)},
    ),  # `.agents` is not its alone
)
