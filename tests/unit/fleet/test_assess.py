"""Where machines are and where they should be: by their own reports, and by a clone's branch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agentsync.fleet import documents
from agentsync.fleet.announcement import Verdict, announcement
from agentsync.fleet.assess import Assessment, Criteria, SourceView, assess
from agentsync.fleet.groups import Refused, failing, not_current, refused, suspended
from agentsync.fleet.limits import Limit, Limits, all_exceeded
from agentsync.fleet.model import UNKNOWN_STAGE, FleetMachine, FleetView, Followed, Refusal
from agentsync.fleet.placement import Branch, Placement, State
from agentsync.fleet.samples import Sample, machine_of
from agentsync.rollout.choose import Reason
from agentsync.rollout.line import Commit
from agentsync.rollout.tables import RolloutTable

HOUR = 3600.0
NOW = 1_796_000_000.0
STAGES = [
    {"name": "canary", "share": 5},
    {"name": "early", "share": 25, "after": "2h"},
    {"name": "everyone", "share": 100, "after": "1d"},
]


def commit(name: str, hours_ago: float, message: str = "") -> Commit:
    return Commit(name * 40, name, NOW - hours_ago * HOUR, message)


LINE = [commit("d", 1), commit("c", 3), commit("b", 30), commit("a", 90)]
_OF_MACHINE = ("seen_at", "succeeded_at", "refused", "suspended", "error")
DATES = {one.id[0]: one.time for one in LINE}


def machine(name: str, at: str, stage: str = "", *, by_date: bool = False, **keys: Any) -> FleetMachine:
    """A machine at a commit, which is known by its id, or by its date alone; "" for none."""
    own = {key: keys.pop(key) for key in _OF_MACHINE if key in keys}
    followed = Followed("team", "" if by_date else at * 40, DATES.get(at), stage, **keys)
    return FleetMachine(name, (followed,), **{"seen_at": NOW - 60, "succeeded_at": NOW - 90, **own})


def assessed(*machines: FleetMachine, **rollout: Any) -> Assessment:
    """With a rollout, by a clone."""
    branch = Branch(LINE, RolloutTable.model_validate({"stages": STAGES, **rollout})) if rollout else None
    branches = {"team": branch} if branch else {}
    return assess(FleetView(machines), Criteria(NOW, 24 * HOUR, branches))


def source(*machines: FleetMachine, **rollout: Any) -> SourceView:
    (only,) = assessed(*machines, **rollout).sources
    return only


def states(*machines: FleetMachine, **rollout: Any) -> dict[str, tuple[str, str]]:
    """By machine: its state and the commit that it should have, or what that is known by."""

    def expected(one: Placement) -> str:
        dated = next((name for name, date in DATES.items() if date == one.expected.committed_at), "")
        return one.expected.commit[:1] or dated

    return {one.machine.name: (one.state.value, expected(one)) for one in source(*machines, **rollout).placements}


@pytest.mark.parametrize("by_date", [False, True])
def test_without_a_clone_the_newest_commit_counts_and_what_a_machine_waits_for(*, by_date: bool) -> None:
    assert states(
        machine("new", "d", "canary", by_date=by_date, reason=Reason.CURRENT),
        machine("old", "b", "early", by_date=by_date, reason=Reason.WAITING),
        machine("late", "c", "canary", by_date=by_date, reason=Reason.CURRENT),
        machine("off", "a", "everyone", by_date=by_date, seen_at=NOW - 25 * HOUR),
        machine("alone", "d", by_date=by_date),
        machine("halted", "b", "everyone", by_date=by_date, reason=Reason.HALTED),
        machine("hotfix", "c", "everyone", by_date=by_date, reason=Reason.URGENT, due_at=NOW + HOUR),
        machine("blank", "", "early", reason=Reason.WAITING),
        machine("never", ""),
    ) == {
        "new": ("current", "d"),
        "old": ("waiting", "b"),
        "late": ("behind", "d"),
        "off": ("silent", ""),
        "alone": ("current", "d"),
        "halted": ("waiting", "b"),
        "hotfix": ("waiting", "c"),
        "blank": ("waiting", ""),
        "never": ("behind", "d"),
    }


def test_a_tip_that_nobody_has_is_the_newest_commit() -> None:
    waiting = machine("early", "c", "early", reason=Reason.WAITING, tip="d" * 40)
    unaware = machine("other", "c", "everyone", reason=Reason.CURRENT, tip="c" * 40, seen_at=NOW - HOUR)
    assert states(waiting, unaware) == {"early": ("waiting", "c"), "other": ("behind", "d")}


def test_the_machine_that_reported_last_knows_whether_the_rollout_is_halted() -> None:
    halted = machine("halted", "b", "everyone", reason=Reason.HALTED, detail="INC-142")
    assert source(halted, machine("other", "d", "canary", reason=Reason.CURRENT, seen_at=NOW - 90)).halted == "INC-142"
    assert source(halted, machine("other", "d", "canary", reason=Reason.CURRENT, seen_at=NOW)).halted == ""


def test_a_machine_whose_clock_is_ahead_does_not_decide_for_the_others() -> None:
    theirs = Followed("team", "e" * 40, NOW + HOUR, "production", tip="e" * 40, reason=Reason.CURRENT)
    liar = FleetMachine("liar", (theirs,), seen_at=NOW + HOUR, succeeded_at=NOW)
    honest = machine("honest", "d", "canary", tip="d" * 40, reason=Reason.CURRENT)
    assert states(liar, honest) == {"liar": ("behind", "d"), "honest": ("current", "d")}


def test_commits_of_one_date_are_distinguished_by_their_ids() -> None:
    twin = FleetMachine("twin", (Followed("team", "e" * 40, DATES["d"], "early"),), seen_at=NOW - 60)
    new = machine("new", "d", "canary", tip="d" * 40, seen_at=NOW)
    assert sorted(state for state, _ in states(new, twin).values()) == ["behind", "current"]


@pytest.mark.parametrize("by_date", [False, True])
def test_a_hold_is_where_all_should_be_once_the_machine_that_reported_last_is_held(*, by_date: bool) -> None:
    held = machine("held", "b", "early", by_date=by_date, reason=Reason.HELD, seen_at=NOW - 1)
    ahead = machine("ahead", "d", "canary", by_date=by_date, reason=Reason.CURRENT)
    assert states(held, ahead) == {"held": ("current", "b"), "ahead": ("behind", "b")}
    moved = machine("ahead", "d", "canary", by_date=by_date, reason=Reason.CURRENT, seen_at=NOW)
    assert states(held, moved) == {"held": ("behind", "d"), "ahead": ("current", "d")}


@pytest.mark.parametrize("by_date", [False, True])
def test_with_a_clone_each_stage_should_have_what_the_rollout_chooses(*, by_date: bool) -> None:
    machines = [machine(stage, "b", stage, by_date=by_date, reason=Reason.CURRENT) for stage in ("canary", "early")]
    machines.append(machine("everyone", "b", "everyone", by_date=by_date, reason=Reason.CURRENT))
    machines.append(machine("unstaged", "b", by_date=by_date))
    assert states(*machines, window=None) == {
        "canary": ("behind", "d"),
        "early": ("behind", "c"),
        "everyone": ("waiting", "b"),
        "unstaged": ("behind", "d"),
    }
    assert {state for state, _ in states(*machines[:3], halt="INC-142").values()} == {"waiting"}
    assert {state for state, _ in states(*machines, hold_at="b" * 12).values()} == {"current", "behind"}  # unstaged
    assert [one.followed.commit for one in source(*machines, window=None).placements] == ["b" * 40] * 4


def test_a_machine_may_wait_for_longer_than_the_clone_knows_but_not_with_what_was_reverted() -> None:
    patient = machine("patient", "b", "early", reason=Reason.WAITING)
    assert states(patient, window=None) == {"patient": ("waiting", "b")}
    halted = source(replace(patient, name="halted"), halt="INC-142").placements[0]
    assert (halted.state, halted.reason) == (State.WAITING, "halted: INC-142")  # which metrics do not have
    undone = [replace(LINE[0], message=f"Undo\n\nThis reverts commit {'b' * 40}."), *LINE[1:]]
    branch = Branch(undone, RolloutTable.model_validate({"stages": STAGES}))
    (placed,) = assess(FleetView((patient,)), Criteria(NOW, 24 * HOUR, {"team": branch})).sources[0].placements
    assert (placed.state, placed.expected.commit[:1], placed.reason) == (State.BEHIND, "d", "its commit was reverted")


def test_a_commit_that_the_clone_does_not_have_is_behind_whatever_the_machine_reports() -> None:
    placed = source(machine("fork", "e", "early", reason=Reason.WAITING), window=None).placements[0]
    assert placed.state is State.BEHIND
    assert placed.reason == "its commit is not on the clone's branch, which may be older"


def test_stages_are_ordered_and_their_numbers_add_up() -> None:
    machines = [machine(f"m{number}", "b", "everyone", reason=Reason.WAITING) for number in range(9)]
    machines += [machine("one", "d", "canary", error="the configuration has a mistake"), machine("none", "c")]
    machines += [machine("old", "d", "canary", seen_at=0.0, refused=(Refusal("codex"),), suspended=True)]
    machines += [machine("halt", "d", "canary", suspended=True)]
    for view in (source(*machines), source(*machines, window=None)):
        assert [stage.stage for stage in view.stages] == ["canary", "everyone", ""]
        for stage in view.stages:
            assert sum(stage.count(state) for state in State) == len(stage.placements)
        assert (view.stages[0].failing, view.stages[0].refused, view.stages[0].count(State.SILENT)) == (1, 0, 1)
    assert suspended(view) == ("halt",)
    (group,) = not_current(view, State.WAITING)
    assert (len(group.machines), group.version.commit[:1]) == (9, "b")


@pytest.mark.parametrize("rollout", [{}, {"window": None}])
def test_a_machine_that_fails_and_reports_no_stage_is_of_an_unknown_one(rollout: dict[str, Any]) -> None:
    machines = [
        machine("new", "d", "canary", reason=Reason.HALTED, seen_at=NOW - 90),
        machine("old", "b", error="it cannot be fetched or applied", tip="d" * 40),
        machine("bad", "d", error="the configuration has a mistake"),
        machine("own", "d"),
    ]
    view = source(*machines, **rollout)
    assert [(one.stage, len(one.placements), one.count(State.BEHIND), one.failing) for one in view.stages] == [
        ("canary", 1, 0, 0),
        (UNKNOWN_STAGE, 2, 1, 2),
        ("", 1, 0, 0),
    ]
    assert [(one.stage, one.expected.is_known, one.machines) for one in not_current(view, State.BEHIND)] == [
        (UNKNOWN_STAGE, False, ("old",))
    ]
    if not rollout:
        assert view.halted == "yes"  # which a machine whose source fails no longer knows
    posted = announcement(view, Limits())
    assert (posted.verdict, [one.environment for one in posted.deployments]) == (Verdict.FAILURE, ["canary", "team"])
    assert [one.stage for one in source(*machines[1:], **rollout).stages] == ([UNKNOWN_STAGE, ""] if rollout else [""])


def test_refusals_are_grouped_by_agent_or_by_their_number() -> None:
    named = (
        Refusal("codex", "reviewer", "team", code="AS301", since=NOW - HOUR),
        Refusal("cursor", "reviewer", "team", code="AS301", since=NOW),
    )
    other = (Refusal("codex", "deploy", "other"),)
    numbers = (Refusal("claude", number=2), Refusal("codex", number=2))
    view = source(
        machine("one", "d", refused=named),
        machine("two", "d", refused=(*(replace(one, since=NOW - 2 * HOUR) for one in named), *other)),
        machine("3", "d", refused=numbers),
    )
    assert refused(view) == [
        Refused("reviewer", ("codex", "cursor"), ("AS301",), 1, ("one", "two"), NOW - 2 * HOUR),
        Refused("", ("claude", "codex"), (), 2, ("3",), None),
    ]


def test_a_machine_that_runs_without_a_good_sync_fails() -> None:
    view = source(
        machine("a", "d", succeeded_at=NOW - 25 * HOUR),
        machine("b", "d", succeeded_at=NOW - 23 * HOUR),
        machine("c", "d", succeeded_at=NOW - 90 * HOUR),
        machine("d", "d", succeeded_at=None),
        machine("e", "d", succeeded_at=NOW - 2 * HOUR, error="a mistake"),
    )
    assert [(one.error, one.since, one.machines) for one in failing(view)] == [
        ("it has had no good sync for over 1 d", NOW - 90 * HOUR, ("a", "c")),
        ("a mistake", NOW - 2 * HOUR, ("e",)),
        ("it has never had a good sync", None, ("d",)),
    ]


def test_limits_are_numbers_or_shares_of_a_stage() -> None:
    machines = [machine(f"m{number}", "d", "early", refused=(Refusal("codex"),) * (number < 3)) for number in range(40)]
    machines.append(machine("off", "d", "early", seen_at=0.0))
    view = assessed(*machines)

    def over(limits: Limits) -> list[tuple[str, int, int]]:
        return [(excess.what, excess.count, excess.of) for _, excess in all_exceeded(view, limits)]

    assert over(Limits()) == [("refused", 3, 40)]
    assert over(Limits(refused=Limit.parse("3"))) == []
    assert over(Limits(refused=Limit.parse("7.5%"))) == []
    assert over(Limits(refused=Limit.parse("7%"), silent=Limit.parse("0"))) == [("refused", 3, 40), ("silent", 1, 41)]
    for wrong in ("", "-1", "2.5", "101%", "five", "1e3"):
        with pytest.raises(ValueError, match="`"):
            Limit.parse(wrong)


def test_samples_that_cannot_be_are_passed_over() -> None:
    read = machine_of(
        "m",
        [
            Sample("agentsync_last_sync_timestamp_seconds", {}, float("nan")),
            Sample("agentsync_last_success_timestamp_seconds", {}, 1e300),
            Sample("agentsync_refused_agents", {"target": "codex", "source": "team"}, -1),
            Sample("agentsync_rollout_stage", {"source": "team", "stage": "early", "reason": "current"}, 1),
            Sample("agentsync_rollout_stage", {"source": "team", "stage": "early", "reason": "made up"}, 1),
            Sample("agentsync_source_up", {"source": "team"}, 0),
            Sample("agentsync_source_up", {}, 0),
            Sample("node_load1", {}, 1),
        ],
    )
    assert read == FleetMachine("m", (Followed("team", stage="early", error="it cannot be fetched or applied"),))
    with pytest.raises(ValueError, match="over 64 sources"):
        machine_of("m", [Sample("agentsync_source_up", {"source": str(number)}, 1) for number in range(100_000)])


def test_what_one_source_refuses_is_not_blamed_on_another() -> None:
    numbers = {"team": 2, "other": 0}
    samples = [
        Sample("agentsync_refused_agents", {"target": "codex", "source": name}, number)
        for name, number in numbers.items()
    ]
    sources = assess(FleetView((machine_of("m", samples),)), Criteria(NOW, 24 * HOUR)).sources
    assert {one.name: sum(stage.refused for stage in one.stages) for one in sources} == {"other": 0, "team": 1}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "EOF"),
        (b"[" * 100_000, "recursion limit"),
        (b"[]", "it is no status document"),
        (b'{"sources": []}', "it has no `sources`"),
        (b'{"sources": [' + b",".join([b'{"name": "x"}'] * 65) + b"]}", "sources: Tuple should have at most 64 items"),
        (b'{"sources": [{"name": 1}]}', r"sources\.0\.name: "),
        (b'{"sources": [{"name": "x", "commit": "\\u001b[2J"}]}', r"sources\.0\.commit: "),
        (b'{"sources": [{"name": "x", "fetched_at": 1e300}]}', r"sources\.0\.fetched_at: "),
        (b'{"sources": [], "refused": [{"refused_since": "now"}]}', r"refused\.0\.refused_since: "),
    ],
)
def test_what_is_no_status_document_is_refused(document: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        documents.machine_of("m", document)
