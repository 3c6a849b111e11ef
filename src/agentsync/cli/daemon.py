"""`agentsync daemon`: runs the service until a signal ends it."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

import click

from agentsync.cli.options import Common, common, common_options
from agentsync.cli.pull import command as pull
from agentsync.cli.pull import show_result, show_up_to_date
from agentsync.cli.terminal import COLUMNS
from agentsync.config import find_config
from agentsync.core.errors import AgentsyncError, ExitCode
from agentsync.core.log import configure, level_of
from agentsync.core.paths import app_paths
from agentsync.service.control_socket import Answer, Question
from agentsync.service.current_status import Result
from agentsync.service.daemon import Daemon
from agentsync.sync.up_to_date import UpToDate

_EPILOG = """\b
Examples:
  agentsync daemon
  agentsync -v daemon 2>events.jsonl
"""


@click.command("daemon", epilog=_EPILOG)
@common_options
def command() -> int:
    """Pull on a schedule, and when something changes on this machine, until a signal ends it.

    It logs to standard error, as JSON unless --log-format is text. SIGHUP makes it read its configuration again,
    SIGTERM and ^C end it, and `agentsync pull` asks it to pull at once. `agentsync install-service` lets systemd run
    it.
    """
    options = common()
    # As text too it logs what it does, since there is no result to show instead.
    level = level_of(options.verbosity, for_people=False)
    configure(level, readable=options.log_format == "text", colors=options.colored)
    daemon = Daemon(find_config(options.config).absolute(), app_paths(), _show)
    try:
        daemon.run()
    except SystemExit as end:
        if end.code != ExitCode.TERMINATED:
            raise
    return ExitCode.OK  # ending on a signal is how a service is stopped


def _show(result: Result, question: Question) -> Answer:
    """Render a result as `pull` prints it; an empty answer makes the client run itself, to report the same error."""
    if isinstance(result, AgentsyncError):
        return Answer()
    options = Common(verbosity=question.verbosity, format="json" if question.json else "text")
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr), click.Context(pull, color=question.colored) as context:
        context.meta[COLUMNS] = question.columns or None
        if isinstance(result, UpToDate):
            show_up_to_date(result, options)
        else:
            show_result(result, options)  # with the diagnostics: the log belongs to the service, not to the client
    return Answer(stdout.getvalue(), stderr.getvalue(), result.exit_code)
