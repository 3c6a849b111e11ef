"""Shared by `pull`, `plan` and `status`: finding the configuration, and running a cycle."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from agentsync.cli.given import absolute_url, directory_in, given_text
from agentsync.cli.logs import start_log
from agentsync.cli.options import Common
from agentsync.cli.waiting import Waiting
from agentsync.config import Config, check_complete, find_config, load_config, load_with_text
from agentsync.core.errors import ConfigError
from agentsync.core.log import logged
from agentsync.core.naming import slug
from agentsync.core.paths import app_paths
from agentsync.core.urls import local_path, printable, redact, scheme
from agentsync.dialects import dialects, no_dialect
from agentsync.formats.validated_toml import validate
from agentsync.state.lock import BRIEF_LOCK_TIMEOUT
from agentsync.sync.cycle import cycle
from agentsync.sync.fetch import Fetches
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest
from agentsync.targets.consent import Consent


def run_cycle(
    common: Common,
    scope: Scope,
    *,
    source: tuple[str, ...] = (),
    to: tuple[str, ...] = (),
    branch: str | None = None,
    subfolder: str = "",
    consent: Consent | None = None,
    fetches: Fetches | None = None,
) -> Report:
    """Run a cycle for the configuration, or for the given sources and targets.

    Fetches in `fetches` are not repeated.

    Raises:
        AgentsyncError: the configuration, the lock or the state cannot be used.
    """
    if (branch or subfolder) and not source:
        raise ConfigError("--branch and --subfolder select a part of --source, which is missing")
    if source or to:
        config = given_config(source, to, branch, subfolder)
        text = given_text(source, to, branch, subfolder)
    else:
        path = find_config(common.config)
        config, text = load_with_text(path)
        if scope is not Scope.LOOK:
            check_complete(config, path)
    request = SyncRequest(scope, consent or Consent(), ad_hoc=bool(source or to))
    return run_config(common, config, request, fetches=fetches, text=text)


def run_config(
    common: Common, config: Config, request: SyncRequest, *, fetches: Fetches | None = None, text: str = ""
) -> Report:
    """Run a cycle for this configuration, waiting briefly for another run; `text` is the text that it was read from.

    Raises:
        AgentsyncError: the configuration, the lock or the state cannot be used.
    """
    start_log(common)
    waiting = Waiting()
    try:
        environment = Environment(config, app_paths(), text, fetches or Fetches(), progress=waiting)
        return logged(cycle(environment, replace(request, lock_timeout=BRIEF_LOCK_TIMEOUT)))
    finally:
        waiting.clear()


def read_config(common: Common) -> Config:
    """Read the configuration in use.

    Raises:
        ConfigError: there is none, or it has a mistake.
    """
    return load_config(find_config(common.config))


def given_config(sources: tuple[str, ...], targets: tuple[str, ...], branch: str | None, subfolder: str) -> Config:
    """Make a configuration from options; a local path or http is allowed, since the user typed it."""
    if not (sources and targets):
        missing = "--to" if sources else "--source"
        raise ConfigError(f"{missing} is missing", hint="--source URL and --to DIALECT[=DIR] go together")
    tables: dict[str, dict[str, object]] = {}
    for number, url in enumerate(sources, start=1):
        name = source_name(url)
        tables[f"{name}-{number}" if name in tables else name] = {
            "url": absolute_url(url),
            "branch": branch,
            "subfolder": subfolder,
            "allow_local": local_path(url) is not None,
            "allow_http": scheme(url) == "http",
            "allow_rewrite": True,  # an earlier trial decides nothing
        }
    named: dict[str, dict[str, object]] = {}
    for number, text in enumerate(targets, start=1):
        dialect, table = _target(text)
        named[f"{dialect}-{number}" if dialect in named else dialect] = table
    return validate({"version": 1, "sources": tables, "targets": named}, Config, "the options")


def source_name(url: str) -> str:
    """Name a source by the last part of its path, which cannot be a secret.

    Raises:
        ConfigError: the URL cannot be parsed.
    """
    if "://" in url:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            raise ConfigError(f"this is no URL: {error}", place=printable(redact(url))) from error
        url = parts.path.strip("/") or parts.hostname or ""
    return slug(re.split(r"[/\\:]", url.rstrip("/\\"))[-1].removesuffix(".git")) or "source"


def parse_target(text: str, option: str) -> tuple[str, Path | None]:
    """Parse the dialect and the directory of `DIALECT[=DIR]`.

    Raises:
        ConfigError: there is no such dialect, or the path is not valid.
    """
    dialect, separator, directory = text.partition("=")
    if dialect not in dialects():
        raise ConfigError(no_dialect(dialect), place=f"{option} {text}")
    return dialect, directory_in(directory, option) if separator else None


def _target(text: str) -> tuple[str, dict[str, object]]:
    dialect, directory = parse_target(text, "--to")
    if directory is None:
        return dialect, {"dialect": dialect}
    return dialect, {"dialect": dialect, "path": str(directory), "create": True}
