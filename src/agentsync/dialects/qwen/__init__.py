"""Qwen Code: Markdown with YAML frontmatter, lists of tools and of denied tools, and an approval mode.

Facts: https://qwenlm.github.io/qwen-code-docs/en/users/features/sub-agents, and the tool itself, version 0.24.4
(November 2026). It reads frontmatter that is not strict YAML line by line, which loses lists. The instructions are a
template. A session in auto mode (the default), auto-edit or yolo mode keeps its mode regardless of the agent's own
mode, so an agent's mode is no reliable restriction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, EVERYTHING, READING, Approval, Grants, Rule, only_reading
from agentsync.agents.key_effects import Effect, effects_by_key, row
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Moved, NameRule, Reading, Recognition, Review, ToolLists, Writing, refused
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects._kit.intent import intended_mode
from agentsync.dialects._kit.keys import Key
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects._kit.prompt_template import PromptTemplate
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import named_in, nested_in, spell_lists
from agentsync.dialects.qwen.tools import NOTHING, TOOLS, calls_all, is_pattern, taken, with_substitutes, without_effect
from agentsync.formats.document import Document

_MODES: Final = ("plan", "default", "auto-edit", "auto", "yolo", "bubble")
# How it translates Claude Code's modes; `dontAsk` becomes a mode that asks.
_PERMISSION_MODES: Final = {
    "default": "default",
    "plan": "plan",
    "acceptEdits": "auto-edit",
    "auto": "auto-edit",
    "bypassPermissions": "yolo",
    "dontAsk": "default",
}
_PERMISSIVE: Final = {"yolo", "bypassPermissions", "auto-edit", "acceptEdits"}
_EDITS: Final = ("write", "edit", "notebook")
_SHORTEST_PROMPT: Final = 10
_TEMPLATE: Final = PromptTemplate("Qwen Code", frozenset({"task_prompt", "hook_context"}), r"[a-zA-Z_]\w*")
_RESERVED: Final = frozenset("self system user model tool config default main".split())
_NAME: Final = rf"(?!(?i:{'|'.join(sorted(_RESERVED))})\Z)[^\W_](?:[\w-]*[^\W_])?"
_FRONTMATTER: Final = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)


@dataclass(frozen=True)
class _Tools(ToolList):
    """Lists with an approval mode, and agents that another program runs."""

    def intended_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        rules = self._intended_tools(metadata)
        denied = TOOLS.intended_denials(named_in(metadata.get("disallowedTools")))
        return [*_intended_mode(rules, metadata), *denied]

    def _intended_tools(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        value = metadata.get("tools")
        if names := self.names_in(value):
            inner = nested_in(value)
            return TOOLS.intended(name for name in names if not is_pattern(name) and not (inner and name == ANY))
        return [] if "tools" in metadata else list(EVERYTHING.rules)

    def enforced_rules(self, metadata: Mapping[str, JsonValue]) -> list[Rule]:
        granted, denied = (self.names_in(metadata.get(key)) for key in ("tools", "disallowedTools"))
        if "executor" in metadata:
            return list(EVERYTHING.rules)  # the other program ignores lists
        rules = list(EVERYTHING.rules)  # also for a list that names nothing
        if granted and not calls_all(granted):
            rules = TOOLS.granted(name for name in granted if not is_pattern(name) and TOOLS.is_known(name))
        return [*_enforced_mode(rules, metadata), *taken(granted, denied)]

    def mistyped(self, value: JsonValue) -> bool:
        return value is not None and not isinstance(value, str | list)  # list items that are not text are dropped

    def check(self, fields: Fields) -> None:
        for key in ("tools", "disallowedTools"):
            value = fields.peek(key)
            if isinstance(value, list) and any(isinstance(name, str) and not name.strip() for name in value):
                fields.report(Code.WRONG_TYPE, f"`{key}` holds an empty name, so Qwen Code refuses the file", key)
        for name in self.names_in(fields.peek("tools")):
            if is_pattern(name):
                message = f"`{name}` grants nothing: a list takes the tools of servers by their full names only"
                fields.report(Code.UNKNOWN_TOOL, message, "tools")
        for message in without_effect(self.names_in(fields.peek("disallowedTools"))):
            fields.report(Code.NO_EFFECT, message, "disallowedTools")
        mode = fields.peek("approvalMode")
        if mode not in (None, "", *_MODES):
            message = f"`approvalMode` must be one of {', '.join(_MODES)}; Qwen Code refuses the file otherwise"
            fields.report(Code.WRONG_TYPE, message, "approvalMode")
        fields.text("permissionMode", _PERMISSION_MODES)
        if "executor" in fields.keys and {"tools", "disallowedTools"}.intersection(fields.keys):
            fields.report(Code.NO_EFFECT, "the program named by `executor` ignores lists of tools", "executor")

    def write(self, agent: Agent, options: WriteOptions) -> Permissions:
        lists = spell_lists(narrowed := narrow(agent.grants, self.capabilities, options), TOOLS, denies=True)
        diagnostics = [*narrowed.diagnostics, *lists.diagnostics]
        permissions: dict[str, JsonValue] = {}
        if lists.allowed is not None:
            lost = [name for name in lists.allowed if is_pattern(name)]
            message = "is left out: a list takes the tools of servers by their full names only"
            diagnostics += [Diagnostic(Code.TOOL_LOST, f"`{name}` {message}") for name in lost]
            permissions["tools"] = [name for name in lists.allowed if name not in lost] or [NOTHING]
        if lists.denied:
            permissions["disallowedTools"] = list[JsonValue](with_substitutes(lists.denied))
        if any(Approval.ASK in agent.grants.approvals(tool) for tool in CHANGING):
            permissions["approvalMode"] = "default"
        return permissions, diagnostics


@dataclass(frozen=True, slots=True)
class _Qwen(TableDialect):
    """Instructions that are a template, and must not be short."""

    def loads(self, document: Document) -> bool:
        """Whether Qwen Code finds the same frontmatter: it ends at the first line of exactly three dashes."""
        text = document.data.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n")
        rest = _FRONTMATTER.sub("", text, count=1)
        return rest != text and rest == document.body.replace("\r\n", "\n").replace("\r", "\n")

    def read(self, document: Document, stem: str) -> Reading:
        reading = TableDialect.read(self, document, stem)
        if problem := _too_short(document.body, Code.WRONG_TYPE):
            return Reading(None, (*reading.diagnostics, problem))
        return _TEMPLATE.read(reading)

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        agent, diagnostics = _TEMPLATE.escaped(agent) if agent.dialect != self.name else (agent, [])
        writing = TableDialect.write(self, agent, options)
        if problem := _too_short(agent.prompt, Code.REFUSED_REQUIRED):
            diagnostics.append(problem)
        return Writing(None if refused(tuple(diagnostics)) else writing.data, (*writing.diagnostics, *diagnostics))


def _too_short(prompt: str, code: Code) -> Diagnostic | None:
    if not prompt.strip() or len(prompt.strip()) >= _SHORTEST_PROMPT:
        return None  # missing instructions are reported elsewhere
    return Diagnostic(code, f"Qwen Code takes no agent with instructions of under {_SHORTEST_PROMPT} characters")


def _mode(metadata: Mapping[str, JsonValue]) -> str:
    """The mode that Qwen Code makes of both keys, its own key first; empty where there is none."""
    return str(metadata.get("approvalMode") or _PERMISSION_MODES.get(str(metadata.get("permissionMode")), ""))


def _enforced_mode(rules: list[Rule], metadata: Mapping[str, JsonValue]) -> list[Rule]:
    """Apply what a mode allows; its restrictions do not count, since the user's session may lift them."""
    match _mode(metadata):
        case "yolo":
            return [Rule(rule.tool, Approval.ALLOW, rule.argument) for rule in rules]
        case "auto-edit":
            return _allowing(rules, (*_EDITS, "webfetch", "websearch"))
        case _:
            return rules


def _intended_mode(rules: list[Rule], metadata: Mapping[str, JsonValue]) -> list[Rule]:
    """Apply a mode as its author intended; an unknown one restricts at least as much as asking."""
    values = (metadata.get(key) for key in ("approvalMode", "permissionMode"))
    declared = {str(each) for value in values for each in (value if isinstance(value, list) else [value]) if each}
    # Beside another mode, a permissive one does not express a clear intent.
    for mode in sorted(declared if len(declared) == 1 else declared - _PERMISSIVE):
        match mode if mode in (*_MODES, *_PERMISSION_MODES) else intended_mode(mode):
            case "auto":
                pass
            case "yolo" | "bypassPermissions":
                rules = [Rule(rule.tool, Approval.ALLOW, rule.argument) for rule in rules]
            case "auto-edit" | "acceptEdits":
                rules = _allowing(rules, _EDITS)
            case "plan":
                rules = rules + [Rule(tool, Approval.DENY) for tool in (*_EDITS, "bash")]
            case "dontAsk":
                rules = only_reading(rules)
            case _:
                rules = [*_asking(rules)]
    return rules


def _allowing(rules: list[Rule], tools: tuple[str, ...]) -> list[Rule]:
    grants = Grants(tuple(rules))
    return rules + [Rule(tool, Approval.ALLOW) for tool in tools if grants.approval(tool)]


def _asking(rules: list[Rule]) -> Iterator[Rule]:
    for rule in rules:
        most = Approval.SESSION if rule.tool in READING else Approval.ASK
        yield Rule(rule.tool, min(rule.approval, most), rule.argument)
    if any(rule.tool == ANY and rule.approval for rule in rules):
        yield from (Rule(tool, Approval.SESSION) for tool in sorted(READING))


_COLORS: Final = ("red", "blue", "green", "yellow", "purple", "orange", "pink", "cyan", "auto")

_QWEN: Final = _Qwen(
    name="qwen",
    title="Qwen Code",
    permissions=_Tools(
        TOOLS,
        ToolLists(empty="all", null="all", mistyped="all", trims=False, denied="disallowedTools"),
        further=("approvalMode", "permissionMode"),
        overwrites=True,
    ).codec,
    keys={
        "max_turns": Key("maxTurns", "count"),
        "color": Key("color", words={color: color for color in _COLORS}),
        "background": Key("background", "flag"),
        "mcp_servers": Key("mcpServers", "any"),
        "hooks": Key("hooks", "any"),
    },
    own=frozenset({"mcp_servers", "hooks"}),
    models=Models(bare=False),
    native=frozenset({"runConfig", "modelConfig", "executor", "executionBackend"}),
    required=("name", "description", "prompt"),
    names=NameRule(2, 50, _RESERVED, slugs=False, pattern=_NAME),
    runs_hooks=True,
)


DIALECT: Final = _QWEN.dialect(
    user_directory=".qwen/agents",
    project_directories=(".qwen/agents",),
    binaries=("qwen",),
    review=Review(
        restricted_by="`tools`, `disallowedTools`, `approvalMode`; an empty list is every tool",
        handling="an agent without any tool is refused",
    ),
    version="0.24.4",
    source="https://qwenlm.github.io/qwen-code-docs/en/users/features/sub-agents",
    environment=(Moved("QWEN_HOME", ".qwen"),),
    effects=effects_by_key(
        row("executor executionbackend", Effect.RUNS_PROGRAM), row("modelconfig", Effect.CHANGES_MODEL)
    ),
    recognition=Recognition(
        other_stems=("qwen",),
        not_synced={Kind.SETTINGS: ("/.qwen/settings.json",), Kind.PLUGIN: ("/qwen-extension.json",)},
    ),
)
