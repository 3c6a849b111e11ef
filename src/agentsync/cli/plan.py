"""`agentsync plan` (or `diff`): shows what pull would change."""

from __future__ import annotations

import json

import click

from agentsync.cli.console import change_lines, show_diagnostics, source_lines, summary
from agentsync.cli.cycle import run_cycle
from agentsync.cli.options import common, common_options, place_options
from agentsync.cli.terminal import page
from agentsync.core.errors import ExitCode
from agentsync.report.json_output import change_record, differences, report_record
from agentsync.sync.request import Scope
from agentsync.targets.consent import Consent

_EPILOG = """\b
Examples:
  agentsync plan
  agentsync plan --no-diff
  agentsync plan --exit-code --format json
"""


@click.command("plan", epilog=_EPILOG)
@place_options
@click.option("--diff/--no-diff", default=True, help="Whether to show the differences (yes).")
@click.option("--exit-code", is_flag=True, help="Exit with 1 when there is something to change.")
@click.option("--allow-deletions", is_flag=True, help="Plan also what a source drops all at once.")
@click.option("--allow-escalation", is_flag=True, help="Plan also what gives an agent more than it had.")
@click.option("--allow-scattered", is_flag=True, help="Plan many agents of a new source from unexpected places too.")
@common_options
def command(
    *,
    source: tuple[str, ...],
    to: tuple[str, ...],
    branch: str | None,
    subfolder: str,
    diff: bool,
    exit_code: bool,
    allow_deletions: bool,
    allow_escalation: bool,
    allow_scattered: bool,
) -> int:
    """Show what pull would change, with differences."""
    options = common()
    report = run_cycle(
        options,
        Scope.PLAN,
        source=source,
        to=to,
        branch=branch,
        subfolder=subfolder,
        consent=Consent(allow_deletions, allow_escalation, allow_scattered),
    )
    pending = exit_code and report.changes and report.exit_code is ExitCode.OK
    options.status = ExitCode.FINDINGS if pending else report.exit_code
    shown = report.differing
    texts = differences(report, shown) if diff else {}
    if options.json:
        changes = [{**change_record(change), "diff": texts.get(change.key)} for change in shown]
        click.echo(json.dumps({**report_record(report), "changes": changes}))
    else:
        lines = [*source_lines(report), *change_lines(shown, verbosity=1)]
        lines += [line for text in texts.values() for line in _colored(text).splitlines()]
        page(lines, color=options.colored)
        show_diagnostics(report, verbosity=options.verbosity)
        click.echo(summary(report))
    return options.status


def _colored(text: str) -> str:
    return "".join(_colored_line(line) for line in text.splitlines(keepends=True))


def _colored_line(line: str) -> str:
    if line.startswith(("---", "+++")):
        return click.style(line, bold=True)
    color = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
    return click.style(line, fg=color) if color else line
