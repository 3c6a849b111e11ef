"""The planner: its table by enumeration, the owner of a row, and a source's deletions."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from agentsync.core.codes import Code
from agentsync.state.records import Action, Recorded
from agentsync.targets.change import Actual, TargetState, Wanted
from agentsync.targets.deletion_limits import DeletionLimits
from agentsync.targets.plan import Plan, decide, make_plan, recorded

HERE = "/home/me/.claude/agents"
URLS = {"team": "https://git.example/team", "mine": "https://git.example/mine"}


def want(digest: str = "a", source: str = "team", path: str = "x.md", blob: str = "blob") -> Wanted:
    return Wanted(digest, "x", "claude", source, path, "commit", blob)


def row(digest: str = "a", source: str = "team", path: str = "x.md") -> Recorded:
    return recorded(want(digest, source, path), URLS[source])


def plan_for(
    wanted: dict[str, Wanted],
    rows: dict[str, Recorded],
    disk: dict[str, Actual] | None = None,
    *,
    prunable: tuple[str, ...] = ("team", "mine"),
    kept: tuple[tuple[str, str], ...] = (),
    gone: tuple[str, ...] = (),
    limits: DeletionLimits | None = None,
) -> Plan:
    """A plan for one target; files that `disk` does not name are as last written."""
    actual = {path: Actual(rows[path].digest if path in rows else None) for path in {*wanted, *rows}} | (disk or {})
    return make_plan(
        [TargetState("claude", HERE, wanted, frozenset(kept))],
        {(HERE, path): value for path, value in rows.items()},
        {(HERE, path): value for path, value in actual.items()},
        prunable=frozenset(prunable),
        source_urls=URLS,
        limits=limits or DeletionLimits(allow_deletions=True),
        gone=frozenset(gone),
    )


def only_code(plan: Plan) -> Code:
    (diagnostic,) = plan.diagnostics
    return diagnostic.code


COMBINATIONS = list(product([None, "a", "b", "c"], repeat=3))
"""Every way in which base, actual and wanted content are absent, alike or different."""


def test_every_combination_follows_the_table() -> None:
    for base, actual, wanted in COMBINATIONS:
        rules = [
            (actual == wanted == base, Action.KEEP),
            (actual == wanted, Action.TAKE if wanted else Action.FORGET),
            (actual == base and wanted is None, Action.DELETE),
            (actual == base, Action.UPDATE if base else Action.CREATE),
            (base is None and wanted is None, Action.KEEP),
            (actual is None, Action.RESTORE),
            (True, Action.CONFLICT),
        ]
        expected = next(action for holds, action in rules if holds)
        assert decide(base, actual, wanted) is expected, (base, actual, wanted)


def test_bytes_that_were_not_written_by_us_are_never_changed() -> None:
    for base, actual, wanted in COMBINATIONS:
        if actual not in (None, base):
            assert decide(base, actual, wanted) in {Action.KEEP, Action.TAKE, Action.CONFLICT}, (base, actual, wanted)


def test_changes_are_sorted_and_include_kept_files() -> None:
    plan = plan_for({"b.md": want(), "a.md": want()}, {"b.md": row()})
    assert [(change.path, change.action) for change in plan.changes] == [
        ("a.md", Action.CREATE),
        ("b.md", Action.KEEP),
    ]


def test_rows_of_directories_that_are_no_target_are_not_looked_at() -> None:
    plan = make_plan(
        [], {("/elsewhere", "x.md"): row()}, {}, prunable=frozenset(URLS), source_urls=URLS, limits=DeletionLimits()
    )
    assert plan == Plan((), (), ())


def test_two_targets_of_one_directory_do_not_delete_each_others_files() -> None:
    targets = [TargetState("one", HERE, {"a.md": want()}), TargetState("two", HERE, {"b.md": want()})]
    rows = {(HERE, path): row() for path in ("a.md", "b.md")}
    disk = {key: Actual("a") for key in rows}
    plan = make_plan(targets, rows, disk, prunable=frozenset(URLS), source_urls=URLS, limits=DeletionLimits())
    assert {change.target: change.action for change in plan.changes} == {"one": Action.KEEP, "two": Action.KEEP}


def test_an_unmanaged_file_is_a_conflict_with_its_absolute_path_and_a_hint() -> None:
    plan = plan_for({"x.md": want("a")}, {}, {"x.md": Actual("user")})
    (diagnostic,) = plan.diagnostics
    assert (diagnostic.code, diagnostic.path) == (Code.CONFLICT_UNMANAGED, f"{HERE}/x.md")
    assert (diagnostic.agent, diagnostic.target) == ("x", "claude")
    assert "`agentsync adopt x`" in diagnostic.hint
    assert plan.changes[0].diagnostic == diagnostic


@pytest.mark.parametrize("wanted", [{"x.md": want("b")}, {}], ids=["updated", "deleted"])
def test_an_edited_file_is_kept(wanted: dict[str, Wanted]) -> None:
    plan = plan_for(wanted, {"x.md": row("a")}, {"x.md": Actual("user")})
    assert plan.changes[0].action is Action.CONFLICT
    assert only_code(plan) is Code.CONFLICT_EDITED


def test_an_entry_that_is_not_a_plain_file_is_a_conflict_that_names_its_kind() -> None:
    plan = plan_for({"x.md": want()}, {"x.md": row()}, {"x.md": Actual("", reason="it is a symbolic link")})
    assert "it is a symbolic link" in plan.diagnostics[0].message


def test_a_target_that_cannot_be_used_is_one_diagnostic_and_nothing_is_done() -> None:
    broken = Actual("", reason="it is a link", code=Code.TARGET_SYMLINK)
    plan = plan_for({"x.md": want(), "y.md": want()}, {"z.md": row()}, dict.fromkeys(("x.md", "y.md", "z.md"), broken))
    assert only_code(plan) is Code.TARGET_SYMLINK
    assert plan.diagnostics[0].path == HERE
    assert {change.action for change in plan.changes} == {Action.CONFLICT}


def test_nothing_of_a_source_that_was_not_read_completely_is_deleted() -> None:
    plan = plan_for({}, {"x.md": row()}, prunable=("mine",))
    assert [change.action for change in plan.changes] == [Action.KEEP]


def test_the_last_good_output_of_a_broken_agent_is_kept() -> None:
    plan = plan_for({}, {"x.md": row(), "y.md": row(path="y.md")}, kept=(("team", "x.md"),))
    assert [change.action for change in plan.changes] == [Action.KEEP, Action.DELETE]


def test_a_kept_file_that_the_user_deleted_is_neither_restored_nor_forgotten() -> None:
    plan = plan_for({}, {"x.md": row()}, {"x.md": Actual(None)}, prunable=())
    assert [change.action for change in plan.changes] == [Action.KEEP]


def test_an_edit_of_a_kept_file_is_reported() -> None:
    assert only_code(plan_for({}, {"x.md": row()}, {"x.md": Actual("user")}, prunable=())) is Code.CONFLICT_EDITED


def test_a_file_that_moved_in_its_source_is_taken_under_its_new_path() -> None:
    plan = plan_for({"x.md": want(path="new/x.md")}, {"x.md": row(path="old/x.md")})
    assert [change.action for change in plan.changes] == [Action.TAKE]


def test_a_new_commit_alone_changes_nothing() -> None:
    plan = plan_for({"x.md": replace(want(), commit="later")}, {"x.md": row()})
    assert [change.action for change in plan.changes] == [Action.KEEP]


def test_a_renamed_source_keeps_its_files() -> None:
    old = replace(row(), source="former")
    assert plan_for({"x.md": want("b")}, {"x.md": old}, prunable=()).changes[0].action is Action.UPDATE


def test_an_agent_may_move_between_sources() -> None:
    assert plan_for({"x.md": want("b", "mine")}, {"x.md": row()}).changes[0].action is Action.UPDATE


@pytest.mark.parametrize(
    ("prunable", "kept"), [(("mine",), ()), (("team", "mine"), (("team", "x.md"),))], ids=["not read", "kept"]
)
def test_a_file_that_another_source_may_still_want_is_a_conflict(
    prunable: tuple[str, ...], kept: tuple[tuple[str, str], ...]
) -> None:
    plan = plan_for({"x.md": want("b", "mine")}, {"x.md": row()}, prunable=prunable, kept=kept)
    assert plan.changes[0].action is Action.CONFLICT
    assert only_code(plan) is Code.OTHER_SOURCE


def test_a_file_that_no_source_wants_can_be_taken_over_and_otherwise_stays() -> None:
    def action(wanted: dict[str, Wanted], actual: str | None = "a") -> Action:
        disk = {"x.md": Actual(actual)}
        (change,) = plan_for(wanted, {"x.md": row()}, disk, prunable=("mine",), gone=("team",)).changes
        return change.action

    mine = {"x.md": want("b", "mine")}
    assert [action(mine, actual) for actual in ("a", "b", "c", None)] == [
        Action.UPDATE,
        Action.TAKE,
        Action.CONFLICT,
        Action.RESTORE,
    ]
    assert [action({}, actual) for actual in ("a", "c", None)] == [Action.KEEP, Action.CONFLICT, Action.FORGET]


def agents(count: int) -> dict[str, Recorded]:
    return {f"{number}.md": row(path=f"{number}.md") for number in range(count)}


def wants(numbers: range) -> dict[str, Wanted]:
    return {f"{number}.md": want("b", path=f"{number}.md") for number in numbers}


def test_agents_that_get_other_names_are_not_dropped() -> None:
    """As all of them do where a source is given a prefix."""
    wanted = {f"web-{path}": want("b", path=path) for path in agents(4)}
    plan = plan_for(wanted, agents(4), limits=DeletionLimits())
    assert (len(plan.changes), plan.held, plan.diagnostics) == (8, (), ())
    fewer = {f"web-{path}": want("b", path=path) for path in agents(1)}
    assert only_code(plan_for(fewer, agents(4), limits=DeletionLimits())) is Code.HELD_DELETIONS


def test_a_source_that_is_suddenly_empty_is_held() -> None:
    plan = plan_for({}, agents(1), limits=DeletionLimits())
    assert only_code(plan) is Code.HELD_EMPTY
    assert plan.changes == ()
    assert [change.action for change in plan.held] == [Action.DELETE]


def test_an_empty_source_whose_files_are_gone_already_is_forgotten() -> None:
    plan = plan_for({}, agents(1), {"0.md": Actual(None)}, limits=DeletionLimits())
    assert [change.action for change in plan.changes] == [Action.FORGET]


@pytest.mark.parametrize(
    ("recorded_count", "left", "held"),
    [(6, 3, False), (6, 2, True), (5, 2, True), (3, 1, False)],
    ids=["half", "more than half", "three of five", "too few to matter"],
)
def test_a_source_that_drops_too_many_agents_is_held(recorded_count: int, left: int, held: bool) -> None:  # noqa: FBT001 - a case's data
    plan = plan_for(wants(range(left)), agents(recorded_count), limits=DeletionLimits())
    assert bool(plan.held) is held
    if held:
        assert only_code(plan) is Code.HELD_DELETIONS
        assert f"{recorded_count - left} of {recorded_count}" in plan.diagnostics[0].message
        assert {change.action for change in plan.held} == {Action.UPDATE, Action.DELETE}


def test_agents_are_counted_once_however_many_targets_have_them() -> None:
    rows = {(f"/{target}", path): value for target in range(4) for path, value in agents(5).items()}
    targets = [TargetState(str(number), f"/{number}", wants(range(1, 5))) for number in range(4)]
    disk = {key: Actual("a") for key in rows}
    plan = make_plan(targets, rows, disk, prunable=frozenset(URLS), source_urls=URLS, limits=DeletionLimits())
    assert plan.held == ()


def test_a_hold_stops_its_own_source_only() -> None:
    plan = plan_for({"m.md": want("b", "mine", "m.md")}, agents(3), limits=DeletionLimits())
    assert [change.path for change in plan.changes] == ["m.md"]
    assert len(plan.held) == 3


def test_a_hold_hides_no_conflict_and_no_file_in_sync() -> None:
    rows = agents(6)
    plan = plan_for({"0.md": want(path="0.md")}, rows, {"1.md": Actual("user")}, limits=DeletionLimits())
    assert [change.action for change in plan.changes] == [Action.KEEP, Action.CONFLICT]
    assert {diagnostic.code for diagnostic in plan.diagnostics} == {Code.CONFLICT_EDITED, Code.HELD_DELETIONS}


def test_deletions_go_through_when_they_are_allowed() -> None:
    plan = plan_for({}, agents(9), limits=DeletionLimits(allow_deletions=True))
    assert (plan.held, {change.action for change in plan.changes}) == ((), {Action.DELETE})
