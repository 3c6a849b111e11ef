"""Accepted diagnostics: which entry accepts what, and which entries are reported themselves."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from agentsync.config import Config
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.core.errors import ConfigError
from agentsync.formats.validated_toml import load
from agentsync.repository.acceptance import Acceptance, Declared, Subject, expires_at, sort_accepted
from agentsync.repository.manifest import read_manifest

TODAY = date(2026, 3, 31)
LOSS = Diagnostic(Code.TOOL_LOST, "`web` is lost", path="agents/a.md", agent="a", target="work")
TWIN = Diagnostic(Code.NAME_TWICE, "twice", path="agents/b.md")
AGENTS = {"agents/a.md": Subject(frozenset({"team"}), ("a", "plugin-a"), ("docs",))}


def entry(code: str = "AS304", **keys: Any) -> Acceptance:
    return Acceptance(code=code, reason="they need no web", **keys)


def sorted_by(*declared: Declared) -> tuple[list[Diagnostic], list[str]]:
    """What is accepted of both diagnostics, and the codes of what is reported of the entries."""
    result = sort_accepted(
        [LOSS, TWIN],
        declared,
        subject_of=lambda one: AGENTS.get(one.path, Subject()),
        targets={"work": "codex"},
        today=TODAY,
    )
    left = [one for one in result.left if one not in (LOSS, TWIN)]
    accepted = [one.diagnostic for one in result.accepted]
    assert {LOSS, TWIN} - {*accepted} <= {*result.left}
    assert not {*accepted} & {*result.left}
    return accepted, [one.code.id for one in left]


@pytest.mark.parametrize(
    "declared",
    [
        Declared(entry()),
        Declared(entry(agents=("a",))),
        Declared(entry(agents=("nobody", "plugin-*"))),
        Declared(entry(agents=("tag:docs",))),
        Declared(entry(targets=("work",))),
        Declared(entry(targets=("codex",))),
        Declared(entry(until=TODAY)),
        Declared(entry(), "team"),
    ],
    ids=str,
)
def test_an_entry_accepts_what_it_names(declared: Declared) -> None:
    assert sorted_by(declared) == ([LOSS], [])


@pytest.mark.parametrize(
    ("declared", "reported"),
    [
        (Declared(entry("AS305")), ["AS520"]),
        (Declared(entry(agents=("b",))), ["AS520"]),
        (Declared(entry(agents=("tag:web",))), ["AS520"]),
        (Declared(entry(targets=("codex",), agents=("agents/a.md",))), ["AS520"]),  # it is an agent, which has a name
        (Declared(entry(targets=("claude",))), []),  # this run does not write that target
        (Declared(entry(until=date(2026, 3, 30))), ["AS521"]),
        (Declared(entry(), "other"), []),  # an entry for other machines too, and for its own agents only
        (Declared(entry("AS305", targets=("codex",)), "team"), ["AS520"]),
    ],
    ids=str,
)
def test_an_entry_that_accepts_nothing_is_reported_where_this_run_shows_it(
    declared: Declared, reported: list[str]
) -> None:
    assert sorted_by(declared) == ([], reported)


def test_a_file_that_is_no_agent_is_named_by_its_path() -> None:
    assert sorted_by(Declared(entry("AS212", agents=("agents/*.md",)))) == ([TWIN], [])


def test_it_is_known_when_something_is_accepted_no_longer() -> None:
    days = [date(2026, 3, 30), date(2026, 5, 1), date(2026, 4, 1), None]
    assert (
        expires_at([Declared(entry(until=day)) for day in days], TODAY) == datetime(2026, 4, 2, tzinfo=UTC).timestamp()
    )
    assert expires_at([Declared(entry())], TODAY) is None


@pytest.mark.parametrize(
    ("code", "machine", "manifest"),
    [
        ("AS304", True, True),
        ("AS309", True, True),
        ("AS212", True, False),
        ("AS507", True, False),
        ("AS515", True, False),
        ("AS417", True, False),
        ("AS413", True, False),
        ("AS412", False, False),  # a remote that is down
        ("AS405", False, False),  # a full disk
        ("AS406", False, False),
        ("AS521", False, False),
        ("AS999", False, False),
    ],
)
def test_a_machine_accepts_more_than_a_manifest_and_neither_accepts_failures(
    code: str, *, machine: bool, manifest: bool
) -> None:
    text = f'version = 1\naccept = [{{ code = "{code}", reason = "known", until = 2027-01-31 }}]\n'
    for allowed, read in ((machine, lambda: load(text, Config, "c")), (manifest, lambda: read_manifest(text.encode()))):
        if allowed:
            read()
        else:
            with pytest.raises(ConfigError, match=code):
                read()


def test_a_mistake_is_at_the_line_of_its_entry() -> None:
    good = '  { code = "AS304", reason = "known" },'
    text = f'version = 1\naccept = [ # known\n  # first\n{good}\n\n  {{ code = "AS999", reason = "known" }},\n]\n'
    with pytest.raises(ConfigError) as caught:
        load(text, Config, "c")
    assert caught.value.place == "c:6"
