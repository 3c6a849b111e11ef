"""What an agent's file restricts in the real Codex, which starts it against a model on this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from agentsync.dialects import dialects
from agentsync.dialects.codex.features import DECLARED, UNKNOWN

_BINARY = "codex/node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"
_SCRATCH = re.compile(r"/[^\s\"<]*/test_[^\s\"<]*")
_PROMPT = "You are the agent under test."
# Models of this kind call tools from JavaScript, in one tool called `exec`.
_MODEL = "gpt-6.1-sol"
_TRIES = """
for (const use of [
  () => tools.exec_command({cmd: "echo x > by-shell"}),
  () => tools.apply_patch("*** Begin Patch\\n*** Add File: by-patch\\n+x\\n*** End Patch\\n"),
]) { try { await use() } catch (error) { text(String(error)) } }
"""


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    """What the model does next: the session starts the agent, and the agent tries to change the project."""
    items = asked["input"]
    answered = {item.get("call_id") for item in items if item["type"].endswith("call_output")}
    if _PROMPT in json.dumps(items):
        call = {"type": "custom_tool_call", "name": "exec", "namespace": "functions", "input": _TRIES}
        name = "try"
    else:
        arguments = {"agent_type": "tried", "task_name": "try", "message": "Try."}
        call = {"type": "function_call", "name": "spawn_agent", "arguments": json.dumps(arguments)}
        name = "start"
        if name in answered:
            call = {"type": "function_call", "name": "wait_agent", "arguments": '{"timeout_ms": 10000}'}
            name = "wait"
        call["namespace"] = "collaboration"
    if name not in answered:
        return call | {"id": name, "call_id": name}
    return {"type": "message", "role": "assistant", "id": "end", "content": [{"type": "output_text", "text": "Done."}]}


def _lasting(item: dict[str, Any]) -> dict[str, Any]:
    """A part of a request, without what is new in each."""
    return {key: value for key, value in item.items() if key != "id"}


class _Model(BaseHTTPRequestHandler):
    tried = threading.Event()
    """Set once the agent has tried everything."""
    given: ClassVar[list[str]] = []
    """What the agent was given at its first request: tools and instructions."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        self._send("application/json", b'{"data": [], "models": []}')

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if _PROMPT in json.dumps(asked["input"]):
            self.given.append(_SCRATCH.sub("", json.dumps([_lasting(item) for item in asked["input"]])))
        if any(item.get("call_id") == "try" and item["type"].endswith("output") for item in asked["input"]):
            self.tried.set()
        item = _answer(asked)
        usage = dict.fromkeys(("input_tokens", "output_tokens", "total_tokens"), 1)
        events = (
            {"type": "response.created", "response": {"id": "r"}},
            {"type": "response.output_item.done", "item": item},
            {"type": "response.completed", "response": {"id": "r", "usage": usage}},
        )
        lines = (f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        self._send("text/event-stream", "".join(lines).encode())

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def _model() -> Iterator[int]:
    _Model.tried.clear()
    _Model.given.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("keys", "session", "changed"),
    [
        ('sandbox_mode = "read-only"\napproval_policy = "never"', "workspace-write", {"by-shell", "by-patch"}),
        ('default_permissions = ":read-only"', "workspace-write", {"by-shell", "by-patch"}),
        ('sandbox_mode = "workspace-write"', "read-only", set()),
        ('sandbox_mode = "read-only"\n[features]\nshell_tool = false', "workspace-write", {"by-patch"}),
    ],
)
def test_the_session_decides_about_the_sandbox_and_the_file_about_the_shell(
    tools: Path, tmp_path: Path, keys: str, session: str, changed: set[str]
) -> None:
    project = _start(tools, tmp_path, keys, session)
    assert _Model.tried.is_set()
    assert {path.name for path in project.iterdir()} == changed


def test_of_the_switches_that_agentsync_declares_only_the_shells_changes_what_an_agent_is_given(
    tools: Path, tmp_path: Path
) -> None:
    listed = subprocess.run(
        [str(_binary(tools)), "features", "list"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    are_on = {words[0]: words[-1] == "true" for words in map(str.split, listed.stdout.splitlines())}
    version = subprocess.run([str(_binary(tools)), "--version"], check=True, capture_output=True, text=True, timeout=30)
    if version.stdout.split()[-1] == dialects()["codex"].version:
        assert are_on.keys() <= DECLARED | UNKNOWN

    given: list[str] = []
    for shell, names in ((True, []), (True, [*are_on, "one_that_is_not_known"]), (False, [])):
        turned = "".join(
            f"{json.dumps(name)} = {json.dumps(not are_on.get(name))}\n" for name in names if name != "shell_tool"
        )
        home = tmp_path / str(len(given))
        _start(tools, home, f"[features]\nshell_tool = {json.dumps(shell)}\n{turned}", "read-only")
        given.append(_Model.given[0])
    assert given[0] == given[1] != given[2]


def _binary(tools: Path) -> Path:
    binary = tools / _BINARY
    if not binary.is_file():
        pytest.skip(f"{binary} is not there")
    return binary


def _start(tools: Path, directory: Path, keys: str, session: str) -> Path:
    """Have a session start an agent with these keys, and return the project that they had."""
    home, project = directory / "codex", directory / "project"
    (home / "agents").mkdir(parents=True)
    project.mkdir()
    head = f'name = "tried"\ndescription = "Tries."\ndeveloper_instructions = "{_PROMPT}"\n'
    (home / "agents" / "tried.toml").write_text(f"{head}{keys}\n")
    with _model() as port:
        provider = f'name = "model"\nbase_url = "http://127.0.0.1:{port}/v1"\nenv_key = "KEY"\nwire_api = "responses"'
        settings = f'model = "{_MODEL}"\nmodel_provider = "own"\nsandbox_mode = "{session}"\n'
        (home / "config.toml").write_text(f"{settings}[model_providers.own]\n{provider}\n")
        environment = {"PATH": os.environ["PATH"], "HOME": str(directory), "CODEX_HOME": str(home), "KEY": "x"}
        command = [str(_binary(tools)), "exec", "--skip-git-repo-check", "Start the agent."]
        subprocess.run(
            command, cwd=project, env=environment, stdin=subprocess.DEVNULL, check=True, capture_output=True, timeout=90
        )
    return project
