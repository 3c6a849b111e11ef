"""What an agent depends on and does not bring: files of its repository, skills, MCP servers and commands.

None of these is synced, so an agent may miss them where it is installed. What an agent names is found in its own file;
whether that is there, and no agent itself, shows in the source's tree.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import PurePosixPath
from posixpath import normpath

from pydantic import JsonValue

from agentsync.agents.grants import MCP, UNTRANSLATED, Approval, Grants
from agentsync.agents.model import Agent
from agentsync.agents.patterns import ANY
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.formats.document import Document

# Files of a plugin. Only Claude Code replaces the variable, and only in what a plugin itself brings.
_IN_PLUGIN = re.compile(r"\$(?:\{CLAUDE_PLUGIN_ROOT(?::-[^{}\n]*)?\}|CLAUDE_PLUGIN_ROOT)(/[\w./-]*\w)")
# Imports of a user's own files, and of files beside the agent.
_IMPORT = re.compile(r"(?:^|(?<=[\s(`]))@((?:~/|\.{0,2}/)?[\w.-]+(?:/[\w.-]+)*\.\w{1,8})(?![\w/])", re.MULTILINE)
_LINK = re.compile(r"\]\(<?([\w./-]+\.\w{1,8})(?:#[^)\]\s]*)?>?\)")
_PATH = re.compile(r"(?<![\w@/.:~$}-])([\w.-]+(?:/[\w.-]+)+)")
_COMMAND = re.compile(r"(?:^|(?<=[\s(`\"']))/([a-z][a-z0-9:_-]*)(?![\w/.])", re.MULTILINE)
_FILE_URL = re.compile(r"file://([^\s*]+)")

_COMMANDS = frozenset({"commands", "command"})
_MOST_NAMES = 500
_MOST_LEVELS = 16
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Needs:
    """What the file of an agent names, as found in it.

    Attributes:
        files: paths that cannot come with the agent, wherever they are: in a plugin, or in the user's home.
        paths: what may be a file of the repository.
        skills, servers: names of skills and of MCP servers that the agent does not bring.
        commands: what may be a command of the repository, without the slash.
        agents: names of agents in rules for calling others, and patterns of them.
    """

    files: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()


NO_NEEDS = Needs()


def needs_of(agent: Agent, document: Document) -> Needs:
    """Find what an agent names in its instructions and its keys."""
    values = [*_texts(document.metadata)]
    prompt = agent.prompt
    imports = _matches(_IMPORT, prompt, "@")
    files = [found for text in (prompt, *values) for found in _matches(_IN_PLUGIN, text, "CLAUDE_PLUGIN_ROOT", group=0)]
    paths = [
        *(path for path in imports if not path.startswith("~")),
        *_matches(_LINK, prompt, "]("),
        *_matches(_PATH, prompt, "/"),
        *(found for text in values for found in _matches(_FILE_URL, text, "file://")),
    ]
    return Needs(
        files=_distinct([*files, *(f"@{path}" for path in imports if path.startswith("~"))]),
        paths=_distinct(paths),
        skills=_distinct(agent.skills),
        servers=_distinct(_servers(agent)),
        commands=_distinct(_matches(_COMMAND, prompt, "/")),
        agents=_distinct(_called(agent.grants)),
    )


def _matches(pattern: re.Pattern[str], text: str, part: str, *, group: int = 1) -> list[str]:
    """Return a group of each match of a pattern, all of which have this part and are within one line.

    Few lines have it, and to look for it costs a tenth of trying the pattern everywhere.
    """
    if part not in text:
        return []
    return [match[group] for line in text.split("\n") if part in line for match in pattern.finditer(line)]


def _called(grants: Grants) -> Iterator[str]:
    """Yield the names and patterns of agents for which there are rules of their own."""
    for rule in grants.rules:
        if rule.tool == "task" and rule.argument != ANY and not rule.argument.startswith(UNTRANSLATED):
            yield rule.argument


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(islice(dict.fromkeys(names), _MOST_NAMES))


def _texts(value: JsonValue | Mapping[str, JsonValue]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _servers(agent: Agent) -> Iterator[str]:
    """Yield the MCP servers that an agent names or may use tools of, without those that its own file defines."""
    listed = agent.mcp_servers if isinstance(agent.mcp_servers, list) else []
    defined = {*agent.mcp_servers} if isinstance(agent.mcp_servers, dict) else set()
    defined |= {name for item in listed if isinstance(item, dict) for name in item}
    granted = (
        rule.tool.removeprefix(MCP).partition("/")[0]
        for rule in agent.grants.rules
        if rule.tool.startswith(MCP) and "/" in rule.tool.removeprefix(MCP) and rule.approval is not Approval.DENY
    )
    for name in (*(item for item in listed if isinstance(item, str)), *granted):
        if name not in defined and not set(name) & set("*?"):
            yield name


class Tree:
    """The files of a source, and what they are for the agents in it.

    Args:
        paths: of all files.
        agents: the paths of those that are agents, which are synced.
    """

    def __init__(self, paths: Collection[str], agents: Collection[str]) -> None:
        self._others = frozenset(paths) - frozenset(agents)
        self._names = frozenset(path.rpartition("/")[2] for path in self._others)
        self._commands: defaultdict[str, set[str]] = defaultdict(set)
        for path in paths:
            for name, above in _command_names(path):
                self._commands[name].add(above)

    def files(self, path: str, needs: Needs) -> tuple[str, ...]:
        """The files that the agent at `path` names, as they are called from the root; without agents."""
        resolved = (self._resolved(path, named) for named in needs.paths)
        return tuple(dict.fromkeys(filter(None, resolved)))

    def commands(self, path: str, needs: Needs) -> tuple[str, ...]:
        """The commands of the repository that the agent at `path` names.

        One word such as `/docs` is as likely a path, so it counts only where the command belongs to the same plugin.
        """
        return tuple(
            name
            for name in needs.commands
            if name in self._commands and (set("-:") & set(name) or path.startswith(tuple(self._commands[name])))
        )

    def _resolved(self, path: str, named: str) -> str:
        """The intended file: relative to the agent's directory, to one above it, or to the root; else empty."""
        if _is_of_any_project(named, path):
            return ""
        name = named.rpartition("/")[2]
        if name not in self._names and name not in ("", ".", ".."):
            return ""  # nearly every path that instructions name
        for above in [*PurePosixPath(path).parents][-_MOST_LEVELS:]:
            candidate = normpath(f"{above}/{named.lstrip('/')}")
            if candidate in self._others:
                return candidate
        return ""


def _is_of_any_project(named: str, agent: str) -> bool:
    """Whether a path is one that projects have, such as `.vscode/mcp.json`: an agent means that of its user's project.

    An agent in such a directory means the one beside it.
    """
    first = named.partition("/")[0]
    return first.startswith(".") and first not in (".", "..") and first not in agent.split("/")


def _command_names(path: str) -> Iterator[tuple[str, str]]:
    """Yield what a command is called, also with its directory, and what the paths of its plugin begin with."""
    *above, file = path.split("/")
    place = next((index for index, part in enumerate(above) if part in _COMMANDS), None)
    if place is None or not file.endswith((".md", ".toml")):
        return
    stem, plugin = file.rpartition(".")[0], "".join(f"{part}/" for part in above[:place])
    yield stem, plugin
    if above[-1] not in _COMMANDS:
        yield f"{above[-1]}:{stem}", plugin


def missing(path: str, needs: Needs, tree: Tree) -> Diagnostic | None:
    """Return the one diagnostic on all that an agent needs and does not bring; None where there is nothing.

    It is a warning where the instructions name files, since these are missing everywhere.
    """
    files = (*needs.files, *tree.files(path, needs))
    kinds = {
        "file": files,
        "skill": needs.skills,
        "MCP server": needs.servers,
        "command": tuple(f"/{name}" for name in tree.commands(path, needs)),
    }
    listed = [_listed(kind, names) for kind, names in kinds.items() if names]
    if not listed:
        return None
    code = Code.FILES_NEEDED if files else Code.OTHERS_NEEDED
    return Diagnostic(code, f"does not bring what it names: {'; '.join(listed)}", path=path)


def _listed(kind: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:_SHOWN])
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{kind}{'s' if len(names) > 1 else ''} {shown}{more}"
