"""What an agent can no longer do once it is converted, in plain words: its abilities compared with its output's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from agentsync.agents.grants import MCP, SHELL_COVERS, TOOLS, Approval, Grants, flat_name
from agentsync.agents.model import Agent
from agentsync.agents.patterns import matches
from agentsync.convert.proof import ReadBack
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects import Dialect

# In the order in which they matter to a reader. Tools that are not here (lists of work, questions, language servers)
# change how an agent works, but hardly what it can do.
_BY_TOOLS: Final = {
    "read files": ("read",),
    "edit files": ("write", "edit"),
    "edit notebooks": ("notebook",),
    "run commands": ("bash",),
    "search files": ("grep", "glob"),
    "fetch pages": ("webfetch",),
    "search the web": ("websearch",),
    "call other agents": ("task",),
    "use skills": ("skill",),
}
_BY_FIELDS: Final[dict[str, Callable[[Agent], object]]] = {
    "start its own MCP servers": lambda agent: agent.mcp_servers,
    "run its hooks": lambda agent: agent.hooks,
    "load its skills": lambda agent: agent.skills,
    "keep a memory": lambda agent: agent.memory,
    "work in a copy of the project": lambda agent: agent.isolation,
}

LOSSES: Final = frozenset({Code.ABILITY_LOST, Code.FIELD_LOST, Code.TOOL_LOST, Code.GLOB_NARROWED, Code.COARSE})
"""The codes of all that a conversion may lose, whatever their severity."""


def lost_abilities(agent: Agent, output: ReadBack, target: Dialect) -> tuple[str, ...]:
    """Return what an agent can do and its output cannot, each as the words after "can".

    An ability counts as lost if no tool is left that has it. What the target cannot take away, its session decides.
    """
    if output.agent is None:
        return ()
    grants, again = agent.grants, output.agent
    has = output.enforced, again.grants
    tools = [*_lost_tools(grants, has, target)]
    if "edit files" in tools and "edit notebooks" in tools:
        tools.remove("edit notebooks")
    fields = (words for words, of in _BY_FIELDS.items() if of(agent) and not of(again))
    return (*tools, *_lost_servers(grants, has, target), *fields)


def ability_lost(
    abilities: Sequence[str], target: Dialect, kept: Sequence[str] = (), settings: Sequence[str] = ()
) -> Diagnostic:
    """Report lost abilities in one sentence.

    Args:
        abilities: what the agent can no longer do.
        target: where.
        kept: what it could do there if the target's configuration accepted more.
        settings: the keys of that configuration.
    """
    message = f"cannot {listed(abilities)} in {target.title}"
    if not kept:
        return Diagnostic(Code.ABILITY_LOST, message)
    setting = " and ".join(f'`{name} = "accept"`' for name in settings)
    rest = f", unless the target has {setting}" if len(kept) == len(abilities) else ""
    rest = rest or f"; with {setting} it could {listed(kept)}"
    hint = f"Nothing to do if the agent is of use without that; {setting} grants all that the tools concerned cover."
    return Diagnostic(Code.ABILITY_LOST, message + rest, hint=hint)


def without_names(ability: str) -> str:
    """Return an ability without the servers in it, under which those of several agents can be counted."""
    words, separator, _ = ability.partition(" `")
    return words if words.endswith("s") or not separator else f"{words}s"


def listed(words: Sequence[str]) -> str:
    """Join alternatives: `a`, `a or b`, `a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def _lost_tools(grants: Grants, has: Sequence[Grants], target: Dialect) -> Iterator[str]:
    """Yield the abilities of which no granted tool is left."""
    for words, tools in _BY_TOOLS.items():
        granted = [tool for tool in tools if _is_granted(tool, grants, target)]
        if granted and not any(_may(one, tool) for one in has for tool in granted):
            yield words


def _is_granted(tool: str, grants: Grants, target: Dialect) -> bool:
    """Whether an agent may call a tool that the target has, or that its author names and the target takes away."""
    is_decided = tool in target.capabilities.tools or (target.lists is not None and tool in grants.patterns)
    return is_decided and max(grants.approvals(tool)) > Approval.DENY


def _may(grants: Grants, tool: str) -> bool:
    """Whether some call of a tool is granted, or a shell that can do its work."""
    covering = (tool, SHELL_COVERS[0]) if tool in SHELL_COVERS else (tool,)
    return any(max(grants.approvals(one)) > Approval.DENY for one in covering)


def _lost_servers(grants: Grants, has: Sequence[Grants], target: Dialect) -> Iterator[str]:
    """Yield what an agent may call of MCP servers and its output may not: one entry for all servers that it names."""
    is_restricted = any(rule.approval < grants.everything_else for rule in grants.rules)  # others are as in the tool
    if is_restricted and target.lists is not None and not any(one.everything_else for one in has):
        yield "use other MCP servers"
    named: dict[str, bool] = {}
    flat = [one.with_flat_names() for one in has]
    for pattern in grants.patterns:
        is_decided = target.lists is not None or target.capabilities.server_name(pattern) is not None
        if pattern.startswith(MCP) and is_decided and max(grants.approvals(pattern)) > Approval.DENY:
            server = pattern.removeprefix(MCP).split("/")[0]
            is_kept = any(_may_call(one, MCP + flat_name(pattern.removeprefix(MCP))) for one in flat)
            named[server] = named.get(server, False) or is_kept
    lost = [f"`{server}`" for server, is_kept in named.items() if not is_kept]
    if lost == ["`*`"]:
        yield "use MCP servers"
    elif lost:
        yield f"use MCP server{'s' if len(lost) > 1 else ''} {', '.join(lost)}"


def _may_call(grants: Grants, pattern: str) -> bool:
    """Whether some tool of servers that a pattern covers is granted."""
    covered = (one for one in grants.patterns if one not in TOOLS and (matches(one, pattern) or matches(pattern, one)))
    return any(max(grants.approvals(one)) > Approval.DENY for one in (pattern, *covered))
