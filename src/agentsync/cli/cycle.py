"""What `pull`, `plan` and `status` share: where the configuration comes from, running a cycle, and its JSON form."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click

from agentsync.cli.console import Waiting
from agentsync.cli.options import Common, Function, add
from agentsync.config import Config, find_config, load_config
from agentsync.dialects import dialects
from agentsync.errors import ConfigError
from agentsync.log import configure, level_of
from agentsync.naming import slug
from agentsync.paths import places
from agentsync.plan import Change, absolute
from agentsync.report import Report, Scope
from agentsync.settings import validate
from agentsync.sync import run
from agentsync.urls import local_path, redact, scheme


def place_options(function: Function) -> Function:
    """Adds the options that stand in for a configuration."""
    return add(function, _OPTIONS)


_OPTIONS = (
    click.option("--source", multiple=True, metavar="URL", help="A repository, instead of a configuration."),
    click.option("--to", multiple=True, metavar="DIALECT[=DIR]", help="A target, instead of a configuration."),
    click.option("--branch", help="The branch of --source; its default branch otherwise."),
    click.option("--subfolder", default="", help="The part of --source that holds agents."),
)


def run_cycle(
    common: Common,
    scope: Scope,
    *,
    source: tuple[str, ...] = (),
    to: tuple[str, ...] = (),
    branch: str | None = None,
    subfolder: str = "",
    allow_deletions: bool = False,
) -> Report:
    """Runs a cycle for the configuration, or for the sources and targets that are given.

    Raises:
        AgentsyncError: the configuration, the lock or the state stands in the way.
    """
    if (branch or subfolder) and not source:
        raise ConfigError("--branch and --subfolder say which part of --source, which is missing")
    config = _given(source, to, branch, subfolder) if source or to else read_config(common)
    if scope is not Scope.LOOK:
        _check_complete(config, common)
    return run_config(common, config, scope, allow_deletions=allow_deletions)


def run_config(common: Common, config: Config, scope: Scope, *, allow_deletions: bool = False) -> Report:
    """Runs a cycle for this very configuration.

    Raises:
        AgentsyncError: the configuration, the lock or the state stands in the way.
    """
    start_log(common)
    waiting = Waiting()
    try:
        return run(config, places(), scope, allow_deletions=allow_deletions, progress=waiting)
    finally:
        waiting.clear()


def _check_complete(config: Config, common: Common) -> None:
    tables = {"source": (config.sources, "[sources.team] with a `url`"), "target": (config.targets, "[targets.claude]")}
    for what, (table, example) in tables.items():
        if not table:
            place = str(find_config(common.config))
            raise ConfigError(f"no {what} is configured", place=place, hint=f"add a table such as {example}")


def start_log(common: Common) -> None:
    """Sends events to standard error, as much as was asked for."""
    configure(level_of(common.verbosity, for_people=sys.stderr.isatty()), colors=common.colored)


def read_config(common: Common) -> Config:
    """The configuration that counts.

    Raises:
        ConfigError: there is none, or there is a mistake in it.
    """
    return load_config(find_config(common.config))


def _given(sources: tuple[str, ...], targets: tuple[str, ...], branch: str | None, subfolder: str) -> Config:
    """A configuration from options; who types a path, or http, means it."""
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
        }
    named: dict[str, dict[str, object]] = {}
    for number, text in enumerate(targets, start=1):
        dialect, table = _target(text)
        named[f"{dialect}-{number}" if dialect in named else dialect] = table
    return validate({"version": 1, "sources": tables, "targets": named}, Config, "the options")


def source_name(url: str) -> str:
    """What a source is called after: the last part of its path, and nothing that could be a secret."""
    if "://" in url:
        parts = urlsplit(url)
        url = parts.path.strip("/") or parts.hostname or ""
    return slug(re.split(r"[/\\:]", url.rstrip("/\\"))[-1].removesuffix(".git")) or "source"


def absolute_url(url: str) -> str:
    """The URL with a relative path made absolute."""
    path = local_path(url)
    return str(_directory(path, "--source").resolve()) if path is not None else url


def _directory(text: str, option: str) -> Path:
    try:
        if text.strip():
            return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError("there is no such user", place=f"{option} {text}") from error
    raise ConfigError("the path is empty", place=option, hint="is a variable not set?")


def _target(text: str) -> tuple[str, dict[str, object]]:
    dialect, separator, directory = text.partition("=")
    if dialect not in dialects():
        raise ConfigError(f"there is no dialect `{dialect}`", place=f"--to {text}", hint=", ".join(dialects()))
    if not separator:
        return dialect, {"dialect": dialect}
    return dialect, {"dialect": dialect, "path": str(_directory(directory, "--to")), "create": True}


def change_record(change: Change) -> dict[str, object]:
    """A change in its documented JSON form."""
    owner = change.wanted or change.base
    return {
        "action": change.action.value,
        "target": change.target,
        "agent": change.agent,
        "path": absolute(change.directory, change.path),
        "source": change.source,
        "source_path": owner.source_path if owner else "",
        "old_digest": change.actual.digest,
        "new_digest": change.wanted.digest if change.wanted else None,
    }


def report_record(report: Report) -> dict[str, object]:
    """A report in its documented JSON form (docs/json.md)."""
    return {
        "sync_id": report.sync_id,
        "seconds": round(report.seconds, 3),
        "exit_code": int(report.exit_code),
        "sources": [
            {
                "name": source.name,
                "url": redact(source.url),
                "ref": source.ref,
                "commit": source.commit,
                "previous": source.previous,
                "fetched_at": source.fetched_at,
                "error": str(source.error) if source.error else None,
            }
            for source in report.sources
        ],
        "targets": [
            {"name": target.name, "dialect": target.dialect, "directory": str(target.directory)}
            for target in report.targets
        ],
        "counts": report.counts,
        "changes": [change_record(change) for change in report.changes],
        "held": [change_record(change) for change in report.plan.held],
        "diagnostics": [diagnostic.as_dict() for diagnostic in report.diagnostics],
    }
