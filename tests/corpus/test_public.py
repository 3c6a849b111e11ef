"""Real agent files of public repositories: all are read or refused, and none becomes wider.

What name and description ought to be is worked out here without any of agentsync's code. Where the text between the
first two `---` lines is YAML to PyYAML's BaseLoader, which makes text of every scalar, its values count. Elsewhere,
and where a comment cuts a description, the raw lines do: from `description:` to the next line that starts with one of
the keys that agents have, compared without quotes and without regard to how its lines are broken.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from agentsync.agents.narrowing import WriteOptions
from agentsync.convert.render import render
from agentsync.core.codes import Code, Severity
from agentsync.core.globs import path_matches
from agentsync.dialects import dialects
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from support.conversion import read, silent_losses, widening
from support.thorough import part

OPTIONS = WriteOptions()
DIALECTS = ("claude", "codex", "opencode")

# Refusals of whole files that are right, as reviewed: no frontmatter at all, no description, a name with a slash, what
# makes OpenCode refuse every command, and what is left of emoji that somebody's program took for control characters.
REFUSED = {
    Code.NO_FRONTMATTER,
    Code.DESCRIPTION_MISSING,
    Code.NAME_UNSAFE,
    Code.WRONG_TYPE,
    Code.WRONG_DIALECT,
    Code.CONTROL_CHARACTER,
}

# Files that are refused for more than their name and description, which may be read all the same.
_NOT_READ = {Code.WRONG_TYPE, Code.WRONG_DIALECT, Code.CONTROL_CHARACTER}

_HEAD = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_KEY = re.compile(
    r"(?:name|description|tools|model|color|mode|version|author|category|tags|permission\w*|emoji|vibe|temperature"
    r"|disallowedTools|skills|memory|effort|maxTurns|hooks|isolation|background|services|source|tier|role|id)[ \t]*:"
)


@dataclass(frozen=True)
class Sample:
    """One file of the corpus, as its repository's globs name it."""

    path: str
    dialect: str
    data: bytes


Results = Sequence[tuple[Sample, ReadAgent | NoAgent]]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_real_files_are_read_rightly_or_refused_for_a_reason_and_never_wider(corpus: Path, dialect: str) -> None:
    """One test, since reading them is a good part of it."""
    results = [(sample, read_agent(sample.path, sample.data, dialect)) for sample in _samples(corpus, dialect)]
    assert results
    _refused_for_reasons_that_were_reviewed(results)
    _names_and_descriptions_are_right(results)
    _rendered_or_refused_and_never_wider([result for _, result in results if isinstance(result, ReadAgent)])


def _samples(corpus: Path, dialect: str) -> Iterable[Sample]:
    samples: dict[Path, Sample] = {}
    for repository in json.loads((corpus / "public.json").read_text())["repositories"]:
        base = corpus / "public" / repository["repo"].replace("/", "+")
        patterns = [one["glob"] for one in repository["globs"] if one["dialect"] == dialect]
        for file in sorted(base.rglob("*")) if patterns else []:
            path = file.relative_to(base).as_posix()
            if file.is_file() and any(path_matches(pattern, path) for pattern in patterns):
                samples[file] = Sample(path, dialect, file.read_bytes())
    return samples.values()


def _refused_for_reasons_that_were_reviewed(results: Results) -> None:
    for sample, result in results:
        if isinstance(result, NoAgent):
            errors = {diagnostic.code for diagnostic in result.diagnostics if diagnostic.severity is Severity.ERROR}
            assert errors
            assert errors <= REFUSED, (sample.path, result.diagnostics)


def _names_and_descriptions_are_right(results: Results) -> None:
    checked, wrong = 0, []
    for sample, result in results:
        expected = _expected(sample)
        # Files that their own tool refuses were read all the same; a name that agentsync refuses counts as wrong.
        if expected is None or {diagnostic.code for diagnostic in result.diagnostics} & _NOT_READ:
            continue
        checked += 1
        if not isinstance(result, ReadAgent):
            wrong.append((sample.path, result.diagnostics[0].message))
        elif (result.agent.name, _folded(result.agent.description)) != expected:
            wrong.append((sample.path, f"{result.agent.name!r} {result.agent.description!r} for {expected}"))
    assert checked
    assert len(wrong) <= 0.002 * checked, wrong


def _rendered_or_refused_and_never_wider(agents: Iterable[ReadAgent]) -> None:
    outcomes: Counter[str] = Counter()
    targets = [*dialects().values()]
    for number, source in enumerate(agents):
        for target in part(targets, of=15, first=number):
            file = render(source, target, OPTIONS)
            if file.data is None:
                errors = [diagnostic for diagnostic in file.diagnostics if diagnostic.severity is Severity.ERROR]
                assert errors, (source.document.path, target.name)
                outcomes["refused"] += target.name in DIALECTS
                continue
            outcomes["written"] += target.name in DIALECTS
            if target is source.dialect and source.passes_through:
                assert file.data == source.document.data
                continue
            if target is not source.dialect:
                assert widening(source.agent, file.data, target, OPTIONS) is None, source.document.path
            back = read(file.path, file.data, target.name)
            assert back.passes_through, source.document.path
            assert silent_losses(source.agent, back.agent, file.diagnostics) == [], source.document.path
    # Codex refuses those that may not read files; others, such as goose, can restrict nothing and refuse many.
    # Two more, because a part of a small repository is too few to have a share of.
    assert outcomes["refused"] <= 2 + 0.03 * outcomes["written"], outcomes


def _expected(sample: Sample) -> tuple[str, str] | None:
    """Name and folded description, or None for what defines no agent."""
    stem = sample.path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if sample.dialect == "codex":
        table = tomllib.loads(sample.data.decode())
        return table["name"], _folded(table["description"])
    head = _HEAD.match(sample.data.decode().removeprefix("\ufeff"))
    if head is None:
        return None
    lines = head[1].splitlines()
    values = _strict(head[1])
    if values is None or _is_cut(lines):
        values = {"name": _raw("name", lines), "description": _raw("description", lines)}
    name, description = values.get("name") or stem, values.get("description")
    if not isinstance(description, str) or not isinstance(name, str):
        return None
    return name, _folded(description)


def _strict(head: str) -> dict[str, object] | None:
    try:
        values = yaml.load(head, Loader=yaml.BaseLoader)  # noqa: S506 (it builds nothing but text, lists and maps)
    except yaml.YAMLError:
        return None
    return values if isinstance(values, dict) else None


def _is_cut(lines: list[str]) -> bool:
    return any(re.match(r"description:[ \t]+[^'\"|>].* #", line) for line in lines)


def _raw(key: str, lines: list[str]) -> str | None:
    start = next((number for number, line in enumerate(lines) if re.match(rf"{key}[ \t]*:", line)), None)
    if start is None:
        return None
    end = next((number for number in range(start + 1, len(lines)) if _KEY.match(lines[number])), len(lines))
    text = "\n".join(lines[start:end]).partition(":")[2].strip()
    text = re.sub(r"\A[|>][-+]?\s*\n", "", text).strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _folded(text: str) -> str:
    return " ".join(text.replace("\\n", "\n").replace('\\"', '"').split())
