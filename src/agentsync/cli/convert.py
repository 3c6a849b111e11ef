"""`agentsync convert`: prints one agent in another tool's format."""

from __future__ import annotations

import json
from typing import BinaryIO, Literal

import click

from agentsync.agents.narrowing import Choice, WriteOptions
from agentsync.cli.console import show_diagnostic
from agentsync.cli.options import common, common_options
from agentsync.convert.losses import LOSSES
from agentsync.convert.render import render
from agentsync.core.codes import Severity
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ExitCode
from agentsync.dialects import dialects, no_dialect
from agentsync.repository.dialect_detection import NoAgent, read_agent

_EPILOG = """\b
Examples:
  agentsync convert reviewer.md --to opencode
  agentsync convert .opencode/agents/build.md --to claude > build.md
  agentsync convert reviewer.md --to opencode --approval allow
  cat reviewer.md | agentsync convert - --from claude --to codex
"""


class _DialectType(click.ParamType):  # type: ignore[type-arg]  # generic in click 8.4 and later only
    """A dialect's name, looked up late, so that `--help` loads no dialect."""

    name = "dialect"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in dialects():
            self.fail(no_dialect(value), param, ctx)
        return value


DIALECT = _DialectType()
CHOICE = click.Choice(["narrow", "refuse", "accept"])


@click.command("convert", epilog=_EPILOG)
@click.argument("file", type=click.File("rb"))
@click.option("--from", "source", type=DIALECT, help="The dialect of FILE; detected from its path and content.")
@click.option("--to", "target", type=DIALECT, required=True, help="The dialect to write.")
@click.option("--approval", type=click.Choice(["ask", "allow"]), default="ask", help="What session approval becomes.")
@click.option("--unenforceable", type=CHOICE, default="narrow", help="For globs that the target cannot express.")
@click.option("--coarse", type=CHOICE, default="narrow", help="For tools that cover more than was granted.")
@click.option("--strict-approval", is_flag=True, help="Refuse what the target cannot ask for.")
@click.option("--fail-on-loss", is_flag=True, help="Exit with 1 when something was lost or repaired.")
@common_options
def command(
    *,
    file: BinaryIO,
    source: str | None,
    target: str,
    approval: Literal["ask", "allow"],
    unenforceable: Choice,
    coarse: Choice,
    strict_approval: bool,
    fail_on_loss: bool,
) -> int:
    """Print the agent in FILE in another tool's format; losses are reported on standard error."""
    name = file.name if file.name != "<stdin>" else "agent.md"
    read = read_agent(str(name).replace("\\", "/").removeprefix("./"), file.read(), source)
    if isinstance(read, NoAgent):
        return _finish(None, read.diagnostics, fail_on_loss=fail_on_loss)
    options = WriteOptions(
        approval=approval, unenforceable=unenforceable, coarse=coarse, strict_approval=strict_approval
    )
    rendered = render(read, dialects()[target], options)
    losses = tuple(diagnostic.at(path=read.document.path) for diagnostic in rendered.diagnostics)
    return _finish(rendered.data, (*read.diagnostics, *losses), fail_on_loss=fail_on_loss)


def _finish(data: bytes | None, diagnostics: tuple[Diagnostic, ...], *, fail_on_loss: bool) -> int:
    if common().json:
        text = data.decode() if data is not None else None
        click.echo(json.dumps({"output": text, "diagnostics": [diagnostic.as_dict() for diagnostic in diagnostics]}))
    else:
        for diagnostic in diagnostics:
            if diagnostic.severity is not Severity.INFO or common().verbosity > 0 or data is None:
                show_diagnostic(diagnostic)
        if data is not None:
            click.echo(data, nl=False)
    if data is None:
        return ExitCode.INCOMPLETE
    lost = any(diagnostic.severity is not Severity.INFO or diagnostic.code in LOSSES for diagnostic in diagnostics)
    return ExitCode.FINDINGS if lost and fail_on_loss else ExitCode.OK
