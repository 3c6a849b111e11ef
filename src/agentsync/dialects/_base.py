"""The interface of a dialect: how it reads and writes agents, and what its tool enforces."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from agentsync.agents.grants import Grants
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions
from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError
from agentsync.core.naming import shortened
from agentsync.formats.document import Document


@dataclass(frozen=True, slots=True)
class Reading:
    """Result of reading a document.

    Attributes:
        agent: None where there is an error among the diagnostics.
        loads: whether the tool itself would load the bytes as they are.
    """

    agent: Agent | None
    diagnostics: tuple[Diagnostic, ...] = ()
    loads: bool = True


@dataclass(frozen=True, slots=True)
class Writing:
    """Result of writing an agent: the file's bytes, or None where the agent is refused."""

    data: bytes | None
    diagnostics: tuple[Diagnostic, ...] = ()


Meaning = Literal["all", "none", "refused"]
"""How a tool reads a list: as every tool, as no tools, or as a reason to refuse the whole file."""


@dataclass(frozen=True, slots=True)
class ToolLists:
    """How a tool reads a list of tools that restricts less than it seems to.

    Attributes:
        absent, empty, null, mistyped: the tools that an agent has in each of these cases.
        unknown: the effect of a name that the tool does not know; "refused" is the whole file.
        strings: whether one string of names with commas between them counts as a list.
        trims: whether blanks around a name in a list are ignored; otherwise such a name is unknown.
        denied: the key of a list of denied tools, if there is one.
    """

    absent: Meaning = "all"
    empty: Meaning = "none"
    null: Meaning = "all"
    mistyped: Meaning = "all"
    unknown: Literal["dropped", "refused"] = "dropped"
    strings: bool = True
    trims: bool = True
    denied: str = ""


@dataclass(frozen=True, slots=True)
class NameRule:
    """The names that a tool accepts, beyond the rules that every slug follows.

    Attributes:
        low, high: the bounds of the length, in characters.
        reserved: names that already have another meaning in the tool.
        slugs: whether a name must be a slug; otherwise it may be as its author wrote it.
        scripts: whether a name that is not ASCII may be as its author wrote it, whatever `slugs` is.
        pattern: the regular expression that the whole name has to match.
    """

    low: int = 1
    high: int = 256
    reserved: frozenset[str] = frozenset()
    slugs: bool = True
    scripts: bool = False
    pattern: str = ".*"

    def takes(self, name: str) -> bool:
        """Whether the tool would load an agent of this name, in the form that `slugs` requires."""
        fits = self.low <= len(name) <= self.high and re.fullmatch(self.pattern, name, re.DOTALL) is not None
        return fits and name not in self.reserved

    def spelled(self, name: str, slug: str) -> str:
        """An agent's name in the tool: as its author wrote it, or else the slug."""
        free = not self.slugs or (self.scripts and not name.isascii())
        return name if free and self.takes(name) else slug

    def adapted(self, slug: str) -> str:
        """A slug like this one that the tool takes; the slug itself where the tool takes that.

        No two slugs are adapted to the same one.
        """
        # A word behind helps where a name is reserved or too short, one in front where it may not begin with a digit.
        fitting = (shortened(form.format(slug), self.high) for form in ("{}", "{}-agent", "agent-{}"))
        return next(filter(self.takes, fitting))


SLUGS = NameRule()
"""Every slug, and nothing else."""


class Moved(NamedTuple):
    """A directory that an environment variable moves.

    Attributes:
        variable: its name; an empty value has no effect.
        directory: the directory that it moves, relative to the home directory; empty for the home directory itself.
        below: the path of the moved directory below the variable's value; empty where the value names it.
    """

    variable: str
    directory: str
    below: str = ""


class UneditableError(AgentsyncError):
    """A shared file that cannot be changed without touching what is not agentsync's; the message gives the reason."""


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A single file with all agents of a tool, which the user and the tool itself edit as well.

    An entry is one agent in it, as the bytes of a file that holds nothing else. Entries that mean the same have the
    same bytes. The dialect reads and writes such files.

    Attributes:
        entries: the entries of a file, by the names of their agents in it (empty for one without a name); raises
            UneditableError.
        edited: a file (None where there is none) with these entries set, or removed where they are None, and every
            other byte unchanged; raises UneditableError.
        user_files, project_files: all locations of the file, relative to the home directory or to a project. The
            first one that exists takes precedence over the dialect's own.
    """

    entries: Callable[[bytes], Mapping[str, bytes]]
    edited: Callable[[bytes | None, Mapping[str, bytes | None]], bytes]
    user_files: tuple[str, ...]
    project_files: tuple[str, ...]

    @property
    def locations(self) -> tuple[str, ...]:
        """The possible endings of the path of such a file: each location, with a slash before it."""
        return tuple(f"/{file}" for file in (*self.user_files, *self.project_files))


@dataclass(frozen=True, slots=True)
class Dialect:
    """One tool's format for agents.

    Attributes:
        name, title: the identifier used everywhere and the tool's display name.
        suffixes: the endings of an agent's file; the first is written.
        user_directory: where the tool looks, relative to the home directory (empty where it has no such place).
        environment: the variables that move it; of several that are set, the first one is used.
        project_directories: where it looks in a project; the first is where agentsync writes.
        recursive: whether it looks below that directory.
        binaries: the commands that show that it is installed.
        version: the release that the facts in this module were checked against.
        source: where they are documented.
        parse: bytes to Document; raises UnreadableError.
        score: how much a document looks like this dialect, from 0; decides where the path does not.
        read: Document and the file's stem to an agent.
        restrictions: the keys, without case, dashes and underscores, that `read` makes restrictions of.
        write: agent and options to bytes.
        capabilities: the permissions that the tool can express.
        carries: the fields of Agent beyond name, description, prompt and grants that the tool has a place for.
        lists: how the tool reads a list of tools that restricts less than it seems to; None where it has no such list.
        required: the keys without which the tool does not load a file.
        names: the names that the tool accepts.
        enforced: the grants that the tool enforces for a document's agent: the widest that its documentation allows.
        also_reads: the dialects with directories that the tool reads too, in a project at least.
        notice: what a user has to do or know before the tool loads agents from its directory, as a clause.
        uses_effects: whether grants are compared by their effects, since one shell does everything here.
        shared: how the single file with all agents is edited; None where each agent has a file of its own. The
            locations above are those of that file then.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    user_directory: str
    project_directories: tuple[str, ...]
    recursive: bool
    binaries: tuple[str, ...]
    version: str
    source: str
    parse: Callable[[bytes, str], Document]
    score: Callable[[Document], int]
    read: Callable[[Document, str], Reading]
    write: Callable[[Agent, WriteOptions], Writing]
    capabilities: Capabilities
    enforced: Callable[[Document], Grants]
    restrictions: frozenset[str]
    carries: frozenset[str]
    lists: ToolLists | None = None
    required: tuple[str, ...] = ()
    names: NameRule = SLUGS
    environment: tuple[Moved, ...] = ()
    also_reads: tuple[str, ...] = ()
    notice: str = ""
    uses_effects: bool = False
    shared: SharedFile | None = None

    @property
    def suffix(self) -> str:
        """The ending of the files that are written."""
        return self.suffixes[0]

    @property
    def written_directory(self) -> str:
        """Where files are created for the user, relative to the home directory; empty where there is no such place."""
        return self.user_directory.rpartition("/")[0] if self.shared else self.user_directory

    def path_of(self, slug: str) -> str:
        """The path of an agent below the tool's directory, or its name in the shared file."""
        return slug if self.shared else slug + self.suffix


def refused(diagnostics: tuple[Diagnostic, ...]) -> bool:
    """Whether there is an error among the diagnostics."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
