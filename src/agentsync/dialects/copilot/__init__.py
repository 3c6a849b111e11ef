"""GitHub Copilot: Markdown with YAML frontmatter and one list of tools, for its CLI, its cloud agent and VS Code.

Facts: https://docs.github.com/en/copilot/reference/custom-agents-configuration, and the CLI itself, version 1.0.102
(November 2026); keys that only VS Code reads are from https://code.visualstudio.com/docs/agent-customization/custom-agents.
The CLI refuses a file for a wrong type of a key that it knows. There is no list of denied tools, no mode that asks, and
hooks were not seen to stop anything. An agent that a user selects always has skills, whatever its list holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import MCP, UNTRANSLATED, Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition, Review, ToolLists
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import available, listed
from agentsync.dialects.copilot.tools import INTENDED, TOOLS, UNITS, grouped, joined_names

_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_FLAGS: Final = ("infer", "include-custom-instructions", "deferred-tool-loading", "strict-tools-list")
# The keys that must not be empty; `mcp-servers` may be.
_FILLED: Final = ("name", "model", "reasoning-effort", "skills", "user-invocable", "disable-model-invocation", "hooks")

# Models by their ids in this release. Canonical ids of Anthropic's have dashes where Copilot has dots.
_ANTHROPIC: Final = (
    "opus-5.5 opus-5 opus-4.8 opus-4.7 opus-4.6 opus-4.5 sonnet-5.5 sonnet-5 sonnet-4.6 sonnet-4.5 sonnet-4 "
    "haiku-5.5 haiku-4.5 fable-5.1 fable-5".split()
)
_OPENAI: Final = (
    "gpt-6.1-sol gpt-6-astra gpt-6-luna gpt-6-sol gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra gpt-5.5 gpt-5.4 gpt-5.4-mini "
    "gpt-5.4-nano gpt-5.3-codex gpt-5.2 gpt-5.1 gpt-5-mini gpt-4.1".split()
)
_GOOGLE: Final = "gemini-3.8-flash gemini-3.7-flash gemini-3.6-flash gemini-3.5-flash gemini-2.5-pro".split()
_MODELS: Final = {
    **{f"anthropic/claude-{name.replace('.', '-')}": f"claude-{name}" for name in _ANTHROPIC},
    **{f"openai/{name}": name for name in _OPENAI},
    **{f"google/{name}": name for name in _GOOGLE},
    "anthropic/opus": "claude-opus-5.5",
    "anthropic/sonnet": "claude-sonnet-5.5",
    "anthropic/haiku": "claude-haiku-5.5",
}


_MOST_JOINED: Final = 50
"""The most server tools that dashed names may mean before they count as all server tools."""


class _Models(Models):
    """Ids, and display names such as `Claude Sonnet 4.5 (copilot)`."""

    __slots__ = ()

    def read(self, value: str | None) -> str | None:
        shown = re.sub(r"(?<!\s)\s*+\([^()]*\)$", "", value or "").strip().lower().replace(" ", "-")
        return Models.read(self, shown if shown in self.names.values() else value or None)


@dataclass(frozen=True)
class _Tools(ToolList):
    """Besides the list: the agents that VS Code lets an agent call, and groups of tools that are granted in part."""

    @cached_property
    def capabilities(self) -> Capabilities:
        """The permissions that the list can express."""
        return replace(self.tools.capabilities(), units=UNITS)

    def guarded_tools(self, name: str) -> Iterable[str]:
        return INTENDED.denied(name)

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        rules = ToolList(INTENDED, self.lists).intended_rules(metadata)
        return [*rules, *_callable(metadata.get("agents"), Grants(tuple(rules)))]

    def enforced_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        joined = [tool for name in self.names_in(metadata.get(self.tools_key)) for tool in joined_names(name)]
        joined = joined if len(joined) <= _MOST_JOINED else [f"{MCP}{ANY}"]
        return [*ToolList.enforced_rules(self, metadata), *available(joined)]

    def check(self, fields: Fields) -> None:
        if fields.peek("agents") not in (None, ANY, [ANY]):
            fields.report(
                Code.NO_EFFECT, "only VS Code reads `agents`: elsewhere, the agent may call any other", "agents"
            )

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        permissions, diagnostics = ToolList.write(self, agent, options)
        names = permissions.get(self.tools_key)
        if isinstance(names, list):
            permissions[self.tools_key] = list[JsonValue](grouped([str(name) for name in names]))
        if not min(agent.grants.approvals("skill")):
            message = "Copilot gives the session's skills to every agent that a user selects, to this one too"
            named = options.strict_approval and "skill" in agent.grants.patterns
            diagnostics.append(Diagnostic(Code.REFUSED_WIDER if named else Code.UNRESTRICTABLE, message))
        return permissions, diagnostics


@dataclass(frozen=True, slots=True)
class _Copilot(TableDialect):
    """Several models, and types that the CLI requires."""

    def model(self, fields: Fields) -> str | None:
        """The first of several models; the list itself stays among the native keys."""
        models = fields.peek("model")
        if not isinstance(models, list):
            return fields.text("model")
        if models and all(isinstance(model, str) for model in models):
            return str(models[0])
        fields.wrong_type("model", "a name, or a list of names")
        return None

    def check(self, fields: Fields) -> None:
        for key in (*_FILLED, *_FLAGS):
            if fields.has(key) and fields.peek(key) is None:
                fields.leave_out(key, f"`{key}` has no value, so Copilot refuses the file")
        for key in _FLAGS:
            if not isinstance(fields.peek(key) or False, bool):
                fields.wrong_type(key, "true or false")
        for key in ("mcp-servers", "hooks"):
            if not isinstance(fields.peek(key) or {}, dict):
                fields.wrong_type(key, "a map")
        for server in _incomplete(fields.peek("mcp-servers")):
            message = f"the server `{server}` needs a `type` and a list of `tools`, or the CLI drops the agent"
            fields.report(Code.INVALID_VALUE, message, "mcp-servers")
        if isinstance(fields.peek("skills"), str):
            fields.wrong_type("skills", "a list of names")


def _incomplete(servers: JsonValue) -> list[str]:
    """The servers without the keys that the CLI requires."""
    maps = servers if isinstance(servers, dict) else {}
    return [
        name
        for name, settings in maps.items()
        if not isinstance(settings, dict) or "type" not in settings or not isinstance(settings.get("tools"), list)
    ]


def _callable(agents: JsonValue, grants: Grants) -> Iterator[Rule]:
    """The rules of a list of the agents that may be called."""
    if agents in (None, ANY, [ANY]) or not max(grants.approvals("task")):
        return
    yield Rule("task", Approval.DENY)
    for name in listed(agents):
        plain = not set(name) & {"*", "?"} and not name.startswith(UNTRANSLATED)
        yield from [Rule("task", Approval.SESSION, name)] if plain else []


_COPILOT: Final = _Copilot(
    name="copilot",
    title="GitHub Copilot",
    permissions=_Tools(TOOLS, ToolLists(null="refused", mistyped="refused", trims=False)).codec,
    keys={
        "effort": Key("reasoning-effort", words={effort: effort for effort in _EFFORTS}),
        "skills": Key("skills", "names"),
        "hidden": Key("user-invocable", "flag", words={False: True, True: False}, implied=frozenset({False})),
        "mode": Key(
            "disable-model-invocation",
            "flag",
            words={True: "primary", False: "all"},
            implied=frozenset({"subagent"}),
        ),
        "mcp_servers": Key("mcp-servers", "any"),
        "hooks": Key("hooks", "any"),
    },
    own=frozenset({"mcp_servers", "hooks"}),
    runs_hooks=True,
    models=_Models(vendors={"gpt-": "openai", "gemini-": "google"}, names=_MODELS),
    native=frozenset(
        {"model", "model-policy", "argument-hint", "handoffs", "agents", "target", "metadata", "github", "sidekick"}
        | {*_FLAGS}
    ),
    required=("description",),
    names=NameRule(slugs=False),
    invalid=Code.LEFT_OUT,
)


DIALECT: Final = _COPILOT.dialect(
    suffixes=(".agent.md", ".md"),
    user_directory=".copilot/agents",
    project_directories=(".github/agents",),
    recursive=True,
    built_in=frozenset("code-review explore rem-agent research rubber-duck security-review task".split()),
    binaries=("copilot",),
    review=Review(
        restricted_by="`tools`; `disallowedTools` is ignored",
        handling="a denial becomes a complete list; `skill` cannot be taken from an agent that a user may select; one "
        "tool of `search` or `web` is granted as `grep`, `glob`, `web_fetch` or `web_search`, which the CLI is known "
        "to take; the cloud agent and VS Code may know the groups only",
    ),
    version="1.0.102",
    source="https://docs.github.com/en/copilot/reference/custom-agents-configuration",
    environment=(Moved("COPILOT_HOME", ".copilot"),),
    also_reads=("claude",),
    recognition=Recognition(
        prior=1,
        decisive=(".agent.md",),
        aliases=("githubcopilot",),
        other_suffixes=(".chatmode.md", ".prompt.md", ".instructions.md"),
        other_directories=(".copilot", ".github"),
        not_synced={
            Kind.COMMAND: (".prompt.md",),
            Kind.RULE: (".instructions.md", "/copilot-instructions.md"),
            Kind.MCP: ("/.vscode/mcp.json",),
            Kind.PLUGIN: ("/.github/plugin/plugin.json",),
        },
    ),
)
