"""Ask Vibe what it makes of agents; run by the Python that Vibe is installed in, with a line of JSON in and out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any


def main() -> None:
    """Read `[{"agent": TOML, "calls": [[TOOL, ARGUMENTS] ...]} ...]`, and print an answer for each in a scratch home.

    An answer has the settings that the agent changes (`changed`), or why it is refused (`refused`), and the decision on
    each call. Calls are decided by the tool's own check, and where that leaves it open by the tool's permission.
    """
    asked = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"VIBE_HOME": home, "HOME": home}
        os.chdir(home)
        (Path(home) / "agents").mkdir()
        from vibe.core.config.vibe_schema import VibeConfigSchema  # type: ignore[import-not-found]  # noqa: PLC0415

        answers = [_answer(Path(home) / "agents", **question) for question in asked]
        fields = {name: _flipped(field) for name, field in VibeConfigSchema.model_fields.items()}
    json.dump({"version": version("mistral-vibe"), "fields": fields, "answers": answers}, sys.stdout)


def _flipped(field: Any) -> Any:
    """A value that is not the field's default; null for one that has no simple one."""
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    if type(value) is str:
        return f"{value}x"
    return None


def _answer(directory: Path, agent: str, calls: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    from vibe.core.agents.manager import AgentManager  # type: ignore[import-not-found]  # noqa: PLC0415
    from vibe.core.config.default_orchestrator import (  # type: ignore[import-not-found]  # noqa: PLC0415
        build_default_orchestrator,
    )
    from vibe.core.config.harness_files import (  # type: ignore[import-not-found]  # noqa: PLC0415
        get_harness_files_manager,
        init_harness_files_manager,
        reset_harness_files_manager,
    )
    from vibe.core.tools.manager import ToolManager  # type: ignore[import-not-found]  # noqa: PLC0415

    (directory / "tried.toml").write_text(agent, encoding="utf-8")
    reset_harness_files_manager()
    init_harness_files_manager("user")
    orchestrator = asyncio.run(build_default_orchestrator(harness_files=get_harness_files_manager()))
    agents = AgentManager(orchestrator, "ask")
    before = orchestrator.config.model_dump(mode="json")
    try:
        agents.switch_profile("tried")
    except Exception as error:  # noqa: BLE001 - whatever keeps it from loading the agent
        return {"refused": f"{error} {agents.load_failures}"}
    after = orchestrator.config.model_dump(mode="json")
    tools = ToolManager(lambda: orchestrator.config, defer_mcp=True)
    changed = [name for name in after if after[name] != before[name]]
    return {"changed": changed, "decisions": [_decision(tools, *call) for call in calls]}


def _decision(tools: Any, name: str, arguments: dict[str, Any]) -> str:
    tool = tools.get(name)
    asked, _ = tool._get_tool_args_results()
    context = tool.resolve_permission(asked(**arguments))
    return str(context.permission if context else tools.get_tool_config(name).permission)


if __name__ == "__main__":
    main()
