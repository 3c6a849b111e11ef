"""Nothing that reads a file takes time out of proportion to its length: each regular expression, and each reader.

The patterns are found in the package and the strings in the patterns, so a new pattern is tried without being named
here. Costs are compared with those of an eighth of the string in the same moment, so a slow machine is no failure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from fnmatch import translate
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from pydantic import JsonValue

from agentsync.dialects import Dialect, dialects
from agentsync.formats.document import UnreadableError
from agentsync.formats.frontmatter import format_markdown
from agentsync.formats.json_reader import format_json
from agentsync.formats.toml_writer import format_toml
from agentsync.formats.yaml_types import types_a_value
from agentsync.repository.dialect_detection import read_agent
from support.golden import read_archive
from support.hostile import grows, hostile, superlinear
from support.patterns import Call, Use, hidden, made_at_run_time, modules, uses
from support.thorough import part

_SHARES = 8
_BODY = 400_000
_HEAD = 40_000  # an eighth of it is over the states of a comparison: results below are cached, and would cost nothing
_UNITS = (
    "a",
    ".",
    "-",
    "_",
    " ",
    "*",
    "/",
    "a.",
    "a/",
    "${",
    "{env:",
    "mcp__",
    "@a/",
    "Bash(",
    "a(b), ",
    "x://",
    "\n",
    "a:\n",
)
_NAMES = ("a", "a.", "mcp__", "a/")

_AT_RUN_TIME = {
    Call("core.globs", "_parts", "translate(name.replace('[', '[[]'))"): [translate("*a*b*"), translate("a?*[!x]*")],
    Call("dialects._base", "takes", "self.pattern"): sorted({one.names.pattern for one in dialects().values()}),
    Call("dialects._kit.prompt_template", "_placeholder", "f'\\\\$\\\\{{({self.word})\\\\}}'"): [
        rf"\$\{{({word})\}}" for word in (r"\w+", r"[a-zA-Z_]\w*")
    ],
    Call("repository.versions", "_tool_directories", """f"(.*/)(?:{'|'.join(either)})\""""): [r"(.*/)(?:(?:a|b)/)"],
    Call("repository.places", "_any_sign", "'|'.join(map(re.escape, sorted(directories)))"): [r"/a/|/b/"],
    # Found in the module's tables.
    Call("git.failures", "_fault", "pattern"): [],
    Call("git.signatures", "_unverified", "pattern"): [],
    # Tried below: a function of the text.
    Call(
        "formats.yaml_types",
        "types_a_value",
        "f'^(?:{names}):[ \\\\t]+(?>{_VALUE})[ \\\\t]*+(?:#.*)?\\\\r?$'",
    ): [],
    # A user's own expression: it is compiled and never used, so only the readers below can show what that costs.
    Call(
        "dialects.roo",
        "_is_valid",
        "_file_pattern(item).replace('(?<', '(?P<').replace('(?P<=', '(?<=').replace('(?P<!', '(?<!')",
    ): [],
}
"""Samples of the patterns that are made at run time: by the call that compiles them."""


def _run(use: Use) -> tuple[str, Callable[[str], object]]:
    """A pattern of text, and the work that this use of it is."""
    text = use.pattern.decode() if isinstance(use.pattern, bytes) else use.pattern
    pattern = re.compile(text, use.flags & ~re.UNICODE)
    if use.method in {"sub", "subn"}:
        return text, lambda value: pattern.sub("", value)
    if use.method == "finditer":
        return text, lambda value: list(pattern.finditer(value))
    if use.method == "compile":
        return text, lambda value: (pattern.search(value), pattern.fullmatch(value))
    return text, getattr(pattern, use.method)


# Some in turn: all of them are a minute of work, and a pattern that grows stays so until its turn comes.
@pytest.mark.parametrize("share", part(range(_SHARES), of=8, first=0))
def test_every_pattern_of_the_package_takes_linear_time(share: int) -> None:
    slow = {}
    for use in uses()[share::_SHARES]:
        text, run = _run(use)
        if found := superlinear(run, hostile(text, use.flags & ~re.UNICODE)):
            slow[f"{use.place}, {use.method}"] = found
    assert slow == {}


def test_every_pattern_that_is_made_at_run_time_has_a_sample_that_takes_linear_time() -> None:
    assert made_at_run_time() == set(_AT_RUN_TIME)
    for samples in _AT_RUN_TIME.values():
        for sample in samples:
            assert superlinear(re.compile(sample, re.DOTALL).match, hostile(sample)) is None, sample
    typed = r"^name:[ \t]+[.0-9][0-9A-Fa-f:+ \t-]*[ \t]*(?:#.*)?\r?$"
    assert superlinear(lambda text: types_a_value(text, ["name"]), hostile(typed, re.MULTILINE)) is None


@pytest.mark.parametrize("name", part([*dialects()], of=10, first=0))
def test_every_reader_takes_linear_time(name: str) -> None:
    """For what its patterns can loop on, in its instructions, as keys, and in each key of its examples."""
    dialect = dialects()[name]
    slow = [unit for unit in _UNITS if grows(partial(_read_body, dialect), partial(_repeated, unit), _BODY)]
    slow += [unit for unit in _UNITS if grows(partial(_read_key, dialect, ""), partial(_repeated, unit), _HEAD)]
    for unit, key in product(_NAMES, _known_keys(dialect)):
        if grows(partial(_read_key, dialect, key), partial(_repeated, unit), _HEAD):
            slow.append(f"{unit} in {key}")
    assert slow == []


def _repeated(unit: str, length: int) -> str:
    return unit * (length // len(unit))


def _known_keys(dialect: Dialect) -> list[str]:
    keys: dict[str, None] = {}
    for path in sorted((Path(__file__).parents[2] / "dialects" / dialect.name).glob("*.txtar")):
        for file, data in read_archive(path).items():
            if file.startswith("input."):
                with suppress(UnreadableError):
                    keys |= dict.fromkeys(dialect.parse(data, f"x{dialect.suffix}").metadata)
    return [*keys]


def _read_body(dialect: Dialect, text: str) -> None:
    _read(dialect, {}, text)


def _read_key(dialect: Dialect, key: str, text: str) -> None:
    """Read a file with a text in a list and as a name within a key, or as a key with its value."""
    if key:
        _read(dialect, {key: [text]})
        _read(dialect, {key: {text: "allow"}})
    else:
        _read(dialect, {text: text})


def _read(dialect: Dialect, more: Mapping[str, JsonValue], body: str = "You help.\n") -> None:
    metadata: dict[str, JsonValue] = {"name": "a", "description": "Helps.", **more}
    if dialect.suffix.endswith(".toml"):
        data = format_toml({"developer_instructions": body, **metadata}, "", prompt_key="")
    elif dialect.suffix.endswith(".json"):
        data = format_json({"prompt": body, **metadata})
    else:
        data = format_markdown(metadata, body)
    read_agent(f"agents/a{dialect.suffix}", data, dialect.name)


def test_patterns_are_found_wherever_they_are() -> None:
    assert [*hidden()] == []
    assert len(modules()) > 150
    places = {use.place for use in uses()}
    # In a module, in a table of a module, in an object, and in a function.
    assert {"core.urls._URL", "repository.checks._SECRETS[]", "git.failures._FAULTS[]"} <= places
    assert any(place.startswith("formats.key_lines:") for place in places)


@pytest.mark.parametrize("pattern", ["a+b", r"(a+)+b", r"\{\{.*\}\}", r"(?:x|y)*\s+$", r"(?<=://)\w*:\S*@", r"<a.*>"])
def test_what_takes_longer_is_noticed(pattern: str) -> None:
    assert superlinear(re.compile(pattern).search, hostile(pattern))
