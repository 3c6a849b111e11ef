"""Single choices: stages, groups and buckets, dates, reverts, halts, holds and windows, and what a mistake does."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from agentsync.rollout.choose import Choice, Machine, Reason, choose, stage_of
from agentsync.rollout.line import Commit, Sighting, published, reverted
from agentsync.rollout.tables import MachineRolloutTable, RolloutTable
from agentsync.rollout.window import Window

HOUR = 3600
NOW = datetime(2026, 3, 6, 12, tzinfo=UTC).timestamp()  # a Friday
STAGES = [
    {"name": "canary", "share": 5},
    {"name": "early", "share": 25, "after": "2h"},
    {"name": "everyone", "share": 100, "after": "1d"},
]


def rollout(**keys: Any) -> RolloutTable:
    return RolloutTable.model_validate({"stages": STAGES, **keys})


def machine(**keys: Any) -> Machine:
    return Machine("id", "team", MachineRolloutTable(**keys), UTC)


def commit(name: str, hours_ago: float, message: str = "", *, tree: str = "", halts: bool = False) -> Commit:
    return Commit(name.ljust(40, "0"), tree or name, NOW - hours_ago * HOUR, message, halts)


def chosen(line: list[Commit], made: Choice) -> str:
    """The name of the commit that was chosen."""
    return next((one.id.rstrip("0") for one in line if one.id == made.commit), made.commit)


def choice(line: list[Commit], stage: str, applied: str = "", **keys: Any) -> Choice:
    ids = [one.id.rstrip("0") for one in line]
    ahead = ids.index(applied) if applied in ids else None
    own = {name: keys.pop(name) for name in ("urgent", "after_at_least") if name in keys}
    return choose(
        line,
        rollout(**keys),
        machine(stage=stage, **own),
        now=NOW,
        applied=applied.ljust(40, "0") if applied else "",
        ahead=ahead,
    )


LINE = [commit("d", 0), commit("c", 3), commit("b", 30), commit("a", 90)]


@pytest.mark.parametrize(
    ("stage", "applied", "commit_", "reason"),
    [
        ("canary", "b", "d", Reason.CURRENT),
        ("early", "b", "c", Reason.WAITING),
        ("everyone", "a", "b", Reason.WAITING),
        ("everyone", "", "b", Reason.WAITING),
        ("everyone", "d", "d", Reason.CURRENT),
    ],
)
def test_a_stage_gets_what_is_old_enough(stage: str, applied: str, commit_: str, reason: Reason) -> None:
    made = choice(LINE, stage, applied)
    assert (chosen(LINE, made), made.reason) == (commit_, reason)


def test_the_next_step_is_known() -> None:
    assert choice(LINE, "early", "b").due_at == NOW + 2 * HOUR
    assert choice(LINE, "everyone", "b").due_at == NOW + 21 * HOUR
    assert choice(LINE, "canary", "b").due_at is None


def test_an_urgent_commit_brings_what_is_before_it_unless_this_machine_refuses() -> None:
    line = [commit("d", 0), commit("c", 0, "Fix\n\nAgentsync-Rollout: now\n"), *LINE[2:]]
    made = choice(line, "everyone", "a")
    assert (chosen(line, made), made.reason) == ("c", Reason.URGENT)
    assert chosen(line, choice(line, "everyone", "a", urgent="refuse")) == "b"
    quoted = [commit("d", 0, "Agentsync-Rollout: now\n\nis how to do it")]
    assert choice([*quoted, *LINE[2:]], "everyone", "b").reason is Reason.WAITING


def test_a_revert_reaches_whoever_has_what_it_reverts_at_once_and_nobody_gets_it_any_more() -> None:
    revert = commit("e", 0, "Revert\n\nThis reverts commit c00000000.")
    line = [revert, *LINE]
    for applied in ("c", "d"):
        assert choice(line, "everyone", applied).reason is Reason.URGENT
        assert chosen(line, choice(line, "everyone", applied)) == "e"
    assert chosen(line, choice(line, "early", "a")) == "b"
    assert chosen(line, choice(line, "early", "b")) == "b"
    # Afterwards it does not go back to what it had before.
    assert chosen(line, choice(line, "everyone", "e")) == "e"


def test_what_a_reverted_revert_reverted_counts_again() -> None:
    line = [commit("f", 0, "This reverts commit e000000."), commit("e", 1, "This reverts commit d000000."), *LINE]
    assert set(reverted(line)) == {line[1].id}
    back = [commit("x", 0, tree="b"), *LINE]
    assert set(reverted(back)) == {LINE[0].id, LINE[1].id}
    assert reverted([commit("y", 0, tree="d"), *LINE]) == {}  # an empty commit undoes nothing


def test_dates_count_only_within_what_the_machine_has_seen() -> None:
    line = [commit("d", -100), commit("c", -50), commit("b", 1000), commit("a", 90)]
    tips = [Sighting(line[3].id, NOW - 50 * HOUR, NOW - 40 * HOUR), Sighting(line[1].id, NOW - 2 * HOUR, NOW - HOUR)]
    times = published(line, tips, NOW)
    hours = {id_.rstrip("0"): (NOW - at) / HOUR for id_, at in times.items()}
    assert hours == {"a": 90, "b": 40, "c": 2, "d": 0}
    wrong_clock = [Sighting(line[0].id, NOW + 9 * HOUR, NOW + 9 * HOUR)]
    assert published(line, wrong_clock, NOW)[line[0].id] == NOW
    assert published([LINE[0], commit("c", -1), LINE[2]], (), NOW)[LINE[0].id] == NOW  # not before what it contains


def test_halt_stops_urgent_commits_too_and_a_new_machine_gets_what_its_stage_had() -> None:
    halting = commit("e", 1, "Agentsync-Rollout: now", halts=True)
    line = [halting, *LINE]
    made = choice(line, "everyone", "a", halt="INC-142")
    assert (chosen(line, made), made.reason, made.detail) == ("a", Reason.HALTED, "INC-142")
    assert chosen(line, choice(line, "early", halt="INC-142")) == "c"
    assert chosen(line, choice(line, "everyone", halt="INC-142")) == "b"
    assert choice([halting], "canary", halt="INC-142").commit == ""


def test_hold_at_takes_everyone_back_and_one_that_is_unknown_moves_nobody() -> None:
    made = choice(LINE, "canary", "d", hold_at="b000000", halt="INC-142")
    assert (chosen(LINE, made), made.reason) == ("b", Reason.HELD)
    lost = choice(LINE, "canary", "c", hold_at="fffffff")
    assert (chosen(LINE, lost), lost.reason) == ("c", Reason.STAYING)
    assert "fffffff" in lost.detail
    twins = [commit("b0000000", 0), replace(LINE[2], id="b" + "0" * 38 + "1"), *LINE[3:]]
    unclear = choice(twins, "canary", "a", hold_at="b000000")
    assert (chosen(twins, unclear), unclear.reason) == ("a", Reason.STAYING)
    assert "several" in unclear.detail


def test_later_stages_move_within_the_window_only() -> None:
    made = choice(LINE, "early", "b", window="Mon-Thu 09:00-16:00")
    monday = datetime(2026, 3, 9, 9, tzinfo=UTC).timestamp()
    assert (chosen(LINE, made), made.reason, made.due_at) == ("b", Reason.OUTSIDE_WINDOW, monday)
    assert chosen(LINE, choice(LINE, "canary", "b", window="Mon-Thu 09:00-16:00")) == "d"
    assert chosen(LINE, choice(LINE, "early", "b", window="Fri 09:00-16:00")) == "c"
    assert chosen(LINE, choice(LINE, "early", "", window="Mon-Thu 09:00-16:00")) == "c"  # a new machine


def test_a_window_over_midnight_belongs_to_the_day_on_which_it_opens() -> None:
    window = Window.parse("Thu,Sat 22:00-13:00")
    assert window.contains(NOW, UTC)
    assert window.next_open(NOW + HOUR, UTC) == NOW + 34 * HOUR
    assert Window.parse("Fri-Mon 00:00-01:00").days == {4, 5, 6, 0}


def test_a_machine_that_does_not_obey_and_a_branch_without_a_rollout_use_the_tip() -> None:
    assert choose(LINE, None, machine(), now=NOW).commit == LINE[0].id
    assert choose(LINE, rollout(halt="x"), machine(obey=False), now=NOW).commit == LINE[0].id


def test_shares_are_met_and_a_machine_stays_in_its_bucket() -> None:
    machines = [Machine(f"host-{number}", "team") for number in range(4_000)]
    stages = Counter(stage_of(one, rollout()).name for one in machines)
    assert 0.04 < stages["canary"] / 4_000 < 0.06
    assert 0.18 < stages["early"] / 4_000 < 0.22
    wider = rollout(stages=[{**STAGES[0], "share": 20}, *STAGES[1:]])
    canaries = {one.id for one in machines if stage_of(one, rollout()).name == "canary"}
    assert canaries <= {one.id for one in machines if stage_of(one, wider).name == "canary"}
    elsewhere = {one.id for one in machines if stage_of(Machine(one.id, "other"), rollout()).name == "canary"}
    assert canaries - elsewhere


def test_a_group_is_in_its_stage_at_the_latest() -> None:
    groups = {"canary": ["platform"], "early": ["beta"]}
    names = {
        stage_of(Machine(f"host-{number}", "team", MachineRolloutTable(group="beta")), rollout(groups=groups)).name
        for number in range(200)
    }
    assert names == {"canary", "early"}
    assert stage_of(machine(group="platform"), rollout(groups=groups)).name == "canary"
    assert stage_of(machine(stage="gone"), rollout()).name == "everyone"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"stages": []}, "at least 1"),
        ({"stages": STAGES[:2]}, "100"),
        ({"stages": [STAGES[1], STAGES[0], STAGES[2]]}, "below"),
        ({"stages": [{"name": "a", "share": 5, "after": "1d"}, STAGES[2] | {"after": "1h"}]}, "shorter"),
        ({"stages": [*STAGES, STAGES[2]]}, "same name"),
        ({"groups": {"nobody": ["x"]}}, "nobody"),
        ({"window": "Mon 9-16"}, "no window"),
        ({"window": "Foo 09:00-16:00"}, "no day"),
        ({"window": "Mon 09:00-25:00"}, "no such time"),
        ({"hold_at": "main"}, "`main` is no commit id"),
        ({"stages": [{"name": "All of us", "share": 100}]}, "`All of us` is no name"),
        ({"stages": [{"name": "all", "share": 100, "after": "soon"}]}, "no duration"),
    ],
)
def test_a_mistake_is_named(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        rollout(**keys)
