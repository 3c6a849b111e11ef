"""Posting a fleet to a Git host, with what CI sets in the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click

from agentsync.core.errors import ConfigError
from agentsync.core.urls import printable
from agentsync.fleet import github, gitlab
from agentsync.fleet.announcement import Announcement, Calls, announcement
from agentsync.fleet.assess import Assessment, SourceView
from agentsync.fleet.http import Api, token_from
from agentsync.fleet.limits import Limits

_BRANCH = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where to post; of the first two one is set.

    Attributes:
        github: OWNER/REPO.
        gitlab: a project.
        api: of the host; what CI sets, or the public host's, where it is left out.
        is_dry: whether calls are only printed.
    """

    github: str | None
    gitlab: str | None
    api: str | None
    is_dry: bool


class _DryRun:
    """Prints what would be sent, as if the host showed nothing yet."""

    def get(self, path: str) -> Any:  # noqa: ARG002 - as a host's
        return []

    def send(self, method: str, path: str, body: Mapping[str, object]) -> Any:
        click.echo(f"{method} {path} {json.dumps(body)}", err=True)
        return {"id": "ID"}


def post(destination: Destination, assessment: Assessment, limits: Limits) -> None:
    """Post what the host does not show yet, and print it to standard error.

    Raises:
        ConfigError: a setting is missing or wrong, or it is unclear which source to post.
        SourceUnavailableError: the host does not answer, or with an error.
    """
    if destination.github is not None:
        token, headers = "GITHUB_TOKEN", github.HEADERS
        base = destination.api or os.environ.get("GITHUB_API_URL") or github.API
    else:
        token, headers = "GITLAB_TOKEN", {}
        base = destination.api or os.environ.get("CI_API_V4_URL") or gitlab.API
    made = _announcement(assessment, limits)
    calls: Calls = _DryRun() if destination.is_dry else Api(base.rstrip("/"), {**headers, **_authorization(token)})
    if destination.github is not None:
        posting = github.post(calls, destination.github, made)
    else:
        posting = gitlab.post(calls, destination.gitlab or "", made)
    for posted in posting:
        if not destination.is_dry:
            click.echo(f"posted {posted.what}: {posted.verdict.value}, {posted.description}", err=True)


def _authorization(variable: str) -> dict[str, str]:
    token = token_from(variable)
    if not token:
        raise ConfigError(f"there is no token in {variable}", hint="--dry-run prints the calls without one")
    return {"Authorization": f"Bearer {token}"} if variable == "GITHUB_TOKEN" else {"PRIVATE-TOKEN": token}


def _announcement(assessment: Assessment, limits: Limits) -> Announcement:
    sources = [source for source in assessment.sources if source.name]
    if len(sources) != 1:
        names = printable(", ".join(source.name for source in sources)) or "none"
        raise ConfigError("one source can be posted at a time", hint=f"name it with --source; there are: {names}")
    return announcement(sources[0], limits, ref=_ref(sources[0]), url=_job())


def _ref(source: SourceView) -> str:
    """Return the name of the branch: as the machines call it, or CI's default branch."""
    refs = {one.followed.ref for one in source.placements if one.followed.ref.startswith(_BRANCH)}
    return refs.pop().removeprefix(_BRANCH) if len(refs) == 1 else os.environ.get("CI_DEFAULT_BRANCH", "")


def _job() -> str:
    """Return the address of this CI job; empty where there is none."""
    parts = [os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    run = f"{parts[0]}/{parts[1]}/actions/runs/{parts[2]}" if all(parts) else ""
    return os.environ.get("CI_JOB_URL", "") or run
