"""Claude Code's names for tools, as it reads them in a list: those of this release, and those of earlier ones.

Source: the tool itself, version 2.1.332, which has a list of its own names, their aliases, and the names that it
removed; and the tools that it really gave to agents with each of these names.
"""

from __future__ import annotations

import re
from typing import Final

from agentsync.agents.grants import MCP, OTHER
from agentsync.agents.patterns import ANY
from agentsync.dialects._kit.intent import intended_by

UNITS: Final[dict[str, tuple[str, ...]]] = {
    "Read": ("read",),
    "Write": ("write",),
    "Edit": ("edit",),
    "NotebookEdit": ("notebook",),
    "Bash": ("bash",),
    "Grep": ("grep",),
    "Glob": ("glob",),
    "LSP": ("lsp",),
    "WebFetch": ("webfetch",),
    "WebSearch": ("websearch",),
    "Agent": ("task",),
    "TodoWrite": ("todo",),
    "Skill": ("skill",),
    "AskUserQuestion": ("question",),
}
"""The names that are written, each with its canonical tool."""

TOOLS: Final = {name: tool for name, (tool,) in UNITS.items()} | {"Task": "task"}
"""The names that have a canonical tool."""

OWN: Final = frozenset(
    "Artifact Brief ClaudeDesign CronCreate CronDelete CronList EndConversation EnterPlanMode EnterWorktree "
    "ExitPlanMode ExitWorktree KillBash KillShell ListAgents ListMcpResources ListMcpResourcesTool ListPeers Monitor "
    "OfferChromeSetup PowerShell Projects ProposeGoal PushNotification ReadMcpResource ReadMcpResourceDir "
    "ReadMcpResourceDirTool ReadMcpResourceTool ReadNotifications RemoteTrigger ReportFindings ScheduleWakeup "
    "SendFeedback SendMessage SendUserFile SendUserMessage SetGoal ShareOnboardingGuide ShowOnboardingRolePicker "
    "SubagentHandback TaskCreate TaskGet TaskList TaskStop TaskUpdate ToolSearch WaitForMcpServers Workflow "
    "propose_skills".split()
)
"""The names of tools that only Claude Code has."""

RETIRED: Final = {
    "MultiEdit": "`Edit`",
    "LS": "`Glob`, or `Bash` with `ls`,",
    "NotebookRead": "`Read`",
    "TodoRead": "`TodoWrite`",
    "SlashCommand": "`Skill`",
    "MCPSearch": "`ToolSearch`",
    **dict.fromkeys(("BashOutput", "BashOutputTool"), "`Read` of the file with the output"),
    **dict.fromkeys(("TaskOutput", "AgentOutput", "AgentOutputTool"), "`Read` of the file with the output"),
    **dict.fromkeys(("TeamCreate", "TeamDelete", "Frame", "FrameRead", "SuggestBackgroundPR", "AutofixPr"), ""),
}
"""The names of earlier releases, each with what does the same now: granted or denied, they have no effect."""

# The tools that a denial of a name without a canonical tool is intended for.
_DENIED: Final = {
    "NotebookRead": "read",
    "MultiEdit": "edit",
    "LS": "list",
    "TodoRead": "todo",
    **dict.fromkeys(("BashOutput", "KillBash", "KillShell"), "bash"),
}

_MCP_NAME: Final = re.compile(r"mcp__(?P<server>(?>.+?(?=__.|\Z)))(?:__(?P<tool>.+))?")
# Names that deny every tool of every server, and grant none (seen with live servers).
_ALL_SERVERS: Final = ("mcp__*", "mcp__*__*")


def canonical(name: str) -> str:
    """The canonical tool that a name in a list means, or the name below `other/` where it means none.

    `mcp__server__*` is the only pattern with an effect (seen with live servers).
    """
    if name in TOOLS:
        return TOOLS[name]
    if name == ANY:
        return ANY
    pattern = server_pattern(name)
    return pattern if pattern and _is_exact(pattern) else OTHER + name


def is_known(name: str) -> bool:
    """Whether this release has a tool or a server's tool of this name."""
    return name in OWN or not canonical(name).startswith(OTHER)


def denied_by_tool(name: str) -> str:
    """As `canonical`, for a denial as Claude Code itself reads it."""
    return f"{MCP}{ANY}" if name in _ALL_SERVERS else canonical(name)


def denied_tools(name: str) -> tuple[str, ...]:
    """The canonical tools that a denial is intended for, even if Claude Code does not know the name in that case."""
    bare = name.rstrip("_")
    exact = _DENIED.get(bare, canonical(bare))
    if not exact.startswith(OTHER):
        return (exact,)
    if pattern := server_pattern(bare):
        return (pattern,)
    folded = {known.lower(): tool for known, tool in {**_DENIED, **TOOLS}.items()}
    return (exact, folded[name.lower()]) if name.lower() in folded else (exact, *intended_by(name))


def server_pattern(name: str) -> str | None:
    """The canonical pattern that the name of a server or of its tool is intended as; None for other names."""
    match = _MCP_NAME.fullmatch(name)
    return f"{MCP}{match['server']}/{match['tool'] or ANY}" if match else None


def server_name(pattern: str) -> str | None:
    """The name of a canonical pattern; None where a list can have none for it."""
    server, separator, tool = pattern.removeprefix(MCP).partition("/")
    return f"mcp__{server}__{tool}" if separator and _is_exact(pattern) else None


def _is_exact(pattern: str) -> bool:
    """Whether a canonical pattern is one tool of a server or all of them."""
    return {"*", "?"}.isdisjoint(pattern.removesuffix(f"/{ANY}"))
