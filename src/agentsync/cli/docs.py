"""`agentsync docs`: the pages of docs/, which the package brings along."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import click

from agentsync.cli.console import table
from agentsync.cli.options import common, common_options
from agentsync.cli.terminal import page
from agentsync.core.errors import AgentsyncError

_EPILOG = """\b
Examples:
  agentsync docs
  agentsync docs configuration
  agentsync docs permissions | less
"""
_PACKAGE: Final = Path(__file__).parents[1]
_COMMENT: Final = re.compile(r"^<!--[^\n>]*-->\n*", re.MULTILINE)
_HEADING: Final = re.compile(r"#{1,6} ")


@click.command("docs", epilog=_EPILOG)
@click.argument("topic", required=False)
@common_options
def command(*, topic: str | None) -> int:
    """Print the page on TOPIC, through a pager where it does not fit a terminal; without one, list the topics."""
    pages = {name: _COMMENT.sub("", path.read_text(encoding="utf-8")) for name, path in _pages().items()}
    if topic is None:
        titles = {name: text.partition("\n")[0].removeprefix("# ") for name, text in pages.items()}
        if common().json:
            click.echo(json.dumps([{"topic": name, "title": title} for name, title in titles.items()]))
        else:
            table([*titles.items()], ["TOPIC", "TITLE"])
        return 0
    name = _topic(topic, pages)
    if common().json:
        click.echo(json.dumps({"topic": name, "text": pages[name]}))
    else:
        page(_styled(pages[name]), color=common().colored)
    return 0


def _pages() -> dict[str, Path]:
    """The pages by topic: those of the package, or in a clone those beside it.

    Raises:
        AgentsyncError: there are none.
    """
    for directory in (_PACKAGE / "docs", _PACKAGE.parents[1] / "docs"):
        if paths := sorted(directory.rglob("*.md")):
            pages = {path.relative_to(directory).with_suffix("").as_posix(): path for path in paths}
            # In a clone the page on systemd is beside the units; the package has it among the others.
            pages.setdefault("systemd", directory.parent / "systemd" / "README.md")
            return dict(sorted(pages.items()))
    raise AgentsyncError("the documentation is not installed", place=str(_PACKAGE / "docs"))


def _topic(text: str, pages: dict[str, str]) -> str:
    """Find a topic by its name, or by the last part of it.

    Raises:
        click.UsageError: there is none, or several; the message has the nearest, or all.
    """
    word = text.casefold().removeprefix("docs/").removesuffix(".md").replace("_", "-")
    if word in pages:
        return word
    ending = [name for name in pages if name.rpartition("/")[2] == word]
    if len(ending) == 1:
        return ending[0]
    near = get_close_matches(word, pages, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"topics: {', '.join(pages)}"
    raise click.UsageError(f"there is no topic `{text}`; {hint}")


def _styled(text: str) -> Iterator[str]:
    """Yield the lines, with bold headings."""
    is_code = False
    for line in text.splitlines():
        is_code ^= line.startswith("```")
        yield click.style(line, bold=True) if _HEADING.match(line) and not is_code else line
