"""systemd's own checks of the units, without running them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

_UNITS = Path(__file__).parents[2] / "src/agentsync/units"
_MOST_EXPOSED = 1.5

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def _analyze(*words: str | Path, home: Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": str(home), "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def _home(root: Path, directory: str) -> Path:
    """A home, or a copy of /usr/local, with a program of our name."""
    program = root / directory / "agentsync"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return root


@pytest.mark.parametrize("name", ["agentsync.service", "agentsync-pull.service", "agentsync-pull.timer"])
def test_systemd_accepts_a_users_unit(name: str, tmp_path: Path) -> None:
    home = _home(tmp_path, ".local/bin")
    assert _analyze("verify", "--user", "--man=no", "--recursive-errors=no", _UNITS / name, home=home) == ""


def test_systemd_accepts_the_machines_unit(tmp_path: Path) -> None:
    program = _home(tmp_path, "bin") / "bin/agentsync"
    unit = tmp_path / "agentsync@.service"
    text = (_UNITS / unit.name).read_text(encoding="utf-8")
    unit.write_text(text.replace("/usr/local/bin/agentsync", str(program)), encoding="utf-8")
    assert _analyze("verify", "--man=no", "--recursive-errors=no", unit, home=tmp_path) == ""


def test_the_machines_unit_is_exposed_less_than_most(tmp_path: Path) -> None:
    output = _analyze("security", "--offline=true", "--threshold=100", _UNITS / "agentsync@.service", home=tmp_path)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", output)
    assert level, output
    assert float(level[1]) <= _MOST_EXPOSED
