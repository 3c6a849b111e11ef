"""The cache of checks: it changes no result, holds no other's, and costs only time where it cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsync.cli.check import Judge, run_checks
from agentsync.convert.policy import DEFAULT, Policy, PolicyTable
from agentsync.core.errors import ConfigError
from agentsync.state import check_cache as module
from agentsync.state.check_cache import check_cache
from agentsync.state.render_cache import Cache
from support.machine import agent

PATHS = [
    "agents/one.md",
    "agents/two.md",
    ".opencode/agents/one.md",
    "plugins/x/agents/lead.md",
    "plugins/y/agents/lead.md",
    "agentsync.toml",
    "commands/two.md",
]
CONTENTS = [
    None,
    agent("one"),
    agent("lead", tools="Read, Agent(two, lead)"),
    agent("two", prompt="Follow commands/two.md and /two.\n", hooks="{Stop: []}", permissionMode="plan"),
    "---\ndescription: Helps.\nmode: subagent\ncolor: '#ffffff'\npermission:\n  task:\n    x:lead: deny\n---\nHelp.\n",
    "---\nname: [x\n",
    '[agents]\nskip = ["two"]\n[models.opencode]\nsonnet = "a/b"\n',
    '[overrides."*"]\ntools = ["read"]\n',
    "Just text.\n",
]
POLICIES = [DEFAULT, Policy((PolicyTable(hooks="allow", inherit="refuse"),))]


def _result(root: Path, targets: tuple[str, ...], policy: Policy, cache: Cache | None = None) -> str:
    try:
        return json.dumps(run_checks(root, targets, judge=Judge(policy), cache=cache).record)
    except ConfigError as error:
        return str(error)


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.sampled_from(PATHS), st.sampled_from(CONTENTS), min_size=1, max_size=4),
            st.sampled_from([(), ("opencode",), ("claude", "codex")]),
            st.sampled_from(POLICIES),
        ),
        min_size=2,
        max_size=5,
    )
)
def test_a_cached_check_reports_what_a_check_without_cache_does(
    rounds: list[tuple[dict[str, str | None], tuple[str, ...], Policy]],
) -> None:
    with TemporaryDirectory() as scratch, check_cache(lambda: Path(scratch, "cache/checks.sqlite3")) as cache:
        root = Path(scratch, "team")
        root.mkdir()
        for edits, targets, policy in rounds:
            for path, text in edits.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                if text is None:
                    (root / path).unlink(missing_ok=True)
                else:
                    (root / path).write_text(text)
            expected = _result(root, targets, policy)
            for _ in range(2):  # the second time nothing has changed
                assert _result(root, targets, policy, cache) == expected


def test_only_what_was_saved_is_read_again(tmp_path: Path) -> None:
    read: list[int] = []
    for number in range(5):
        (tmp_path / f"agents/{number}.md").parent.mkdir(exist_ok=True)
        (tmp_path / f"agents/{number}.md").write_text(agent(f"agent-{number}"))
    for change in (None, None, "agents/3.md"):
        if change:
            (tmp_path / change).write_text(agent("agent-3", prompt="Help more."))
        with check_cache(lambda: tmp_path / "cache/checks.sqlite3") as cache:
            run_checks(tmp_path, (), cache=cache, progress=lambda _what, done, _total: read.append(done))
        read.append(-1)

    assert read == [0, 1, 2, 3, 4, 5, -1, 0, -1, 0, 1, -1]


@pytest.mark.parametrize("harm", ["damaged", "a directory", "of another's", "too large"])
def test_a_cache_that_cannot_be_used_costs_only_time(
    harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, place = tmp_path / "team", tmp_path / "cache/checks.sqlite3"
    (root / "agents").mkdir(parents=True)
    (root / "agents/one.md").write_text(agent("one", hooks="{Stop: []}"))
    expected = _result(root, (), DEFAULT)
    with check_cache(lambda: place) as cache:
        assert _result(root, (), DEFAULT, cache) == expected
    data = place.read_bytes()
    if harm == "damaged":
        place.write_bytes(data[:100] + bytes(len(data) - 100))
    elif harm == "too large":
        monkeypatch.setattr(module, "MOST_BYTES", 1)
    else:
        place.unlink()
        place.mkdir()
        if harm == "of another's":  # whoever can change the directory could put results into it
            place.rmdir()
            place.parent.rename(tmp_path / "other")
            place.parent.symlink_to(tmp_path / "other")
            tmp_path.chmod(0o777)

    with check_cache(lambda: place) as cache:
        assert _result(root, (), DEFAULT, cache) == expected
        assert (cache is None) == (harm in ("a directory", "of another's"))
