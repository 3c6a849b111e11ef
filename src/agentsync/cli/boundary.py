"""Where every error meets the user: one line that says what failed and where, one that says what to do."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from itertools import pairwise
from pathlib import Path
from types import FrameType

import click

from agentsync import __version__
from agentsync.cli.options import Common
from agentsync.errors import AgentsyncError, ExitCode


def run(command: click.Command) -> int:
    """Runs a command and turns whatever ends it into an exit status."""
    signal.signal(signal.SIGTERM, _terminate)
    common, stdout = Common(), sys.stdout
    try:
        result = command.main(prog_name=command.name, standalone_mode=False, obj=common)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        _print_record(common, ExitCode.USAGE, error.format_message())
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        _print_record(common, ExitCode.INTERRUPTED, "interrupted")
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except AgentsyncError as error:
        _print_record(common, error.exit_code, error.message, error.place, error.hint)
        _show(error, common)
        return error.exit_code
    except SystemExit:
        if sys.stdout is not stdout:  # click replaces it when its reader has gone, who has then seen enough
            return ExitCode.OK
        raise
    except Exception as error:  # noqa: BLE001 - a bug must end in a report, not in a traceback
        _print_record(common, ExitCode.BUG, f"{type(error).__name__}: {error}")
        _report(error, common)
        return ExitCode.BUG
    return result if isinstance(result, int) else ExitCode.OK


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(int(ExitCode.TERMINATED))


def _print_record(common: Common, code: ExitCode, message: str, place: str = "", hint: str = "") -> None:
    """Prints an error as the document that whoever asked for JSON waits for."""
    # Wrong usage is found before the options are read.
    asked = "--format=json" in sys.argv or ("--format", "json") in pairwise(sys.argv)
    if common.json or asked or os.environ.get("AGENTSYNC_FORMAT") == "json":
        record = {"error": {"message": message, "place": place, "hint": hint}, "exit_code": int(code)}
        click.echo(json.dumps(record))


def _show(error: AgentsyncError, common: Common) -> None:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True, color=common.colored)
    if error.hint:
        click.echo(f"{click.style(' hint:', fg='cyan')} {error.hint}", err=True, color=common.colored)


def _report(error: Exception, common: Common) -> None:
    """Writes what is needed to find a bug, without anything from the user's files."""
    from agentsync.paths import places  # noqa: PLC0415 - only a bug needs it, and every start would pay for it

    text = "".join(traceback.format_exception(error))
    header = f"agentsync {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    title = click.style("bug:", fg="red", bold=True)
    click.echo(f"{title} {type(error).__name__}: {error}", err=True, color=common.colored)
    directory = places().state
    try:
        directory.mkdir(parents=True, exist_ok=True)
        report = Path(directory / "bug-report.txt")
        report.write_text(header + text, encoding="utf-8")
    except OSError:
        click.echo(header + text, err=True)
        return
    click.echo(f" hint: the details are in {report}; please report them", err=True)
