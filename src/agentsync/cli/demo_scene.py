"""A team's repository and a developer's machine in a scratch directory, for the demo."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from agentsync.config import Config
from agentsync.config.tables import SourceTable, TargetTable
from agentsync.core.errors import SourceUnavailableError
from agentsync.core.paths import AppPaths

# Where each tool would look, below the scratch home.
_TARGETS = {
    "claude": ".claude/agents",
    "opencode": ".config/opencode/agents",
    "codex": ".codex/agents",
}
_NOTE = "\nAsk for the ticket's number before anything else.\n"


@dataclass(frozen=True, slots=True)
class Scene:
    """The scratch directory: a repository upstream, and a home with three tools."""

    root: Path

    @property
    def repository(self) -> Path:
        return self.root / "team-agents"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def app_paths(self) -> AppPaths:
        return AppPaths(self.home / ".local/state/agentsync", self.home / ".cache/agentsync")

    @property
    def config(self) -> Config:
        return Config(
            version=1,
            sources={"team": SourceTable(url=str(self.repository), branch="main", allow_local=True)},
            targets={name: TargetTable(path=self.home / path, create=True) for name, path in _TARGETS.items()},
        )

    def build(self) -> None:
        """Create the repository from the agents that ship with agentsync, and the empty home.

        Raises:
            SourceUnavailableError: git cannot be run.
        """
        agents = self.repository / "agents"
        agents.mkdir(parents=True)
        self.home.mkdir()
        for example in files("agentsync").joinpath("examples").iterdir():
            if example.name.endswith(".md"):
                agents.joinpath(example.name).write_bytes(example.read_bytes())
        self._git("init", "--quiet", "--initial-branch=main")
        self._commit("Six agents of the team")

    def change_upstream(self) -> None:
        """Commit as the team: improve one agent and retire another."""
        reviewer = self.repository / "agents/code-reviewer.md"
        text = reviewer.read_text(encoding="utf-8")
        reviewer.write_text(text.replace("Praise nothing.", "Name the riskiest line first."), encoding="utf-8")
        self.repository.joinpath("agents/explainer.md").unlink()
        self._commit("Sharpen the reviewer, retire the explainer")

    def edit_locally(self) -> Path:
        """Edit one file that agentsync wrote, as the developer."""
        edited = self.home / _TARGETS["claude"] / "incident-helper.md"
        edited.write_text(edited.read_text(encoding="utf-8") + _NOTE, encoding="utf-8")
        return edited

    def _commit(self, message: str) -> None:
        self._git("add", "--all")
        identity = ("-c", "user.name=agentsync demo", "-c", "user.email=demo@localhost")
        self._git(*identity, "-c", "commit.gpgSign=false", "commit", "--quiet", "--message", message)

    def _git(self, *arguments: str) -> None:
        environment = {"HOME": str(self.home), "GIT_CONFIG_NOSYSTEM": "1", "PATH": os.environ.get("PATH", os.defpath)}
        command = ["git", "-C", str(self.repository), *arguments]
        try:
            subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        except (OSError, subprocess.CalledProcessError) as error:
            detail = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)
            raise SourceUnavailableError(f"git cannot make the demo's repository: {detail}") from error
