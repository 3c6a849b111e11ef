"""Rovo Dev CLI: Markdown with YAML frontmatter, and a list of tools.

Facts: https://support.atlassian.com/rovo/docs/use-subagents-in-rovo-dev-cli and
https://support.atlassian.com/rovo/docs/use-tools-in-rovo-dev-cli (November 2026). Neither documents a list that
is empty, of another type, or of unknown names only; so each of these counts as all tools.
"""

from __future__ import annotations

from typing import Final

from agentsync.dialects._base import Review, ToolLists
from agentsync.dialects._kit.models import Models
from agentsync.dialects._kit.table_dialect import TableDialect
from agentsync.dialects._kit.tool_list import ToolList
from agentsync.dialects._kit.tool_names import ToolNames

_TOOLS: Final = ToolNames(
    written={
        "open_files": ("read",),
        "expand_code_chunks": ("read",),
        "expand_folder": ("list",),
        "grep": ("grep",),
        "create_file": ("write",),
        "find_and_replace_code": ("edit",),
        "bash": ("bash",),
        "update_todo": ("todo",),
        "invoke_subagent": ("task",),
    },
    read={
        "powershell": ("bash",),
        # Permission to write files does not imply permission to delete or move them.
        "delete_file": (),
        "move_file": (),
        "create_technical_plan": (),
    },
)

_ROVODEV: Final = TableDialect(
    name="rovodev",
    title="Rovo Dev",
    permissions=ToolList(_TOOLS, ToolLists(empty="all", strings=False)).codec,
    keys={},
    models=Models(),
    native=frozenset({"load_memory"}),
)


DIALECT: Final = _ROVODEV.dialect(
    user_directory=".rovodev/subagents",
    project_directories=(".rovodev/subagents",),
    binaries=("acli",),
    review=Review(
        restricted_by="`tools`; the meaning of an empty or unknown list is not documented, so it counts as everything",
        handling="a list is written only if it has a known name",
        from_documentation=True,
    ),
    version="1 (November 2026)",
    source="https://support.atlassian.com/rovo/docs/use-subagents-in-rovo-dev-cli",
)
