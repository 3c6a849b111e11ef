"""What follows from the path of a file: the tool that it belongs to, and whether it is where agents are."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import PurePosixPath

from agentsync.core.entry_paths import split_path
from agentsync.dialects import Dialect, dialects, in_agent_directory

# Files that are called the same in the directory of each agent, after which the agent is named; the second is used for
# notes to all agents as well.
_FOR_EACH_AGENT, _NOTES = "agent", "agents"


@lru_cache(maxsize=4096)  # since each of several checks asks for the same file
def dialect_of_path(path: str) -> str:
    """Return the dialect whose own directory contains the file; empty where the path does not determine one.

    Of several, the one whose directory comes last in the path wins, then the longest ending. An ending that the dialect
    declares as decisive identifies its tool in any directory, and so do the files in which a tool keeps several agents.
    """
    file, _ = split_path(path)
    if dialect := _tool_of_several(file):
        return dialect.name
    return _place(file)[2]


def shared_place(path: str) -> str:
    """Return the dialect whose own directory contains the file and other tools' agents as well; empty elsewhere."""
    name = dialect_of_path(path)
    shared = dialects()[name].recognition.shared_directories if name else ()
    return name if any(f"/{directory}/" in f"/{path}" for directory in shared) else ""


def settings_dialect(path: str) -> Dialect | None:
    """Return the dialect whose settings the file holds, which may define agents too."""
    dialect = _tool_of_several(split_path(path)[0])
    return dialect if dialect and dialect.settings else None


def is_in_tool_directory(path: str) -> bool:
    """Whether a file is in a tool's own directory for agents, or is the file in which it keeps all of them."""
    file, _ = split_path(path)
    dialect = _tool_of_several(file)
    return _place(file)[0] >= 0 if dialect is None else dialect.shared is not None


def is_where_agents_are(path: str) -> bool:
    """Whether a file is where agents are expected: a tool's files and directories, and directories called `agents`."""
    return bool(dialect_of_path(path)) or in_agent_directory(path)


def is_beside_agents(path: str) -> bool:
    """Whether a file in a tool's own directory may be something else, such as a page that its agents refer to.

    That is so below another directory, and for notes.
    """
    pure = PurePosixPath(split_path(path)[0])
    direct = any(f"/{pure.parent}".endswith(f"/{place}") for place in dialects()[dialect_of_path(path)].places)
    return not direct or pure.stem.startswith("_")


def stem_of_directory(path: str) -> str:
    """Return what an agent is called after that has a directory of its own; empty for any other file."""
    if stem_of(path).lower() != _FOR_EACH_AGENT and not is_notes(path):
        return ""
    above = PurePosixPath(path).parent
    return above.name if in_agent_directory(f"{above}") else ""


def is_notes(path: str) -> bool:
    """Whether a file is called as notes for all agents are, which is an agent only where its content shows that."""
    return stem_of(path).lower() == _NOTES


def stem_of(path: str) -> str:
    """Return the name of a file without its last ending."""
    name = path.rpartition("/")[2]
    dot = name.rfind(".")
    return name[:dot] if 0 < dot < len(name) - 1 else name


def has_directory_of_its_own(path: str) -> bool:
    """Whether a file is `agents/NAME/AGENT.md` or `agents/NAME/AGENTS.md`, in whatever directory `agents` is."""
    if not (path.endswith(".md") and stem_of_directory(path)):
        return False
    return in_agent_directory(f"{PurePosixPath(path).parent.parent.name}/x")


@cache
def _several() -> tuple[tuple[tuple[str, ...], Dialect], ...]:
    """Return the endings of the paths of files with several agents, by dialect."""
    return tuple(
        (several.locations, dialect)
        for dialect in dialects().values()
        for several in (dialect.shared, dialect.settings)
        if several
    )


@cache
def _endings_of_several() -> tuple[str, ...]:
    return tuple(ending for endings, _ in _several() for ending in endings)


def _tool_of_several(path: str) -> Dialect | None:
    if not f"/{path}".endswith(_endings_of_several()):
        return None  # nearly every file
    return next((dialect for endings, dialect in _several() if f"/{path}".endswith(endings)), None)


@cache
def _signs() -> tuple[tuple[str, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...]:
    """Return of each dialect its name, its directories, its endings, and those that decide."""
    return tuple(
        (
            dialect.name,
            tuple(f"/{directory}/" for directory in dialect.places),
            dialect.suffixes,
            dialect.recognition.decisive,
        )
        for dialect in dialects().values()
    )


@cache
def _any_sign() -> tuple[re.Pattern[str], tuple[str, ...]]:
    """Return a pattern for the directories of all tools, and all endings that decide."""
    directories = {directory for _, directories, _, _ in _signs() for directory in directories}
    decisive = {ending for *_, endings in _signs() for ending in endings}
    return re.compile("|".join(map(re.escape, sorted(directories)))), tuple(decisive)


def _place(path: str) -> tuple[int, int, str]:
    """Return where a tool's directory begins in the path (-1: nowhere), the ending's length, and the dialect."""
    rooted = f"/{path}"
    directory, decisive_endings = _any_sign()
    if not (directory.search(rooted) or path.endswith(decisive_endings)):
        return -1, 0, ""  # nearly every file of a large repository
    candidates: list[tuple[int, int, str]] = []
    for name, directories, suffixes, decisive in _signs():
        place = max(map(rooted.rfind, directories), default=-1)
        candidates += [
            (place, len(suffix), name)
            for suffix in suffixes
            if path.endswith(suffix) and (place >= 0 or suffix in decisive)
        ]
    return max(candidates, default=(-1, 0, ""))
