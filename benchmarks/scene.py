"""A scratch directory with a team's repository, a home for three tools, and the sources of the peer."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agents import claude_agents, rulesync_agents

_CONFIG = """version = 1

[sources.team]
url = {url}
allow_local = true

[targets.claude]
create = true
[targets.opencode]
create = true
[targets.codex]
create = true
"""
_IDENTITY = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgSign=false")


@dataclass(frozen=True, slots=True)
class Scene:
    """Where everything lies, below `root`."""

    root: Path
    count: int

    @property
    def team(self) -> Path:
        return self.root / "team"

    @property
    def home(self) -> Path:
        return self.root / "home"

    @property
    def mirror(self) -> Path:
        return self.root / "mirror.git"

    @property
    def rulesync(self) -> Path:
        return self.root / "rulesync"

    @property
    def config(self) -> Path:
        return self.root / "config.toml"

    def build(self) -> None:
        """Makes the repository with its agents, a mirror of it, the configuration and the empty home."""
        _write(self.team / "agents", claude_agents(self.count))
        self.git(self.team, "init", "--quiet", "--initial-branch=main")
        self._commit()
        self.git(self.root, "clone", "--quiet", "--bare", str(self.team), str(self.mirror))
        self.config.write_text(_CONFIG.format(url=f"'{self.team}'"), encoding="utf-8")
        self.empty_home()

    def build_rulesync(self) -> None:
        """Makes a project with the same agents for rulesync."""
        _write(self.rulesync / ".rulesync" / "subagents", rulesync_agents(self.count))
        self.git(self.rulesync, "init", "--quiet")

    def empty_home(self) -> None:
        """A machine on which nothing was ever synced."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()

    def empty_rulesync(self) -> None:
        """A project for which nothing was ever generated."""
        for name in (".claude", ".opencode", ".codex"):
            shutil.rmtree(self.rulesync / name, ignore_errors=True)

    def change_one(self) -> None:
        """The team changes one agent."""
        agent = self.team / "agents" / f"specialist-{self.count // 2:04d}.md"
        with agent.open("a", encoding="utf-8") as file:
            file.write("- Say what you changed.\n")
        self._commit()

    def change_all(self, number: int) -> None:
        """The team changes every agent, for the so many-th time."""
        for agent in sorted((self.team / "agents").iterdir()):
            with agent.open("a", encoding="utf-8") as file:
                file.write(f"- Rule {number} holds too.\n")
        self._commit()

    def environment(self, *programs: Path) -> dict[str, str]:
        """All that a command gets: the scratch home, and these directories before the rest of PATH."""
        path = os.pathsep.join([*map(str, programs), os.environ.get("PATH", os.defpath)])
        return {"HOME": str(self.home), "PATH": path, "LC_ALL": "C.UTF-8", "GIT_CONFIG_NOSYSTEM": "1"}

    def written(self) -> Mapping[str, int]:
        """How many agents each tool was given, by agentsync and by rulesync."""
        places = (
            self.home / ".claude/agents",
            self.home / ".config/opencode/agents",
            self.home / ".codex/agents",
            *(self.rulesync / name / "agents" for name in (".claude", ".opencode", ".codex")),
        )
        return {str(place.relative_to(self.root)): len(list(place.glob("*"))) for place in places if place.is_dir()}

    def git(self, directory: Path, *arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(directory), *arguments], env=self.environment(), check=True, capture_output=True
        )

    def _commit(self) -> None:
        self.git(self.team, "add", "--all")
        self.git(self.team, *_IDENTITY, "commit", "--quiet", "--message", "agents")


def _write(directory: Path, files: Iterator[tuple[str, str]]) -> None:
    directory.mkdir(parents=True)
    for name, text in files:
        (directory / name).write_text(text, encoding="utf-8")
