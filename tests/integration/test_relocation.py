"""Target directories that move: what agentsync wrote there stays its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from agentsync.core.codes import Code
from agentsync.state.records import Action
from support.installation import Installation
from support.machine import agent


@pytest.mark.parametrize("shadow", ["gone", "link"])
def test_a_home_that_moved_keeps_its_agents(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shadow: str
) -> None:
    installation.publish("reader")
    installation.pull()
    moved = tmp_path / "moved"
    installation.home.rename(moved)
    if shadow == "link":
        installation.home.symlink_to(moved)
    monkeypatch.setenv("HOME", str(moved))
    (moved / ".claude/agents/writer.md").write_text("edited")
    installation.source.write({"agents/tester.md": agent("tester", "Another prompt.")})
    installation.source.remove("agents/reader.md")
    installation.source.commit()
    report = installation.pull()
    agents = moved / ".claude/agents"
    assert "Another prompt." in (agents / "tester.md").read_text()
    assert not (agents / "reader.md").exists()
    assert (agents / "writer.md").read_text() == "edited"
    conflicts = {change.path: change.diagnostic for change in report.plan.changes if change.action is Action.CONFLICT}
    assert {path: found.code for path, found in conflicts.items() if found} == {"writer.md": Code.CONFLICT_EDITED}


def test_another_target_of_the_same_files_is_not_one_that_moved(installation: Installation) -> None:
    """The former directory is there, so its files are left, and those that are elsewhere are the user's."""
    installation.pull()
    other = installation.root / "other"
    shutil.copytree(installation.home, other)
    claude = "[targets.claude]\n"
    installation.text = installation.text.replace(claude, f'{claude}path = "{other}/.claude/agents"\n')
    report = installation.pull()
    assert Code.TARGET_LEFT in {diagnostic.code for diagnostic in report.diagnostics}
