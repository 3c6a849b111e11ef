"""The agents of a file in which a tool keeps all of them, each as if it had a file of its own."""

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

MAX_PARTS = 256
"""How many agents one file may hold."""

MAX_BYTES = 8 << 20
"""How large all such files of a source may be together: telling their agents apart takes seconds for each megabyte."""


def split_file(
    entries: Sequence[Entry], selection: Selection, read: Callable[[Sequence[Entry]], Iterable[bytes]]
) -> tuple[list[Entry], list[Diagnostic]]:
    """The files with one entry for each agent in the place of those that hold several, and what was found on these.

    A file of which the agents cannot be told apart stays as it is: whoever reads it says why. A finding has the path of
    what cannot be read: that which the agent's entry would have, or the file's where it is about more than one.

    Args:
        entries: files that are to be read.
        selection: how they were chosen, and their dialects.
        read: the bytes of some of them, in their order; asked for one by one.
    """
    shared = {
        entry: dialect.shared for entry in entries if (dialect := dialect_of(entry.path, selection)) and dialect.shared
    }
    if not shared:
        return [*entries], []
    if sum(entry.size for entry in shared) > MAX_BYTES:
        message = f"the files that hold several agents are over {MAX_BYTES:,} bytes together"
        found = [Diagnostic(Code.TOO_LARGE, message, path=entry.path) for entry in shared]
        return [entry for entry in entries if entry not in shared], found
    paths = {entry.path for entry in shared}
    parts: dict[Entry, list[Entry]] = {}
    found = []
    for entry, data in zip(shared, read([*shared]), strict=True):
        if other := _in_its_place(entry.path, shared[entry], paths):
            # Without a path: what has one here is unclear, so that what was written of it stays.
            message = f"`{entry.path}` is not read, as the tool does not read it where `{other}` is there"
            parts[entry], problems = [], [Diagnostic(Code.SAME_TWICE, message)]
        else:
            parts[entry], problems = _parts(entry, data, shared[entry])
        found += problems
    return [part for entry in entries for part in parts.get(entry, [entry])], found


def _in_its_place(path: str, shared: SharedFile, paths: set[str]) -> str:
    """The file beside this one that the tool reads instead of it; empty where there is none."""
    above, slash, name = path.rpartition("/")
    names = shared.project_files
    before = names[: names.index(name)] if name in names else ()
    return next((other for first in before if (other := f"{above}{slash}{first}") in paths), "")


def _parts(entry: Entry, data: bytes, shared: SharedFile) -> tuple[list[Entry], list[Diagnostic]]:
    try:
        names = [*shared.entries(data)]
    except UneditableError:
        return [entry], []
    if len(names) > MAX_PARTS:
        message = f"{len(names)} agents are too many for one file (at most {MAX_PARTS})"
        return [], [Diagnostic(Code.TOO_LARGE, message, path=entry.path)]
    found = [*_unnamed(entry, names), *_alike(entry, names)]
    left_out = {finding.path for finding in found}
    paths = [entry_path(entry.path, name) for name in names if ENTRY.fullmatch(name)]
    return [replace(entry, path=path) for path in paths if path not in left_out], found


def _unnamed(entry: Entry, names: Sequence[str]) -> Iterator[Diagnostic]:
    for name in names:
        if not ENTRY.fullmatch(name):
            message = f"an agent is called {name!a} here, which is not letters, digits and dashes"
            yield Diagnostic(Code.NAME_UNSAFE, message, path=entry.path)


def _alike(entry: Entry, names: Sequence[str]) -> Iterator[Diagnostic]:
    """A finding for each agent that another one's files would be called like; between files, `check_names` says so."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[slug(name)].append(name)
    for same, group in alike.items():
        for name in group if len(group) > 1 else ():
            others = ", ".join(f"`{other}`" for other in group if other != name)
            message = f"`{same}` is also what {others} is called in files"
            yield Diagnostic(Code.NAME_TWICE, message, path=entry_path(entry.path, name), agent=same)
