"""GitHub's and GitLab's statuses and deployments, as far as they are documented, on the loopback."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

Document = dict[str, Any]


@dataclass
class Host:
    """A host of one repository or project.

    Attributes:
        url: of its API.
        statuses: of commits, the newest first.
        deployments: the newest first; of GitHub, each with its `statuses`.
        written: the calls that changed something, each with its body, since it was emptied last.
        tokens: that were sent.
        forms: examples of what GitHub answers with, of `status`, `deployment` and `deployment-status`.
    """

    url: str = ""
    statuses: list[Document] = field(default_factory=list)
    deployments: list[Document] = field(default_factory=list)
    written: list[tuple[str, Document]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    forms: Mapping[str, Document] = field(default_factory=dict)

    def answer(self, method: str, target: str, body: Document) -> tuple[int, Any]:
        """The status and the document of an answer."""
        parts = urlsplit(target)
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if method != "GET":
            self.written.append((f"{method} {unquote(parts.path)}", body))
        for verb, pattern, of_route in (
            ("GET", r"/repos/acme/agents/commits/(\w{40})/statuses", self._github_statuses),
            ("POST", r"/repos/acme/agents/statuses/(\w{40})", self._github_status),
            ("GET", r"/repos/acme/agents/deployments()", self._github_deployments),
            ("POST", r"/repos/acme/agents/deployments()", self._github_deploy),
            ("GET", r"/repos/acme/agents/deployments/(\d+)/statuses", self._github_deployment_statuses),
            ("POST", r"/repos/acme/agents/deployments/(\d+)/statuses", self._github_deployment_status),
            ("GET", r"/projects/acme%2Fagents/repository/commits/(\w{40})/statuses", self._gitlab_statuses),
            ("POST", r"/projects/acme%2Fagents/statuses/(\w{40})", self._gitlab_status),
            ("GET", r"/projects/acme%2Fagents/deployments()", self._gitlab_deployments),
            ("POST", r"/projects/acme%2Fagents/deployments()", self._gitlab_deploy),
            ("PUT", r"/projects/acme%2Fagents/deployments/(\d+)", self._gitlab_change),
        ):
            found = re.fullmatch(pattern, parts.path)
            if verb == method and found:
                return of_route(found[1], query if method == "GET" else body)
        return 404, {"message": "Not Found"}

    def _form(self, name: str, **facts: Any) -> Document:
        return {**self.forms.get(name, {}), **facts}

    # GitHub

    def _github_statuses(self, sha: str, _: Document) -> tuple[int, Any]:
        return 200, [one for one in self.statuses if one["sha"] == sha]

    def _github_status(self, sha: str, body: Document) -> tuple[int, Any]:
        made = self._form("status", **body, sha=sha)
        self.statuses.insert(0, made)
        return 201, made

    def _github_deployments(self, _: str, query: Document) -> tuple[int, Any]:
        wanted = {key: query[key] for key in ("environment", "task", "sha") if key in query}
        found = [one for one in self.deployments if wanted.items() <= one.items()]
        return 200, [_without_statuses(one) for one in found[: int(query["per_page"])]]

    def _github_deploy(self, _: str, body: Document) -> tuple[int, Any]:
        assert body["required_contexts"] == []
        number = len(self.deployments) + 1
        made = self._form("deployment", id=number, sha=body["ref"], environment=body["environment"], task=body["task"])
        self.deployments.insert(0, {**made, "statuses": []})
        return 201, made

    def _github_deployment_statuses(self, number: str, query: Document) -> tuple[int, Any]:
        return 200, self._deployment(number)["statuses"][: int(query["per_page"])]

    def _github_deployment_status(self, number: str, body: Document) -> tuple[int, Any]:
        made = self._form("deployment-status", id=1, **body)
        self._deployment(number)["statuses"].insert(0, made)
        return 201, made

    def _deployment(self, number: str) -> Document:
        return next(one for one in self.deployments if one["id"] == int(number))

    # GitLab

    def _gitlab_statuses(self, sha: str, query: Document) -> tuple[int, Any]:
        return 200, [one for one in self.statuses if (one["sha"], one["name"]) == (sha, query["name"])][:1]

    def _gitlab_status(self, sha: str, body: Document) -> tuple[int, Any]:
        shown = next((one for one in self.statuses if (one["sha"], one["name"]) == (sha, body["name"])), None)
        if shown and shown["status"] == body["state"]:
            return 400, {"message": f"Cannot transition status via :run from :{shown['status']}"}
        made = {"sha": sha, "name": body["name"], "status": body["state"], "description": body["description"]}
        self.statuses.insert(0, made)
        return 201, made

    def _gitlab_deployments(self, _: str, query: Document) -> tuple[int, Any]:
        assert (query["order_by"], query["sort"]) == ("id", "desc")
        return 200, [one for one in self.deployments if one["environment"]["name"] == query["environment"]][:1]

    def _gitlab_deploy(self, _: str, body: Document) -> tuple[int, Any]:
        if {*body} != {"environment", "sha", "ref", "tag", "status"}:
            return 400, {"error": "environment, sha, ref, tag, status are missing"}
        number = len(self.deployments) + 1
        facts = {key: body[key] for key in ("sha", "ref", "status")}
        self.deployments.insert(0, {"id": number, "environment": {"name": body["environment"]}, **facts})
        return 201, self.deployments[0]

    def _gitlab_change(self, number: str, body: Document) -> tuple[int, Any]:
        shown = self._deployment(number)
        if shown["status"] == body["status"] or body["status"] == "running":
            return 400, {"message": "Status cannot transition"}
        shown["status"] = body["status"]
        return 200, shown


def _without_statuses(deployment: Document) -> Document:
    return {key: value for key, value in deployment.items() if key != "statuses"}


@contextmanager
def git_host(forms: Mapping[str, Document] | None = None) -> Iterator[Host]:
    """A host that listens on the loopback."""
    host = Host(forms=forms or {})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            host.tokens.add(self.headers.get("Authorization") or self.headers.get("PRIVATE-TOKEN"))
            status, document = host.answer(self.command, self.path, body)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.do_GET()

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        host.url = f"http://127.0.0.1:{listener.server_port}"
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield host
        finally:
            listener.shutdown()
            thread.join()
