"""`agentsync pull`: fetches the sources and writes the targets, once.

Most often everything is up to date, and then only the up-to-date check is imported: the imports of a full run are in
functions.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from agentsync.cli.given import given_text
from agentsync.cli.logs import is_verbose
from agentsync.cli.options import Common, common, common_options, place_options
from agentsync.cli.waiting import Waiting
from agentsync.cli.wording import up_to_date_line
from agentsync.core.errors import ExitCode
from agentsync.core.log import log_line
from agentsync.core.paths import app_paths, first_config, text_of
from agentsync.sync.fetch import Fetches
from agentsync.sync.request import Scope, SyncRequest, paths_of
from agentsync.sync.up_to_date import UpToDate, find_up_to_date
from agentsync.targets.consent import Consent

if TYPE_CHECKING:
    from agentsync.service.control_socket import Answer
    from agentsync.sync.report import Report

_EPILOG = """\b
Examples:
  agentsync pull
  agentsync pull --dry-run
  agentsync pull --source https://github.com/acme/agents.git --to claude
  agentsync pull --source ./agents --to claude --to opencode=/tmp/try
"""


@click.command("pull", epilog=_EPILOG)
@place_options
@click.option("--dry-run", is_flag=True, help="Fetch and plan, and change nothing.")
@click.option("--allow-deletions", is_flag=True, help="Delete also what a source drops all at once.")
@click.option("--allow-escalation", is_flag=True, help="Write also what gives an agent more than it had.")
@click.option("--allow-scattered", is_flag=True, help="Take many agents of a new source from unexpected places too.")
@common_options
def command(
    *,
    source: tuple[str, ...],
    to: tuple[str, ...],
    branch: str | None,
    subfolder: str,
    dry_run: bool,
    allow_deletions: bool,
    allow_escalation: bool,
    allow_scattered: bool,
) -> int:
    """Fetch the team's agents and write them to every tool.

    Your own files are never touched: a file that is in the way, or that was edited here, is kept and reported. If the
    service is running, it pulls now, and this command shows the result.

    With --source and --to it is a trial: it keeps records of its own, which make a second one update or delete what the
    first one wrote. It changes nothing that the configuration manages, also while pulling is suspended, and `status`,
    `history` and `rollback` know nothing of it.
    """
    options, fetches = common(), Fetches()
    own = bool(source or to or branch or subfolder or dry_run)
    consent = Consent(allow_deletions, allow_escalation, allow_scattered)
    if not own and (answer := _ask_service(options, consent)):
        click.echo(answer.stderr, err=True, nl=False, color=options.colored)
        click.echo(answer.stdout, nl=False, color=True)
        return answer.status or ExitCode.OK
    is_trial = bool(source and to) and not dry_run
    if is_trial or not own:
        text = given_text(source, to, branch, subfolder) if is_trial else _configuration(options)
        if up_to_date := _check_up_to_date(options, text, fetches, SyncRequest(Scope.APPLY, consent, ad_hoc=is_trial)):
            _log_up_to_date(up_to_date, options)
            return up_to_date.exit_code
    return _run(
        options,
        fetches,
        dry_run=dry_run,
        source=source,
        to=to,
        branch=branch,
        subfolder=subfolder,
        consent=consent,
    )


def _ask_service(options: Common, consent: Consent) -> Answer | None:
    """Ask a running service to pull now; None where this run must do it itself."""
    config = options.config or first_config()
    where = app_paths()
    if config is None or not os.path.exists(where.socket):  # noqa: PTH110 - never raises
        return None
    from agentsync.cli.terminal import columns  # noqa: PLC0415 - see the module's docstring
    from agentsync.service.control_socket import Question, ask, environment  # noqa: PLC0415 - see the module's docstring

    colored = sys.stdout.isatty() if options.colored is None else options.colored
    waiting = Waiting()
    waiting("the service pulls", 0, 0)
    try:
        return ask(
            where,
            Question(
                config=str(config.absolute()),
                environment=environment(),
                allow_deletions=consent.deletions,
                allow_escalation=consent.escalation,
                allow_scattered=consent.scattered,
                verbosity=options.verbosity,
                json=options.json,
                colored=colored,
                columns=columns() or 0,
            ),
        )
    finally:
        waiting.clear()


def _configuration(options: Common) -> str:
    """Return the text of the configuration in use; empty where there is none."""
    config = options.config or first_config()
    return text_of(config) if config else ""


def _check_up_to_date(options: Common, text: str, fetches: Fetches, request: SyncRequest) -> UpToDate | None:
    """Check whether there is nothing to do; None where there may be, or where the output needs a full run."""
    if not text or options.json or options.verbosity > 0:
        return None
    waiting = Waiting()
    waiting("fetching", 0, 0)
    try:
        return find_up_to_date(text, paths_of(app_paths(), request), fetches, request)
    finally:
        waiting.clear()


def _log_up_to_date(up_to_date: UpToDate, options: Common) -> None:
    if is_verbose(options):
        log_line(up_to_date.event)
    show_up_to_date(up_to_date, options)


def show_up_to_date(up_to_date: UpToDate, options: Common) -> None:
    """Print that there was nothing to do."""
    if options.verbosity >= 0:
        line = up_to_date_line(
            up_to_date.files,
            up_to_date.targets,
            up_to_date.seconds,
            refused=up_to_date.refused,
            kept=up_to_date.kept,
            accepted=up_to_date.accepted,
        )
        click.echo(line)


def _run(options: Common, fetches: Fetches, *, dry_run: bool, consent: Consent, **asked: Any) -> ExitCode:
    from agentsync.cli.cycle import run_cycle  # noqa: PLC0415 - see the module's docstring

    scope = Scope.PLAN if dry_run else Scope.APPLY
    report = run_cycle(options, scope, fetches=fetches, consent=consent, **asked)
    options.status = report.exit_code
    show_result(report, options, logged=options.logs_json)
    if not dry_run and _confirms_scattered(report, options):
        return _run(options, fetches, dry_run=False, consent=replace(consent, scattered=True), **asked)
    return options.status


def _confirms_scattered(report: Report, options: Common) -> bool:
    """Ask whether all agents of a new source are intended, where that holds it and somebody can answer."""
    from agentsync.core.codes import Code  # noqa: PLC0415 - see the module's docstring
    from agentsync.core.urls import printable  # noqa: PLC0415 - the same

    held = any(diagnostic.code is Code.HELD_SCATTERED for diagnostic in report.diagnostics)
    if not held or options.json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    for agent in sorted({change.agent for change in report.plan.held}):
        click.echo(f"  {printable(agent)}", err=True)
    return click.confirm("Install all of these?", err=True)


def show_result(report: Report, options: Common, *, logged: bool = False) -> None:
    """Print the changes and the diagnostics; `logged` is as for `show_diagnostics`."""
    from agentsync.cli.console import show_report  # noqa: PLC0415 - see the module's docstring
    from agentsync.report.json_output import report_record  # noqa: PLC0415 - the same

    if options.json:
        click.echo(json.dumps(report_record(report)))
    else:
        show_report(report, verbosity=options.verbosity, logged=logged)
