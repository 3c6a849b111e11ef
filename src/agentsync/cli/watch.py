"""`agentsync watch`: checks, and converts, the agents of a repository each time one is saved; for their authors."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final, NoReturn

import click

from agentsync.cli.check import Checked, run_checks
from agentsync.cli.console import show_changes, summary
from agentsync.cli.cycle import given_config, run_config, source_name
from agentsync.cli.options import Common, common, common_options, complete_dialect
from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import AgentsyncError, ConfigError, ExitCode, LockedError
from agentsync.core.paths import shorten
from agentsync.core.urls import printable
from agentsync.report.json_output import change_record
from agentsync.repository.working_tree import WorkingTree
from agentsync.service.watch import Watch
from agentsync.state.records import Stat
from agentsync.sync.report import Report, Scope
from agentsync.targets.change import Change, Consent
from agentsync.targets.installed import installed

_EPILOG: Final = """\b
Examples:
  agentsync watch
  agentsync watch ./agents --to claude --to opencode
  agentsync watch . --to codex=/tmp/try
  agentsync watch --format json | jq '.diagnostics[].message'
"""

_SETTLE: Final = 0.2  # seconds of quiet after which a file counts as saved: an editor is done long before
_LOOK: Final = 2.0  # seconds from one look to the next where changes are not told
_STEP: Final = 1.0  # seconds until a signal that came just before a wait is handled, at the most
_BUSY: Final = 0.5  # seconds until it is tried again to write while another run does
_NAMED: Final = 3  # how many changed files are named
_REST: Final = 8  # lines of a screen that are not for findings


@click.command("watch", epilog=_EPILOG)
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option(
    "--to",
    multiple=True,
    metavar="DIALECT[=DIR]",
    help="A tool to write the agents for each time.",
    shell_complete=complete_dialect,
)
@click.option("--allow-deletions", is_flag=True, help="Delete also what is dropped all at once.")
@common_options
def command(*, path: Path, to: tuple[str, ...], allow_deletions: bool) -> int:
    """Check the agents in PATH now, and each time something in it is saved, until ctrl-C.

    With --to they are also written for these tools, as `pull` would write them from a commit: what you wrote yourself
    is never touched, and of a file that is broken the last good version stays. Without it, tells what would be lost on
    the way to the tools that are installed here.
    """
    options, root = common(), path.resolve()
    work = _conversion(root, to, options, allow_deletions=allow_deletions) if to else _check(root)
    try:
        _Session(root, options, work).run()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


@dataclass(frozen=True, slots=True)
class _Round:
    """What came of one look at all agents; the report is of what was written, if anything was to be."""

    checked: Checked
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    """What is done each time, and the files that it is done with."""

    tree: WorkingTree
    run: Callable[[], _Round]


def _check(root: Path) -> _Work:
    """Checks the agents, for the tools that are here."""
    targets = [dialect.name for dialect in installed()]
    return _Work(WorkingTree(root), lambda: _Round(run_checks(root, targets)))


def _conversion(root: Path, to: Sequence[str], options: Common, *, allow_deletions: bool) -> _Work:
    """Writes the agents, of which the directory is the source.

    Raises:
        ConfigError: that cannot be done.
    """
    config = given_config((str(root),), tuple(to), None, "")
    # What is written within the directory is not read there.
    written = [target.directory.resolve() for target in config.resolved_targets()]
    for path in written:
        if root.is_relative_to(path):
            raise ConfigError("what is watched would be written over", place=str(path), hint="give another directory")
    tree = WorkingTree(root, written)

    def run() -> _Round:
        working_trees = {source_name(str(root)): tree}
        consent = Consent(deletions=allow_deletions)
        report = run_config(options, config, Scope.APPLY, consent=consent, working_trees=working_trees, ad_hoc=True)
        return _Round(_checked(report), report)

    return _Work(tree, run)


def _checked(report: Report) -> Checked:
    """What `check` would tell of the agents in a report."""
    compiled = report.compiled
    return Checked(
        [
            (compiled_agent.name, compiled_agent.dialect, compiled_agent.path)
            for compiled_agent in compiled
            if compiled_agent.name
        ],
        [
            compiled_agent.path
            for compiled_agent in compiled
            if not (compiled_agent.name or compiled_agent.refused or compiled_agent.excluded)
        ],
        report.diagnostics,
    )


@dataclass
class _Session:
    """One watch, from its start to its end.

    Attributes:
        seen: the files as they were when the agents were last looked at; none before the first time.
        failure: what stood in the way the last time, and of which files; None where nothing did.
        waits: whether that was another run.
        fallbacks: where changes are not told.
    """

    root: Path
    options: Common
    work: _Work
    seen: Mapping[str, Stat] | None = None
    failure: tuple[Mapping[str, Stat], str] | None = None
    waits: bool = False
    fallbacks: tuple[str, ...] = ()

    def run(self) -> NoReturn:
        """Looks now, and at each change; only an exception ends it."""
        reported: SimpleQueue[frozenset[Path]] = SimpleQueue()
        with Watch(reported.put, settle=_SETTLE) as watch:
            while True:
                # In this order: what changes once it is followed is told, and what changed before is looked at.
                self._report_fallbacks(watch.follow([], [self.root]))
                self._look()
                _wait(reported, _BUSY if self.waits else _LOOK if self.fallbacks else math.inf)

    def _look(self) -> None:
        """Does the work, if a file was saved since the last time."""
        self.waits = False
        there: Mapping[str, Stat] = {}
        try:
            there = self.work.tree.stats()
            if there == self.seen and not self.failure:
                return
            done = self._done(there)
        except AgentsyncError as error:
            self.waits = isinstance(error, LockedError)
            failure = there, str(error)
            if failure != self.failure:
                self.failure = failure
                self._show_error(error)
        else:
            if done:
                self._show(done, self._changed(there))
                self.seen, self.failure = there, None

    def _done(self, there: Mapping[str, Stat]) -> _Round | None:
        """What comes of the work; nothing where files were changed under it, which is told as any change."""
        try:
            return self.work.run()
        except ConfigError:
            if self.work.tree.stats() != there:
                return None
            raise

    def _changed(self, there: Mapping[str, Stat]) -> list[str]:
        """The paths of the files that were saved; none the first time."""
        if self.seen is None:
            return []
        return sorted(path for path in {*there, *self.seen} if there.get(path) != self.seen.get(path))

    def _show(self, done: _Round, changed: Sequence[str]) -> None:
        checked, report, verbosity = done.checked, done.report, self.options.verbosity
        if self.options.json:
            _print(checked, changed, report.changes if report else ())
            return
        _begin()
        if verbosity >= 0:
            click.echo(click.style(f"{time.strftime('%H:%M:%S')} {_named(changed)}".rstrip(), dim=True))
        most = _room() if verbosity <= 0 else None
        replace(checked, diagnostics=_ordered(checked.diagnostics, changed)).show(verbosity, most=most)
        if report and verbosity >= 0:
            show_changes(report.changes)
            click.echo(summary(report))

    def _show_error(self, error: AgentsyncError) -> None:
        if self.options.json:
            _print(Checked((), (), ()), (), (), error)
            return
        _begin()
        click.echo(f"{click.style('error:', fg='red', bold=True)} {printable(str(error))}")
        if error.hint:
            click.echo(f" {click.style('hint:', fg='cyan')} {printable(error.hint)}")

    def _report_fallbacks(self, fallbacks: tuple[str, ...]) -> None:
        for fallback in fallbacks:
            if fallback not in self.fallbacks:
                text = f"{printable(shorten(fallback))}; it is looked at every {_LOOK:.0f} seconds instead"
                click.echo(f"{click.style('warning:', fg='yellow')} {text}", err=True)
        self.fallbacks = fallbacks


def _wait(changes: SimpleQueue[frozenset[Path]], seconds: float) -> None:
    """Waits for a change, at most so many seconds.

    In short steps: a signal that arrives between Python's last check and the wait itself is handled after the wait.
    """
    while seconds > 0:
        with suppress(Empty):
            changes.get(timeout=min(seconds, _STEP))
            return
        seconds -= _STEP


def _print(
    checked: Checked, changed: Sequence[str], changes: Sequence[Change], error: AgentsyncError | None = None
) -> None:
    """Prints a round in its documented JSON form (docs/json.md)."""
    record = {
        "at": time.time(),
        "changed": [*changed],
        **checked.record,
        "changes": [change_record(change) for change in changes],
        "error": {"message": error.message, "place": error.place, "hint": error.hint} if error else None,
    }
    click.echo(json.dumps(record))


def _begin() -> None:
    """Begins a screen: at a terminal nothing of the last one stays in sight."""
    if sys.stdout.isatty():
        click.clear()


def _room() -> int | None:
    """How many findings a screen has room for; None where there is no end of it."""
    return max(1, shutil.get_terminal_size().lines - _REST) if sys.stdout.isatty() else None


def _ordered(found: Sequence[Diagnostic], changed: Sequence[str]) -> list[Diagnostic]:
    """The findings on the changed files first, and of both the errors before all else."""
    return sorted(found, key=lambda one: (one.path not in changed, one.severity is not Severity.ERROR))


def _named(changed: Sequence[str]) -> str:
    """The changed files, if there are not too many."""
    names = ", ".join(printable(path) for path in changed[:_NAMED])
    return f"{names} and {len(changed) - _NAMED} more" if len(changed) > _NAMED else names
