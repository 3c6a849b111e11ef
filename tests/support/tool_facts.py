"""What was observed of each tool, by hand: `tests/dialects/<tool>/facts.toml`, where a dialect's other fixtures are.

[variables]              # each variable that moves its agents, as in CODEX_HOME = "agents": their path below its value
[names]                  # the keys under which the names of names.txt are tried
allowed = "tools"        # of the list of tools
denied = ""              # of the list of denied tools; empty where there is none
beside = {}              # further keys of each agent
everything = {}          # the keys that grant everything, where a missing list does not
[[fail_open]]            # a file that grants more than its author intended
tried = "an empty list"  # what the file shows
file = ""                # its text
outcome = "read"         # "read" as intended for other tools, "mended" for its own tool as well, or "refused"
code = "NO_EFFECT"       # the name of the diagnostic's code
denied = ["bash", "rm"]  # the call that its author denied; the shell where there is no such key
"""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any, Final

from agentsync.dialects import dialects

_DIALECTS: Final = Path(__file__).parents[1] / "dialects"


@cache
def facts(tool: str, table: str) -> Any:
    """One table of a tool's facts, or its array of tables; empty where the tool has none."""
    path = _DIALECTS / tool / "facts.toml"
    return tomllib.loads(path.read_text(encoding="utf-8")).get(table, {}) if path.exists() else {}


def facts_by_tool(table: str) -> dict[str, Any]:
    """That table of each tool that has one."""
    return {tool: found for tool in dialects() if (found := facts(tool, table))}
