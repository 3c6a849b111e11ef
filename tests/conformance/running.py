"""Run agents in the real tools, and see in the requests to their model which tools each of them has in hand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from conformance import mcp_server
from conformance.model_api import JsonObject, model_api

Servers = Mapping[str, Sequence[str]]
"""The tools of MCP servers, by the servers' names."""

_CLAUDE = "claude/node_modules/@anthropic-ai/claude-code-linux-x64/claude"
_COPILOT = "copilot/node_modules/@github/copilot-linux-x64/copilot"
# Where Copilot unpacks itself, 250 MB, which is worth keeping.
_COPILOT_CACHE = "copilot-cache"

_SECONDS = 180
# Claude Code runs a few agents at once.
_TOGETHER = 8
# And Copilot one, so several of it are run at once.
_SESSIONS = 2
# The name of a server's tool in a list, or that of all its tools.
_SERVER = re.compile(r"\bmcp__([A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*)(?:__([A-Za-z0-9_-]+))?")
_MORE = "unlisted_tool"
_PROBE = re.compile(r"PROBE#(\d+)#")


@dataclass(frozen=True, slots=True)
class InHand:
    """What a running agent has.

    Attributes:
        tools: the tools that its model is offered, by the tool's own names.
        error: why it does not run; empty where it does.
    """

    tools: tuple[str, ...] = ()
    error: str = ""


def of(tool: str, tools: Path, files: Mapping[str, Path]) -> dict[str, InHand]:
    """Run a tool's agents, by name.

    Args:
        tool: `claude`, with live servers of the names that its agents list, or `copilot`.
        tools: where the tools are installed.
        files: the agents' files by the names under which the tool starts them.
    """
    if tool == "claude":
        return of_claude(tools, files)
    with ThreadPoolExecutor(_SESSIONS) as pool:
        parts = [dict(list(files.items())[start::_SESSIONS]) for start in range(_SESSIONS)]
        found = pool.map(lambda part: of_copilot(tools, part), parts)
        return {name: in_hand for part in found for name, in_hand in part.items()}


def of_claude(tools: Path, files: Mapping[str, Path], servers: Servers | None = None) -> dict[str, InHand]:
    """Run Claude Code's agents, by name, with live servers: each with those that it or its neighbours list if None."""
    found: dict[str, InHand] = {}
    remaining = iter(files.items())
    while batch := dict(islice(remaining, _TOGETHER)):
        with tempfile.TemporaryDirectory(prefix="claude-") as scratch:
            live = live_servers(file.read_text(encoding="utf-8") for file in batch.values())
            found |= _claude_batch(tools / _CLAUDE, Path(scratch), batch, live if servers is None else servers)
    return found


def live_servers(texts: Iterable[str]) -> dict[str, list[str]]:
    """Servers with the tools that these agents name, and with one more each; and a server that no agent names."""
    servers = {"elsewhere": [_MORE]}
    for text in texts:
        for server, tool in _SERVER.findall(text):
            names = servers.setdefault(server, [_MORE])
            names += [tool] if tool and tool not in names else []
    return servers


def _claude_batch(program: Path, scratch: Path, files: Mapping[str, Path], servers: Servers) -> dict[str, InHand]:
    project = _project(scratch, ".claude/agents", files.values())
    configuration = scratch / "servers.json"
    started = {name: {"command": sys.executable, "args": [mcp_server.__file__, *of]} for name, of in servers.items()}
    configuration.write_text(json.dumps({"mcpServers": started}), encoding="utf-8")
    names = list(files)
    asked = False

    def answer(request: JsonObject) -> Sequence[JsonObject]:
        """Let the first request that can start agents start all of them."""
        nonlocal asked
        starter = next((tool["name"] for tool in request.get("tools", ()) if tool["name"] in ("Agent", "Task")), None)
        if asked or starter is None or _probe(request) is not None:
            return ()
        asked = True
        inputs = (
            {"description": "probe", "prompt": f"PROBE#{number}#", "subagent_type": name, "run_in_background": False}
            for number, name in enumerate(names)
        )
        return [
            {"type": "tool_use", "id": f"call_{number}", "name": starter, "input": given}
            for number, given in enumerate(inputs)
        ]

    with model_api(answer) as api:
        environment = {
            "ANTHROPIC_BASE_URL": api.url,
            "ANTHROPIC_API_KEY": "none",
            "DISABLE_AUTOUPDATER": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "ENABLE_TOOL_SEARCH": "false",  # else servers' tools are offered by name alone
        }
        command = [program, "-p", "hi", "--mcp-config", configuration, "--output-format", "stream-json", "--verbose"]
        output = _run(command, project, environment)
        requests = list(api.requests)
    found = {names[number]: InHand(error=error) for number, error in _refusals(output)}
    for request in requests:
        if (number := _probe(request)) is not None:
            found.setdefault(names[number], InHand(tuple(tool["name"] for tool in request.get("tools", ()))))
    return {name: found.get(name, InHand(error=f"it made no request: {output[-300:]}")) for name in names}


def _probe(request: JsonObject) -> int | None:
    """The number of the agent whose request this is; None for the session's own."""
    match = _PROBE.search(json.dumps(request.get("messages", [""])[0]))
    return int(match[1]) if match else None


def _refusals(output: str) -> Iterator[tuple[int, str]]:
    """The numbers of the agents that are not started, and why."""
    for line in output.splitlines():
        event = json.loads(line) if line.startswith("{") else {}
        message = event.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        for block in content if isinstance(content, list) else ():
            if block.get("type") == "tool_result" and block.get("is_error"):
                yield int(block["tool_use_id"].removeprefix("call_")), str(block.get("content"))


def of_copilot(tools: Path, files: Mapping[str, Path], model: str = "claude-sonnet-4.5") -> dict[str, InHand]:
    """Run Copilot's agents, by the name that their files give them, in a session with this model.

    Models of OpenAI's get one tool for both creating and editing files.
    """
    with tempfile.TemporaryDirectory(prefix="copilot-") as name, model_api() as api:
        scratch = Path(name)
        project = _project(scratch, ".github/agents", files.values())
        (scratch / ".cache").symlink_to(tools / _COPILOT_CACHE)
        environment = {
            "COPILOT_HOME": str(scratch / ".copilot"),
            "COPILOT_OFFLINE": "true",
            "COPILOT_MODEL": model,
            "COPILOT_PROVIDER_BASE_URL": f"{api.url}/v1",
            "COPILOT_PROVIDER_TYPE": "openai",
            "COPILOT_PROVIDER_WIRE_API": "completions",
            "COPILOT_PROVIDER_API_KEY": "none",
        }
        found: dict[str, InHand] = {}
        for agent in files:
            api.requests.clear()
            command = [tools / _COPILOT, "--no-auto-update", "-p", "hi", "--agent", agent, "--allow-all-tools"]
            output = _run(command, project, environment)
            offered = [tuple(map(_name, request.get("tools", ()))) for request in api.requests]
            found[agent] = InHand(max(offered, key=len)) if offered else InHand(error=output[-300:])
        return found


def _name(tool: JsonObject) -> str:
    return str(tool[tool["type"]]["name"])


def _project(scratch: Path, directory: str, files: Iterable[Path]) -> Path:
    """A repository with a commit, and these agents in a directory of it."""
    project = scratch / "project"
    agents = project / directory
    agents.mkdir(parents=True)
    for file in files:
        shutil.copy(file, agents / file.name)
    git = ("git", "-c", "user.name=tests", "-c", "user.email=tests@example.org", "-C", str(project))
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "Add agents"]):
        subprocess.run([*git, *command], check=True)
    return project


def _run(command: Sequence[object], project: Path, environment: Mapping[str, str]) -> str:
    """What a tool prints in a project, with a home of its own and no more of the environment than it needs."""
    home = {"HOME": str(project.parent), "PATH": os.environ.get("PATH", os.defpath)}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=project,
        env={**home, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return done.stdout or done.stderr
