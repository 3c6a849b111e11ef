"""Diagnostics are grouped over agents and targets, and what matters is first."""

from __future__ import annotations

import re

import click
from click import unstyle

from agentsync.cli.console import diagnostic_lines
from agentsync.cli.history import wrapped_rows
from agentsync.cli.terminal import aligned, cut, width_of
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.report.grouping import grouped


def lost(agent: str, message: str = "`color`", target: str = "codex") -> Diagnostic:
    return Diagnostic(Code.MODEL_UNKNOWN, message, path=f"agents/{agent}.md", agent=agent, target=target)


def test_a_cause_is_one_group_over_agents_and_targets_and_errors_are_first() -> None:
    note = Diagnostic(Code.NOT_AN_AGENT, "no", path="x.md")
    error = Diagnostic(Code.EMPTY, "empty", path="a.md")
    rare, first, second, third = lost("a", "`mode`"), lost("a"), lost("b"), lost("a", target="gemini")
    groups = grouped([note, rare, first, second, third, error])
    assert [group.members for group in groups] == [(error,), (first, second, third), (rare,), (note,)]
    assert (groups[1].subjects, groups[1].targets) == (("a", "b"), ("codex", "gemini"))


def test_few_of_each_of_many_names_are_one_group_unless_each_cause_is_wanted() -> None:
    tools = [lost(f"a{number}", f"there is no `tool{number}` in the user's `set`") for number in range(5)]
    common = [lost(f"b{number}", "there is no `task` in the user's `set`") for number in range(4)]
    first, second = grouped([*tools, *common], is_exact=False)
    assert (first.message, first.members) == ("there is no `…` in the user's `…`", tuple(tools))
    assert (second.message, second.members) == (common[0].message, tuple(common))
    assert len(grouped([*tools, *common])) == 6
    assert len(grouped(tools[:3], is_exact=False)) == 3


def test_many_diagnostics_fit_the_lines_and_the_rest_is_counted() -> None:
    many = [lost(f"agent-{number}", f"`key-{cause}`") for cause in range(9) for number in range(30)]
    names = [
        Diagnostic(Code.NAME_NOT_SLUG, "N", path=f"agents/{number}.md", agent=f"A {number}") for number in range(4)
    ]
    errors = [Diagnostic(Code.EMPTY, "the file is empty", path=f"e{number}.md") for number in range(2)]
    notes = [Diagnostic(Code.NOT_AN_AGENT, "no", path=f"n{number}.md") for number in range(7)]
    for most in (5, 12, 40):
        lines = diagnostic_lines([*many, *names, *errors, *notes], verbosity=0, most=most, width=80)
        assert len(lines) <= most
        assert "AS105" in lines[0]
        assert max(map(width_of, lines)) <= 80
        assert re.search(r"more: (\d+ warnings with -v, )?7 notes with -vv", lines[-1])
    assert "30 agents: agent-0, agent-1, agent-2, agent-3, agent-4 and 25 more" in "\n".join(lines)
    everything = diagnostic_lines([*many, *names, *errors, *notes], verbosity=1, width=80)
    assert all(f"`key-{cause}`" in "\n".join(everything) for cause in range(9))
    assert click.unstyle(everything[-1]) == "more: 7 notes with -vv"
    assert len(diagnostic_lines(many, verbosity=2)) == len(many)


def test_no_error_is_folded_while_there_is_room() -> None:
    typos = [Diagnostic(Code.NO_SUCH_AGENT, f"`only`: {number}") for number in range(9)]
    held = Diagnostic(Code.HELD_DELETIONS, "held")
    warnings = [lost(f"agent-{number}", f"`key-{number}`" + " x" * number) for number in range(60)]
    text = "\n".join(diagnostic_lines([*warnings, *typos, held], verbosity=0, most=14))
    assert all(f"`only`: {number}" in text for number in range(9))
    assert "AS407" in text
    assert "error" not in text.splitlines()[-1]
    assert "AS407" in "\n".join(diagnostic_lines([*warnings, *typos, held], verbosity=0, most=8))


def test_cells_are_cut_so_that_a_line_fits_and_paths_keep_their_ends() -> None:
    rows = [
        ["+ create", "claude", "x" * 60, "~/.claude/agents/" + "very-" * 9 + "long.md"],
        ["a", "b", "名前" * 20, "d"],
    ]
    lines = aligned(rows, width=80)
    assert max(map(width_of, lines)) <= 80
    assert lines[0].endswith("long.md")
    assert aligned(rows)[0].endswith(rows[0][3])
    assert cut("\x1b[31mabcdef\x1b[0m", 4) == "\x1b[31mabc…\x1b[0m"


def test_edited_files_of_a_group_are_named_with_one_command_that_keeps_the_edits() -> None:
    edited = [
        Diagnostic(
            Code.CONFLICT_EDITED, "it was edited", f"/x/{name}.md", agent=name, hint=f"or `agentsync adopt {name}` does"
        )
        for name in ("builder", "reader")
    ]
    assert [unstyle(line) for line in diagnostic_lines(edited, verbosity=0)[1:]] == [
        "    /x/builder.md",
        "    /x/reader.md",
        "    hint: or `agentsync adopt builder reader` does",
    ]
    assert "delete" not in Code.CONFLICT_EDITED.remedy


def test_a_history_is_wrapped_and_its_times_are_not_cut() -> None:
    when = "2026-11-30 21:45:10"
    commits, changes = "team d15431ab22a1, other cd625f5fc558", "12 created, 3 updated, 2 deleted, 1 restored"
    rows = [["3f2a9c01b7de", when, "incomplete", commits, changes]]
    lines = aligned(wrapped_rows(rows, 80), width=80)
    assert max(map(len, lines)) <= 80
    assert when in lines[0]
    assert "…" not in "".join(lines)
    assert all(word in " ".join(lines) for word in f"{commits} {changes}".split())
