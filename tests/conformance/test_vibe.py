"""What the real Vibe makes of an agent's keys: which it acts on, and which calls they let run without asking.

It is installed by its name from PyPI with a Python that it takes, as `python3.12 -m venv $AGENTSYNC_ORACLES/vibe` and
`$AGENTSYNC_ORACLES/vibe/bin/pip install mistral-vibe==3.0.3`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from agentsync.agents.grants import Approval
from agentsync.core.naming import folded_key
from agentsync.dialects import dialects

VIBE = dialects()["vibe"]
_SCRIPT = Path(__file__).with_name("vibe_oracle.py")
_HEAD = 'description = "Tries keys."\ninstructions = "You try keys."\n'
_PROTECTED = {"console_base_url", "vibe_base_url", "vibe_code_sessions_base_url"}
"""Settings that Vibe does not take from an agent."""

Call: TypeAlias = tuple[str, dict[str, str], str, str]
_CALLS: Sequence[Call] = (
    ("bash", {"command": "git push origin"}, "bash", "git push origin"),
    ("bash", {"command": "touch x"}, "bash", "touch x"),
    ("write_file", {"file_path": "docs/x", "content": ""}, "write", "docs/x"),
    ("write_file", {"file_path": "/etc/x", "content": ""}, "external_directory", "/etc/x"),
    ("edit", {"file_path": "docs/x", "old_string": "", "new_string": ""}, "edit", "docs/x"),
    ("web_fetch", {"url": "http://127.0.0.1"}, "webfetch", "http://127.0.0.1"),
)
"""Calls of Vibe's tools, each with the tool and the argument that agentsync has for it."""


@pytest.fixture(scope="module")
def vibe(tools: Path) -> Callable[..., dict[str, Any]]:
    """Asks Vibe about agents; skips where it is not installed."""
    python = tools / "vibe/bin/python"
    if not python.exists():
        pytest.skip(f"{python} is not there")

    def ask(*agents: str, calls: Sequence[Call] = ()) -> dict[str, Any]:
        asked = [{"agent": _HEAD + agent, "calls": [call[:2] for call in calls]} for agent in agents]
        command = [str(python), str(_SCRIPT)]
        done = subprocess.run(
            command, input=json.dumps(asked), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))

    return ask


def test_the_table_has_each_key_that_vibe_acts_on_and_no_other(vibe: Callable[..., dict[str, Any]]) -> None:
    asked = vibe()
    fields: Mapping[str, Any] = asked["fields"]
    assert asked["version"] == VIBE.version
    assert VIBE.undeclared is not None
    assert [*VIBE.undeclared(fields)] == []
    assert VIBE.effects.keys() - {*map(folded_key, fields)} == {"safety"}  # which is the agent's own

    tried = {name: value for name, value in fields.items() if value is not None and name != "active_model"}
    answers = vibe(*(f"{name} = {json.dumps(value)}\n" for name, value in tried.items()))["answers"]
    assert {name for name, answer in zip(tried, answers, strict=True) if answer["changed"] == [name]} == (
        tried.keys() - _PROTECTED
    )


def test_vibe_ignores_a_key_that_it_does_not_know_unless_it_is_strict(vibe: Callable[..., dict[str, Any]]) -> None:
    ignored, refused = vibe("permission_level = 'all'\n", "permission_level = 'all'\nstrict_config = true\n")["answers"]
    assert ignored["changed"] == []
    assert "`permission_level` is not a Vibe setting" in refused["refused"]


def test_no_call_runs_without_asking_that_agentsync_takes_for_one_that_asks(
    vibe: Callable[..., dict[str, Any]],
) -> None:
    tables = (
        *(
            "",
            "bash = {permission = 'always'}",
            "bash = {permission = 'never'}",
            "write_file = {permission = 'always'}",
        ),
        *("bash = {allowlist = ['git push']}", "bash = {permission = 'never', allowlist = ['git']}"),
        *("write_file = {allowlist = ['**']}", "write_file = {allowlist = ['/etc/*']}", "edit = {allowlist = ['*']}"),
        *("web_fetch = {permission = 'always'}", "web_fetch = {allowlist = ['*']}", "bash = {allowlist = ['*']}"),
    )
    agents = [f"[tools]\n{table}\n" for table in tables]
    let_through = 0
    for agent, answer in zip(agents, vibe(*agents, calls=_CALLS)["answers"], strict=True):
        granted = VIBE.most(VIBE.parse((_HEAD + agent).encode(), "tried.toml"))
        for (name, _, tool, argument), decision in zip(_CALLS, answer["decisions"], strict=True):
            let_through += decision == "always"
            assert decision != "always" or granted.approval(tool, argument) is Approval.ALLOW, (name, agent)
    assert let_through >= len(_CALLS)
