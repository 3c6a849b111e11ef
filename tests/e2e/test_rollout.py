"""Rollout in stages, by the real program: a machine follows what the repository declares, and reports why."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from support.machine import Machine, Result, agent
from support.repository import Repository
from support.signing import ssh_key

STAGES = 'stages = [{ name = "canary", share = 5 }, { name = "everyone", share = 100, after = "1d" }]\n'
DAYS = 86_400
LATER = '[sources.team.rollout]\nstage = "everyone"\n'


def push(repository: Repository, prompt: str, message: str = "change", rollout: str = "") -> str:
    repository.write({"agents/tester.md": agent("tester", prompt), "agentsync.toml": f"[rollout]\n{STAGES}{rollout}"})
    return repository.commit(message, when=int(time.time()))


def state_of(result: Result) -> dict[str, Any]:
    """What a pull reports of the source's rollout."""
    (source,) = result.json["sources"]
    return {**source["rollout"], "commit": source["commit"], "exit": result.code}


@pytest.fixture
def staged(machine: Machine, repository: Repository) -> Machine:
    """A machine of the last stage that has the first version, which is three days old."""
    repository.write({"agents/tester.md": agent("tester", "One."), "agentsync.toml": f"[rollout]\n{STAGES}"})
    repository.commit(when=int(time.time()) - 3 * DAYS)
    machine.follow(repository, LATER)
    assert machine.run("pull").code == 0
    assert prompt_of(machine) == "One."
    return machine


def prompt_of(machine: Machine) -> str:
    return (machine.claude / "tester.md").read_text().splitlines()[-1]


def test_a_change_waits_for_the_delay_of_the_stage(staged: Machine, repository: Repository) -> None:
    tip = push(repository, "Two.")
    waiting = state_of(staged.run("pull", "--format", "json"))
    assert (waiting["stage"], waiting["reason"], waiting["tip"], waiting["exit"]) == ("everyone", "waiting", tip, 0)
    assert waiting["due_at"] == pytest.approx(time.time() + DAYS, abs=120)
    assert waiting["commit"] == waiting["chosen"] != tip
    assert "waiting, next step in 23 h" in staged.run("status").stdout
    facts = {"stage": "everyone", "reason": "waiting", "due_at": waiting["due_at"]}
    for _ in range(2):  # the latter one finds everything up to date without a look
        again = staged.run("pull")
        [finished] = again.reported("sync.finished")
        assert finished["rollouts"] == {"team": facts}
    assert "up to date: 10 files" in again.stdout
    assert prompt_of(staged) == "One."
    assert staged.run_later(23, "pull").code == 0
    assert prompt_of(staged) == "One."
    assert staged.run_later(25, "pull").code == 0
    assert prompt_of(staged) == "Two."


def test_while_a_source_fails_its_rollout_is_what_was_known_last(staged: Machine, repository: Repository) -> None:
    push(repository, "Two.")
    waiting = staged.run("pull", "--format", "json").json["sources"][0]["rollout"]
    repository.path.rename(repository.path.with_suffix(".away"))
    failed = staged.run_later(30, "pull", "--format", "json")
    assert (failed.code, failed.json["sources"][0]["rollout"]) == (3, waiting), "it takes no step that is due meanwhile"
    assert failed.reported("source.failed")[0]["stage"] == "everyone"
    assert staged.run("status", "--format", "json").json["sources"][0]["rollout"] == waiting


def test_a_canary_and_a_machine_that_does_not_obey_get_the_tip(machine: Machine, repository: Repository) -> None:
    push(repository, "Two.")
    for settings in ('stage = "canary"', "obey = false"):
        machine.follow(repository, f"[sources.team.rollout]\n{settings}")
        assert machine.run("pull").code == 0
        assert prompt_of(machine) == "Two."


def test_a_new_machine_of_a_later_stage_waits_and_is_healthy(machine: Machine, repository: Repository) -> None:
    """Nothing on the branch is old enough for it: not even the first commit that declares the stages."""
    repository.reset(repository.git("commit-tree", f"{repository.head}^{{tree}}", "-m", "young"))
    push(repository, "Two.")
    machine.follow(repository, LATER)
    first = machine.run("pull", "--format", "json")
    assert (state_of(first)["reason"], state_of(first)["commit"], first.code) == ("waiting", "", 0)
    assert machine.run("status", "--exit-code").code == 0


def test_an_urgent_revert_a_halt_and_a_hold(staged: Machine, repository: Repository) -> None:
    good = repository.head
    urgent = push(repository, "Two.", "Fix\n\nAgentsync-Rollout: now\n")
    assert state_of(staged.run("pull", "--format", "json"))["reason"] == "urgent"
    assert state_of(staged.run("pull", "--format", "json"))["reason"] == "current"
    assert prompt_of(staged) == "Two."
    push(repository, "One again.", f"Undo\n\nThis reverts commit {urgent}.")
    assert state_of(staged.run("pull", "--format", "json"))["reason"] == "urgent"
    assert prompt_of(staged) == "One again."
    push(repository, "Three.", "Fix\n\nAgentsync-Rollout: now\n", 'halt = "INC-142"\n')
    halted = state_of(staged.run("pull", "--format", "json"))
    assert (halted["reason"], halted["detail"]) == ("halted", "INC-142")
    assert staged.run_later(50, "pull").code == 0
    assert prompt_of(staged) == "One again."
    push(repository, "Three.", rollout=f'halt = "INC-142"\nhold_at = "{good[:10]}"\n')
    held = state_of(staged.run("pull", "--format", "json"))
    assert (held["reason"], held["commit"]) == ("held at", good)
    assert prompt_of(staged) == "One."


def test_a_mistake_in_the_manifest_moves_nobody_and_check_names_it(
    staged: Machine, repository: Repository, tmp_path: Path
) -> None:
    push(repository, "Two.", "Agentsync-Rollout: now", 'window = "always"\n')
    result = staged.run("pull", "--format", "json")
    assert (result.code, result.codes) == (4, ["AS413"])
    assert prompt_of(staged) == "One."
    clone = tmp_path / "clone"
    (clone / "agents").mkdir(parents=True)
    (clone / "agentsync.toml").write_text(f'[rollout]\n{STAGES}window = "always"\n')
    checked = staged.run("check", clone)
    assert checked.code != 0
    assert "agentsync.toml:3" in checked.stderr


def test_a_chosen_commit_is_verified_like_the_tip(machine: Machine, repository: Repository, tmp_path: Path) -> None:
    """Otherwise whoever may push without a key could have an unsigned commit chosen, once a signed one follows it."""
    key = ssh_key(tmp_path)
    signers = tmp_path / "signers"
    signers.write_text(f"ada@example.org {key.public}\n")
    repository.write({"agentsync.toml": f"[rollout]\n{STAGES}"})
    repository.commit(when=int(time.time()) - 3 * DAYS)
    push(repository, "Two.")
    key.commit(repository)
    machine.follow(repository, f'{LATER}[sources.team.signed]\nallowed_signers = "{signers}"\n')
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (4, ["AS417"])
    assert not machine.claude.exists()


@pytest.mark.parametrize("leaves", ["the branch", "the machine"])
def test_nothing_is_waited_for_once_no_rollout_applies(staged: Machine, repository: Repository, leaves: str) -> None:
    push(repository, "Two.")
    assert staged.run("pull").code == 0
    if leaves == "the branch":
        repository.remove("agentsync.toml")
        repository.commit("no stages", when=int(time.time()))
    else:
        staged.follow(repository, "[sources.team.rollout]\nobey = false\n")
    assert staged.run("pull").code == 0
    assert prompt_of(staged) == "Two."
    if leaves == "the machine":
        push(repository, "Three.")
        assert staged.run("pull").code == 0
        staged.follow(repository, LATER)
    assert "waiting" not in staged.run("status").stdout


def test_a_clock_that_was_wrong_for_a_while_brings_nothing_early_and_delays_nothing_for_long(
    staged: Machine, repository: Repository
) -> None:
    year = 24.0 * 365
    assert staged.run_later(year, "pull").code == 0
    push(repository, "Two.")
    assert staged.run_later(year, "pull").code == 0
    assert "up to date" in staged.run_later(year, "pull").stdout  # which is remembered until the next step
    assert prompt_of(staged) == "One."
    assert staged.run("pull").code == 0
    assert prompt_of(staged) == "One."
    assert staged.run_later(50, "pull").code == 0
    assert prompt_of(staged) == "Two."


@pytest.mark.parametrize(
    ("settings", "stage", "message"),
    [
        ('stage = "late"', "everyone", "the rollout has no stage `late`: it has canary, everyone"),
        ('group = "beta"', "", "no stage of the rollout has the group `beta`: it has ada, platform"),
    ],
)
def test_a_stage_or_group_that_the_rollout_does_not_have_is_reported(
    machine: Machine, repository: Repository, settings: str, stage: str, message: str
) -> None:
    push(repository, "Two.", rollout='groups = { canary = ["platform", "ada"] }\n')
    machine.follow(repository, f"[sources.team.rollout]\n{settings}\n")
    pulled = machine.run("pull", "--format", "json")
    assert (pulled.code, pulled.codes) == (0, ["AS438"])
    assert not stage or state_of(pulled)["stage"] == stage
    assert message in machine.run("status").stderr
    assert message in machine.run("doctor").stdout


def merge(repository: Repository, files: dict[str, str], message: str, *, when: int) -> str:
    """Merge a side branch with one commit of this message, as a host does: its own message names no commit."""
    before = repository.head
    repository.write(files)
    side = repository.commit(message, when=when)
    dated = {"GIT_COMMITTER_DATE": f"@{when} +0000"}
    command = ("commit-tree", f"{side}^{{tree}}", "-p", before, "-p", side, "-m", "Merge pull request #3")
    made = repository.git(*command, variables=dated)
    repository.reset(made)
    return made


@pytest.mark.parametrize("undoes", [True, False])
def test_a_merged_revert_counts_where_it_undoes_what_it_names(
    staged: Machine, repository: Repository, *, undoes: bool
) -> None:
    now = int(time.time())
    one = repository.git("show", "HEAD:agents/tester.md") + "\n"
    bad = merge(repository, {"agents/tester.md": agent("tester", "Two.")}, "Say two", when=now)
    repository.write({"agents/writer.md": agent("writer", "More.")})
    repository.commit("Say more", when=now)
    assert staged.run("pull").code == 0
    reverting = {"agents/tester.md": one if undoes else agent("tester", "Three.")}
    merge(repository, reverting, f'Revert "Say two"\n\nThis reverts commit {bad}, reversing\n', when=now + 2 * 3600)
    assert staged.run_later(25, "pull").code == 0
    assert prompt_of(staged) == ("One." if undoes else "Two."), "the revert itself is not due yet"


def test_any_ancestor_may_be_held_at_and_a_delay_of_the_machines_own_needs_no_stages(
    staged: Machine, repository: Repository
) -> None:
    """The first commit is further back than reverts are looked for, the other one is on a side that was merged."""
    first, when = repository.head, int(time.time())
    step = f"commit refs/heads/{repository.branch}\ncommitter Ada <ada@example.org> {when} +0000\ndata 2\nno\n"
    repository.git("fast-import", "--quiet", stdin=f"{step}from {first}\n{step * 1000}".encode())
    staged.follow(repository, '[sources.team.rollout]\nstage = "canary"\n')
    merge(repository, {"agents/tester.md": agent("tester", "Two.")}, "Say two", when=when)
    side = repository.git("rev-parse", "HEAD^2")
    repository.write({"agents/tester.md": agent("tester", "Three.")})
    repository.commit("Say three", when=when)
    for commit, prompt in ((first[:9], "One."), (side, "Two.")):
        push(repository, "Never used.", rollout=f'hold_at = "{commit}"\n')
        held = state_of(staged.run("pull", "--format", "json"))
        assert (held["reason"], held["commit"][:9], prompt_of(staged)) == ("held at", commit[:9], prompt)
    staged.follow(repository, '[sources.team.rollout]\nafter_at_least = "4h"\n')
    repository.remove("agentsync.toml")
    repository.commit("No stages", when=when)
    assert state_of(staged.run("pull", "--format", "json"))["reason"] == "waiting"
    assert "waiting, next step in" in staged.run("status").stdout
    assert prompt_of(staged) == "Two."
    assert staged.run_later(5, "pull").code == 0
    assert prompt_of(staged) == "Never used."
