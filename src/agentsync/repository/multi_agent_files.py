"""Multi-agent files, in which a tool keeps all of its agents: split into one entry for each agent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.entry_paths import ENTRY, entry_path
from agentsync.core.naming import slug
from agentsync.dialects import SharedFile, UneditableError
from agentsync.git.objects import Entry
from agentsync.repository.selection import Selection, dialect_of

MAX_AGENTS = 256
"""Maximum number of agents in one file."""

MAX_BYTES = 8 << 20
"""Maximum size of all such files of a source together: splitting them takes seconds for each megabyte."""


def split_file(
    entries: Sequence[Entry], selection: Selection, read: Callable[[Sequence[Entry]], Iterable[bytes]]
) -> tuple[list[Entry], list[Diagnostic]]:
    """Replace each multi-agent file by one entry for each of its agents, and return the diagnostics on these files.

    A file that cannot be split stays as it is, and its reader reports why. A diagnostic has the path of what cannot be
    read: that of the agent's entry, or the file's where it concerns more than one agent.

    Args:
        entries: files that are to be read.
        selection: how they were chosen, and their dialects.
        read: returns the bytes of some of them, in their order; consumed one by one.
    """
    shared = {
        entry: dialect.shared for entry in entries if (dialect := dialect_of(entry.path, selection)) and dialect.shared
    }
    if not shared:
        return [*entries], []
    if sum(entry.size for entry in shared) > MAX_BYTES:
        message = f"the files with several agents are over {MAX_BYTES:,} bytes together"
        diagnostics = [Diagnostic(Code.TOO_LARGE, message, path=entry.path) for entry in shared]
        return [entry for entry in entries if entry not in shared], diagnostics
    paths = {entry.path for entry in shared}
    split: dict[Entry, list[Entry]] = {}
    diagnostics = []
    for entry, data in zip(shared, read([*shared]), strict=True):
        if other := _preferred_file(entry.path, shared[entry], paths):
            # The diagnostic has no path, since outputs of a path with a diagnostic stay as they were.
            message = f"`{entry.path}` is not read, as the tool does not read it where `{other}` is there"
            split[entry], problems = [], [Diagnostic(Code.SAME_TWICE, message)]
        else:
            split[entry], problems = _split(entry, data, shared[entry])
        diagnostics += problems
    return [agent for entry in entries for agent in split.get(entry, [entry])], diagnostics


def _preferred_file(path: str, shared: SharedFile, paths: set[str]) -> str:
    """Return the file beside this one that the tool reads instead of it; empty where there is none."""
    above, slash, name = path.rpartition("/")
    names = shared.project_files
    before = names[: names.index(name)] if name in names else ()
    return next((other for first in before if (other := f"{above}{slash}{first}") in paths), "")


def _split(entry: Entry, data: bytes, shared: SharedFile) -> tuple[list[Entry], list[Diagnostic]]:
    try:
        names = [*shared.entries(shared.readable(data))]
    except UneditableError:
        return [entry], []
    if len(names) > MAX_AGENTS:
        message = f"{len(names)} agents are too many for one file (at most {MAX_AGENTS})"
        return [], [Diagnostic(Code.TOO_LARGE, message, path=entry.path)]
    diagnostics = [*_unsafe_names(entry, names), *_same_slugs(entry, names)]
    left_out = {diagnostic.path for diagnostic in diagnostics}
    paths = [entry_path(entry.path, name) for name in names if ENTRY.fullmatch(name)]
    return [replace(entry, path=path) for path in paths if path not in left_out], diagnostics


def _unsafe_names(entry: Entry, names: Sequence[str]) -> Iterator[Diagnostic]:
    for name in names:
        if not ENTRY.fullmatch(name):
            message = f"an agent is called {name!a} here, which is not letters, digits and dashes"
            yield Diagnostic(Code.NAME_UNSAFE, message, path=entry.path)


def _same_slugs(entry: Entry, names: Sequence[str]) -> Iterator[Diagnostic]:
    """Report agents of one file whose outputs would have the same name; `check_names` does so between files."""
    names_by_slug: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        names_by_slug[slug(name)].append(name)
    for same, group in names_by_slug.items():
        for name in group if len(group) > 1 else ():
            others = ", ".join(f"`{other}`" for other in group if other != name)
            message = f"`{same}` is also what {others} is called in files"
            yield Diagnostic(Code.NAME_TWICE, message, path=entry_path(entry.path, name), agent=same)
