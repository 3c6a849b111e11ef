"""`agentsync explain`: what a diagnostic's code means."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Final

import click

from agentsync.cli.console import table
from agentsync.cli.options import common, common_options
from agentsync.cli.terminal import columns, wrapped
from agentsync.core.code_examples import EXAMPLES
from agentsync.core.codes import Code, Severity

_EPILOG = """\b
Examples:
  agentsync explain AS309
  agentsync explain 309 402
  agentsync explain refused-wider
  agentsync explain
"""
_COLORS: Final = {Severity.ERROR: "red", Severity.WARNING: "yellow", Severity.INFO: "cyan"}


@click.command("explain", epilog=_EPILOG)
@click.argument("codes", nargs=-1, metavar="[CODE]...")
@common_options
def command(*, codes: Sequence[str]) -> int:
    """Explain each CODE: what causes it, what becomes of the agent, what to do, and an example.

    A code may be written as AS309, as309 or 309, or by its name. Without one, all codes are listed.
    """
    found = [_code(text) for text in codes] or [*Code]
    if common().json:
        click.echo(json.dumps([_record(code) for code in found]))
    elif codes:
        click.echo("\n\n".join("\n".join(_lines(code)) for code in found))
    else:
        table([[code.id, code.severity.value, code.cause] for code in found], ["CODE", "SEVERITY", "CAUSE"])
    return 0


def _code(text: str) -> Code:
    """Find a code by its id, its number or its name.

    Raises:
        click.UsageError: there is none; the message has the nearest.
    """
    word = text.strip().strip("[]").casefold().replace("_", "-")
    known = {name: code for code in Code for name in (code.id.casefold(), code.slug)}
    wanted = f"as{word}" if word.isdecimal() else word
    if wanted in known:
        return known[wanted]
    near = get_close_matches(wanted, known, n=1, cutoff=0.5)
    hint = f"did you mean {known[near[0]].id} ({known[near[0]].slug})?" if near else "`agentsync explain` lists them"
    raise click.UsageError(f"there is no code `{text}`; {hint}")


def _lines(code: Code) -> Iterator[str]:
    width = columns()
    yield f"{click.style(code.id, fg=_COLORS[code.severity], bold=True)} {code.slug} ({code.severity.value})"
    for title, text in (("Cause", code.cause), ("Effect", code.effect), ("Remedy", code.remedy)):
        yield from wrapped(text, width, first=f"  {title}: ".ljust(11), indent=" " * 11)
    example = EXAMPLES[code].splitlines()
    if len(example) == 1:
        yield from wrapped(example[0], width, first="  Example: ", indent=" " * 11)
    else:
        yield from ("  Example:", *(f"    {line}".rstrip() for line in example))


def _record(code: Code) -> dict[str, str]:
    return {
        "code": code.id,
        "name": code.slug,
        "severity": code.severity.value,
        "cause": code.cause,
        "effect": code.effect,
        "remedy": code.remedy,
        "example": EXAMPLES[code],
    }
