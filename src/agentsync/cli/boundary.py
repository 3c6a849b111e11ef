"""Where every error meets the user: one line that says what failed and where, one that says what to do."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from types import FrameType

import click

from agentsync import __version__
from agentsync.cli.options import Common
from agentsync.errors import AgentsyncError, ExitCode


def run(command: click.Command) -> int:
    """Runs a command and turns whatever ends it into an exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    common = Common()
    try:
        result = command.main(standalone_mode=False, obj=common)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except AgentsyncError as error:
        _show(error, common)
        return error.exit_code
    except BrokenPipeError:
        # Whoever read the output has gone; a second failure at exit would only add noise.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001 - a bug must end in a report, not in a traceback
        _report(error)
        return ExitCode.BUG
    return result if isinstance(result, int) else ExitCode.OK


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(int(ExitCode.TERMINATED))


def _show(error: AgentsyncError, common: Common) -> None:
    if common.json:
        record = {"error": {"message": error.message, "place": error.place, "hint": error.hint}}
        click.echo(json.dumps({**record, "exit_code": int(error.exit_code)}))
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
    if error.hint:
        click.echo(f"{click.style(' hint:', fg='cyan')} {error.hint}", err=True)


def _report(error: Exception) -> None:
    """Writes what is needed to find a bug, without anything from the user's files."""
    from agentsync.paths import places  # noqa: PLC0415 - only a bug needs it, and every start would pay for it

    text = "".join(traceback.format_exception(error))
    header = f"agentsync {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    click.echo(f"{click.style('bug:', fg='red', bold=True)} {type(error).__name__}: {error}", err=True)
    directory = places().state
    try:
        directory.mkdir(parents=True, exist_ok=True)
        report = Path(directory / "bug-report.txt")
        report.write_text(header + text, encoding="utf-8")
    except OSError:
        click.echo(header + text, err=True)
        return
    click.echo(f" hint: the details are in {report}; please report them", err=True)
