"""The example configuration loads, and it and docs/configuration.md name every key that there is."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agentsync.config import Config, load_config
from agentsync.config.tables import AuthTable, HealthTable, LimitsTable, SignedTable, SourceTable, TargetTable
from agentsync.convert.policy import PolicyTable
from agentsync.formats.validated_toml import Settings, validate
from agentsync.repository.manifest import AgentsTable, Manifest, read_manifest
from agentsync.rollout.tables import MachineRolloutTable, RolloutTable

_ROOT = Path(__file__).parents[3]
_EXAMPLE = _ROOT / "config" / "agentsync.example.toml"
_PAGE = _ROOT / "docs" / "configuration.md"
_TABLES = (
    Config,
    SourceTable,
    AuthTable,
    SignedTable,
    TargetTable,
    LimitsTable,
    HealthTable,
    PolicyTable,
    Manifest,
    AgentsTable,
    RolloutTable,
    MachineRolloutTable,
)


def _with_every_key() -> dict[str, Any]:
    """The example with its commented-out keys."""
    return tomllib.loads(re.sub(r"^#(?=[^#\s])", "", _EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE))


def _manifest() -> str:
    return "\n".join(re.findall(r"^##(.*)$", _EXAMPLE.read_text(encoding="utf-8"), flags=re.MULTILINE))


def test_the_example_loads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load_config(_EXAMPLE)
    assert list(config.sources) == ["team"]
    assert list(config.targets) == ["claude", "opencode"]


@pytest.mark.parametrize("ref", ["branch", "tag", "commit"])
def test_every_commented_key_has_a_value_that_is_accepted(ref: str) -> None:
    document = _with_every_key()
    team = document["sources"]["team"]
    del document["targets"]["opencode"]["project"]
    for other in {"branch", "tag", "commit"} - {ref}:
        del team[other]
    assert validate(document, Config, "example").sources["team"].ref.endswith(team[ref])


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (Config, ()),
        (SourceTable, ("sources", "team")),
        (AuthTable, ("sources", "team", "auth")),
        (SignedTable, ("sources", "team", "signed")),
        (MachineRolloutTable, ("sources", "team", "rollout")),
        (TargetTable, ("targets", "opencode")),
        (LimitsTable, ("limits",)),
        (HealthTable, ("health",)),
        (PolicyTable, ("policy",)),
    ],
)
def test_the_example_has_every_key_and_no_other(model: type[Settings], path: tuple[str, ...]) -> None:
    table = _with_every_key()
    for key in path:
        table = table[key]
    assert table.keys() == model.model_fields.keys()


def test_a_default_that_is_shown_is_the_default() -> None:
    shown = _with_every_key()
    source = shown["sources"]["team"]
    policy = {key: tuple(value) if isinstance(value, list) else value for key, value in shown["policy"].items()}
    for model, table, keys in (
        (SourceTable, source, ("replaces", "allow_rewrite", "allow_local", "allow_http", "timeout")),
        (AuthTable, source["auth"], [key for key in AuthTable.model_fields if key.startswith("use")]),
        (
            TargetTable,
            shown["targets"]["opencode"],
            TargetTable.model_fields.keys() - {"dialect", "path", "project", "only", "skip"},
        ),
        (LimitsTable, shown["limits"], LimitsTable.model_fields),
        (PolicyTable, policy, policy.keys() - {"agents"}),
    ):
        assert {key: table[key] for key in keys} == {key: model.model_fields[key].default for key in keys}


def test_the_manifest_in_the_example_loads_and_has_every_key() -> None:
    read_manifest(_manifest().encode())
    document = tomllib.loads(_manifest())
    assert document.keys() == Manifest.model_fields.keys()
    assert document["agents"].keys() == AgentsTable.model_fields.keys()


def test_the_page_names_every_key_in_a_table() -> None:
    page = _PAGE.read_text(encoding="utf-8")
    missing = [key for model in _TABLES for key in model.model_fields if f"| `{key}" not in page]
    assert missing == []
