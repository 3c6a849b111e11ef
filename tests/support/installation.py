"""An installation with real sources, targets and state, and its up-to-date check."""

from __future__ import annotations

import os
from pathlib import Path

from agentsync.config import Config
from agentsync.core.paths import AppPaths
from agentsync.dialects import dialects
from agentsync.formats.validated_toml import load
from agentsync.git.mirror import Mirror, Remote
from agentsync.git.objects import CommitFacts
from agentsync.git.poll import MirrorPlace
from agentsync.state.records import SourceState
from agentsync.state.store import State
from agentsync.sync.cycle import run
from agentsync.sync.fetch import Fetches
from agentsync.sync.report import Report
from agentsync.sync.request import Environment, Scope, SyncRequest, paths_of
from agentsync.sync.up_to_date import UpToDate, find_up_to_date
from support.machine import agent
from support.repository import Repository

MOVING = sorted({moved.variable for dialect in dialects().values() for moved in dialect.environment})


class Installation:
    """A source with two agents and three targets; the path of one target has a variable."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.first = self.home / ".claude/agents"
        self.second = root / "elsewhere/agents"
        self.overlays = root / "overlays"
        self.request = SyncRequest(Scope.APPLY)
        self.app_paths = AppPaths(root / "state", root / "cache")
        self.source = Repository(root / "served" / "team.git")
        self.source.write({"agents/tester.md": agent("tester"), "agents/writer.md": agent("writer")})
        self.source.commit()
        self.text = f"""version = 1
[sources.team]
url = "{self.source.path}"
branch = "main"
allow_local = true
[targets.claude]
create = true
[targets.codex]
create = true
[targets.opencode]
path = "$ELSEWHERE/agents"
create = true
"""

    @property
    def paths(self) -> AppPaths:
        """The paths of the records that a run uses."""
        return paths_of(self.app_paths, self.request)

    def pull(self, fetches: Fetches | None = None) -> Report:
        """A whole run."""
        config = load(self.text, Config, "config.toml").model_copy(update={"overlays": self.overlays})
        environment = Environment(config, self.app_paths, self.text, fetches or Fetches())
        return run(environment, self.request)

    def find(self, fetches: Fetches | None = None) -> UpToDate | None:
        """The up-to-date check."""
        return find_up_to_date(self.text, self.paths, fetches or Fetches(), self.request)

    def publish(self, name: str = "reader") -> None:
        self.source.write({f"agents/{name}.md": agent(name)})
        self.source.commit()


class NoFetches(Fetches):
    """Fetches that ask no remote and return the commit that was applied last."""

    def is_unmoved(
        self, place: MirrorPlace, name: str, remote: Remote, *, previous: str, tip: str, allow_rewrite: bool
    ) -> bool:
        assert (place.directory.suffix, tip, name, remote.ref) == (".git", tip or previous, "team", "refs/heads/main")
        return not allow_rewrite

    def _answer(
        self, mirror: Mirror, name: str, remote: Remote, *, previous: str | None, allow_rewrite: bool
    ) -> CommitFacts:
        assert (name, remote.ref, allow_rewrite) == ("team", "refs/heads/main", False)
        assert previous
        return mirror.commit_facts(previous)


def known(installation: Installation) -> SourceState:
    with State.open(installation.app_paths.database) as state:
        recorded = state.source("team", str(installation.source.path), "refs/heads/main")
    assert recorded
    return recorded


def lose_remote(installation: Installation) -> None:
    installation.source.path.rename(installation.root / "gone.git")


def damage(installation: Installation) -> None:
    data = installation.paths.database.read_bytes()
    installation.paths.database.write_bytes(data[:4096] + os.urandom(len(data) - 4096))
