"""What a tool lets an agent do, from the tools that it reports or the keys of the file that it loads."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from conformance.access import (
    AGENTS,
    CREATE,
    EDIT,
    EVERYTHING,
    FETCH,
    FIND,
    GREP,
    LIST,
    NOTEBOOK,
    READ,
    READING,
    SEARCH,
    SERVER,
    SHELL,
    Access,
    Level,
    Right,
    server,
)
from conformance.authors import rules

_FILES = (CREATE, EDIT)
# An agent's own notes, questions to the user and skills, and what only works together with a shell or other agents.
_HARMLESS: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    "ask_question ask_user ask_user_question write_todos todo_write update_todo activate_skill skill sql "
    "session_store_sql tool_search_tool fetch_copilot_cli_documentation read_bash stop_bash list_bash read_agent "
    "list_agents write_agent".split(),
    (),
)

# By tool: each of its names for tools, with what it does. Names that are missing do nothing by themselves.
TABLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "claude": {
        "Read": (READ,),
        "Write": _FILES,
        "Edit": (EDIT,),
        "NotebookEdit": (NOTEBOOK,),
        "Bash": (SHELL,),
        "PowerShell": (SHELL,),
        "Grep": (GREP,),
        "Glob": (FIND,),
        "WebFetch": (FETCH,),
        "WebSearch": (SEARCH,),
        "Agent": (AGENTS,),
        "Task": (AGENTS,),
    },
    "copilot": {
        "read": (READ, LIST),
        "view": (READ, LIST),
        "search": (GREP, FIND),
        "grep": (GREP,),
        "rg": (GREP,),
        "glob": (FIND,),
        "edit": _FILES,
        "create": (CREATE,),
        "apply_patch": _FILES,
        "execute": (SHELL,),
        "bash": (SHELL,),
        "write_bash": (SHELL,),
        "web": (FETCH, SEARCH),
        "web_fetch": (FETCH,),
        "web_search": (SEARCH,),
        "agent": (AGENTS,),
        "task": (AGENTS,),
    },
    "gemini": {
        "read_file": (READ,),
        "read_many_files": (READ,),
        "list_directory": (LIST,),
        "glob": (FIND,),
        "grep_search": (GREP,),
        "write_file": _FILES,
        "replace": (EDIT,),
        "run_shell_command": (SHELL,),
        "web_fetch": (FETCH,),
        "google_web_search": (SEARCH,),
    },
    "qwen": {
        "read_file": (READ,),
        "list_directory": (LIST,),
        "glob": (FIND,),
        "grep_search": (GREP,),
        "write_file": _FILES,
        "edit": (EDIT,),
        "notebook_edit": (NOTEBOOK,),
        "run_shell_command": (SHELL,),
        "web_fetch": (FETCH,),
        "web_search": (SEARCH,),
        "agent": (AGENTS,),
    },
    "cline": {
        "read_files": (READ, LIST),
        "search_codebase": (GREP,),
        "editor": _FILES,
        "apply_patch": _FILES,
        "run_commands": (SHELL,),
        "list_files": (SHELL,),
        "fetch_web_content": (FETCH,),
    },
    "factory": {
        "Read": (READ,),
        "LS": (LIST,),
        "Grep": (GREP,),
        "Glob": (FIND,),
        "Create": (CREATE,),
        "Edit": (EDIT,),
        "ApplyPatch": _FILES,
        "Execute": (SHELL,),
        "FetchUrl": (FETCH,),
        "WebSearch": (SEARCH,),
        "Task": (AGENTS,),
    },
}
_RULES = frozenset({READ, LIST, FIND, GREP, *_FILES, SHELL, FETCH, SEARCH, AGENTS})
_OF_SESSION = frozenset({FETCH, SEARCH, AGENTS})

ABLE: Mapping[str, frozenset[str]] = {
    **{tool: frozenset(one for names in table.values() for one in names) for tool, table in TABLES.items()},
    "opencode": _RULES,
    "kilo": _RULES,
    "codex": frozenset({*READING, *_FILES, SHELL, SEARCH}),
    "cursor": frozenset({*READING, *_FILES, SHELL, *_OF_SESSION}),
}
"""By tool: the abilities that it has at all."""

GIVEN: Mapping[str, frozenset[str]] = {
    "codex": frozenset({READ, AGENTS, SERVER}),
    "cursor": frozenset({READ, *_OF_SESSION, SERVER}),
}
"""By tool: the abilities that it gives every agent, as in the user's own session."""

# A list makes a tool available, and the user's session still asks; Cline never asks for what an agent does.
_LISTED = {"cline": Level.SESSION}
_WITHOUT_A_LIST = "inherit-all"
# What the tools of servers are called.
_PREFIXES = ("mcp__", "mcp_")


def reported(tool: str, keys: Mapping[str, Any]) -> Access:
    """What a tool lets an agent do whose file has these keys, or that it reports with them."""
    match tool:
        case "opencode" | "kilo":
            return _of_rules(keys)
        case "codex":
            return _of_sandbox(keys)
        case "cursor":
            return _of_switch(keys)
        case _:
            return _of_list(tool, keys)


def _of_list(tool: str, keys: Mapping[str, Any]) -> Access:
    names = keys.get("tools")
    denied = {ability for name in _listed(keys.get("disallowedTools")) for ability in _abilities(tool, name)}
    if names in (None, _WITHOUT_A_LIST) or "*" in _listed(names):
        access = Access((Right("*", _LISTED.get(tool, Level.ASKED)),))
        # With a shell Claude Code has no other tools to find things, and it brings none back for an agent without one.
        denied |= {FIND, GREP} if tool == "claude" and SHELL in denied else set()
    else:
        access = in_hand(tool, _listed(names))
    return Access((*access.rights, *(Right(ability, Level.NEVER) for ability in sorted(denied))))


def in_hand(tool: str, names: Iterable[str]) -> Access:
    """What an agent may do that has these tools, by the tool's own names."""
    abilities = (ability for name in names for ability in _abilities(tool, name))
    level = _LISTED.get(tool, Level.ASKED)
    return Access(tuple(Right(one, Level.ASKED if one in READING else level) for one in abilities))


def keys_of(tool: str, data: bytes) -> Mapping[str, Any]:
    """The keys of a file that was written for a tool."""
    text = data.decode()
    if tool == "codex":
        return tomllib.loads(text)
    return dict(yaml.load(text.split("\n---", 1)[0].removeprefix("---"), yaml.BaseLoader))  # noqa: S506 - texts alone


def _listed(value: Any) -> list[str]:
    """The names of a list, or of a text of names; what is in brackets behind a name limits it to some agents."""
    names = re.split(r",(?![^(]*\))", value) if isinstance(value, str) else value or ()
    return [str(name).partition("(")[0].strip() for name in names]


def _abilities(tool: str, name: str) -> tuple[str, ...]:
    table = {**_HARMLESS, **TABLES[tool]}
    if name in table:
        return table[name]
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return (server(name),) if any(sign in name for sign in "_/-*") else ()


def _of_rules(keys: Mapping[str, Any]) -> Access:
    return Access((*EVERYTHING.rights, *rules(keys.get("permission"))))


def _of_sandbox(keys: Mapping[str, Any]) -> Access:
    rights = [Right("*", Level.ASKED)]
    sandbox, policy = keys.get("sandbox_mode"), keys.get("approval_policy")
    confined = (CREATE, EDIT, NOTEBOOK, SHELL, FETCH)
    if sandbox == "read-only":
        level = Level.NEVER if policy == "never" else Level.ASKED
        rights += [Right(ability, level) for ability in confined]
    elif sandbox == "workspace-write":
        rights += [Right(ability, Level.ALWAYS) for ability in confined]
    if keys.get("web_search") == "disabled":
        rights.append(Right(SEARCH, Level.NEVER))
    return Access(tuple(rights))


def _of_switch(keys: Mapping[str, Any]) -> Access:
    """Cursor's only switch; a session's servers, agents and pages are an agent's in any case."""
    if str(keys.get("readonly", "")).lower() == "true":
        return Access(tuple(Right(ability, Level.SESSION) for ability in (*READING, *_OF_SESSION, f"{SERVER}*")))
    return Access((Right("*", Level.ASKED),))
