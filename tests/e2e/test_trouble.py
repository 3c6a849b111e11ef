"""Faults that a pull meets on the machine: each with its message and exit code, and nothing lost."""

from __future__ import annotations

import shutil
import sqlite3
import sys
from contextlib import closing

import pytest

from support.gitserver import GitServer
from support.machine import Machine, agent
from support.processes import without_root_privileges
from support.repository import Repository

BROKEN = "---\nname: broken\ndescription: One.\ndescription: Or the other?\n---\nYou help.\n"
SLOPPY = "---\nname: sloppy\ndescription: Use: when: bad\n---\nYou help.\n"


# The user's own files


def test_files_that_the_user_wrote_or_edited_stay(machine: Machine, repository: Repository) -> None:
    """Other tools were seen to overwrite or delete such files: see `peers` in docs/comparison.md."""
    repository.write({"agents/good.md": agent("good"), "agents/broken.md": BROKEN, "agents/sloppy.md": SLOPPY})
    repository.commit()
    machine.follow(repository)
    machine.claude.mkdir()
    hand, mine = machine.claude / "good.md", machine.claude / "mine.md"
    hand.write_text(agent("good", "HAND"))
    mine.write_text(agent("mine", "MINE"))
    first = machine.run("pull")
    assert first.code == 4
    (conflict,) = first.reported("agent.conflict")
    assert (conflict["code"], conflict["path"]) == ("AS401", str(hand))
    assert [event["path"] for event in first.reported("agent.refused")] == ["agents/broken.md"]
    edited = machine.claude / "tester.md"
    edited.write_text(edited.read_text() + "EDIT\n")
    repository.write({"agents/tester.md": agent("tester", "Better.")})
    repository.commit()
    second = machine.run("pull")
    assert second.code == 4
    assert {event["code"] for event in second.reported("agent.conflict")} == {"AS401", "AS402"}
    assert "HAND" in hand.read_text()
    assert "MINE" in mine.read_text()
    assert "EDIT" in edited.read_text()
    assert "Better." in (machine.opencode / "tester.md").read_text()
    assert "-EDIT" in machine.run("plan").stdout
    assert (machine.claude / "sloppy.md").is_file()
    assert "2 drifted" in machine.run("status").stdout


def test_an_edited_file_that_goes_upstream_stays(pulled: Machine, repository: Repository) -> None:
    edited = pulled.claude / "tester.md"
    edited.write_text("mine now\n")
    repository.remove("agents/tester.md")
    repository.commit()
    result = pulled.run("pull")
    assert result.code == 4
    assert edited.read_text() == "mine now\n"
    assert not (pulled.opencode / "tester.md").exists()
    edited.unlink()
    assert pulled.run("pull").code == 0
    assert not edited.exists()


# Targets


def test_a_removed_target_is_made_again_and_one_without_its_tool_is_reported(pulled: Machine) -> None:
    shutil.rmtree(pulled.claude)
    shutil.rmtree(pulled.opencode.parent)
    result = pulled.run("pull", "--format", "json")
    assert result.code == 0
    assert len(pulled.names()) == 5
    assert not pulled.opencode.parent.exists()
    assert result.codes == ["AS403"]
    again = pulled.run("pull", "--log-format", "json")
    assert (again.code, "opencode missing" in again.stdout, "up to date" in again.stdout) == (0, True, False)
    status = pulled.run("status", "--exit-code")
    assert (status.code, "missing" in status.stdout) == (1, True)
    pulled.config.write_text(f'accept = [{{ code = "AS403", reason = "no" }}]\n{pulled.config.read_text()}')
    status = pulled.run("status", "--exit-code")
    assert (status.code, "missing, accepted" in status.stdout) == (0, True)


def test_a_read_only_target_fails_and_the_other_goes_on(machine: Machine, repository: Repository) -> None:
    before = without_root_privileges()
    machine.follow(repository)
    machine.claude.mkdir()
    machine.claude.chmod(0o555)
    try:
        result = machine.run("pull", before=before)
        assert machine.run("doctor", "--format", "json", before=before).code == 1
    finally:
        machine.claude.chmod(0o755)
    assert result.code == 4
    failed = result.reported("agent.failed")
    assert {(event["code"], event["target"]) for event in failed} == {("AS405", "claude")}
    assert len(list(machine.opencode.iterdir())) == 5
    assert "5 created, 5 failed" in result.stdout
    assert machine.run("pull").code == 0
    assert len(machine.names()) == 5


@pytest.mark.skipif(sys.platform != "linux", reason="limits differ")
@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("-n 10", "Too many open files"),
        ("-n 14", "Too many open files"),
        ("-n 6", "the database cannot be used"),
        ("-f 64", "disk I/O error"),
        ("-f 8", "the database cannot be used"),
        ("-v 90000", "memory"),
    ],
)
def test_too_little_of_something_is_no_bug(machine: Machine, repository: Repository, limit: str, words: str) -> None:
    machine.follow(repository)
    result = machine.run("pull", before=("sh", "-c", f'ulimit {limit}; exec "$@"', "sh"))
    assert (result.code, words in result.stdout + result.stderr) == (71, True), result
    assert not list(machine.root.rglob("bug-report.txt"))
    assert machine.run("pull").code == 0


@pytest.mark.parametrize("name", ["agentsync.toml", "more"])
def test_check_names_a_file_that_it_may_not_read(machine: Machine, name: str) -> None:
    before = without_root_privileges()
    agents = machine.root / "agents"
    (agents / "more").mkdir(parents=True)
    (agents / "good.md").write_text(agent("good"))
    (agents / "agentsync.toml").write_text("version = 1\n")
    (agents / name).chmod(0)
    try:
        result = machine.run("check", agents, before=before)
    finally:
        (agents / name).chmod(0o755)
    assert result.code == 2
    assert f"{agents / name}: this {'directory' if name == 'more' else 'file'} cannot be read" in result.stderr


def test_a_target_that_is_a_symbolic_link_is_not_followed_unless_it_may_be(
    machine: Machine, repository: Repository
) -> None:
    machine.follow(repository)
    elsewhere = machine.root / "elsewhere"
    elsewhere.mkdir()
    machine.claude.symlink_to(elsewhere)
    result = machine.run("pull", "--format", "json")
    assert result.code == 4
    assert "AS404" in result.codes
    assert list(elsewhere.iterdir()) == []
    text = machine.config.read_text()
    machine.config.write_text(text.replace("[targets.claude]", "[targets.claude]\nfollow_symlinks = true"))
    assert machine.run("pull").code == 0
    assert len(list(elsewhere.iterdir())) == 5


# Configuration


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ('[sources.team]\nurl = "x"\nbrnach = "main"\n', ":4", "`sources.team.brnach`", "did you mean `branch`?"),
        (
            '[sources.team]\nurl = "x"\nbrnach = "main"\n[daemon]\ninterval = "soon"\n',
            ":6",
            "`soon` is no duration",
            "did you mean `branch`?",
        ),
        ("[sources.team]\nbranch = 'main'\n", ":2", "`sources.team.url` is missing", ""),
        ("[targets.cluade]\n", ":2", "there is no dialect `cluade`; did you mean `claude`?", ""),
        ("[sources.team\n", ":2", "this is not valid TOML", ""),
        ('[sources.team]\nurl = "x"\ntag = "a"\nbranch = "b"\n', ":2", "only one of `branch`, `tag` and `commit`", ""),
        ('[limits]\nmax_deletion_share = "all"\n', ":3", "`limits.max_deletion_share`", ""),
        ('[targets.a]\ndialect = "claude"\n[targets.claude]\n', ":4", "targets `a` and `claude` are the same", ""),
    ],
)
def test_a_mistake_in_the_configuration_is_reported_with_its_place(
    machine: Machine, text: str, place: str, message: str, hint: str
) -> None:
    machine.configure(text)
    result = machine.run("pull")
    assert result.code == 2
    assert f"{machine.config}{place}: " in result.stderr
    assert message in result.stderr
    assert hint in result.stderr
    assert result.stdout == ""
    assert not machine.state.exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no source is configured"),
        ('[sources.team]\nurl = "/nowhere"\nallow_local = true\n', "no target is configured"),
    ],
)
def test_a_configuration_that_cannot_work_is_wrong_usage(machine: Machine, text: str, message: str) -> None:
    machine.configure(text)
    for command in ("pull", "plan"):
        result = machine.run(command)
        assert result.code == 2
        assert message in result.stderr
    assert machine.run("status").code == 0


@pytest.mark.parametrize(
    ("url", "hint"),
    [("/nowhere", "set allow_local = true"), ("http://localhost/x", "allow_http"), ("ftp://localhost/x", "https")],
)
def test_a_transport_that_is_not_allowed_is_not_used(machine: Machine, url: str, hint: str) -> None:
    machine.configure(f'[sources.team]\nurl = "{url}"\n[targets.claude]\n')
    result = machine.run("pull")
    assert result.code == 3
    assert hint in result.reported("source.failed")[0]["hint"]


def test_without_a_configuration_the_hint_names_the_next_step(machine: Machine) -> None:
    for command in ("pull", "plan", "status"):
        result = machine.run(command)
        assert (result.code, result.stdout) == (2, "")
        assert "there is no configuration" in result.stderr
        assert "agentsync init URL" in result.stderr


# State, cache and secrets


def test_a_damaged_state_is_set_aside_and_nothing_is_lost(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    for path in pulled.state.glob("state.sqlite3*"):
        path.write_bytes(b"this is no database" * 100)
    result = pulled.run("pull")
    assert result.code == 0, result.stderr
    assert len(result.reported("state.recovered")) == 1
    assert len(result.reported("agent.taken")) == 10
    assert pulled.files() == before
    repository.remove("agents/tester.md")
    repository.commit()
    assert pulled.run("pull").code == 0
    assert "tester.md" not in pulled.names()


def test_a_lost_cache_is_fetched_again_in_silence(pulled: Machine) -> None:
    before = pulled.files()
    shutil.rmtree(pulled.cache)
    assert "up to date" in pulled.run("pull").stdout
    assert pulled.files() == before


def test_status_without_the_cache_reports_a_warning(pulled: Machine) -> None:
    shutil.rmtree(pulled.cache)
    result = pulled.run("status")
    assert result.code == 0
    assert result.stderr


def test_a_place_that_cannot_even_be_looked_at_stops_nothing_else(machine: Machine, repository: Repository) -> None:
    nowhere = machine.root / ("x" * 300) / "tool/agents"
    machine.follow(repository)
    machine.config.write_text(f'{machine.config.read_text()}[targets.codex]\npath = "{nowhere}"\n')
    result = machine.run("pull", "--format", "json")
    assert (result.code, result.codes) == (0, ["AS403"])
    assert len(machine.names()) == 5
    assert machine.run("doctor").code == 1
    assert machine.run("list", "targets").code == 0


@pytest.mark.parametrize("command", ["pull", "import"])
def test_a_state_that_cannot_even_be_looked_at_is_no_bug(
    machine: Machine, repository: Repository, command: str
) -> None:
    machine.follow(repository)
    machine.claude.mkdir()
    result = machine.run(command, environment={"XDG_STATE_HOME": str(machine.root / ("x" * 300))})
    assert result.code != 0
    assert "bug:" not in result.stderr


def test_a_state_or_cache_that_cannot_be_made_is_no_bug(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    (machine.home / ".local").mkdir()
    (machine.home / ".local/state").touch()
    result = machine.run("pull")
    assert result.code == 4
    assert "state directory cannot be used: Not a directory" in result.stderr
    assert machine.run("history").code == 4
    (machine.home / ".local/state").unlink()
    shutil.rmtree(machine.home / ".cache")
    (machine.home / ".cache").touch()
    result = machine.run("pull")
    assert result.code == 4
    assert "cache directory cannot be used: Not a directory" in result.stderr
    assert not list(machine.home.rglob("bug-report.txt"))


def test_a_password_in_the_url_is_nowhere_but_in_the_configuration(machine: Machine, repository: Repository) -> None:
    with GitServer(repository.path.parent, authorization="Basic YWRhOnMzY3JldA==") as server:
        url = server.url("team.git", "ada:s3cret@")
        machine.configure(f'[sources.team]\nurl = "{url}"\nallow_http = true\n[targets.claude]\n')
        shown = [machine.run("pull", "-vv"), machine.run("pull", "--format", "json")]
        assert [result.code for result in shown] == [0, 0]
        server.authorization = "Bearer other"
        failed = machine.run("pull", "-vv")
        assert failed.code == 3
        repository.rewrite()
        server.authorization = ""
        shown += [failed, machine.run("pull"), machine.run("plan")]
        assert shown[-1].code == 4
        shown += [machine.run(*command.split()) for command in ("status", "history", "doctor", "list targets")]
        shown.append(machine.run("pull", "--source", url.replace("team", "none"), "--to", "claude", "--format", "json"))
        assert shown[-1].code == 3
    for result in shown:
        assert "s3cret" not in result.stdout + result.stderr
    holding = [path for path in machine.home.rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]
    assert holding == [machine.config]
    for directory in (machine.state, machine.state / "trials"):
        with closing(sqlite3.connect(directory / "state.sqlite3")) as connection:
            assert connection.execute("SELECT count(*) FROM sources").fetchone() == (1,)


def test_a_misspelt_description_is_named_by_the_error_that_it_leads_to(machine: Machine) -> None:
    text = "---\nname: x\ndescripton: Reviews\ntools: Read\n---\nReview.\n"
    for file, code in (".claude/agents/x.md", "AS206"), ("agents/x.md", "AS310"):
        path = machine.root / code / file
        path.parent.mkdir(parents=True)
        path.write_text(text)
        result = machine.run("check", "--to", "claude", machine.root / code)
        assert code in result.stdout
        assert "did you mean `description` by `descripton`?" in result.stdout
