"""The wheel that users install."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from support.machine import Machine

PROJECT = Path(__file__).parents[2]
VERSION = "9.8.7"


@pytest.mark.skipif(find_spec("hatch_vcs") is None, reason="building needs hatch-vcs, which is not installed")
@pytest.mark.skipif(find_spec("pip") is None, reason="building needs pip, which is not installed")
def test_the_wheel_holds_all_that_the_program_needs(machine: Machine) -> None:
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"]
    copy = machine.root / "copy"  # in place, the build would write the version into the source that other tests run
    for name in ("src", "docs", "systemd"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "_version.py"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, copy)
    build = [sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(machine.root), str(copy)]
    environment = machine.environment | {"SETUPTOOLS_SCM_PRETEND_VERSION_FOR_AGENTSYNC": VERSION}
    subprocess.run(build, check=True, capture_output=True, env=environment)
    (wheel,) = machine.root.glob("agentsync-*.whl")
    site = machine.root / "site"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(site)
    assert "agentsync/py.typed" in names
    assert sum(name.startswith("agentsync/examples/") and name.endswith(".md") for name in names) >= 6
    assert sum(name.startswith("agentsync/templates/") and name.endswith(".md") for name in names) == 2
    pages = {f"agentsync/docs/{path.relative_to(PROJECT / 'docs')}" for path in (PROJECT / "docs").rglob("*.md")}
    assert {name for name in names if name.startswith("agentsync/docs/")} == {*pages, "agentsync/docs/systemd.md"}
    assert sum(name.startswith("agentsync/units/agentsync") for name in names) == 4
    outside = {f"agentsync-{VERSION}.dist-info", f"agentsync-{VERSION}.data"}
    assert {name.split("/")[0] for name in names} == {"agentsync", *outside}
    shared = [name for name in names if ".data/" in name]
    assert shared == [f"agentsync-{VERSION}.data/data/share/man/man1/agentsync.1"]
    assert not [name for name in names if name.endswith(".pyc")]
    (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
    assert "agentsync = agentsync.__main__:main" in (site / entry_points).read_text()
    ran = machine.run("--version", environment={"PYTHONPATH": str(site)})
    assert ran.stdout == f"agentsync {VERSION}\n"
    where = [sys.executable, "-c", "import agentsync; print(agentsync.__file__)"]
    environment = machine.environment | {"PYTHONPATH": str(site)}
    imported = subprocess.run(where, check=True, capture_output=True, text=True, env=environment, cwd=machine.root)
    assert Path(imported.stdout.strip()).is_relative_to(site)
    topics = machine.run("docs", environment={"PYTHONPATH": str(site)})
    assert (topics.code, "permissions " in topics.stdout) == (0, True)
    assert machine.run("demo", environment={"PYTHONPATH": str(site)}).code == 0
