"""A folder or a pattern that leads to nothing is reported, with what exists."""

from __future__ import annotations

import pytest

from support.machine import Machine
from support.repository import Repository


@pytest.mark.parametrize(
    ("settings", "code", "there"),
    [
        ('subfolder = "agent"', "AS426", "there are `agents`"),
        ('include = ["agents/*.md", "agnts/*.md"]', "AS426", "there are `agents`"),
        ('include = ["agents/tester.mdx"]', "AS426", "there are `agents/tester.md`"),
        ('only = ["tester", "plannr"]', "AS427", "there are `planner`"),
        ('only = ["tag:x"]', "AS427", "no agent has the tag `x`"),
        ('prefix = "a-"\nonly = ["plannr"]', "AS427", "there are `planner`"),
        ("[targets.claude]\nonly = ['plannr']", "AS427", "there are `planner`"),
    ],
)
def test_a_mistyped_choice_is_an_error_that_lists_what_exists(
    machine: Machine, repository: Repository, settings: str, code: str, there: str
) -> None:
    machine.configure(f'[sources.team]\nurl = "{repository.url}"\nallow_local = true\n{settings}\n[targets.opencode]\n')
    for _ in range(2):
        result = machine.run("pull", "--format", "json")
        (diagnostic,) = [one for one in result.json["diagnostics"] if one["code"] == code]
        assert there in diagnostic["message"]
        assert result.code == 4
    again = machine.run("pull")
    assert (again.code, "up to date" in again.stdout, "error" in again.stdout) == (4, False, True)


def test_a_pattern_that_leaves_nothing_out_is_a_warning(machine: Machine, repository: Repository) -> None:
    repository.write({"agentsync.toml": '[agents]\ninclude = ["agents/**", "gone/**"]\nskip = ["nobody"]\n'})
    repository.commit()
    machine.follow(repository, 'exclude = ["draft/**"]\nskip = ["testr", "writer"]')
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes.count("AS428")) == (0, 4)


def test_a_typo_that_would_delete_too_much_is_shown_with_what_it_holds(pulled: Machine, repository: Repository) -> None:
    """In each pull, and nobody is advised to confirm the deletions that a typo asks for."""
    files = pulled.files()
    pulled.follow(repository, 'only = ["tester", "plannr"]')
    for _ in range(2):
        result = pulled.run("pull", environment={"AGENTSYNC_LOG_FORMAT": ""})
        assert "hint: Correct the pattern that AS427 names first." in result.stderr
        assert "error[AS407]" in result.stderr
        assert "--allow-deletions" not in result.stderr
    assert pulled.files() == files
