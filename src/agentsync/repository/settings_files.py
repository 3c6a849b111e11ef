"""Agents that are defined in a tool's settings: each becomes a file of its own, with the files that it takes in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath
from typing import NamedTuple

from pydantic import JsonValue

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import SETTINGS_ENTRY, entry_path
from agentsync.dialects import SettingsFile
from agentsync.formats.document import MAX_FILE_BYTES, UnreadableError
from agentsync.git.objects import Entry
from agentsync.repository.multi_agent_files import MAX_AGENTS, MAX_BYTES
from agentsync.repository.places import settings_dialect

Read = Callable[[Sequence[Entry]], Iterable[bytes]]

_MAX_PARTS = 16
"""Maximum number of files that one agent takes in."""

_TOGETHER = f"settings, the files that their agents take in and these agents are over {MAX_BYTES:,} bytes together"


@dataclass(frozen=True, slots=True)
class Extracted:
    """The files to read, with those that were made of settings.

    Attributes:
        entries: without settings, and without files that became part of an agent.
        contents: the bytes of the files that were made, by their blob ids.
        diagnostics: on agents that cannot be made, and files that cannot be read.
    """

    entries: list[Entry]
    contents: Mapping[str, bytes] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()


class _Reader:
    """Reads files of a source, up to a maximum of bytes together: each agent of each settings may name large ones."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._left = MAX_BYTES

    def __call__(self, entries: Sequence[Entry]) -> list[bytes] | None:
        """Return the bytes of some files, in their order; None where they are too much."""
        # Where content has yet to be fetched, its size is known only once it is read.
        contents = [*self._read(entries)] if self.takes(sum(entry.size for entry in entries)) else []
        return contents if contents and self.spend(sum(map(len, contents))) else None

    def takes(self, size: int) -> bool:
        """Whether so many bytes are left."""
        return size <= self._left

    def spend(self, size: int) -> bool:
        """Count bytes, and return whether there were so many left."""
        self._left -= size
        return self._left >= 0


class _Made(NamedTuple):
    """An agent as a file of its own, with the paths of the files that are part of it."""

    entry: Entry
    content: bytes
    parts: frozenset[str]


def extract_agents(entries: Sequence[Entry], tree: Mapping[str, Entry], read: Read) -> Extracted:
    """Replace each file of a tool's settings by one file for each agent that it defines.

    Args:
        entries: files that are to be read.
        tree: all regular files of the source, by path.
        read: returns the bytes of some of them, in their order.
    """
    formats = {
        entry: dialect.settings
        for entry in entries
        if (dialect := settings_dialect(entry.path)) and dialect.settings and ":" not in entry.path
    }
    if not formats:
        return Extracted([*entries])
    made: dict[Entry, list[_Made]] = {}
    diagnostics: list[Diagnostic] = []
    reader = _Reader(read)
    contents = reader([*formats])
    if contents is None:
        too_large = tuple(Diagnostic(Code.TOO_LARGE, _TOGETHER, path=entry.path) for entry in formats)
        return Extracted([entry for entry in entries if entry not in formats], diagnostics=too_large)
    for entry, data in zip(formats, contents, strict=True):
        results = [*_agents(entry, data, formats[entry], tree, reader)]
        made[entry] = [one for one in results if isinstance(one, _Made)]
        diagnostics += [one for one in results if isinstance(one, Diagnostic)]
    every = [one for agents in made.values() for one in agents]
    used = frozenset[str]().union(*(one.parts for one in every))
    agents = {entry: [one.entry for one in of_file] for entry, of_file in made.items()}
    remaining = [file for entry in entries if entry.path not in used for file in agents.get(entry, [entry])]
    return Extracted(remaining, {one.entry.blob: one.content for one in every}, tuple(diagnostics))


def _agents(
    entry: Entry, data: bytes, format_: SettingsFile, tree: Mapping[str, Entry], read: _Reader
) -> Iterator[_Made | Diagnostic]:
    try:
        agents = format_.agents(data, entry.path)
    except UnreadableError as error:
        # Most settings have no agents, so this is no error.
        message = f"neither are agents in these settings: {error.message}"
        yield Diagnostic(Code.NOT_AN_AGENT, message, path=entry.path)
        return
    if len(agents) > MAX_AGENTS:
        message = f"{len(agents)} agents are too many for one file (at most {MAX_AGENTS})"
        yield Diagnostic(Code.TOO_LARGE, message, path=entry.path)
        return
    for name, values in agents.items():
        if not SETTINGS_ENTRY.fullmatch(name):
            message = f"an agent is called {name!a} here, which is not letters, digits, dashes, dots and underscores"
            yield Diagnostic(Code.NAME_UNSAFE, message, path=entry.path)
            continue
        yield _made(entry, name, values, format_, tree=tree, read=read)


def _made(
    entry: Entry,
    name: str,
    values: Mapping[str, JsonValue],
    format_: SettingsFile,
    *,
    tree: Mapping[str, Entry],
    read: _Reader,
) -> _Made | Diagnostic:
    """Return the agent as a file, or the reason why it cannot be made."""
    path = entry_path(entry.path, name)
    named = dict.fromkeys(format_.parts(values))
    found = {part: tree.get(normpath(join(dirname(entry.path), part))) for part in named}
    parts = {part: there for part, there in found.items() if there and there.size <= MAX_FILE_BYTES}
    missing = next((part for part in named if part not in parts), "")
    contents: Mapping[str, bytes] = {}
    if parts and not missing and len(named) <= _MAX_PARTS:
        if (taken_in := read([*parts.values()])) is None:
            return Diagnostic(Code.TOO_LARGE, _TOGETHER, path=path)
        contents = dict(zip(parts, taken_in, strict=True))
        missing = next((part for part, data in contents.items() if len(data) > MAX_FILE_BYTES), "")
    if missing or len(named) > _MAX_PARTS:
        what = f"{missing!r}, which" if missing else f"more than {_MAX_PARTS} files, each of which"
        message = f"it takes in {what} must be a file of this repository of at most {MAX_FILE_BYTES:,} bytes"
        return Diagnostic(Code.PART_MISSING, message, path=path)
    try:
        content = format_.written(name, values, contents)
    except UnreadableError as error:
        return error.diagnostic.at(path=path)
    if not read.spend(len(content)):
        return Diagnostic(Code.TOO_LARGE, _TOGETHER, path=path)
    blob = hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()
    return _Made(
        Entry(path, entry.mode, blob, len(content)), content, frozenset(there.path for there in parts.values())
    )
