"""Output: JSON for programs, words and colours for people, events for the log."""

from __future__ import annotations

import errno
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from support.forkserver import Child
from support.machine import Machine, agent, source
from support.repository import Repository
from support.service import Service

ESCAPE = "\x1b["
on_posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals and pipes")


def watched(machine: Machine, *arguments: str, typed: str = "", **environment: str) -> tuple[int, str]:
    """Run the program at a terminal, with more variables; return its exit code and all that is seen there.

    What is typed ahead is read once the program asks.
    """
    master, slave = os.openpty()
    process = Child(
        arguments,
        environment=machine.environment | {"TERM": "xterm-256color", "AGENTSYNC_LOG_FORMAT": "text"} | environment,
        cwd=machine.root,
        streams=[slave] * 3,
    )
    os.close(slave)
    os.write(master, typed.encode())
    written = bytearray()
    try:
        while chunk := os.read(master, 65536):
            written += chunk
    except OSError as error:
        if error.errno != errno.EIO:  # Linux's error for a closed other end
            raise
    finally:
        os.close(master)
    return process.wait(timeout=20), written.decode()


# People


@on_posix
def test_a_new_source_with_agents_in_unexpected_places_is_held_until_somebody_agrees(
    machine: Machine, repository: Repository
) -> None:
    pages = {f"guides/page-{number}.md": agent(f"page-{number}") for number in range(10)}
    repository.write(pages)
    repository.commit()
    machine.follow(repository)
    held = machine.run("pull", "--format", "json")
    assert (held.code, held.codes, machine.files()) == (4, ["AS422"], {})
    assert "allow_scattered = true" in held.json["diagnostics"][0]["hint"]
    assert "`guides` (10)" in held.json["diagnostics"][0]["message"]
    clone = machine.root / "clone"
    repository.git("clone", "--quiet", repository.url, str(clone))
    checked = machine.run("check", clone, "--format", "json")
    assert (checked.code, [one["code"] for one in checked.json["diagnostics"]]) == (1, ["AS422"])
    (clone / "agentsync.toml").write_text('version = 1\n[agents]\ninclude = ["agents/**", "guides/**"]\n')
    assert machine.run("check", clone).code == 0
    assert len(machine.run("plan", "--format", "json").json["held"]) == len(held.json["held"]) > 20
    code, text = watched(machine, "pull", typed="n\n")
    assert (code, "page-9" in text, machine.files()) == (4, True, {})
    code, text = watched(machine, "pull", typed="y\n")
    assert (code, len(machine.names())) == (0, 15)
    repository.write({f"more/page-{number}.md": agent(f"more-{number}") for number in range(10)})
    repository.commit()
    assert machine.run("pull").code == 0
    assert len(machine.names()) == 25


@pytest.mark.parametrize(
    ("settings", "option"),
    [
        ("allow_scattered = true", ""),
        ('include = ["**/*.md"]', ""),
        ("", "--allow-scattered"),
        ('exclude = ["agents/"]', ""),
    ],
)
def test_agents_in_unexpected_places_can_be_accepted(
    machine: Machine, repository: Repository, settings: str, option: str
) -> None:
    """Where no agent is in a directory of agents, a repository has them where it has them."""
    repository.write({f"guides/page-{number}.md": agent(f"page-{number}") for number in range(10)})
    repository.commit()
    machine.follow(repository, settings)
    assert machine.run("pull", *filter(None, [option])).code == 0
    assert len(machine.names()) >= 10


@on_posix
def test_a_person_gets_colours_and_words_and_no_events(machine: Machine, repository: Repository) -> None:
    repository.write({"agents/other.md": agent("tester", "Another one.")})
    repository.commit()
    machine.follow(repository)
    code, text = watched(machine, "pull")
    assert code == 4
    assert f"{ESCAPE}32m+ create" in text
    assert text.count("error") == 2
    assert "agents/other.md" in text
    assert "agent.created" not in text
    for arguments in (
        ("plan", "--color", "never"),
        ("--color", "never", "pull", "-v"),
        ("pull", "--color=never", "-x"),
    ):
        code, text = watched(machine, *arguments)
        assert code in (2, 4)
        assert ESCAPE not in text
    assert ESCAPE not in watched(machine, "plan", NO_COLOR="1")[1]
    assert ESCAPE in watched(machine, "plan", "--color", "always", NO_COLOR="1")[1]


@on_posix
def test_a_person_who_debugs_gets_readable_events(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    code, text = watched(machine, "pull", "-vv")
    assert code == 0
    assert "agent.created" in text
    assert '"event"' not in text


@on_posix
def test_a_person_sees_a_slow_fetch_in_progress_and_then_nothing_of_it(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/team.git"
        machine.configure(f'[sources.team]\nurl = "{url}"\nallow_http = true\ntimeout = 2\n[targets.claude]\n')
        code, text = watched(machine, "pull")
    assert code == 3
    assert "fetching team ..." in text
    *_, last_drawn = re.finditer("fetching team", text)
    assert re.search(r"\r {8,}\r", text[last_drawn.end() :])
    assert " ".join(text.split()).count("there was no answer within 2 seconds") == 1


@on_posix
def test_nothing_in_a_repository_commands_the_terminal(machine: Machine, repository: Repository) -> None:
    clear = "\\x1b[2J"  # as YAML spells it
    for number, key in enumerate(["tools", "model", "color", f'"{clear}"']):
        repository.write({f"agents/a{number}.md": agent(f"a{number}", **{key: f'"{clear}"'})})
    repository.write({"agents/two.md": agent(f'"two{clear}"'), "agents/\x1b[2J.md": agent("three")})
    repository.commit("Clear \x1b[2J the screen")
    machine.follow(repository)
    for arguments in (("plan",), ("pull", "-vv"), ("status",), ("list", "agents"), ("history",), ("doctor",)):
        assert f"{ESCAPE}2J" not in watched(machine, *arguments)[1], arguments


@on_posix
def test_no_key_of_a_manifest_commands_the_terminal(machine: Machine, repository: Repository) -> None:
    manifest = '"\\u001b]0;pwn\\u0007" = 1\n'
    repository.write({"agentsync.toml": manifest})
    repository.commit()
    (machine.root / "agents").mkdir()
    (machine.root / "agents/agentsync.toml").write_text(manifest)
    init = watched(machine, "init", str(repository.path))
    machine.follow(repository)
    shown = [init, *(watched(machine, command) for command in ("pull", "status", "doctor"))]
    for _, text in [*shown, watched(machine, "check", "agents")]:
        assert "\x1b]0;" not in text
        assert "x1b]0;pwn" in text


@on_posix
def test_no_path_commands_the_terminal(machine: Machine, repository: Repository) -> None:
    directory = machine.root / "\x1b[2J"
    machine.configure(f'{source("team", repository.url)}[targets.claude]\npath = "{machine.root}/\\u001b[2J"\n')
    directory.mkdir()
    for arguments in (("plan",), ("pull",), ("list", "targets"), ("history",)):
        assert f"{ESCAPE}2J" not in watched(machine, *arguments)[1], arguments
    (sync,) = machine.run("history", "--format", "json").json
    assert f"{ESCAPE}2J" not in machine.run("history", sync["id"]).stdout


@on_posix
def test_many_failures_of_one_kind_are_reported_once(machine: Machine, repository: Repository) -> None:
    repository.write({f"agents/more{number}.md": agent(f"more{number}") for number in range(30)})
    repository.commit()
    machine.follow(repository)
    machine.claude.mkdir()
    for number in range(30):
        (machine.claude / f"more{number}.md").write_text("mine\n")
    code, text = watched(machine, "pull", "--color", "never")
    assert code == 4
    assert text.count("error[AS401]") == 1
    assert re.search(r"30 agents: more0, .* and \d+ more\r", text)
    _, text = watched(machine, "pull", "--color", "never")
    assert "30 agents: more0" in text
    assert len(_lines(text)) <= 5
    _, text = watched(machine, "pull", "-v", "--color", "never")
    assert (text.count("error[AS401]"), text.count("more29")) == (1, 1)
    assert "agent.conflict" not in text


def test_piped_output_has_no_colours_unless_they_are_asked_for(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    for arguments in (("plan",), ("pull",), ("status",), ("history",), ("list", "agents"), ("doctor",)):
        result = machine.run(*arguments)
        assert ESCAPE not in result.stdout + result.stderr
        assert "\r" not in result.stderr
        assert all(line == line.rstrip() for line in result.stdout.splitlines())
    assert ESCAPE in machine.run("status", "--color", "always").stdout


def test_quiet_prints_only_problems(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    assert machine.run("pull", "-q").stdout == ""
    assert machine.run("-q", "pull").stderr == ""
    repository.path.rename(repository.path.with_name("gone"))
    result = machine.run("pull", "-q")
    assert (result.code, result.stdout) == (3, "")
    assert [event["event"] for event in result.events] == ["source.failed"]
    (machine.claude / "tester.md").write_text("mine\n")
    assert "agent.conflict" in [event["event"] for event in machine.run("pull", "-q").events]


def started(machine: Machine, *arguments: str) -> subprocess.Popen[str]:
    """Start it in an interpreter of its own, whose end writes what is left, other than that of a forked run."""
    return subprocess.Popen(
        machine.command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=machine.root,
        env=machine.environment,
    )


@on_posix
def test_a_reader_that_stops_early_is_no_error(machine: Machine) -> None:
    process = started(machine, "list", "dialects")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.stderr.read() == ""
    assert process.wait(timeout=20) == 0


@on_posix
def test_a_reader_that_stops_early_gets_the_status_all_the_same(pulled: Machine) -> None:
    (pulled.claude / "tester.md").write_text("mine\n")
    for arguments, code in (
        (("pull",), 4),
        (("plan",), 4),
        (("status", "--exit-code"), 1),
        (("pull", "--nonsense"), 2),
    ):
        process = started(pulled, *arguments, "--format", "json")
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=20) == code, arguments
        assert process.stderr is not None
        process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full")  # noqa: PTH110
@pytest.mark.parametrize("arguments", [("list", "dialects"), ("--help",), ("pull", "--format", "json")])
def test_a_full_disk_under_the_output_is_reported_and_no_bug(machine: Machine, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            machine.command(*arguments),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=machine.root,
            env=machine.environment,
        )
    assert done.returncode == 71
    assert done.stderr == "error: the output cannot be written: No space left on device\n"
    assert not list(machine.home.rglob("bug-report.txt"))


@on_posix
@pytest.mark.parametrize(
    ("arguments", "code"), [(("pull",), 0), (("status",), 0), (("pull", "--branch", "main"), 2), (("nosuch",), 2)]
)
def test_without_standard_error_every_command_works(
    machine: Machine, repository: Repository, arguments: tuple[str, ...], code: int
) -> None:
    """The next file to be opened must not get its descriptor either: git's output would end up in it."""
    machine.follow(repository)
    result = machine.run(*arguments, before=("sh", "-c", 'exec "$@" 2>&-', "sh"))
    assert (result.code, bool(result.stdout)) == (code, code == 0)
    assert machine.claude.exists() is (arguments == ("pull",))


@on_posix
def test_the_service_runs_without_any_standard_stream(machine: Machine, repository: Repository) -> None:
    """50: its parent closed all of them."""
    machine.follow(repository)
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *machine.command("daemon")]
    with subprocess.Popen(command, env=machine.environment, cwd=machine.root) as process:
        try:
            Service.until(lambda: machine.claude.exists() and len(machine.names()) == 5)
            assert machine.run("pull").code == 0
            process.terminate()
            assert process.wait(20) == 0
        finally:
            process.kill()


# Programs


COMMANDS: Sequence[tuple[str, ...]] = (
    ("pull",),
    ("plan",),
    ("status",),
    ("history",),
    ("list", "agents"),
    ("list", "targets"),
    ("list", "dialects"),
    ("doctor",),
    ("check", "."),
)
REPORT = {
    "sync_id",
    "seconds",
    "exit_code",
    "sources",
    "targets",
    "counts",
    "changes",
    "held",
    "refused",
    "missing",
    "suspended",
    "diagnostics",
    "accepted",
}
CHANGE = {"action", "target", "agent", "path", "source", "source_path", "old_digest", "new_digest"}


def test_every_command_prints_one_json_document(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    documents: dict[str, Any] = {}
    for command in COMMANDS:
        result = machine.run("--format", "json", *command)
        assert result.code in (0, 1), result.stderr
        documents[" ".join(command)] = result.json
    assert set(documents["pull"]) == REPORT
    assert all(set(change) == CHANGE for change in documents["pull"]["changes"])
    assert set(documents["plan"]) >= REPORT
    assert set(documents["status"]) >= REPORT
    by_variable = machine.run("list", "dialects", environment={"AGENTSYNC_FORMAT": "json"})
    assert by_variable.json == documents["list dialects"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("pull",), 2),
        (("status",), 2),
        (("pull", "--nonsense"), 2),
        (("nonsense",), 2),
        (("convert", "missing.md", "--to", "claude"), 2),
        (("check", "missing"), 2),
        (("history", "nosuch"), 2),
        (("init", "nowhere"), 3),
        (("pull", "--source", "nowhere"), 2),
        (("pull", "--source", "nowhere", "--to", "cluade"), 2),
    ],
)
def test_an_error_is_one_json_document_too(machine: Machine, arguments: tuple[str, ...], code: int) -> None:
    result = machine.run(*arguments, "--format", "json")
    assert result.code == code
    assert result.json["exit_code"] == code
    assert set(result.json["error"]) == {"message", "place", "hint"}
    assert result.json["error"]["message"]
    assert result.stderr


def test_a_bug_ends_in_a_report_file(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    broken = machine.root / "broken"
    broken.mkdir()
    text = "made for the test, \x1b[2J https://ada:s3cret@host/x"
    (broken / "filelock.py").write_text(f"raise RuntimeError({text!r})\n")
    report = machine.state / "bug-report.txt"
    report.parent.mkdir(parents=True)
    report.symlink_to(machine.root / "elsewhere")
    result = machine.run("pull", "--format", "json", environment={"PYTHONPATH": str(broken)})
    assert result.code == 70
    assert result.json["error"]["message"] == "RuntimeError: made for the test, \x1b[2J https://***@host/x"
    assert not report.is_symlink()
    assert report.stat().st_mode & 0o077 == 0
    assert not (machine.root / "elsewhere").exists()
    assert ESCAPE not in result.stderr
    assert "s3cret" not in result.stdout + result.stderr + report.read_text()
    assert str(report) in result.stderr
    assert "made for the test" in report.read_text()
    assert "Traceback" not in result.stderr


# The log


def test_events_are_one_json_line_each_with_level_and_time(pulled: Machine, repository: Repository) -> None:
    (pulled.claude / "writer.md").write_text("mine\n")
    better = agent("writer", "Better.", tools="Read, Grep")
    repository.write({"agents/writer.md": better, "agents/new.md": agent("new")})
    repository.commit()
    result = pulled.run("pull")
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert len({line["sync_id"] for line in lines}) == 1
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    names = [line["event"] for line in lines]
    assert names[0] == "source.moved"
    assert names[-1] == "sync.finished"
    assert set(names[1:-1]) == {"agent.created", "agent.updated", "agent.conflict"}
    (conflict,) = result.reported("agent.conflict")
    assert conflict["level"] == "warning"
    assert (conflict["commit"], conflict["agent"]) == (repository.head, "writer")
    assert (lines[-1]["exit_code"], lines[-1]["create"], lines[-1]["conflict"]) == (4, 2, 1)


# Few lines


@on_posix
def test_a_run_of_any_size_fits_a_screen_and_repeats_nothing(machine: Machine, repository: Repository) -> None:
    repository.write(
        {
            f"agents/more{number}.md": agent(f"more{number}", tools=f"Read, Tool{number}", model="fable", color="red")
            for number in range(40)
        }
    )
    refused = {"hooks": "{PreToolUse: [{hooks: [{type: command, command: x}]}]}"}
    repository.write({f"agents/no{number}.md": agent(f"no{number}", **refused) for number in range(3)})
    repository.commit()
    machine.follow(repository)
    code, first = watched(machine, "pull", "--color", "never")
    lines = _lines(first)
    assert code == 4
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80
    assert re.search(r"^claude +create 45$", "\n".join(lines), re.MULTILINE)
    assert "error[AS507]" in lines[3], "what matters comes first"
    assert any(re.search(r"opencode: .*`fable`|40 agents: more0", line) for line in lines)
    assert "3 agents refused" in lines[-1]
    for _ in range(3):
        code, again = watched(machine, "pull", "--color", "never")
        (line,) = _lines(again)
        assert (code, "3 agents still refused (agentsync report); 93 files unchanged" in line) == (4, True)
    repository.write({"agents/more7.md": agent("more7", tools="Read, Tool7, Novel", model="fable", color="red")})
    repository.commit()
    _, changed = watched(machine, "pull", "--color", "never")
    assert re.findall(r"AS215.*(Novel|Tool\d+)", changed) == ["Novel"]
    assert "AS303" not in changed
    assert "Tool7" not in changed
    assert "3 agents still refused (agentsync report)" in changed
    _, verbose = watched(machine, "pull", "-v", "--color", "never")
    assert verbose.count("`fable`") == 1
    assert "more39" in verbose


@on_posix
def test_a_long_plan_at_a_terminal_goes_through_the_pager(machine: Machine, repository: Repository) -> None:
    repository.write({f"agents/more{number}.md": agent(f"more{number}") for number in range(30)})
    repository.commit()
    machine.follow(repository)
    _, paged = watched(machine, "plan", "--color", "never", PAGER="sed s/^/paged:/")
    assert paged.count("paged:+ create") == 70
    assert "paged:" not in paged.splitlines()[-1]
    assert "paged" not in machine.run("plan", environment={"PAGER": "sed s/^/paged:/"}).stdout
    repository.remove(*(f"agents/more{number}.md" for number in range(30)))
    repository.commit()
    assert "paged" not in watched(machine, "plan", PAGER="sed s/^/paged:/")[1]


def _lines(text: str) -> list[str]:
    """The lines that remain on a terminal."""
    return [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").rstrip("\n").split("\n")]
