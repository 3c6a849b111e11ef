"""A machine that follows a server, and what must hold of it whatever goes wrong."""

from __future__ import annotations

import tarfile
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

from support.machine import Machine, Result, agent

if TYPE_CHECKING:
    from support.repository import Repository

MINE = agent("mine", "I wrote this.")


@dataclass
class Trial:
    """Claude Code and OpenCode on a machine that follows one source, `team`, beside an agent that the user wrote.

    Attributes:
        machine: where agentsync runs.
        repository: what the source leads to.
        url: where it is served.
        secrets: texts that may appear only in the files that the user put them in.
    """

    machine: Machine
    repository: Repository
    url: str
    secrets: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.machine.claude.mkdir()
        (self.machine.claude / "mine.md").write_text(MINE)
        self.follow()

    def follow(self, settings: str = "", *, url: str = "", auth: str = "") -> None:
        """Configure the source; a fetch may take ten seconds unless the settings have another timeout."""
        timeout = "" if "timeout" in settings else "timeout = 10\n"
        table = (
            f'[sources.team]\nurl = "{url or self.url}"\nallow_http = true\nallow_local = true\n{timeout}{settings}\n'
        )
        self.machine.configure(f"{table}[sources.team.auth]\n{auth}\n[targets.claude]\n[targets.opencode]\n")

    def push(self, prompt: str = "Better.") -> str:
        """A new commit with another version of one agent."""
        self.repository.write({"agents/tester.md": agent("tester", prompt)})
        return self.repository.commit()

    def holds(self, code: int, *words: str, environment: dict[str, str] | None = None) -> Result:
        """Assert that a pull ends with this code and one event that names the cause, and changes no file."""
        before = self.machine.files()
        result = self.machine.run("pull", environment=environment)
        assert result.code == code, (result.code, result.stdout, result.stderr)
        assert self.machine.files() == before
        (event,) = [record for record in result.events if record["level"] == "error"]
        assert event["event"] == "source.failed"
        reported = f"{event['error']} {event['hint']}"
        assert [word for word in words if word not in reported] == [], reported
        self.keeps_secrets(result)
        return result

    def converges(self, at: str = "HEAD", *, environment: dict[str, str] | None = None) -> Result:
        """Assert that a pull succeeds and each tool then has the source's agents of a revision, and the user's own."""
        result = self.machine.run("pull", environment=environment)
        assert result.code == 0, (result.code, result.stdout, result.stderr)
        wanted = self._agents(at)
        texts = {path.name: path.read_text().removesuffix("\n") for path in self.machine.claude.iterdir()}
        assert texts == {**wanted, "mine.md": MINE.removesuffix("\n")}
        assert {path.name for path in self.machine.opencode.iterdir()} == set(wanted)
        self.keeps_secrets(result)
        return result

    def _agents(self, at: str) -> dict[str, str]:
        """The source's agents of a revision, without their last line end, from one process of git."""
        archive = self.repository.git("archive", "--format=tar", f"{at}:agents").encode(errors="surrogateescape")
        with tarfile.open(fileobj=BytesIO(archive)) as files:
            texts = {member.name: files.extractfile(member) for member in files}
            return {name: text.read().decode().removesuffix("\n") for name, text in texts.items() if text}

    def keeps_secrets(self, *results: Result) -> None:
        """Assert that no secret is in any output, nor in any file of agentsync's."""
        for secret in self.secrets:
            assert not [result for result in results if secret in result.stdout + result.stderr]
            for directory in (self.machine.state, self.machine.cache):
                files = [path for path in directory.rglob("*") if path.is_file()]
                assert not [path for path in files if secret.encode() in path.read_bytes()]
