"""`agentsync import`: writes the agents of this machine's tools as files of a source repository."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import click

from agentsync.agents.model import NEUTRAL
from agentsync.cli.console import show_diagnostic
from agentsync.cli.cycle import parse_target, source_name
from agentsync.cli.options import common, common_options
from agentsync.cli.waiting import Waiting
from agentsync.cli.wording import counted
from agentsync.config.tables import SourceTable
from agentsync.convert.merge import merge
from agentsync.convert.policy import DEFAULT
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.core.entry_paths import split_path
from agentsync.core.errors import ConfigError, ExitCode, StateError
from agentsync.core.naming import name_key
from agentsync.core.paths import app_paths, is_directory, is_file, shorten
from agentsync.core.urls import printable
from agentsync.dialects import Dialect, dialects
from agentsync.repository.dialect_detection import ReadAgent
from agentsync.repository.manifest import FILE_NAME, read_manifest
from agentsync.repository.selection import Selection
from agentsync.repository.versions import Named, check_names, tool_of
from agentsync.repository.working_tree import WorkingTree, content
from agentsync.state.store import State
from agentsync.sync.build import build
from agentsync.sync.snapshot import snapshot_of_directory
from agentsync.targets.installed_tools import directory_of, installed
from agentsync.targets.observe import ChangedError
from agentsync.targets.target_directory import TargetDirectory, TargetError, temporary

_EPILOG = """\b
Examples:
  agentsync import .
  agentsync import ~/src/agents --from claude --from opencode
  agentsync import ~/src/agents --from claude=~/old/agents --as own --dry-run
"""

_MANIFEST = """# This repository's settings for agentsync.
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
    help="A tool to import from, and where its agents are; every installed tool otherwise.",
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

    Versions of one agent in several tools become one file: differences go under `targets`, and a prompt that differs
    is shown. The first tool counts for the rest. With `--as own` each version is a file of its own. Files that are in
    INTO already are never overwritten, the tools' own files are not touched, and files that agentsync itself wrote for
    them are left out.
    """
    options = common()
    with Waiting() as waiting:
        waiting("reading", 0, 0)
        agents, problems = _collect([*_directories(sources)])
        files = [*_files(agents, form, problems)]
    if form == "neutral" and files:
        files.append(File(FILE_NAME, _MANIFEST.encode(), (), ()))
    results = [*zip(files, _write(into, files, dry_run=dry_run), strict=True)]
    diagnostics = [*problems, *(diagnostic for file in files for diagnostic in file.diagnostics)]
    not_written = [file for file, result in results if result == "kept"]
    diagnostics += [_in_the_way(file) for file in not_written if file.path != FILE_NAME]
    diagnostics += filter(None, (_unmapped(into, file, files) for file in not_written))
    wrong = any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)
    options.status = ExitCode.INCOMPLETE if wrong else ExitCode.OK if files else ExitCode.FINDINGS
    if options.json:
        record = {
            "files": [
                {"path": file.path, "agent": ", ".join(file.agents), "result": result} for file, result in results
            ],
            "diffs": [diff for file in files for diff in file.diffs],
            "diagnostics": [diagnostic.as_dict() for diagnostic in diagnostics],
        }
        click.echo(json.dumps(record))
        return options.status
    _show(into, results, diagnostics)
    return options.status


Result = Literal["written", "new", "unchanged", "kept"]
"""The result for a file: "new" is a file that a dry run would write, "kept" one that is there with other content."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to write: its path below the repository, its bytes, its agents' names, and their diagnostics."""

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


def _collect(directories: Sequence[tuple[Dialect, Path]]) -> tuple[dict[str, list[ReadAgent]], list[Diagnostic]]:
    """Read all agents, by the name of their files and once for each dialect, with their diagnostics."""
    agents: dict[str, list[ReadAgent]] = {}
    slugs: dict[str, str] = {}
    diagnostics: list[Diagnostic] = []
    managed = _managed([directory for _, directory in directories])
    for dialect in dict.fromkeys(dialect for dialect, _ in directories):
        named: dict[Named, ReadAgent] = {}
        for directory in (directory for other, directory in directories if other is dialect):
            reads, problems = _read(dialect, directory, managed)
            diagnostics += problems
            for read in reads:
                document, agent = read.document, read.agent
                named[Named(dialect.name, document.path, digest(document.data), agent.name, agent.slug)] = read
        checked = check_names([*named], frozenset())
        diagnostics += checked.diagnostics
        for name in (version for agent in checked.used for version in agent.usable):
            # Another tool's file may be called otherwise where the name is in another script.
            slug = slugs.setdefault(name_key(name.name), name.slug)
            agents.setdefault(slug, []).append(named[name])
    return agents, diagnostics


def _read(
    dialect: Dialect, directory: Path, managed: frozenset[tuple[str, str]]
) -> tuple[list[ReadAgent], list[Diagnostic]]:
    """Read and check the agents of a directory, or of a multi-agent file, as those of a source; with diagnostics."""
    root = directory.parent if dialect.shared else directory
    names = (directory.name,) if dialect.shared else tuple(f"*{end}" for end in dialect.suffixes)
    table = SourceTable(url=str(root), dialect=dialect.name, include=names, allow_local=True)
    # A tool reads what is in a clone below its directory, too.
    files = WorkingTree(root, only=directory.name if dialect.shared else "", as_committed=False)
    snapshot = snapshot_of_directory(files, table, name=source_name(str(root)))
    own = [
        entry for entry in snapshot.entries if (str(directory), split_path(entry.path)[1] or entry.path) not in managed
    ]
    built = build([replace(snapshot, entries=own)], [], None, DEFAULT)
    shown = shorten(str(root))
    problems = [
        replace(diagnostic, path=f"{shown}/{diagnostic.path}".rstrip("/"))
        for diagnostic in built.diagnostics
        if diagnostic.severity is not Severity.INFO
    ]
    return [_located(read, shown) for read in built.contents.read_again(built.used)], problems


def _located(read: ReadAgent, directory: str) -> ReadAgent:
    """Return the agent with the path that its file has on this machine."""
    document = read.document
    return replace(read, document=replace(document, path=f"{directory}/{document.path}"))


def _managed(directories: Sequence[Path]) -> frozenset[tuple[str, str]]:
    """The agents that agentsync itself wrote: they came from a repository and need not be imported into one."""
    own = app_paths()
    names = {str(directory) for directory in directories}
    return frozenset(key for paths in (own, own.counterpart) for key in _written(paths.database, names))


def _written(database: Path, directories: Iterable[str]) -> Iterable[tuple[str, str]]:
    try:
        database.stat()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StateError(f"the state cannot be read: {error.strerror}", place=str(database)) from error
    with State.open(database) as state:
        return state.inventory(directories)


def _files(
    agents: dict[str, list[ReadAgent]], form: Literal["neutral", "own"], problems: list[Diagnostic]
) -> Iterator[File]:
    """Yield the files to write; the diagnostics of an agent that has none are added to `problems`."""
    if form == "own":
        yield from _own_files(agents)
        return
    for slug in sorted(agents):
        merged = merge(agents[slug])
        if merged.data is None:
            problems += merged.diagnostics
            continue
        names = (agents[slug][0].agent.name,)
        yield File(f"agents/{slug}.md", merged.data, names, merged.diagnostics, merged.diffs)


def _own_files(agents: dict[str, list[ReadAgent]]) -> Iterator[File]:
    """Make a file of each version of an agent, or a multi-agent file for a tool that needs one.

    A repository holds one version for each tool, so of two formats of one tool the first counts.
    """
    together: dict[Dialect, dict[str, ReadAgent]] = {}
    left_out: defaultdict[Dialect, list[Diagnostic]] = defaultdict(list)
    for slug in sorted(agents):
        by_tool: defaultdict[str, list[ReadAgent]] = defaultdict(list)
        for read in agents[slug]:
            by_tool[tool_of(read.dialect.name)].append(read)
        for first, *others in by_tool.values():
            message = f"left out: a repository holds an agent once for each tool, and {first.document.path} is used"
            duplicates = [Diagnostic(Code.VERSION_DIFFERS, message, path=other.document.path) for other in others]
            if first.dialect.shared:
                together.setdefault(first.dialect, {})[first.agent.name] = first
                left_out[first.dialect] += duplicates
                continue
            path = f"{first.dialect.project_directories[0]}/{slug}{first.dialect.suffix}"
            yield File(path, first.document.data, (first.agent.name,), tuple(duplicates))
    for dialect, reads in together.items():
        if dialect.shared:
            data = dialect.shared.edited(None, {name: read.document.data for name, read in reads.items()})
            yield File(dialect.project_directories[0], data, tuple(reads), tuple(left_out[dialect]))


def _write(into: Path, files: Sequence[File], *, dry_run: bool) -> list[Result]:
    """Write new files, each atomically; an existing file stays, whatever its content."""
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
        with suppress(OSError):  # the error before is the one to report
            directory.discard(staged)
    return "written"


def _unmapped(into: Path, file: File, files: Sequence[File]) -> Diagnostic | None:
    """A diagnostic where the existing manifest does not declare the imported agents' dialect."""
    if file.path != FILE_NAME:
        return None
    with suppress(ConfigError):
        selection = Selection(dialects=(*read_manifest(content(into / FILE_NAME)).agents.dialects.items(),))
        if all(selection.dialect_of(other.path) == NEUTRAL for other in files if other.agents):
            return None
    message = "this file stays as it is, and does not declare the format of the agents"
    hint = 'add `"agents/**" = "neutral"` under `[agents.dialects]`'
    return Diagnostic(Code.CONFLICT_UNMANAGED, message, path=FILE_NAME, hint=hint)


def _in_the_way(file: File) -> Diagnostic:
    message = "this path stays as it is: there is another file, or a symbolic link on the way to it"
    return Diagnostic(
        Code.CONFLICT_UNMANAGED, message, path=file.path, agent=", ".join(file.agents), hint="compare the two"
    )


def _show(into: Path, results: Sequence[tuple[File, Result]], diagnostics: Sequence[Diagnostic]) -> None:
    for file, result in results:
        if common().verbosity >= 0 and (result != "kept" or file.path != FILE_NAME):
            click.echo(f"{result:9}  {printable(file.path)}")
        for diff in file.diffs:
            click.echo(diff, nl=False)
    for diagnostic in diagnostics:
        show_diagnostic(diagnostic)
    written = sum(len(file.agents) for file, result in results if result in ("written", "new"))
    if common().verbosity >= 0:
        note = "; nothing was written" if any(result == "new" for _, result in results) else ""
        click.echo(f"{counted(written, 'agent')} for {printable(shorten(str(into)))}{note}")
    if not results:
        click.echo("no tool here has an agent of its own", err=True)
    elif any(result == "written" for _, result in results) and common().verbosity >= 0:
        then = "`agentsync init URL` here: files that define the same agents are no conflict"
        click.echo(f"\nnext: look through these files, commit and push them, then {then}")
