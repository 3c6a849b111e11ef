"""What every dialect is: how it reads, writes, and what its tool enforces."""

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
from agentsync.formats.document import Document


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reader made of a document.

    Attributes:
        agent: None where an error stands among the diagnostics.
        loads: whether the tool itself would load the bytes as they are.
    """

    agent: Agent | None
    diagnostics: tuple[Diagnostic, ...] = ()
    loads: bool = True


@dataclass(frozen=True, slots=True)
class Writing:
    """What a writer made of an agent: the file's bytes, or none where it is refused."""

    data: bytes | None
    diagnostics: tuple[Diagnostic, ...] = ()


Meaning = Literal["all", "none", "refused"]


@dataclass(frozen=True, slots=True)
class ToolLists:
    """What a tool makes of a list of tools that says less than it seems to; "refused" is the whole file.

    Attributes:
        absent, empty, null, mistyped: which tools an agent has then.
        unknown: what becomes of a name that the tool does not know.
        strings: whether one string of names with commas between them counts as a list.
        trims: whether blanks around a name in a list count for nothing; else such a name is an unknown one.
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
    """Which names a tool takes, beyond what every slug keeps.

    Attributes:
        low, high: how many characters.
        reserved: names that mean something else there.
        slugs: whether a name must be a slug; else it may be what its author wrote.
        pattern: what such a name has to match, where not every name will do.
    """

    low: int = 1
    high: int = 256
    reserved: frozenset[str] = frozenset()
    slugs: bool = True
    pattern: str = ".*"

    def takes(self, name: str) -> bool:
        """Whether the tool would load an agent of this name, given in the form that `slugs` asks for."""
        fits = self.low <= len(name) <= self.high and re.fullmatch(self.pattern, name, re.DOTALL) is not None
        return fits and name not in self.reserved


SLUGS = NameRule()
"""Every slug, and nothing else."""


class Moved(NamedTuple):
    """A directory that a tool looks for elsewhere where a variable of the environment says so.

    Attributes:
        variable: its name; one that is empty says nothing.
        directory: what it moves, relative to the home directory; empty where that is the home directory itself.
        below: where that is below what the variable says; empty where the variable names it.
    """

    variable: str
    directory: str
    below: str = ""


class UneditableError(AgentsyncError):
    """A shared file that cannot be changed without touching what is not ours; the message says why."""


@dataclass(frozen=True, slots=True)
class SharedFile:
    """A tool that keeps all agents in one file, which is its user's and the tool's own as well.

    An entry is one agent of it, as the bytes of a file that holds nothing else: always the same bytes for what means
    the same. Such files are what the dialect reads and writes.

    Attributes:
        entries: the entries of a file, by what their agents are called in it (empty for one that is not called
            anything); raises UneditableError.
        edited: a file (None where there is none) with these entries in it, or gone from it where they are None, and
            every other byte as it was; raises UneditableError.
        user_files, project_files: all places of the file, relative to the home directory or to a project: the first
            that is there counts before the dialect's own.
    """

    entries: Callable[[bytes], Mapping[str, bytes]]
    edited: Callable[[bytes | None, Mapping[str, bytes | None]], bytes]
    user_files: tuple[str, ...]
    project_files: tuple[str, ...]

    @property
    def locations(self) -> tuple[str, ...]:
        """What the path of such a file ends in, wherever it lies: each place, with a slash before it."""
        return tuple(f"/{file}" for file in (*self.user_files, *self.project_files))


@dataclass(frozen=True, slots=True)
class Dialect:
    """One tool's way of writing an agent.

    Attributes:
        name, title: the identifier used everywhere and the tool's name for people.
        suffixes: the endings of an agent's file; the first is written.
        user_directory: where the tool looks, relative to the home directory (empty where it has no such place).
        environment: the variables that move it; of several that are set the first one counts.
        project_directories: where it looks in a project; the first is where agentsync writes.
        recursive: whether it looks below that directory.
        binaries: the commands that show that it is installed.
        version: the release that the facts in this module were checked with.
        source: where they are documented.
        parse: bytes to Document; raises UnreadableError.
        score: how much a document looks like this dialect's, from 0; decides where the path does not.
        read: Document and the file's stem to an agent.
        restrictions: the keys, without case, dashes and underscores, that `read` makes restrictions of.
        write: agent and options to bytes.
        capabilities: what the tool can say about permissions.
        carries: the fields of Agent beyond name, description, prompt and grants that the tool has a place for.
        lists: what a list of tools means that says less than it seems to; None where there is no such list.
        required: the keys without which the tool does not load a file.
        names: which names the tool takes.
        enforced: what the tool will let a document's agent do: the widest that its documentation allows.
        also_reads: the dialects whose directories the tool reads too, in a project at least.
        notice: what a user has to do or know before the tool takes agents from its directory, to stand after its name.
        uses_effects: whether grants are compared by what they let happen, since one shell does everything here.
        shared: how the one file is edited that holds all agents; None where each has a file of its own. The places
            above are those of that file then.
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
        """Where files are made for the user, relative to the home directory; empty where the tool has no such place."""
        return self.user_directory.rpartition("/")[0] if self.shared else self.user_directory

    def path_of(self, slug: str) -> str:
        """Where an agent stands below the tool's directory, or what it is called in the shared file."""
        return slug if self.shared else slug + self.suffix


def refused(diagnostics: tuple[Diagnostic, ...]) -> bool:
    """Whether an error stands among them."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
