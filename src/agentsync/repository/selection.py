"""Which files of a repository are read, and in which dialect as far as their paths say."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.globs import path_matches
from agentsync.core.limits import MAX_FILES
from agentsync.core.naming import hidden_character, is_windows_device
from agentsync.dialects import Dialect, dialects
from agentsync.formats.document import MAX_FILE_BYTES
from agentsync.git.objects import Entry

# What an agent's file ends in wherever it lies; what other endings mean is known only within a tool's directory.
_SUFFIXES = (".md", ".toml")

# Files that lie beside agents and are none, and the directories of other things that are Markdown too.
_OTHER_STEMS = frozenset(
    "readme changelog contributing license licence code_of_conduct security support claude agents gemini skill "
    "index todo notes".split()
)
_OTHER_DIRECTORIES = frozenset({"commands", "command", "skills", "skill", "prompts", "rules", "hooks"})
_AGENT_DIRECTORIES = frozenset({"agents", "agent"})
# A tool's other files, and tools whose dialect is not read: as another tool's agents they would mean something else.
_OTHER_FILES = re.compile(
    r"(^|/)\.(github|gemini|cursor|kiro|kilo|kilocode|qwen|factory|cline|junie|roo|augment|vibe|goose|rovodev|copilot"
    r"|continue|pi|devin|kimi-code|grok|deepagents)/|\.(chatmode|prompt|instructions)\.md$"
)

# What file systems take of a name, and systems of a path.
_MAX_NAME_BYTES, _MAX_PATH_BYTES = 255, 4_096
# Git's own directory and its short name on Windows, also with the joiners in it that macOS does not see.
_GIT = re.compile(r"\.git|git~[0-9]+", re.IGNORECASE)
_JOINERS = {0x200C: None, 0x200D: None}


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of a source are read.

    Attributes:
        subfolder: only what is below it counts, and patterns are relative to it.
        include, exclude: globs, `**` over directories; without include, every file that may be an agent.
        dialects: glob to dialect, first match counts; a single `**` sets it for the whole source.
    """

    subfolder: str = ""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    dialects: tuple[tuple[str, str], ...] = ()

    def dialect_of(self, path: str) -> str | None:
        file, _ = split_path(path)
        below = _below(file, self.subfolder) or file
        return next((dialect for pattern, dialect in self.dialects if path_matches(pattern, below)), None)


def select(entries: Sequence[Entry], selection: Selection) -> tuple[list[Entry], list[Diagnostic]]:
    """The files to read, and a finding for each that is unsafe to.

    Symbolic links, submodules and paths that mean something to a file system are never read.
    """
    chosen: list[Entry] = []
    found: list[Diagnostic] = []
    for entry in entries:
        path = _below(entry.path, selection.subfolder)
        if path is None or not _wanted(path, selection):
            continue
        if problem := _problem(entry):
            found.append(problem)
        elif entry.mode.startswith("100"):
            chosen.append(entry)
    if len(chosen) > MAX_FILES:
        message = f"{len(chosen)} files are too many for one source (at most {MAX_FILES})"
        return [], [*found, Diagnostic(Code.TOO_LARGE, message)]
    alike = _twins(chosen)
    refused = {diagnostic.path for diagnostic in alike}
    return [entry for entry in chosen if entry.path not in refused], [*found, *alike]


def dialect_of(path: str, selection: Selection) -> Dialect | None:
    """Whose file this is, as far as the selection and the path say so."""
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
    if pure.stem.lower() in _OTHER_STEMS or "node_modules" in directories:
        return False
    if dialect_of_path(path):
        return True
    if not path.endswith(_SUFFIXES) or _OTHER_FILES.search(path):
        return False
    # The nearest of the two kinds of directory decides: `skills/review/agents/x.md` is an agent's place.
    kinds = [part for part in directories if part in _OTHER_DIRECTORIES | _AGENT_DIRECTORIES]
    return not (kinds and kinds[-1] in _OTHER_DIRECTORIES)


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
    """A finding for each path that another one equals on a file system that folds case or Unicode form."""
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
    """What file systems that fold case or Unicode form make of a path; folding case may undo the form."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())


def _escaped(path: str) -> str:
    return path if path.isprintable() else ascii(path)[1:-1]


def dialect_of_path(path: str) -> str:
    """The dialect whose own directory the file lies in; empty where the path says nothing.

    Of several the one whose directory is named last counts, and the longest ending then. An ending of two parts, as
    `.agent.md`, is a tool's own anywhere; and so is the file in which it keeps all agents.
    """
    path, _ = split_path(path)
    found: list[tuple[int, int, str]] = []
    for dialect in dialects().values():
        if dialect.shared and f"/{path}".endswith(dialect.shared.locations):
            return dialect.name
        place = max(f"/{path}".rfind(f"/{directory}/") for directory in _places(dialect))
        found += [
            (place, len(suffix), dialect.name)
            for suffix in dialect.suffixes
            if path.endswith(suffix) and (place >= 0 or suffix.count(".") > 1)
        ]
    return max(found, default=(0, 0, ""))[2]


def _places(dialect: Dialect) -> set[str]:
    return {dialect.user_directory, *dialect.project_directories} - {""}
