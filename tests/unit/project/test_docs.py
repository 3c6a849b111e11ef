"""docs/ agrees with the code: generated parts, event fields, JSON keys, codes and links."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from errno import EACCES, ENOSPC, EROFS
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import structlog
import yaml
from click.testing import CliRunner

from agentsync.agents.model import NEUTRAL
from agentsync.cli import cli
from agentsync.cli.options import Common
from agentsync.core.codes import Code
from agentsync.dialects import dialects
from support.repository import Repository

_ROOT = Path(__file__).parents[3]
_DOCS = _ROOT / "docs"
_AGENT = "---\nname: {name}\ndescription: Looks at {name}\ncolor: blue\n---\nLook at it.\n"


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = spec_from_file_location("generate", _DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _text(page: str) -> str:
    return (_DOCS / page).read_text(encoding="utf-8")


def test_no_generated_part_is_stale(generate: ModuleType) -> None:
    pages: dict[Path, str] = generate.pages()
    generated = {
        "cli.md",
        "diagnostics.md",
        "events.md",
        "agent-format.md",
        "configuration.md",
        "dialects.md",
        "permissions.md",
        "agent.schema.json",
        "agentsync.1",
        "table.tsv",
        "help.txt",
    }
    units = {"agentsync.service", "agentsync@.service", "agentsync-pull.service"}
    assert {path.name for path in pages} == {*generated, *units}
    stale = [path.name for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    assert stale == [], "run `make docs`"


def test_every_code_has_a_use() -> None:
    modules = (_ROOT / "src" / "agentsync").rglob("*.py")
    source = "\n".join(path.read_text(encoding="utf-8") for path in modules if path.name != "diagnostics.py")
    used = set(re.findall(r"\bCode\.([A-Z0-9_]+)", source))
    assert [code.name for code in Code if code.name not in used] == []


def test_every_event_happens_and_every_field_of_it_is_explained(generate: ModuleType) -> None:
    events: dict[str, list[dict[str, object]]] = generate.events()
    assert [name for name, records in events.items() if not records] == []
    rows = "".join(line for line in _text("events.md").splitlines() if line.startswith("| `"))
    fields = {field for records in events.values() for record in records for field in record}
    assert [field for field in sorted(fields) if f"`{field}`" not in rows] == []


def _samples(heading: str) -> list[Any]:
    """The JSON documents below a heading of docs/json.md."""
    section = _text("json.md").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", section, re.DOTALL)]


def _keys(value: object, above: str = "") -> Iterator[str]:
    """The paths of all keys; counts are left out, since they depend on what happened."""
    if isinstance(value, list):
        for item in value:
            yield from _keys(item, above + "[]")
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield f"{above}.{key}"
            if key not in ("counts", "commits", "proposals"):
                yield from _keys(inner, f"{above}.{key}")


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[Any]]]:
    """The JSON output of each command on a small machine where something was changed and something edited."""
    root = tmp_path_factory.mktemp("machine")
    repository = Repository(root / "agents.git")
    repository.write({"agents/one.md": _AGENT.format(name="one"), "agents/two.md": _AGENT.format(name="two")})
    repository.commit("Two agents")
    claude = root / ".claude" / "agents"
    claude.parent.mkdir()
    (root / "tester.md").write_text("---\nname: tester\ncolor: blue\n---\nTest.\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(root))
        for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "STATE_DIRECTORY", "CACHE_DIRECTORY"):
            patch.delenv(variable, raising=False)
        documents = {"init": [_run("init", str(repository.path), "--to", "claude")]}
        _run("pull")
        repository.write(
            {"agents/one.md": _AGENT.format(name="one") + "Twice.\n", "agents/bad.md": "---\nname: x\nname: y\n---\n"}
        )
        repository.commit("One changes")
        (claude / "two.md").write_text("mine")
        documents["status"] = [_run("status")["targets"][0]]
        documents["plan"] = [_run("plan")["changes"][0]]
        documents["pull"] = [_run("pull")]
        syncs = _run("history")
        documents["history"] = [syncs, _run("history", syncs[0]["id"])]
        documents["check"] = [_run("check", str(root))]
        documents["convert"] = [_run("convert", str(claude / "one.md"), "--from", "claude", "--to", "codex")]
        (root / "own").mkdir()
        (root / "own/reviewer.md").write_text(_AGENT.format(name="reviewer"))
        documents["import"] = [_run("import", str(root / "clone"), "--from", f"claude={root}/own")]
        documents["list"] = [_run("list", what) for what in ("agents", "dialects", "targets")]
        documents["doctor"] = [_run("doctor")]
        yield documents


def _run(*arguments: str) -> Any:
    result = CliRunner().invoke(cli, [*arguments, "--format", "json"], obj=Common())
    structlog.reset_defaults()  # its log has no events, and other tests want theirs
    assert not result.exception, result.output
    return json.loads(result.stdout)


@pytest.mark.parametrize(
    "command", ["pull", "plan", "status", "init", "check", "convert", "import", "list", "history", "doctor"]
)
def test_the_json_samples_have_the_keys_that_the_command_prints(command: str, printed: dict[str, list[Any]]) -> None:
    samples = _samples(command)
    assert len(samples) == len(printed[command])
    optional = {".diagnostics[].line", ".diagnostics[].column", ".diagnostics[].agent", ".diagnostics[].target"}
    for sample, real in zip(samples, printed[command], strict=True):
        wanted, there = ({key for key in _keys(one) if ".not_synced." not in key} for one in (sample, real))
        assert wanted - optional == there - optional


def test_every_symptom_is_a_message_of_the_program_or_the_system() -> None:
    section = _text("operations.md").partition("\n# Troubleshoot\n")[2].partition("\n# ")[0]
    rows = [line.split(" | ")[0] for line in section.splitlines() if line.startswith("| ")]
    quoted = [quote for row in rows for quote in re.findall("`([^`]+)`", row)]
    modules = (_ROOT / "src" / "agentsync").rglob("*.py")
    messages = [*map(os.strerror, (EACCES, ENOSPC, EROFS)), "217/USER 226/NAMESPACE"]  # the latter by systemd
    source = "\n".join([*messages, *(path.read_text(encoding="utf-8") for path in modules)])
    parts = [part.strip(" :") for quote in quoted for part in quote.split("…")]
    assert len(parts) > 40
    assert [part for part in parts if part not in source] == []


def _converted(tmp_path: Path, tools: str, target: str) -> str:
    """An agent of Claude Code's with these tools, in another tool's format; empty where it is refused."""
    agent = tmp_path / "reviewer.md"
    agent.write_text(f"---\nname: reviewer\ndescription: Reviews\ntools: {tools}\n---\nReview.\n")
    result = CliRunner().invoke(cli, ["convert", str(agent), "--from", "claude", "--to", target], obj=Common())
    structlog.reset_defaults()
    return result.stdout


def test_the_example_of_the_readme_is_what_is_written(tmp_path: Path) -> None:
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    tools, block = re.findall(r"declares `tools: ([^`]+)`.*?```yaml\n(.*?)```", readme, re.DOTALL)[0]
    assert block in _converted(tmp_path, tools, "opencode")


def test_the_times_of_the_readme_are_those_that_were_measured() -> None:
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| 1,000 agents.*$", readme, re.MULTILINE)[0]
    cases = [
        f"{tool}, {what}" for tool in ("rulesync generate", "agentsync pull") for what in ("cold", "nothing changed")
    ]
    rows = re.findall(r"^\| (.+?) \| ([\d.]+) ", _text("performance.md"), re.MULTILINE)
    medians = {case: float(time) for case, time in rows}
    assert re.findall(r"([\d.]+) s\b", shown) == [f"{medians[case]:.2f}" for case in cases]


def test_the_table_of_what_an_agent_becomes_is_what_is_written(tmp_path: Path) -> None:
    page = _text("permissions.md")
    tools = re.findall(r"^\| `tools: ([^`]+)` in Claude Code \| becomes", page, re.MULTILINE)[0]
    rows = page.partition(f"`tools: {tools}` in Claude Code")[2].partition("\n\n")[0].splitlines()[2:]
    assert len(rows) == 4
    by_title = {dialect.title: dialect for dialect in dialects().values()}
    for title, becomes, _ in (row.strip("| ").split(" | ") for row in rows):
        dialect = by_title[title]
        keys = dialect.parse(_converted(tmp_path, tools, dialect.name).encode(), f"x{dialect.suffix}").metadata
        values = keys.get("permission", keys)
        assert isinstance(values, dict)
        for shown in re.findall("`([^`]+=[^`]+|[^`]+: [^`]+)`", becomes):
            for key, value in (tomllib.loads(shown) if "=" in shown else yaml.safe_load(shown)).items():
                written = values[key]
                assert (written["*"] if isinstance(written, dict) else written) == value, (title, shown)
    assert not _converted(tmp_path, "Glob", "codex")  # as the sentence below the table has it


def test_every_tool_is_explained_to_reviewers() -> None:
    """By its `review`, or by sections of the page."""
    headings = re.findall(r"^\|.*\|$", _text("permissions.md"), re.MULTILINE)
    others = [dialect for dialect in dialects().values() if not dialect.review and dialect.name != NEUTRAL]
    assert [dialect.name for dialect in others if f"| {dialect.title} |" not in "".join(headings)] == []


_LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)")


def test_links_between_the_pages_lead_somewhere() -> None:
    pages = [*_DOCS.glob("*.md"), *_ROOT.glob("*.md"), _ROOT / "systemd" / "README.md"]
    links = [(page, *link) for page in pages for link in _LINK.findall(page.read_text(encoding="utf-8"))]
    assert [f"{page.name}: {path}" for page, path, _ in links if not (page.parent / path).exists()] == []
    parts = [(page, page.parent / path if path else page, part) for page, path, part in links if part]
    assert [f"{page.name}: {other.name}#{part}" for page, other, part in parts if part not in _parts(other)] == []


def _parts(page: Path) -> set[str]:
    """The anchors of a page: its headings, as the hosts of repositories spell them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_the_site_has_every_page() -> None:
    """The site's generator leaves out a page that its navigation does not have, without a warning."""
    listed = re.findall(r"^ +- (\S+\.md)$", (_ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE)
    pages = {f"docs/{page.name}" for page in _DOCS.glob("*.md")} | {page.name for page in _ROOT.glob("*.md")}
    assert sorted(listed) == sorted(pages)


def test_the_readme_leads_to_every_page() -> None:
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in _DOCS.glob("*.md") if f"](docs/{page.name})" not in readme] == []
