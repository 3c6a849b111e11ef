"""Shared by `init` and `source add`: a source's URL as it is meant, and what of the user's own setup reaches it."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from agentsync.cli.given import absolute_url
from agentsync.cli.options import common
from agentsync.config.editor import table
from agentsync.core.errors import ConfigError
from agentsync.core.paths import is_of_machine
from agentsync.core.urls import local_path, printable, redact, scheme
from agentsync.git.user_settings import UserSettings, user_settings

_SHORT: Final = re.compile(r"[\w-][\w.-]*(?:/[\w.-]+)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Access:
    """How a source is reached.

    Attributes:
        url: the URL, absolute where it is a path.
        settings: what of the user's own setup is used.
    """

    url: str
    settings: UserSettings

    def show(self) -> None:
        """Print what of the user's own setup is used, and what is not."""
        for used in self.settings.used:
            value = "" if used.value is True else f" {printable(redact(str(used.value)))}"
            click.echo(f"uses: {used.key}{value} ({printable(redact(used.origin))})")
        for text in self.settings.unused:
            click.echo(f"note: {text}")

    def table(self, name: str, settings: dict[str, object], *, refused: bool = False) -> str:
        """Render the source's table.

        Args:
            name: of the source.
            settings: further keys of the table.
            refused: whether nobody was let in, so that the line is added that may change that.
        """
        values: dict[str, object] = {"url": self.url, **settings}
        if local_path(self.url) is not None:
            values["allow_local"] = True
        if scheme(self.url) == "http":
            values["allow_http"] = True
        used = self.settings.used
        if used or refused:
            values["auth"] = {one.key: one.value for one in used}
        text = table(["sources", name], values, {one.key: printable(redact(one.origin)) for one in used})
        return f"{text}{self.line_to_fix}\n" if refused else text

    @property
    def line_to_fix(self) -> str:
        """The line that lets agentsync in once its `#` is removed and its file exists."""
        return (
            '#ssh_key = "~/.ssh/id_ed25519" # a key without a passphrase that the host knows'
            if scheme(self.url) == "ssh"
            else '#token_file = "~/.config/agentsync/token" # a file with one line: a token that may read it'
        )


def find_access(url: str, config: Path) -> Access:
    """Find out which repository a URL is, and what of the user's own setup reaches it.

    A service of the machine uses none of that.

    Raises:
        ConfigError: the URL lacks its beginning.
        click.Abort: the user does not answer.
    """
    _check_whole(url)
    url = absolute_url(url)
    if is_of_machine(config):
        return Access(url, UserSettings())
    settings = user_settings(url)
    if settings.rewritten and _takes(url, settings.rewritten):
        url = absolute_url(settings.rewritten)
        settings = user_settings(url)
    return Access(url, settings)


def _check_whole(url: str) -> None:
    """Refuse `acme/agents` where there is no such directory, which git would look for."""
    first = url.partition("/")[0]
    if not _SHORT.fullmatch(url) or Path(first).exists():
        return
    has_host = re.search(r"\.[a-z]{2,}$", first) and url.count("/") > 1
    whole = url if has_host else f"HOST/{url}"
    hint = f"did you mean https://{whole}?"
    raise ConfigError("there is no such directory, and a URL begins with its protocol", place=url, hint=hint)


def _takes(url: str, rewritten: str) -> bool:
    """Ask whether a URL is to be the one that git would use; without a terminal, it stays as it is."""
    shown = printable(redact(rewritten))
    if common().json or not (sys.stdin.isatty() and sys.stderr.isatty()):
        click.echo(f"note: git's insteadOf would fetch {shown} here; give that URL if you mean it", err=True)
        return False
    return click.confirm(f"git's insteadOf rewrites {printable(redact(url))} to {shown}. Use that?", err=True)
