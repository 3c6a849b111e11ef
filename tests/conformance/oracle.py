"""Run the scripts that ask a real tool for its verdicts on agent files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

SCRIPTS = {
    "claude": ("claude.py",),
    "opencode": ("opencode.py", "--json"),
    "kilo": ("opencode.py", "--kilo", "--json"),
    "codex": ("codex.py",),
    "copilot": ("copilot.py",),
    "gemini": ("gemini.mjs",),
    "qwen": ("qwen.mjs",),
    "cline": ("cline.mjs",),
    "factory": ("factory.py",),
}
"""By tool, named as its dialect: the script that asks it, and the options that it always gets."""

TOOLS = tuple(SCRIPTS)

_SECONDS = 600
_TOGETHER = "(all together)"
# Tools for which the scripts name a file relative to a directory above that of its agents.
_ABOVE = ("agents/", ".github/agents/")

# OpenCode and its fork end before a pipe has taken more than 64 KiB of their output, so they write to a file first.
_UNPIPED = """#!/bin/sh
output=$(mktemp)
{program} "$@" > "$output"
status=$?
cat "$output"
rm "$output"
exit $status
"""
_PIPED_PROGRAMS = {
    "opencode": ("OPENCODE_BIN", "opencode/node_modules/opencode-linux-x64/bin/opencode"),
    "kilo": ("KILO_BIN", "kilo/node_modules/@kilocode/cli-linux-x64/bin/kilo"),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A tool's verdict on one file.

    Attributes:
        file: relative to the tool's directory of agents.
        identifier: the tool's name for the agent.
        facts: the agent as the tool understood it, or the reason why it does not load the file.
    """

    loaded: bool
    file: str
    identifier: str
    facts: str

    @property
    def name(self) -> str:
        """The tool's name for the agent; Copilot knows it by its file's name and shows another one."""
        return str(self.resolved.get("name", self.identifier)) if self.facts.startswith("{") else self.identifier

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
        shared: the directory with the scripts.
        tools: the directory in which the tools are installed.
        scratch: where the tool may write.
    """

    tool: str
    shared: Path
    tools: Path
    scratch: Path

    @property
    def missing(self) -> str:
        """Why it cannot be asked; empty where it can."""
        if self._script.suffix == ".mjs" and shutil.which("node") is None:
            return "node is not there"
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
        runner = sys.executable if self._script.suffix == ".py" else "node"
        output = self.scratch / "output"
        with output.open("wb") as stdout:  # a script that runs in node ends before a pipe has taken all of it
            done = subprocess.run(
                [runner, str(self._script), str(project), *SCRIPTS[self.tool][1:], *options],
                env=self._environment(),
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        lines = output.read_text(encoding="utf-8").split("\n")  # a name may hold what Python takes for a line's end
        verdicts = [_verdict(line) for line in lines if line.startswith(("OK\t", "FAIL\t"))]
        assert verdicts, done.stderr
        assert all(verdict.loaded for verdict in verdicts) == (done.returncode == 0), done.stderr
        return [verdict for verdict in verdicts if verdict.loaded is False or verdict.file != _TOGETHER]

    @property
    def _script(self) -> Path:
        return self.shared / "oracles" / SCRIPTS[self.tool][0]

    def _environment(self) -> dict[str, str]:
        environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(self.scratch),
            "TMPDIR": str(self.scratch),
            "AGENTSYNC_ORACLES": str(self.tools),
        }
        if self.tool in _PIPED_PROGRAMS:
            variable, program = _PIPED_PROGRAMS[self.tool]
            wrapper = self.scratch / "unpiped.sh"
            wrapper.write_text(_UNPIPED.format(program=self.tools / program), encoding="utf-8")
            wrapper.chmod(0o755)
            environment[variable] = str(wrapper)
        return environment


def shared_directory() -> Path:
    """The directory with scripts and samples: beside the repository, unless the environment sets another."""
    return Path(os.environ.get("AGENTSYNC_SHARED", ROOT.parent / "shared"))


def _verdict(line: str) -> Verdict:
    word, path, name, facts = line.split("\t", 3)
    above = next((above for above in _ABOVE if path.startswith(above)), "")
    return Verdict(word == "OK", path.removeprefix(above), name, facts)
