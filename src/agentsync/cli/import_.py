"""`agentsync import`: the agents that this machine's tools have, as files of a source repository."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import click

from agentsync.agents.model import NEUTRAL
from agentsync.cli.console import show_diagnostic
from agentsync.cli.cycle import parse_target
from agentsync.cli.options import common, common_options, complete_dialect
from agentsync.cli.words import counted
from agentsync.convert.merge import merge
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.core.entry_paths import split_path
from agentsync.core.errors import ConfigError, ExitCode, StateError
from agentsync.core.paths import app_paths, is_directory, is_file, shorten
from agentsync.core.urls import printable
from agentsync.dialects import Dialect, dialects
from agentsync.repository.checks import Named, check_names
from agentsync.repository.detection import ReadAgent, read_agent
from agentsync.repository.manifest import FILE_NAME, read_manifest
from agentsync.repository.multi_agent_files import split_file
from agentsync.repository.selection import Selection, select
from agentsync.repository.working_tree import content, entry_of, list_files
from agentsync.state.store import State
from agentsync.targets.directory import TargetDirectory, TargetError, temporary
from agentsync.targets.installed import directory_of, installed
from agentsync.targets.observe import ChangedError

_EPILOG = """\b
Examples:
  agentsync import .
  agentsync import ~/src/agents --from claude --from opencode
  agentsync import ~/src/agents --from claude=~/old/agents --as own --dry-run
"""

_MANIFEST = """# What this repository says about itself to agentsync.
version = 1

[agents.dialects]
"agents/**" = "neutral"
"""


@click.command("import", epilog=_EPILOG)
@click.argument("into", type=click.Path(path_type=Path, file_okay=False), default=".")
@click.option(
    "--from",
    "sources",
    multiple=True,
    metavar="DIALECT[=PATH]",
    help="A tool to import from, and where its agents are; every tool that is installed here otherwise.",
    shell_complete=complete_dialect,
)
@click.option(
    "--as",
    "form",
    type=click.Choice(["neutral", "own"]),
    default="neutral",
    help="agentsync's own format (neutral), or each tool's as it is (own).",
)
@click.option("--dry-run", is_flag=True, help="Write nothing.")
@common_options
def command(*, into: Path, sources: tuple[str, ...], form: Literal["neutral", "own"], dry_run: bool) -> int:
    """Write the agents of tools on this machine into INTO, a clone of the team's repository.

    Versions of one agent in several tools become one file: what differs stands under `targets`, and a prompt that
    differs is shown. The first tool counts for the rest. Files that are in INTO already are never overwritten, the
    tools' own files are not touched, and what agentsync itself wrote for them is left out.
    """
    options = common()
    found, skipped = _gather([*_directories(sources)])
    files = [*_files(found, form)]
    if form == "neutral" and files:
        files.append(File(FILE_NAME, _MANIFEST.encode(), (), ()))
    results = [*zip(files, _write(into, files, dry_run=dry_run), strict=True)]
    reported = [*skipped, *(finding for file in files for finding in file.diagnostics)]
    reported += [_in_the_way(file) for file, result in results if result == "kept" and file.path != FILE_NAME]
    reported += [finding for file, result in results if result == "kept" and (finding := _unmapped(into, file, files))]
    wrong = any(finding.severity is Severity.ERROR for finding in reported)
    options.status = ExitCode.INCOMPLETE if wrong else ExitCode.OK if files else ExitCode.FINDINGS
    if options.json:
        record = {
            "files": [
                {"path": file.path, "agent": ", ".join(file.agents), "result": result} for file, result in results
            ],
            "diffs": [diff for file in files for diff in file.diffs],
            "diagnostics": [finding.as_dict() for finding in reported],
        }
        click.echo(json.dumps(record))
        return options.status
    _show(into, results, reported)
    return options.status


Result = Literal["written", "new", "unchanged", "kept"]
"""What became of a file; one that is new was not written, since nobody asked for that."""


@dataclass(frozen=True, slots=True)
class File:
    """One file to write: path below the repository, bytes, its agents' names, and what is to be told of it."""

    path: str
    data: bytes
    agents: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    diffs: tuple[str, ...] = ()


def _directories(sources: Sequence[str]) -> Iterator[tuple[Dialect, Path]]:
    if not sources:
        for dialect in installed():
            place = directory_of(dialect)
            if place is not None and _is_there(dialect, place):
                yield dialect, place
        return
    for text in sources:
        name, given = parse_target(text, "--from")
        dialect = dialects()[name]
        path = given or directory_of(dialect)
        if path is None or not _is_there(dialect, path):
            what, word = ("file", "FILE") if dialect.shared else ("directory", "DIR")
            message = f"there is no such {what}"
            raise ConfigError(message, place=str(path or name), hint=f"name it: --from DIALECT={word}")
        yield dialect, path


def _is_there(dialect: Dialect, place: Path) -> bool:
    return is_file(place) if dialect.shared else is_directory(place)


def _gather(directories: Sequence[tuple[Dialect, Path]]) -> tuple[dict[str, list[ReadAgent]], list[Diagnostic]]:
    """The agents by the name of their files, each dialect's once, and what could not be read."""
    agents: dict[str, list[ReadAgent]] = {}
    found: list[Diagnostic] = []
    managed = _managed([directory for _, directory in directories])
    for dialect in dict.fromkeys(dialect for dialect, _ in directories):
        named: dict[Named, ReadAgent] = {}
        for directory in (directory for other, directory in directories if other is dialect):
            reads, problems = _read(dialect, directory, managed)
            found += problems
            for read in reads:
                document = read.document
                named[Named(dialect.name, document.path, digest(document.data), read.agent.slug)] = read
        used, twice = check_names([*named], frozenset())
        found += twice
        for name in (name for name in named if name in used):
            agents.setdefault(name.slug, []).append(named[name])
    return agents, found


def _read(
    dialect: Dialect, directory: Path, managed: frozenset[tuple[str, str]]
) -> tuple[list[ReadAgent], list[Diagnostic]]:
    """The agents of a directory, or of the file in which a tool keeps them all, and what was found on them."""
    root = directory.parent if dialect.shared else directory
    there = [entry_of(root, directory)] if dialect.shared else list_files(root)
    names = (directory.name,) if dialect.shared else tuple(f"*{end}" for end in dialect.suffixes)
    selection = Selection(include=names, dialects=(("**", dialect.name),))
    chosen, unsafe = select(there, selection)
    chosen, unclear = split_file(chosen, selection, lambda files: (content(root / file.path) for file in files))
    shown = shorten(str(root))
    reads = [
        read_agent(f"{shown}/{entry.path}", content(root / split_path(entry.path)[0]), dialect.name)
        for entry in chosen
        if (str(directory), split_path(entry.path)[1] or entry.path) not in managed
    ]
    found = [replace(finding, path=f"{shown}/{finding.path}") for finding in (*unsafe, *unclear)]
    found += [finding for read in reads for finding in read.diagnostics]
    reported = [finding for finding in found if finding.severity is not Severity.INFO]
    return [read for read in reads if isinstance(read, ReadAgent)], reported


def _managed(directories: Sequence[Path]) -> frozenset[tuple[str, str]]:
    """What agentsync wrote itself: it came from a repository and has no need to go into one."""
    database = app_paths().database
    try:
        database.stat()
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        raise StateError(f"the state cannot be read: {error.strerror}", place=str(database)) from error
    with State.open(database) as state:
        return frozenset(state.inventory({str(directory) for directory in directories}))


def _files(found: dict[str, list[ReadAgent]], form: Literal["neutral", "own"]) -> Iterator[File]:
    if form == "own":
        yield from _own_files(found)
        return
    for slug in sorted(found):
        merged = merge(found[slug])
        names = (found[slug][0].agent.name,)
        yield File(f"agents/{slug}.md", merged.data, names, merged.diagnostics, merged.diffs)


def _own_files(found: dict[str, list[ReadAgent]]) -> Iterator[File]:
    """A file for each agent, or one for all of a tool that keeps them so: of each agent its first version."""
    together: dict[Dialect, dict[str, ReadAgent]] = {}
    left_out: dict[Dialect, list[Diagnostic]] = {}
    for slug in sorted(found):
        first, *others = found[slug]
        message = f"left out: a repository holds an agent once, and {first.document.path} is that"
        reported = [Diagnostic(Code.VERSION_DIFFERS, message, path=other.document.path) for other in others]
        if first.dialect.shared:
            together.setdefault(first.dialect, {})[first.agent.name] = first
            left_out.setdefault(first.dialect, []).extend(reported)
            continue
        path = f"{first.dialect.project_directories[0]}/{slug}{first.dialect.suffix}"
        yield File(path, first.document.data, (first.agent.name,), tuple(reported))
    for dialect, reads in together.items():
        if dialect.shared:
            data = dialect.shared.edited(None, {name: read.document.data for name, read in reads.items()})
            yield File(dialect.project_directories[0], data, tuple(reads), tuple(left_out[dialect]))


def _write(into: Path, files: Sequence[File], *, dry_run: bool) -> list[Result]:
    """Writes what is new, each file whole or not at all; one that is there stays, whatever is in it."""
    try:
        with TargetDirectory.open(into.absolute(), create=not dry_run, follow_symlinks=True) as directory:
            return [_write_one(directory, file, dry_run=dry_run) for file in files]
    except TargetError as error:
        if dry_run and error.code is Code.TARGET_MISSING:
            return ["new"] * len(files)
        raise ConfigError(error.message, place=str(into)) from error


def _write_one(directory: TargetDirectory, file: File, *, dry_run: bool) -> Result:
    actual = directory.observe(file.path).actual
    if actual.digest is not None:
        return "unchanged" if actual.digest == digest(file.data) else "kept"
    if dry_run:
        return "new"
    staged = temporary(file.path)
    try:
        directory.stage(staged, file.data)
        directory.publish_new(staged, file.path)
    except ChangedError:
        return "kept"
    except OSError as error:
        raise ConfigError(f"this file cannot be written: {error.strerror}", place=file.path) from error
    finally:
        with suppress(OSError):  # whatever failed before is what is told
            directory.discard(staged)
    return "written"


def _unmapped(into: Path, file: File, files: Sequence[File]) -> Diagnostic | None:
    """A finding where the manifest is another one, and does not say in which dialect the agents are written."""
    if file.path != FILE_NAME:
        return None
    with suppress(ConfigError):
        selection = Selection(dialects=(*read_manifest(content(into / FILE_NAME)).agents.dialects.items(),))
        if all(selection.dialect_of(other.path) == NEUTRAL for other in files if other.agents):
            return None
    message = "this file stays as it is, and does not say what format the agents have"
    hint = 'add `"agents/**" = "neutral"` under `[agents.dialects]`'
    return Diagnostic(Code.CONFLICT_UNMANAGED, message, path=FILE_NAME, hint=hint)


def _in_the_way(file: File) -> Diagnostic:
    message = "what is there stays as it is: another file, or a symbolic link in the way to it"
    return Diagnostic(
        Code.CONFLICT_UNMANAGED, message, path=file.path, agent=", ".join(file.agents), hint="compare the two"
    )


def _show(into: Path, results: Sequence[tuple[File, Result]], reported: Sequence[Diagnostic]) -> None:
    for file, result in results:
        if common().verbosity >= 0 and (result != "kept" or file.path != FILE_NAME):
            click.echo(f"{result:9}  {printable(file.path)}")
        for diff in file.diffs:
            click.echo(diff, nl=False)
    for finding in reported:
        show_diagnostic(finding)
    written = sum(len(file.agents) for file, result in results if result in ("written", "new"))
    if common().verbosity >= 0:
        asked = "; nothing was written" if any(result == "new" for _, result in results) else ""
        click.echo(f"{counted(written, 'agent')} for {printable(shorten(str(into)))}{asked}")
    if not results:
        click.echo("no tool here has an agent of its own", err=True)
