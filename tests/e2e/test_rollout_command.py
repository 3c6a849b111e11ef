"""`agentsync rollout` in a clone: what it shows, and that an edit keeps the rest of the manifest."""

from __future__ import annotations

import subprocess
from codecs import BOM_UTF8
from pathlib import Path

import pytest

from support.machine import Machine
from support.repository import Repository

MANIFEST = """# ours
[rollout] # in stages
stages = [
  { name = "canary", share = 5 }, # first
  { name = "everyone", share = 100, after = "1d" },
]

[agents]
exclude = ["drafts/"] # not yet
"""


@pytest.fixture
def clone(machine: Machine) -> Path:
    clone = machine.root / "clone"
    clone.mkdir()
    (clone / "agentsync.toml").write_text(MANIFEST)
    git(clone, "init", "--quiet", "--initial-branch=main")
    git(clone, "config", "user.name", "Ada")
    git(clone, "config", "user.email", "ada@example.org")
    git(clone, "add", ".")
    git(clone, "commit", "--quiet", "--message", "Agents", "--date", "2026-01-01T00:00:00Z")
    (clone / "note.txt").write_text("not to be committed\n")
    git(clone, "add", "note.txt")
    return clone


def git(clone: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", clone, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("reason", "halted"),
    [
        ("x" * 3000, "x" * 1023 + "…"),
        ("\u202e", "the reason has no character that can be shown"),
        ("a\udcff\u00adb", "a b"),
    ],
)
def test_a_halt_takes_any_reason(machine: Machine, clone: Path, reason: str, halted: str) -> None:
    assert machine.run("rollout", "halt", "--reason", reason, "--repository", str(clone)).code == 0
    assert f'halt = "{halted}"' in (clone / "agentsync.toml").read_text()
    assert machine.run("rollout", "--repository", str(clone)).code == 0


def test_halt_hold_and_resume_edit_the_manifest_alone_and_commit_it(machine: Machine, clone: Path) -> None:
    first = git(clone, "rev-parse", "HEAD")
    at = ("--repository", clone)
    assert machine.run("rollout", "halt", "--reason", "INC-142", *at).code == 0
    assert git(clone, "show", "--format=%s", "--name-only", "HEAD").split("\n") == [
        "Halt the rollout: INC-142",
        "",
        "agentsync.toml",
    ]
    halted = (clone / "agentsync.toml").read_text()
    assert halted == MANIFEST.replace("]\n\n[agents]", ']\nhalt = "INC-142"\n\n[agents]')
    shown = machine.run("rollout", *at)
    assert shown.stdout.count("halted: INC-142") == 2
    side = git(clone, "commit-tree", "-p", first, "-m", "Beside", "HEAD^{tree}")
    assert "no commit of this branch" in machine.run("rollout", "hold", side, *at).stderr
    merge = git(clone, "commit-tree", "-p", "HEAD", "-p", side, "-m", "Merge", "HEAD^{tree}")
    git(clone, "reset", "--quiet", "--soft", merge)
    assert machine.run("rollout", "hold", side, *at).code == 0
    assert {one["chosen"] for one in machine.run("rollout", "--format", "json", *at).json["stages"]} == {side}
    assert "AS435" not in machine.run("check", clone).stderr
    assert machine.run("rollout", "hold", first, *at).code == 0
    assert {one["chosen"] for one in machine.run("rollout", "--format", "json", *at).json["stages"]} == {first}
    assert machine.run("rollout", "resume", "--no-commit", *at).code == 0
    assert (clone / "agentsync.toml").read_text() == MANIFEST
    assert git(clone, "status", "--porcelain").split("\n") == ["M agentsync.toml", "A  note.txt"]
    assert "nothing to change" in machine.run("rollout", "resume", *at).stdout


def test_what_is_not_pushed_and_what_a_new_machine_gets_are_said(machine: Machine, clone: Path) -> None:
    at = ("--repository", clone)
    git(clone, "commit", "--quiet", "--allow-empty", "--message", "Now")
    upstream = machine.root / "upstream.git"
    git(clone, "clone", "--quiet", "--bare", ".", str(upstream))
    git(clone, "remote", "add", "origin", str(upstream))
    git(clone, "fetch", "--quiet", "origin")
    git(clone, "branch", "--quiet", "--set-upstream-to=origin/main")
    shown = machine.run("rollout", *at).stdout
    assert "nothing yet: for a new machine" in shown
    assert "in 1 d" in shown
    assert "not pushed" not in shown
    assert machine.run("rollout", "halt", "--reason", "INC-142", *at).code == 0
    assert "not pushed: 1 commit ahead of origin/main" in machine.run("rollout", *at).stdout


def test_what_happens_next_is_simulated(machine: Machine, clone: Path) -> None:
    steps = machine.run("rollout", "simulate", "--machines", "20", "--format", "json", "--repository", clone).json
    tip = git(clone, "rev-parse", "HEAD")
    assert [step["commits"] for step in steps["steps"]] == [
        {"canary": tip, "everyone": ""},
        {"canary": tip, "everyone": tip},
    ]
    assert sum(steps["stages"].values()) == 20
    assert (
        "stage canary of 20 machines has none with a chance of 36%"
        in machine.run("rollout", "simulate", "--machines", "20", "--repository", clone).stderr
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["halt"], "`halt` needs --reason"),
        (["halt", "--reason", " "], "`halt` needs --reason"),
        (["hold"], "`hold` needs COMMIT"),
        (["show", "--reason", "INC-142"], "--reason is for `halt`"),
        (["hold", "nowhere"], "`nowhere` leads to no commit"),
        (["show", "HEAD"], "COMMIT"),
    ],
)
def test_wrong_usage_changes_nothing(machine: Machine, clone: Path, arguments: list[str], message: str) -> None:
    result = machine.run("rollout", *arguments, "--repository", clone)
    assert result.code == 2
    assert message in result.stderr
    assert (clone / "agentsync.toml").read_text() == MANIFEST


def test_a_place_without_a_rollout_is_named(machine: Machine, clone: Path) -> None:
    (clone / "agentsync.toml").unlink()
    result = machine.run("rollout", "--repository", clone)
    assert (result.code, "declares no rollout" in result.stderr) == (2, True)
    assert "not a git repository" in machine.run("rollout", "--repository", machine.root).stderr


@pytest.mark.parametrize(
    ("keys", "findings"),
    [
        ("", [("AS437", 4)]),
        ("machines = 20\n", [("AS436", 5)]),
        ("machines = 400\n", []),
        ('groups = { canary = ["platform"] }\n', []),
        ('hold_at = "0123456789abcdef"\n', [("AS435", 3), ("AS437", 5)]),
    ],
)
def test_check_finds_empty_stages_and_a_hold_that_leads_nowhere(
    machine: Machine, clone: Path, keys: str, findings: list[tuple[str, int]]
) -> None:
    (clone / "agentsync.toml").write_text(MANIFEST.replace("stages = [", f"{keys}stages = ["))
    found = machine.run("check", "--format", "json", clone).json["diagnostics"]
    assert sorted((one["code"], one["line"]) for one in found if one["code"] >= "AS43") == findings
    if not keys:
        shown = machine.run("check", clone).stdout
        assert "of 20, none is in `canary` with a chance of 36%" in " ".join(shown.split())


def test_an_edit_keeps_line_ends_and_a_mark_and_takes_no_other_edit_along(machine: Machine, clone: Path) -> None:
    manifest, at = clone / "agentsync.toml", ("--repository", clone)
    before = BOM_UTF8 + MANIFEST.replace("\n", "\r\n").encode()
    manifest.write_bytes(before)
    edited = machine.run("rollout", "halt", "--reason", "INC-142", *at)
    assert (edited.code, "not committed" in edited.stderr) == (2, True)
    assert manifest.read_bytes() == before
    git(clone, "commit", "--quiet", "--message", "Line ends", "agentsync.toml")
    git(clone, "checkout", "--quiet", "--detach")
    assert "HEAD:BRANCH" in machine.run("rollout", "halt", "--reason", "INC-142\n", *at).stdout
    assert manifest.read_bytes() == before.replace(b"]\r\n\r\n[", b']\r\nhalt = "INC-142"\r\n\r\n[')
    assert "nothing changes from then on: halted: INC-142" in machine.run("rollout", "simulate", *at).stdout
    assert machine.run("rollout", "resume", *at).code == 0
    assert manifest.read_bytes() == before


def test_a_manifest_that_was_unreadable_before_a_halt_hides_nothing(machine: Machine, clone: Path) -> None:
    at = ("--repository", clone)
    (clone / "agentsync.toml").write_text(f"{MANIFEST}broken")
    git(clone, "commit", "--quiet", "--message", "Broken", "agentsync.toml")
    (clone / "agentsync.toml").write_text(MANIFEST.replace("stages = [", 'halt = "INC-142"\nstages = ['))
    git(clone, "commit", "--quiet", "--message", "Halt", "agentsync.toml")
    shown = machine.run("rollout", *at)
    assert (shown.code, shown.stdout.count("halted: INC-142")) == (0, 2)


def test_a_clone_that_lacks_files_runs_no_program_of_its_own(machine: Machine, tmp_path: Path) -> None:
    """One made with `--filter` fetches what it lacks, from an address that may be a program."""
    team, clone, ran = Repository(tmp_path / "served/team.git"), tmp_path / "partial", tmp_path / "ran"
    for number in range(2):
        stages = 'stages = [{ name = "all", share = 100 }]'
        team.write({"agentsync.toml": f'[rollout]\nhalt = "INC-{number}"\n{stages}\n'})
        team.commit()
    team.git("config", "uploadpack.allowFilter", "true")
    git = ("git", "-c", "protocol.file.allow=always")
    subprocess.run([*git, "clone", "-q", "--filter=blob:none", team.path.as_uri(), clone], check=True)
    for name, value in (("remote.origin.url", f"ext::touch {ran}"), ("protocol.ext.allow", "always")):
        subprocess.run(["git", "-C", clone, "config", name, value], check=True)
    machine.run("rollout", "--repository", clone)
    assert not ran.exists()
