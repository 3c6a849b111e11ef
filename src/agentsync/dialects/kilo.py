"""Kilo Code: a fork of OpenCode with further tools, and with variables for files and the environment in instructions.

Facts: https://kilo.ai/docs/customize/custom-subagents, and the tool itself, version 7.7.9 (November 2026). A file with
a value of a wrong type is skipped, and an empty action makes no rule. `"*": deny` does not cover files outside the
project. In a user's own agents `{env:NAME}` and `{file:PATH}` are replaced by their content, whatever the agent may
read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from agentsync.agents.model import Agent
from agentsync.agents.narrowing import WriteOptions
from agentsync.core.codes import Code
from agentsync.core.diagnostics import Diagnostic
from agentsync.dialects._base import Kind, Moved, NameRule, Recognition, Review, Writing
from agentsync.dialects._kit.fields import Fields
from agentsync.dialects.opencode.family import ANTHROPIC, EFFECTS, GOOGLE, UNASKED, Family, keys, models
from agentsync.dialects.opencode.permissions import UNITS, PermissionRules

# One that is never closed is matched too, so that the search ends there: none after it is closed.
_VARIABLE: Final = re.compile(r"\{(?:env|file):[^}]++(?:\}|\Z)")
_ONLY_HERE: Final = frozenset({"displayName", "source"})

# Tools similar to those of OpenCode that have a key of their own: they draw pictures to files, run and read notebooks,
# search by meaning, open a browser, and start agents beside the session.
_BESIDE: Final = {
    "read": ("notebook_read",),
    "edit": ("write",),
    "bash": ("notebook_execute",),
    "grep": ("semantic_search",),
    "webfetch": ("browser_open",),
    "task": ("agent_manager",),
}
_OTHERS: Final = frozenset(
    "agent_manager_models apply_patch background_process board_post board_read cancel_wakeup cron_create cron_delete "
    "cron_list doom_loop generate_image goal goal_report invalid kilo_local_recall kilo_memory_recall kilo_memory_save "
    "link_pr list_mcp_resource_templates list_mcp_resources markdown_source notify_user open_plan plan_enter plan_exit "
    "read_mcp_resource recall repo_clone repo_overview sandbox_escalation schedule_wakeup send_file suggest todoread "
    "workflow_tool_approval".split()
).union(*_BESIDE.values())


def _variable(prompt: str) -> re.Match[str] | None:
    """The first variable in a prompt."""
    match = _VARIABLE.search(prompt)
    return match if match and match[0].endswith("}") else None


@dataclass(frozen=True, slots=True)
class _Kilo(Family):
    """OpenCode's family, with variables in instructions."""

    def check(self, fields: Fields) -> None:
        if variable := _variable(fields.document.body):
            message = f"only Kilo Code replaces `{variable[0]}` with something else"
            fields.report(Code.INVALID_VALUE, message, hint="write out its content, or let the agent read it")

    def write(self, agent: Agent, options: WriteOptions) -> Writing:
        writing = Family.write(self, agent, options)
        variable = _variable(agent.prompt)
        if variable is None or agent.dialect == self.name:
            return writing
        message = f"Kilo Code would replace `{variable[0]}` in the instructions with a file or a variable"
        diagnostic = Diagnostic(Code.REFUSED_WIDER, message, hint="write it with a blank behind the brace")
        return Writing(None, (*writing.diagnostics, diagnostic))


_NAMES: Final = NameRule(
    reserved=frozenset("ask build code compaction debug explore general orchestrator plan summary title".split()),
    scripts=True,
)

_KILO: Final = _Kilo(
    name="kilo",
    title="Kilo Code",
    permissions=PermissionRules(
        "Kilo Code",
        "skips the file",
        {**UNITS, "notebook_edit": ("notebook",)},
        beside=_BESIDE,
        others=_OTHERS,
        empties=True,
        keeps_outside=True,
        asks_user=True,
        names=_NAMES,
    ).codec,
    keys=keys("steps", "maxSteps"),
    # Providers that need the user's own key there; Kilo's gateway (`kilo/anthropic/…`) spells ids differently.
    models=models(
        {
            "anthropic": ANTHROPIC,
            "google": GOOGLE,
            "openai": "gpt-4.1 gpt-4.1-mini gpt-4o gpt-4o-mini gpt-5 gpt-5-mini gpt-5-nano gpt-5-pro gpt-5.1 gpt-5.2 "
            "gpt-5.2-pro gpt-5.3-codex gpt-5.3-codex-spark gpt-5.4 gpt-5.4-mini gpt-5.4-nano gpt-5.4-pro gpt-5.5 "
            "gpt-5.5-pro gpt-5.6 gpt-5.6-luna gpt-5.6-sol gpt-5.6-terra gpt-6-astra gpt-6-luna gpt-6-sol o3 o3-pro",
        }
    ),
    native=frozenset({"options", "variant", *_ONLY_HERE}),
    empties=frozenset({"model", "variant", "temperature", "top_p", "prompt", "description", "steps", "permission"}),
    names=_NAMES,
)


DIALECT: Final = _KILO.dialect(
    user_directory=".config/kilo/agents",
    project_directories=(".kilo/agents", ".kilo/agent", ".kilocode/agents", ".kilocode/agent"),
    recursive=True,
    binaries=("kilo", "kilocode"),
    review=Review(
        restricted_by="as OpenCode",
        handling="as OpenCode",
    ),
    version="7.7.9",
    source="https://kilo.ai/docs/customize/custom-subagents",
    environment=(Moved("XDG_CONFIG_HOME", ".config"),),  # observed; KILO_CONFIG_DIR adds a directory and moves none
    effects=EFFECTS,
    unasked=UNASKED - {"bash"},  # as `kilo debug agent` shows
    recognition=Recognition(
        not_synced={Kind.RULE: ("/.kilo/rules/", "/.kilocode/rules/"), Kind.MCP: ("/.kilocode/mcp.json",)}
    ),
)
