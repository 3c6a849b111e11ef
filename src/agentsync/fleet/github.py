"""Post an announcement to GitHub: https://docs.github.com/rest, commit statuses and deployments."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict

from agentsync.core.errors import ConfigError
from agentsync.fleet.announcement import NAME, Announcement, Calls, Deployment, Posted, Posting, Verdict
from agentsync.fleet.http import checked

API: Final = "https://api.github.com"
HEADERS: Final = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*+/(?!\.\.?$)[A-Za-z0-9._-]+")
_TASK: Final = "agentsync"  # distinguishes our deployments from others of the same environment
_STATUSES: Final = {Verdict.IN_PROGRESS: "pending", Verdict.SUCCESS: "success", Verdict.FAILURE: "failure"}
_DEPLOYED: Final = {Verdict.IN_PROGRESS: "in_progress", Verdict.SUCCESS: "success", Verdict.FAILURE: "failure"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Status(_Part):
    state: str
    context: str = ""
    description: str | None = None


class _Deployment(_Part):
    id: int | str
    sha: str = ""


def post(calls: Calls, repository: str, announcement: Announcement) -> Posting:
    """Post what GitHub does not show yet.

    Raises:
        ConfigError: the repository is not OWNER/REPO.
        SourceUnavailableError: GitHub does not answer, or with an error.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(f"`{repository}` is not OWNER/REPO")
    base = f"/repos/{repository}"
    yield from _post_status(calls, base, announcement)
    for deployment in announcement.deployments:
        yield from _deploy(calls, base, deployment, announcement.url)


def _post_status(calls: Calls, base: str, announcement: Announcement) -> Posting:
    answer = calls.get(f"{base}/commits/{announcement.commit}/statuses?per_page=100")
    shown = next((one for one in checked(answer, list[_Status]) if one.context == NAME), None)  # the newest first
    verdict, description = announcement.verdict, announcement.description
    if _is_shown(shown, _STATUSES, verdict, description):
        return
    body = {"state": _STATUSES[verdict], "context": NAME, "description": description}
    body |= {"target_url": announcement.url} if announcement.url else {}
    calls.send("POST", f"{base}/statuses/{announcement.commit}", body)
    yield Posted(f"status of {announcement.commit[:12]}", verdict, description)


def _deploy(calls: Calls, base: str, deployment: Deployment, url: str) -> Posting:
    query = urlencode({"environment": deployment.environment, "task": _TASK, "per_page": 1})
    latest = next(iter(checked(calls.get(f"{base}/deployments?{query}"), list[_Deployment])), None)
    shown = None
    if latest is None or latest.sha != deployment.commit:
        # The commit is on the branch, and its checks are no business of machines that have it already.
        body: Mapping[str, object] = {
            "ref": deployment.commit,
            "task": _TASK,
            "environment": deployment.environment,
            "description": "agents on the machines of this stage",
            "auto_merge": False,
            "required_contexts": [],
        }
        latest = checked(calls.send("POST", f"{base}/deployments", body), _Deployment)
    else:
        answer = calls.get(f"{base}/deployments/{latest.id}/statuses?per_page=1")
        shown = next(iter(checked(answer, list[_Status])), None)
    if _is_shown(shown, _DEPLOYED, deployment.verdict, deployment.description):
        return
    status = {"state": _DEPLOYED[deployment.verdict], "description": deployment.description}
    status |= {"log_url": url} if url else {}
    calls.send("POST", f"{base}/deployments/{latest.id}/statuses", status)
    what = f"deployment of {deployment.commit[:12]} to {deployment.environment}"
    yield Posted(what, deployment.verdict, deployment.description)


def _is_shown(shown: _Status | None, words: Mapping[Verdict, str], verdict: Verdict, description: str) -> bool:
    if shown is None:
        return False
    now = next((one for one, word in words.items() if word == shown.state), None)
    return not verdict.follows(now) and (now is not verdict or shown.description == description)
