"""Detection of agents: whether a file defines an agent, in which dialect, and reading it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from agentsync.agents.grants import OTHER, Grants, wider
from agentsync.agents.key_effects import READ_BY_VALUE, RESTRICTING, Meaning, meaning, restricts
from agentsync.agents.model import Agent
from agentsync.agents.patterns import ANY, TooManyPatternsError
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import split_path
from agentsync.core.naming import folded_key
from agentsync.dialects import (
    Dialect,
    default_dialect,
    dialects,
    in_documentation,
    is_template,
    looks_like_agent,
    restrictions,
)
from agentsync.dialects._kit.guards import takes_away
from agentsync.dialects._kit.tool_names import named_in
from agentsync.formats.document import Document, UnreadableError
from agentsync.repository.checks import check_agent
from agentsync.repository.dependencies import NO_NEEDS, Needs, needs_of
from agentsync.repository.places import (
    dialect_of_path,
    is_beside_agents,
    is_in_tool_directory,
    is_notes,
    is_where_agents_are,
    shared_place,
    stem_of_directory,
)

_LFS = b"version https://git-lfs.github.com/spec/"
_ANY_TEXT = ".txt"
_ALLOWED = meaning(Meaning.ALLOWED_TOOLS)


@dataclass(frozen=True, slots=True)
class ReadAgent:
    """Agent with the document that it was read from.

    Attributes:
        passes_through: whether its own tool would load the bytes as they are.
        respelled: whether it is written for its own tool as for other tools, from its grants. That is so where the tool
            does not know a key that restricts the agent, and the file had to be repaired, is one that the tool would
            not load, or its dialect was guessed.
        diagnostics: of reading and checking it, each with the file's path.
        refusals: why its own tool loads no such agent; empty where it does.
        needs: what it names and does not bring.
    """

    agent: Agent
    document: Document
    dialect: Dialect
    passes_through: bool
    diagnostics: tuple[Diagnostic, ...]
    respelled: bool = False
    refusals: tuple[Diagnostic, ...] = ()
    needs: Needs = NO_NEEDS


@dataclass(frozen=True, slots=True)
class NoAgent:
    """File that is not an agent: refused where the diagnostics include an error, else another kind of file.

    Attributes:
        diagnostics: of reading and checking it.
        name: what it calls itself; empty where it does not, or cannot be parsed.
    """

    diagnostics: tuple[Diagnostic, ...]
    name: str = ""

    @property
    def refused(self) -> bool:
        return any(diagnostic.severity is Severity.ERROR for diagnostic in self.diagnostics)


def read_agent(path: str, data: bytes, dialect: str | None = None) -> ReadAgent | NoAgent:
    """Read an agent from a file's bytes.

    Args:
        path: of the file in its source, with the agent's name where the file contains several; it gives the name
            where the file has none, and hints at the dialect.
        data: its content.
        dialect: the dialect's name; detected from path and content where it is None.
    """
    if data.startswith(_LFS):
        return NoAgent((Diagnostic(Code.LFS_POINTER, "this is a Git LFS pointer, not the file itself", path=path),))
    here = "" if dialect else shared_place(path)
    named = None if here else dialects().get(dialect or dialect_of_path(path))
    try:
        chosen, document = (named, named.parse(data, path)) if named else _guessed(path, data, here)
    except UnreadableError as error:
        is_aside = dialect is None and is_in_tool_directory(path) and is_beside_agents(path)
        if dialect is None and in_documentation(path) and not is_where_agents_are(path):
            return NoAgent((replace(error.diagnostic, code=Code.NOT_AN_AGENT),))
        is_other = (named is None and not here) or (is_aside and error.diagnostic.code is Code.NO_FRONTMATTER)
        return NoAgent((_not_an_agent(error.diagnostic) if is_other else error.diagnostic,))
    if problem := _another_file(document, dialect):
        return NoAgent((problem,))
    if named is None and (problem := _question(document, chosen)):
        return NoAgent((*document.diagnostics, problem))
    try:
        reading = chosen.read(document, _stem(path, chosen))
    except TooManyPatternsError as error:  # to apply what restricts it, its patterns are compared
        return NoAgent((*document.diagnostics, Diagnostic(Code.TOO_MANY_PATTERNS, error.message, path=path)))
    diagnostics = tuple(diagnostic.at(path=path) for diagnostic in (*document.diagnostics, *reading.diagnostics))
    if reading.agent is None:
        name = document.metadata.get("name")
        return NoAgent(diagnostics, name if isinstance(name, str) else "")
    diagnostics += tuple(_located(diagnostic, document, chosen) for diagnostic in check_agent(reading.agent, document))
    if any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics):
        return NoAgent(diagnostics, reading.agent.name)
    respelled = (document.repaired or named is None or not reading.loads) and takes_away(reading.agent.unknown)
    passes = reading.loads and not document.repaired and not respelled
    with_agent = tuple(replace(diagnostic, agent=reading.agent.name) for diagnostic in diagnostics)
    refusals = tuple(diagnostic.at(path=path) for diagnostic in reading.refusals)
    needs = needs_of(reading.agent, document)
    return ReadAgent(reading.agent, document, chosen, passes, with_agent, respelled, refusals, needs)


def _another_file(document: Document, dialect: str | None) -> Diagnostic | None:
    """Report a template, and notes in a tool's own directory, which are an agent only where they look like one."""
    if is_template(document.metadata):
        message = "this is a template: its name is a placeholder"
    elif dialect is None and is_notes(document.path) and not looks_like_agent(document):
        message = "nothing here defines an agent"
    else:
        return None
    return Diagnostic(Code.NOT_AN_AGENT, message, path=document.path)


def _guessed(path: str, data: bytes, here: str) -> tuple[Dialect, Document]:
    """Judge the dialect of a file by its content, where the path does not decide, and parse it.

    Args:
        path: of the file.
        data: its content.
        here: the dialect whose directory the file is in, together with other tools' agents; empty elsewhere.

    Raises:
        UnreadableError: no dialect with this ending can parse it, or none takes it for an agent, or the author has to
            be asked whose it is.
    """
    documents: dict[Callable[[bytes, str], Document], Document] = {}
    problem = UnreadableError(Diagnostic(Code.NOT_AN_AGENT, "nothing here defines an agent", path=path))
    candidates = _candidates(path)
    for parse in dict.fromkeys(candidate.parse for candidate in candidates):
        try:
            documents[parse] = parse(data, path)
        except UnreadableError as error:
            problem = error
    parsed = [(candidate, documents[candidate.parse]) for candidate in candidates if candidate.parse in documents]
    # Most dialects share one sniff, so each is asked once.
    sniffed = {(one.recognition.sniff, one.parse): bool(here) or one.sniffs(document) for one, document in parsed}
    likely_ones = [pair for pair in parsed if sniffed[pair[0].recognition.sniff, pair[0].parse]]
    scores = [(one.score(document), one, document) for one, document in likely_ones]
    if not scores:
        raise problem
    best = max(score for score, _, _ in scores)
    likely = [(one, document) for score, one, document in scores if score == best]
    likely.sort(key=lambda pair: (pair[0].name == here, pair[0].recognition.prior), reverse=True)
    return _narrowest(likely)


def _candidates(path: str) -> list[Dialect]:
    """The dialects that a file in no tool's directory may have; text with an unknown ending is Markdown."""
    named_so = [one for one in dialects().values() if path.endswith(one.suffixes)]
    if not named_so or path.endswith(_ANY_TEXT):
        named_so = [one for one in dialects().values() if one.parse is default_dialect().parse]
    return [one for one in named_so if one.recognition.sniff]


def _narrowest(likely: Sequence[tuple[Dialect, Document]]) -> tuple[Dialect, Document]:
    """Of readings that are equally likely, the first of which no other one grants less.

    Raises:
        UnreadableError: each grants something that another one does not.
    """
    first, document = likely[0]
    keys = [key for key in document.metadata if restricts(key)]
    if len(likely) == 1 or not keys:
        return likely[0]
    readings = [(one, one.read(document, "agent").agent) for one, document in likely]
    granted = [(one, _without_unknown(agent.grants)) for one, agent in readings if agent]
    if not granted:
        return first, document
    with suppress(TooManyPatternsError):
        for one, grants in granted:
            if not any(grants != other and wider(grants, other) for _, other in granted):
                return one, document
    titles = " or ".join(one.title for one, _ in granted)
    message = f"this may be an agent of {titles}, which grant it different tools: whose is it?"
    raise UnreadableError(_ask(message, document, keys[0], [one for one, _ in granted]))


def _without_unknown(grants: Grants) -> Grants:
    """The grants without names that mean nothing, so that a tool's not knowing a name does not count as a grant."""
    return Grants(tuple(rule for rule in grants.rules if not rule.tool.startswith(OTHER)))


def _ask(message: str, document: Document, key: str, likely: Sequence[Dialect]) -> Diagnostic:
    """Build the question whose agent a file is; the hint shows how to answer it."""
    names = " or ".join(f'`"{document.path}" = "{one.name}"`' for one in likely[:2])
    hint = f"put {names} under `[agents.dialects]` in agentsync.toml, or move it to its tool's own directory"
    line = document.lines.get(key, 0)
    return Diagnostic(Code.WRONG_DIALECT, message, path=document.path, line=line, hint=hint)


def _located(diagnostic: Diagnostic, document: Document, chosen: Dialect) -> Diagnostic:
    """Add the path to a diagnostic; in a multi-agent file the line is that where the agent begins."""
    if chosen.shared:
        diagnostic = replace(diagnostic, line=document.lines.get("name", 0))
    return diagnostic.at(path=document.path)


def _question(document: Document, chosen: Dialect) -> Diagnostic | None:
    """Report what shows that the guess may be wrong, so that the author has to name the dialect.

    That is a key that restricts in another dialect and that the guessed one does not have, or a list of tools without
    a single one that it has.
    """
    unread = (RESTRICTING | restrictions()) - READ_BY_VALUE - chosen.restrictions
    for key, value in document.metadata.items():
        if folded_key(key) in unread and key not in chosen.known_keys:
            message = f"this looks like {chosen.title}'s, which does not read `{key}`: whose agent is it?"
            return _ask(message, document, key, [chosen])
        is_list = key in chosen.known_keys and folded_key(key) in _ALLOWED
        if is_list and any(name != ANY for name in named_in(value)) and not any(chosen.knows(key, value)):
            message = f"`{key}` names no tool that {chosen.title} has: whose agent is it?"
            return _ask(message, document, key, [chosen])
    return None


def _stem(path: str, dialect: Dialect) -> str:
    """Return what an agent is called that has no name: after its place in a file of several, its directory or its file.

    A file's name is taken without the longest ending that the dialect knows, or else without its last one.
    """
    file, entry = split_path(path)
    if own := entry or stem_of_directory(file):
        return own
    name = PurePosixPath(path).name
    ending = max((suffix for suffix in dialect.suffixes if name.endswith(suffix)), key=len, default="")
    return name.removesuffix(ending) if ending else PurePosixPath(name).stem


def _not_an_agent(diagnostic: Diagnostic) -> Diagnostic:
    """Turn a diagnostic on a file that does not even start like an agent into "not an agent".

    Outside a tool's own directory such a file is another kind of file.
    """
    if diagnostic.code in (Code.NO_FRONTMATTER, Code.EMPTY, Code.JSON_INVALID, Code.TOML_INVALID):
        return replace(diagnostic, code=Code.NOT_AN_AGENT)
    return diagnostic
