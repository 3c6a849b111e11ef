"""`agentsync rollout`: shows, halts, resumes and simulates the rollout that a clone's manifest declares."""

from __future__ import annotations

import json
import time
from codecs import BOM_UTF8
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
from agentsync.rollout.choose import Reason
from agentsync.rollout.forecast import Step, forecast, populations, probably_empty
from agentsync.rollout.line import Commit, with_held
from agentsync.rollout.tables import MAX_REASON, RolloutTable

_LONGEST_LINE: Final = 1_000  # commits that may be reverted, as on a machine
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

    `show` lists which commit each stage has and what happens next; `simulate` how many machines that is, over time.
    `halt` stops every machine, `hold` takes all of them to COMMIT, and `resume` ends both. These edit `agentsync.toml`,
    keep its comments, and commit it; once you push, each machine follows within one poll.
    """
    if what == "hold" and commit is None:
        raise click.UsageError("`hold` needs COMMIT")
    if what != "hold" and commit is not None:
        raise click.UsageError("COMMIT is for `hold`")
    if what == "halt" and not (reason := " ".join((reason or "").split())):
        raise click.UsageError("`halt` needs --reason")
    if what != "halt" and reason is not None:
        raise click.UsageError("--reason is for `halt`")
    clone = Clone(repository)
    manifest = clone.root / FILE_NAME
    rollout = _rollout_of(manifest)
    line = line_of(clone, rollout)
    match what:
        case "show":
            _show(clone, line, rollout)
        case "simulate":
            _simulate(line, rollout, machines)
        case "hold":
            assert commit is not None  # noqa: S101 - checked above
            held = _resolve(clone, commit)
            _change(clone, manifest, {"hold_at": held}, f"Hold the rollout at {held[:12]}", no_commit=no_commit)
        case "halt":
            why = _shown(reason or "")
            _change(clone, manifest, {"halt": why}, f"Halt the rollout: {why}", no_commit=no_commit)
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


def line_of(clone: Clone, rollout: RolloutTable | None) -> list[Commit]:
    """Return the line of a clone's branch; the commits from the tip back whose manifests halt its rollout are marked.

    Raises:
        ConfigError: there is no commit.
    """
    records = clone.first_parents(_LONGEST_LINE)
    taken_back = clone.merged_reverts(records) if rollout else {}
    line = [
        Commit(one.id, one.tree, one.time, one.message, takes_back=taken_back.get(one.id, frozenset()))
        for one in records
    ]
    for index, commit in enumerate(line if rollout and rollout.halt else ()):
        if not _halts(clone, commit):
            break
        line[index] = replace(commit, halts=True)
    if rollout and rollout.hold_at:
        return [*with_held(line, clone.ancestors(rollout.hold_at), clone.is_ancestor)]
    return line


def _halts(clone: Clone, commit: Commit) -> bool:
    try:
        rollout = read_manifest(clone.read(commit.id, FILE_NAME)).rollout
    except ConfigError:  # no machine moved on to it
        return True
    return bool(rollout and rollout.halt)


def _shown(reason: str) -> str:
    """Return a reason that can be committed: an alert's may have any characters and length, and has to halt anyway."""
    plain = "".join(character if character.isprintable() else " " for character in reason)
    words = " ".join(plain.split()) or "the reason has no character that can be shown"
    return words if len(words) <= MAX_REASON else f"{words[: MAX_REASON - 1]}…"


def _resolve(clone: Clone, text: str) -> str:
    id_ = clone.resolve(text)
    if not clone.is_ancestor(id_, "HEAD"):
        message = f"{id_[:12]} is no commit of this branch, where machines look for it"
        raise ConfigError(message, hint="give a commit that `git log` lists")
    return id_


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
    first = steps[-1].choices[rollout.stages[0].name]
    if first.reason in (Reason.HALTED, Reason.HELD, Reason.STAYING):
        click.echo(printable(f"nothing changes from then on: {first.reason}: {first.detail or first.commit[:12]}"))
    for name, chance in probably_empty(rollout, machines).items():
        hint = f"stage {name} of {counted(machines, 'machine')} has none with a chance of {chance:.0%}"
        click.echo(f"{hint}: put machines into it by `groups`", err=True)


def _step_record(step: Step) -> dict[str, object]:
    return {"at": step.at, "commits": {name: choice.commit for name, choice in step.choices.items()}}


def _change(clone: Clone, manifest: Path, keys: dict[str, str | None], message: str, *, no_commit: bool) -> None:
    """Set keys of `[rollout]`, or remove those without a value, keep the comments, and commit the manifest."""
    before = manifest.read_bytes()
    try:
        after = _edited(before, keys)
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f"this cannot be edited: {error}", place=str(manifest)) from error
    read_manifest(after)  # never write what no machine could read
    if after == before:
        click.echo("nothing to change")
        return
    if not no_commit and clone.is_changed(manifest):
        hint = "commit or undo that first, or edit it with --no-commit and commit both"
        raise ConfigError("this has changes that are not committed", place=str(manifest), hint=hint)
    manifest.write_bytes(after)
    if no_commit:
        click.echo(f"{FILE_NAME} is changed; commit and push it")
        return
    try:
        made = clone.commit(manifest, message)
    except ConfigError:
        manifest.write_bytes(before)  # else the next attempt would find nothing to change
        raise
    push = (
        "push it with `git push REMOTE HEAD:BRANCH`, since no branch is checked out" if clone.is_detached else "push it"
    )
    click.echo(f"committed {made[:12]}: {printable(message)}; {push}, and each machine follows within one poll")


def _edited(data: bytes, keys: dict[str, str | None]) -> bytes:
    """Return a manifest with these keys of `[rollout]`; its mark, line ends and comments stay as they are."""
    mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
    text = data.removeprefix(mark).decode()
    line_end = "\r\n" if text.count("\r\n") == text.count("\n") else "\n"
    document = tomlkit.parse(text.replace(line_end, "\n"))
    rollout = document["rollout"]
    for key, value in keys.items():
        if value is not None:
            rollout[key] = value
        elif key in rollout:
            del rollout[key]
    return mark + tomlkit.dumps(document).replace("\n", line_end).encode()
