"""The commands beside pull: their output and exit status."""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest
from filelock import FileLock

from agentsync.dialects import dialects
from support.machine import Machine, agent
from support.repository import Repository

# Init


def test_init_finds_the_tools_writes_a_configuration_and_shows_the_plan(
    machine: Machine, repository: Repository
) -> None:
    proposed = machine.run("init")
    assert proposed.code == 0
    assert "OpenCode" in proposed.stdout
    assert "agentsync init URL" in proposed.stdout
    assert not machine.config.exists()
    result = machine.run("init", repository.path)
    assert result.code == 0, result.stderr
    assert "would be 10 created" in result.stdout
    document = tomllib.loads(machine.config.read_text())
    assert document["sources"]["team"] == {"url": str(repository.path), "allow_local": True}
    assert set(document["targets"]) == {"claude", "opencode"}
    assert machine.config.stat().st_mode & 0o077 == 0
    assert machine.files() == {}
    again = machine.run("init", repository.path)
    assert again.code == 2
    assert "stays as it is" in again.stderr
    assert machine.run("pull").code == 0


def test_init_takes_a_tool_behind_a_link_as_it_is(machine: Machine, repository: Repository) -> None:
    kept = machine.root / "dotfiles" / "claude"
    kept.parent.mkdir()
    (machine.home / ".claude").rename(kept)
    (machine.home / ".claude").symlink_to(kept)
    assert machine.run("init", repository.path).code == 0
    assert machine.config.read_text().count("follow_symlinks = true") == 1
    assert machine.run("pull").code == 0
    assert len(list((kept / "agents").iterdir())) == 5


def test_init_writes_nothing_for_a_repository_that_is_not_there(machine: Machine) -> None:
    result = machine.run("init", machine.root / "nowhere", "--format", "json")
    assert result.code == 3
    assert "no repository" in result.json["error"]["message"]
    assert not machine.config.exists()


@pytest.mark.parametrize("place", ["file/config.toml", "loop/config.toml", "closed/config.toml"])
def test_init_fails_where_no_configuration_can_be_looked_for(machine: Machine, place: str) -> None:
    """It fails before it asks the repository, which is not there either."""
    (machine.root / "file").touch()
    (machine.root / "loop").symlink_to("loop")
    (machine.root / "closed").mkdir(mode=0o600)
    if "closed" in place and os.geteuid() == 0:
        pytest.skip("nothing is closed to root")
    result = machine.run("init", machine.root / "nowhere", "--config", machine.root / place, "--format", "json")
    assert result.code == 2
    error = result.json["error"]
    assert (error["place"], error["hint"]) == (str(machine.root / place), "name another place with --config FILE")


def test_init_without_any_tool_explains_how_to_name_one(machine: Machine, repository: Repository) -> None:
    shutil.rmtree(machine.home)
    machine.home.mkdir()
    path = machine.root / "bin"
    path.mkdir()
    for program in ("git", "env"):
        (path / program).symlink_to(shutil.which(program) or program)
    none = machine.run("init", repository.path, environment={"PATH": str(path)})
    assert none.code == 2
    assert "--to claude" in none.stderr
    assert "Kiro CLI 2, OpenCode" in none.stderr  # and not agentsync itself between them
    assert machine.run("init", repository.path, "--to", "codex").code == 0
    assert machine.run("pull").code == 0
    assert (machine.home / ".codex/agents/tester.toml").is_file()


# Status, history, list


def test_status_before_and_after_the_first_pull(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    before = machine.run("status", "--exit-code")
    assert before.code == 1
    assert "never pulled: team" in before.stderr
    assert "in sync" not in before.stdout
    empty = machine.run("list", "agents")
    assert (empty.code, empty.stdout) == (0, "")
    assert empty.stderr == "no agents yet: run `agentsync pull`\n"
    machine.run("pull")
    after = machine.run("status", "--exit-code")
    assert after.code == 0
    assert after.stdout.count("in sync") == 2
    assert repository.head[:12] in after.stdout
    (machine.claude / "tester.md").write_text("mine\n")
    drifted = machine.run("status", "--exit-code", "--format", "json")
    assert drifted.code == 1
    claude, opencode = drifted.json["targets"]
    assert (claude["files"], claude["drifted"], claude["pending"]) == (5, 1, 0)
    assert (opencode["files"], opencode["drifted"], opencode["pending"]) == (5, 0, 0)
    assert [change["action"] for change in claude["changes"]] == ["conflict"]


def test_history_lists_syncs_and_what_each_changed(machine: Machine, repository: Repository) -> None:
    assert machine.run("history").stdout == "nothing has been changed here yet\n"
    assert machine.run("history", "--format", "json").json == []
    machine.follow(repository)
    machine.run("pull")
    repository.write({"agents/tester.md": agent("tester", "Better.")})
    repository.commit()
    machine.run("pull")
    last, first = machine.run("history", "--format", "json").json
    assert (first["counts"]["create"], last["counts"]["update"]) == (10, 2)
    assert (last["result"], last["commits"]) == ("ok", {"team": repository.head})
    shown = machine.run("history", last["id"]).stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["update", "claude", "tester", "~/.claude/agents/tester.md"],
        ["update", "opencode", "tester", "~/.config/opencode/agents/tester.md"],
    ]
    assert len(machine.run("history", first["id"], "--format", "json").json) == 10
    assert len(machine.run("history", "--limit", "1").stdout.splitlines()) == 2
    unknown = machine.run("history", "nosuch")
    assert unknown.code == 2
    assert "there is no sync nosuch" in unknown.stderr


def test_what_is_not_synced_is_counted(machine: Machine, repository: Repository) -> None:
    repository.write({"skills/a/SKILL.md": "x", "skills/b/SKILL.md": "x", ".mcp.json": "{}"})
    repository.commit()
    machine.follow(repository)
    pulled = machine.run("pull", "--format", "json")
    assert pulled.json["sources"][0]["not_synced"] == {"skills": 2, "mcp_files": 1}
    assert machine.run("list", "agents").stderr == "not synced: 2 skills, 1 MCP file\n"


def test_list_shows_agents_dialects_and_targets(pulled: Machine) -> None:
    agents = pulled.run("list", "agents", "--format", "json").json
    assert {record["agent"] for record in agents} == {"reviewer", "tester", "writer", "planner", "explainer"}
    assert all(record["targets"] == ["claude", "opencode"] for record in agents)
    listed = pulled.run("list", "dialects").stdout.splitlines()
    matrix = pulled.run("list", "dialects", "--matrix", "--format", "json").json
    assert [line.split()[0] for line in listed[1:]] == [record["dialect"] for record in matrix] == [*dialects()]
    assert {"dialect": "opencode", "commands": "yes"}.items() <= matrix[[*dialects()].index("opencode")].items()
    assert pulled.run("list", "agents", "--matrix").code == 2
    targets = pulled.run("list", "targets", "--format", "json").json
    assert [(record["target"], record["exists"]) for record in targets] == [("claude", True), ("opencode", True)]


def test_an_argument_overrides_a_variable(pulled: Machine) -> None:
    variables = {"AGENTSYNC_HISTORY_FORMAT": "text", "AGENTSYNC_VERSION": "9"}
    assert isinstance(pulled.run("--format", "json", "history", environment=variables).json, list)
    assert not pulled.run("history", environment=variables).stdout.startswith("[")
    assert isinstance(pulled.run("history", environment={"AGENTSYNC_FORMAT": "json"}).json, list)


# Plan


def test_plan_shows_differences_and_diff_is_the_same(pulled: Machine, repository: Repository) -> None:
    repository.write({"agents/tester.md": agent("tester", "Better.", tools="Read, Grep")})
    repository.commit()
    plan, diff = pulled.run("plan", "--exit-code"), pulled.run("diff")
    assert (plan.code, diff.code) == (1, 0)
    assert plan.stdout.count("-You help.\n+Better.\n") == 2
    assert plan.stdout.splitlines()[:-1] == diff.stdout.splitlines()[:-1]
    assert "Better." not in pulled.run("plan", "--no-diff").stdout
    changes = pulled.run("plan", "--format", "json").json["changes"]
    assert all("+Better." in change["diff"] for change in changes)


def test_plan_reports_errors_without_a_terminal_too(pulled: Machine, repository: Repository) -> None:
    repository.write({"agents/other.md": agent("tester", "Another one.")})
    repository.commit()
    result = pulled.run("plan")
    assert result.code == 4
    assert "agents/other.md: error[AS212]" in result.stderr
    repository.path.rename(repository.path.with_name("gone"))
    failed = pulled.run("plan")
    assert failed.code == 3
    assert "no repository" in failed.stderr


# Check and convert


def test_check_judges_a_directory_a_file_and_nothing_at_all(machine: Machine) -> None:
    agents = machine.root / "agents"
    agents.mkdir()
    (agents / "good.md").write_text(agent("good", tools="Read"))
    assert machine.run("check", agents).code == 0
    assert machine.run("check", agents, "--to", "opencode", "--to", "codex", "--strict").code in (0, 1)
    (agents / "bad.md").write_text("---\ndescription: One.\ndescription: Two.\n---\nWhich?\n")
    (agents / "README.md").write_text("# Not an agent\n")
    (agents / "AGENTS.md").write_text("# Not an agent\n")
    result = machine.run("check", agents, "--format", "json")
    assert result.code == 1
    assert [record["name"] for record in result.json["agents"]] == ["good"]
    assert result.json["not_synced"] == {"rules": 1}
    (error,) = [diagnostic for diagnostic in result.json["diagnostics"] if diagnostic["severity"] == "error"]
    assert (error["path"], error["code"]) == ("bad.md", "AS116")
    text = machine.run("check", agents)
    assert "bad.md" in text.stdout
    assert text.stdout.endswith("1 agent, 1 error, 0 warnings, 0 other files\nnot synced: 1 AGENTS.md and rules\n")
    single = machine.run("check", agents / "README.md")
    assert single.code == 1
    assert "README.md:1" in single.stdout
    assert "there is no agent in" in single.stderr
    empty = machine.root / "empty"
    empty.mkdir()
    assert machine.run("check", empty).code == 1
    assert machine.run("check", machine.root / "missing").code == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_check_of_a_pipe_is_refused_and_not_waited_for(machine: Machine) -> None:
    pipe = machine.root / "pipe.md"
    os.mkfifo(pipe)
    result = machine.run("check", pipe)
    assert result.code == 2
    assert "this is not a regular file" in result.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes with names")
def test_check_reads_neither_pipes_nor_links(machine: Machine) -> None:
    agents = machine.root / "agents"
    agents.mkdir()
    (agents / "good.md").write_text(agent("good"))
    os.mkfifo(agents / "pipe.md")
    (agents / "link.md").symlink_to("/etc/passwd")
    result = machine.run("check", agents, "--format", "json")
    assert result.code == 1
    assert [diagnostic["code"] for diagnostic in result.json["diagnostics"]] == ["AS220"]


def test_check_refuses_a_manifest_that_pull_refuses(machine: Machine) -> None:
    agents = machine.root / "agents"
    agents.mkdir()
    (agents / "good.md").write_text(agent("good"))
    manifest = agents / "agentsync.toml"
    manifest.write_text("#" * (64 * 1024 + 1))
    large = machine.run("check", agents)
    manifest.rename(machine.root / "elsewhere.toml")
    manifest.symlink_to(machine.root / "elsewhere.toml")
    for result in (large, machine.run("check", agents)):
        assert result.code == 2
        assert f"{manifest}: it must be a file" in result.stderr
    manifest.unlink()
    manifest.write_text("version = 1\n")
    assert machine.run("check", agents).code == 0


def test_convert_prints_the_agent_and_reports_losses(machine: Machine) -> None:
    file = machine.root / "tester.md"
    file.write_text(agent("tester", tools="Read, Grep", permissionMode="plan"))
    result = machine.run("convert", file, "--from", "claude", "--to", "opencode")
    assert result.code == 0
    assert result.stdout.startswith("---\n")
    assert "mode: subagent" in result.stdout
    document = machine.run("convert", file, "--to", "codex", "--format", "json").json
    assert 'name = "tester"' in document["output"]
    piped = machine.run("convert", "-", "--from", "claude", "--to", "opencode", stdin=file.read_text())
    assert piped.stdout == result.stdout
    assert machine.run("convert", file, "--to", "claude").stdout == file.read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["missing.md", "--to", "claude"], 2, "No such file"),
        ([".", "--to", "claude"], 2, "directory"),
        (["plain.md", "--to", "cluade"], 2, "did you mean `claude`?"),
        (["plain.md"], 2, "--to"),
        (["plain.md", "--to", "claude"], 4, "There is no frontmatter"),
    ],
)
def test_convert_reports_mistakes(machine: Machine, arguments: list[str], code: int, message: str) -> None:
    (machine.root / "plain.md").write_text("Hello.\n")
    result = machine.run("convert", *arguments)
    assert (result.code, result.stdout) == (code, "")
    assert message in result.stderr


# Doctor, demo, help, completion


def test_doctor_names_problems_and_changes_no_target(machine: Machine, repository: Repository) -> None:
    machine.follow(repository)
    with machine.config.open("a") as config:
        config.write('[targets.codex]\n[targets.link]\ndialect = "codex"\npath = "~/link"\n')
    (machine.home / "link").symlink_to(machine.root)
    result = machine.run("doctor", "--format", "json")
    assert result.code == 1
    checks = {record["subject"]: record for record in result.json}
    assert checks["git"]["health"] == "good"
    assert "5 agents" in checks["source team"]["message"]
    assert checks["target codex"]["health"] == "bad"
    assert "create = true" in checks["target codex"]["hint"]
    assert "symbolic link" in checks["target link"]["message"]
    assert machine.files() == {}
    machine.configure("")
    assert "no target is configured" in machine.run("doctor").stdout
    repository.path.rename(repository.path.with_name("gone"))
    machine.follow(repository)
    assert "no repository" in machine.run("doctor").stdout


def test_doctor_looks_at_the_rest_where_the_configuration_is_wrong_or_missing(machine: Machine) -> None:
    result = machine.run("doctor", "--format", "json")
    assert result.code == 1
    checks = {record["subject"]: record for record in result.json}
    assert checks["git"]["health"] == "good"
    assert checks["configuration"]["health"] == "bad"
    assert checks["configuration"]["message"] == "there is no configuration"
    assert "agentsync init URL" in checks["configuration"]["hint"]
    machine.configure("brnach = 1\n")
    result = machine.run("doctor")
    assert result.code == 1
    assert "bad   configuration: " in result.stdout
    assert "config.toml:2: unknown key `brnach`" in result.stdout


def test_doctor_finds_a_file_of_the_users_with_a_name_of_the_teams(pulled: Machine) -> None:
    (pulled.claude / "mine").mkdir()
    (pulled.claude / "mine/other.md").write_text(agent("tester"))
    (pulled.claude / "mine/own.md").write_text(agent("own"))
    (pulled.opencode / "mine").mkdir()
    (pulled.opencode / "mine/other.md").write_text("---\ndescription: Another name in OpenCode\n---\nHelp.\n")
    found = [one for one in pulled.run("doctor", "--format", "json").json if one["subject"].startswith("namesakes")]
    assert [(one["subject"], one["health"]) for one in found] == [("namesakes claude", "warning")]
    assert found[0]["message"].startswith("~/.claude/agents/mine/other.md defines `tester` too")


def test_doctor_takes_another_run_for_no_fault(pulled: Machine) -> None:
    with FileLock(pulled.state / "run.lock"):
        result = pulled.run("doctor", "--format", "json")
    assert result.code == 0
    assert [record["health"] for record in result.json if record["subject"] == "state"] == ["warning"]


def test_the_demo_shows_it_all_and_leaves_nothing(machine: Machine) -> None:
    before = {path.name for path in machine.root.iterdir()}
    result = machine.run("demo")
    assert result.code == 0, result.stderr
    assert "3 updated, 3 deleted, 1 in conflict" in result.stdout
    assert str(machine.root) not in result.stdout
    assert {path.name for path in machine.root.iterdir()} == before
    assert list(machine.home.rglob("*.sqlite3")) == []
    kept = machine.run("demo", "--keep", "--format", "json").json
    assert [pull["exit_code"] for pull in kept["pulls"]] == [0, 4, 4]
    assert Path(kept["scratch"]).is_dir()


def test_help_teaches_by_example(machine: Machine) -> None:
    overview = machine.run("--help")
    commands = "init pull plan status check convert list history doctor demo completion".split()
    for command in commands:
        assert command in overview.stdout
        text = machine.run(command, "--help").stdout
        assert f"agentsync {command}" in text
        assert "Examples:" in text
        assert "--format" in text


def test_an_unknown_command_or_option_is_wrong_usage_with_the_nearest_right_one(machine: Machine) -> None:
    unknown = machine.run("pul")
    assert unknown.code == 2
    assert "Did you mean 'pull'?" in unknown.stderr
    option = machine.run("pull", "--dry-rum")
    assert option.code == 2
    assert "--dry-run" in option.stderr
