"""Selection of the files of a repository to read, and of their dialects as far as paths determine them."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePosixPath
from typing import NamedTuple

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.globs import path_matches
from agentsync.core.limits import MAX_FILES
from agentsync.core.naming import hidden_character, is_windows_device
from agentsync.dialects import Dialect, dialects, other_directories
from agentsync.formats.document import MAX_FILE_BYTES
from agentsync.git.objects import Entry

# Files beside agents that are not agents, and directories of other things that are Markdown too.
_OTHER_STEMS = frozenset(
    "readme changelog contributing license licence code_of_conduct security support agents skill index todo "
    "notes".split()
)
_OTHER_DIRECTORIES = frozenset({"commands", "command", "skills", "skill", "prompts", "rules", "hooks"})
_AGENT_DIRECTORIES = frozenset({"agents", "agent"})

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


def select(entries: Sequence[Entry], selection: Selection) -> tuple[list[Entry], list[Diagnostic]]:
    """Select the files to read, with a diagnostic for each that is unsafe to read.

    Symbolic links, submodules and paths with a special meaning to a file system are never read.
    """
    chosen: list[Entry] = []
    diagnostics: list[Diagnostic] = []
    for entry in entries:
        path = _below(entry.path, selection.subfolder)
        if path is None or not _wanted(path, selection):
            continue
        if problem := _problem(entry):
            diagnostics.append(problem)
        elif entry.mode.startswith("100"):
            chosen.append(entry)
    if len(chosen) > MAX_FILES:
        message = f"{len(chosen)} files are too many for one source (at most {MAX_FILES})"
        return [], [*diagnostics, Diagnostic(Code.TOO_LARGE, message)]
    twins = _twins(chosen)
    refused = {diagnostic.path for diagnostic in twins}
    return [entry for entry in chosen if entry.path not in refused], [*diagnostics, *twins]


def dialect_of(path: str, selection: Selection) -> Dialect | None:
    """Return the dialect that the selection or the path determines; None where neither does."""
    return dialects().get(selection.dialect_of(path) or dialect_of_path(path))


def _below(path: str, subfolder: str) -> str | None:
    prefix = subfolder.strip("/")
    if not prefix:
        return path
    return path.removeprefix(f"{prefix}/") if path.startswith(f"{prefix}/") else None


def _wanted(path: str, selection: Selection) -> bool:
    if any(path_matches(pattern, path) for pattern in selection.exclude):
        return False
    if selection.include:
        return any(path_matches(pattern, path) for pattern in selection.include)
    pure = PurePosixPath(path)
    directories = [part.lower() for part in pure.parent.parts]
    signs = _signs()
    if pure.stem.lower() in signs.other_stems or "node_modules" in directories:
        return False
    if dialect_of_path(path):
        return True
    if not path.endswith(signs.anywhere) or path.endswith(signs.other_suffixes):
        return False
    if not signs.other_directories.isdisjoint(pure.parent.parts):
        return False
    # The nearest of the two kinds of directory decides: `skills/review/agents/x.md` is an agent's place.
    kinds = [part for part in directories if part in _OTHER_DIRECTORIES | _AGENT_DIRECTORIES]
    return not (kinds and kinds[-1] in _OTHER_DIRECTORIES)


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


def _problem(entry: Entry) -> Diagnostic | None:
    shown = _escaped(entry.path[:_MAX_PATH_BYTES])
    if entry.mode == "120000":
        return Diagnostic(Code.SYMLINK, "a symbolic link is never followed", path=shown)
    if _unsafe_path(entry.path):
        return Diagnostic(Code.PATH_UNSAFE, "this path means something else on some file systems", path=shown)
    if entry.size > MAX_FILE_BYTES:
        return Diagnostic(Code.TOO_LARGE, f"{entry.size} bytes are over {MAX_FILE_BYTES}", path=shown)
    return None


def _unsafe_path(path: str) -> bool:
    if path.startswith("/") or len(path.encode(errors="surrogateescape")) > _MAX_PATH_BYTES:
        return True
    if hidden_character(path) >= 0 or any(unicodedata.category(character) in ("Cc", "Cs") for character in path):
        return True
    return any(
        part in ("", ".", "..")
        or len(part.encode()) > _MAX_NAME_BYTES
        or _GIT.fullmatch(part.translate(_JOINERS))
        or is_windows_device(part)
        or part[-1] in ". "
        or any(character in '<>:"\\|?*' for character in part)
        for part in path.split("/")
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


def dialect_of_path(path: str) -> str:
    """Return the dialect whose own directory contains the file; empty where the path does not determine one.

    Of several, the one whose directory comes last in the path wins, then the longest ending. An ending that the dialect
    declares as decisive identifies its tool in any directory, and so does a tool's multi-agent file.
    """
    path, _ = split_path(path)
    candidates: list[tuple[int, int, str]] = []
    for dialect in dialects().values():
        if dialect.shared and f"/{path}".endswith(dialect.shared.locations):
            return dialect.name
        place = max((f"/{path}".rfind(f"/{directory}/") for directory in dialect.places), default=-1)
        candidates += [
            (place, len(suffix), dialect.name)
            for suffix in dialect.suffixes
            if path.endswith(suffix) and (place >= 0 or suffix in dialect.recognition.decisive)
        ]
    return max(candidates, default=(0, 0, ""))[2]
