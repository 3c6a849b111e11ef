"""Repositories made to do harm, each pulled for real into every tool at once.

Whatever their content, nothing is written but the agents that are sound, each into its target; one bad file stops no
other; and time and memory stay bounded. The bounds here are a safety net, far above what was measured.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support import plumbing
from support.machine import Machine, Result, agent
from support.plumbing import DIRECTORY, FILE, LINK, SUBMODULE, Measured
from support.repository import Repository
from support.thorough import part

_SECONDS = 60
_MEGABYTES = 2_048
_GOOD = agent("good", "You help with all that is good.").encode()
_CANARY = "sing\n"


@dataclass
class Victim:
    """A machine with a target for some tools, and a canary beside its home."""

    machine: Machine
    tools: Sequence[str]

    def __post_init__(self) -> None:
        self.directory.mkdir()
        for name in ("canary", "home/canary", "home/.ssh/authorized_keys"):
            path = self.machine.root / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(_CANARY)

    @property
    def directory(self) -> Path:
        """The directory that holds the targets' directories."""
        return self.machine.home / "tools"

    def pull(self, repository: Repository) -> Result:
        """Pull, and assert that nothing changed outside the targets and agentsync's own places."""
        with self._unharmed(repository):
            result = self.machine.run(*self._arguments(repository))
        _is_printable(result.stdout + result.stderr)
        return result

    def pull_measured(self, repository: Repository) -> Measured:
        """Pull in a process of its own, and assert that its time and memory stay bounded."""
        command = self.machine.command(*self._arguments(repository))
        with self._unharmed(repository):
            result = plumbing.measured(command, self.machine.root, self.machine.environment, most=4 * _MEGABYTES)
        _is_printable(result.stdout + result.stderr)
        assert result.seconds < _SECONDS
        assert result.megabytes < _MEGABYTES
        return result

    def _arguments(self, repository: Repository) -> list[str]:
        to = [part for name in self.tools for part in ("--to", f"{name}={self.directory / name}")]
        return ["pull", "--format", "json", "--source", repository.url, *to]

    @contextmanager
    def _unharmed(self, repository: Repository) -> Iterator[None]:
        own = (self.directory, self.machine.state, self.machine.cache, repository.path)
        before = plumbing.everything(self.machine.root, but=own)
        yield
        after = plumbing.everything(self.machine.root, but=own)
        made = {
            str(directory.relative_to(self.machine.root))
            for place in own
            for directory in place.parents[:-1]
            if directory.is_relative_to(self.machine.root)
        }
        assert {path: facts for path, facts in after.items() if path in before or path not in made} == before
        for name in self.tools:
            for path in (self.directory / name).rglob("*"):
                assert path.is_file(), path
                assert not path.is_symlink(), path

    def written(self, tool: str) -> list[str]:
        """The names of a target's files."""
        return sorted(path.name for path in (self.directory / tool).glob("*"))


def _is_printable(output: str) -> None:
    assert "\x1b" not in output
    assert all(line.isprintable() for line in output.splitlines())


@pytest.fixture
def hostile(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "hostile.git")


@pytest.fixture
def victim(machine: Machine) -> Victim:
    return Victim(machine, ("claude", "codex", "kiro2"))


# One bad file among many


@dataclass(frozen=True)
class Case:
    """A file, and codes: at least one of them is reported; none where the file is to be ignored silently."""

    path: bytes
    data: bytes
    codes: tuple[Code, ...]
    mode: str = FILE


def _markdown(head: str, body: str = "You help.\n") -> bytes:
    return f"---\n{head}\n---\n{body}".encode()


def _named(name: str) -> bytes:
    return _markdown(f"name: {name}\ndescription: d")


def _extra(text: str) -> bytes:
    return _markdown(f"name: bomb\ndescription: d\n{text}")


_TOKEN = "ghp_" + "Zz09" * 10
_CODEX = b'name = "b"\ndescription = "d"\ndeveloper_instructions = "x"\n'
_LAUGHS = "\n".join(f"l{number}: &l{number} [{', '.join([f'*l{number - 1}'] * 9)}]" for number in range(1, 10))

_PATHS = {
    "link": Case(b"agents/link.md", b"/etc/passwd", (Code.SYMLINK,), LINK),
    "link-up": Case(b"agents/up.md", b"../../../.ssh/authorized_keys", (Code.SYMLINK,), LINK),
    "link-itself": Case(b"agents/itself.md", b"itself.md", (Code.SYMLINK,), LINK),
    "link-folder": Case(b"etc/agents", b"/etc", (), LINK),
    "link-parent": Case(b".gemini/agents", b"..", (), LINK),
    "submodule": Case(b"vendor/agents", b"", (Code.SUBMODULE,), SUBMODULE),
    "newline": Case(b"agents/new\nline.md", _GOOD, (Code.PATH_UNSAFE,)),
    "escape": Case(b"agents/\x1b[2J\x1b]0;owned\x07.md", _GOOD, (Code.PATH_UNSAFE,)),
    "not-utf8": Case(b"agents/\xff\xfe.md", _GOOD, (Code.PATH_UNSAFE,)),
    "bidi": Case("agents/\u202edm.live.md".encode(), _GOOD, (Code.PATH_UNSAFE,)),
    "upper": Case(b"agents/TWIN.md", _named("one"), (Code.PATH_UNSAFE,)),
    "lower": Case(b"agents/twin.md", _named("two"), (Code.PATH_UNSAFE,)),
    "composed": Case("agents/\u00e9.md".encode(), _named("three"), (Code.PATH_UNSAFE,)),
    "decomposed": Case("agents/e\u0301.md".encode(), _named("four"), (Code.PATH_UNSAFE,)),
    "device": Case(b"agents/aux.md", _GOOD, (Code.PATH_UNSAFE,)),
    "stream": Case(b"agents/a.md::$DATA", _GOOD, ()),
    "stream-before": Case(b"agents/a::$DATA.md", _GOOD, (Code.PATH_UNSAFE,)),
    "dot-at-end": Case(b"agents/folder./a.md", _GOOD, (Code.PATH_UNSAFE,)),
    "blank-at-end": Case(b"agents/folder /a.md", _GOOD, (Code.PATH_UNSAFE,)),
    "backslash": Case(b"agents/..\\..\\a.md", _GOOD, (Code.PATH_UNSAFE,)),
    "long-name": Case(b"agents/" + b"n" * 4_000 + b".md", _GOOD, (Code.PATH_UNSAFE,)),
    "hooks": Case(b"hooks/post-checkout", b"#!/bin/sh\ntouch $HOME/owned\n", ()),
    "lfs": Case(
        b"agents/lfs.md",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12\n",
        (Code.LFS_POINTER,),
    ),
    "filter": Case(b".gitattributes", b"* filter=evil\n*.md text eol=crlf working-tree-encoding=UTF-16\n", ()),
}
_BINARY = {
    "empty": Case(b"agents/empty.md", b"", (Code.EMPTY, Code.NOT_AN_AGENT)),
    "nul": Case(b"agents/nul-bytes.md", _named("zeros") + b"\0\0", (Code.CONTROL_CHARACTER,)),
    "binary": Case(b"agents/binary.md", bytes(range(256)) * 64, (Code.NOT_UTF8,)),
    "over-a-mebibyte": Case(b"agents/over.md", _GOOD + b"x" * (1 << 20), (Code.TOO_LARGE,)),
}
_NAMES = {
    f"name-{number}": Case(b".claude/agents/name%d.md" % number, _named(name), codes)
    for number, (name, codes) in enumerate(
        [
            ("../../x", (Code.NAME_UNSAFE,)),
            ("/etc/cron.d/x", (Code.NAME_UNSAFE,)),
            ("~/.ssh/authorized_keys", (Code.NAME_UNSAFE,)),
            ("~root", (Code.NAME_UNSAFE,)),
            ("--config=x", (Code.NAME_UNSAFE,)),
            ('"a\\0b"', (Code.NAME_UNSAFE,)),
            ('"a\\eb"', (Code.NAME_UNSAFE,)),
            ('"a\\nb"', (Code.NAME_UNSAFE,)),
            ('".."', (Code.NAME_UNSAFE,)),
            ('" "', (Code.NAME_UNSAFE,)),
            ("n" * 5_000, (Code.NAME_UNSAFE,)),
            ("CON", (Code.NAME_RESERVED,)),
            ("lpt1", (Code.NAME_RESERVED,)),
            ("g\u200bood", (Code.NAME_HIDDEN_UNICODE,)),
            ("\U000e0067ood", (Code.NAME_HIDDEN_UNICODE,)),
        ]
    )
}
_BOMBS = {
    name: Case(f".claude/agents/bomb-{name}.md".encode(), data, codes)
    for name, (data, codes) in {
        "nesting": (_extra("x: " + "[" * 60_000), (Code.TOO_DEEP,)),
        "nested-maps": (_extra("x: " + "{a: " * 15_000), (Code.TOO_DEEP,)),
        "laughs": (_extra(f"l0: &l0 lol\n{_LAUGHS}"), (Code.YAML_ALIAS,)),
        "merge": (_extra("x:\n  <<: {a: 1}"), (Code.YAML_ALIAS,)),
        "python": (_extra('x: !!python/object/apply:os.system ["touch ~/owned"]'), (Code.YAML_TAG,)),
        "twice": (_extra("tools: Read\ntools: Bash"), (Code.DUPLICATE_KEY,)),
        "many-keys": (_extra("\n".join(f"k{number}: 1" for number in range(100_000))), (Code.TOO_LARGE,)),
        "huge-scalar": (_extra(f"x: {'y' * 100_000}"), (Code.TOO_LARGE,)),
        "huge-name": (_named("\u0300\u0327" * 12_000), (Code.NAME_UNSAFE,)),
        "documents": (_extra("...\n--- {tools: Bash}"), (Code.YAML_INVALID, Code.CLOSING_FENCE)),
        "dashes": (b"\n" + _extra("k" + "-" * 60_000), (Code.LEADING_BLANK, Code.YAML_INVALID)),
        "blanks": (_markdown(f"name: blanks\ndescription: d\ncolor: 1{' ' * 60_000}q"), (Code.INVALID_VALUE,)),
        "fences": (b"---\n" + b"name: a\n\n" * 100_000, (Code.TOO_LARGE,)),
        "hidden": (_markdown("name: h\ndescription: d", "Read\u200b this.\n"), (Code.HIDDEN_REFUSED,)),
        "tags": (_markdown("name: h\ndescription: d", "Hi\U000e0041\U000e0042\n"), (Code.HIDDEN_REFUSED,)),
        "bidi": (_markdown("name: h\ndescription: d\u202e", "x\n"), (Code.HIDDEN_REFUSED,)),
        "secret": (_markdown("name: s\ndescription: d", f"Use {_TOKEN}.\n"), (Code.SECRET_REFUSED,)),
        "screen": (_markdown("name: e\ndescription: d\ntools: \x1b[2J"), (Code.YAML_INVALID, Code.CONTROL_CHARACTER)),
    }.items()
}
_OTHERS = {
    "toml-nesting": Case(b".codex/agents/n.toml", _CODEX + b"x = " + b"[" * 60_000, (Code.TOO_DEEP,)),
    "toml-dots": Case(b".codex/agents/d.toml", _CODEX + b"a" + b".a" * 4_000 + b" = 1", (Code.TOO_DEEP,)),
    "toml-headers": Case(
        b".codex/agents/h.toml", _CODEX + b"[a" + b".a" * 4_000 + b"]\n" + b"b = 1\n" * 9_000, (Code.TOO_DEEP,)
    ),
    "toml-number": Case(b".codex/agents/i.toml", _CODEX + b"x = " + b"1" * 9_000, (Code.TOML_INVALID,)),
    "toml-keys": Case(
        b".codex/agents/k.toml", _CODEX + b"".join(b"k%d = 1\n" % key for key in range(90_000)), (Code.TOO_LARGE,)
    ),
    "toml-name": Case(b".codex/agents/e.toml", _CODEX.replace(b'"b"', b'"../../x"', 1), (Code.NAME_UNSAFE,)),
    "toml-screen": Case(b".codex/agents/s.toml", _CODEX + b'"\\u001b[2J" = {a = 1, a = 2}', (Code.TOML_INVALID,)),
    "toml-patterns": Case(
        b".vibe/agents/p.toml",
        b'display_name = "p"\ndescription = "d"\nenabled_tools = ['
        + b",".join(b'"t%d*"' % key for key in range(70_000))
        + b"]\n",
        (Code.TOO_LARGE,),
    ),
    "json-nesting": Case(
        b".kiro/agents/n.json", b'{"name": "n", "x": ' + b"[" * 900 + b"]" * 900 + b"}", (Code.TOO_DEEP,)
    ),
    "json-deep": Case(b".kiro/agents/d.json", b'{"a": ' * 100_000, (Code.TOO_DEEP,)),
    "json-number": Case(b".kiro/agents/i.json", b'{"name": "i", "x": ' + b"1" * 9_000 + b"}", (Code.JSON_INVALID,)),
    "json-twice": Case(b".kiro/agents/t.json", b'{"name": "t", "tools": [], "tools": ["*"]}', (Code.JSON_INVALID,)),
    "json-name": Case(b".kiro/agents/e.json", b'{"name": "..\\/..\\/x", "prompt": "p"}', (Code.NAME_UNSAFE,)),
    "json-half": Case(b".kiro/agents/h.json", b'{"name": "h", "prompt": "\\ud800"}', (Code.JSON_INVALID,)),
    "json-keys": Case(
        b".kiro/agents/k.json",
        b'{"name": "k", ' + b",".join(b'"k%d": 1' % key for key in range(70_000)) + b"}",
        (Code.TOO_LARGE,),
    ),
    "yaml-laughs": Case(b".cline/agents/l.yaml", _extra(f"l0: &l0 lol\n{_LAUGHS}"), (Code.YAML_ALIAS,)),
    "yaml-tag": Case(b".cline/agents/t.yaml", _extra("x: !!python/name:os.system"), (Code.YAML_TAG,)),
}
CASES = {**_PATHS, **_BINARY, **_NAMES, **_BOMBS, **_OTHERS}


def _stored(repository: Repository, cases: Sequence[Case]) -> None:
    files = {
        case.path: (case.mode, "1" * 40 if case.mode == SUBMODULE else plumbing.blob(repository, case.data))
        for case in cases
    }
    files[b"agents/good.md"] = (FILE, plumbing.blob(repository, _GOOD))
    plumbing.commit(repository, plumbing.trees(repository, files))


@dataclass(frozen=True)
class Outcome:
    """The result of pulling every case at once."""

    victim: Victim
    result: Measured

    @property
    def diagnostics(self) -> list[dict[str, Any]]:
        diagnostics: list[dict[str, Any]] = json.loads(self.result.stdout)["diagnostics"]
        return diagnostics


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """Every case in one commit, pulled for every tool."""
    root = tmp_path_factory.mktemp("hostile")
    repository = Repository(root / "hostile.git")
    _stored(repository, list(CASES.values()))
    victim = Victim(Machine(root, measured=False), tuple(dialects()))
    return Outcome(victim, victim.pull_measured(repository))


def test_26_to_38_a_sound_agent_is_written_beside_every_hostile_file(outcome: Outcome) -> None:
    assert outcome.result.code == 4
    for name in dialects():
        place = outcome.victim.directory / name
        files = place.iterdir() if place.is_dir() else [place]
        assert any(b"Helps with good" in path.read_bytes() for path in files), name
    assert outcome.victim.written("claude") == ["blanks.md", "good.md"]
    assert not list(outcome.victim.machine.root.rglob("owned"))


def test_26_to_38_every_hostile_file_is_reported_by_its_code(outcome: Outcome) -> None:
    reported: defaultdict[str, set[str]] = defaultdict(set)
    for diagnostic in outcome.diagnostics:
        reported[diagnostic.get("path", "")].add(diagnostic["code"])
    for name, case in CASES.items():
        path = case.path.decode(errors="surrogateescape")
        codes = reported[path if path.isprintable() else ascii(path)[1:-1]]
        assert codes & {code.id for code in case.codes} or (not case.codes and not codes), (name, codes)


def test_48_no_secret_and_nothing_raw_is_printed(outcome: Outcome) -> None:
    assert _TOKEN not in outcome.result.stdout + outcome.result.stderr
    state = b"".join(path.read_bytes() for path in outcome.victim.machine.state.rglob("*") if path.is_file())
    assert _TOKEN.encode() not in state


# A commit that git itself refuses


def _deeper(repository: Repository, root: str, levels: int) -> str:
    for _ in range(levels):
        root = plumbing.tree(repository, [(DIRECTORY, b"d", root)])
    return root


def _duplicate(repository: Repository, id_: str) -> list[plumbing.Item]:
    return [(FILE, b"x.md", id_), (FILE, b"x.md", plumbing.blob(repository, _named("other")))]


Build = Callable[[Repository, str], list[plumbing.Item]]


def _file(name: str) -> Build:
    return lambda _repository, id_: [(FILE, name.encode(), id_)]


_NAMES_OF_GIT = ("..", ".", ".git", ".GIT", ".gIt", "git~1", ".g\u200cit", "a/../../x.md", "/etc/x.md", "")
_UNSAFE: dict[str, Build] = {
    **{name: _file(name) for name in _NAMES_OF_GIT},
    "folder-up": lambda repository, id_: [(DIRECTORY, b"..", plumbing.tree(repository, [(FILE, b"x.md", id_)]))],
    "twice": _duplicate,
    "modules-link": lambda repository, _id: [(LINK, b".gitmodules", plumbing.blob(repository, b"/etc/passwd"))],
    "modules-option": lambda repository, _id: [
        (FILE, b".gitmodules", plumbing.blob(repository, b'[submodule "x"]\n\tpath = x\n\turl = --upload-pack=touch\n'))
    ],
}


@pytest.mark.parametrize("build", _UNSAFE.values(), ids=[repr(name) for name in _UNSAFE])
def test_27_a_tree_that_git_checks_against_changes_nothing(victim: Victim, hostile: Repository, build: Build) -> None:
    good = plumbing.blob(hostile, _GOOD)
    first = plumbing.tree(hostile, [(FILE, b"good.md", good)])
    plumbing.commit(hostile, first)
    assert victim.pull(hostile).code == 0
    plumbing.commit(hostile, plumbing.tree(hostile, [(FILE, b"good.md", good), *build(hostile, good)]))
    result = victim.pull(hostile)
    assert result.code == 3
    assert all(victim.written(tool) for tool in victim.tools)


# Agents that become hostile


@pytest.mark.parametrize("mode", [FILE, LINK, SUBMODULE])
def test_38_an_agent_that_becomes_hostile_keeps_its_last_good_output(
    victim: Victim, hostile: Repository, mode: str
) -> None:
    _stored(hostile, [Case(b"agents/other.md", _named("other"), ())])
    assert victim.pull(hostile).code == 0
    data = {FILE: _GOOD + b"x" * (1 << 20), LINK: b"/etc/passwd", SUBMODULE: b""}[mode]
    _stored(hostile, [Case(b"agents/other.md", data, (), mode)])
    result = victim.pull(hostile)
    assert victim.written("claude") == ["good.md", "other.md"]
    assert result.code == (4 if mode != SUBMODULE else 0)


# The sheer size


def _large(repository: Repository) -> list[plumbing.Item]:
    return [(FILE, b"huge.md", plumbing.large_blob(repository, 1 << 30))]


def _crowd(repository: Repository) -> list[plumbing.Item]:
    id_ = plumbing.blob(repository, b"x")
    return [(FILE, b"n%06d.txt" % number, id_) for number in range(100_000)]


def _agents(repository: Repository) -> list[plumbing.Item]:
    id_ = plumbing.blob(repository, _named("crowd"))
    return [(FILE, b"n%06d.md" % number, id_) for number in range(100_000)]


def _deep(repository: Repository) -> list[plumbing.Item]:
    leaf = plumbing.tree(repository, [(FILE, b"x.md", plumbing.blob(repository, _named("deep")))])
    return [(DIRECTORY, b"deep", _deeper(repository, leaf, 10_000))]


def _long(repository: Repository) -> list[plumbing.Item]:
    return [(FILE, "a\u0300\u0327".encode() * 200_000 + b".md", plumbing.blob(repository, b"x"))]


def _endless(repository: Repository) -> list[plumbing.Item]:
    """Ten trees of ten names each, and each name is the next tree: ten thousand million files."""
    id_, mode = plumbing.blob(repository, _named("endless")), FILE
    for _ in range(10):
        id_ = plumbing.tree(
            repository, [(mode, b"n%d" % number + b".md" * (mode == FILE), id_) for number in range(10)]
        )
        mode = DIRECTORY
    return [(DIRECTORY, b"endless", id_)]


@dataclass(frozen=True)
class Size:
    """A tree of some size, the exit code of its pull, and the diagnostic, if there is one."""

    build: Callable[[Repository], list[plumbing.Item]]
    status: int
    code: Code | None
    is_written: bool = True


_SIZES = {
    "1-gib-blob": Size(_large, 4, Code.TOO_LARGE),
    "100000-files": Size(_crowd, 0, None),
    "100000-agents": Size(_agents, 4, Code.TOO_LARGE, is_written=False),
    "10000-levels": Size(_deep, 4, Code.PATH_UNSAFE),
    "1-mb-name": Size(_long, 4, Code.PATH_UNSAFE),
    "10000000000-files": Size(_endless, 4, Code.SOURCE_REFUSED, is_written=False),
}


@pytest.mark.parametrize("name", part(list(_SIZES), of=3, first=0))
def test_32_size_costs_bounded_time_and_memory(victim: Victim, hostile: Repository, name: str) -> None:
    size = _SIZES[name]
    good = (FILE, b"good.md", plumbing.blob(hostile, _GOOD))
    plumbing.commit(hostile, plumbing.tree(hostile, [good, *size.build(hostile)]))
    result = victim.pull_measured(hostile)
    assert result.code == size.status
    assert victim.written("claude") == (["good.md"] if size.is_written else [])
    codes = [diagnostic["code"] for diagnostic in json.loads(result.stdout)["diagnostics"]]
    assert size.code.id in codes if size.code else codes == []


# The manifest


_MANIFESTS = {
    "link": Case(b"agentsync.toml", b"/etc/passwd", (), LINK),
    "huge": Case(b"agentsync.toml", b"#" * (1 << 17), ()),
    "brackets": Case(b"agentsync.toml", b"x = " + b"[" * 60_000, ()),
    "dots": Case(b"agentsync.toml", b"a" + b".a" * 30_000 + b" = 1", ()),
    "number": Case(b"agentsync.toml", b"version = " + b"1" * 9_000, ()),
    "blanks": Case(b"agentsync.toml", b"version = 2\nx = '''\n[" + b" " * 60_000 + b"\n'''\n", ()),
    "patterns": Case(
        b"agentsync.toml",
        b"[agents]\nexclude = [" + b",".join(b'"a%d*"' % number for number in range(6_000)) + b"]",
        (),
    ),
    "pattern": Case(b"agentsync.toml", b'[agents]\nexclude = ["' + b"**/" * 20_000 + b'x"]', ()),
    "overrides": Case(
        b"agentsync.toml", b"".join(b"[overrides.a%d]\ncolor = 'red'\n" % number for number in range(1_900)), ()
    ),
    "screen": Case(b"agentsync.toml", b'"\\u001b[2J\\u001b]0;owned\\u0007" = 1\n', ()),
}


@pytest.mark.parametrize("name", part(list(_MANIFESTS), of=2, first=0))
def test_32_a_hostile_manifest_refuses_its_commit(victim: Victim, hostile: Repository, name: str) -> None:
    _stored(hostile, [_MANIFESTS[name]])
    result = victim.pull_measured(hostile)
    assert result.code == 4
    assert victim.written("claude") == []
    assert result.seconds < 10
