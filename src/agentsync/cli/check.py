"""`agentsync check`: validates a directory of agents, for CI, editors and pre-commit."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Self

import click

from agentsync.cli.check_targets import targets_of
from agentsync.cli.console import check_lines
from agentsync.cli.convert import DIALECT
from agentsync.cli.cycle import source_name
from agentsync.cli.not_included import left_out, left_out_file
from agentsync.cli.options import common, common_options
from agentsync.cli.rollout_checks import check_rollout
from agentsync.cli.terminal import columns
from agentsync.cli.waiting import Waiting
from agentsync.cli.wording import counted, not_synced_line
from agentsync.config.tables import SourceTable, Submodules
from agentsync.convert.policy import DEFAULT, Policy, read_policy
from agentsync.core.codes import Code, Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ConfigError, ExitCode
from agentsync.core.paths import app_paths, shorten
from agentsync.core.urls import printable
from agentsync.dialects import Kind
from agentsync.git.clone import Clone
from agentsync.repository.acceptance import Accepted, sort_accepted
from agentsync.repository.working_tree import WorkingTree, content, entry_of
from agentsync.state.check_cache import check_cache
from agentsync.state.render_cache import Cache
from agentsync.sync.acceptance import day_of, declared_in, subjects
from agentsync.sync.build import build
from agentsync.sync.compiled_agent import CompiledAgent
from agentsync.sync.cycle_diagnostics import without_agents
from agentsync.sync.reading import remembering, tools_of
from agentsync.sync.request import Progress, no_progress
from agentsync.sync.scattered import depends_on_unwritten, find_scattered
from agentsync.sync.snapshot import Snapshot, snapshot_of_directory, snapshot_of_file

_EPILOG = """\b
Examples:
  agentsync check
  agentsync check agents/reviewer.md --from claude
  agentsync check . --to claude --to opencode --to codex
  agentsync check . --policy policy.toml --url https://git.acme.example/agents.git
  agentsync check --format json . | jq '.diagnostics[].message'
"""

_ALWAYS_SHOWN: Final = frozenset({Code.NOT_SEARCHED, Code.NOT_INCLUDED})
"""The notes on files that are not even read: they are about what the counts leave out."""


@click.command("check", epilog=_EPILOG)
@click.argument("path", type=click.Path(exists=True, path_type=Path), default=".")
@click.option("--from", "dialect", type=DIALECT, help="The dialect of every file; detected from path and content.")
@click.option("--to", "targets", type=DIALECT, multiple=True, help="Also check what is lost on the way to a dialect.")
@click.option(
    "--policy",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What agents may be given, as in a machine's policy.toml; the default policy otherwise.",
)
@click.option(
    "--url",
    metavar="URL",
    help="The URL by which machines follow this repository, for entries of --policy; the clone's `origin` otherwise.",
)
@click.option(
    "--follow-submodules",
    is_flag=True,
    help='Read submodules that are checked out too, as a source with `submodules = "follow"` does.',
)
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@common_options
def command(
    *,
    path: Path,
    dialect: str | None,
    targets: tuple[str, ...],
    policy: Path | None,
    url: str | None,
    follow_submodules: bool,
    strict: bool,
) -> int:
    """Validate the agents in PATH, a directory or a file, as `pull` would read them.

    What the default policy refuses is an error too: hooks, MCP servers that agents bring, credentials and the like.
    Exits with 1 on errors, so that a merge can wait for their correction.
    """
    options = common()
    submodules: Submodules = "follow" if follow_submodules else "report"
    with Waiting() as waiting, check_cache(lambda: app_paths().checks) as cache:
        checked = run_checks(
            path,
            targets,
            dialect=dialect,
            judge=_judge(policy, url, path),
            submodules=submodules,
            cache=cache,
            progress=waiting,
        )
    wrong = checked.is_wrong(strict=strict)
    nothing = path.is_file() and not checked.agents and not wrong
    options.status = ExitCode.FINDINGS if wrong or nothing else ExitCode.OK
    if options.json:
        click.echo(json.dumps({**checked.record, "url": checked.url or None}))
    else:
        checked.show(1 if nothing else options.verbosity)
    if nothing:
        click.echo(f"there is no agent in {printable(shorten(str(path)))}", err=True)
    return options.status


@dataclass(frozen=True, slots=True)
class Judge:
    """A policy, and what it knows the source by.

    Attributes:
        policy: what agents may be given.
        url: the URL that its entries name; empty for the directory itself.
    """

    policy: Policy = DEFAULT
    url: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """The agents of a directory or a file, and their diagnostics.

    Attributes:
        agents: name, dialect and path of each agent.
        skipped: the paths of files that define no agent.
        diagnostics: all that nobody accepts.
        not_synced: the number of things of each kind that tools read and that are not synced.
        accepted: those that the manifest accepts.
        url: the URL by which a policy knows the source; empty without a policy of a machine.
    """

    agents: Sequence[tuple[str, str, str]]
    skipped: Sequence[str]
    diagnostics: Sequence[Diagnostic]
    not_synced: Mapping[Kind, int] = field(default_factory=dict)
    accepted: Sequence[Accepted] = ()
    url: str = ""

    @classmethod
    def of(
        cls,
        compiled: Sequence[CompiledAgent],
        diagnostics: Sequence[Diagnostic],
        not_synced: Mapping[Kind, int] | None = None,
        accepted: Sequence[Accepted] = (),
        url: str = "",
    ) -> Self:
        """Sort the results of a build by what became of each file."""
        agents = [(one.name, one.dialect, one.path) for one in compiled if one.name]
        skipped = [one.path for one in compiled if not (one.name or one.refused or one.excluded)]
        return cls(agents, skipped, diagnostics, not_synced or {}, accepted, url)

    def is_wrong(self, *, strict: bool = False) -> bool:
        """Whether there is an error, or where it is strict a warning; for a directory, that is where `plan` fails."""
        failing = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
        return any(diagnostic.severity in failing for diagnostic in self.diagnostics)

    @property
    def record(self) -> dict[str, object]:
        """The documented JSON form (docs/json.md), without the URL, which only `check` can be given."""
        return {
            "agents": [{"name": name, "dialect": dialect, "path": path} for name, dialect, path in self.agents],
            "skipped": [*self.skipped],
            "not_synced": {kind.key: count for kind, count in self.not_synced.items()},
            "diagnostics": [diagnostic.as_dict() for diagnostic in self.diagnostics],
            "accepted": [one.as_dict() for one in self.accepted],
        }

    def show(self, verbosity: int, *, most: int | None = None, first: Collection[str] = ()) -> None:
        """Print it for people: diagnostics in at most `most` lines, most notes only with -v, and the counts.

        Diagnostics of the paths in `first` come first.
        """
        shown = [
            one
            for one in self.diagnostics
            if one.severity is not Severity.INFO or verbosity > 0 or one.code in _ALWAYS_SHOWN
        ]
        parts = [one for one in shown if one.path in first], [one for one in shown if one.path not in first]
        printed = rows = 0
        for part in parts:
            for number, lines in check_lines(part, verbosity=verbosity, width=columns()):
                if most is not None and rows + len(lines) > most:
                    break
                printed, rows = printed + number, rows + len(lines)
                for line in lines:
                    click.echo(line)
        if printed < len(shown):
            click.echo(click.style(f"and {len(shown) - printed} more; -v shows them", dim=True))
        if verbosity >= 0:
            severities = Counter(diagnostic.severity for diagnostic in self.diagnostics)
            counts = {
                "agent": len(self.agents),
                "error": severities[Severity.ERROR],
                "warning": severities[Severity.WARNING],
                "other file": len(self.skipped),
            }
            accepted = [f"{len(self.accepted)} accepted"] if self.accepted else []
            click.echo(", ".join([*(counted(number, noun) for noun, number in counts.items()), *accepted]))
            if others := not_synced_line(self.not_synced):
                click.echo(others)
            if self.url:
                click.echo(f"the policy knows this source as {printable(self.url)}; --url names another URL")


def run_checks(
    path: Path,
    targets: Collection[str],
    *,
    dialect: str | None = None,
    judge: Judge = Judge(),
    submodules: Submodules = "report",
    cache: Cache | None = None,
    progress: Progress = no_progress,
) -> Checked:
    """Read and check the agents in a directory or a file, by the steps of a sync.

    Each agent is checked for its own tool as well: as if that were a target.

    Args:
        path: the directory or file.
        targets: the dialects for which losses in conversion are reported.
        dialect: the dialect of every file; detected where it is None.
        judge: what agents may be given.
        submodules: as in a source's table; those that are checked out are followed.
        cache: of the results of earlier checks; None to use none.
        progress: called with how far the reading is.

    Raises:
        ConfigError: something cannot be read, or the manifest has a mistake.
    """
    path = path.absolute()
    snapshot = remembering(snapshot_at(path, dialect, submodules))
    if judge.url:
        snapshot = replace(snapshot, url=judge.url)
    progress("reading", 0, 0)
    tools = tools_of(snapshot, cache, progress)
    built = build([snapshot], targets_of(tools, targets), cache, judge.policy)
    nothing = without_agents([snapshot], built) if path.is_dir() else []
    own = {(one.path, one.dialect) for one in built.compiled if one.name}
    diagnostics = (
        diagnostic if diagnostic.target in targets else replace(diagnostic, target="")
        for diagnostic in built.diagnostics
        if diagnostic.target in {"", *targets} or (diagnostic.path, diagnostic.target) in own
    )
    used = built.used
    if depends_on_unwritten(snapshot, used):
        used = build([snapshot], targets_of({}, {*targets, *tools}), cache, judge.policy).used
    held = find_scattered([snapshot], used).values()  # as on each machine where the source is new
    rollout = check_rollout(path) if path.is_dir() else ()
    others = left_out(snapshot) if path.is_dir() else left_out_file(path)
    sorted_ = sort_accepted(
        dict.fromkeys((*diagnostics, *nothing, *held, *rollout, *others)),
        declared_in(None, [snapshot]),
        subject_of=subjects(built.compiled),
        targets={name: name for name in targets},
        today=day_of(time.time()),
    )
    return Checked.of(built.compiled, sorted_.left, snapshot.not_synced, sorted_.accepted, judge.url)


def snapshot_at(path: Path, dialect: str | None, submodules: Submodules = "report") -> Snapshot:
    """Take a snapshot of a directory, or of a single file, which is read whatever its name."""
    root = path if path.is_dir() else path.parent
    name = source_name(str(root))
    table = SourceTable(url=str(root), dialect=dialect, allow_local=True, submodules=submodules)
    files = WorkingTree(root, as_committed=table.submodules != "follow")
    if path.is_dir():
        return snapshot_of_directory(files, table, name=name)
    entry = entry_of(root, path)
    if not entry.mode:  # such as a pipe, which would be waited for
        raise ConfigError("this is not a regular file", place=str(path))
    return snapshot_of_file(files, table, entry, name=name)


def _judge(policy: Path | None, url: str | None, path: Path) -> Judge:
    """Read a policy file, which knows the source by its URL; without one, the default policy, which has no entries."""
    if policy is None:
        if url:
            raise click.UsageError("--url is for the entries of a policy: name its file with --policy")
        return Judge()
    read = read_policy(content(policy).decode(errors="replace"), str(policy))
    return Judge(Policy((read,)), url or Clone(path if path.is_dir() else path.parent).origin)
