"""A machine of a test's own: a scratch home in which the real program runs as a subprocess."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import forkserver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from support.repository import Repository

Files = dict[str, tuple[bytes, int]]
"""By path: content and time of the last change in nanoseconds."""

_SECONDS = 60
_OF_INTERPRETER = ("PYTHON", "LC_", "LANG")
"""The prefix of variables that Python itself reads when it starts."""

# Tests that a shell runs in the background ignore Ctrl-C, and so would the programs that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a run."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.stdout)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log: every line of standard error that is JSON."""
        return [json.loads(line) for line in self.stderr.splitlines() if line.startswith("{")]

    def reported(self, event: str) -> list[dict[str, Any]]:
        """The events of this name."""
        return [record for record in self.events if record["event"] == event]

    @property
    def codes(self) -> list[str]:
        """The codes of the diagnostics in a report that was printed as JSON."""
        return [diagnostic["code"] for diagnostic in self.json["diagnostics"]]


class Machine:
    """A home with Claude Code's and OpenCode's directories, and nothing inherited from the tests' own environment.

    Attributes:
        root: everything is below it.
        home: the user's home directory.
        measured: whether coverage counts what runs here, which takes half as long again.
    """

    def __init__(self, root: Path, *, measured: bool = True) -> None:
        self.root = root
        self.measured = measured
        self.home = root / "home"
        for directory in (".claude", ".config/opencode"):
            (self.home / directory).mkdir(parents=True)

    @property
    def claude(self) -> Path:
        return self.home / ".claude/agents"

    @property
    def opencode(self) -> Path:
        return self.home / ".config/opencode/agents"

    @property
    def config(self) -> Path:
        return self.home / ".config/agentsync/config.toml"

    @property
    def state(self) -> Path:
        return self.home / ".local/state/agentsync"

    @property
    def cache(self) -> Path:
        return self.home / ".cache/agentsync"

    @property
    def environment(self) -> dict[str, str]:
        measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_") and self.measured}
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "XDG_STATE_HOME": str(self.home / ".local/state"),
            "XDG_CACHE_HOME": str(self.home / ".cache"),
            "LC_ALL": "C.UTF-8",
            "TMPDIR": str(self.root),
            "AGENTSYNC_LOG_FORMAT": "json",  # so that tests can read the events
            **measured,
        }

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line of the program; a warning of Python's is an error."""
        return [sys.executable, "-W", "error", "-m", "agentsync", *map(str, arguments)]

    def run(
        self,
        *arguments: str | Path,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> Result:
        """Run the program to its end, in a child of a process that has imported it wherever that makes no difference.

        Args:
            arguments: its command line.
            stdin: what it can read.
            environment: variables beside those that every run gets.
            before: a command that runs the program.
        """
        variables = self.environment | dict(environment or {})
        if not before and not any(name.startswith(_OF_INTERPRETER) for name in environment or {}):
            words = list(map(str, arguments))
            code, stdout, stderr = forkserver.run(
                words, stdin=stdin, environment=variables, cwd=self.root, seconds=_SECONDS
            )
            return Result(code, stdout, stderr)
        done = subprocess.run(
            [*before, *self.command(*arguments)],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
            cwd=self.root,
            env=variables,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def run_later(self, hours: float, *arguments: str | Path) -> Result:
        """Run the program by a clock that is so many hours ahead."""
        clock = self.root / "clock"
        clock.write_text(str(hours * 3600), encoding="ascii")
        return Result(
            *forkserver.run(
                list(map(str, arguments)),
                stdin="",
                environment=self.environment,
                cwd=self.root,
                seconds=_SECONDS,
                clock=clock,
            )
        )

    def start(self, *arguments: str | Path) -> forkserver.Child:
        """Start the program and leave it running."""
        return forkserver.Child(list(map(str, arguments)), environment=self.environment, cwd=self.root)

    def configure(self, text: str) -> None:
        """Write the configuration."""
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(f"version = 1\n{text}")

    def follow(self, repository: Repository, settings: str = "") -> None:
        """Configure one source, `team`, with these settings, for Claude Code and OpenCode."""
        self.configure(f"{source('team', repository.url, settings)}\n[targets.claude]\n[targets.opencode]\n")

    def files(self) -> Files:
        """The files in the tools' directories."""
        return {
            str(path.relative_to(self.home)): (path.read_bytes(), path.stat().st_mtime_ns)
            for directory in (self.claude, self.opencode)
            for path in sorted(directory.glob("**/*"))
            if path.is_file()
        }

    def names(self) -> list[str]:
        """The names of Claude Code's files."""
        return sorted(path.name for path in self.claude.iterdir())


def source(name: str, url: str, settings: str = "") -> str:
    """A source's table."""
    return f'[sources.{name}]\nurl = "{url}"\nallow_local = true\n{settings}\n'


def agent(name: str, prompt: str = "You help.", **keys: str) -> str:
    """A file of Claude Code's."""
    head = {"name": name, "description": f"Helps with {name}", **keys}
    lines = "".join(f"{key}: {value}\n" for key, value in head.items())
    return f"---\n{lines}---\n{prompt}\n"
