"""`agentsync check`: validates a directory of agents, for CI, editors and pre-commit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from agentsync.agents.narrowing import WriteOptions
from agentsync.cli.console import show_diagnostic
from agentsync.cli.convert import DIALECT
from agentsync.cli.options import common, common_options
from agentsync.cli.wording import counted
from agentsync.convert.policy import DEFAULT, Policy, SourcePolicy, read_policy
from agentsync.convert.policy_check import judge_output, judge_text
from agentsync.convert.render import render
from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.digest import digest
from agentsync.core.entry_paths import split_path
from agentsync.core.errors import ConfigError, ExitCode
from agentsync.core.paths import shorten
from agentsync.core.urls import printable
from agentsync.dialects import dialects
from agentsync.git.objects import Entry
from agentsync.repository.checks import Named, check_names, masked
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from agentsync.repository.manifest import FILE_NAME, MAX_BYTES, Manifest, as_overrides, read_manifest
from agentsync.repository.multi_agent_files import split_file
from agentsync.repository.overrides import AgentFilter, unused
from agentsync.repository.selection import Selection, select
from agentsync.repository.working_tree import content, entry_of, list_files

_EPILOG = """\b
Examples:
  agentsync check
  agentsync check agents/reviewer.md --from claude
  agentsync check . --to claude --to opencode --to codex
  agentsync check --format json . | jq '.diagnostics[].message'
"""


@click.command("check", epilog=_EPILOG)
@click.argument("path", type=click.Path(exists=True, path_type=Path), default=".")
@click.option("--from", "dialect", type=DIALECT, help="The dialect of every file; detected from path and content.")
@click.option("--to", "targets", type=DIALECT, multiple=True, help="Also check what is lost on the way to a dialect.")
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What agents may be given, as in a machine's policy.toml; the default policy otherwise.",
)
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@common_options
def command(*, path: Path, dialect: str | None, targets: tuple[str, ...], policy: Path | None, strict: bool) -> int:
    """Validate the agents in PATH, a directory or a file, as `pull` would read them.

    What the default policy refuses is an error too: hooks, MCP servers that agents bring, credentials and the like.
    Exits with 1 on errors, so that a merge can wait for their correction.
    """
    options = common()
    checked = run_checks(path, targets, dialect=dialect, policy=_policy(policy))
    failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
    wrong = any(diagnostic.severity in failing for diagnostic in checked.diagnostics)
    # Green for the wrong directory would be worse than red for an empty one.
    nothing = not checked.agents and not wrong
    options.status = ExitCode.FINDINGS if wrong or nothing else ExitCode.OK
    if options.json:
        click.echo(json.dumps(checked.record))
    else:
        checked.show(1 if nothing and path.is_file() else options.verbosity)
    if nothing:
        click.echo(f"there is no agent in {printable(shorten(str(path)))}", err=True)
    return options.status


@dataclass(frozen=True, slots=True)
class Checked:
    """The agents of a directory or a file, and their diagnostics.

    Attributes:
        agents: name, dialect and path of each agent.
        skipped: the paths of files that define no agent.
        diagnostics: all diagnostics.
    """

    agents: Sequence[tuple[str, str, str]]
    skipped: Sequence[str]
    diagnostics: Sequence[Diagnostic]

    @property
    def record(self) -> dict[str, object]:
        """The documented JSON form (docs/json.md)."""
        return {
            "agents": [{"name": name, "dialect": dialect, "path": path} for name, dialect, path in self.agents],
            "skipped": [*self.skipped],
            "diagnostics": [diagnostic.as_dict() for diagnostic in self.diagnostics],
        }

    def show(self, verbosity: int, *, most: int | None = None) -> None:
        """Print it for people: at most `most` diagnostics, remarks only with -v, and the counts of each kind."""
        shown = [one for one in self.diagnostics if one.severity is not Severity.INFO or verbosity > 0]
        for diagnostic in shown[:most]:
            show_diagnostic(diagnostic, err=False)
        if most is not None and len(shown) > most:
            click.echo(click.style(f"and {len(shown) - most} more; -v shows them", dim=True))
        if verbosity >= 0:
            severities = Counter(diagnostic.severity for diagnostic in self.diagnostics)
            counts = {
                "agent": len(self.agents),
                "error": severities[Severity.ERROR],
                "warning": severities[Severity.WARNING],
                "other file": len(self.skipped),
            }
            click.echo(", ".join(counted(number, noun) for noun, number in counts.items()))


def run_checks(
    path: Path, targets: Collection[str], *, dialect: str | None = None, policy: SourcePolicy = DEFAULT
) -> Checked:
    """Read and check the agents in a directory or a file.

    Args:
        path: the directory or file.
        targets: the dialects for which losses in conversion are reported.
        dialect: the dialect of every file; detected where it is None.
        policy: what agents may be given.

    Raises:
        ConfigError: something cannot be read, or the manifest has a mistake.
    """
    root = path if path.is_dir() else path.parent
    there = list_files(root) if path.is_dir() else [entry_of(root, path)]
    manifest = _manifest(root, there)
    selection = _selection(manifest, dialect)
    # A file given by the user is read, whatever its name.
    entries, unsafe = select(there, selection) if path.is_dir() else (there, [])
    entries, unclear = split_file(entries, selection, lambda files: (content(root / file.path) for file in files))
    agents, skipped, diagnostics = _read(root, entries, selection, policy)
    diagnostics = [*unsafe, *unclear, *diagnostics]
    agents = [read for read in agents if AgentFilter(manifest.agents.only, manifest.agents.skip).takes(read.agent)]
    overrides = as_overrides(manifest.overrides, FILE_NAME)
    if path.is_dir():
        diagnostics += unused(overrides, ((read.agent.slug, read.agent.tags) for read in agents))
    for read in agents:
        for target in targets:
            rendered = render(read, dialects()[target], _options(manifest, target), overrides)
            diagnostics += [d.at(path=read.document.path, target=target) for d in rendered.diagnostics]
            if rendered.document and rendered.document is not read.document:
                judged = judge_output(
                    dialects()[target], rendered.document, read.agent.slug, policy.rules(read.agent.slug)
                )
                diagnostics += [replace(d, line=0).at(path=read.document.path, target=target) for d in judged]
    named = [(read.agent.name, read.dialect.name, read.document.path) for read in agents]
    return Checked(named, skipped, [*map(masked, diagnostics)])


def _policy(path: Path | None) -> SourcePolicy:
    """Read a policy file; without one, the default policy."""
    if path is None:
        return DEFAULT
    return Policy((read_policy(content(path).decode(errors="replace"), str(path)),)).of_source("", "")


def _judged(read: ReadAgent, policy: SourcePolicy) -> Iterator[Diagnostic]:
    """The diagnostics of an agent, and of the permissions that its own tool would give it."""
    slug, document = read.agent.slug, read.document
    rules = policy.rules(slug)
    judged = (
        *judge_text(read.diagnostics, slug, len(document.data), rules),
        *judge_output(read.dialect, document, slug, rules),
    )
    return (diagnostic.at(path=document.path, agent=read.agent.name) for diagnostic in judged)


def _read(
    root: Path, entries: Sequence[Entry], selection: Selection, policy: SourcePolicy
) -> tuple[list[ReadAgent], list[str], list[Diagnostic]]:
    """Read entries: the agents, the paths of files that define none, and all diagnostics."""
    diagnostics: list[Diagnostic] = []
    agents: list[ReadAgent] = []
    skipped: list[str] = []
    names: list[Named] = []
    for entry in entries:
        data = content(root / split_path(entry.path)[0])
        read = read_agent(entry.path, data, selection.dialect_of(entry.path))
        if isinstance(read, ReadAgent):
            diagnostics += _judged(read, policy)
            agents.append(read)
            names.append(Named("", entry.path, digest(data), read.agent.slug))
            continue
        diagnostics += read.diagnostics
        if not read.refused:
            skipped.append(entry.path)
    return agents, skipped, [*diagnostics, *check_names(names, frozenset())[1]]


def _selection(manifest: Manifest, dialect: str | None) -> Selection:
    agents = manifest.agents
    forced = (("**", dialect),) if dialect else ()
    return Selection("", agents.include, agents.exclude, (*forced, *agents.dialects.items()))


def _options(manifest: Manifest, target: str) -> WriteOptions:
    return WriteOptions(models=manifest.models.get(target, {}))


def _manifest(root: Path, there: Sequence[Entry]) -> Manifest:
    """Read the repository's manifest; it is refused where `pull` refuses it."""
    entry = next((entry for entry in there if entry.path == FILE_NAME), None)
    if entry is None:
        return Manifest()
    path = root / entry.path
    if not entry.mode.startswith("100") or entry.size > MAX_BYTES:
        raise ConfigError(f"it must be a file of at most {MAX_BYTES} bytes", place=str(path))
    return read_manifest(content(path))
