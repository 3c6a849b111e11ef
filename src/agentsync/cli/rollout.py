"""`agentsync rollout`: shows, halts, resumes and simulates the rollout that a clone's manifest declares."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import click
import tomlkit
from tomlkit.exceptions import TOMLKitError

from agentsync.cli.console import table
from agentsync.cli.options import common, common_options
from agentsync.cli.wording import counted
from agentsync.core.durations import time_left, utc
from agentsync.core.errors import ConfigError
from agentsync.core.urls import printable
from agentsync.git.clone import Clone
from agentsync.report.json_output import rollout_record
from agentsync.repository.manifest import FILE_NAME, read_manifest
from agentsync.rollout.forecast import Step, forecast, populations, probably_empty
from agentsync.rollout.line import Commit
from agentsync.rollout.tables import RolloutTable

_LONGEST_LINE: Final = 1_000
_EPILOG: Final = """\b
Examples:
  agentsync rollout
  agentsync rollout halt --reason INC-142
  agentsync rollout resume
  agentsync rollout hold 3f2a9c1
  agentsync rollout simulate --machines 400
"""


@click.command("rollout", epilog=_EPILOG)
@click.argument("what", type=click.Choice(["show", "halt", "resume", "hold", "simulate"]), default="show")
@click.argument("commit", required=False)
@click.option(
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="A clone of the team's repository; the current directory otherwise.",
)
@click.option("--reason", help="Why the rollout is halted, with `halt`.")
@click.option("--machines", type=click.IntRange(1, 1_000_000), default=100, help="How many, with `simulate`.")
@click.option("--no-commit", is_flag=True, help="Edit the manifest, and leave the commit to you.")
@common_options
def command(
    *, what: str, commit: str | None, repository: Path, reason: str | None, machines: int, no_commit: bool
) -> int:
    """Show or change how fast the team's commits spread, in a clone of its repository.

    `show` says which commit each stage has and what happens next; `simulate` how many machines that is, over time.
    `halt` stops every machine, `hold` takes all of them to COMMIT, and `resume` ends both. These edit `agentsync.toml`,
    keep its comments, and commit it; once you push, each machine follows within one poll.
    """
    if what == "hold" and commit is None:
        raise click.UsageError("`hold` needs COMMIT")
    if what != "hold" and commit is not None:
        raise click.UsageError("COMMIT is for `hold`")
    if what == "halt" and reason is None:
        raise click.UsageError("`halt` needs --reason")
    if what != "halt" and reason is not None:
        raise click.UsageError("--reason is for `halt`")
    clone = Clone(repository)
    manifest = clone.root / FILE_NAME
    rollout = _rollout_of(manifest)
    line = _line(clone, rollout)
    match what:
        case "show":
            _show(clone, line, rollout)
        case "simulate":
            _simulate(line, rollout, machines)
        case "hold":
            assert commit is not None  # noqa: S101 - checked above
            held = _resolve(clone, line, commit)
            _change(clone, manifest, {"hold_at": held.id}, f"Hold the rollout at {held.id[:12]}", no_commit=no_commit)
        case "halt":
            _change(clone, manifest, {"halt": reason}, f"Halt the rollout: {reason}", no_commit=no_commit)
        case _:
            _change(clone, manifest, {"halt": None, "hold_at": None}, "Resume the rollout", no_commit=no_commit)
    return 0


def _rollout_of(manifest: Path) -> RolloutTable:
    try:
        rollout = read_manifest(manifest.read_bytes()).rollout
    except FileNotFoundError:
        rollout = None
    if rollout is None:
        hint = "declare `stages` there; `agentsync docs configuration` has an example"
        message = "this repository declares no rollout: each commit goes to all machines at once"
        raise ConfigError(message, place=str(manifest), hint=hint)
    return rollout


def _line(clone: Clone, rollout: RolloutTable) -> list[Commit]:
    line = [Commit(one.id, one.tree, one.time, one.message) for one in clone.first_parents(_LONGEST_LINE)]
    for index, commit in enumerate(line if rollout.halt else ()):
        table_ = read_manifest(clone.read(commit.id, FILE_NAME)).rollout
        if not (table_ and table_.halt):
            break
        line[index] = replace(commit, halts=True)
    return line


def _resolve(clone: Clone, line: list[Commit], text: str) -> Commit:
    id_ = clone.resolve(text)
    found = next((commit for commit in line if commit.id == id_), None)
    if found is None:
        message = f"{id_[:12]} is not on this branch, where machines look for it"
        raise ConfigError(message, hint="give a commit that `git log --first-parent` lists")
    return found


def _show(clone: Clone, line: list[Commit], rollout: RolloutTable) -> None:
    now = time.time()
    first = next(forecast(line, rollout, now))
    if common().json:
        stages = [rollout_record(choice) for choice in first.choices.values()]
        click.echo(json.dumps({"tip": line[0].id, "stages": stages}))
        return
    subjects = {commit.id: commit.message.partition("\n")[0] for commit in line}
    rows = []
    for stage in rollout.stages:
        choice = first.choices[stage.name]
        due = f"in {time_left(choice.due_at - now)}" if choice.due_at else "-"
        reason = f"{choice.reason}: {choice.detail}" if choice.detail else str(choice.reason)
        subject = printable(subjects.get(choice.commit, "nothing yet"))[:30]
        rows.append([stage.name, f"{stage.share:g} %", choice.commit[:12] or "-", subject, printable(reason), due])
    table(rows, ("STAGE", "SHARE", "COMMIT", "SUBJECT", "REASON", "NEXT"))
    if not all(choice.commit for choice in first.choices.values()):
        click.echo("nothing yet: for a new machine; one that has a version keeps it")
    ahead, upstream = clone.unpushed()
    if ahead:
        click.echo(
            f"not pushed: {counted(ahead, 'commit')} ahead of {printable(upstream)}; no machine knows of this yet"
        )


def _simulate(line: list[Commit], rollout: RolloutTable, machines: int) -> None:
    steps = [*forecast(line, rollout, time.time())]
    numbers = populations(rollout, "source", machines)
    if common().json:
        click.echo(json.dumps({"machines": machines, "stages": dict(numbers), "steps": [*map(_step_record, steps)]}))
        return
    rows = [
        [utc(step.at), str(sum(numbers[name] for name in at_tip)), ", ".join(at_tip) or "-"]
        for step in steps
        for at_tip in [[name for name, choice in step.choices.items() if choice.commit == line[0].id]]
    ]
    table(rows, ("WHEN", f"OF {machines} AT {line[0].id[:12]}", "STAGES"))
    for name, chance in probably_empty(rollout, machines).items():
        hint = f"stage {name} of {counted(machines, 'machine')} has none with a chance of {chance:.0%}"
        click.echo(f"{hint}: put machines into it by `groups`", err=True)


def _step_record(step: Step) -> dict[str, object]:
    return {"at": step.at, "commits": {name: choice.commit for name, choice in step.choices.items()}}


def _change(clone: Clone, manifest: Path, keys: dict[str, str | None], message: str, *, no_commit: bool) -> None:
    """Set keys of `[rollout]`, or remove those without a value, keep the comments, and commit the manifest."""
    before = manifest.read_text(encoding="utf-8")
    try:
        document = tomlkit.parse(before)
    except TOMLKitError as error:
        raise ConfigError(f"this cannot be edited: {error}", place=str(manifest)) from error
    rollout = document["rollout"]
    for key, value in keys.items():
        if value is not None:
            rollout[key] = value
        elif key in rollout:
            del rollout[key]
    after = tomlkit.dumps(document)
    read_manifest(after.encode())  # never write what no machine could read
    if after == before:
        click.echo("nothing to change")
        return
    manifest.write_text(after, encoding="utf-8")
    if no_commit:
        click.echo(f"{FILE_NAME} is changed; commit and push it")
        return
    made = clone.commit(manifest, message)
    click.echo(f"committed {made[:12]}: {printable(message)}; push it, and each machine follows within one poll")
