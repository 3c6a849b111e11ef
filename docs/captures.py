"""Make docs/output.md: what a terminal of 80 columns shows, captured from real runs of the program.

`make docs` runs it. The runs use a scratch home and a repository of generated agents, with fixed dates, so that commit
ids are the same each time; durations and ages, which are not, are replaced. tests/e2e/test_captures.py fails when the
page is stale.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parent / "output.md"
_COLUMNS: Final = 80
_TARGETS: Final = ("claude", "opencode", "codex", "gemini", "copilot", "cursor")
_DATE: Final = "2026-01-01T12:00:00Z"
_AGENT: Final = "---\nname: {name}\ndescription: Helps with {topic}\n{keys}---\nYou help with {topic}.\n"
_TOPICS: Final = (
    *("accessibility", "analytics", "android", "api", "architecture", "aws", "billing", "c", "caching", "charts"),
    *("cleanup", "coverage", "cpp", "css", "data", "debugging", "dependencies", "design", "django", "docker", "docs"),
    *("elixir", "embedded", "events", "flutter", "forms", "frontend", "game", "git", "go", "graphql", "haskell"),
    *(
        "html",
        "incident",
        "ios",
        "java",
        "json",
        "kafka",
        "kotlin",
        "kubernetes",
        "latency",
        "legal",
        "linux",
        "locales",
    ),
    *("logging", "migration", "mobile", "monitoring", "networking", "node", "observability", "onboarding", "payments"),
    *("performance", "php", "postgres", "privacy", "python", "queue", "rails", "react", "redis", "refactoring"),
    *("release", "reliability", "review", "rust", "scala", "schema", "search", "secrets", "shell", "sql", "swift"),
    *("terraform", "testing", "threat", "typescript", "ui", "vue", "web", "workflow", "xml", "yaml"),
)
_TEXT: Final = """\
# What a run prints

A terminal of 80 columns after `agentsync pull` of {agents} agents to six tools, and what comes later. `make docs` makes
this page from real runs on generated agents. In a pipe, lines are not cut or wrapped; `--format json` has everything at
every run.

## The first pull

At most 40 lines, whatever the size: changes by target, then what is wrong, by cause, errors first. `-v` lists every
change, cause and name; `-vv` each diagnostic by itself.

{first}
## A pull with nothing new

What was reported once is not repeated, and refused agents are not forgotten. The exit status is 4 as long as an agent
is refused.

{again}
## A pull with changes

Up to about twenty changes are listed. A changed agent brings up only what is new about it.

{changed}
## The state of this machine

{status}
## A mistyped name

{typo}
## Checking a repository

For its authors: each error with its place, warnings that are alike in one.

{check}"""


Start = Callable[[Sequence[str], Mapping[str, str], Path, int], Callable[[], int]]
"""A start of the program, by its arguments, variables, directory and terminal. The result waits for the exit status."""


def start_interpreter(
    arguments: Sequence[str], variables: Mapping[str, str], directory: Path, terminal: int
) -> Callable[[], int]:
    """Start the program in an interpreter of its own."""
    command = [sys.executable, "-m", "agentsync", *arguments]
    process = subprocess.Popen(
        command, env=variables, cwd=directory, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    return process.wait


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page(start: Start = start_interpreter) -> str:
    """Run the program, each time by a start of it, and return the page."""
    with tempfile.TemporaryDirectory() as root:
        scene = _Scene(Path(root), start)
        shots = {
            "first": scene.run("pull"),
            "again": scene.run("pull"),
        }
        scene.write({"agents/rust.md": _agent("rust", "tools: Read, Bash(cargo test)\nmodel: sonnet\n")})
        scene.commit("Let the Rust agent run its tests")
        shots["changed"] = scene.run("pull")
        scene.wait_for_hours()
        shots["status"] = scene.run("status")
        scene.configure('only = ["refactorng"]')
        shots["typo"] = scene.run("plan")
        shots["check"] = scene.run("check", "agents", "--to", "codex")
    return _TEXT.format(agents=len(_TOPICS), **shots)


def _agent(topic: str, keys: str) -> str:
    return _AGENT.format(name=topic, topic=topic, keys=keys)


class _Scene:
    """A home directory, and a repository beside it."""

    def __init__(self, root: Path, start: Start) -> None:
        self._root = root.resolve()
        self._start = start
        self._home = self._root / "home"
        self._repository = self._root / "agents"
        self._home.mkdir()
        self._repository.mkdir()
        models = ("sonnet", "opus", "inherit")
        files = {
            f"agents/{topic}.md": _agent(
                topic,
                f"model: {models[number % 3]}\n"
                + ("color: pink\n" if number % 4 == 0 else "")
                + ("tools: Read, Grep, Glob\n" if number % 7 == 0 else ""),
            )
            for number, topic in enumerate(_TOPICS)
        }
        files["agents/legal.md"] = _agent("legal", "tools: WebSearch\n")
        files["agents/privacy.md"] = _agent("privacy", "tools: WebSearch\n")
        files["agents/release.md"] = _agent(
            "release", "hooks:\n  Stop:\n    - hooks:\n        - type: command\n          command: ./notify\n"
        )
        files["agents/docs.md"] = _agent("docs", "tools: Read\nname: writer\n")
        self.write(files)
        self._git("init", "--quiet", "--initial-branch=main", ".")
        self.commit("All agents")
        self.configure()

    def write(self, files: Mapping[str, str]) -> None:
        for path, text in files.items():
            (self._repository / path).parent.mkdir(exist_ok=True)
            (self._repository / path).write_text(text, encoding="utf-8")

    def commit(self, message: str) -> None:
        self._git("add", "--all")
        self._git("commit", "--quiet", f"--message={message}")

    def configure(self, settings: str = "") -> None:
        path = self._home / ".config" / "agentsync" / "config.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        targets = "".join(f"[targets.{name}]\ncreate = true\n" for name in _TARGETS)
        source = f'version = 1\n[sources.team]\nurl = "{self._repository}"\nallow_local = true\n{settings}\n'
        path.write_text(source + targets, encoding="utf-8")

    def wait_for_hours(self) -> None:
        """Let two hours pass since the last fetch: seconds would be others, and as wide or wider, at every run."""
        with closing(sqlite3.connect(self._home / ".local" / "state" / "agentsync" / "state.sqlite3")) as state, state:
            state.execute("UPDATE sources SET fetched_at = fetched_at - 7500")

    def run(self, *arguments: str) -> str:
        """Run the program at a terminal and return a block of Markdown with what stays on it."""
        terminal, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, _COLUMNS, 0, 0))
        variables = self._environment | {"TERM": "xterm", "PAGER": "cat", "NO_COLOR": "1"}
        wait = self._start(arguments, variables, self._repository, theirs)
        os.close(theirs)
        seen = b""
        try:
            while chunk := os.read(terminal, 65536):
                seen += chunk
        except OSError:  # Linux's way to say that the other end is closed
            pass
        finally:
            os.close(terminal)
        status = wait()
        text = self._settled(seen.decode())
        return f"```\n$ agentsync {' '.join(arguments)}\n{text}$ echo $?\n{status}\n```\n"

    def _settled(self, text: str) -> str:
        """Return what stays on the terminal, without what differs from one run to the next."""
        text = re.sub(r"\x1b\[[0-9;]*m", "", text.replace("\r\n", "\n"))
        text = re.sub(r"(?m)^.*\r", "", text)
        text = re.sub(r"\d+\.\d s\)", "0.2 s)", text)
        return re.sub(r"\b\d+ s ago", "1 s ago", text)

    def _git(self, *arguments: str) -> None:
        dates = {"GIT_AUTHOR_DATE": _DATE, "GIT_COMMITTER_DATE": _DATE}
        people = {
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
        }
        nothing = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
        subprocess.run(
            ["git", *arguments],
            cwd=self._repository,
            env=self._environment | dates | people | nothing,
            check=True,
        )

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._home), "LC_ALL": "C.UTF-8"}


if __name__ == "__main__":
    main()
