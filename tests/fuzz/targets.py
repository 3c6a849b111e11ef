"""Fuzz targets: each takes any bytes; errors intended for a user are no failure, all others are."""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from agentsync.agents.narrowing import WriteOptions
from agentsync.agents.patterns import TooManyPatternsError
from agentsync.config import load_config
from agentsync.convert.render import RenderedFile, render
from agentsync.core.codes import Code
from agentsync.core.errors import ConfigError
from agentsync.dialects import Dialect, dialects, refused
from agentsync.formats.document import UnreadableError
from agentsync.formats.frontmatter import format_markdown, parse_markdown
from agentsync.formats.json_reader import format_json, parse_json
from agentsync.formats.toml import parse_toml
from agentsync.formats.toml_writer import format_toml
from agentsync.git.objects import Entry
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from agentsync.repository.manifest import as_overrides, read_manifest
from agentsync.repository.overlays import read_overlays
from agentsync.repository.overrides import Override
from agentsync.repository.selection import Selection, select
from fuzz import readers
from support.conversion import silent_losses, widening

Target = Callable[[bytes], None]

MAX_BYTES = 64 << 10
"""The maximum length of an input; the time for one is bounded by this alone."""

_OPTIONS = WriteOptions()
_OTHERS = 3
_SAMPLE = b"---\nname: sample\ndescription: Helps.\ntools: Read, Bash(git *)\n---\nYou help.\n"
_PATHS = ("agents/a.md", ".codex/agents/b.toml", "docs/c.md", "agents/deep/er/d.md")


def targets() -> Mapping[str, Target]:
    """Every target by name; each dialect is one."""
    return {
        "frontmatter": frontmatter,
        "toml": toml,
        "json": json,
        "manifest": manifest,
        "configuration": configuration,
        "overlays": overlays,
        "settings": settings,
        **{name: partial(agent, dialect) for name, dialect in dialects().items()},
        **readers.targets(),
    }


def seeds(name: str) -> Iterator[bytes]:
    """Inputs to start from: earlier failures, inputs of the dialects' tests, a document of each other kind."""
    here = Path(__file__).parent
    paths = [*here.glob(f"corpus/{name}/*"), *here.parent.glob(f"dialects/{name}/*/input.*")]
    for path in sorted(paths):
        yield path.read_bytes()
    yield from _SEEDS.get(name, (_SAMPLE,))


def frontmatter(data: bytes) -> None:
    """Check that a parsed file is written so that it reads the same, and needs no repair."""
    try:
        document = parse_markdown(data, "x.md")
    except UnreadableError:
        return
    try:
        again = parse_markdown(format_markdown(document.metadata, document.body), "x.md")
    except UnreadableError as error:
        assert error.diagnostic.code is Code.TOO_LARGE, error  # noqa: PT017 - the error is no test's own
        return
    assert again.metadata == document.metadata
    assert again.body == document.body
    assert not again.repaired


def toml(data: bytes) -> None:
    """Check that a parsed file is written so that it reads the same."""
    try:
        document = parse_toml(data, "x.toml")
    except UnreadableError:
        return
    assert (
        parse_toml(format_toml(document.metadata, "", prompt_key="") or b"\n#", "x.toml").metadata == document.metadata
    )


def json(data: bytes) -> None:
    """Check that a parsed file is written so that it reads the same."""
    try:
        document = parse_json(data, "x.json")
    except UnreadableError:
        return
    assert parse_json(format_json(document.metadata), "x.json").metadata == document.metadata


def manifest(data: bytes) -> None:
    """Check that a repository's manifest gives an agent no more than its file does."""
    try:
        read = read_manifest(data)
    except ConfigError:
        return
    agents = read.agents
    selection = Selection("", agents.include, agents.exclude, tuple(agents.dialects.items()))
    chosen = select([Entry(path, "100644", "", 1) for path in _PATHS], selection).entries
    assert all(selection.dialect_of(entry.path) in {None, *dialects()} for entry in chosen)
    _never_wider(as_overrides(read.overrides, "x"))


def configuration(data: bytes) -> None:
    path = _scratch() / "config.toml"
    path.write_bytes(data)
    try:
        config = load_config(path)
    except ConfigError:
        return
    assert all(target.directory.is_absolute() for target in config.resolved_targets())
    _never_wider(as_overrides(config.overrides, "x"))


def overlays(data: bytes) -> None:
    directory = _scratch() / "overlays"
    directory.mkdir(exist_ok=True)
    (directory / "sample.md").write_bytes(data)
    overlays, _ = read_overlays(directory)
    assert [override.pattern for override in overlays] == ["sample"]
    _never_wider(overlays)


def settings(data: bytes) -> None:
    """Check that agents in a tool's settings become files that their dialect reads or refuses."""
    for dialect in dialects().values():
        if dialect.shared:
            dialect.shared.readable(data)
        if dialect.settings:
            path = f"x{dialect.settings.locations[0]}"
            with suppress(UnreadableError):
                for name, values in dialect.settings.agents(data, path).items():
                    parts = dict.fromkeys(dialect.settings.parts(values), b"developer_instructions = 'Help.'\n")
                    read_agent(f"{path}:{name}", dialect.settings.written(name, values, parts))


def agent(dialect: Dialect, data: bytes) -> None:
    """Check that a parsed agent is written in its own dialect so that it reads the same, and elsewhere never wider."""
    read = read_agent(f"agents/x{dialect.suffix}", data, dialect.name)
    if isinstance(read, NoAgent):
        return
    rewritten = replace(read, passes_through=False)
    for target in (dialect, *_others(dialect, data)):
        file = render(rewritten, target, _OPTIONS)
        if file.data is None:
            assert file.excluded or refused(file.diagnostics)
        elif target is dialect:
            _reads_back(read, file)
        else:
            with suppress(
                TooManyPatternsError
            ):  # it compares more than the program, whose own comparison was in bounds
                assert widening(read.agent, file.data, target, _OPTIONS) is None


def _reads_back(read: ReadAgent, file: RenderedFile) -> None:
    assert file.data is not None
    again = read_agent(file.path, file.data, read.dialect.name)
    assert isinstance(again, ReadAgent), again.diagnostics
    assert not again.document.repaired
    assert silent_losses(read.agent, again.agent, file.diagnostics) == []


def _never_wider(overrides: tuple[Override, ...]) -> None:
    sample = read_agent("agents/sample.md", _SAMPLE, "claude")
    assert isinstance(sample, ReadAgent)
    for name in ("opencode", "codex", "gemini"):
        target = dialects()[name]
        file = render(sample, target, _OPTIONS, overrides)
        if file.data is not None:
            assert widening(sample.agent, file.data, target, _OPTIONS) is None


def _others(dialect: Dialect, data: bytes) -> list[Dialect]:
    """A few, chosen by the data, so that an input always does the same."""
    known = [other for other in dialects().values() if other is not dialect]
    first = zlib.crc32(data)
    return [known[(first + step) % len(known)] for step in range(_OTHERS)]


@cache
def _scratch() -> Path:
    return Path(tempfile.mkdtemp(prefix="agentsync-fuzz-"))


_MANIFEST = b"""version = 1
[agents]
include = ["agents/**"]
exclude = ["old/"]
only = ["a-*", "tag:team"]
skip = ["tag:draft"]
dialects = { "x/**" = "claude" }
[models.opencode]
"anthropic/opus" = "x"
[overrides."*"]
model = "anthropic/opus"
temperature = 0.5
[overrides.sample.permissions]
bash = { "*" = "deny" }
[overrides.sample.targets.opencode]
effort = "low"
"""
_CONFIGURATION = b"""version = 1
overlays = "~"
[sources.team]
url = "https://example.org/a.git"
branch = "main"
timeout = 5
auth = { token_file = "$HOME/token" }
[targets.claude]
only = ["x"]
[targets.two]
dialect = "opencode"
path = "/tmp/x"
[models.opencode]
a = "b"
[limits]
history = 5
"""
_SEEDS: Mapping[str, tuple[bytes, ...]] = {
    "manifest": (_MANIFEST,),
    "configuration": (_CONFIGURATION,),
    "toml": (_MANIFEST, b"a.b = [1, 2.5, 2026-01-01, true]\n'c' = '''x\ny'''\n[[t]]\nx = {y = 1}\n"),
    "json": (b'{"name": "x", "tools": ["*"], "a": {"b": [1, 2.5, null, true]}}',),
    "settings": (
        b'{"agent": {"x": {"description": "d", "prompt": "{file:./x.md} y", "permission": {"edit": "deny"}}}} // z',
        b'[agents.x]\ndescription = "d"\nconfig_file = "x.toml"\n',
        b'{"customModes": [{"slug": "a", "name": "A", "roleDefinition": "x", "groups": ["read"]}]}',
    ),
    **readers.SEEDS,
    "overlays": (b"---\nmodel: anthropic/opus\npermissions:\n  bash: deny\n---\nMore.\n", b"Text alone\n"),
}
