"""Refused agents are counted as such by everything that counts, in the first run and in each later one."""

from __future__ import annotations

from support.machine import Machine, agent
from support.repository import Repository

BROKEN = "---\nname: broken\ndescription: One.\ndescription: Or the other?\n---\nYou help.\n"


def test_each_way_of_refusing_an_agent_counts_everywhere(machine: Machine, repository: Repository) -> None:
    """A duplicate, a file that cannot be read, a link, a policy, and a target that requires what is missing."""
    repository.write(
        {
            ".claude/agents/s1.md": agent("same", "One."),
            ".claude/agents/s2.md": agent("same", "Another."),
            "agents/broken.md": BROKEN,
            "agents/served.md": agent("served", mcpServers="{a: {command: b}}"),
            "agents/silent.md": "---\nname: silent\ndescription: x\ntools: ''\n---\n",
        }
    )
    repository.link("agents/link.md", "tester.md")
    repository.commit()
    machine.configure(
        f'[sources.team]\nurl = "{repository.url}"\nallow_local = true\n'
        "[targets.claude]\n[targets.opencode]\n[targets.codex]\ncreate = true\n"
    )
    first = machine.run("pull", "--format", "json").json
    refused = {one["source_path"]: one["targets"] for one in first["refused"]}
    everywhere = ["claude", "opencode", "codex"]
    assert refused == {
        ".claude/agents/s1.md": everywhere,
        ".claude/agents/s2.md": everywhere,
        "agents/broken.md": everywhere,
        "agents/link.md": everywhere,
        "agents/served.md": ["claude"],
        "agents/silent.md": ["codex"],
    }
    assert first["counts"]["refused"] == 6
    assert first["counts"]["create"] == 3 * 5 + 2 + 2
    assert [one["kept"] for one in first["refused"]] == [[]] * 6
    codes = [machine.run("pull") for _ in range(3)]
    assert {one.code for one in codes} == {first["exit_code"]} == {4}
    assert all("6 agents still refused (agentsync report)" in one.stdout for one in codes), codes
    status = machine.run("status")
    assert "6 agents refused" in status.stdout
    assert "in sync" not in status.stdout
    assert [target["refused"] for target in machine.run("status", "--format", "json").json["targets"]] == [5, 4, 5]
    listed = machine.run("list", "agents", "--format", "json").json
    targets = {(one["agent"], one["path"]): one["targets"] for one in listed}
    assert targets["silent", "agents/silent.md"] == ["claude", "opencode"]
    assert targets["served", "agents/served.md"] == ["opencode", "codex"]
    assert targets["same", ".claude/agents/s1.md"] == []


def test_an_agent_whose_other_version_is_written_is_not_refused_there(machine: Machine, repository: Repository) -> None:
    repository.write(
        {".claude/agents/planner.md": agent("planner"), ".opencode/agents/planner.md": "---\ndescription: 1\n---\n"}
    )
    repository.commit()
    machine.follow(repository)
    (refused,) = machine.run("pull", "--format", "json").json["refused"]
    assert (refused["source_path"], refused["targets"]) == (".opencode/agents/planner.md", ["opencode"])


def test_the_last_good_version_is_mentioned_only_where_there_is_one(pulled: Machine, repository: Repository) -> None:
    repository.write({"agents/new.md": BROKEN, "agents/tester.md": agent("tester", description="Twice")})
    repository.write({"agents/writer.md": BROKEN.replace("broken", "writer")})
    repository.commit()
    (pulled.claude / "writer.md").unlink()
    report = pulled.run("pull", "--format", "json").json
    kept = {one["source_path"]: one["kept"] for one in report["refused"]}
    assert kept == {"agents/new.md": [], "agents/writer.md": ["opencode"]}
    assert [one["path"] for one in report["diagnostics"] if one["code"] == "AS408"] == ["agents/writer.md"]
    assert "1 of these still installed as before" in pulled.run("pull").stdout
    assert "still installed as it was before (opencode)" in pulled.run("status").stderr
    (pulled.opencode / "writer.md").unlink()
    assert "still installed" not in pulled.run("status", "-vv").stderr


def test_what_the_policy_refuses_now_is_said_to_be_installed_and_skip_deletes_it(
    machine: Machine, repository: Repository
) -> None:
    repository.write({"agents/served.md": agent("served", hooks="{Stop: [{hooks: [{type: command, command: x}]}]}")})
    repository.commit()
    machine.follow(repository)
    settings = machine.config.read_text()
    machine.config.write_text(f'{settings}\n[policy]\nhooks = "allow"\n')
    assert machine.run("pull").code == 0
    machine.config.write_text(settings)
    for _ in range(2):  # a whole run, and the up-to-date check
        assert "1 of these still installed as before" in machine.run("pull").stdout
    status = machine.run("status")
    assert "still installed as it was before (claude)" in status.stderr
    assert "`skip`" in status.stderr
    machine.config.write_text(settings.replace("[targets.claude]", '[targets.claude]\nskip = ["served"]'))
    assert machine.run("pull").code == 0
    assert not (machine.claude / "served.md").exists()
