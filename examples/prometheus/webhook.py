#!/usr/bin/env python3
"""Run a command when Alertmanager sends an alert: `webhook.py PORT COMMAND...`; the reason is in $REASON.

It connects Alertmanager with a CI that wants a body of its own:

    webhook.py 9480 sh -c 'gh workflow run halt.yml --repo OWNER/NAME --field reason="$REASON"'

It listens on this machine only, and the command gets nothing of the alert but the reason. Where the command fails, the
answer is 500, so Alertmanager tries again.
"""

import json
import os
import subprocess
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, ClassVar

_LONGEST_BODY = 1 << 20
_LONGEST_LENGTH = 9  # digits, of more than any body has
_LONGEST_REASON = 500
_SECONDS = 300


class Handler(BaseHTTPRequestHandler):
    """Answers one request after the other, so no two commands run at once."""

    program: ClassVar[list[str]] = []
    timeout = 30

    def do_POST(self) -> None:
        """Run the command if an alert of the request fires."""
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or len(length) > _LONGEST_LENGTH or int(length) > _LONGEST_BODY:
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        try:
            why = reason(json.loads(self.rfile.read(int(length))))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._answer(HTTPStatus.BAD_REQUEST)
            return
        self._answer(HTTPStatus.OK if not why or self._run(why) else HTTPStatus.INTERNAL_SERVER_ERROR)

    def _run(self, why: str) -> bool:
        try:
            done = subprocess.run(self.program, env={**os.environ, "REASON": why}, check=False, timeout=_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            sys.stderr.write(f"{error}\n")
            return False
        return done.returncode == 0

    def _answer(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()


def reason(message: dict[str, Any]) -> str:
    """Return the summaries of the alerts that fire, on one line; empty where none does."""
    summaries = [_summary(alert) for alert in message["alerts"] if alert["status"] == "firing"]
    text = "".join(character if character.isprintable() else " " for character in "; ".join(dict.fromkeys(summaries)))
    return " ".join(text.split())[:_LONGEST_REASON]


def _summary(alert: dict[str, Any]) -> str:
    """Return the summary of an alert; one without halts all the same."""
    annotations = alert.get("annotations")
    summary = annotations.get("summary") if isinstance(annotations, dict) else None
    return summary if isinstance(summary, str) and summary.strip() else "an alert without a summary"


def main() -> None:
    """Serve until a signal ends the process."""
    port, *Handler.program = sys.argv[1:] or [""]
    if not (port.isdecimal() and Handler.program):
        sys.exit(__doc__)
    with HTTPServer(("127.0.0.1", int(port)), Handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
