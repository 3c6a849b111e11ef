"""From the files of a repository to agents: which files to read, in which dialect, and what came of it."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from agentsync.agents.key_effects import READ_BY_VALUE, RESTRICTING
from agentsync.agents.model import Agent
from agentsync.checks import check_agent
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.globs import path_matches
from agentsync.core.naming import folded_key, hidden_character, is_windows_device
from agentsync.dialects import dialects
from agentsync.dialects._base import Dialect
from agentsync.dialects._kit.foreign_restrictions import takes_away
from agentsync.formats.document import MAX_FILE_BYTES, Document, UnreadableError
from agentsync.git.objects import Entry

# Whose an agent is that has nothing but a name and a description, which means the same everywhere.
_DEFAULT = "claude"

MAX_FILES = 20_000
"""How many candidate files one source may hold."""

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
_LFS = b"version https://git-lfs.github.com/spec/"


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


@dataclass(frozen=True, slots=True)
class ReadAgent:
    """An agent with what it was read from.

    Attributes:
        passes_through: whether its own tool would load the bytes as they are.
        respelled: whether its own tool is to get it as other tools do, by its grants: the file had to be repaired, or
            is this dialect's by a guess only, and this dialect's tool does not know a key by which it restricts.
        diagnostics: repairs and findings, each with the file's path.
    """

    agent: Agent
    document: Document
    dialect: Dialect
    passes_through: bool
    diagnostics: tuple[Diagnostic, ...]
    respelled: bool = False


@dataclass(frozen=True, slots=True)
class NoAgent:
    """A file that is none: refused where an error stands among the diagnostics, else another kind of file."""

    diagnostics: tuple[Diagnostic, ...]

    @property
    def refused(self) -> bool:
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


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
    return dialects().get(selection.dialect_of(path) or _dialect_of_path(path))


def read_agent(path: str, data: bytes, dialect: str | None = None) -> ReadAgent | NoAgent:
    """Makes an agent of a file's bytes.

    Args:
        path: where the file lies in its source, and which agent of it is meant where it holds several; gives the
            name where the file has none, and hints at the dialect.
        data: its content.
        dialect: the dialect's name; found out from path and content where it is None.
    """
    if data.startswith(_LFS):
        return NoAgent((Diagnostic(Code.LFS_POINTER, "this is a Git LFS pointer, not the file itself", path=path),))
    known = dialects()
    named = known.get(dialect or _dialect_of_path(path))
    parse = (named or known["codex" if path.endswith(".toml") else _DEFAULT]).parse
    try:
        document = parse(data, path)
    except UnreadableError as error:
        return NoAgent((_as_no_agent(error.diagnostic) if not named else error.diagnostic,))
    if named is None and not _looks_like_agent(path, document):
        return NoAgent((Diagnostic(Code.NOT_AN_AGENT, "nothing here defines an agent", path=path),))
    chosen = named or max(
        (candidate for candidate in known.values() if path.endswith(candidate.suffixes)),
        key=lambda candidate: (candidate.score(document), candidate.name == _DEFAULT),
    )
    if named is None and (problem := _unread_restriction(document, chosen)):
        return NoAgent((*document.diagnostics, problem))
    reading = chosen.read(document, _stem(path, chosen))
    found = tuple(diagnostic.at(path=path) for diagnostic in (*document.diagnostics, *reading.diagnostics))
    if reading.agent is None:
        return NoAgent(found)
    found += tuple(_placed(diagnostic, document, chosen) for diagnostic in check_agent(reading.agent, document))
    if any(diagnostic.severity is Severity.ERROR for diagnostic in found):
        return NoAgent(found)
    respelled = (document.repaired or named is None) and takes_away(reading.agent.unknown)
    passes = reading.loads and not document.repaired and not respelled
    named_found = tuple(replace(diagnostic, agent=reading.agent.name) for diagnostic in found)
    return ReadAgent(reading.agent, document, chosen, passes, named_found, respelled)


def _placed(diagnostic: Diagnostic, document: Document, chosen: Dialect) -> Diagnostic:
    """A finding with its place; in a file that holds several agents that is where the agent begins."""
    if chosen.shared:
        diagnostic = replace(diagnostic, line=document.lines.get("name", 0))
    return diagnostic.at(path=document.path)


def _unread_restriction(document: Document, chosen: Dialect) -> Diagnostic | None:
    """A finding where the dialect was guessed and a key restricts in another one: the guess may be wrong."""
    for key in document.metadata:
        if folded_key(key) in RESTRICTING - READ_BY_VALUE - chosen.restrictions:
            message = f"this looks like {chosen.title}'s, which does not read `{key}`: whose agent is it?"
            hint = (
                "move it to its tool's own directory, or name its dialect under `[agents.dialects]` in agentsync.toml"
            )
            line = document.lines.get(key, 0)
            return Diagnostic(Code.WRONG_DIALECT, message, path=document.path, line=line, hint=hint)
    return None


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
    if _dialect_of_path(path):
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


def _stem(path: str, dialect: Dialect) -> str:
    """The file's name without the longest ending that the dialect knows, or without its last one."""
    name = PurePosixPath(path).name
    ending = max((suffix for suffix in dialect.suffixes if name.endswith(suffix)), key=len, default="")
    return name.removesuffix(ending) if ending else PurePosixPath(name).stem


def _dialect_of_path(path: str) -> str:
    """The dialect whose own directory the file lies in; empty where the path says nothing.

    Of several the one whose directory is named last counts, and the longest ending then. An ending of two parts, as
    `.agent.md`, is a tool's own anywhere; and so is the file in which it keeps all agents.
    """
    path, _ = split_path(path)
    found: list[tuple[int, int, str]] = []
    for dialect in dialects().values():
        if dialect.shared and f"/{path}".endswith(dialect.shared.places):
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


def _looks_like_agent(path: str, document: Document) -> bool:
    """Whether the keys are an agent's: a description or a name, beside something that only agents have."""
    keys = document.metadata.keys()
    if path.endswith(".toml"):
        return "developer_instructions" in keys
    if "description" in keys or "permission" in keys:
        return True
    return "name" in keys and bool(keys & {"tools", "model", "mode", "color", "disallowedTools"} or "agents/" in path)


def _as_no_agent(diagnostic: Diagnostic) -> Diagnostic:
    """Outside a tool's own directory, a file that does not even start like an agent is another kind of file."""
    if diagnostic.code in (Code.NO_FRONTMATTER, Code.EMPTY, Code.TOML_INVALID):
        return replace(diagnostic, code=Code.NOT_AN_AGENT)
    return diagnostic
