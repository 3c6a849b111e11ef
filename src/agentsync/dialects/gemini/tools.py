"""The tools that Gemini CLI's `tools` names, and those of the servers in `mcp_servers`.

The file can only choose tools; the session and its policies decide whether a call needs approval.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pydantic import JsonValue

from agentsync.agents.grants import MCP, Approval, Grants, Rule
from agentsync.agents.patterns import ANY
from agentsync.dialects._kit.tool_names import ServerNames, ToolNames

ANY_SERVER: Final = "mcp_*"
"""The name for every tool of every server."""

_DISCOVERED: Final = "discovered_tool_"
_SERVER: Final = re.compile(r"[A-Za-z0-9.:-]+")
_SERVER_OF_A_TOOL: Final = re.compile(r"[A-Za-z0-9.:-][A-Za-z0-9_.:-]*")
_SERVER_TOOL: Final = re.compile(r"(?=_*[^_])[A-Za-z0-9_.:-]+|\*")
_NO_PATTERN: Final = re.compile(r"[^*?/]+")
_LONGEST_NAME: Final = 63  # Gemini CLI cuts out the middle of a longer one

# Tools that no other product has, or that it gives to no agent, such as `invoke_agent` and `update_topic`.
_ONLY_HERE: Final = (
    "tracker_create_task tracker_update_task tracker_get_task tracker_list_tasks tracker_add_dependency "
    "tracker_visualize read_mcp_resource list_mcp_resources get_internal_docs enter_plan_mode exit_plan_mode "
    "complete_task update_topic invoke_agent"
).split()


class _Servers(ServerNames):
    """`mcp_server_tool`, cut at the first `_` after the prefix; `*` is only allowed for all tools of a server."""

    __slots__ = ()

    def spell(self, pattern: str) -> str | None:
        server, slash, tool = pattern.removeprefix(MCP).partition("/")
        name = f"{self.prefix}{server}{self.separator}{tool}"
        # The full name of a single tool is looked up as it is, so the server's part may hold an underscore.
        allowed_server = _SERVER if tool == ANY else _SERVER_OF_A_TOOL
        is_valid = slash and allowed_server.fullmatch(server) and _SERVER_TOOL.fullmatch(tool)
        return name if is_valid and len(name) <= _LONGEST_NAME else None

    def read(self, name: str) -> str | None:
        if name == ANY_SERVER:
            return f"{MCP}*"
        server, _, tool = name.removeprefix(self.prefix).partition(self.separator)
        known = name.startswith(self.prefix) and _SERVER.fullmatch(server) and _SERVER_TOOL.fullmatch(tool)
        return f"{MCP}{server}/{tool}" if known else None


class _Names(ToolNames):
    """The vocabulary, and tools that a command of the user discovers."""

    __slots__ = ()

    def tools(self, name: str) -> tuple[str, ...]:
        return () if name.startswith(_DISCOVERED) else ToolNames.tools(self, name)


TOOLS: Final = _Names(
    written={
        "read_file": ("read",),
        "write_file": ("write",),
        "replace": ("edit",),
        "run_shell_command": ("bash",),
        "grep_search": ("grep",),
        "glob": ("glob",),
        "list_directory": ("list",),
        "web_fetch": ("webfetch",),
        "google_web_search": ("websearch",),
        "write_todos": ("todo",),
        "activate_skill": ("skill",),
        "ask_user": ("question",),
    },
    read={"read_many_files": ("read",), "search_file_content": ("grep",), **dict.fromkeys(_ONLY_HERE, ())},
    servers=_Servers("mcp_", "_"),
)


def intended_of_servers(servers: JsonValue) -> Iterator[Rule]:
    """The rules for the tools of an agent's own servers, which are available whatever the list names."""
    names = servers if isinstance(servers, dict) else ()
    return (Rule(f"{MCP}{server}/{ANY}", Approval.SESSION) for server in names if _NO_PATTERN.fullmatch(server))


def enforced_of_servers(servers: JsonValue) -> Iterator[Rule]:
    """The widest rules for these tools: calls to a trusted server never need approval."""
    for server, settings in servers.items() if isinstance(servers, dict) else ():
        trusted = isinstance(settings, dict) and settings.get("trust") is True
        yield Rule(f"{MCP}{server}/{ANY}", Approval.ALLOW if trusted else Approval.SESSION)


def denies_no_server(grants: Grants) -> bool:
    """Whether no server, and no tool of one, is denied by name."""
    servers = [pattern for pattern in grants.patterns if pattern.startswith(MCP)]
    return not any(Approval.DENY in grants.approvals(pattern) for pattern in servers)
