"""Snapshot of a source at one commit, with everything that decides how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from posixpath import normpath

from agentsync.config.tables import SourceTable
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError, ConfigError, SourceRefusedError, SourceUnavailableError
from agentsync.dialects import Kind
from agentsync.formats.document import MAX_FILE_BYTES
from agentsync.git.mirror import Mirror
from agentsync.git.objects import Entry
from agentsync.repository.acceptance import Acceptance
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from agentsync.repository.manifest import FILE_NAME, MAX_BYTES, Manifest, as_overrides, read_manifest
from agentsync.repository.multi_agent_files import split_file
from agentsync.repository.overrides import AgentFilter, Override
from agentsync.repository.plugins import MARKETPLACE, listed_plugins
from agentsync.repository.selection import Selection, select, without_large
from agentsync.repository.settings_files import extract_agents
from agentsync.repository.submodules import with_submodules
from agentsync.repository.unmatched import unmatched_paths
from agentsync.repository.working_tree import WORKING_TREE, WorkingTree

Files = Mirror | WorkingTree
"""Store of a source's files: committed in a mirror, or saved in a working tree."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Source at a commit.

    Attributes:
        name, url: as configured; the URL without credentials.
        files: where its blobs are, apart from those in `made`.
        entries: the files to read.
        selection: how they were chosen, and their dialects.
        models: dialect to model table: the configuration's over the manifest's.
        replaces: whether its agents win over those of earlier sources.
        overrides: overrides of its agents, in the order in which they apply.
        filters: which agents are taken, by the manifest and by the configuration; an agent must pass both.
        prefix: what each agent's name begins with here.
        diagnostics: of files that are unsafe to read.
        unmatched: diagnostics of the subfolder and the patterns of paths that lead to nothing.
        paths: of all files, those that are not read too; empty where the source is a single file.
        made: the bytes of files that were made of others, such as agents in a tool's settings, by their blob ids.
        unread: the paths of files that may be agents and are not read, since there are too many.
        not_synced: the number of things of each kind that tools read and that are not synced.
        accepts_scattered: whether all agents are taken that are outside of directories of agents.
        plugins: the names of plugins by their directories, as a marketplace lists them.
        accept: the losses in conversion that its manifest accepts.
        plugin_prefixes: by path, what is put before an agent's name since another plugin has one of this name.
        read: reads the agent in a file's bytes, given its path and the dialect that is declared for it.
        called: by path of an agent that calls others, for each target the names there of those that have another one.
    """

    name: str
    url: str
    commit: str
    files: Files
    entries: Sequence[Entry]
    selection: Selection
    models: Mapping[str, Mapping[str, str]]
    replaces: bool = False
    overrides: tuple[Override, ...] = ()
    filters: tuple[AgentFilter, ...] = ()
    prefix: str = ""
    diagnostics: tuple[Diagnostic, ...] = ()
    unmatched: tuple[Diagnostic, ...] = ()
    paths: frozenset[str] = frozenset()
    made: Mapping[str, bytes] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    not_synced: Mapping[Kind, int] = field(default_factory=dict)
    accepts_scattered: bool = False
    plugins: Mapping[str, str] = field(default_factory=dict)
    accept: tuple[Acceptance, ...] = ()
    read: Callable[[str, bytes, str | None], ReadAgent | NoAgent] = field(default=read_agent, repr=False)
    plugin_prefixes: Mapping[str, str] = field(default_factory=dict)
    called: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the content of each of these blobs, in any order, one in memory at a time.

        Raises:
            SourceUnavailableError: the mirror cannot be read.
            ConfigError: a working tree cannot be read, or has changed.
        """
        stored = []
        for id_ in ids:
            if id_ in self.made:
                yield id_, self.made[id_]
            else:
                stored.append(id_)
        if stored:
            yield from self.files.blobs(stored)

    def prefix_of(self, path: str) -> str:
        """What an agent's name begins with here."""
        return self.prefix + self.plugin_prefixes.get(path, "")

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Everything that names of its agents begin with here, sorted."""
        return tuple(sorted(filter(None, (self.prefix + one for one in {"", *self.plugin_prefixes.values()}))))


@dataclass(frozen=True, slots=True)
class LocalSettings:
    """Settings of this machine for the agents of every source.

    Attributes:
        models: dialect to model table, over the manifest's.
        overrides: the configuration's, then the user's overlays; they apply after the manifest's.
    """

    models: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()


def take_snapshot(
    files: Files, table: SourceTable, *, name: str, url: str, commit: str, local: LocalSettings
) -> Snapshot:
    """Read the manifest of a source at a commit, and select the files to read.

    Args:
        files: of the source.
        table: the source's settings.
        name: the source's name.
        url: without credentials.
        commit: which files.
        local: this machine's settings.

    Raises:
        SourceRefusedError: the manifest cannot be used.
        SourceUnavailableError: the files cannot be read.
    """
    entries = files.tree(commit)
    manifest = manifest_in(files, entries)
    selection = table.selection(manifest.agents)
    if table.submodules == "follow":
        entries = with_submodules(entries, selection, partial(_tree_of_submodule, files))
    paths = frozenset(entry.path for entry in entries if entry.mode.startswith("100"))
    listings = [entry for entry in entries if entry.path == f"{table.subfolder.strip('/')}/{MARKETPLACE}".lstrip("/")]
    # The manifest is no agent, whatever dialect is declared for the files.
    selected = select([entry for entry in entries if entry.path != FILE_NAME], selection)
    read = partial(_contents, files)
    identified, large = without_large(files.identified(selected.entries), selection)
    chosen, unclear = split_file(identified, selection, read)
    extracted = extract_agents(chosen, {entry.path: entry for entry in entries if entry.path in paths}, read)
    models = {
        dialect: {**manifest.models.get(dialect, {}), **local.models.get(dialect, {})}
        for dialect in {*manifest.models, *local.models}
    }
    from_manifest = as_overrides(manifest.overrides, FILE_NAME)
    return Snapshot(
        name=name,
        url=url,
        commit=commit,
        files=files,
        entries=extracted.entries,
        selection=selection,
        models=models,
        replaces=table.replaces,
        overrides=(*(override.under(table.prefix) for override in from_manifest), *local.overrides),
        filters=tuple(AgentFilter(one.only, one.skip).under(table.prefix) for one in (manifest.agents, table)),
        prefix=table.prefix,
        diagnostics=(*selected.diagnostics, *large, *unclear, *extracted.diagnostics),
        unmatched=tuple(unmatched_paths(entries, table.subfolder, table, manifest.agents, source=name)),
        paths=paths,
        made=extracted.contents,
        unread=selected.unread,
        not_synced=selected.not_synced,
        # Patterns name the intended files themselves.
        accepts_scattered=table.allow_scattered or bool(selection.include),
        plugins=_plugins(files, listings, table.subfolder.strip("/")),
        accept=tuple(entry.under(table.prefix) for entry in manifest.accept),
    )


def snapshot_of_directory(files: WorkingTree, table: SourceTable, *, name: str) -> Snapshot:
    """Take a snapshot of a working tree by itself, without settings of this machine.

    Raises:
        ConfigError: the manifest has a mistake, or something cannot be read.
    """
    try:
        return take_snapshot(files, table, name=name, url=table.url, commit=WORKING_TREE, local=LocalSettings())
    except SourceRefusedError as error:
        raise _located(error, table.url) from error


def _located(error: AgentsyncError, directory: str) -> ConfigError:
    """Return the error with places that lead into a working tree."""
    others = [_located(other, directory) for other in error.others]
    return ConfigError(error.message, place=f"{directory}/{error.place}", hint=error.hint, others=others)


def snapshot_of_file(files: WorkingTree, table: SourceTable, entry: Entry, *, name: str) -> Snapshot:
    """Take a snapshot of one file of a working tree, whatever its name, without the manifest."""
    selection = table.selection(Manifest().agents)
    read = partial(_contents, files)
    entries, unclear = split_file(files.identified([entry]), selection, read)
    extracted = extract_agents(entries, {}, read)
    return Snapshot(
        name,
        table.url,
        WORKING_TREE,
        files,
        extracted.entries,
        selection,
        {},
        diagnostics=(*unclear, *extracted.diagnostics),
        made=extracted.contents,
    )


def _tree_of_submodule(files: Files, commit: str) -> list[Entry]:
    if not files.has(commit):
        message = f"the submodule at {commit[:12]} was not fetched yet"
        raise SourceUnavailableError(message, hint="run `agentsync pull`, which fetches it")
    return files.tree(commit)


def _contents(files: Files, entries: Sequence[Entry]) -> Iterator[bytes]:
    return (data for _, data in files.blobs(entry.blob for entry in files.identified(entries)))


def _plugins(files: Files, listings: Sequence[Entry], root: str) -> Mapping[str, str]:
    """Return the plugins that the marketplace of a source lists, by their directories."""
    readable = [one for one in listings if one.mode.startswith("100") and one.size <= MAX_FILE_BYTES]
    readable = [one for one in files.identified(readable) if one.size <= MAX_FILE_BYTES]
    return {
        normpath(f"{root}/{directory}").lstrip("/"): name
        for data in (_contents(files, readable) if readable else ())
        for directory, name in listed_plugins(data).items()
    }


def manifest_in(files: Files, entries: Sequence[Entry]) -> Manifest:
    """Read the repository's manifest.

    Raises:
        SourceRefusedError: it cannot be read, or has a mistake.
        SourceUnavailableError: the mirror cannot be read.
    """
    for entry in entries:
        if entry.path == FILE_NAME:
            if not entry.mode.startswith("100") or max(entry.size, files.identified([entry])[0].size) > MAX_BYTES:
                raise SourceRefusedError(f"it must be a file of at most {MAX_BYTES} bytes", place=FILE_NAME)
            (data,) = _contents(files, [entry])
            try:
                return read_manifest(data)
            except ConfigError as error:
                raise SourceRefusedError(
                    error.message, place=error.place, hint=error.hint, others=error.others
                ) from error
    return Manifest()
