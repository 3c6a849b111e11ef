"""What `check` looks at: the URL that a policy knows a repository by, and agents that no machine would read."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.machine import Machine, agent

URL = "https://git.acme.example/agents.git"
HOOKED = agent("hooked").replace(
    "---\n", "---\nhooks: {PreToolUse: [{matcher: Bash, hooks: [{type: command, command: x}]}]}\n", 1
)
MANIFEST = 'version = 1\n[agents]\ninclude = ["agents/*.md"]\n'


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.mark.parametrize("origin", ["https://alice:secret@git.acme.example/agents.git", "git@git.acme.example:a.git"])
def test_a_policy_knows_a_clone_by_its_origin_or_by_the_given_url(machine: Machine, origin: str) -> None:
    clone = machine.root / "clone"
    write(clone, {"agents/hooked.md": HOOKED, "../policy.toml": f'[agents."{URL}/hooked"]\nhooks = "allow"\n'})
    check = ("check", clone, "--policy", machine.root / "policy.toml")
    assert machine.run(*check, "--format", "json").codes == ["AS507"]  # no origin, so no entry
    for arguments in (("init", "--quiet"), ("remote", "add", "origin", origin)):
        subprocess.run(["git", *arguments], cwd=clone, check=True)
    by_origin = machine.run(*check)
    assert by_origin.code == int(origin.startswith("git@"))
    assert f"as {origin.replace('alice:secret@', '')};" in by_origin.stdout
    record = machine.run(*check, "--url", URL, "--format", "json")
    assert (record.code, record.json["url"]) == (0, URL)
    assert machine.run("check", clone, "--url", URL).code == 2  # without a policy


def test_agents_that_the_manifest_does_not_include_are_named(machine: Machine) -> None:
    root = machine.root / "clone"
    files = {"agents/one.md": agent("one"), "agents/sub/deep.md": agent("deep"), "team/lost.md": agent("lost")}
    write(root, {**files, "docs/page.md": "# A page\n", "agentsync.toml": MANIFEST})
    result = machine.run("check", root, "--strict")
    assert result.code == 0
    assert "info[AS457]: agents/sub/deep.md, team/lost.md define agents" in result.stdout
    for file, codes in (("agents/sub/deep.md", ["AS457"]), ("agents/one.md", [])):
        assert machine.run("check", root / file, "--format", "json").codes == codes
    write(root, {"agentsync.toml": MANIFEST + 'exclude = ["team/**"]\n'})
    assert "agents/sub/deep.md defines an agent" in machine.run("check", root).stdout
    write(root, {"agentsync.toml": "version = 1\n"})
    assert "AS457" not in machine.run("check", root, "--format", "json").codes
