"""Completion as shells do it: their own scripts, run by the shells themselves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentsync.cli import COMMANDS
from agentsync.completion import answers
from agentsync.dialects import dialects
from support.machine import Machine

_BASH = r"""
. "$0"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_agentsync_completion agentsync "${@: -1}"
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def shell(machine: Machine) -> Machine:
    """A machine on which `agentsync` can be typed."""
    program = machine.home / ".local/bin/agentsync"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m agentsync "$@"\n')
    program.chmod(0o755)
    return machine


def _run(shell: Machine, *command: str | Path) -> list[str]:
    path = f"{shell.home}/.local/bin:{shell.environment['PATH']}"
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, env=shell.environment | {"PATH": path}, timeout=60
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def _script(shell: Machine, name: str, place: str) -> Path:
    script = shell.home / place
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(shell.run("completion", name).stdout)
    return script


_CASES = [
    (["inst"], ["install-service"]),
    (["un"], ["uninstall-service"]),
    (["s"], ["schema", "source", "status", "suspend"]),
    (["install-service", "--t"], ["--timer"]),
    (["health", "--re"], ["--ready"]),
    (["completion", ""], ["bash", "fish", "zsh"]),
    (["convert", "--to", "ope"], ["opencode"]),
    (["pull", "--to", "ope"], ["opencode"]),
    (["watch", "--to", "ope"], ["opencode"]),
    (["import", "--from", "ope"], ["opencode"]),
    (["-v", "--config", "pull", "res"], ["resume"]),
    (["--color", "a"], ["always", "auto"]),
    (["explain", "AS309", "AS31"], [f"AS{number}" for number in range(310, 319)]),
    (["docs", "perm"], ["permissions"]),
    (["docs", "permissions", "perm"], []),
    (["schema", "agent", "--form"], ["--format"]),
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(("words", "offered"), _CASES)
def test_bash_offers_completions(shell: Machine, words: list[str], offered: list[str]) -> None:
    script = _script(shell, "bash", ".local/share/bash-completion/completions/agentsync")
    lines = _run(shell, "bash", "--norc", "-c", _BASH, script, "agentsync", *words)
    assert sorted(line for line in lines if line) == offered


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_offers_every_command(shell: Machine) -> None:
    script = _script(shell, "bash", ".local/share/bash-completion/completions/agentsync")
    assert _run(shell, "bash", "--norc", "-c", _BASH, script, "agentsync", "") == list(COMMANDS)


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
@pytest.mark.parametrize(("words", "offered"), _CASES)
def test_fish_offers_completions(shell: Machine, words: list[str], offered: list[str]) -> None:
    _script(shell, "fish", ".config/fish/completions/agentsync.fish")
    lines = _run(shell, "fish", "-c", f"complete -C 'agentsync {' '.join(words)}'")
    assert sorted(line.partition("\t")[0] for line in lines) == offered


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_its_script(shell: Machine) -> None:
    """Its completions can be requested at a terminal only."""
    script = _script(shell, "zsh", ".zfunc/_agentsync")
    take = "fpath=(${0:h} $fpath); autoload -Uz compinit && compinit -D -u; print ${_comps[agentsync]}"
    assert _run(shell, "zsh", "-f", "-c", take, script) == ["_agentsync"]


@pytest.mark.parametrize(
    ("shell", "words", "offered"),
    [
        ("zsh", ["pull", "--to=ope"], ["--to=opencode"]),
        ("bash", ["pull", "--to", "=", "ope"], ["opencode"]),
        ("bash", ["pull", "--to", "="], [*dialects()]),
        ("fish", ["check", "--form"], ["--format\tHow results are printed (text)"]),
        ("bash", ["convert", ""], [":file"]),
        ("bash", ["watch", ""], [":directory"]),
        ("bash", ["pull", "--source", "x"], []),
        (
            "bash",
            ["nothing", "--ver"],
            ["--verbose\tPrint more; twice for debugging", "--version\tShow the version and exit"],
        ),
        ("bash", ["pull", "--nothing="], []),
    ],
)
def test_a_word_is_completed_as_the_shell_split_it(shell: str, words: list[str], offered: list[str]) -> None:
    assert answers(words, shell) == offered


def test_agents_and_syncs_of_this_machine_are_offered(pulled: Machine) -> None:
    def offered(*words: str) -> list[str]:
        return pulled.run(*words, environment={"_AGENTSYNC_COMPLETE": "zsh"}).stdout.splitlines()

    written = sorted(path.stem for path in (pulled.home / ".claude/agents").iterdir())
    assert offered("adopt", "") == written
    (sync,) = json.loads(pulled.run("history", "--format", "json").stdout)
    assert offered("rollback", sync["id"][:3]) == [sync["id"]]
    shutil.rmtree(pulled.state)
    assert offered("adopt", "") == []
    assert not pulled.state.exists()


@pytest.mark.parametrize("arguments", ["pull --", "--help", "--version"])
def test_completion_and_help_import_neither_commands_nor_libraries(arguments: str) -> None:
    code = """
import sys
before = {*sys.modules}
from agentsync.__main__ import main
main()
print(*{*sys.modules} - before)
"""
    environment = {**os.environ, "COLUMNS": "100"} | ({"_AGENTSYNC_COMPLETE": "bash"} if "pull" in arguments else {})
    command = [sys.executable, "-c", code, *arguments.split()]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    *lines, imported = done.stdout.splitlines()
    assert any("--dry-run\t" in line or "--log-format" in line or "agentsync" in line for line in lines)
    own = {"agentsync", "agentsync.__main__", "agentsync._version", "gc"}
    assert {*imported.split()} <= {"__future__", *own, "agentsync.completion", "agentsync.completion.overview"}


@pytest.mark.parametrize(("option", "columns"), [("--help", 50), ("-h", 200), ("--version", 80)])
def test_help_is_that_of_the_commands(shell: Machine, option: str, columns: int) -> None:
    """It is the same with another option before it, which leads to the commands' own."""
    environment = {"COLUMNS": str(columns)}
    alone, beside = (shell.run(*words, environment=environment) for words in ((option,), ("-q", option)))
    assert (alone.stdout, alone.stderr, alone.code) == (beside.stdout, "", 0)
