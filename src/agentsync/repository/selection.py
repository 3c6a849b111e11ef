"""Selection of the files of a repository to read, and of their dialects as far as paths determine them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from typing import NamedTuple

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.globs import path_matches
from agentsync.core.limits import MAX_FILES
from agentsync.core.naming import hidden_character, is_windows_device
from agentsync.dialects import Dialect, Kind, dialects, in_documentation, other_directories
from agentsync.formats.document import MAX_FILE_BYTES
from agentsync.git.objects import SUBMODULE, Entry
from agentsync.repository.not_synced import count_not_synced
from agentsync.repository.places import (
    dialect_of_path,
    has_directory_of_its_own,
    is_in_tool_directory,
    is_notes,
    is_where_agents_are,
    settings_dialect,
    stem_of,
)

# Files beside agents that are not agents, and directories of other things that are Markdown too.
_OTHER_STEMS = frozenset(
    "readme changelog contributing license licence code_of_conduct security support skill index todo notes".split()
)
_OTHER_DIRECTORIES = frozenset({"commands", "command", "skills", "skill", "prompts", "rules", "hooks"})
# Directories of other projects' files, and of files that tests read.
_RESERVED = frozenset('<>:"\\|?*')
_FOREIGN_DIRECTORIES = frozenset({"node_modules", "fixtures", "__fixtures__", "testdata"})

_ANY_AGENT = "agent.md"

# The longest name that file systems accept, and the longest path that operating systems accept.
_MAX_NAME_BYTES, _MAX_PATH_BYTES = 255, 4_096
# Git's own directory and its short name on Windows, also with the joiners in it that macOS does not see.
_GIT = re.compile(r"\.git|git~[0-9]+", re.IGNORECASE)
_JOINERS = {0x200C: None, 0x200D: None}


@dataclass(frozen=True, slots=True)
class Selection:
    """Selection of the files of a source that are read.

    Attributes:
        subfolder: only files below it are read, and patterns are relative to it.
        include, exclude: globs, `**` over directories; without include, every file that may be an agent.
        dialects: glob to dialect, the first match wins; a single `**` sets it for the whole source.
        versions: the dialects whose version of an agent other tools get, the first one that is there.
    """

    subfolder: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dialects: tuple[tuple[str, str], ...] = ()
    versions: tuple[str, ...] = ()

    def dialect_of(self, path: str) -> str | None:
        file, _ = split_path(path)
        below = _below(file, self.subfolder) or file
        return next((dialect for pattern, dialect in self.dialects if path_matches(pattern, below)), None)


@dataclass(frozen=True, slots=True)
class Selected:
    """What was selected of a source.

    Attributes:
        entries: the files to read.
        diagnostics: one for each file that is unsafe to read, and those on the source as a whole.
        unread: the paths of files that may be agents and are not read, since there are too many.
        not_synced: the number of things of each kind that tools read and that are not synced.
    """

    entries: list[Entry]
    diagnostics: list[Diagnostic] = field(default_factory=list)
    unread: frozenset[str] = frozenset()
    not_synced: Mapping[Kind, int] = field(default_factory=dict)


def select(entries: Sequence[Entry], selection: Selection) -> Selected:
    """Select the files to read.

    Symbolic links, submodules and paths with a special meaning to a file system are never read; the name of
    a submodule shows nothing of its files, so it is reported wherever an agent may be. Where there are too many files,
    only those are read that are where agents are expected.
    """
    chosen: list[Entry] = []
    diagnostics: list[Diagnostic] = []
    others: list[str] = []
    for entry in entries:
        if entry.mode == SUBMODULE:
            diagnostics += _submodule(entry, selection)
            continue
        path = _below(entry.path, selection.subfolder)
        if path is None or any(path_matches(pattern, path) for pattern in selection.exclude):
            continue
        if not _wanted(entry.path, path, selection):
            if not _is_foreign(path):
                others.append(path)
        elif problem := _problem(entry):
            diagnostics.append(_unless_a_page(problem, selection))
        elif entry.mode.startswith("100"):
            chosen.append(entry)
    not_synced = count_not_synced(others, [entry.path for entry in chosen])
    chosen, unread = _limited(chosen, selection)
    if len(chosen) > MAX_FILES:
        message = f"{len(chosen)} files are too many for one source (at most {MAX_FILES})"
        return Selected([], [*diagnostics, Diagnostic(Code.TOO_LARGE, message)], not_synced=not_synced)
    if unread:
        message = f"{len(unread)} files outside of directories of agents are not read, since they are too many"
        diagnostics.append(Diagnostic(Code.NOT_SEARCHED, message))
    twins = _twins(chosen)
    refused = {diagnostic.path for diagnostic in twins}
    diagnostics += [_unless_a_page(twin, selection) for twin in twins]
    read = [entry for entry in chosen if entry.path not in refused]
    return Selected(read, diagnostics, frozenset(unread), not_synced)


def without_large(entries: Sequence[Entry], selection: Selection) -> tuple[list[Entry], list[Diagnostic]]:
    """Leave out files that are too large to read and were selected before their sizes were known."""
    large = [entry for entry in entries if entry.size > MAX_FILE_BYTES]
    diagnostics = [_unless_a_page(_too_large(entry), selection) for entry in large]
    return [entry for entry in entries if entry.size <= MAX_FILE_BYTES], diagnostics


def _unless_a_page(diagnostic: Diagnostic, selection: Selection) -> Diagnostic:
    """Return the diagnostic on a file that cannot be read; no error for a page of documentation, which is no agent."""
    path = diagnostic.path
    if selection.include or not in_documentation(path) or is_where_agents_are(path):
        return diagnostic
    return replace(diagnostic, code=Code.NOT_AN_AGENT)


def _limited(chosen: list[Entry], selection: Selection) -> tuple[list[Entry], list[str]]:
    """Leave out the files that are not where agents are expected, where there are too many and no pattern names them.

    Unless nothing else is there: then the user has to name the agents among them.
    """
    if len(chosen) <= MAX_FILES or selection.include:
        return chosen, []
    expected = [entry for entry in chosen if is_where_agents_are(entry.path)]
    if not expected:
        return chosen, []
    paths = {entry.path for entry in expected}
    return expected, [entry.path for entry in chosen if entry.path not in paths]


def dialect_of(path: str, selection: Selection) -> Dialect | None:
    """Return the dialect that the selection or the path determines; None where neither does."""
    return dialects().get(selection.dialect_of(path) or dialect_of_path(path))


def _below(path: str, subfolder: str) -> str | None:
    prefix = subfolder.strip("/")
    if not prefix:
        return path
    return path.removeprefix(f"{prefix}/") if path.startswith(f"{prefix}/") else None


def _wanted(path: str, below: str, selection: Selection) -> bool:
    """Whether a file is to be read; `below` is its path below the selection's subfolder."""
    settings = settings_dialect(path)
    if settings and selection.dialect_of(path) not in (None, settings.name):
        return False  # every file is declared as another tool's, and this one can only be this tool's
    if selection.include:
        return any(path_matches(pattern, below) for pattern in selection.include)
    if _is_foreign(below) or _is_in_other_directory(path, below):
        return False
    if has_directory_of_its_own(path):
        return True
    signs = _signs()
    if is_notes(path) or stem_of(path).lower() in signs.other_stems:
        return False
    if dialect_of_path(path):
        return True
    if not path.endswith(signs.anywhere) or path.endswith(signs.other_suffixes):
        return False
    return signs.other_directories.isdisjoint(below.split("/")[:-1])


def _is_foreign(path: str) -> bool:
    return not _FOREIGN_DIRECTORIES.isdisjoint(path.lower().split("/")[:-1])


def _is_in_other_directory(path: str, below: str) -> bool:
    """Whether a file belongs to a directory of skills, commands and the like, whatever follows that directory.

    It does not where all of that is in a tool's own directory for agents.
    """
    *above, name = path.split("/")
    start = len(above) - below.count("/")
    first = next((index for index in range(start, len(above)) if above[index].lower() in _OTHER_DIRECTORIES), None)
    return first is not None and not is_in_tool_directory("/".join((*above[:first], name)))


class _Signs(NamedTuple):
    """What all dialects declare about files outside of their tools' directories; see `Recognition`."""

    anywhere: tuple[str, ...]
    other_stems: frozenset[str]
    other_suffixes: tuple[str, ...]
    other_directories: frozenset[str]


@cache
def _signs() -> _Signs:
    all_of_them = [dialect.recognition for dialect in dialects().values()]
    return _Signs(
        anywhere=tuple({suffix for each in all_of_them for suffix in each.anywhere}),
        other_stems=_OTHER_STEMS.union(*(each.other_stems for each in all_of_them)),
        other_suffixes=tuple({suffix for each in all_of_them for suffix in each.other_suffixes}),
        other_directories=other_directories(),
    )


def may_contain_agents(directory: str, selection: Selection) -> bool:
    """Whether an agent would be read from a directory, or the directory contains the whole subfolder."""
    if _below(f"{selection.subfolder.strip('/')}/", directory) is not None:
        return True
    path = _below(directory, selection.subfolder)
    below = f"{path}/{_ANY_AGENT}"
    if path is None or any(path_matches(pattern, below) for pattern in selection.exclude):
        return False
    return _wanted(f"{directory}/{_ANY_AGENT}", below, selection)


def _submodule(entry: Entry, selection: Selection) -> list[Diagnostic]:
    """Report a submodule that an agent would be read from if it were a directory."""
    if not may_contain_agents(entry.path, selection):
        return []
    shown = _escaped(entry.path[:_MAX_PATH_BYTES])
    return [Diagnostic(Code.SUBMODULE, "the files of a submodule are not read", path=shown)]


def _problem(entry: Entry) -> Diagnostic | None:
    shown = _escaped(entry.path[:_MAX_PATH_BYTES])
    if entry.mode == "120000":
        return Diagnostic(Code.SYMLINK, "a symbolic link is never followed", path=shown)
    if _unsafe_path(entry.path):
        return Diagnostic(Code.PATH_UNSAFE, "this path means something else on some file systems", path=shown)
    if entry.size > MAX_FILE_BYTES:
        return _too_large(entry)
    return None


def _too_large(entry: Entry) -> Diagnostic:
    shown = _escaped(entry.path[:_MAX_PATH_BYTES])
    return Diagnostic(Code.TOO_LARGE, f"{entry.size} bytes are over {MAX_FILE_BYTES}", path=shown)


def _unsafe_path(path: str) -> bool:
    if path.startswith("/") or len(path.encode(errors="surrogateescape")) > _MAX_PATH_BYTES:
        return True
    is_plain = path.isascii() and path.isprintable()
    if not is_plain and (hidden_character(path) >= 0 or any(unicodedata.category(one) in ("Cc", "Cs") for one in path)):
        return True
    return any(map(_unsafe_part, path.split("/")))


@lru_cache(maxsize=4096)  # since nearly all parts of paths are names of directories with many files
def _unsafe_part(part: str) -> bool:
    return (
        part in ("", ".", "..")
        or len(part.encode()) > _MAX_NAME_BYTES
        or _GIT.fullmatch(part.translate(_JOINERS)) is not None
        or is_windows_device(part)
        or part[-1] in ". "
        or not _RESERVED.isdisjoint(part)
    )


def _twins(entries: Sequence[Entry]) -> list[Diagnostic]:
    """Report each path that equals another one on a file system that folds case or Unicode form."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for entry in entries:
        groups[_folded(entry.path)].append(entry.path)
    return [
        Diagnostic(Code.PATH_UNSAFE, f"differs from `{other}` by case or Unicode form only", path=path)
        for paths in groups.values()
        if len(paths) > 1
        for path, other in zip(paths, [*paths[1:], paths[0]], strict=True)
    ]


def _folded(path: str) -> str:
    """Fold a path as file systems do that fold case or Unicode form; folding case may undo the form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _escaped(path: str) -> str:
    return path if path.isprintable() else ascii(path)[1:-1]
