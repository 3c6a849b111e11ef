"""systemd's own checks of the units, without running them."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from agentsync.core.errors import ExitCode

_UNITS = Path(__file__).parents[2] / "src/agentsync/units"
_SANDBOX = re.compile(r"Private|Protect|Proc|Restrict|Remove|Keyring|SystemCall|Capab|Ambient|Memory|Bind")

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


@pytest.mark.parametrize(
    ("name", "most"), [("agentsync@.service", 1.5), ("agentsync.service", 3.0), ("agentsync-pull.service", 3.0)]
)
def test_a_unit_is_exposed_less_than_most(name: str, most: float, tmp_path: Path) -> None:
    output = _analyze("security", "--offline=true", "--threshold=100", _UNITS / name, home=tmp_path)
    level = re.search(r"Overall exposure level for \S+: ([0-9.]+)", output)
    assert level, output
    assert float(level[1]) <= most


@pytest.mark.parametrize("name", ["agentsync@.service", "agentsync.service", "agentsync-pull.service"])
def test_a_unit_has_limits_and_counts_no_shortage_as_success(name: str) -> None:
    lines = (_UNITS / name).read_text(encoding="utf-8").splitlines()
    assert {"MemoryMax=3G", "OOMPolicy=continue", "TasksMax=256"} <= set(lines)
    (successes,) = (line for line in lines if line.startswith("SuccessExitStatus="))
    assert str(int(ExitCode.SHORTAGE)) not in successes.partition("=")[2].split()


def test_what_only_the_machines_unit_has_is_explained_in_the_users() -> None:
    def settings(name: str) -> set[str]:
        text = (_UNITS / name).read_text(encoding="utf-8")
        return {line.partition("=")[0] for line in text.splitlines() if "=" in line and not line.startswith("#")}

    for name in ("agentsync.service", "agentsync-pull.service"):
        comments = "".join(re.findall(r"(?m)^#.*$", (_UNITS / name).read_text(encoding="utf-8")))
        sandbox = {one for one in settings("agentsync@.service") if _SANDBOX.match(one)}
        assert {one for one in sandbox - settings(name) if f"{one}=" not in comments} == set()
