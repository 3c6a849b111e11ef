"""What was last applied of each agent in each target directory, to compare the next version with.

That is a matter of inventory and history, and not of the file that is there: one that was edited, deleted or left out
meanwhile, or that is called otherwise now, is compared with what agentsync last wrote there.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from agentsync.core.digest import digest
from agentsync.core.errors import AgentsyncError
from agentsync.core.paths import AppPaths, is_file
from agentsync.state.backups import Backups
from agentsync.state.records import Key, Recorded
from agentsync.sync.contents import ContentStore
from agentsync.sync.renamed import find_renamed
from agentsync.targets.change import Actual, Wanted
from agentsync.targets.target_place import DirectoryOptions, open_place


@dataclass(frozen=True, slots=True)
class LastApplied:
    """The version of an agent that was last applied in a directory, where another one is wanted.

    Attributes:
        key: where it was; elsewhere in the directory if the agent was renamed.
        row: what was written there.
        data: its bytes; None where they are kept no more.
    """

    key: Key
    row: Recorded
    data: bytes | None


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds what was last applied.

    Attributes:
        directories: of the targets, and how they may be opened.
        inventory: what agentsync had written, and is to be there.
        departed: what it had last written where it has nothing now; the last one comes last.
        disk: what is at each path.
        urls: of each source.
        app_paths: where the backups are.
    """

    directories: Mapping[str, DirectoryOptions]
    inventory: Mapping[Key, Recorded]
    departed: Mapping[Key, Recorded]
    disk: Mapping[Key, Actual]
    urls: Mapping[str, str]
    app_paths: AppPaths

    def find(self, wanted: Mapping[Key, tuple[str, Wanted]], contents: ContentStore) -> dict[Key, LastApplied]:
        """Return the last version of each wanted file that is to be written and differs from it.

        Raises:
            SourceUnavailableError: a mirror cannot be read.
            StateError: the backups cannot be used.
        """
        applied = {**self.departed, **self.inventory}
        written = [key for key, (_, file) in wanted.items() if self.disk[key].digest != file.digest]
        former = {key: key for key in written if key in applied}
        gone = {key: row for key, row in applied.items() if key not in wanted}
        new = [key for key in written if key not in former and self.disk[key].digest is None] if gone else []
        former |= self._with_same_source(new, wanted, gone)
        new = [key for key in new if key not in former]
        changed = {key: last for key, last in former.items() if applied[last].digest != wanted[key][1].digest}
        contents.load(wanted[key][1] for key in (*changed, *new))
        candidates = gone.keys() - former.values() if new else ()
        data = dict(self._read({key: applied[key] for key in (*changed.values(), *candidates)}))
        texts = {key: contents.of(wanted[key][1]) for key in new}
        changed |= find_renamed(texts, {key: data[key] for key in candidates if key in data})
        return {key: LastApplied(last, applied[last], data.get(last)) for key, last in changed.items()}

    def _with_same_source(
        self, new: Iterable[Key], wanted: Mapping[Key, tuple[str, Wanted]], gone: Mapping[Key, Recorded]
    ) -> dict[Key, Key]:
        """Find the files that were written from the same file of a source, under another name."""
        by_origin = {(key[0], row.source_url, row.source_path): key for key, row in gone.items()}
        origins = {key: (key[0], self.urls[wanted[key][1].source], wanted[key][1].source_path) for key in new}
        return {key: by_origin[origin] for key, origin in origins.items() if origin in by_origin}

    def _read(self, rows: Mapping[Key, Recorded]) -> Iterator[tuple[Key, bytes]]:
        """Read what was written, from its file where that is unchanged, or else from the backups."""
        paths: defaultdict[str, list[str]] = defaultdict(list)
        for (directory, path), row in rows.items():
            if (found := self.disk.get((directory, path))) and found.digest == row.digest:
                paths[directory].append(path)
        missing = set(rows)
        for directory, names in paths.items():
            options = self.directories[directory]
            with suppress(AgentsyncError, OSError), open_place(directory, options, create=False) as place:
                for name in names:
                    with suppress(AgentsyncError, OSError):
                        data = place.read(name)
                        if digest(data) == rows[directory, name].digest:
                            missing.discard((directory, name))
                            yield (directory, name), data
        if missing and is_file(self.app_paths.backups):
            with Backups.open(self.app_paths.backups) as backups:
                for key in missing:
                    if (kept := backups.content(rows[key].digest)) is not None:
                        yield key, kept
