"""Pull repositories with the real program into projects that have the layout of the tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
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

_SECONDS = 1200


@dataclass(frozen=True)
class Synced:
    """The tools' projects after a pull, and the program's own report of it.

    Attributes:
        root: each tool has a project of its own below it, since some read each other's directories.
        files: the pulled files, by path in the repository.
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
        """The files in the tool's directory, by name."""
        directory = self.directory(tool)
        paths = sorted(directory.iterdir()) if directory.is_dir() else []
        return {path.name: Written(dialects()[tool], path) for path in paths}

    def sources(self, tool: str) -> set[str]:
        """The paths in the repository of the files that the tool was given."""
        return set(self.origins(tool).values())

    def origins(self, tool: str) -> dict[str, str]:
        """By the name of each file in the tool's directory, the path in the repository of what it was made from."""
        created = [change for change in self._created if change["target"] == tool]
        return {Path(change["path"]).name: _file(change["source_path"]) for change in created}

    @cached_property
    def _created(self) -> list[dict[str, Any]]:
        return [change for change in self.report["changes"] if change["action"] == "create"]

    def codes(self, path: str, severity: str, tool: str = "") -> set[str]:
        """The codes of the diagnostics about one file, for every tool or for one."""
        return {code for target, code in self._codes.get((path, severity), ()) if target in ("", tool)}

    def has_versions(self, path: str) -> bool:
        """Whether another file has a version of this file's agent, by its name, which some tools get instead."""
        return len({other for other in self.agents if _stem(other) == _stem(path)}) > 1

    @cached_property
    def _codes(self) -> dict[tuple[str, str], set[tuple[str, str]]]:
        codes: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for diagnostic in self.report["diagnostics"]:
            place = _file(diagnostic.get("path", "")), diagnostic["severity"]
            codes.setdefault(place, set()).add((diagnostic.get("target", ""), diagnostic["code"]))
        return codes

    def refused(self, tool: str) -> Counter[str]:
        """The number of files that the tool was not given, by code."""
        errors = [path for path, severity in self._codes if severity == "error"]
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
        """The grants that the tool will enforce, according to agentsync."""
        return self.dialect.enforced(self.document)

    @property
    def running_name(self) -> str:
        """The name under which its tool starts the agent: Copilot takes that of the file."""
        return self.path.name.removesuffix(self.dialect.suffix) if self.dialect.name == "copilot" else self.name

    @property
    def name(self) -> str:
        """The agent's name in it."""
        agent = self.dialect.read(self.document, self.path.name.removesuffix(self.dialect.suffix)).agent
        assert agent, self.path
        return agent.name


def pull(root: Path, files: Files) -> Synced:
    """Make a repository of these files and pull it.

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


def copy(tool: str, written: Mapping[str, Written], project: Path) -> None:
    """Put files where a tool looks in a project."""
    directory = project / dialects()[tool].project_directories[0]
    directory.mkdir(parents=True)
    for file, one in written.items():
        shutil.copy(one.path, directory / file)


def _file(path: str) -> str:
    """The file that holds an agent, alone or with others."""
    return split_path(path)[0]


def _configuration(repository: Repository, synced: Synced) -> str:
    """A configuration with one source, every tool, and a policy that allows all that the tools are asked about."""
    targets = [f'[targets.{tool}]\npath = "{synced.directory(tool)}"\ncreate = true\n' for tool in TOOLS]
    source = f'[sources.team]\nurl = "{repository.url}"\nallow_local = true\n'
    policy = '[policy]\nhooks = "allow"\nmcp_servers = "allow"\nmodes = ["*"]\nunattended = "allow"\n'
    policy += 'secrets = "allow"\nhidden = "allow"\n'
    return "\n".join(["version = 1\n", source, *targets, policy])


def _stem(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0]
