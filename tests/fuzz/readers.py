"""Fuzz targets for what is read beside agents: a repository as a whole, what git and clients send, our own state."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha1
from http import HTTPStatus
from pathlib import Path
from posixpath import normpath
from shutil import copyfile
from types import SimpleNamespace
from typing import Final, cast

from agentsync.agents.narrowing import WriteOptions
from agentsync.config import Target
from agentsync.config.tables import SourceTable
from agentsync.convert.merge import merge
from agentsync.convert.policy import DEFAULT, read_policy
from agentsync.core.address import parse_address
from agentsync.core.durations import parse_duration
from agentsync.core.errors import AgentsyncError, ConfigError, StateError
from agentsync.core.urls import local_path, printable, redact, scheme, split_credentials
from agentsync.dialects import UneditableError, dialects
from agentsync.fleet.directories import machine_of_textfile
from agentsync.fleet.documents import machine_of
from agentsync.formats.diff import unified
from agentsync.git.failures import explain, lacks_ref
from agentsync.git.objects import Entry, parse_first_parents
from agentsync.git.process import Done
from agentsync.git.remote import Remote
from agentsync.git.submodules import read_urls, remote_of_submodule
from agentsync.repository.dialect_detection import ReadAgent, read_agent
from agentsync.repository.manifest import read_manifest
from agentsync.repository.plugins import Plugins, listed_plugins
from agentsync.rollout.choose import Machine, choose
from agentsync.rollout.line import Commit, reverted
from agentsync.rollout.rules import in_force
from agentsync.rollout.tables import MachineRolloutTable
from agentsync.rollout.window import Window
from agentsync.service.control_socket import _question
from agentsync.service.http_endpoint import Answer, Endpoint, _Handler
from agentsync.state.records import Action, FileChange, Intent, Recorded, SourceState
from agentsync.state.store import State
from agentsync.sync.build import build
from agentsync.sync.snapshot import Files, LocalSettings, take_snapshot

_SECRET: Final = "s3cr3t-0f-the-us3r"
_REMOTE: Final = Remote("https://example.org/team/agents.git", "refs/heads/main")
_NOW: Final = 1.8e9
_COMMIT: Final = "0123456789abcdef0123456789abcdef01234567"
_FILE: Final = re.compile(rb"^-- ([^\n]{1,200}) --\n", re.MULTILINE)
_MOST_FILES: Final = 12


def targets() -> Mapping[str, Callable[[bytes], None]]:
    """Every target of this module by name."""
    return {
        "repository": repository,
        "shared": shared,
        "fleet": fleet,
        "marketplace": marketplace,
        "policy": policy,
        "rollout": rollout,
        "merged": merged,
        "git": git,
        "urls": urls,
        "clients": clients,
        "state": state,
    }


def repository(data: bytes) -> None:
    """Check that any files of a repository are built or refused, whatever their paths and kinds are."""
    files = _Files(data)
    try:
        table = SourceTable(url="https://example.org/a.git", allow_scattered=True)
        snapshot = take_snapshot(
            cast("Files", files), table, name="x", url=table.url, commit=_COMMIT, local=LocalSettings()
        )
    except AgentsyncError:
        return
    result = build([snapshot], _targets(), None, DEFAULT)
    for state in result.states:
        for path in state.files:
            assert normpath(path) == path, path
            assert not path.startswith(("/", "..")), path


def shared(data: bytes) -> None:
    """Check that the edit of a file with several agents changes the entry that is meant, and no other."""
    for dialect in dialects().values():
        if dialect.shared is None:
            continue
        try:
            entries = dialect.shared.entries(data)
        except UneditableError:
            continue
        sample = _sample_entry(dialect.name)
        for changes in ({"sample": sample}, dict.fromkeys([*entries][:1])):
            try:
                edited = dialect.shared.edited(data, changes)
            except UneditableError:
                continue
            expected = {name: entry for name, entry in {**entries, **changes}.items() if entry is not None}
            assert dialect.shared.entries(edited) == expected


def marketplace(data: bytes) -> None:
    plugins = Plugins(["a/b/agents/c.md", "plugins/x/agents/c.md"], listed_plugins(data))
    assert len(plugins.of("a/b/agents/c.md")) <= 64


def policy(data: bytes) -> None:
    try:
        read = read_policy(data.decode(errors="replace"), "policy.toml")
    except ConfigError as error:
        assert error.place  # noqa: PT017 - the error is no test's own
        return
    for rules in (read, *read.agents.values()):
        assert rules.grants is None or rules.grants.rules
    assert in_force(read.rollout, "https://git.example/agents", MachineRolloutTable()).overruled == {}


def rollout(data: bytes) -> None:
    """Check that a manifest and messages of commits always lead to a commit of the line."""
    text, _, messages = data.partition(b"\0")
    line = _line(messages.decode(errors="replace").split("\0")[:20])
    assert reverted(line).keys() <= {commit.id for commit in line}
    with suppress(ValueError):
        window = Window.parse(text.decode(errors="replace"))
        assert window.contains(window.next_open(_NOW, None), None)
    with suppress(ValueError):
        assert parse_duration(text.decode(errors="replace")) >= 0
    try:
        table = read_manifest(b"[rollout]\n" + text).rollout
    except ConfigError:
        return
    choice = choose(line, table, Machine("m", "s"), now=_NOW, applied=line[-1].id)
    assert choice.commit in {commit.id for commit in line}


def merged(data: bytes) -> None:
    """Check that two versions of an agent become one file that is read again."""
    first, _, second = data.partition(b"\0")
    versions = [read_agent("a.md", first, "claude"), read_agent("b.md", second or first, "opencode")]
    agents = [one for one in versions if isinstance(one, ReadAgent)]
    if agents:
        assert merge(agents).diffs is not None
    assert isinstance(unified(first, second, path="x"), str)


def git(data: bytes) -> None:
    """Check that whatever git puts out is explained, with no secret and nothing that a terminal obeys."""
    text = data.decode(errors="replace")
    for done in (Done(128, b"", text, timed_out=False, trace=text), Done(128, b"", text, timed_out=True)):
        lacks_ref(done, _REMOTE)
        error = explain(done, _REMOTE)
        assert error.message.isprintable()
    parse_first_parents(b"%b\n%b\n1\n%b\0" % (_COMMIT.encode(), _COMMIT.encode(), data.replace(b"\0", b"")))
    for path, url in read_urls(data).items():
        _submodule(path, url)
    _submodule("a", text)


def urls(data: bytes) -> None:
    """Check that a text around a URL never keeps its password from being redacted."""
    text = data.decode(errors="replace")
    for place in (text, f"../{text}", f"https://u:p@h/{text}"):
        scheme(place)
        local_path(place)
        with suppress(ValueError):
            split_credentials(place)
        assert printable(place).isprintable()
    with suppress(ValueError):
        parse_address(text)
    url = f"https://user:{_SECRET}@example.org/a?token={_SECRET}"
    assert _SECRET not in redact(f"{text} {url} {text}")


def clients(data: bytes) -> None:
    """Check that a question, or a request by HTTP, is answered or refused."""
    with suppress(ValueError):
        _question(data)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(data[: 16 * 1024])
        ours.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            _Handler(theirs, cast("Endpoint", _ENDPOINT))
        theirs.close()
        answer = b"".join(iter(lambda: ours.recv(1 << 16), b""))
    assert not answer.startswith(b"HTTP/1.0 500")


def state(data: bytes) -> None:
    """Check that a database with other bytes in it is read, or reported as damaged."""
    path = Path(_scratch().name) / "state.sqlite3"
    for old in path.parent.glob("state.sqlite3*"):
        old.unlink()
    copyfile(_database(), path)
    where, _, patch = data.partition(b"\0")
    offset = int.from_bytes(where[:4]) % path.stat().st_size
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(patch[:64])
    with suppress(StateError), State.open(path) as opened:
        opened.inventory(["/x"])
        opened.departed(["/x"])
        opened.cached_stats(["/x"])
        opened.intents()
        opened.syncs(9)
        opened.changes_after("")
        opened.source("s", "u", "HEAD")
        opened.tips("s", "u", "HEAD")


class _Files:
    """The files of a repository at a commit, held in memory: `-- path --` on a line, and a file's content below it."""

    def __init__(self, data: bytes) -> None:
        _, *parts = _FILE.split(data)
        paths = [path.decode(errors="surrogateescape") for path in parts[::2]][:_MOST_FILES]
        contents = dict(zip(paths, parts[1::2], strict=False))
        self._blobs = {_blob_id(content): content for content in contents.values()}
        self._entries = [Entry(path, "100644", _blob_id(one), len(one)) for path, one in sorted(contents.items())]

    def tree(self, _commit: str) -> list[Entry]:
        return [entry for entry in self._entries if _git_takes(entry.path)]

    def identified(self, entries: Sequence[Entry]) -> list[Entry]:
        return [*entries]

    def blobs(self, ids: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        return ((id_, self._blobs[id_]) for id_ in ids)

    def has(self, _commit: str) -> bool:
        return False


def _git_takes(path: str) -> bool:
    return "\0" not in path and all(part not in {"", ".", "..", ".git"} for part in path.split("/"))


def _blob_id(data: bytes) -> str:
    return sha1(b"blob %d\0%b" % (len(data), data), usedforsecurity=False).hexdigest()


def fleet(data: bytes) -> None:
    """Check that what a machine reported of itself is read or refused."""
    for read in (machine_of, machine_of_textfile):
        with suppress(ValueError):
            assert read("m", data).name == "m"


def _line(messages: Sequence[str]) -> list[Commit]:
    return [Commit(f"{age:040x}", f"{age:040x}", _NOW - 60 * age, message) for age, message in enumerate(messages)]


def _submodule(path: str, url: str) -> None:
    with suppress(AgentsyncError):
        remote = remote_of_submodule(_REMOTE, path, url, _COMMIT)
        assert remote.allow_local is False
        assert printable(remote.place).isprintable()


@cache
def _targets() -> tuple[Target, ...]:
    return tuple(
        Target(
            name=name,
            dialect=name,
            directory=Path("/x", name),
            create=True,
            follow_symlinks=False,
            options=WriteOptions(),
        )
        for name in ("claude", "opencode", "roo")
    )


@cache
def _sample_entry(dialect: str) -> bytes:
    read = read_agent("sample.md", b"---\nname: sample\ndescription: Helps.\ntools: Read\n---\nYou help.\n", "claude")
    assert isinstance(read, ReadAgent)
    written = dialects()[dialect].write(read.agent, WriteOptions()).data
    assert written is not None
    return written


@cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="agentsync-fuzz-")


@cache
def _database() -> Path:
    """A database with a row in each table, in one file."""
    path = Path(_scratch().name) / "sample.sqlite3"
    recorded = Recorded("d" * 64, "a", "claude", "s", "u", "agents/a.md", _COMMIT, _COMMIT)
    change = FileChange("1", "/x", "a.md", Action.CREATE, "a", "claude", None, "d" * 64, recorded)
    with State.open(path) as opened:
        opened.begin_sync("1", started_at=_NOW, commits={"s": _COMMIT})
        opened.intend([intent := Intent(change, "temp", recorded)])
        opened.settle([intent])
        opened.set_source(SourceState("s", "u", "HEAD", _COMMIT, _NOW, _NOW))
        opened.record_tip("s", "u", "HEAD", _COMMIT, _NOW)
        opened.finish_sync("1", finished_at=_NOW, result="ok", counts={"create": 1})
    return path


_ENDPOINT: Final = SimpleNamespace(
    is_known=lambda host: host is None or "example" not in host, answer=lambda path: Answer.text(HTTPStatus.OK, path)
)

SEEDS: Final[Mapping[str, tuple[bytes, ...]]] = {
    "repository": (
        (
            b"-- agentsync.toml --\nversion = 1\n-- agents/a.md --\n---\nname: a\ndescription: d\ntools: Read\n---\nx\n"
            b"-- .claude-plugin/marketplace.json --\n{}\n-- .roomodes --\ncustomModes:\n  - slug: b\n    name: B\n"
            b"    roleDefinition: x\n    groups: [read]\n"
        ),
        (
            b"-- opencode.json --\n"
            b'{"agent": {"x": {"description": "d", "prompt": "{file:./x.md}"}}}\n-- x.md --\nYou help.\n'
            b"-- .codex/config.toml --\n[agents.y]\ndescription = 'd'\nconfig_file = 'y.toml'\n-- .codex/y.toml --\n"
            b"developer_instructions = 'x'\n-- plugins/p/agents/a.md --\n---\nname: a\ndescription: d\n---\n@b x\n"
            b"-- plugins/q/agents/a.md --\n---\nname: a\ndescription: e\n---\nx\n"
        ),
    ),
    "shared": (
        b"customModes:\n  - slug: a\n    name: A\n    roleDefinition: x\n    groups:\n      - read\n",
        b'{"customModes": [{"slug": "a", "name": "A", "roleDefinition": "x", "groups": ["read"]}]}',
    ),
    "fleet": (
        b'{"sources": [{"name": "team", "commit": "c", "committed_at": 1.5, "fetched_at": 2.5}], "refused": []}',
        b'agentsync_rollout_stage{source="team",stage="canary",reason="current"} 1.0\n',
    ),
    "marketplace": (
        b'{"metadata": {"pluginRoot": "./a"}, "plugins": [\n{"name": "p", "source": "b"},\n{"name": "q"}]}',
    ),
    "policy": (
        (
            b'hooks = "allow"\nunattended = "refuse"\ntools = ["read", "mcp__*"]\nmodels = ["a/*"]\nmax_bytes = 9\n'
            b'[agents."*/x"]\nservers = ["y"]\nmodes = ["plan"]\n'
        ),
    ),
    "rollout": (
        (
            b'window = "Mon-Fri 09:00-16:00"\n'
            b'stages = [{ name = "canary", share = 5 }, { name = "all", after = "2h" }]\n'
            b"\0fix\n\nAgentsync-Rollout: now\n\0Revert\n\nThis reverts commit 0000000.\n\0first"
        ),
        b"Sat,Sun 22:00-04:00",
        b"90s",
    ),
    "merged": (
        (
            b"---\nname: a\ndescription: d\ntools: Read\n---\nx\ny\n\0---\ndescription: d\nmode: subagent\n"
            b"permission:\n  bash: deny\n---\nx\nz\n"
        ),
    ),
    "git": (
        b"fatal: repository 'https://example.org/a' not found\n",
        (
            b"remote: x\nfatal: unable to access 'https://u:p@h/': The requested URL returned error: 301\n"
            b"<= Recv header: location: https://other.example/a/info/refs?service=x\n<= Recv header: retry-after: 5\n"
        ),
        b"submodule.a.path\nx\0submodule.a.url\n../b.git\0",
    ),
    "urls": (b"ssh://git@host:22/a", b"git@host:a/b", b"[::1]:9417", b"unix:/run/x", b"http://"),
    "clients": (b"GET /health HTTP/1.1\r\nHost: localhost:1\r\n\r\n", b"HEAD / HTTP/1.0\n\n", b'{"version": 1}'),
    "state": (b"\0\0\0\x10\0\xff\xff\xff", b"\0\0\x30\0\0{}"),
}
