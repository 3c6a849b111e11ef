"""What stands in the way of a pull: each with its message and exit code, and nothing lost."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from support.gitserver import GitServer
from support.machine import Machine, agent
from support.processes import without_root_powers
from support.repository import Repository

BROKEN = "---\nname: broken\ndescription: One.\ndescription: Or the other?\n---\nYou help.\n"
SLOPPY = "---\nname: sloppy\ndescription: Use: when: bad\n---\nYou help.\n"


# The user's own files


def test_what_the_user_wrote_or_edited_stays(machine: Machine, repository: Repository) -> None:
    """What other tools were seen to overwrite or delete: see `peers` in docs/comparison.md."""
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


def test_a_target_that_was_removed_is_made_again_and_one_whose_tool_has_gone_is_told(pulled: Machine) -> None:
    shutil.rmtree(pulled.claude)
    shutil.rmtree(pulled.opencode.parent)
    result = pulled.run("pull", "--format", "json")
    assert result.code == 0
    assert len(pulled.names()) == 5
    assert not pulled.opencode.parent.exists()
    assert result.codes == ["AS403"]


def test_a_read_only_target_fails_and_the_other_goes_on(machine: Machine, repository: Repository) -> None:
    before = without_root_powers()
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


@pytest.mark.parametrize("name", ["agentsync.toml", "more"])
def test_check_names_what_it_may_not_read(machine: Machine, name: str) -> None:
    before = without_root_powers()
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


# Sources


def test_a_remote_that_has_gone_keeps_everything_and_says_so(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.path.rename(repository.path.with_name("moved.git"))
    result = pulled.run("pull")
    assert result.code == 3
    (event,) = result.reported("source.failed")
    assert (event["source"], event["url"]) == ("team", repository.url)
    assert "there is no repository at this URL" in event["error"]
    assert event["hint"]
    assert "source team failed" in result.stdout
    assert "up to date" not in result.stdout
    assert pulled.files() == before
    status = pulled.run("status")
    assert "no repository" in status.stdout
    assert pulled.run("status", "--exit-code").code == 1
    repository.path.with_name("moved.git").rename(repository.path)
    assert pulled.run("pull").code == 0
    after = pulled.run("status", "--exit-code")
    assert after.code == 0
    assert "no repository" not in after.stdout


def test_files_that_were_deleted_come_back_while_the_remote_is_gone(pulled: Machine, repository: Repository) -> None:
    repository.path.rename(repository.path.with_name("moved.git"))
    (pulled.claude / "tester.md").unlink()
    assert pulled.run("pull").code == 3
    assert (pulled.claude / "tester.md").is_file()


def test_a_rewritten_branch_is_refused_until_it_may_be(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.rewrite()
    repository.write({"agents/tester.md": agent("tester", "Other.")})
    repository.commit()
    result = pulled.run("pull", "--format", "json")
    assert result.code == 4
    assert result.codes == ["AS413"]
    assert "the branch was rewritten" in result.json["sources"][0]["error"]
    assert "allow_rewrite = true" in result.json["diagnostics"][0]["hint"]
    assert pulled.files() == before
    pulled.follow(repository, "allow_rewrite = true")
    assert pulled.run("pull").code == 0
    assert "Other." in (pulled.claude / "tester.md").read_text()


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ('branch = "mian"', "the repository has no branch mian", "it has main"),
        ('tag = "v1"', "the repository has no tag v1", ""),
        (f'commit = "{"1" * 40}"', "", ""),
    ],
)
def test_a_wrong_ref_is_named(machine: Machine, repository: Repository, settings: str, message: str, hint: str) -> None:
    machine.follow(repository, settings)
    result = machine.run("pull")
    assert result.code == 3
    (event,) = result.reported("source.failed")
    assert message in event["error"]
    assert hint in event["hint"]
    assert machine.files() == {}


def test_a_repository_without_a_commit_is_named(machine: Machine, tmp_path: Path) -> None:
    machine.follow(Repository(tmp_path / "served" / "empty.git"))
    result = machine.run("pull")
    assert result.code == 3
    (event,) = result.reported("source.failed")
    assert "empty" in event["error"] or "no commit" in event["error"]


def test_a_source_that_is_emptied_is_held_until_the_user_agrees(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.remove("agents")
    repository.write({"README.md": "Nothing here.\n"})
    repository.commit()
    for _ in range(2):
        result = pulled.run("pull")
        assert result.code == 4
        assert pulled.files() == before
    assert [event["code"] for event in result.reported("source.held")] == ["AS406"]
    assert len(result.reported("agent.held")) == 10
    assert "10 held" in result.stdout
    assert pulled.run("status", "--exit-code").code == 1
    assert pulled.run("pull", "--allow-deletions").code == 0
    assert pulled.files() == {}


def test_most_agents_going_at_once_is_held_and_the_limit_can_be_set(pulled: Machine, repository: Repository) -> None:
    before, good = pulled.files(), repository.head
    repository.remove("agents/tester.md", "agents/writer.md", "agents/planner.md")
    bad = repository.commit()
    assert pulled.run("pull", "--format", "json").codes == ["AS407"]
    assert pulled.files() == before
    assert pulled.run("status", "--format", "json").json["sources"][0]["commit"] == good
    repository.reset(good)  # a commit that was held is not trusted, so going back on it is no rewriting
    assert pulled.run("pull").code == 0
    repository.reset(bad)
    pulled.config.write_text(pulled.config.read_text() + "[limits]\nmax_deletion_share = 0.8\n")
    assert pulled.run("pull").code == 0
    assert pulled.names() == ["explainer.md", "reviewer.md"]


def test_a_bad_file_keeps_its_last_good_output_and_the_others_go_on(pulled: Machine, repository: Repository) -> None:
    good = (pulled.claude / "tester.md").read_bytes()
    repository.write({"agents/tester.md": BROKEN, "agents/writer.md": agent("writer", "Better.")})
    repository.commit()
    result = pulled.run("pull", "--format", "json")
    assert result.code == 4
    assert (pulled.claude / "tester.md").read_bytes() == good
    assert "Better." in (pulled.claude / "writer.md").read_text()
    assert "AS408" in result.codes
    (refused,) = result.reported("agent.refused")
    assert (refused["path"], refused["source"], refused["commit"]) == ("agents/tester.md", "team", repository.head)


def test_a_manifest_that_cannot_be_read_refuses_the_commit(pulled: Machine, repository: Repository) -> None:
    before = pulled.files()
    repository.write({"agentsync.toml": "[agents]\nexlude = []\n", "agents/tester.md": agent("tester", "Other.")})
    repository.commit()
    result = pulled.run("pull", "--format", "json")
    assert result.code == 4
    assert result.codes == ["AS413"]
    assert "agentsync.toml:2: unknown key `agents.exlude`" in result.json["diagnostics"][0]["message"]
    assert "did you mean `exclude`?" in result.json["diagnostics"][0]["hint"]
    assert pulled.files() == before


def test_a_source_whose_url_changed_deletes_nothing_unasked(
    pulled: Machine, repository: Repository, tmp_path: Path
) -> None:
    other = Repository(tmp_path / "served" / "other.git")
    other.write({"agents/tester.md": agent("tester", "From the other one.")})
    other.commit()
    pulled.follow(other)
    result = pulled.run("pull", "--format", "json")
    assert "AS411" in result.codes
    assert len(pulled.names()) == 5
    assert "other one" in (pulled.claude / "tester.md").read_text()
    assert pulled.run("pull", "--allow-deletions").code == 0
    assert pulled.names() == ["tester.md"]
    assert repository.head


# Configuration


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ('[sources.team]\nurl = "x"\nbrnach = "main"\n', ":4", "`sources.team.brnach`", "did you mean `branch`?"),
        ("[sources.team]\nbranch = 'main'\n", ":2", "`sources.team.url` is missing", ""),
        ("[targets.cluade]\n", ":2", "there is no dialect `cluade`; did you mean `claude`?", ""),
        ("[sources.team\n", ":2", "this is not valid TOML", ""),
        ('[sources.team]\nurl = "x"\ntag = "a"\nbranch = "b"\n', ":2", "only one of `branch`, `tag` and `commit`", ""),
        ('[limits]\nmax_deletion_share = "all"\n', ":3", "`limits.max_deletion_share`", ""),
        ('[targets.a]\ndialect = "claude"\n[targets.claude]\n', ":4", "targets `a` and `claude` are the same", ""),
    ],
)
def test_a_mistake_in_the_configuration_is_told_with_its_place(
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


def test_without_a_configuration_the_hint_says_what_to_do(machine: Machine) -> None:
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


def test_status_without_the_cache_tells_what_it_cannot_know(pulled: Machine) -> None:
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
    assert "state cannot be used: Not a directory" in result.stderr
    assert machine.run("history").code == 4
    (machine.home / ".local/state").unlink()
    (machine.home / ".cache").touch()
    result = machine.run("pull")
    assert result.code == 4
    assert "the database cannot be used: Not a directory" in result.stderr
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
    with sqlite3.connect(machine.state / "state.sqlite3") as connection:
        assert connection.execute("SELECT count(*) FROM sources").fetchone() == (2,)
    connection.close()
