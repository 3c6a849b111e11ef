"""Write narrowed grants for Kiro: tags for the tools, and rules for calls that are asked for, allowed or denied."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import CHANGING, READ_COVERS, UNTRANSLATED, Approval, Grants, Rule
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions, narrow
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import is_slug
from agentsync.dialects._kit.permission_codec import Permissions
from agentsync.dialects.kiro.permissions import NAMES

_CAPABILITY: Final = {
    "read": "fs_read",
    "write": "fs_write",
    "shell": "shell",
    "web_fetch": "web_fetch",
    "web_search": "web_search",
    "subagent": "subagent",
    "skill": "skill",
}
# Of two rules for one call the stronger counts; the session's approval needs no rule.
_STRENGTH: Final = {Approval.SESSION: 0, Approval.ALLOW: 1, Approval.ASK: 2, Approval.DENY: 3}
_FOLDER: Final = re.compile(r"[\w@-][\w.@-]*(?:/[\w@-][\w.@-]*)*/\*")


def server_name(pattern: str) -> str | None:
    """`@server/tool`; None for a pattern that Kiro cannot express."""
    return NAMES.servers.spell(pattern) if NAMES.servers and "?" not in pattern else None


def _spells(tool: str, rules: tuple[Rule, ...]) -> bool:
    return all(rule.argument == ANY or _spells_argument(tool, rule.argument) for rule in rules)


def _spells_argument(tool: str, argument: str) -> bool:
    match tool:
        case "bash":
            plain = argument.strip() == argument and argument and not set(argument) & set("?[]{}\\\r\n")
            return bool(plain) and not argument.startswith(UNTRANSLATED)
        case "write" | "edit":
            return _FOLDER.fullmatch(argument) is not None
        case "task":
            return is_slug(argument)  # an agent of another name is called by its slug there
        case _:
            return False


CAPABILITIES: Final = Capabilities(
    units={**NAMES.written, "skill": ("skill",)},
    nameless=frozenset({"lsp"}),  # its tool also renames
    asks=CHANGING.union(READ_COVERS, {"skill"}),
    server_name=server_name,
    spells=_spells,
)


def with_search(grants: Grants, tools: Iterable[str] = READ_COVERS[1:]) -> Grants:
    """The grants, with searching for files allowed wherever reading them is: Kiro has one tool for both."""
    level = min(grants.approvals("read"))
    raised = [Rule(tool, level) for tool in tools if level > min(grants.approvals(tool))]
    return Grants((*grants.rules, *raised))


def write(agent: Agent, options: WriteOptions) -> Permissions:
    """The keys for an agent of another dialect, and diagnostics for what they cannot express."""
    narrowed = narrow(with_search(agent.grants), CAPABILITIES, options)
    diagnostics = [*narrowed.diagnostics]
    asks = narrowed.default is Approval.ASK
    closed = asks or narrowed.default is Approval.DENY
    if asks:
        message = "only tools that have a name here can be made to ask, so no others are granted"
        diagnostics.append(Diagnostic(Code.TOOL_LOST, message))
    tools = [unit for unit, level in narrowed.units.items() if level and unit in NAMES.written]
    if {"web_fetch", "web_search"} <= set(tools):
        tools = [unit for unit in tools if unit not in ("web_fetch", "web_search")] + ["web"]
    servers = [(name.removeprefix("@"), level) for name, level in narrowed.servers.items()]
    tools += ["@mcp"] if asks else ["@" + name.removesuffix("/*") for name, level in servers if level]
    rules: list[JsonValue] = []
    for unit, level in narrowed.units.items():
        levels = [(rule.argument, rule.approval) for rule in narrowed.arguments.get(unit, ())] or [(ANY, level)]
        if not (closed and levels == [(ANY, Approval.DENY)]):
            first = [] if levels[0][0] == ANY else [(ANY, Approval.DENY)]
            rules += _rules(_CAPABILITY[unit], [*first, *levels])
    rules += _rules("mcp", servers if not narrowed.default else [(ANY, narrowed.default), *servers])
    keys: dict[str, JsonValue] = {"tools": list[JsonValue](tools) if closed else [ANY]}
    if closed and not tools:
        rules = [{"capability": "all", "effect": "deny"}]  # the meaning of an empty list is not documented
    if rules:
        keys["permissions"] = {"rules": rules}
    if narrowed.default or any(level for _, level in servers):
        keys["includeMcpJson"] = True
    return keys, diagnostics


def _rules(capability: str, levels: Sequence[tuple[str, Approval]]) -> list[JsonValue]:
    """Translate ordered rules, where the last match counts, into Kiro's, where the strongest match does.

    Each rule excludes the arguments for which a later rule is weaker.
    """
    rules: list[JsonValue] = []
    for index, (argument, level) in enumerate(levels):
        if level is Approval.SESSION or (level is Approval.ALLOW and capability in ("fs_read", "skill")):
            continue
        later = [other for other, weaker in levels[index + 1 :] if _STRENGTH[weaker] < _STRENGTH[level]]
        if argument in later:
            continue
        exclude = [pattern for other in later for pattern in _patterns(capability, other)]
        rule: dict[str, JsonValue] = {"capability": capability, "effect": level.name.lower()}
        if argument != ANY or exclude:
            rule["match"] = list[JsonValue](_patterns(capability, argument))
        if exclude:
            rule["exclude"] = list[JsonValue](exclude)
        rules.append(rule)
    return rules


def _patterns(capability: str, argument: str) -> list[str]:
    if capability.startswith("fs_"):
        return ["**" if argument == ANY else argument.removesuffix("*") + "**"]
    # Kiro reads `ls *` as covering `ls` in some places and not in others.
    return [argument, argument[:-2]] if argument.endswith(" *") and capability == "shell" else [argument]
