"""Checks an installation for problems, and proposes remedies."""

from __future__ import annotations

import os
from collections.abc import Iterator

from agentsync.config import Config, Target
from agentsync.core.errors import AgentsyncError, ConfigError, LockedError
from agentsync.core.paths import AppPaths, is_directory, shorten
from agentsync.dialects import default_dialect
from agentsync.doctor.environment import (
    check_clock,
    check_disk,
    check_git,
    check_service,
    check_tools,
    check_units,
    check_watching,
)
from agentsync.doctor.result import CheckResult, Health
from agentsync.rollout.choose import Reason
from agentsync.sync.cycle import run
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Progress, Scope, SyncRequest, no_progress
from agentsync.targets.installed_tools import also_read, has_program
from agentsync.targets.target_directory import find_link


def run_checks(
    config: Config | ConfigError, app_paths: AppPaths, progress: Progress = no_progress
) -> Iterator[CheckResult]:
    """Check the environment, each source and each target; change no target. A slow step calls `progress`.

    Where the configuration cannot be used, that is one of the results, and only checks that need none are made.
    """
    yield check_git()
    yield from check_disk(app_paths)
    yield from check_watching()
    yield check_service(app_paths)
    yield from check_units()
    if isinstance(config, ConfigError):
        yield CheckResult("configuration", Health.BAD, str(config), config.hint)
        return
    try:
        report = run(Environment(config, app_paths, progress=progress), SyncRequest(Scope.PLAN))
    except AgentsyncError as error:
        health = Health.WARNING if isinstance(error, LockedError) else Health.BAD
        yield CheckResult("state", health, str(error), error.hint)
        return
    yield CheckResult("state", Health.GOOD, shorten(str(app_paths.state)))
    yield check_clock(source.facts.time for source in report.sources if source.facts)
    yield from _sources(report)
    targets = config.resolved_targets()
    if not targets:
        hint = f"add a table such as [targets.{default_dialect().name}]"
        yield CheckResult("targets", Health.BAD, "no target is configured", hint)
    for target in targets:
        yield _target(target)
    yield from check_tools(target.written for target in targets)
    for reader, other in also_read(target.dialect for target in targets):
        message = f"{reader.title} also reads the agents of {other.title}, and may ignore their restrictions"
        hint = "switch that off in the tool, or separate the two: one for the user, one for a project"
        yield CheckResult(f"duplicates {reader.name}", Health.WARNING, message, hint)


def _sources(report: Report) -> Iterator[CheckResult]:
    if not report.sources:
        yield CheckResult("sources", Health.BAD, "no source is configured", "add a [sources.NAME] table with a `url`")
    for source in report.sources:
        subject = f"source {source.name}"
        if source.error is not None:
            yield CheckResult(subject, Health.BAD, str(source.error), source.error.hint)
            continue
        agents = [
            compiled_agent
            for compiled_agent in report.compiled
            if compiled_agent.source == source.name and compiled_agent.name
        ]
        if source.rollout and source.rollout.reason is Reason.STAYING:
            yield CheckResult(
                f"rollout {source.name}", Health.WARNING, source.rollout.detail, "see `agentsync rollout`"
            )
        if source.rollout and source.rollout.mistake:
            hint = f"correct `group` or `stage` under [sources.{source.name}.rollout], or the repository's [rollout]"
            yield CheckResult(f"rollout {source.name}", Health.WARNING, source.rollout.mistake, hint)
        refused = sum(one.source == source.name for one in report.refused)
        noun = "agent" if len(agents) == 1 else "agents"
        message = f"{source.url} at {source.commit[:12]}: {len(agents)} {noun}"
        if refused:
            yield CheckResult(subject, Health.WARNING, f"{message}, {refused} refused", "`agentsync plan` shows why")
        elif agents:
            yield CheckResult(subject, Health.GOOD, message)
        else:
            yield CheckResult(subject, Health.WARNING, message, "check `subfolder`, `include` and `exclude`")


def _target(target: Target) -> CheckResult:
    subject = f"target {target.name}"
    dialect, directory = target.written, target.directory
    shown = shorten(str(directory))
    if not target.follow_symlinks and (link := find_link(directory)):
        hint = "set `follow_symlinks = true` if the link is intended"
        return CheckResult(subject, Health.BAD, f"{shorten(str(link))} is a symbolic link", hint)
    existing = directory if is_directory(directory) else directory.parent
    if not is_directory(existing) and not target.create:
        hint = f"start {dialect.title} once, or set `create = true`"
        return CheckResult(subject, Health.BAD, f"neither {shown} nor its parent exists", hint)
    if is_directory(existing) and not os.access(existing, os.W_OK | os.X_OK):
        return CheckResult(subject, Health.BAD, f"{shown} cannot be written", "check its owner and mode")
    if dialect.binaries and not has_program(dialect):
        names = " or ".join(f"`{binary}`" for binary in dialect.binaries)
        return CheckResult(subject, Health.WARNING, shown, f"{names} is not on PATH: is {dialect.title} installed?")
    return CheckResult(subject, Health.GOOD, shown, dialect.notice)
