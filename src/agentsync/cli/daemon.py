"""`agentsync daemon`: runs the service until a signal ends it."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import click

from agentsync.cli.options import Common, common, common_options
from agentsync.cli.pull import command as pull
from agentsync.cli.pull import show_result, show_up_to_date
from agentsync.cli.terminal import COLUMNS
from agentsync.core.errors import AgentsyncError, ExitCode
from agentsync.core.log import level_of
from agentsync.core.paths import app_paths, first_config
from agentsync.service.child_process import ChildProcesses, LogSettings, OutdatedError
from agentsync.service.control_socket import Answer, Question
from agentsync.service.current_status import Result
from agentsync.service.daemon import Daemon
from agentsync.service.events import log_outdated
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
    log = LogSettings(level, options.log_format == "text", options.colored)
    log.start()
    config = _config(options).absolute()
    try:
        Daemon(config, app_paths(), ChildProcesses(_python("agentsync.cli.service_child"), log), show).run()
    except OutdatedError:
        log_outdated(config)
        os.execv(sys.executable, [*_python("agentsync.__main__"), *sys.argv[1:]])  # noqa: S606 - this very command
    except SystemExit as end:
        if end.code != ExitCode.TERMINATED:
            raise
    return ExitCode.OK  # ending on a signal is how a service is stopped


def _python(module: str) -> list[str]:
    """Return the command that runs the `main` of a module as it would be imported here, wherever this one was found.

    `-P` keeps the working directory, which may be anybody's, off Python's path.
    """
    code = f"import sys; sys.path[:] = {sys.path!r}; from {module} import main; sys.exit(main())"
    return [sys.executable, "-P", "-c", code]


def _config(options: Common) -> Path:
    if config := options.config or first_config():
        return config
    from agentsync.config import find_config  # noqa: PLC0415 - it takes the memory that the service is to save

    return find_config(None)  # which reports that there is none


def show(result: Result, question: Question) -> Answer:
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
