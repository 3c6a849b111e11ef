"""Names that authors use for tools, from any tool: a denial is intended, whether or not its own tool knows the name.

Nothing is granted by these names. Where one covers more in one tool than in another, all of it is taken as denied.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from agentsync.agents.grants import CHANGING, MCP
from agentsync.agents.key_effects import TAKING_MODES
from agentsync.agents.patterns import ANY, matches
from agentsync.core.naming import folded_key

_EDITS: Final = ("write", "edit", "notebook")
_TABLE: Final[dict[tuple[str, ...], str]] = {
    ("read",): "read readfile readfiles fileread view fsread notebookread readmanyfiles",
    ("write",): "write writefile filewrite create createfile savefile",
    _EDITS: "edit editfile editfiles fileedit multiedit patch applypatch applydiff replace replaceinfile editor "
    "strreplaceeditor strreplacebasededittool fswrite writetofile developertexteditor",
    ("notebook",): "notebook notebookedit editnotebook",
    ("bash",): "bash shell sh zsh powershell terminal console command commands cmd exec execute executebash "
    "executecommand executecmd run runcommand runcommands runshellcommand runinterminal runterminalcmd launchprocess "
    "gitbash subprocess developershell",
    ("grep",): "grep grepsearch searchfiles searchfilecontent searchcodebase textsearch",
    ("glob",): "glob findfiles filesearch",
    ("grep", "glob"): "search find codebase",
    ("list",): "ls list listdirectory listdir listfiles",
    ("webfetch",): "webfetch fetch fetchurl fetchwebcontent browser",
    ("websearch",): "websearch googlewebsearch",
    ("webfetch", "websearch"): "web internet network",
    ("task",): "task agent agents subagent subagents usesubagent runsubagent delegate newtask spawnagent",
    ("todo",): "todo todos todowrite todoread todolist writetodos",
    ("skill",): "skill skills useskill activateskill",
    ("question",): "question askuser askuserquestion askquestion askfollowupquestion",
    (f"{MCP}{ANY}",): "mcp mcps mcpserver mcpservers mcptools",
    (ANY,): "all any everything alltools",
}
_NAMES: Final = {name: tools for tools, names in _TABLE.items() for name in names.split()}
# The server's name ends at the first separator, or else at the only one that it cannot contain.
_SERVER_TOOL: Final = re.compile(
    r"(?i:mcp(?:__|[:/.]))(?P<server>(?>(?=[\w.*-]*+\Z)[\w.-]+?(?=__|\.|\Z)|[\w.-]++(?=[:/])))"
    r"(?:(?:__|[:/.])(?P<tool>[\w.*-]*))?"
)
_BETWEEN: Final = re.compile(r"[\s/|+&]+")
_WORD: Final = re.compile(r"[A-Za-z][\w.:-]*", re.ASCII)
_UNCLEAR: Final = (*sorted(CHANGING - {"external_directory"}), f"{MCP}{ANY}")

_EXCEPTION: Final = re.compile(
    r"(?:(?<!\S)\(?|\()(?:except|excepting|exclude|excluded|excluding|without|but|not|no|never|minus|deny|denied)"
    r"(?:\s*+:|\s|$)",
    re.IGNORECASE,
)
_SIGNS: Final = ("!", "^", "~")


def intended_mode(text: str) -> str | None:
    """The mode of Claude Code that restricts as this one does; None where that is not clear."""
    return TAKING_MODES.get(folded_key(text).removesuffix("mode"))


def known_as(name: str) -> tuple[str, ...]:
    """The canonical tools and patterns that a name means in some tool; empty where it means nothing in any."""
    bare = name.partition("(")[0].strip()
    if match := _SERVER_TOOL.fullmatch(bare):
        return (f"{MCP}{match['server']}/{match['tool'] or ANY}",)
    return _NAMES.get(folded_key(bare.partition(":")[0]), ())


def intended_by(name: str) -> tuple[str, ...]:
    """The canonical tools and patterns that a denial of this name may mean.

    A plain word may be a tool that only one product has. Anything else is a restriction that cannot be interpreted, so
    it takes away all tools that change something.
    """
    bare = name.partition("(")[0].strip()
    if known := known_as(bare):
        return known
    server, slash, tool = bare.partition("/")
    if slash and _WORD.fullmatch(server.removeprefix("@")) and not known_as(server):
        return (f"{MCP}{server.removeprefix('@')}/{tool or ANY}",)
    parts = [part for part in _BETWEEN.split(bare) if part]
    return tuple(dict.fromkeys(tool for part in parts or [bare] for tool in _each(part)))


def _each(word: str) -> Iterable[str]:
    if "*" in word or "?" in word:
        covered = [tools for name, tools in _NAMES.items() if matches(folded_key(word), name)]
        return [tool for tools in covered for tool in tools] or _UNCLEAR
    return known_as(word) or (() if _WORD.fullmatch(word) else _UNCLEAR)


def excepts_in_words(text: str) -> bool:
    """Whether an item of a list of tools excepts something in words, as `all except Bash`.

    No file in the corpus does, so it is not interpreted.
    """
    return _EXCEPTION.search(text) is not None


def excepted(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Split a list of granted tools from its exceptions, such as `!Bash`."""
    granted: list[str] = []
    denied: list[str] = []
    rest = iter(names)
    for name in rest:
        if name in _SIGNS or (name == "-" and granted[:1] == [ANY]):  # a dash may also begin each line of a list
            denied.append(next(rest, ""))
        elif len(name) > 1 and name[0] in (*_SIGNS, "-"):
            denied.append(name[1:])
        else:
            granted.append(name)
    return [name for name in granted if name], [name for name in denied if name]
