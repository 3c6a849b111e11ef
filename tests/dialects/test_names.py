"""Golden files of tool names: `names.txt` in the directory of each dialect with lists of tools.

A line holds a name and two or four columns. The first two list the tools of an agent that lists only this name, as
intended and at most. Where the dialect has denials, the other two list the tools of which a part is missing from an
agent that denies only this name, likewise. A dash is an empty column. The keys of the lists, and what an agent needs
beside them, are in `facts.toml` (`support/tool_facts.py`).

`pytest tests/dialects --update-goldens` rewrites the columns of the names in these files.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from pydantic import JsonValue

from agentsync.agents.grants import MCP, NOTHING, OTHER, TOOLS, Grants
from agentsync.dialects import Dialect, dialects
from agentsync.formats.document import Document
from support.tool_facts import facts

HERE: Final = Path(__file__).parent


@pytest.mark.parametrize("path", sorted(HERE.glob("*/names.txt")), ids=lambda path: path.parent.name)
def test_names_match_the_golden_files(path: Path, *, update_goldens: bool) -> None:
    dialect = dialects()[path.parent.name]
    lines = [_line(dialect, line.partition(" = ")[0]) for line in path.read_text().splitlines()]
    if update_goldens:
        path.write_text("".join(f"{line}\n" for line in lines))
    assert lines == path.read_text().splitlines()


def _line(dialect: Dialect, name: str) -> str:
    keys = facts(dialect.name, "names")
    columns = [_available(grants) for grants in _readings(dialect, {keys.get("allowed", "tools"): [name]})]
    if key := keys.get("denied"):
        everything: dict[str, JsonValue] = keys.get("everything", {})
        before = [_missing(grants) for grants in _readings(dialect, everything)]
        after = [_missing(grants) for grants in _readings(dialect, {**everything, key: [name]})]
        columns += [now - ever for now, ever in zip(after, before, strict=True)]
    return f"{name} = {' | '.join(' '.join(sorted(column)) or '-' for column in columns)}"


def _readings(dialect: Dialect, keys: dict[str, JsonValue]) -> tuple[Grants, Grants]:
    """The grants as intended, and as enforced at most."""
    head = {
        "name": "reviewer",
        "description": "Reviews.",
        **keys,
        **(facts(dialect.name, "names") or {}).get("beside", {}),
    }
    document = Document("reviewer", head, "You review changes.\n")
    agent = dialect.read(document, "reviewer").agent
    return agent.grants if agent else NOTHING, dialect.enforced(document)


def _available(grants: Grants) -> set[str]:
    """The canonical tools and patterns of servers with some available call."""
    return {tool for tool in _known(grants) if max(grants.approvals(tool))}


def _missing(grants: Grants) -> set[str]:
    return {tool for tool in _known(grants) if not min(grants.approvals(tool))}


def _known(grants: Grants) -> set[str]:
    named = {tool for tool in grants.patterns if not tool.startswith(OTHER)}
    return {*TOOLS, *named, f"{MCP}any"} - {"external_directory"}
