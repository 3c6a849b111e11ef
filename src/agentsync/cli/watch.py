"""`agentsync watch`: checks and converts the agents of a repository each time one is saved, for their authors."""

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
from agentsync.cli.options import Common, common, common_options
from agentsync.core.errors import AgentsyncError, ConfigError, ExitCode, LockedError
from agentsync.core.paths import app_paths, shorten
from agentsync.core.urls import printable
from agentsync.report.json_output import change_record
from agentsync.repository.not_synced import totals
from agentsync.repository.working_tree import WorkingTree
from agentsync.service.watch import Watch
from agentsync.state.check_cache import check_cache
from agentsync.state.records import Stat
from agentsync.sync.report import Report
from agentsync.sync.request import Scope, SyncRequest
from agentsync.targets.change import Change
from agentsync.targets.consent import Consent
from agentsync.targets.installed_tools import installed

_EPILOG: Final = """\b
Examples:
  agentsync watch
  agentsync watch ./agents --to claude --to opencode
  agentsync watch . --to codex=/tmp/try
  agentsync watch --format json | jq '.diagnostics[].message'
"""

_SETTLE: Final = 0.2  # seconds without a change after which a file counts as saved: an editor is done long before
_POLL: Final = 2.0  # seconds between two checks where changes are not reported
_STEP: Final = 1.0  # seconds at most until a signal that arrived just before a wait is handled
_BUSY: Final = 0.5  # seconds until a write is retried while another run writes
_NAMED: Final = 3  # changed files that are listed by name
_OTHER_LINES: Final = 8  # lines of a screen that are not for diagnostics


@click.command("watch", epilog=_EPILOG)
@click.argument("path", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option(
    "--to",
    multiple=True,
    metavar="DIALECT[=DIR]",
    help="A tool to write the agents for each time.",
)
@click.option("--allow-deletions", is_flag=True, help="Delete also what is dropped all at once.")
@common_options
def command(*, path: Path, to: tuple[str, ...], allow_deletions: bool) -> int:
    """Check the agents in PATH now, and each time something in it is saved, until ctrl-C.

    With --to they are also written for these tools, as `pull` would write them from a commit: your own files are never
    touched, and the last good version of a broken file stays. It is a trial, as `pull --source`. Without --to, reports
    what would be lost in conversion to the tools that are installed here.
    """
    options, root = common(), path.resolve()
    work = _conversion(root, to, options, allow_deletions=allow_deletions) if to else _check(root)
    try:
        _Session(root, options, work).run()
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


@dataclass(frozen=True, slots=True)
class _Round:
    """The result of one check of all agents, and the report of what was written, if --to was given."""

    checked: Checked
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class _Work:
    """The work for each round, and the files that it reads."""

    tree: WorkingTree
    run: Callable[[], _Round]


def _check(root: Path) -> _Work:
    """Check the agents for the installed tools."""
    targets = [dialect.name for dialect in installed()]

    def run() -> _Round:
        with check_cache(lambda: app_paths().checks) as cache:
            return _Round(run_checks(root, targets, cache=cache))

    return _Work(WorkingTree(root), run)


def _conversion(root: Path, to: Sequence[str], options: Common, *, allow_deletions: bool) -> _Work:
    """Write the agents, with the directory as their source.

    Raises:
        ConfigError: the options are wrong, or the output would overwrite the directory.
    """
    config = given_config((str(root),), tuple(to), None, "")
    # Files that are written within the directory must not be read as its agents.
    written = [target.directory.resolve() for target in config.resolved_targets()]
    for path in written:
        if root.is_relative_to(path):
            raise ConfigError(
                "the watched directory would be overwritten", place=str(path), hint="give another directory"
            )
    tree = WorkingTree(root, written)

    def run() -> _Round:
        working_trees = {source_name(str(root)): tree}
        request = SyncRequest(
            Scope.APPLY, Consent(deletions=allow_deletions, scattered=True), working_trees, ad_hoc=True
        )
        report = run_config(options, config, request)
        not_synced = totals(report.not_synced.values())
        return _Round(Checked.of(report.compiled, report.diagnostics, not_synced, report.accepted), report)

    return _Work(tree, run)


@dataclass
class _Session:
    """One watch, from its start to its end.

    Attributes:
        seen: the stats of the files at the last check; None before the first one.
        failure: the stats of the files at the last error, and its message; None where there was no error.
        waits: whether another run was the reason.
        fallbacks: where changes are not reported.
    """

    root: Path
    options: Common
    work: _Work
    seen: Mapping[str, Stat] | None = None
    failure: tuple[Mapping[str, Stat], str] | None = None
    waits: bool = False
    fallbacks: tuple[str, ...] = ()

    def run(self) -> NoReturn:
        """Check now, and on each change; only an exception ends it."""
        changes: SimpleQueue[frozenset[Path]] = SimpleQueue()
        with Watch(changes.put, settle=_SETTLE) as watch:
            while True:
                # In this order, so that no change is missed: later ones are reported, earlier ones the check sees.
                self._report_fallbacks(watch.follow([], [self.root]))
                self._look()
                _wait(changes, _BUSY if self.waits else _POLL if self.fallbacks else math.inf)

    def _look(self) -> None:
        """Do the work, if a file was saved since the last time."""
        self.waits = False
        stats: Mapping[str, Stat] = {}
        try:
            stats = self.work.tree.stats()
            if stats == self.seen and not self.failure:
                return
            done = self._done(stats)
        except AgentsyncError as error:
            self.waits = isinstance(error, LockedError)
            failure = stats, str(error)
            if failure != self.failure:
                self.failure = failure
                self._show_error(error)
        else:
            if done:
                self._show(done, self._changed(stats))
                self.seen, self.failure = stats, None

    def _done(self, stats: Mapping[str, Stat]) -> _Round | None:
        """Do the work; None where it failed because files changed meanwhile, which starts another round."""
        try:
            return self.work.run()
        except ConfigError:
            if self.work.tree.stats() != stats:
                return None
            raise

    def _changed(self, stats: Mapping[str, Stat]) -> list[str]:
        """The paths of the files that were saved; none the first time."""
        if self.seen is None:
            return []
        return sorted(path for path in {*stats, *self.seen} if stats.get(path) != self.seen.get(path))

    def _show(self, done: _Round, changed: Sequence[str]) -> None:
        checked, report, verbosity = done.checked, done.report, self.options.verbosity
        if self.options.json:
            _print(checked, changed, report.changes if report else ())
            return
        _begin()
        if verbosity >= 0:
            click.echo(click.style(f"{time.strftime('%H:%M:%S')} {_named(changed)}".rstrip(), dim=True))
        most = _room() if verbosity <= 0 else None
        not_synced = {} if changed else checked.not_synced  # reported once, at first
        replace(checked, not_synced=not_synced).show(verbosity, most=most, first=changed)
        if report and verbosity >= 0:
            show_changes(report.changes, verbosity=verbosity)
            click.echo(summary(report))

    def _show_error(self, error: AgentsyncError) -> None:
        if self.options.json:
            _print(Checked((), (), ()), (), (), error)
            return
        _begin()
        for text, hint in error.mistakes:
            click.echo(f"{click.style('error:', fg='red', bold=True)} {printable(text)}")
            if hint:
                click.echo(f" {click.style('hint:', fg='cyan')} {printable(hint)}")

    def _report_fallbacks(self, fallbacks: tuple[str, ...]) -> None:
        for fallback in fallbacks:
            if fallback not in self.fallbacks:
                text = f"{printable(shorten(fallback))}; it is checked every {_POLL:.0f} seconds instead"
                click.echo(f"{click.style('warning:', fg='yellow')} {text}", err=True)
        self.fallbacks = fallbacks


def _wait(changes: SimpleQueue[frozenset[Path]], seconds: float) -> None:
    """Wait for a change, at most so many seconds.

    It waits in short steps, since a signal that arrives just before a wait is handled only after it.
    """
    while seconds > 0:
        with suppress(Empty):
            changes.get(timeout=min(seconds, _STEP))
            return
        seconds -= _STEP


def _print(
    checked: Checked, changed: Sequence[str], changes: Sequence[Change], error: AgentsyncError | None = None
) -> None:
    """Print a round in its documented JSON form (docs/json.md)."""
    record = {
        "at": time.time(),
        "changed": [*changed],
        **checked.record,
        "changes": [change_record(change) for change in changes],
        "error": error.as_dict() if error else None,
    }
    click.echo(json.dumps(record))


def _begin() -> None:
    """Clear the screen, at a terminal."""
    if sys.stdout.isatty():
        click.clear()


def _room() -> int | None:
    """The number of lines that fit on the screen; None where the output is not a terminal."""
    return max(1, shutil.get_terminal_size().lines - _OTHER_LINES) if sys.stdout.isatty() else None


def _named(changed: Sequence[str]) -> str:
    """The names of the first changed files, and the number of the others."""
    names = ", ".join(printable(path) for path in changed[:_NAMED])
    return f"{names} and {len(changed) - _NAMED} more" if len(changed) > _NAMED else names
