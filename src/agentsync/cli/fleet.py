"""`agentsync fleet`: which machines of a team run which commit, by stage, from what they publish by themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from agentsync.cli import fleet_tables
from agentsync.cli.fleet_post import Destination, post
from agentsync.cli.fleet_tables import MOST_NAMES
from agentsync.cli.options import Common, common, common_options_with
from agentsync.cli.rollout import line_of
from agentsync.cli.terminal import columns
from agentsync.core.durations import parse_duration
from agentsync.core.errors import AgentsyncError, ConfigError, ExitCode, why
from agentsync.core.files import read_regular
from agentsync.core.urls import printable
from agentsync.fleet.assess import Assessment, Criteria, assess
from agentsync.fleet.directories import read_documents, read_textfiles
from agentsync.fleet.http import Api, checked_token, token_from
from agentsync.fleet.limits import Limit, Limits, all_exceeded
from agentsync.fleet.model import FleetView
from agentsync.fleet.placement import Branch
from agentsync.fleet.prometheus_api import LARGEST, Query, read_prometheus
from agentsync.fleet.record import fleet_record
from agentsync.git.clone import Clone
from agentsync.repository.manifest import FILE_NAME, read_manifest
from agentsync.rollout.line import Commit, Line
from agentsync.rollout.tables import RolloutTable

_EPILOG: Final = """\b
Examples:
  agentsync fleet --prometheus https://prometheus.example.com
  agentsync fleet --textfiles ./collected --clone ./team-agents
  agentsync fleet --status ./collected --format markdown >> "$GITHUB_STEP_SUMMARY"
  agentsync fleet --prometheus http://localhost:9090 --max-refused 5% --max-behind 10%
  agentsync fleet --prometheus "$PROMETHEUS" --clone . --github acme/agents
"""
_TOKEN: Final = "PROMETHEUS_TOKEN"  # noqa: S105 - the name of a variable


def _parsed(parse: Callable[[str], object]) -> Callable[[click.Context, click.Parameter, str], object]:
    """Return a callback for an option whose text a function parses, or refuses with a ValueError."""

    def parsed(context: click.Context, parameter: click.Parameter, value: str) -> object:
        try:
            return parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), context, parameter) from error

    return parsed


_DIRECTORY: Final = click.Path(exists=True, file_okay=False, path_type=Path)
_duration: Final = partial(click.option, metavar="DURATION", callback=_parsed(parse_duration), show_default=True)
_limit: Final = partial(click.option, metavar="N|N%", callback=_parsed(Limit.parse), show_default=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """The options, by their names."""

    prometheus: str | None
    textfiles: Path | None
    status: Path | None
    match: str
    machine_label: str
    lookback: float
    token_file: Path | None
    clone: Path | None
    source: str | None
    silent_after: float
    max_behind: Limit
    max_refused: Limit
    max_failing: Limit
    max_silent: Limit
    github: str | None
    gitlab: str | None
    api: str | None
    dry_run: bool

    @property
    def destination(self) -> Destination | None:
        """Where to post; None for nowhere."""
        if self.github is not None and self.gitlab is not None:
            raise click.UsageError("--github and --gitlab exclude each other")
        if self.github is None and self.gitlab is None:
            if self.api or self.dry_run:
                raise click.UsageError("--api and --dry-run are for --github and --gitlab")
            return None
        return Destination(self.github, self.gitlab, self.api, self.dry_run)


@click.command("fleet", epilog=_EPILOG)
@click.option("--prometheus", metavar="URL", help="Ask a Prometheus server, or another one with its HTTP API.")
@click.option("--textfiles", type=_DIRECTORY, help="Read the machines' files for node_exporter, `MACHINE.prom`.")
@click.option("--status", type=_DIRECTORY, help="Read the machines' status documents, `MACHINE.json`.")
@click.option("--match", default="", help='Label matchers, such as `job="agentsync"`, with --prometheus.')
@click.option("--machine-label", default="instance", show_default=True, help="The label with a machine's name.")
@_duration(
    "--lookback",
    default="7d",
    help="How far back to look in Prometheus for machines that are silent.",
)
@click.option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file with the bearer token for Prometheus; otherwise PROMETHEUS_TOKEN of the environment.",
)
@click.option("--clone", type=_DIRECTORY, help="A clone of the team's repository: what should each stage have?")
@click.option("--source", metavar="NAME", help="Only this source.")
@_duration("--silent-after", default="1d", help="From when on a machine is silent.")
@_limit("--max-behind", default="0", help="Of each stage, as number or share.")
@_limit("--max-refused", default="0", help="The same, of machines that refuse.")
@_limit("--max-failing", default="0", help="The same, of machines that fail.")
@_limit("--max-silent", default="100%", help="The same, of silent machines.")
@click.option("--github", metavar="OWNER/REPO", help="Post a commit status, and a deployment for each stage.")
@click.option("--gitlab", metavar="PROJECT", help="The same for GitLab: the number or the path of a project.")
@click.option("--api", metavar="URL", help="The host's API, where it is not the public one, nor set by CI.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent to the host, and send nothing.")
@common_options_with(formats=("text", "markdown", "json"))
def command(**given: Any) -> int:
    """Show which machines of a team run which commit, stage by stage, and what is wrong where.

    The machines are read from exactly one of --prometheus, --textfiles and --status. Each one is `current`, `waiting`
    for its rollout, `behind`, or `silent`, and may refuse agents or fail. With --clone, the branch that
    is checked out there decides what each stage should have, so pull it first; without it, what the machines report
    that they wait for counts.

    Exits with 1 where a stage exceeds a limit, all are silent or the clone's manifest has a mistake, with 3 where the
    server does not answer, and with 4 where a document is of no use.
    """
    asked, options = _Asked(**given), common()
    _refuse_unused(click.get_current_context())
    destination = asked.destination
    view = _view(asked)
    assessment = assess(_only(view, asked.source), Criteria(time.time(), asked.silent_after, _branches(view, asked)))
    limits = Limits(asked.max_behind, asked.max_refused, asked.max_failing, asked.max_silent)
    options.status = _exit_code(assessment, limits)
    if destination and (error := _post(destination, assessment, limits)):
        options.status = error.exit_code
    _show(assessment, limits, options)
    return options.status


def _post(destination: Destination, assessment: Assessment, limits: Limits) -> AgentsyncError | None:
    """Post the fleet; return an error that was printed, so that what was read is still shown."""
    try:
        post(destination, assessment, limits)
    except AgentsyncError as error:
        hint = f" ({error.hint})" if error.hint else ""
        click.echo(printable(f"error: not posted: {error}{hint}"), err=True)
        return error
    return None


def _refuse_unused(context: click.Context) -> None:
    """Refuse options that would have no effect.

    Raises:
        UsageError: it is unclear what is read, or an option of Prometheus is given without it.
    """
    given = context.params
    if sum(given[name] is not None for name in ("prometheus", "textfiles", "status")) != 1:
        raise click.UsageError("give one of --prometheus, --textfiles and --status")
    for name in ("match", "machine_label", "lookback", "token_file"):
        is_given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if given["prometheus"] is None and is_given:
            raise click.UsageError(f"--{name.replace('_', '-')} is for --prometheus")


def _view(asked: _Asked) -> FleetView:
    if asked.textfiles is not None:
        return read_textfiles(asked.textfiles)
    if asked.status is not None:
        return read_documents(asked.status)
    token = _token(asked.token_file)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    api = Api((asked.prometheus or "").rstrip("/"), headers, LARGEST)
    return read_prometheus(api, Query(asked.match, asked.machine_label, asked.lookback))


def _token(path: Path | None) -> str:
    if path is None:
        return token_from(_TOKEN)
    try:
        return checked_token(read_regular(path).decode().strip(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"this token cannot be read: {why(error)}", place=str(path)) from error


def _only(view: FleetView, source: str | None) -> FleetView:
    """Return the machines with one source alone; as they are where none is named.

    Those that report no source are kept, since it may be this one that they cannot follow.

    Raises:
        UsageError: no machine reports this source, and some report others.
    """
    names = _source_names(view)
    if source is None or not names:
        return view
    if source not in names:
        raise click.UsageError(f"no machine follows a source `{source}` ({_some(names)})")
    machines = [
        replace(machine, sources=tuple(one for one in machine.sources if one.source == source))
        for machine in view.machines
        if not machine.sources or any(one.source == source for one in machine.sources)
    ]
    return replace(view, machines=tuple(machines))


def _source_names(view: FleetView) -> list[str]:
    return sorted({followed.source for machine in view.machines for followed in machine.sources})


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return printable(f"they follow {', '.join(names[:MOST_NAMES])}{more}")


def _branches(view: FleetView, asked: _Asked) -> dict[str, Branch]:
    """Return what the clone knows, by the name of its source; a manifest with a mistake is a finding.

    Raises:
        ConfigError: it is no clone.
        UsageError: it is unclear which source it is of.
    """
    if asked.clone is None:
        return {}
    names = _source_names(view)
    if asked.source is None and len(names) > 1:
        raise click.UsageError(f"the machines follow several sources: name the clone's with --source ({_some(names)})")
    clone = Clone(asked.clone)
    text = clone.read(clone.first_parents(1)[0].id, FILE_NAME)
    rollout, mistake = None, ""
    try:
        rollout = read_manifest(text).rollout
    except ConfigError as error:
        mistake = str(error)
    line = line_of(clone, rollout)
    return {asked.source or "".join(names): Branch(line, rollout, mistake, _held(clone, rollout, line))}


def _held(clone: Clone, rollout: RolloutTable | None, line: Line) -> Commit | None:
    """Return the commit that a rollout is held at, where it is not on the line; None also where there is none."""
    hold_at = rollout.hold_at if rollout else None
    if hold_at is None or any(commit.id.startswith(hold_at) for commit in line):
        return None
    try:
        [record] = clone.first_parents(1, clone.resolve(hold_at))
    except ConfigError:  # the machines stay where they are, and report it
        return None
    return Commit(record.id, record.tree, record.time, record.message)


def _exit_code(assessment: Assessment, limits: Limits) -> ExitCode:
    if assessment.mistake or not assessment.reporting or any(all_exceeded(assessment, limits)):
        return ExitCode.FINDINGS
    return ExitCode.INCOMPLETE if assessment.unreadable else ExitCode.OK


def _show(assessment: Assessment, limits: Limits, options: Common) -> None:
    is_verbose = options.verbosity > 0
    if options.json:
        click.echo(json.dumps(fleet_record(assessment, limits, options.status)))
        return
    if options.verbosity < 0 and options.status is ExitCode.OK:
        return
    unreadable = assessment.unreadable if is_verbose else assessment.unreadable[:MOST_NAMES]
    for one in unreadable:
        click.echo(printable(f"warning: {one.place}: {one.reason}"), err=True)
    if len(unreadable) < len(assessment.unreadable):
        click.echo(f"warning: and {len(assessment.unreadable) - len(unreadable)} more (-v shows all)", err=True)
    if options.format == "markdown":
        lines = fleet_tables.markdown(assessment, limits, verbose=is_verbose)
    else:
        lines = fleet_tables.text(assessment, limits, width=columns(), verbose=is_verbose)
    click.echo("\n".join(lines))
