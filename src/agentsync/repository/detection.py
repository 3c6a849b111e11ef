"""From the files of a repository to agents: which files to read, in which dialect, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from agentsync.agents.key_effects import READ_BY_VALUE, RESTRICTING
from agentsync.agents.model import Agent
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.naming import folded_key
from agentsync.dialects import Dialect, dialects
from agentsync.dialects._kit.foreign_restrictions import takes_away
from agentsync.formats.document import Document, UnreadableError
from agentsync.repository.checks import check_agent
from agentsync.repository.selection import dialect_of_path

# Whose an agent is that has nothing but a name and a description, which means the same everywhere.
_DEFAULT = "claude"


_LFS = b"version https://git-lfs.github.com/spec/"


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
    named = known.get(dialect or dialect_of_path(path))
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


def _stem(path: str, dialect: Dialect) -> str:
    """The file's name without the longest ending that the dialect knows, or without its last one."""
    name = PurePosixPath(path).name
    ending = max((suffix for suffix in dialect.suffixes if name.endswith(suffix)), key=len, default="")
    return name.removesuffix(ending) if ending else PurePosixPath(name).stem


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
