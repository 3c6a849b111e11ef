"""Accepted diagnostics: cron, Ansible and CI are green, and what is new is not."""

from __future__ import annotations

import pytest

from support.machine import Machine, agent
from support.repository import Repository

HOOKED = """---
name: hooked
description: One.
hooks: {PreToolUse: [{matcher: Bash, hooks: [{type: command, command: x}]}]}
---
You help.
"""


def test_a_run_with_nothing_but_accepted_refusals_is_a_success(machine: Machine, repository: Repository) -> None:
    repository.write({"agents/hooked.md": HOOKED})
    repository.commit()
    machine.follow(repository)
    assert machine.run("pull").code == 4
    settings = machine.config.read_text()
    accepted = 'accept = [{ code = "AS507", agents = ["hook*"], reason = "our hooks come later" }]\n'
    machine.config.write_text(accepted + settings)
    for _ in range(2):  # a whole run, and the up-to-date check
        result = machine.run("pull")
        assert result.code == 0
        assert "1 accepted" in result.stdout
        assert "hooked" not in result.stderr
    assert machine.run("status").code == 0
    record = machine.run("pull", "--format", "json").json
    assert {(one["code"], one["reason"]) for one in record["accepted"]} == {("AS507", "our hooks come later")}
    assert record["counts"]["accepted"] == 1
    repository.write({"agents/other.md": HOOKED.replace("hooked", "other")})
    repository.commit()
    assert machine.run("pull").code == 4  # one that nobody accepted


def test_an_accepted_conflict_is_no_problem_anywhere(pulled: Machine, repository: Repository) -> None:
    repository.write({"agents/tester.md": agent("tester", description="Twice")})
    repository.commit()
    (pulled.claude / "tester.md").write_text("mine\n")
    pulled.config.write_text(f'accept = [{{ code = "AS402", reason = "it is mine" }}]\n{pulled.config.read_text()}')
    result = pulled.run("pull")
    assert (result.code, "in conflict" in result.stdout, "1 accepted" in result.stdout) == (0, False, True)
    status = pulled.run("status", "--exit-code", "-v")
    assert (status.code, "drifted" in status.stdout, "it is mine" in status.stdout) == (0, False, True), status
    assert (pulled.claude / "tester.md").read_text() == "mine\n"


@pytest.mark.parametrize("strict", [(), ("--strict",)])
def test_a_manifest_accepts_losses_and_no_refusals_of_a_policy(machine: Machine, strict: tuple[str, ...]) -> None:
    lossy = agent("lossy").replace("---\n", "---\ntools: Read, WebSearch\n", 1)
    clone = machine.root / "clone"
    (clone / "agents").mkdir(parents=True)
    (clone / "agents/lossy.md").write_text(lossy)
    check = ("check", clone, "--to", "cline")
    lost = machine.run(*check, "--format", "json").codes
    assert lost
    entries = ", ".join(f'{{ code = "{code}", targets = ["cline"], reason = "known" }}' for code in {*lost})
    (clone / "agentsync.toml").write_text(f"accept = [{entries}]\n")
    result = machine.run(*check, *strict)
    assert (result.code, f"{len(lost)} accepted" in result.stdout) == (0, True), result.stdout
    (clone / "agentsync.toml").write_text('accept = [{ code = "AS507", reason = "trust us" }]\n')
    refused = machine.run(*check, *strict)
    assert refused.code not in (0, 1)
    assert "each machine may accept AS507" in refused.stderr
