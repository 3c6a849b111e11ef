"""`agentsync demo`: two pulls on a scratch machine, through the real code."""

from __future__ import annotations

import json
import logging
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from agentsync.cli.console import show_changes, show_diagnostic, show_sources, summary
from agentsync.cli.demo_scene import Scene
from agentsync.cli.options import common, common_options
from agentsync.core.codes import Severity
from agentsync.core.log import configure, logged
from agentsync.core.paths import shorten
from agentsync.report.json_output import report_record
from agentsync.state.records import Action
from agentsync.sync.cycle import cycle
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest

_EPILOG = """\b
Examples:
  agentsync demo
  agentsync demo --keep
"""


@click.command("demo", epilog=_EPILOG)
@click.option("--keep", is_flag=True, help="Keep the scratch directory and print its path.")
@common_options
def command(*, keep: bool) -> int:
    """Pull six example agents into a scratch home, twice.

    Between the two pulls the team changes two agents and the developer edits a file. Nothing outside a temporary
    directory is read or written.
    """
    configure(logging.INFO if common().verbosity > 0 else logging.CRITICAL, readable=not common().logs_json)
    with _scratch(keep=keep) as root:
        scene = Scene(root)
        scene.build()
        if common().json:
            click.echo(json.dumps({"scratch": str(root) if keep else None, "pulls": list(_records(scene))}))
            return 0
        _first(scene)
        _second(scene)
    return 0


def _records(scene: Scene) -> Iterator[dict[str, object]]:
    """The JSON form of the demo: the reports of three pulls."""
    yield report_record(_run(scene, Scope.APPLY))
    scene.change_upstream()
    scene.edit_locally()
    yield report_record(_run(scene, Scope.APPLY))
    yield report_record(_run(scene, Scope.APPLY))


@contextmanager
def _scratch(*, keep: bool) -> Iterator[Path]:
    root = Path(tempfile.mkdtemp(prefix="agentsync-demo-"))
    try:
        yield root
    finally:
        if keep and not common().json:
            click.echo(f"\nThe scratch directory is {root}")
        elif not keep:
            shutil.rmtree(root)


def _run(scene: Scene, scope: Scope) -> Report:
    return logged(cycle(Environment(scene.config, scene.app_paths), SyncRequest(scope)))


def _first(scene: Scene) -> None:
    _title("A team keeps six agents in Git: some written for Claude Code, some for OpenCode")
    for path in sorted(scene.repository.joinpath("agents").iterdir()):
        click.echo(f"  agents/{path.name}")
    _title("agentsync plan: what a machine with three tools would get")
    _show(_run(scene, Scope.PLAN), scene)
    _title("agentsync pull")
    report = _run(scene, Scope.APPLY)
    _show(report, scene, changes=False)
    _show_losses(report)
    _title("One agent as its author wrote it, for Claude Code")
    _head(scene.repository / "agents/test-runner.md")
    _title("The same agent as OpenCode reads it: nothing but pytest and make test, and it asks")
    _head(scene.home / ".config/opencode/agents/test-runner.md")


def _second(scene: Scene) -> None:
    _title("The team improves one agent and retires another; the developer edits a file here")
    scene.change_upstream()
    edited = scene.edit_locally()
    click.echo(f"  edited here: {shorten(str(edited), str(scene.home))}")
    _title("agentsync pull, again: updated, pruned, and the edit kept")
    _show(_run(scene, Scope.APPLY), scene)
    _title("agentsync pull, once more: nothing to do, and the edit is still there")
    _show(_run(scene, Scope.APPLY), scene)


def _title(text: str) -> None:
    click.echo(f"\n{click.style('# ' + text, bold=True)}")


def _show(report: Report, scene: Scene, *, changes: bool = True) -> None:
    show_sources(report)
    if changes:
        shown = [change for change in report.plan.changes if change.action is not Action.KEEP]
        show_changes(shown, home=str(scene.home))
    click.echo(summary(report))


def _show_losses(report: Report) -> None:
    click.echo(click.style("\nWhat could not be carried over, each with its place:", bold=True))
    for diagnostic in report.news:
        if diagnostic.severity is not Severity.INFO:
            show_diagnostic(diagnostic, err=False)


def _head(path: Path) -> None:
    """Print the frontmatter of a file."""
    head, _, _ = path.read_text(encoding="utf-8").removeprefix("---\n").partition("\n---\n")
    click.echo("".join(f"  {line}\n" for line in head.splitlines()), nl=False)
