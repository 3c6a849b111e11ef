"""Completion as shells do it: their own scripts, run by the shells themselves."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from agentsync.cli import COMMANDS
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
]


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(("words", "offered"), _CASES)
def test_bash_offers_completions(shell: Machine, words: list[str], offered: list[str]) -> None:
    script = _script(shell, "bash", ".local/share/bash-completion/completions/agentsync")
    assert sorted(_run(shell, "bash", "--norc", "-c", _BASH, script, "agentsync", *words)) == offered


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
