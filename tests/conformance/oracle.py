"""Runs the scripts that let a real tool say what it makes of agent files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TOOLS = ("claude", "opencode", "codex")

_SECONDS = 300
_TOGETHER = "(all together)"
# OpenCode ends before a pipe has taken more than 64 KiB of its output, so it writes to a file first.
_UNPIPED = """#!/bin/sh
output=$(mktemp)
{program} "$@" > "$output"
status=$?
cat "$output"
rm "$output"
exit $status
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a tool says of one file.

    Attributes:
        file: relative to the tool's directory of agents.
        facts: what it understood, or in words why it does not load the file.
    """

    loaded: bool
    file: str
    facts: str

    @property
    def resolved(self) -> dict[str, Any]:
        """The facts as they were read from the tool."""
        facts, _ = json.JSONDecoder().raw_decode(self.facts)
        return dict(facts)


@dataclass(frozen=True, slots=True)
class Oracle:
    """One tool and its script.

    Attributes:
        tool: its dialect's name.
        shared: the folder with the scripts.
        tools: the folder in which the tools are installed.
        scratch: where the tool may write.
    """

    tool: str
    shared: Path
    tools: Path
    scratch: Path

    @property
    def missing(self) -> str:
        """Why it cannot be asked; empty where it can."""
        script, program = self._script, self.tools / self.tool
        return next((f"{path} is not there" for path in (script, program) if not path.exists()), "")

    @property
    def version(self) -> str:
        """The release that is installed."""
        (version,) = json.loads((self.tools / self.tool / "package.json").read_bytes())["dependencies"].values()
        return str(version).lstrip("^~")

    def judge(self, project: Path, *options: str) -> list[Verdict]:
        """One verdict for each file below the tool's directory in a project.

        Raises:
            AssertionError: the tool could not be asked.
        """
        done = subprocess.run(
            [sys.executable, str(self._script), str(project), *options],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        verdicts = [_verdict(line) for line in done.stdout.splitlines() if line.startswith(("OK\t", "FAIL\t"))]
        assert verdicts, done.stderr
        assert all(verdict.loaded for verdict in verdicts) == (done.returncode == 0), done.stderr
        return [verdict for verdict in verdicts if verdict.loaded is False or verdict.file != _TOGETHER]

    @property
    def _script(self) -> Path:
        return self.shared / "oracles" / f"{self.tool}.py"

    def _environment(self) -> dict[str, str]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.scratch),
            "TMPDIR": str(self.scratch),
            "AGENTSYNC_ORACLES": str(self.tools),
        }
        if self.tool == "opencode":
            wrapper = self.scratch / "unpiped.sh"
            program = self.tools / "opencode/node_modules/opencode-linux-x64/bin/opencode"
            wrapper.write_text(_UNPIPED.format(program=program), encoding="utf-8")
            wrapper.chmod(0o755)
            environment["OPENCODE_BIN"] = str(wrapper)
        return environment


def shared_folder() -> Path:
    """Where the scripts and samples lie: beside the repository, unless the environment says otherwise."""
    return Path(os.environ.get("AGENTSYNC_SHARED", ROOT.parent / "shared"))


def _verdict(line: str) -> Verdict:
    word, file, _, facts = line.split("\t", 3)
    return Verdict(word == "OK", file.removeprefix("agents/"), facts)
