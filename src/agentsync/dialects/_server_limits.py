"""What an agent says beside the MCP servers that it brings: which of their tools it may use, and which servers are off.

No other tool gets these servers, but it may have one of the same name from its user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from agentsync.dialects._tool_names import listed
from agentsync.naming import folded_key
from agentsync.permissions import ANY, MCP, Approval, Grants, Rule

_ONLY: Final = frozenset({"enabledtools", "includetools", "allowedtools", "tools"})
_NOT: Final = frozenset({"disabledtools", "excludetools", "excludedtools", "disallowedtools", "deniedtools"})


def limited(servers: JsonValue, rules: Iterable[Rule]) -> list[Rule]:
    """The rules with what is left of the servers' tools; none is given more.

    Args:
        servers: a map of names to servers, or a list of such maps or of servers with names.
        rules: what the agent has without these limits.
    """
    rules = list(rules)
    for server, said in _servers(servers):
        if said.get("enabled") is False or said.get("disabled") is True:
            rules.append(Rule(f"{MCP}{server}/{ANY}", Approval.DENY))
        for tools in (value for key, value in said.items() if folded_key(key) in _ONLY):
            names = [*listed(tools)] if isinstance(tools, str | list) else [ANY]
            rules = rules if ANY in names else _only(rules, server, names)
        for tools in (value for key, value in said.items() if folded_key(key) in _NOT):
            rules += [Rule(f"{MCP}{server}/{tool.partition('(')[0]}", Approval.DENY) for tool in listed(tools)]
    return rules


def _servers(servers: JsonValue) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    for entry in servers if isinstance(servers, list) else [servers]:
        if isinstance(entry, dict) and isinstance(name := entry.get("name"), str) and isinstance(servers, list):
            yield name, entry
        elif isinstance(entry, dict):
            yield from ((name, said) for name, said in entry.items() if isinstance(said, dict))


def _only(rules: Sequence[Rule], server: str, tools: Iterable[str]) -> list[Rule]:
    """The rules with no tools of a server but these, each as it was."""
    grants, prefix = Grants(tuple(rules)), f"{MCP}{server}/"
    named = [f"{prefix}{tool}" for tool in tools if not set(server + tool) & {"*", "?"}]
    left = [rule for rule in rules if not rule.tool.startswith(prefix)]
    # A denial of the whole server is only there where something else may grant it: not every tool can except from one.
    granting = any(rule.approval and (ANY in rule.tool or "?" in rule.tool) for rule in left)
    closing = [Rule(prefix + ANY, Approval.DENY)] if granting else []
    return [*left, *closing, *(Rule(tool, min(grants.approvals(tool))) for tool in named)]
