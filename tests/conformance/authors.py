"""What the author of an agent's file lets it do, read from the file by tables of their own.

Sources: the tools' documentation, and what they did when they were asked. The reading is deliberately plain: YAML, TOML
and JSON as their libraries read them, and for a file that is none of these the lines that begin with a key.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from agentsync.agents.model import Agent
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
    SHELL,
    Access,
    Level,
    Right,
    server,
)

_CHANGING = (CREATE, EDIT, NOTEBOOK, SHELL, FETCH, SEARCH, AGENTS, "server:*")
_FOUND = (GREP, FIND)

# Claude Code's, which other tools' authors write too; it knows them in this spelling alone.
_CLAUDE: dict[str, tuple[str, ...]] = {
    "Read": (READ,),
    "Write": (CREATE,),
    "Edit": (EDIT,),
    "NotebookEdit": (NOTEBOOK,),
    "Bash": (SHELL,),
    "PowerShell": (SHELL,),
    "Grep": (GREP,),
    "Glob": (FIND,),
    "WebFetch": (FETCH,),
    "WebSearch": (SEARCH,),
    "Task": (AGENTS,),
    "Agent": (AGENTS,),
}
_ANY_CASE = {name.lower(): abilities for name, abilities in _CLAUDE.items()}
# What the author of some names may mean beyond what the tool gives for them, so that it is neither wanted nor a gain:
# names that Claude Code no longer has.
_PERHAPS: dict[str, tuple[str, ...]] = {
    "ls": (LIST,),
    "multiedit": (EDIT,),
    "notebookread": (READ,),
}

_COPILOT: dict[str, tuple[str, ...]] = {
    **_ANY_CASE,
    "multiedit": (EDIT,),
    "notebookread": (READ,),
    **dict.fromkeys(("read", "view", "read/readfile", "readfile", "search/readfile"), (READ,)),
    **dict.fromkeys(("search",), _FOUND),
    **dict.fromkeys(("codebase", "search/codebase", "search/textsearch", "textsearch", "rg"), (GREP,)),
    **dict.fromkeys(("search/filesearch", "filesearch"), (FIND,)),
    **dict.fromkeys(("search/listdirectory",), (LIST,)),
    # Seen in the CLI: `apply_patch` for all of these with a GPT model, which adds and replaces files.
    **dict.fromkeys(("edit", "edit/editfiles", "editfiles", "apply_patch"), (CREATE, EDIT)),
    **dict.fromkeys(("create", "edit/createfile", "createfile"), (CREATE,)),
    **dict.fromkeys(("edit/editnotebook", "editnotebook"), (NOTEBOOK,)),
    **dict.fromkeys(("execute", "shell", "execute/runinterminal", "runinterminal", "runcommands"), (SHELL,)),
    **dict.fromkeys(("runcommands/runinterminal",), (SHELL,)),
    "web": (FETCH, SEARCH),
    **dict.fromkeys(("web_fetch", "fetch", "web/fetch"), (FETCH,)),
    "web_search": (SEARCH,),
    **dict.fromkeys(("agent", "custom-agent", "runsubagent", "agent/runsubagent"), (AGENTS,)),
}
_KIRO: dict[str, tuple[str, ...]] = {
    "grep": (GREP,),
    "glob": (FIND,),
    **dict.fromkeys(("read", "fs_read"), READING),
    **dict.fromkeys(("write", "fs_write"), (CREATE, EDIT, NOTEBOOK)),
    **dict.fromkeys(("shell", "execute_bash", "execute_cmd"), (SHELL,)),
    "web": (FETCH, SEARCH),
    "web_fetch": (FETCH,),
    "web_search": (SEARCH,),
    "subagent": (AGENTS,),
    "code": (GREP,),
}
_ROO: dict[str, tuple[str, ...]] = {
    "read": READING,
    "edit": (CREATE, EDIT, NOTEBOOK),
    "command": (SHELL,),
    "mcp": ("server:*",),
}
# A group that the tool still accepts, and that no longer has any tools.
_FORMER_GROUPS = {"browser": (FETCH,)}
_OPENCODE: dict[str, tuple[str, ...]] = {
    "read": (READ,),
    "list": (LIST,),
    "glob": (FIND,),
    "grep": (GREP,),
    "write": (CREATE,),
    "edit": (CREATE, EDIT),
    "patch": (CREATE, EDIT),
    "bash": (SHELL,),
    "webfetch": (FETCH,),
    "websearch": (SEARCH,),
    "task": (AGENTS,),
    "*": ("*",),
    # An agent's own notes, what it may ask or load, and guards.
    **dict.fromkeys("todowrite todoread question skill lsp external_directory doom_loop agent_manager".split(), ()),
    # Kilo Code's.
    "notebook_edit": (NOTEBOOK,),
    "notebook_execute": (NOTEBOOK,),
    "browser_open": (FETCH,),
}
# A boolean for each tool, where `write` and `edit` are two.
_SWITCHES = {**_OPENCODE, "edit": (EDIT,), "patch": (EDIT,)}
_NAMES = {"copilot": _COPILOT, "kiro": _KIRO, "kiro2": _KIRO}
_ACTIONS = {"allow": Level.ALWAYS, "ask": Level.ASKED, "deny": Level.NEVER}

_KEYS = ("name", "description", "tools", "disallowedTools", "model", "permissionMode", "color")
_NAME = re.compile(r"[^,\s(\[\]\"']+(?:\([^)]*\))?")


@dataclass(frozen=True, slots=True)
class Author:
    """An agent as its author has it.

    Attributes:
        access: the most that any tool may let it do.
        wanted: the abilities that the author names, without limits, under names that the tool has.
        model: the model as it is written; empty where the session's own is used.
    """

    access: Access
    wanted: frozenset[str]
    model: str


def author(dialect: str, data: bytes) -> Author:
    """What the author of a file of this dialect lets the agent do."""
    keys = _metadata(dialect, data)
    access, wanted = _access(dialect, keys)
    denied = list(_denied(keys.get("disallowedTools")))
    if dialect not in ("opencode", "kilo"):
        denied += _by_mode(keys)
    gone = {right.ability for right in denied if right.level is Level.NEVER}
    model = keys.get("model", keys.get("modelId"))
    model = model[0] if isinstance(model, list) and model else model
    named = str(model) if model not in (None, "", "inherit") else ""
    return Author(Access((*access.rights, *denied)), frozenset(wanted) - gone, named)


def _metadata(dialect: str, data: bytes) -> Mapping[str, Any]:
    """The keys of a file, as the library for its format reads them, or else as its lines have them."""
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n")
    if dialect == "codex":
        return tomllib.loads(text)
    if dialect == "kiro2":
        return dict(json.loads(text))
    if dialect == "roo":
        return dict(yaml.safe_load(text)["customModes"][0])
    head = re.search(r"^---[ \t]*\n(.*?)^---", text, re.DOTALL | re.MULTILINE)
    lines = head[1] if head else text
    try:
        keys = yaml.load(lines, yaml.BaseLoader)  # noqa: S506 - a loader of texts alone
    except yaml.YAMLError:
        return _by_line(lines)
    return keys if isinstance(keys, dict) else _by_line(lines)


def _by_line(text: str) -> Mapping[str, Any]:
    """The values behind the keys that some line begins with, or a flattened line has: up to the next key or the end."""
    ends = "|".join(_KEYS)
    found = re.finditer(rf"(?:^|\s)({ends}):[ \t]*(.*?)(?=\s(?:{ends}):|\n\w+:|\n---|\s---\s|\Z)", text, re.DOTALL)
    return {match[1]: " ".join(re.sub(r"(?m)^\s*-\s", ", ", match[2]).split()).strip("\"'") for match in found}


def _access(dialect: str, keys: Mapping[str, Any]) -> tuple[Access, Iterable[str]]:
    match dialect:
        case "codex":
            return _of_sandbox(keys)
        case "opencode" | "kilo":
            return _of_rules(keys)
        case "roo":
            return _of_groups(keys.get("groups"))
        case "cursor" if str(keys.get("readonly", "")).lower() == "true":
            return Access(tuple(Right(ability, Level.SESSION) for ability in READING)), READING
        case "cursor" if "tools" in keys:  # it has no list of tools, so that one is an intention at most
            return _of_list(dialect, keys["tools"])[0], ()
        case "kiro" | "kiro2" if "tools" not in keys:
            return Access(), ()
        case _:
            return _of_list(dialect, keys["tools"]) if "tools" in keys else (EVERYTHING, _ALL)


_ALL = (*READING, CREATE, EDIT, SHELL, FETCH, SEARCH, AGENTS)


def _of_list(dialect: str, value: Any) -> tuple[Access, Iterable[str]]:
    table = _NAMES.get(dialect, _ANY_CASE)
    rights: list[Right] = []
    wanted: set[str] = set()
    for name, argument in _names(value):
        if name == "*":
            return EVERYTHING, _ALL
        known = _CLAUDE.get(name, ()) if dialect == "claude" else table.get(name.lower(), ())
        abilities = (*known, *_PERHAPS.get(name.lower(), ())) or _servers(dialect, name)
        rights += [Right(ability, Level.SESSION, argument) for ability in abilities]
        wanted |= set(known) if argument == "*" else set()
    return Access(tuple(rights)), wanted


def _names(value: Any) -> Iterator[tuple[str, str]]:
    """Each name of a list, or of a text of names, with the argument behind it."""
    parts = value if isinstance(value, list) else _NAME.findall(value) if isinstance(value, str) else ()
    for part in map(str, parts):
        name, _, argument = part.strip().partition("(")
        limit = argument.removesuffix(")").replace(":*", " *").replace("domain:", "")
        yield name, limit if limit and name not in ("Agent", "Task") else "*"


def _servers(dialect: str, name: str) -> tuple[str, ...]:
    if name.startswith("mcp__"):
        inner = name.removeprefix("mcp__")
        whole = inner.removesuffix("__*")
        return (server(inner),) if "__" in whole else (f"{server(whole)}_*",)
    if dialect == "copilot":
        whole, _, tool = name.partition("/")
        return (f"{server(whole)}_{tool.lower()}" if tool and tool != "*" else f"{server(whole)}_*", server(name))
    if name.startswith("@"):
        whole, _, tool = name[1:].partition("/")
        return (server(f"{whole}_{tool}"),) if tool else (f"{server(whole)}_*",)
    return ()


def _denied(value: Any) -> Iterator[Right]:
    """A denial takes a whole tool away, even where it names arguments."""
    for name, _ in _names(value):
        abilities = _ANY_CASE.get(name.lower(), ()) or _servers("claude", name)
        yield from (Right(ability, Level.NEVER) for ability in abilities)


def _by_mode(keys: Mapping[str, Any]) -> Sequence[Right]:
    match keys.get("permissionMode"):
        case "dontAsk" | "plan":
            return [Right(ability, Level.NEVER) for ability in _CHANGING]
        case "acceptEdits":
            return [Right(ability, Level.ALWAYS) for ability in (CREATE, EDIT)]
        case _:
            return []


def _of_rules(keys: Mapping[str, Any]) -> tuple[Access, Iterable[str]]:
    rights = list(EVERYTHING.rights)
    switches = keys.get("tools")
    if isinstance(switches, dict):
        for name, on in switches.items():
            level = Level.ALWAYS if str(on).lower() == "true" else Level.NEVER
            rights += [Right(ability, level) for ability in _SWITCHES.get(name, (server(name),))]
    elif switches is not None:
        listed, _ = _of_list("claude", switches)
        rights = list(listed.rights)
    for key in ("permission", "permissions"):  # the second is a common mistake, and nothing in OpenCode
        rights += rules(keys.get(key))
    access = Access(tuple(rights))
    limited = {right.ability for right in rights if right.argument != "*"}
    return access, [ability for ability in _ALL if access.has(ability) and ability not in limited]


def rules(permission: Any) -> Iterator[Right]:
    """The rights in a `permission` of OpenCode's."""
    entries = {"*": permission} if isinstance(permission, str) else permission
    for name, value in entries.items() if isinstance(entries, dict) else ():
        for pattern, action in ({"*": value} if isinstance(value, str) else value).items():
            for ability in _OPENCODE.get(name, (server(name),)):
                yield Right(ability, _ACTIONS[action], pattern)


def _of_groups(groups: Any) -> tuple[Access, Iterable[str]]:
    rights = [Right(AGENTS, Level.SESSION)]  # every mode may call others
    wanted: set[str] = set()
    for group in groups if isinstance(groups, list) else ():
        name, limit = (group[0], "no-such-path") if isinstance(group, list) else (str(group), "*")
        rights += [Right(ability, Level.SESSION, limit) for ability in {**_FORMER_GROUPS, **_ROO}.get(name, ())]
        wanted |= set(_ROO.get(name, ())) if limit == "*" else set()
    return Access(tuple(rights)), wanted


def _of_sandbox(keys: Mapping[str, Any]) -> tuple[Access, Iterable[str]]:
    """Codex lets an agent do everything, within a sandbox that other tools do not have."""
    rights = list(EVERYTHING.rights)
    sandbox, policy = keys.get("sandbox_mode"), keys.get("approval_policy")
    if sandbox in ("read-only", "workspace-write"):
        can_ask = policy not in (None, "never") or sandbox == "workspace-write"
        level = Level.ASKED if can_ask and policy != "never" else Level.NEVER
        rights += [Right(ability, level) for ability in (CREATE, EDIT, NOTEBOOK, SHELL, FETCH)]
    if sandbox == "workspace-write":
        rights += [Right(ability, Level.ALWAYS) for ability in (CREATE, EDIT)]
    if keys.get("web_search") == "disabled":
        rights.append(Right(SEARCH, Level.NEVER))
    access = Access(tuple(rights))
    return access, [ability for ability in _ALL if access.has(ability)]


_CANONICAL: dict[str, tuple[str, ...]] = {
    "*": ("*",),
    "read": (READ,),
    "list": (LIST,),
    "glob": (FIND,),
    "grep": (GREP,),
    "write": (CREATE,),
    "edit": (EDIT,),
    "notebook": (NOTEBOOK,),
    "bash": (SHELL,),
    "webfetch": (FETCH,),
    "websearch": (SEARCH,),
    "task": (AGENTS,),
}


# The dialects that can ask before a call; in a file of another one the user's own settings decide, with a warning.
_ASKING = ("neutral", "opencode", "kilo", "kiro")


def generated_access(agent: Agent, dialect: str) -> Access:
    """What a generated agent may do in a file of a dialect; a pattern in some tool's own syntax matches no call."""
    least = Level.ASKED if dialect in _ASKING else Level.SESSION
    rights = (
        Right(
            ability,
            Level(max(rule.approval, least) if rule.approval else rule.approval),
            "no-such-call" if rule.argument.startswith("untranslated:") else rule.argument,
        )
        for rule in agent.grants.rules
        for ability in _CANONICAL.get(rule.tool, (server(rule.tool[4:]),) if rule.tool.startswith("mcp/") else ())
    )
    return Access(tuple(rights))
