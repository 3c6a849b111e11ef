"""The man page has all of the help and the real paths, and roff accepts it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import manual
import reference
from agentsync.cli import COMMANDS
from agentsync.core.errors import ExitCode
from agentsync.core.paths import app_paths, config_candidates, shorten

_PAGE = Path(__file__).parents[3] / "docs/agentsync.1"


@pytest.fixture(scope="module")
def page() -> str:
    return _PAGE.read_text(encoding="utf-8")


def _section(page: str, title: str) -> str:
    return page.partition(f"\n.SH {title}\n")[2].partition("\n.SH ")[0]


def test_it_has_every_command_with_every_option_and_example(page: str) -> None:
    parts = _section(page, "COMMANDS").removeprefix(".SS ").split("\n.SS ")
    sections = {part.partition("\n")[0].replace("\\", ""): part for part in parts}
    assert list(sections) == list(COMMANDS)
    for command in reference.commands():
        text = sections[command.name].replace("\\-", "-").replace("\\ti", "~")
        names = [name for option in command.options for name in re.findall(r"--?[\w-]+", option.names)]
        assert [name for name in names if rf"\fB{name}\fR" not in text] == []
        assert [option.variable for option in command.options if option.variable not in text] == []
        shown = text.partition("\n.EX\n")[2].partition(".EE")[0]
        assert shown.count("\n") == len(command.examples) > 0


def test_it_has_every_exit_status(page: str) -> None:
    codes = re.findall(r"^\\fB(\d+)\\fR$", _section(page, "EXIT STATUS"), re.MULTILINE)
    assert codes == [str(int(code)) for code in ExitCode]


@pytest.mark.skipif(sys.platform != "linux", reason="the page names the places of Linux")
def test_it_has_the_real_paths(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CONFIG_HOME", "STATE_HOME", "CACHE_HOME"):
        monkeypatch.delenv(f"XDG_{name}", raising=False)
    for name in ("CONFIGURATION", "STATE", "CACHE"):
        monkeypatch.delenv(f"{name}_DIRECTORY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    where = app_paths()
    files = (where.database, where.backups, where.lock, where.service_lock, where.socket, where.cache, where.policy)
    named = re.findall(
        r"^\\fI(.+)\\fR$", _section(page, "FILES").replace(r"\(ti", "~").replace("\\-", "-"), re.MULTILINE
    )
    assert {shorten(str(path), str(tmp_path)) for path in (*files, *config_candidates())} <= set(named)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (".config is read", r"\&.config is read"),
        ("'tis read", r"\&'tis read"),
        (r"a \n in `x\y`", r"a \en in \fBx\ey\fR"),
        ("`~/it's` or ^C", r"\fB\(ti/it\(aqs\fR or \(haC"),
        ("an option *after* --to", r"an option \fIafter\fR \-\-to"),
    ],
)
def test_nothing_in_a_text_commands_roff(text: str, line: str) -> None:
    assert manual._filled(text) == [line]


def test_no_line_of_a_long_text_is_a_request() -> None:
    lines = manual._filled("see " + ".profile " * 40)
    assert len(lines) > 4
    assert [line for line in lines if line.startswith(".")] == []


@pytest.mark.parametrize("tool", [("mandoc", "-T", "lint"), ("groff", "-ww", "-man", "-Tutf8", "-z"), ("lexgrog",)])
def test_roff_accepts_it(tool: tuple[str, ...]) -> None:
    if shutil.which(tool[0]) is None:
        pytest.skip(f"{tool[0]} is not installed")
    done = subprocess.run([*tool, _PAGE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "" or "agentsync - keep the AI agents" in done.stdout
