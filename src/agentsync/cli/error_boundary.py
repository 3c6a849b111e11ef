"""The error boundary: every error is shown as one line on what failed and where, and one line on what to do."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import FrameType
from typing import Final, TextIO

import click

from agentsync import __version__
from agentsync.cli.options import Common
from agentsync.core.errors import AgentsyncError, ExitCode, shortage
from agentsync.core.urls import printable, redact

_NO_OUTPUT: Final = frozenset({errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""The system's errors where results cannot be printed: the reader is gone, or the disk is full or broken."""

_MOST_MISTAKES: Final = 20  # of one file that are shown

_STREAMS: Final = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""The standard streams in the order of their numbers, with the mode of each."""


def run(command: click.Command) -> int:
    """Run a command and turn whatever ends it into an exit status."""
    for ending in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):  # SIGHUP: the terminal was closed
        signal.signal(ending, _terminate)
    _open_closed_streams()
    common, stdout = Common(), sys.stdout
    try:
        return _run(command, common)
    except OSError as error:
        if error.errno not in _NO_OUTPUT:
            raise
        return _unprinted(error, common)
    except SystemExit:
        if sys.stdout is not stdout:  # click replaces stdout when its reader is gone, which is no failure
            return common.status
        raise
    finally:
        _end_log()


def _open_closed_streams() -> None:
    """Open the null device for each closed standard stream, for which Python sets None.

    Its descriptor has to be taken too: else the next file that is opened gets it, and git's errors are written there.
    """
    closed = {name: mode for name, mode in _STREAMS.items() if getattr(sys, name) is None}
    if not closed:
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) < len(_STREAMS):
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - takes no keyword
    os.close(descriptor)
    for name, mode in closed.items():
        setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - it stays open


def _end_log() -> None:
    """Drop log output that cannot be written: else Python fails at its end, which changes the exit status."""
    try:
        sys.stderr.flush()
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Redirect a stream to the null device: else flushing its buffer fails once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(command: click.Command, common: Common) -> int:
    try:
        result = command.main(prog_name=command.name, standalone_mode=False, obj=common)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        _print_record(common, ExitCode.USAGE, AgentsyncError(error.format_message()).as_dict())
        error.show()
        return ExitCode.USAGE
    except (click.Abort, KeyboardInterrupt):
        _print_record(common, ExitCode.INTERRUPTED, AgentsyncError("interrupted").as_dict())
        click.echo("interrupted", err=True)
        return ExitCode.INTERRUPTED
    except AgentsyncError as error:
        show_error(error, common)
        return error.exit_code
    except Exception as error:  # a bug must end in a report, not in a traceback
        short = shortage(error)
        # An error with a file's name is of that file and not of the output.
        if isinstance(error, OSError) and error.errno in _NO_OUTPUT and not (short and error.filename):
            raise
        if short:
            show_error(short, common)
            return short.exit_code
        _print_record(common, ExitCode.BUG, AgentsyncError(redact(_sentence(error))).as_dict())
        _report(error, common)
        return ExitCode.BUG
    return result if isinstance(result, int) else ExitCode.OK


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(int(ExitCode.TERMINATED))


def _unprinted(error: OSError, common: Common) -> int:
    """End a run whose results could not be printed."""
    _discard(sys.stdout)
    if error.errno == errno.EPIPE:
        return common.status
    with suppress(OSError):  # standard error may be on the same full disk, and there is no other place
        _show_line("error:", f"the output cannot be written: {error.strerror}", common)
    return ExitCode.SHORTAGE if shortage(error) else ExitCode.INCOMPLETE


def _print_record(common: Common, code: ExitCode, error: Mapping[str, object]) -> None:
    """Print an error as a JSON document, if JSON was asked for."""
    common.status = code
    # A usage error can occur before the options are parsed.
    asked = "--format=json" in sys.argv or ("--format", "json") in pairwise(sys.argv)
    if common.json or asked or os.environ.get("AGENTSYNC_FORMAT") == "json":
        click.echo(json.dumps({"error": error, "exit_code": int(code)}))


def show_error(error: AgentsyncError, common: Common) -> None:
    """Show an error in the format that was asked for; its exit code becomes that of the command."""
    _print_record(common, error.exit_code, error.as_dict())
    for text, hint in error.mistakes[:_MOST_MISTAKES]:
        _show_line("error:", text, common)
        if hint:
            click.echo(f"{click.style(' hint:', fg='cyan')} {printable(hint)}", err=True, color=common.colored)
    if left := error.mistakes[_MOST_MISTAKES:]:
        click.echo(f"and {len(left)} more in the same file", err=True)


def _show_line(title: str, text: str, common: Common) -> None:
    """Print a line to standard error; control characters are escaped, since the text may come from a repository."""
    click.echo(f"{click.style(title, fg='red', bold=True)} {printable(text)}", err=True, color=common.colored)


def _sentence(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _report(error: Exception, common: Common) -> None:
    """Write a bug report: the traceback, which may name files and quote their text, but no secret.

    Only the user can read the file. Where it cannot be written, the report goes to standard error.
    """
    header = f"agentsync {__version__}, Python {sys.version.split()[0]}, {sys.platform}\n\n"
    text = header + redact("".join(traceback.format_exception(error)))
    _show_line("bug:", redact(_sentence(error)), common)
    try:
        report = _write_report(text)
    except (OSError, AgentsyncError):
        click.echo("\n".join(map(printable, text.splitlines())), err=True)
        return
    click.echo(f" hint: the details are in {report}; please look through them and report them", err=True)


def _write_report(text: str) -> Path:
    # Only a bug needs these, and every start would pay for them.
    from agentsync.core.paths import app_paths, make_private  # noqa: PLC0415
    from agentsync.targets.directory_handle import NOFOLLOW  # noqa: PLC0415

    directory = app_paths().state
    make_private(directory)
    report = directory / "bug-report.txt"
    report.unlink(missing_ok=True)
    descriptor = os.open(report, os.O_CREAT | os.O_EXCL | os.O_WRONLY | NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return report
