"""Looks for what is wrong with an installation, and says what to do about it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from agentsync.config import Config, Target
from agentsync.errors import AgentsyncError, LockedError
from agentsync.folder import is_directory
from agentsync.git_process import MINIMUM_VERSION
from agentsync.paths import Places, shorten
from agentsync.report import Report, Scope
from agentsync.sync import run
from agentsync.tools import also_read, has_program

_VERSION_SECONDS = 10


class Health(StrEnum):
    GOOD = "good"
    DOUBTFUL = "doubtful"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Examination:
    """What was looked at, how it is, and what to do where it is not good."""

    subject: str
    health: Health
    message: str
    hint: str = ""


def examine(config: Config, places: Places) -> Iterator[Examination]:
    """Looks at git, the state, each source and each target; changes no target."""
    yield _git()
    try:
        report = run(config, places, Scope.PLAN)
    except AgentsyncError as error:
        health = Health.DOUBTFUL if isinstance(error, LockedError) else Health.BAD
        yield Examination("state", health, str(error), error.hint)
        return
    yield Examination("state", Health.GOOD, shorten(str(places.state)))
    yield from _sources(report)
    targets = config.resolved_targets()
    if not targets:
        yield Examination("targets", Health.BAD, "no target is configured", "add a table such as [targets.claude]")
    for target in targets:
        yield _target(target)
    for reader, other in also_read(target.dialect for target in targets):
        message = f"{reader.title} also reads the agents of {other.title}, and may not heed what restricts them"
        hint = "switch that off in the tool, or keep the two apart: one for the user, one for a project"
        yield Examination(f"duplicates {reader.name}", Health.DOUBTFUL, message, hint)


def _git() -> Examination:
    program = shutil.which("git")
    if program is None:
        return Examination("git", Health.BAD, "git is not on PATH", "install git")
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Examination("git", Health.BAD, f"git cannot be run: {error}", "reinstall git")
    match = re.search(r"(\d+)\.(\d+)", done.stdout)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < MINIMUM_VERSION:
        wanted = ".".join(map(str, MINIMUM_VERSION))
        return Examination("git", Health.BAD, done.stdout.strip(), f"install git {wanted} or newer")
    return Examination("git", Health.GOOD, done.stdout.strip())


def _sources(report: Report) -> Iterator[Examination]:
    if not report.sources:
        yield Examination("sources", Health.BAD, "no source is configured", "add a [sources.NAME] table with a `url`")
    for source in report.sources:
        subject = f"source {source.name}"
        if source.error is not None:
            yield Examination(subject, Health.BAD, str(source.error), source.error.hint)
            continue
        agents = [product for product in report.products if product.source == source.name and product.name]
        refused = sum(product.refused for product in report.products if product.source == source.name)
        noun = "agent" if len(agents) == 1 else "agents"
        message = f"{source.url} at {source.commit[:12]}: {len(agents)} {noun}"
        if refused:
            yield Examination(subject, Health.DOUBTFUL, f"{message}, {refused} refused", "`agentsync plan` says why")
        elif agents:
            yield Examination(subject, Health.GOOD, message)
        else:
            yield Examination(subject, Health.DOUBTFUL, message, "check `subfolder`, `include` and `exclude`")


def _target(target: Target) -> Examination:
    subject = f"target {target.name}"
    dialect, directory = target.written, target.directory
    shown = shorten(str(directory))
    if os.path.islink(directory) and not target.follow_symlinks:  # noqa: PTH114 - as in folder.is_directory
        hint = "set `follow_symlinks = true` if the link is meant"
        return Examination(subject, Health.BAD, f"{shown} is a symbolic link", hint)
    existing = directory if is_directory(directory) else directory.parent
    if not is_directory(existing) and not target.create:
        hint = f"start {dialect.title} once, or set `create = true`"
        return Examination(subject, Health.BAD, f"{shown} is not there, nor is its parent", hint)
    if is_directory(existing) and not os.access(existing, os.W_OK | os.X_OK):
        return Examination(subject, Health.BAD, f"{shown} cannot be written", "check its owner and mode")
    if dialect.binaries and not has_program(dialect):
        names = " or ".join(f"`{binary}`" for binary in dialect.binaries)
        return Examination(subject, Health.DOUBTFUL, shown, f"{names} is not on PATH: is {dialect.title} installed?")
    return Examination(subject, Health.GOOD, shown, dialect.notice)
