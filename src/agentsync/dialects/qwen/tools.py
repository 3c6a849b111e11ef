"""Qwen Code's names of tools, and how its two lists read them.

A list takes each tool by its name or its display name, and a tool of a server by its full name only; a denial also
takes patterns of servers' tools that end in `*`, and compares the part before it with the beginning of the full name.
Both ignore names in another case, with arguments, or of earlier releases. Some tools can do the same as another one,
and have to be denied beside it. All of this was observed with live servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from agentsync.agents.grants import MCP, Approval, Rule
from agentsync.agents.patterns import ANY
from agentsync.dialects._kit.tool_names import ServerNames, ToolNames

NOTHING: Final = "ask_user_question"
"""A tool that no agent gets, so a list of it alone grants nothing."""

_PREFIX: Final = "mcp__"
_DISPLAYED_SERVER_TOOL: Final = re.compile(r"(?P<tool>[\w-]+) \((?P<server>[\w-]+) MCP Server\)")
_REGISTERED: Final = re.compile(r"[A-Za-z0-9_-]+")
"""The full names of servers' tools; a name with other characters is registered under an unpredictable one."""

_ALL_SERVERS: Final = f"{_PREFIX}{ANY}"


class _Servers(ServerNames):
    """`mcp__server__tool`; a pattern may have a wildcard only at its end."""

    __slots__ = ()

    def spell(self, pattern: str) -> str | None:
        if pattern in (f"{MCP}{ANY}", f"{MCP}{ANY}/{ANY}"):
            return _ALL_SERVERS
        name = ServerNames.spell(self, pattern)
        return name if name and not _has_wildcard(name.removesuffix(ANY)) else None

    def read(self, name: str) -> str | None:
        if displayed := _DISPLAYED_SERVER_TOOL.fullmatch(name):
            return f"{MCP}{displayed['server']}/{displayed['tool']}"
        return f"{MCP}{ANY}" if name == _ALL_SERVERS else ServerNames.read(self, name)


class _Names(ToolNames):
    """The vocabulary, in which a denial covers each tool whose full name begins as it does."""

    __slots__ = ()

    def denied(self, name: str) -> tuple[str, ...]:
        return (*ToolNames.denied(self, name), *_also_covered(name))


def _also_covered(name: str) -> Iterator[str]:
    """All tools of `server`, which a denial of `mcp__server_*` covers beside those of `server_x`.

    That `mcp__my` also covers a server called `my__x` is ignored: nobody intends it, and few tools can express it.
    """
    server = name.removeprefix(_PREFIX).removesuffix(f"_{ANY}")
    if (
        name == f"{_PREFIX}{server}_{ANY}"
        and "__" not in server
        and not server.endswith("_")
        and not _has_wildcard(server)
    ):
        yield f"{MCP}{server}/{ANY}"


_SERVERS: Final = _Servers(_PREFIX, "__", whole=True)
_WRITTEN: Final = {
    "read_file": ("read",),
    "write_file": ("write",),
    "edit": ("edit",),
    "notebook_edit": ("notebook",),
    "run_shell_command": ("bash",),
    "grep_search": ("grep",),
    "glob": ("glob",),
    "list_directory": ("list",),
    "lsp": ("lsp",),
    "web_fetch": ("webfetch",),
    "web_search": ("websearch",),
    "agent": ("task",),
    "skill": ("skill",),
}
# A tool that runs code, which calls any other.
_CODE: Final = frozenset({"exec", "Exec"})
# Tools that can do the same as another one.
_SUBSTITUTES: Final = {
    "run_shell_command": ("monitor",),
    "agent": ("create_sub_session",),
    "read_file": ("zoom_image",),
}
_DISPLAYED: Final = {
    "ReadFile": "read_file",
    "WriteFile": "write_file",
    "Edit": "edit",
    "NotebookEdit": "notebook_edit",
    "Shell": "run_shell_command",
    "Grep": "grep_search",
    "SearchFiles": "grep_search",
    "Glob": "glob",
    "FindFiles": "glob",
    "ListFiles": "list_directory",
    "ReadFolder": "list_directory",
    "Lsp": "lsp",
    "WebFetch": "web_fetch",
    "WebSearch": "web_search",
    "Agent": "agent",
    "Task": "agent",
    "Skill": "skill",
    "Monitor": "monitor",
    "CreateSubSession": "create_sub_session",
    "ZoomImage": "zoom_image",
}
_BY_NAME: Final = _WRITTEN | {other: _WRITTEN[name] for name, others in _SUBSTITUTES.items() for other in others}

TOOLS: Final = _Names(
    written=_WRITTEN,
    read={
        **_BY_NAME,
        **{shown: _BY_NAME[name] for shown, name in _DISPLAYED.items()},
        **dict.fromkeys(("tool_search", "tool_call", "save_memory", "read_mcp_resource", "image_gen"), ()),
        **dict.fromkeys(("loop_wakeup", "report_findings", "structured_output", "display_image", *_CODE), ()),
    },
    gone={
        **dict.fromkeys(("todo_write", "TodoList", "TodoWrite"), ("todo",)),
        **dict.fromkeys((NOTHING, "AskUserQuestion"), ("question",)),
        "replace": ("edit",),
        "search_file_content": ("grep",),
        "task": ("task",),
        # Names of other tools, as their authors use them.
        "Read": ("read",),
        "Write": ("write",),
        "MultiEdit": ("edit",),
        "Bash": ("bash",),
        "LS": ("list",),
    },
    servers=_SERVERS,
)


def is_pattern(name: str) -> bool:
    """Whether a name of servers' tools is not that of a single tool, and so grants nothing."""
    return name.startswith(_PREFIX) and (not _REGISTERED.fullmatch(name) or "__" not in name.removeprefix(_PREFIX))


def with_substitutes(names: Sequence[str]) -> list[str]:
    """The names, each followed by those that have to be denied beside it."""
    return [each for name in names for each in (name, *_SUBSTITUTES.get(name, ()))]


def calls_all(names: Sequence[str]) -> bool:
    """Whether a list grants all tools by granting the one that runs code."""
    return bool(_CODE.intersection(names))


def without_effect(denied: Sequence[str]) -> Iterator[str]:
    """Messages about denials that leave more than their author may expect."""
    gone = {_DISPLAYED.get(name, name) for name in denied}
    for name, others in _SUBSTITUTES.items():
        remaining = [other for other in others if other not in gone]
        if name in gone and remaining:
            yield f"`{name}` is denied and `{remaining[0]}`, which can do the same, is not"
    for name in denied:
        if name == ANY or (name.startswith(_PREFIX) and _has_wildcard(name.removesuffix(ANY))):
            yield f"`{name}` denies nothing: Qwen Code takes patterns of servers' tools only, with one `*` at the end"


def taken(granted: Sequence[str], denied: Sequence[str]) -> Iterator[Rule]:
    """The rules of a denial: a tool that is still available by another name is not denied.

    Args:
        granted: the list of tools; empty for all tools.
        denied: the list of denied tools.
    """
    gone = {_DISPLAYED.get(name, name) for name in denied}
    named = {_DISPLAYED.get(name, name) for name in granted}
    is_limited = named and ANY not in named and not calls_all(granted)
    for name, covered in _WRITTEN.items():
        names = {name, *_SUBSTITUTES.get(name, ())}
        if names & gone and not (names & named if is_limited else names) - gone:
            yield from (Rule(tool, Approval.DENY) for tool in covered)
    for name in denied:
        pattern = _SERVERS.read(name)
        if pattern and not _has_wildcard(name.removesuffix(ANY)):
            yield from (Rule(tool, Approval.DENY) for tool in (pattern, *_also_covered(name)))


def _has_wildcard(name: str) -> bool:
    return "*" in name or "?" in name
