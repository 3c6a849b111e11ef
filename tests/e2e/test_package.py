"""The wheel that users install."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from agentsync import __version__
from support.machine import Machine

PROJECT = Path(__file__).parents[2]


@pytest.mark.skipif(find_spec("hatchling") is None, reason="building needs hatchling, which is not installed")
@pytest.mark.skipif(find_spec("pip") is None, reason="building needs pip, which is not installed")
def test_the_wheel_holds_all_that_the_program_needs(machine: Machine) -> None:
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    build = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(machine.root), str(PROJECT)]
    subprocess.run(build, check=True, capture_output=True, env=machine.environment)
    (wheel,) = machine.root.glob("agentsync-*.whl")
    site = machine.root / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    assert "agentsync/py.typed" in names
    assert sum(name.startswith("agentsync/examples/") and name.endswith(".md") for name in names) >= 6
    pages = {f"agentsync/docs/{path.relative_to(PROJECT / 'docs')}" for path in (PROJECT / "docs").rglob("*.md")}
    assert {name for name in names if name.startswith("agentsync/docs/")} == pages
    assert sum(name.startswith("agentsync/units/agentsync") for name in names) == 4
    outside = {f"agentsync-{__version__}.dist-info", f"agentsync-{__version__}.data"}
    assert {name.split("/")[0] for name in names} == {"agentsync", *outside}
    shared = [name for name in names if ".data/" in name]
    assert shared == [f"agentsync-{__version__}.data/data/share/man/man1/agentsync.1"]
    assert not [name for name in names if name.endswith(".pyc")]
    (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
    assert "agentsync = agentsync.__main__:main" in (site / entry_points).read_text()
    ran = machine.run("--version", environment={"PYTHONPATH": str(site)})
    assert ran.stdout == f"agentsync {__version__}\n"
    where = [sys.executable, "-c", "import agentsync; print(agentsync.__file__)"]
    environment = machine.environment | {"PYTHONPATH": str(site)}
    imported = subprocess.run(where, check=True, capture_output=True, text=True, env=environment, cwd=machine.root)
    assert Path(imported.stdout.strip()).is_relative_to(site)
    topics = machine.run("docs", environment={"PYTHONPATH": str(site)})
    assert (topics.code, "permissions " in topics.stdout) == (0, True)
    assert machine.run("demo", environment={"PYTHONPATH": str(site)}).code == 0
