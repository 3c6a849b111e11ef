"""The demonstration: a good change passes all stages, a bad one is halted by an alert, its revert reaches who has it.

It prints what people would type and see; with `--capture PAGE` it also writes that into a page, between its markers.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fleet.homes import STAGES, Home, homes_below, running
from fleet.monitoring import Prometheus, missing_packages, monitoring
from support.gitserver import GitServer
from support.machine import agent

_EARLY: Final = 40
_EVERYONE: Final = 50
_SECONDS: Final = 120
_MANIFEST: Final = f"""\
[rollout]
stages = [
  {{ name = "canary", share = 0 }},
  {{ name = "early", share = 0, after = "{_EARLY}s" }},
  {{ name = "everyone", share = 100, after = "{_EVERYONE}s" }},
]
groups = {{ canary = ["platform"], early = ["beta"] }}
"""
_ADA: Final = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org"))
}
_HOOKS: Final = "\n  Stop:\n    - hooks:\n        - type: command\n          command: ./notify"
_BEGIN, _END = "<!-- fleet-demo -->\n", "<!-- end of fleet-demo -->"


class DemoError(Exception):
    """Something did not happen as it should."""


@dataclass(slots=True)
class Transcript:
    """What is printed, as it happens, and recorded for a page."""

    hidden: dict[str, str]
    lines: list[str] = field(default_factory=list)
    began: float | None = None

    def say(self, text: str = "") -> None:
        """Print lines, without what differs by machine."""
        for private, public in self.hidden.items():
            text = text.replace(private, public)
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
        self.lines.append(text)

    def step(self, text: str) -> None:
        """Print what happens now, and when since the first step."""
        now = time.monotonic()
        self.began = self.began or now
        self.say(f"\n# {now - self.began:.0f} s: {text}")

    def page(self) -> str:
        """Return what was printed, as a block of Markdown."""
        return "```console\n" + "\n".join(self.lines).strip() + "\n```\n"


@dataclass(frozen=True, slots=True)
class Team:
    """The people: a clone, its environment, and what they look at."""

    clone: Path
    environment: Mapping[str, str]
    homes: Sequence[Home]
    prometheus: Prometheus
    transcript: Transcript

    def run(self, *words: str, shown: bool = True) -> str:
        """Run a program in the clone, and show its command line and its output."""
        done = subprocess.run(
            words, cwd=self.clone, env=self.environment, capture_output=True, text=True, check=False, timeout=_SECONDS
        )
        if shown:
            self.transcript.say(f"\n$ {' '.join(word if ' ' not in word else repr(word) for word in words)}")
            self.transcript.say((done.stdout + done.stderr).strip())
        elif done.returncode:
            raise DemoError(f"{words}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def change(self, message: str, files: Mapping[str, str]) -> int:
        """Commit and push files; return the date of the commit."""
        self.run("git", "pull", "--quiet", "--rebase", shown=False)
        for name, content in files.items():
            path = self.clone / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
        self.run("git", "add", "--all", shown=False)
        self.run("git", "commit", "--quiet", "--message", message, shown=False)
        return self.push()

    def push(self) -> int:
        """Push; return the date of the newest commit."""
        self.run("git", "push", "--quiet", shown=False)
        self.run("git", "log", "--oneline", "-1")
        return int(self.run("git", "log", "--format=%ct", "-1", shown=False))

    def look(self) -> None:
        """Show the fleet."""
        self.run("git", "pull", "--quiet", "--rebase", shown=False)
        self.run("agentsync", "fleet", "--prometheus", self.prometheus.url, "--clone", ".")

    def stages_at(self, committed_at: int) -> Counter[str]:
        """Return how many machines of each stage have the commit of that date."""
        stages = {home.name: home.stage for home in self.homes}
        times = self.prometheus.query("agentsync_source_commit_timestamp_seconds")
        return Counter(stages[name] for name, at in times.items() if at == committed_at)

    def wait(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds.

        Raises:
            DemoError: it did not within two minutes.
        """
        end = time.monotonic() + _SECONDS
        while not holds():
            if time.monotonic() > end:
                raise DemoError(f"not within {_SECONDS} s: {what}")
            time.sleep(0.5)

    def wait_for_stages(self, committed_at: int, *names: str) -> None:
        """Wait until exactly these stages have a commit.

        Raises:
            DemoError: another one has, or it takes long.
        """
        wanted = Counter({name: STAGES[name][1] for name in names})

        def holds() -> bool:
            there = self.stages_at(committed_at)
            if surplus := there - wanted:
                raise DemoError(f"too early: {surplus}")
            return there == wanted

        self.wait(f"{', '.join(names)} at the commit", holds)


def good(team: Team) -> None:
    """Let a change pass all stages."""
    team.transcript.step("a change is merged")
    at = team.change("Kinder reviews", {"agents/reviewer.md": agent("reviewer", "You review kindly.")})
    for number, name in enumerate(STAGES, 1):
        team.wait_for_stages(at, *[*STAGES][:number])
        team.transcript.step(f"stage {name} has it")
        team.look()


def bad(team: Team) -> tuple[str, int]:
    """Let an alert halt a change; return its commit, and the time when the last stage would have had it."""
    team.transcript.step("a change is merged that brings an agent with a hook, which the machines' policy refuses")
    files = {
        "agents/reviewer.md": agent("reviewer", "You review in haste."),
        "agents/release.md": agent("release", "You release.", hooks=_HOOKS),
    }
    at = team.change("Release agent", files)
    commit = team.run("git", "rev-parse", "HEAD", shown=False)
    team.wait("an alert", lambda: bool(team.prometheus.alerts()))
    team.transcript.step("the first stage has it, and the alert fires")
    team.look()
    for alert in team.prometheus.alerts():
        team.transcript.say(f"\n{alert['labels']['alertname']}: {alert['annotations']['summary']}")

    def halted() -> bool:
        team.run("git", "pull", "--quiet", "--rebase", shown=False)
        return "halt = " in (team.clone / "agentsync.toml").read_text(encoding="utf-8")

    team.wait("the halt", halted)
    team.transcript.step("Alertmanager has started the CI job, which halted the rollout by a commit")
    team.run("git", "log", "--format=%h %an: %s", "-2")
    team.run("agentsync", "rollout")
    reasons = 'agentsync_rollout_stage{reason="halted"}'
    team.wait("all machines halted", lambda: len(team.prometheus.query(reasons)) == len(team.homes))
    team.transcript.step("every machine has fetched the halt")
    team.look()
    return commit, at + _EVERYONE


def revert(team: Team, commit: str, late: int) -> None:
    """Revert the change, and let the rollout go on."""
    team.wait("the delay of the last stage", lambda: time.time() > late + 15)
    hasty = Counter(home.stage for home in team.homes if "haste" in home.prompt)
    team.transcript.step(f"all delays are over, and who has the bad commit? {dict(hasty)}")
    if hasty != {"canary": STAGES["canary"][1]}:
        raise DemoError("others than the first stage have it")
    team.transcript.step("it is reverted, and the rollout resumed")
    team.run("git", "revert", "--no-edit", commit, shown=False)
    team.transcript.say(f"\n$ git revert --no-edit {commit[:7]}")
    team.run("agentsync", "rollout", "resume")
    at = team.push()
    team.wait_for_stages(at, "canary")
    team.transcript.step("whoever had the bad commit has the revert, at once")
    team.look()
    team.wait_for_stages(at, *STAGES)
    team.transcript.step("and everyone has the newest commit again")
    team.look()
    if unkind := [home.name for home in team.homes if "kindly" not in home.prompt]:
        raise DemoError(f"these have another version: {unkind}")


def demonstrate(root: Path) -> Transcript:
    """Run everything below a directory."""
    served = root / "served"
    served.mkdir()
    with GitServer(served) as server:
        url = server.url("agents.git")
        transcript = Transcript({str(root): "", f"http://127.0.0.1:{server.port}": "https://git.example.com"})
        environment = _environment(root)
        clone = _repository(served / "agents.git", url, root / "agents", environment)
        subprocess.run(["git", "clone", "--quiet", url, root / "ci"], check=True, env=environment)
        homes = homes_below(root / "homes", url)
        transcript.say(f"# {len(homes)} machines: " + ", ".join(f"{size} {name}" for name, (_, size) in STAGES.items()))
        transcript.say("\n$ cat agentsync.toml\n" + _MANIFEST.strip())
        with (
            running(homes),
            monitoring(root, homes, ci=root / "ci", environment=environment) as prometheus,
        ):
            transcript.hidden[prometheus.url] = "http://127.0.0.1:9090"
            team = Team(clone, environment | _ADA, homes, prometheus, transcript)
            team.wait("Prometheus", lambda: prometheus.is_ready)
            first = int(team.run("git", "log", "--format=%ct", "-1", shown=False))
            team.wait_for_stages(first, *STAGES)
            transcript.step("all machines run")
            team.look()
            began, before = time.monotonic(), len(server.seen)
            good(team)
            revert(team, *bad(team))
            requests = (len(server.seen) - before) / (time.monotonic() - began)
            transcript.step(f"git has answered {requests:.0f} requests a second")
    return transcript


def _environment(root: Path) -> dict[str, str]:
    (root / "home").mkdir()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(root / "home"), "LC_ALL": "C.UTF-8"}


def _repository(path: Path, url: str, clone: Path, environment: dict[str, str]) -> Path:
    """Make a bare repository that takes pushes, and a clone with a first commit, whose date is past all delays."""

    def git(*words: str, cwd: Path = clone, **variables: str) -> None:
        subprocess.run(["git", *words], cwd=cwd, env=environment | _ADA | variables, check=True, capture_output=True)

    git("init", "--quiet", "--bare", "--initial-branch=main", str(path), cwd=path.parent)
    git("config", "http.receivepack", "true", cwd=path)
    git("clone", "--quiet", url, str(clone), cwd=path.parent)
    (clone / "agents").mkdir()
    (clone / "agentsync.toml").write_text(_MANIFEST, encoding="utf-8")
    for name in ("reviewer", "tester", "writer"):
        (clone / "agents" / f"{name}.md").write_text(agent(name), encoding="utf-8")
    git("add", "--all")
    yesterday = f"{int(time.time()) - 86_400} +0000"
    git("commit", "--quiet", "--message", "Agents", GIT_COMMITTER_DATE=yesterday, GIT_AUTHOR_DATE=yesterday)
    git("push", "--quiet", "--set-upstream", "origin", "HEAD:main")
    return clone


def main() -> int:
    """Run the demonstration; return the exit status."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--capture", type=Path, help="a page whose transcript is replaced")
    page: Path | None = parser.parse_args().capture
    if missing := missing_packages():
        sys.stderr.write(f"this needs {' and '.join(missing)} of Debian: apt-get install {' '.join(missing)}\n")
        return 2
    root = Path(tempfile.mkdtemp(prefix="fleet-demo-")).resolve()
    try:
        transcript = demonstrate(root)
    except (DemoError, OSError, subprocess.SubprocessError) as error:
        sys.stderr.write(f"{error}\nwhat was logged is in {root}\n")
        return 1
    shutil.rmtree(root)
    if page is not None:
        part = re.compile(f"({re.escape(_BEGIN)}).*({re.escape(_END)})", re.DOTALL)
        before = page.read_text(encoding="utf-8")
        page.write_text(part.sub(lambda match: match[1] + transcript.page() + match[2], before), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
