"""`agentsync check`: validates a directory of agents, for CI, editors and pre-commit."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import click

from agentsync.checks import Named, check_names
from agentsync.cli.console import counted, show_diagnostic
from agentsync.cli.convert import DIALECT
from agentsync.cli.options import common, common_options
from agentsync.diagnostics import Diagnostic, Severity
from agentsync.dialects import dialects
from agentsync.errors import ConfigError, ExitCode
from agentsync.fitting import WriteOptions
from agentsync.manifest import FILE_NAME, MAX_BYTES, Manifest, read_manifest
from agentsync.observation import digest
from agentsync.paths import shorten
from agentsync.render import render
from agentsync.source import Entry, ReadAgent, Selection, read_agent, select
from agentsync.urls import printable

_EPILOG = """\b
Examples:
  agentsync check
  agentsync check agents/reviewer.md --from claude
  agentsync check . --to claude --to opencode --to codex
  agentsync check --format json . | jq '.diagnostics[].message'
"""


@click.command("check", epilog=_EPILOG)
@click.argument("path", type=click.Path(exists=True, path_type=Path), default=".")
@click.option("--from", "dialect", type=DIALECT, help="The dialect of every file; found out from path and content.")
@click.option("--to", "targets", type=DIALECT, multiple=True, help="Also check what is lost on the way to a dialect.")
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@common_options
def command(*, path: Path, dialect: str | None, targets: tuple[str, ...], strict: bool) -> int:
    """Validate the agents in PATH, a directory or a file, as `pull` would read them.

    Exits with 1 when something is wrong, so that a merge can wait for it.
    """
    options = common()
    root = path if path.is_dir() else path.parent
    agents, skipped, found = _read(root, path, dialect)
    for read in agents:
        for target in targets:
            rendered = render(read, dialects()[target], WriteOptions())
            found += [d.at(path=read.document.path, target=target) for d in rendered.diagnostics]
    wrong = [d for d in found if d.severity is Severity.ERROR or (strict and d.severity is Severity.WARNING)]
    # Green for the wrong directory would be worse than red for an empty one.
    nothing = not agents and not wrong
    options.status = ExitCode.FINDINGS if wrong or nothing else ExitCode.OK
    if options.json:
        record = {
            "agents": [{"name": r.agent.name, "dialect": r.dialect.name, "path": r.document.path} for r in agents],
            "skipped": skipped,
            "diagnostics": [diagnostic.as_dict() for diagnostic in found],
        }
        click.echo(json.dumps(record))
    else:
        _show(found, len(agents), len(skipped), 1 if nothing and path.is_file() else options.verbosity)
    if nothing:
        click.echo(f"there is no agent in {printable(shorten(str(path)))}", err=True)
    return options.status


def _show(found: list[Diagnostic], agents: int, skipped: int, verbosity: int) -> None:
    for diagnostic in found:
        if diagnostic.severity is not Severity.INFO or verbosity > 0:
            show_diagnostic(diagnostic, err=False)
    errors = sum(diagnostic.severity is Severity.ERROR for diagnostic in found)
    warnings = sum(diagnostic.severity is Severity.WARNING for diagnostic in found)
    if verbosity >= 0:
        counts = {"agent": agents, "error": errors, "warning": warnings, "other file": skipped}
        click.echo(", ".join(counted(number, noun) for noun, number in counts.items()))


def _read(root: Path, path: Path, dialect: str | None) -> tuple[list[ReadAgent], list[str], list[Diagnostic]]:
    """The agents, the paths of files that are none, and every finding."""
    if path.is_file():
        entries, found = [_entry(root, path)], list[Diagnostic]()
        selection = Selection(dialects=(("**", dialect),) if dialect else ())
    else:
        there = sorted(_entries(root), key=lambda entry: entry.path)
        selection = _selection(root, there, dialect)
        entries, found = select(there, selection)
    agents: list[ReadAgent] = []
    skipped: list[str] = []
    names: list[Named] = []
    for entry in entries:
        data = _content(root / entry.path)
        read = read_agent(entry.path, data, selection.dialect_of(entry.path))
        found += read.diagnostics
        if isinstance(read, ReadAgent):
            agents.append(read)
            names.append(Named("", entry.path, digest(data), read.agent.slug))
        elif not read.refused:
            skipped.append(entry.path)
    return agents, skipped, [*found, *check_names(names, frozenset())[1]]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from error


def _selection(root: Path, entries: Sequence[Entry], dialect: str | None) -> Selection:
    manifests = (_manifest(root, entry) for entry in entries if entry.path == FILE_NAME)
    agents = next(manifests, Manifest()).agents
    forced = (("**", dialect),) if dialect else ()
    return Selection("", agents.include, agents.exclude, (*forced, *agents.dialects.items()))


def _manifest(root: Path, entry: Entry) -> Manifest:
    """What the repository says about itself; refused where `pull` refuses it."""
    path = root / entry.path
    if not entry.mode.startswith("100") or entry.size > MAX_BYTES:
        raise ConfigError(f"it must be a file of at most {MAX_BYTES} bytes", place=str(path))
    return read_manifest(_content(path))


def _entries(root: Path) -> Iterator[Entry]:
    for directory, names, files in os.walk(root, onerror=_stop):
        names[:] = [name for name in names if name not in (".git", ".venv", "node_modules")]
        for name in files:
            yield _entry(root, Path(directory) / name)


def _stop(error: OSError) -> NoReturn:
    raise ConfigError(f"this directory cannot be read: {error.strerror}", place=str(error.filename)) from error


def _entry(root: Path, path: Path) -> Entry:
    try:
        facts = path.lstat()
    except OSError as error:
        raise _unreadable(path, error) from error
    # As git would say it; what it would not store, such as a pipe, gets no mode and is not read.
    mode = {stat.S_IFLNK: "120000", stat.S_IFREG: "100644"}.get(stat.S_IFMT(facts.st_mode), "")
    return Entry(path.relative_to(root).as_posix(), mode, "", facts.st_size)


def _unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError(f"this file cannot be read: {error.strerror}", place=str(path))
