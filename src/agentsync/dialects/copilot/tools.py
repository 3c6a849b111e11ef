"""Copilot's tool names, without regard to case: its own, Claude Code's as aliases, and those of VS Code.

An alias may mean more than its author intended: `Write` is all tools that change files. So there are two vocabularies:
the tools that a name grants, and those that it was written for. Names that Copilot's CLI does not know are VS Code's.
Which tools a name grants was observed with the CLI's running agents.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from agentsync.agents.grants import MCP
from agentsync.agents.patterns import ANY
from agentsync.dialects._kit.tool_names import ServerNames, ToolNames

# Prefixes of VS Code's names, which look like those of servers.
_SETS: Final = frozenset("agent create edit execute read runcommands search todo vscode web".split())


class _Servers(ServerNames):
    """`server/tool`, or `server/*`."""

    __slots__ = ()

    def spell(self, pattern: str) -> str | None:
        server, slash, tool = pattern.removeprefix(MCP).partition("/")
        free = set(server) & {"*", "?"} or (tool != ANY and set(tool) & {"*", "?"})
        return None if free or not slash or server.lower() in _SETS else f"{server}/{tool}"

    def read(self, name: str) -> str | None:
        server, slash, tool = name.partition("/")
        pattern = f"{MCP}{server}/{tool}"
        return pattern if slash and tool and self.spell(pattern) else None


_EDITING: Final = ("write", "edit")
_SEARCHING: Final = ("grep", "glob")
_BROWSING: Final = ("webfetch", "websearch")

# The tools that each further name grants, and the tools that it was written for.
_READ: Final[dict[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    **dict.fromkeys(("view", "NotebookRead", "read/readFile", "search/readFile", "readFile"), (("read",), ("read",))),
    **dict.fromkeys(("Grep", "rg", "search/textSearch", "textSearch"), (("grep",), ("grep",))),
    **dict.fromkeys(("Glob", "search/fileSearch", "fileSearch"), (("glob",), ("glob",))),
    **dict.fromkeys(("search/codebase", "codebase"), (_SEARCHING, ("grep",))),
    "Write": (_EDITING, _EDITING),  # Claude Code's, which replaces files
    **dict.fromkeys(("create", "edit/createFile", "create/createFile", "createFile"), (_EDITING, ("write",))),
    # With GPT models `apply_patch`, which adds, replaces and deletes files; with others, `replace_string_in_file` of VS
    # Code's, which also creates files, or the CLI's `edit`, which does not.
    **dict.fromkeys(("edit/editFiles", "editFiles", "apply_patch"), (_EDITING, _EDITING)),
    "MultiEdit": (_EDITING, ("edit",)),
    **dict.fromkeys(("NotebookEdit", "edit/editNotebook", "editNotebook"), (_EDITING, ("notebook",))),
    **dict.fromkeys(("edit/createDirectory", "createDirectory"), (_EDITING, ())),
    **dict.fromkeys(("shell", "Bash", "execute/runInTerminal", "runInTerminal"), (("bash",), ("bash",))),
    **dict.fromkeys(("runCommands", "runCommands/runInTerminal"), (("bash",), ("bash",))),
    **dict.fromkeys(
        "powershell runTasks execute/runTask execute/createAndRunTask runTests execute/runTests runNotebooks "
        "execute/runNotebookCell".split(),
        (("bash",), ()),
    ),
    **dict.fromkeys(("custom-agent", "Task", "agent/runSubagent", "runSubagent"), (("task",), ("task",))),
    **dict.fromkeys(("WebFetch", "web_fetch", "web/fetch", "fetch"), (("webfetch",), ("webfetch",))),
    **dict.fromkeys(("WebSearch", "web_search"), (("websearch",), ("websearch",))),
    **dict.fromkeys(("TodoWrite", "todos", "update_todo"), (("todo",), ("todo",))),
    "vscode/askQuestions": (("question",), ("question",)),
    **dict.fromkeys(
        "problems usages changes githubRepo findTestFiles openSimpleBrowser terminalLastCommand testFailure extensions "
        "new terminalSelection vscodeAPI searchResults execute/getTerminalOutput execute/testFailure "
        "execute/getTaskOutput read/problems read/terminalLastCommand read/terminalSelection read/getTaskOutput "
        "read/getNotebookSummary search/usages search/changes search/searchResults search/listDirectory "
        "search/searchSubagent vscode vscode/memory vscode/extensions vscode/vscodeAPI vscode/installExtension "
        "vscode/runCommand vscode/getProjectSetupInfo vscode/newWorkspace web/githubRepo sql session_store_sql "
        "read_agent list_agents read_bash stop_bash list_bash".split(),
        ((), ()),
    ),
}

TOOLS: Final = ToolNames(
    written={
        "read": ("read",),
        "edit": _EDITING,
        "execute": ("bash",),
        "search": _SEARCHING,
        "lsp": ("lsp",),
        "web": _BROWSING,
        "agent": ("task",),
        "todo": ("todo",),
        "skill": ("skill",),
        "ask_user": ("question",),
    },
    read={name: granted for name, (granted, _) in _READ.items()},
    folds=True,
    servers=_Servers("", "/"),
)
"""The tools that each name grants."""

_HALVES: Final = {
    "search": {"grep": "grep", "glob": "glob"},
    "web": {"web_fetch": "webfetch", "web_search": "websearch"},
}
"""The groups that can be granted in part, with the name of each part and its canonical tool."""

UNITS: Final[dict[str, tuple[str, ...]]] = {
    name: covered
    for group, tools in TOOLS.written.items()
    for name, covered in (
        {half: (tool,) for half, tool in _HALVES[group].items()} if group in _HALVES else {group: tools}
    ).items()
}
"""The names that are granted one by one: those that are written, with the parts of a group instead of the group."""


def grouped(names: Sequence[str]) -> list[str]:
    """The names, with a group's instead of those of all its parts: the cloud agent and VS Code may know only groups."""
    first = {next(iter(halves)): group for group, halves in _HALVES.items() if halves.keys() <= set(names)}
    dropped = {half for group in first.values() for half in _HALVES[group]}
    return [first.get(name, name) for name in names if name in first or name not in dropped]


INTENDED: Final = replace(TOOLS, read={name: intended for name, (_, intended) in _READ.items()})
"""The tools that each name was written for."""


_MOST_DASHES: Final = 8
"""The most dashes of one name that are tried; a name with more counts as any tool of any server."""


def joined_names(name: str) -> Iterator[str]:
    """The server tools that an unknown name may grant, which its author rarely intended (seen with live servers).

    Copilot calls a tool `server-tool`, and accepts that name in a list as well. A server may also have the name of one
    of VS Code's sets.
    """
    if TOOLS.is_known(name) or {"*", "?"} & set(name.removesuffix(f"/{ANY}")):
        return
    server, slash, tool = name.partition("/")
    if slash and server and tool:
        yield f"{MCP}{server}/{tool}"
    elif not slash:
        dashes = [index for index, sign in enumerate(name) if sign == "-" and 0 < index < len(name) - 1]
        yield from (
            (f"{MCP}{name[:at]}/{name[at + 1 :]}" for at in dashes) if len(dashes) <= _MOST_DASHES else (MCP + ANY,)
        )
