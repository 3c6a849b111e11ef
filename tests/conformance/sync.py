"""Pulls a repository with the real program into a project that has the layout of all three tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentsync.dialects import dialects
from conformance.oracle import TOOLS
from support.repository import Repository

_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Synced:
    """A project after a pull, and the program's own report of it."""

    project: Path
    report: dict[str, Any]

    def directory(self, tool: str) -> Path:
        return self.project / dialects()[tool].project_directories[0]

    def files(self, tool: str) -> set[str]:
        """The names of the files that stand in the tool's directory."""
        return {path.name for path in self.directory(tool).iterdir()} if self.directory(tool).is_dir() else set()

    def sources(self, tool: str) -> set[str]:
        """The paths in the repository of the files that the tool was given."""
        changes = self.report["changes"]
        return {change["source_path"] for change in changes if (change["target"], change["action"]) == (tool, "create")}

    def codes(self, path: str, severity: str, tool: str = "") -> set[str]:
        """The codes of the findings about one file, for every tool or for one."""
        return {
            found["code"]
            for found in self.report["diagnostics"]
            if found.get("path") == path and found["severity"] == severity and found.get("target", "") in ("", tool)
        }

    def refused(self, tool: str) -> Counter[str]:
        """How many files the tool was not given, by code."""
        errors = {
            (found.get("path", ""), found["code"])
            for found in self.report["diagnostics"]
            if found["severity"] == "error" and found.get("target", "") in ("", tool)
        }
        return Counter(code for _, code in errors)


def pull(root: Path, files: Mapping[str, bytes]) -> Synced:
    """Makes a repository of these files and pulls it.

    Raises:
        AssertionError: the program did neither all nor a part of it.
    """
    repository = Repository(root / "team.git")
    repository.write(dict(files))
    repository.commit()
    project, home = root / "project", root / "home"
    project.mkdir()
    home.mkdir()
    synced = Synced(project, {})
    program = str(Path(sys.executable).with_name("agentsync"))
    targets = [f"--to={tool}={synced.directory(tool)}" for tool in TOOLS]
    done = subprocess.run(
        [program, "--format=json", "pull", f"--source={repository.path}", *targets],
        env={"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode in (0, 4), done.stderr
    return Synced(project, json.loads(done.stdout))
