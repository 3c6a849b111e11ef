"""Limits on an agent's own MCP servers: which of their tools it may use, and which servers are off.

No other tool gets these servers, but it may have one of the same name from its user.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import MCP, Approval, Grants, Rule
from agentsync.agents.key_effects import Meaning, is_off, meaning
from agentsync.agents.patterns import ANY
from agentsync.core.naming import folded_key
from agentsync.dialects._kit.intent import excepted, intended_by
from agentsync.dialects._kit.tool_names import listed, named_in

_SWITCHES: Final = {"enabled": True, "disabled": False}
"""The switches of a server, each with the value of `is_off` at which the server is disabled."""

_ONLY: Final = meaning(Meaning.ALLOWED_TOOLS, Meaning.ALLOWED)
_NOT: Final = meaning(Meaning.DENIED_TOOLS, Meaning.DENIED)


def limited(servers: JsonValue, rules: Iterable[Rule]) -> list[Rule]:
    """The rules, narrowed by the limits on servers' tools; nothing more is granted.

    Args:
        servers: a map of names to servers, or a list of such maps or of servers with names.
        rules: the agent's rules without these limits.
    """
    rules = list(rules)
    for server, settings in _servers(servers):
        keys = [(folded_key(key), value) for key, value in settings.items() if value is not None]
        if any(key in _SWITCHES and is_off(value) == _SWITCHES[key] for key, value in keys):
            rules.append(Rule(f"{MCP}{server}/{ANY}", Approval.DENY))
        denied = [name for key, value in keys if key in _NOT for name in named_in(value)]
        for tools in (value for key, value in keys if key in _ONLY):
            names, excluded = excepted(listed(tools))
            denied += [*excluded, *_switched_off(tools)]
            rules = rules if ANY in names or not isinstance(tools, str | list) else _only(rules, server, names)
        rules += [Rule(tool, Approval.DENY) for name in denied for tool in _tools(server, name)]
    return rules


def _servers(servers: JsonValue) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    for entry in servers if isinstance(servers, list) else [servers]:
        if isinstance(entry, dict) and isinstance(name := entry.get("name"), str) and isinstance(servers, list):
            yield name, entry
        elif isinstance(entry, dict):
            yield from ((name, settings) for name, settings in entry.items() if isinstance(settings, dict))
            yield from ((name, {"enabled": on}) for name, on in entry.items() if isinstance(on, bool))


def _switched_off(tools: JsonValue) -> Iterator[str]:
    """The tools that a map switches off; its other values may be settings that restrict nothing."""
    yield from (name for name, on in tools.items() if on is not None and is_off(on)) if isinstance(tools, dict) else ()


def _tools(server: str, name: str) -> Iterator[str]:
    """The patterns of a server's tools that a denial of this name may mean; it may also be a tool's full name."""
    yield f"{MCP}{server}/{name.partition('(')[0].strip()}"
    yield from (tool for tool in intended_by(name) if tool.startswith(f"{MCP}{server}/"))


def _only(rules: Sequence[Rule], server: str, tools: Iterable[str]) -> list[Rule]:
    """The rules with only these tools of a server, each at its level so far."""
    grants, prefix = Grants(tuple(rules)), f"{MCP}{server}/"
    named = [f"{prefix}{tool}" for tool in tools if not set(server + tool) & {"*", "?"}]
    others = [rule for rule in rules if not rule.tool.startswith(prefix)]
    # The whole server is denied only where another rule may grant it: not every tool can except some from a denial.
    granting = any(rule.approval and (ANY in rule.tool or "?" in rule.tool) for rule in others)
    closing = [Rule(prefix + ANY, Approval.DENY)] if granting else []
    return [*others, *closing, *(Rule(tool, min(grants.approvals(tool))) for tool in named)]
