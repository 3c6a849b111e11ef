"""Post an announcement to GitLab: https://docs.gitlab.com/api, commit statuses and deployments.

GitLab refuses a status that is shown already, and changes no description, so only changed states are posted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from pydantic import BaseModel, ConfigDict

from agentsync.core.errors import ConfigError
from agentsync.fleet.announcement import NAME, Announcement, Calls, Deployment, Posted, Posting, Verdict
from agentsync.fleet.http import checked

API: Final = "https://gitlab.com/api/v4"

_WORDS: Final = {Verdict.IN_PROGRESS: "running", Verdict.SUCCESS: "success", Verdict.FAILURE: "failed"}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Status(_Part):
    status: str
    name: str = ""


class _Deployment(_Part):
    id: int | str
    sha: str = ""
    status: str = ""


def post(calls: Calls, project: str, announcement: Announcement) -> Posting:
    """Post what GitLab does not show yet.

    Args:
        calls: of the API.
        project: its number, or its path with all groups.
        announcement: with the name of the branch, which a deployment needs.

    Raises:
        ConfigError: the project is none, or the branch is not known.
        SourceUnavailableError: GitLab does not answer, or with an error.
    """
    if not project.strip("/"):
        raise ConfigError("`--gitlab` needs a project: its number, or its path such as `group/agents`")
    if not announcement.ref:
        raise ConfigError("the branch is not known", hint="set CI_DEFAULT_BRANCH, or read status documents")
    base = f"/projects/{quote(project.strip('/'), safe='')}"
    yield from _post_status(calls, base, announcement)
    for deployment in announcement.deployments:
        yield from _deploy(calls, base, deployment, announcement.ref)


def _post_status(calls: Calls, base: str, announcement: Announcement) -> Posting:
    query = urlencode({"name": NAME, "per_page": 1})
    answer = calls.get(f"{base}/repository/commits/{announcement.commit}/statuses?{query}")
    shown = next((_verdict(one.status) for one in checked(answer, list[_Status]) if one.name == NAME), None)
    if not announcement.verdict.follows(shown):
        return
    body = {"state": _WORDS[announcement.verdict], "name": NAME, "description": announcement.description}
    body |= {"target_url": announcement.url} if announcement.url else {}
    calls.send("POST", f"{base}/statuses/{announcement.commit}", body)
    yield Posted(f"status of {announcement.commit[:12]}", announcement.verdict, announcement.description)


def _deploy(calls: Calls, base: str, deployment: Deployment, ref: str) -> Posting:
    query = urlencode({"environment": deployment.environment, "order_by": "id", "sort": "desc", "per_page": 1})
    latest = next(iter(checked(calls.get(f"{base}/deployments?{query}"), list[_Deployment])), None)
    word = _WORDS[deployment.verdict]
    if latest is None or latest.sha != deployment.commit:
        body: Mapping[str, object] = {
            "environment": deployment.environment,
            "sha": deployment.commit,
            "ref": ref,
            "tag": False,
            "status": word,
        }
        calls.send("POST", f"{base}/deployments", body)
    else:
        shown = _verdict(latest.status)
        # A deployment that is finished cannot run again.
        if not deployment.verdict.follows(shown) or (shown and deployment.verdict is Verdict.IN_PROGRESS):
            return
        calls.send("PUT", f"{base}/deployments/{latest.id}", {"status": word})
    what = f"deployment of {deployment.commit[:12]} to {deployment.environment}"
    yield Posted(what, deployment.verdict, deployment.description)


def _verdict(word: str) -> Verdict | None:
    return next((one for one, other in _WORDS.items() if other == word), None)
