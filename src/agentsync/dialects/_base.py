"""The interface of a dialect: how it reads and writes agents, and what its tool enforces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cache
from typing import Final, Literal, NamedTuple

from pydantic import JsonValue

from agentsync.agents.grants import Grants
from agentsync.agents.key_effects import FOREIGN_RESTRICTING, KeyEffect, effects_of
from agentsync.agents.model import Agent
from agentsync.agents.narrowing import Capabilities, WriteOptions
from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError
from agentsync.core.naming import folded_key, shortened
from agentsync.dialects._evidence import looks_like_agent
from agentsync.dialects._kit.guards import (
    Names,
    ignored_restrictions,
    misspelt_restrictions,
    nested_restrictions,
    restricted,
)
from agentsync.dialects._kit.intent import intended_by
from agentsync.formats.document import Document


@dataclass(frozen=True, slots=True)
class Reading:
    """Result of reading a document.

    Attributes:
        agent: None where there is an error among the diagnostics.
        loads: whether the tool itself would load the bytes as they are.
        refusals: why the tool loads no such agent at all, so that only other tools get it.
    """

    agent: Agent | None
    diagnostics: tuple[Diagnostic, ...] = ()
    loads: bool = True
    refusals: tuple[Diagnostic, ...] = ()


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
        pattern: the regular expression that the whole name has to match; a slug is letters and digits of ASCII in
            lower case, with single dashes between them, in any case.
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

    def keeps(self, name: str) -> bool:
        """Whether the tool would load an agent of this name as its author wrote it."""
        free = not self.slugs or (self.scripts and not name.isascii())
        return free and self.takes(name)

    def spelled(self, name: str, slug: str) -> str:
        """An agent's name in the tool: as its author wrote it, or else the slug.

        Not every tool was tried with a slash, so only its own agents keep one.
        """
        return name if self.keeps(name) and "/" not in name else slug

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


class Kind(Enum):
    """What repositories have for tools beside agents, which is not synced: a key in JSON, and what people read."""

    SKILL = "skills", "skill", "skills"
    COMMAND = "commands", "command", "commands"
    RULE = "rules", "AGENTS.md and rules", "AGENTS.md and rules"
    MCP = "mcp_files", "MCP file", "MCP files"
    SETTINGS = "settings", "settings file", "settings files"
    PLUGIN = "plugins", "plugin", "plugins"

    def __init__(self, key: str, one: str, several: str) -> None:
        self.key = key
        self.one = one
        self.several = several


@dataclass(frozen=True, slots=True)
class Recognition:
    """What identifies a tool's files in a repository, and which of its files are no agents.

    A file in one of the tool's directories is the tool's, whatever it contains. These facts concern all other files.

    Attributes:
        decisive: the endings that identify the tool in any directory.
        anywhere: the endings of files that may be agents in any directory. Files with other endings are read only in
            the tool's directories, or where the repository's patterns include them.
        sniff: whether a document with one of the tool's endings is an agent at all; None where the tool's files are
            recognised by their place alone, since other programs have files that look the same.
        sign: points for values that only this tool's files have, beside the keys and words that `Dialect.score` counts.
        prior: how common the tool's files are where several dialects fit equally. The one with the highest is the
            default, which reads files with an ending that no dialect has.
        shared_directories: the directories among the tool's own in which other tools' agents are as well. There the
            content decides, and this tool only between equals.
        aliases: further names of the tool. Some authors keep settings for one tool under keys that start with its name.
        other_stems: the names, in lower case and without their ending, of the tool's files that are no agents; those in
            Markdown are counted as its rules.
        other_suffixes: the endings of such files.
        other_directories: directories in which nothing is an agent outside of the tool's directories for agents; None
            for the hidden directories that contain its project directories.
        not_synced: what else the tool reads in a repository. Each is an ending of a path with a slash before it, or
            where it ends in a slash, a directory with everything below it.
    """

    decisive: tuple[str, ...] = ()
    anywhere: tuple[str, ...] = ()
    sniff: Callable[[Document], bool] | None = looks_like_agent
    sign: Callable[[Document], int] = lambda _document: 0
    prior: int = 0
    shared_directories: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    other_stems: tuple[str, ...] = ()
    other_suffixes: tuple[str, ...] = ()
    other_directories: tuple[str, ...] | None = None
    not_synced: Mapping[Kind, tuple[str, ...]] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Review:
    """What a reviewer of agents should know about a tool, each as a clause in Markdown.

    Attributes:
        restricted_by: what restricts an agent there.
        handling: what agentsync does about it.
        from_documentation: whether this is based on documentation, since the tool's own code is not available.
    """

    restricted_by: str
    handling: str
    from_documentation: bool = False


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
        readable: a file of a repository in the form that `entries` takes; the tool may read more forms than are edited.
        edited: a file (None where there is none) with these entries set, or removed where they are None, and every
            other byte unchanged; raises UneditableError.
        user_files, project_files: all locations of the file, relative to the home directory or to a project. The
            first one that exists takes precedence over the dialect's own.
    """

    entries: Callable[[bytes], Mapping[str, bytes]]
    edited: Callable[[bytes | None, Mapping[str, bytes | None]], bytes]
    user_files: tuple[str, ...]
    project_files: tuple[str, ...]
    readable: Callable[[bytes], bytes] = bytes

    @property
    def locations(self) -> tuple[str, ...]:
        """The possible endings of the path of such a file: each location, with a slash before it."""
        return tuple(f"/{file}" for file in (*self.user_files, *self.project_files))


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """A file of a tool's settings that defines agents too, beside those with files of their own.

    Attributes:
        locations: the endings of its path, each with a slash before it.
        agents: the settings of each agent in it, by name; raises UnreadableError.
        parts: the paths of the files that an agent's settings take in, relative to the settings file.
        written: the same agent as a file of its own in this dialect, made of its name, its settings and its parts.
    """

    locations: tuple[str, ...]
    agents: Callable[[bytes, str], Mapping[str, Mapping[str, JsonValue]]]
    parts: Callable[[Mapping[str, JsonValue]], tuple[str, ...]]
    written: Callable[[str, Mapping[str, JsonValue], Mapping[str, bytes]], bytes]


_ANYONES: Final = frozenset({"author", "metadata", "tags", "version"})
"""Keys that authors of agents for any tool add."""


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
        known_keys: the keys that the tool reads, in its own spelling.
        knows: for such a key and its value, a True for each name of a tool, a model or a value in it that the tool has,
            and a False for whatever makes it refuse or ignore the value.
        strict: whether the tool refuses a file with a key that it does not know.
        reader: Document and the file's stem to an agent; `read` is what the rest of the program calls.
        permission_keys: the keys that `reader` makes restrictions of. Any other key that restricts in some tool leaves
            an agent nothing but reading.
        any_spelling: whether `reader` does so in any spelling of such a key: case, dashes and underscores.
        remedy: how to restrict an agent of this tool, as a hint.
        guarded_tools: the canonical tools that a hook refuses whose matcher has this name.
        runs_hooks: whether the tool runs the hooks of an agent; otherwise those that guard something are reported as
            without effect. They restrict the agent in either case.
        write: agent and options to bytes.
        capabilities: the permissions that the tool can express.
        carries: the fields of Agent beyond name, description, prompt and grants that the tool has a place for.
        lists: how the tool reads a list of tools that restricts less than it seems to; None where it has no such list.
        required: the keys without which the tool does not load a file.
        names: the names that the tool accepts.
        enforced: the grants that the tool enforces for a document's agent: the widest that its documentation allows.
        also_reads: the dialects with directories that the tool reads too, in a project at least.
        built_in: names of agents that the tool itself has, beside those that `names` reserves.
        notice: what a user has to do or know before the tool loads agents from its directory, as a clause.
        uses_effects: whether grants are compared by their effects, since one shell does everything here.
        shared: how the single file with all agents is edited; None where each agent has a file of its own. The
            locations above are those of that file then.
        settings: how agents are read that are defined in the tool's settings; None where that is not possible.
        recognition: what identifies the tool's files outside of the directories above.
        review: a row of docs/permissions.md; None where that page explains the tool at length.
        effects: the effects of keys that have them in this tool only, apart from `restrictions`, by folded key.
        undeclared: for keys with their values, those that the tool may act on in a way that is not declared, as it acts
            on keys beyond a fixed list; None for a closed format, where any further key is inert.
        unasked: patterns of the tools that change or send something and that a session with the tool's default
            settings runs without asking.
        never_asks: whether an agent runs all its tools without asking, whatever its user's settings.
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
    known_keys: frozenset[str]
    knows: Callable[[str, JsonValue], Iterable[bool]]
    reader: Callable[[Document, str], Reading]
    write: Callable[[Agent, WriteOptions], Writing]
    capabilities: Capabilities
    enforced: Callable[[Document], Grants]
    permission_keys: frozenset[str]
    carries: frozenset[str]
    remedy: str
    strict: bool = False
    any_spelling: bool = False
    guarded_tools: Names = intended_by
    runs_hooks: bool = False
    lists: ToolLists | None = None
    required: tuple[str, ...] = ()
    names: NameRule = SLUGS
    environment: tuple[Moved, ...] = ()
    also_reads: tuple[str, ...] = ()
    built_in: frozenset[str] = frozenset()
    notice: str = ""
    uses_effects: bool = False
    shared: SharedFile | None = None
    settings: SettingsFile | None = None
    recognition: Recognition = Recognition()
    review: Review | None = None
    effects: Mapping[str, tuple[KeyEffect, ...]] = field(default_factory=dict, hash=False)
    undeclared: Callable[[Mapping[str, JsonValue]], Iterable[str]] | None = None
    unasked: frozenset[str] = frozenset()
    never_asks: bool = False

    def read(self, document: Document, stem: str) -> Reading:
        """Read a document as `reader` does, then apply what holds whatever the reader makes of it.

        Limits on the agent's servers, its hooks and other tools' restrictions come last, so that no dialect can leave
        them out.
        """
        reading = self.reader(document, stem)
        own = [key for key in document.metadata if self._restricts_by(key)]
        if reading.agent and (nested := nested_restrictions(document, self.known_keys, self.title)):
            return Reading(None, (*reading.diagnostics, *nested))
        ignored = ignored_restrictions(document, own, runs_hooks=self.runs_hooks, title=self.title, hint=self.remedy)
        misspelt = misspelt_restrictions(document, self.known_keys, self.permission_keys, self.title)
        diagnostics = (*reading.diagnostics, *ignored, *misspelt)
        if reading.agent is None:
            return Reading(None, diagnostics)
        grants = self._overwriting(reading.agent.grants)
        grants = restricted(grants, document.metadata, own, self.guarded_tools, unclear=bool(misspelt))
        return replace(reading, agent=reading.agent.model_copy(update={"grants": grants}), diagnostics=diagnostics)

    def most(self, document: Document) -> Grants:
        """The grants that the tool enforces for a document's agent, with those that come with its writing."""
        return self._overwriting(self.enforced(document))

    def _overwriting(self, grants: Grants) -> Grants:
        return grants.with_overwriting() if self.capabilities.overwrites else grants

    def score(self, document: Document) -> int:
        """How well the tool knows what a document has, less what it does not; decides where the path does not.

        A key counts as much as a name, and one that is there to restrict twice as much. What the tool does not know
        counts against it only where it refuses such a file, since authors have many keys of their own.
        """
        points = self.recognition.sign(document)
        for key, value in document.metadata.items():
            if key in self.known_keys and key not in _ANYONES:
                points += (
                    1
                    + (folded_key(key) in FOREIGN_RESTRICTING)
                    + sum(1 if known else -1 for known in self.knows(key, value))
                )
            elif self.strict and key not in self.known_keys:
                points -= 1
        return points - sum(key not in document.metadata for key in self.required if key != "prompt")

    def _restricts_by(self, key: str) -> bool:
        return folded_key(key) in self.restrictions if self.any_spelling else key in self.permission_keys

    @property
    def restrictions(self) -> frozenset[str]:
        """The permission keys, without case, dashes and underscores."""
        return _folded_keys(self.permission_keys)

    @property
    def suffix(self) -> str:
        """The ending of the files that are written."""
        return self.suffixes[0]

    @property
    def written_directory(self) -> str:
        """Where files are created for the user, relative to the home directory; empty where there is no such place."""
        return self.user_directory.rpartition("/")[0] if self.shared else self.user_directory

    @property
    def places(self) -> frozenset[str]:
        """The directories of its agents, in a repository of a home directory or of a project."""
        return frozenset({self.user_directory, *self.project_directories} - {""})

    @property
    def other_directories(self) -> frozenset[str]:
        """The directories in which nothing is an agent outside of `places`."""
        if self.recognition.other_directories is not None:
            return frozenset(self.recognition.other_directories)
        tops = (directory.partition("/") for directory in self.project_directories)
        return frozenset(top for top, _, below in tops if below and top.startswith("."))

    def effects_of(self, key: str) -> tuple[KeyEffect, ...]:
        """The effects of a key, in any spelling, in this tool's files."""
        return (*effects_of(key), *self.effects.get(folded_key(key), ()))

    def sniffs(self, document: Document) -> bool:
        """Whether a document that is in no tool's directory is an agent in this format."""
        sniff = self.recognition.sniff
        return sniff is not None and sniff(document)

    def path_of(self, slug: str) -> str:
        """The path of an agent below the tool's directory, or its name in the shared file."""
        return slug if self.shared else slug + self.suffix


@cache
def _folded_keys(keys: frozenset[str]) -> frozenset[str]:
    return frozenset(map(folded_key, keys))


def refused(diagnostics: tuple[Diagnostic, ...]) -> bool:
    """Whether there is an error among the diagnostics."""
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
