"""Contents of the wanted files: how a file of a source is rendered, and its bytes where they are asked for later."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from agentsync.agents.patterns import TooManyPatternsError
from agentsync.config import Target
from agentsync.convert.render import RenderedFile, render
from agentsync.core.digest import digest
from agentsync.core.errors import StateError, StateShortageError, shortage, why
from agentsync.repository.dialect_detection import NoAgent, ReadAgent
from agentsync.repository.overrides import Override, also_denied, following, prefixed
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.snapshot import Snapshot
from agentsync.sync.time_budget import TimeBudget
from agentsync.targets.change import Change, Wanted

_IN_MEMORY: Final = 16 << 20
"""How many bytes are in memory: some 5,000 files, which is more than most runs render."""


class ContentStore:
    """Bytes of wanted files: those rendered in this run, and the others on demand.

    A first run may render more than there is memory for, so after some MiB they are in a file that has no name.
    """

    def __init__(self, snapshots: Sequence[Snapshot], targets: Sequence[Target], directory: Path | None = None) -> None:
        """Create an empty store.

        Args:
            snapshots: of the sources that the files are from.
            targets: that they are for.
            directory: where its file is; None to keep no bytes but those that are loaded.
        """
        self._snapshots = {snapshot.name: snapshot for snapshot in snapshots}
        self._targets = targets
        self._directory = directory
        where = str(directory) if directory else None
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=where)  # noqa: SIM115 - open as long as this is
        weakref.finalize(self, self._file.close)
        self._places: dict[str, tuple[int, int]] = {}
        self._size = 0

    def keep(self, data: bytes) -> str:
        """Store the bytes of one file, if this store keeps them, and return their digest.

        Raises:
            StateError: they cannot be stored; StateShortageError where there is no space for them.
        """
        digested = digest(data)
        if self._directory is not None:
            self._store(digested, data)
        return digested

    def _store(self, digested: str, data: bytes) -> None:
        if digested in self._places:
            return
        try:
            self._file.seek(self._size)
            self._file.write(data)
            self._file.flush()
        except OSError as error:
            kind = StateShortageError if shortage(error) else StateError
            message = f"the files to be written cannot be kept until then: {why(error)}"
            raise kind(message, place=str(self._directory or ""), hint="check permissions and space") from error
        self._places[digested] = self._size, len(data)
        self._size += len(data)

    def follow(self, snapshots: Sequence[Snapshot]) -> None:
        """Render by these snapshots from now on, which have the names of called agents."""
        self._snapshots = {snapshot.name: snapshot for snapshot in snapshots}

    def load(self, files: Iterable[Wanted]) -> None:
        """Render those of these files that this run took from the cache; read each mirror once.

        Raises:
            SourceUnavailableError: a mirror cannot be read.
            StateError: they cannot be stored.
        """
        missing = (file for file in files if file.digest not in self._places)
        for snapshot, path, data in self._sources_of((file.source, file.blob, file.source_path) for file in missing):
            for rendered in render_file(snapshot, path, data, self._targets)[1].values():
                if rendered.data is not None:
                    self._store(digest(rendered.data), rendered.data)

    def read_again(self, compiled: Iterable[CompiledAgent]) -> Iterator[ReadAgent]:
        """Read agents again as they were read for the build, which does not keep them; each mirror is read once.

        Raises:
            SourceUnavailableError: a mirror cannot be read.
            ConfigError: a working tree cannot be read, or has changed.
        """
        for snapshot, path, data in self._sources_of((one.source, one.blob, one.path) for one in compiled):
            read, _ = render_file(snapshot, path, data, ())
            assert isinstance(read, ReadAgent)  # noqa: S101 - the build found an agent in the same bytes
            yield read

    def _sources_of(self, files: Iterable[tuple[str, str, str]]) -> Iterator[tuple[Snapshot, str, bytes]]:
        """Yield the snapshot, the path and the bytes of files that are given by source, blob and path."""
        paths: dict[str, dict[str, dict[str, None]]] = {}
        for source, blob, path in files:
            paths.setdefault(source, {}).setdefault(blob, {})[path] = None
        for source, blobs in paths.items():
            snapshot = self._snapshots[source]
            for blob, data in snapshot.blobs(blobs):
                yield from ((snapshot, path, data) for path in blobs[blob])

    def __call__(self, change: Change) -> bytes:
        """Return the bytes of a change's wanted file; `load` must have been called with that file before."""
        assert change.wanted is not None  # noqa: S101 - only changes that write ask for bytes
        return self.of(change.wanted)

    def of(self, wanted: Wanted) -> bytes:
        """Return the bytes of a wanted file; `load` must have been called with it before."""
        start, length = self._places[wanted.digest]
        self._file.seek(start)
        return self._file.read(length)


def render_file(
    snapshot: Snapshot, path: str, data: bytes, targets: Iterable[Target], budget: TimeBudget | None = None
) -> tuple[ReadAgent | NoAgent, dict[str, RenderedFile]]:
    """Read a file, and render it for each target that takes it, by the target's name.

    A file that takes more than its time budget is refused. Without one, it is known to take no longer.
    """
    read = snapshot.read(path, data, snapshot.selection.dialect_of(path))
    if isinstance(read, NoAgent):
        return read, {}
    if prefix := snapshot.prefix_of(path):
        agent = prefixed(read.agent, prefix)
        if path in snapshot.plugin_prefixes:
            agent = agent.model_copy(update={"own_slug": prefixed(read.agent, snapshot.prefix).slug})
        read = replace(read, agent=agent, passes_through=False)
    called = snapshot.called.get(path, {})
    files = {}
    for target in targets:
        if target.filter.takes(read.agent):
            if budget and budget.spent:
                return NoAgent((budget.diagnostic(path),), read.agent.name), {}
            options = replace(target.options, models=snapshot.models.get(target.dialect, {}))
            for_target, denied = _following(read, called.get(target.name, {}), snapshot.prefixes)
            files[target.name] = render(for_target, target.written, options, (*denied, *snapshot.overrides))
    return read, files


def _following(
    read: ReadAgent, names: Mapping[str, str], prefixes: Sequence[str]
) -> tuple[ReadAgent, tuple[Override, ...]]:
    """Return an agent that calls other agents by their names in a target, and overrides that deny it further names.

    Args:
        read: the agent.
        names: the target's name of each agent that is called otherwise there.
        prefixes: what names of agents begin with here.
    """
    if not names:
        return read, also_denied(read.agent, *prefixes)
    try:
        grants = following(read.agent.grants, names, prefixes)
    except TooManyPatternsError:
        return read, also_denied(read.agent, *prefixes)
    agent = read.agent.model_copy(update={"grants": grants})
    return replace(read, agent=agent, passes_through=False, respelled=True), ()
