"""Pulls repositories with the real program into projects that have the layout of the tools."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agentsync.agents.grants import Grants
from agentsync.core.entry_paths import split_path
from agentsync.dialects import Dialect, dialects
from agentsync.formats.document import Document
from conformance.oracle import TOOLS
from conformance.samples import MANIFEST, Files
from support.repository import Repository

_SECONDS = 300


@dataclass(frozen=True)
class Synced:
    """The tools' projects after a pull, and the program's own report of it.

    Attributes:
        root: each tool has a project of its own below it, since some read each other's directories.
        files: what was pulled, by path in the repository.
    """

    root: Path
    files: Files
    report: dict[str, Any]

    def project(self, tool: str) -> Path:
        return self.root / tool

    def directory(self, tool: str) -> Path:
        return self.project(tool) / dialects()[tool].project_directories[0]

    @property
    def agents(self) -> set[str]:
        """The paths in the repository of all that could be an agent."""
        return self.files.keys() - {MANIFEST}

    def written(self, tool: str) -> dict[str, Written]:
        """What stands in the tool's directory, by file name."""
        directory = self.directory(tool)
        paths = sorted(directory.iterdir()) if directory.is_dir() else []
        return {path.name: Written(dialects()[tool], path) for path in paths}

    def sources(self, tool: str) -> set[str]:
        """The paths in the repository of the files that the tool was given."""
        return {source for target, source in self._created if target == tool}

    @cached_property
    def _created(self) -> set[tuple[str, str]]:
        changes = self.report["changes"]
        made = [change for change in changes if change["action"] == "create"]
        return {(change["target"], _file(change["source_path"])) for change in made}

    def codes(self, path: str, severity: str, tool: str = "") -> set[str]:
        """The codes of the findings about one file, for every tool or for one."""
        return {code for target, code in self._reported.get((path, severity), ()) if target in ("", tool)}

    @cached_property
    def _reported(self) -> dict[tuple[str, str], set[tuple[str, str]]]:
        reported: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for found in self.report["diagnostics"]:
            place = _file(found.get("path", "")), found["severity"]
            reported.setdefault(place, set()).add((found.get("target", ""), found["code"]))
        return reported

    def refused(self, tool: str) -> Counter[str]:
        """How many files the tool was not given, by code."""
        errors = [path for path, severity in self._reported if severity == "error"]
        return Counter(code for path in errors for code in self.codes(path, "error", tool))


@dataclass(frozen=True, slots=True)
class Written:
    """One file that was written."""

    dialect: Dialect
    path: Path

    @property
    def document(self) -> Document:
        return self.dialect.parse(self.path.read_bytes(), self.path.name)

    @property
    def enforced(self) -> Grants:
        """What agentsync says that the tool will enforce."""
        return self.dialect.enforced(self.document)

    @property
    def name(self) -> str:
        """What the agent is called in it."""
        agent = self.dialect.read(self.document, self.path.name.removesuffix(self.dialect.suffix)).agent
        assert agent, self.path
        return agent.name


def pull(root: Path, files: Files) -> Synced:
    """Makes a repository of these files and pulls it.

    Raises:
        AssertionError: the program did neither all nor a part of it.
    """
    repository = Repository(root / "team.git")
    repository.write(dict(files))
    repository.commit()
    home = root / "home"
    home.mkdir()
    synced = Synced(root, files, {})
    program = str(Path(sys.executable).with_name("agentsync"))
    config = root / "config.toml"
    config.write_text(_configuration(repository, synced))
    done = subprocess.run(
        [program, "--format=json", f"--config={config}", "pull"],
        env={"HOME": str(home), "PATH": os.environ.get("PATH", os.defpath)},
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    assert done.returncode in (0, 4), done.stderr
    return Synced(root, files, json.loads(done.stdout))


def _file(path: str) -> str:
    """The file of an agent, which may be one of those that it holds."""
    return split_path(path)[0]


def _configuration(repository: Repository, synced: Synced) -> str:
    """One source, every tool, and a policy that takes what the tools are to be asked about."""
    targets = [f'[targets.{tool}]\npath = "{synced.directory(tool)}"\ncreate = true\n' for tool in TOOLS]
    source = f'[sources.team]\nurl = "{repository.url}"\nallow_local = true\n'
    policy = '[policy]\nhooks = "allow"\nmcp_servers = "allow"\nmodes = ["*"]\nsecrets = "allow"\nhidden = "allow"\n'
    return "\n".join(["version = 1\n", source, *targets, policy])
