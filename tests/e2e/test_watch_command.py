"""`agentsync watch`, as an author has it beside the editor: a real process, real saves, and its output for each."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import pytest
from filelock import FileLock

from support.forkserver import Child
from support.machine import Machine, agent

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the program is ended by signals")

_TIMEOUT = 30.0
_BROKEN = "---\nname: [\n---\nWhat is this?\n"
_MINE = agent("one", "I wrote this.")


class Session:
    """A watch in progress."""

    def __init__(self, process: Child | subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: SimpleQueue[str] = SimpleQueue()
        assert process.stdout is not None
        Thread(target=self._read, args=[process.stdout], daemon=True).start()

    def _read(self, stdout: Iterator[str]) -> None:
        for line in stdout:
            self._lines.put(line)

    def line(self) -> str:
        """The next line of output."""
        return self._lines.get(timeout=_TIMEOUT)

    def round(self) -> Any:
        """The next round."""
        return json.loads(self.line())

    def is_silent(self, seconds: float) -> bool:
        try:
            self._lines.get(timeout=seconds)
        except Empty:
            return True
        return False

    def end(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
        """End it; return the exit status, the output since, and standard error."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=_TIMEOUT)
        rest = "".join(self._lines.get() for _ in range(self._lines.qsize()))
        assert self.process.stderr is not None
        return code, rest, self.process.stderr.read()


Start = Callable[..., Session]


@pytest.fixture
def start(machine: Machine) -> Iterator[Start]:
    """Start a watch, with JSON unless other options are given."""
    sessions: list[Session] = []

    def started(*arguments: str | Path, form: str = "json") -> Session:
        session = Session(machine.start("watch", *arguments, "--format", form))
        sessions.append(session)
        return session

    yield started
    for session in sessions:
        session.process.kill()
        session.process.communicate()


@pytest.fixture
def agents(machine: Machine) -> Path:
    """A working directory with two agents, one with more fields than other tools have."""
    agents = machine.root / "team" / "agents"
    agents.mkdir(parents=True)
    (agents / "one.md").write_text(agent("one", color="blue"))
    (agents / "two.md").write_text(agent("two"))
    return agents


def save(path: Path, text: str) -> None:
    """Save as most editors do: beside the file, then in its place."""
    beside = path.with_name(f".{path.name}.swp")
    beside.write_text(text)
    beside.replace(path)


def codes(round_: Any) -> list[str]:
    return [diagnostic["code"] for diagnostic in round_["diagnostics"]]


def actions(round_: Any) -> list[tuple[str, str]]:
    return [(change["action"], change["agent"]) for change in round_["changes"]]


def test_each_save_is_checked_for_the_tools_that_are_here(machine: Machine, agents: Path, start: Start) -> None:
    session = start(agents.parent)
    first = session.round()
    assert [record["path"] for record in first["agents"]] == ["agents/one.md", "agents/two.md"]
    assert first["changed"] == first["changes"] == []
    assert {diagnostic["target"] for diagnostic in first["diagnostics"]} <= {"claude", "opencode"}
    save(agents / "two.md", _BROKEN)
    second = session.round()
    assert second["changed"] == ["agents/two.md"]
    assert [record["path"] for record in second["agents"]] == ["agents/one.md"]
    broken = {diagnostic["path"] for diagnostic in second["diagnostics"] if diagnostic["severity"] == "error"}
    assert broken == {"agents/two.md"}
    save(agents / "two.md", agent("two", "Better."))
    third = session.round()
    assert codes(third) == codes(first)
    (agents / "two.md").unlink()
    (agents / "three.md").write_text(agent("three"))
    assert session.round()["changed"] == ["agents/three.md", "agents/two.md"]
    assert not machine.claude.exists()
    assert session.end() == (130, "", "")


def test_losses_on_the_way_to_an_installed_tool_are_reported(agents: Path, start: Start) -> None:
    (agents / "one.md").write_text(agent("one", tools="Read(src/**)"))
    diagnostics = start(agents.parent).round()["diagnostics"]
    assert "opencode" in {diagnostic.get("target") for diagnostic in diagnostics}


def test_each_save_is_converted_and_a_broken_file_keeps_its_last_version(
    machine: Machine, agents: Path, start: Start
) -> None:
    target = machine.root / "try"
    session = start(agents.parent, "--to", "claude", "--to", f"opencode={target}")
    assert actions(session.round()) == [("create", "one"), ("create", "two")] * 2
    assert (machine.claude / "two.md").read_text() == agent("two")
    before = (target / "two.md").read_text()
    save(agents / "two.md", _BROKEN)
    broken = session.round()
    assert broken["changes"] == []
    assert [diagnostic["name"] for diagnostic in broken["diagnostics"]].count("kept-last-good") == 2  # one a target
    assert (machine.claude / "two.md").read_text() == agent("two")
    assert (target / "two.md").read_text() == before
    save(agents / "two.md", agent("two", "Better."))
    assert actions(session.round()) == [("update", "two")] * 2
    assert (machine.claude / "two.md").read_text() == agent("two", "Better.")
    assert "Better." in (target / "two.md").read_text()
    (agents / "two.md").unlink()
    assert actions(session.round()) == [("delete", "two")] * 2
    assert machine.names() == ["one.md"]


def test_a_file_that_the_user_wrote_is_reported_and_stays(machine: Machine, agents: Path, start: Start) -> None:
    machine.claude.mkdir()
    (machine.claude / "one.md").write_text(_MINE)
    session = start(agents.parent, "--to", "claude")
    first = session.round()
    assert actions(first) == [("create", "two")]
    assert "AS401" in codes(first)
    save(agents / "one.md", agent("one", "Better."))
    assert session.round()["changes"] == []
    assert (machine.claude / "one.md").read_text() == _MINE


def test_git_commands_and_its_own_writes_make_no_round(machine: Machine, agents: Path, start: Start) -> None:
    """Neither does a save without a change, nor a change in an ignored directory."""
    root = agents.parent
    target = root / ".opencode" / "agents"
    session = start(root, "--to", f"opencode={target}")
    assert len(session.round()["agents"]) == 2
    for command in (["init", "--quiet"], ["add", "."], ["gc", "--quiet"]):
        subprocess.run(["git", *command], cwd=root, check=True, env=machine.environment)
    (root / "node_modules" / "x" / "agents").mkdir(parents=True)
    (root / "node_modules" / "x" / "agents" / "x.md").write_text(agent("x"))
    save(agents / "two.md", agent("two", "Better."))
    second = session.round()
    assert second["changed"] == ["agents/two.md"]
    assert [record["path"] for record in second["agents"]] == ["agents/one.md", "agents/two.md"]
    assert sorted(path.name for path in target.iterdir()) == ["one.md", "two.md"]
    assert session.end()[:2] == (130, "")


def test_a_watched_file_is_not_overwritten(machine: Machine, agents: Path) -> None:
    result = machine.run("watch", agents, "--to", f"claude={agents.parent}")
    assert result.code == 2
    assert "the watched directory would be overwritten" in result.stderr


def test_an_unknown_tool_is_wrong_usage(machine: Machine, agents: Path) -> None:
    assert machine.run("watch", agents, "--to", "nobody").code == 2


def test_it_waits_for_a_run_in_progress(machine: Machine, agents: Path, start: Start) -> None:
    machine.state.mkdir(parents=True)
    with FileLock(machine.state / "run.lock"):
        session = start(agents.parent, "--to", "claude")
        assert session.round()["error"]["message"] == "another run is in progress"
        assert session.is_silent(1.5)  # though it is tried again and again
    done = session.round()
    assert done["error"] is None
    assert actions(done) == [("create", "one"), ("create", "two")]


@pytest.mark.parametrize("to", [(), ("--to", "claude")], ids=["checking", "converting"])
def test_a_manifest_that_is_broken_stops_nothing_but_the_round(
    machine: Machine, agents: Path, start: Start, to: tuple[str, ...]
) -> None:
    session = start(agents.parent, *to)
    session.round()
    manifest = agents.parent / "agentsync.toml"
    manifest.write_text("version = [")
    broken = session.round()
    reported = broken["error"]["place"] if not to else broken["diagnostics"][0]["message"]
    assert "agentsync.toml" in reported
    manifest.write_text("version = [")
    assert session.round()["agents"] == []
    manifest.write_text('version = 1\n[agents]\nskip = ["two"]\n')
    mended = session.round()
    assert mended["error"] is None
    assert [record["name"] for record in mended["agents"]] == ["one"]
    assert not to or machine.names() == ["one.md"]


def test_a_directory_that_goes_and_comes_back_is_watched_again(agents: Path, start: Start) -> None:
    session = start(agents)
    session.round()
    aside = agents.parent / "aside"
    agents.rename(aside)
    assert "cannot be read" in session.round()["error"]["message"]
    aside.rename(agents)
    assert len(session.round()["agents"]) == 2
    save(agents / "three.md", agent("three"))
    assert session.round()["changed"] == ["three.md"]


def test_the_last_agent_goes_only_when_that_is_allowed(machine: Machine, agents: Path, start: Start) -> None:
    (agents / "two.md").unlink()
    session = start(agents, "--to", "claude")
    assert actions(session.round()) == [("create", "one")]
    (agents / "one.md").unlink()
    held = session.round()
    assert held["changes"] == []
    assert "AS406" in codes(held)
    session.end()
    assert actions(start(agents, "--to", "claude", "--allow-deletions").round()) == [("delete", "one")]
    assert machine.names() == []


def test_a_pull_of_the_same_directory_goes_on_from_there(machine: Machine, agents: Path, start: Start) -> None:
    session = start(agents.parent, "--to", "claude")
    session.round()
    session.end()
    author = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org"}
    committer = {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org"}
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "Two agents"]):
        environment = machine.environment | author | committer
        subprocess.run(["git", *command], cwd=agents.parent, check=True, env=environment)
    result = machine.run("pull", "--source", agents.parent, "--to", "claude", "--format", "json")
    assert result.code == 0, result.stderr
    assert result.json["counts"]["keep"] == 2
    (agents / "two.md").unlink()
    session = start(agents.parent, "--to", "claude")
    assert actions(session.round()) == [("delete", "two")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("form", ["json", "text"])
def test_it_ends_quietly(agents: Path, start: Start, number: signal.Signals, code: int, form: str) -> None:
    session = start(agents, form=form)
    session.line()
    if form == "text":
        assert "2 agents, 0 errors" in session.line()
    assert session.end(number) == (code, "", "")


def test_without_reports_of_changes_it_looks_by_itself(machine: Machine, agents: Path) -> None:
    unshare = shutil.which("unshare")
    lower = ["sh", "-c", 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"]
    if not unshare or subprocess.run([unshare, "-Ur", *lower, "true"], capture_output=True, check=False).returncode:
        pytest.skip("no user namespace can be made here")
    command = [unshare, "-Ur", *lower, *machine.command("watch", agents, "--format", "json")]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=machine.root,
        env=machine.environment,
    )
    session = Session(process)
    try:
        assert len(session.round()["agents"]) == 2
        save(agents / "three.md", agent("three"))
        assert session.round()["changed"] == ["three.md"]
    finally:
        code, _, stderr = session.end()
        process.communicate()
    assert code == 130
    (line,) = stderr.splitlines()
    assert re.fullmatch(r"warning: .*agents: inotify's table is full, .*; it is checked every 2 seconds instead", line)


def test_at_a_terminal_each_round_is_a_screen_of_its_own(machine: Machine, agents: Path) -> None:
    for number in range(30):
        (agents / f"many-{number}.md").write_text(f"---\nname: many-{number}\ntools: Read\n---\n")
    leader, follower = os.openpty()
    size = {"LINES": "14", "COLUMNS": "200", "TERM": "xterm"}
    process = subprocess.Popen(
        machine.command("watch", agents),
        stdin=subprocess.DEVNULL,
        stdout=follower,
        stderr=follower,
        cwd=machine.root,
        env=machine.environment | size,
    )
    os.close(follower)
    try:
        first = _screen(leader)
        assert first.count("\x1b[2J") == 1
        assert 0 < first.count("error[") <= 8
        assert re.search(r"and \d+ more; -v shows them", first)
        save(agents / "many-17.md", agent("many-17", tools="Read, Unknown"))
        second = _screen(leader)
        assert second.count("\x1b[2J") == 1
        header, diagnostic = second.split("\n")[:2]
        assert "many-17.md" in header
        assert "many-17.md" in diagnostic
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=_TIMEOUT) == 130
        os.close(leader)


def _screen(terminal: int) -> str:
    """Read the output up to the line with the counts."""
    text = ""
    while not re.search(r"other files?\r\n", text):
        try:
            text += os.read(terminal, 65536).decode()
        except OSError as error:
            if error.errno != errno.EIO:  # Linux's error once the program has ended
                raise
            break
    return text


def test_the_json_sample_has_the_keys_that_are_printed(agents: Path, start: Start) -> None:
    page = Path(__file__).parents[2] / "docs" / "json.md"
    section = page.read_text(encoding="utf-8").partition("\n## watch\n")[2].partition("\n## ")[0]
    (sample,) = (json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL))
    session = start(agents, "--to", "opencode")
    session.round()
    save(agents / "two.md", agent("two", tools="Read(src/**)"))
    printed = session.round()
    assert sample.keys() == printed.keys()
    assert sample["changes"][0].keys() == printed["changes"][0].keys()
    assert sample["agents"][0].keys() == printed["agents"][0].keys()
    assert sample["error"] is printed["error"] is None
