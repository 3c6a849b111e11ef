"""`agentsync check`: validates a directory of agents, for CI, editors and pre-commit."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from agentsync.checks import Named, check_names
from agentsync.cli.console import show_diagnostic
from agentsync.cli.convert import DIALECT
from agentsync.cli.options import common, common_options
from agentsync.cli.words import counted
from agentsync.diagnostics import Diagnostic, Severity
from agentsync.dialects import dialects
from agentsync.errors import ConfigError, ExitCode
from agentsync.fitting import WriteOptions
from agentsync.manifest import FILE_NAME, MAX_BYTES, Manifest, as_overrides, read_manifest
from agentsync.observation import digest
from agentsync.overrides import AgentFilter, unused
from agentsync.paths import shorten
from agentsync.render import render
from agentsync.source import Entry, ReadAgent, Selection, read_agent, select
from agentsync.urls import printable
from agentsync.worktree import content, entry_of, list_files

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
    there = list_files(root) if path.is_dir() else [entry_of(root, path)]
    manifest = _manifest(root, there)
    selection = _selection(manifest, dialect)
    # A file that is named is read, whatever it is called.
    entries, unsafe = select(there, selection) if path.is_dir() else (there, [])
    agents, skipped, found = _read(root, entries, selection)
    found = [*unsafe, *found]
    agents = [read for read in agents if AgentFilter(manifest.agents.only, manifest.agents.skip).takes(read.agent)]
    overrides = as_overrides(manifest.overrides, FILE_NAME)
    if path.is_dir():
        found += unused(overrides, ((read.agent.slug, read.agent.tags) for read in agents))
    for read in agents:
        for target in targets:
            rendered = render(read, dialects()[target], _options(manifest, target), overrides)
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


def _read(
    root: Path, entries: Sequence[Entry], selection: Selection
) -> tuple[list[ReadAgent], list[str], list[Diagnostic]]:
    """The agents, the paths of files that are none, and every finding."""
    found: list[Diagnostic] = []
    agents: list[ReadAgent] = []
    skipped: list[str] = []
    names: list[Named] = []
    for entry in entries:
        data = content(root / entry.path)
        read = read_agent(entry.path, data, selection.dialect_of(entry.path))
        found += read.diagnostics
        if isinstance(read, ReadAgent):
            agents.append(read)
            names.append(Named("", entry.path, digest(data), read.agent.slug))
        elif not read.refused:
            skipped.append(entry.path)
    return agents, skipped, [*found, *check_names(names, frozenset())[1]]


def _selection(manifest: Manifest, dialect: str | None) -> Selection:
    agents = manifest.agents
    forced = (("**", dialect),) if dialect else ()
    return Selection("", agents.include, agents.exclude, (*forced, *agents.dialects.items()))


def _options(manifest: Manifest, target: str) -> WriteOptions:
    return WriteOptions(models=manifest.models.get(target, {}))


def _manifest(root: Path, there: Sequence[Entry]) -> Manifest:
    """What the repository says about itself; refused where `pull` refuses it."""
    entry = next((entry for entry in there if entry.path == FILE_NAME), None)
    if entry is None:
        return Manifest()
    path = root / entry.path
    if not entry.mode.startswith("100") or entry.size > MAX_BYTES:
        raise ConfigError(f"it must be a file of at most {MAX_BYTES} bytes", place=str(path))
    return read_manifest(content(path))
