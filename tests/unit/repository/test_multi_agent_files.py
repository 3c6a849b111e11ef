"""Files in which a tool keeps all of its agents."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import pytest

from agentsync.core.codes import Code
from agentsync.git.objects import Entry
from agentsync.repository.dialect_detection import NoAgent, ReadAgent, read_agent
from agentsync.repository.multi_agent_files import MAX_AGENTS, MAX_BYTES, split_file
from agentsync.repository.selection import Selection, select

GROUPS = "groups: [read]"
MODE = f"  - slug: %s\n    name: N\n    roleDefinition: It helps.\n    {GROUPS}\n"


def modes(*slugs: str) -> bytes:
    return f"customModes:\n{''.join(MODE % slug for slug in slugs)}".encode()


def split(files: Mapping[str, bytes], selection: Selection | None = None) -> tuple[list[str], list[tuple[str, Code]]]:
    """Split these files; return the paths to read, and the diagnostics' places."""
    chosen = selection or Selection()
    selected = select([Entry(path, "100644", path, len(data)) for path, data in files.items()], chosen)
    assert not selected.diagnostics

    def read(entries: Sequence[Entry]) -> Iterator[bytes]:
        return (files[entry.path] for entry in entries)

    entries, diagnostics = split_file(selected.entries, chosen, read)
    assert {entry.blob for entry in entries} <= files.keys()
    return [entry.path for entry in entries], [(diagnostic.path, diagnostic.code) for diagnostic in diagnostics]


@pytest.mark.parametrize(
    "path",
    [
        ".roomodes",
        "sub/.zoomodes",
        "home/.config/Code/User/globalStorage/zoocodeorganization.zoo-code/settings/custom_modes.yaml",
    ],
)
def test_each_agent_is_an_entry(path: str) -> None:
    paths = [f"{path}:planner", f"{path}:Reviewer-2", "agents/x.md"]
    assert split({path: modes("planner", "Reviewer-2"), "agents/x.md": b""}) == (paths, [])
    assert split({"sub/roomodes": modes("a"), "custom_modes.yaml": modes("b")}) == ([], [])


def test_an_entry_is_read_with_its_line() -> None:
    data = modes("a", "b").replace(b"[read]", b"[[read, {fileRegex: x}]]")
    read = read_agent(".roomodes:b", data)
    assert isinstance(read, ReadAgent)
    assert (read.agent.name, read.dialect.name, read.document.path) == ("b", "roo", ".roomodes:b")
    (diagnostic,) = read.diagnostics
    assert (diagnostic.code, diagnostic.place, diagnostic.agent) == (Code.NO_EFFECT, ".roomodes:b:6", "b")
    hidden = read_agent(".roomodes:b", modes("a", "b").replace(b"It helps", b"It\xe2\x80\xae helps"))
    assert [diagnostic.place for diagnostic in hidden.diagnostics if diagnostic.code is Code.HIDDEN_UNICODE] == [
        ".roomodes:b:6"
    ]
    gone = read_agent(".roomodes:c", data)
    assert isinstance(gone, NoAgent)
    assert gone.diagnostics[0].message == "The file holds 0 modes, and is read only where it holds one."


def test_modes_in_json_are_read_as_in_yaml() -> None:
    mode = {"slug": "a", "name": "N", "roleDefinition": "It helps.", "groups": ["read"], "source": "project"}
    data = f'{{"customModes": [{json.dumps(mode)}, {json.dumps(mode | {"slug": "b"})}]}}'.encode()
    assert split({".roomodes": data}) == ([".roomodes:a", ".roomodes:b"], [])
    read, same = (read_agent(".roomodes:b", one) for one in (data, modes("b")))
    assert isinstance(read, ReadAgent)
    assert isinstance(same, ReadAgent)
    assert read.agent == same.agent


def test_patterns_are_of_files() -> None:
    selection = Selection(include=("modes/*.yaml",), dialects=(("*.yaml", "roo"),))
    assert split({"modes/a.yaml": modes("a", "b"), ".roomodes": modes("c")}, selection) == (
        ["modes/a.yaml:a", "modes/a.yaml:b"],
        [],
    )
    assert selection.dialect_of("modes/a.yaml:b") == "roo"
    assert split({".roomodes": modes("c")}, Selection(exclude=(".roomodes",))) == ([], [])
    assert split({"sub/.roomodes": modes("c")}, Selection(subfolder="sub")) == (["sub/.roomodes:c"], [])


def test_a_file_that_cannot_be_read_stays_whole_and_is_reported() -> None:
    for data in (b"customModes: [", b'{"customModes": {}}', b'{"customModes": [', modes("a", "a"), b"\xff"):
        assert split({".roomodes": data}) == ([".roomodes"], [])
        read = read_agent(".roomodes", data)
        assert isinstance(read, NoAgent)
        assert read.refused


def test_excluded_agents_are_reported() -> None:
    assert split({".roomodes": b"customModes: []\n"}) == ([], [])
    unnamed = modes("a", "b c", "x").replace(b"slug: x", b"other: x")
    assert split({".roomodes": unnamed}) == ([".roomodes:a"], [(".roomodes", Code.NAME_UNSAFE)] * 2)


def test_two_agents_with_files_of_one_name_are_refused() -> None:
    """They have one blob, so later steps could not distinguish them from an agent in two files."""
    refused = [(".roomodes:Ab", Code.NAME_TWICE), (".roomodes:aB", Code.NAME_TWICE)]
    assert split({".roomodes": modes("Ab", "c", "aB")}) == ([".roomodes:c"], refused)


def test_of_two_files_the_one_that_the_tool_reads_counts() -> None:
    files = {".roomodes": modes("a", "b"), ".zoomodes": modes("a"), "sub/.roomodes": modes("c")}
    assert split(files) == ([".zoomodes:a", "sub/.roomodes:c"], [("", Code.SAME_TWICE)])


def test_there_are_limits() -> None:
    many = modes(*(f"m{number}" for number in range(MAX_AGENTS + 1)))
    assert split({".roomodes": many}) == ([], [(".roomodes", Code.TOO_LARGE)])
    files = {f"{number}/.roomodes": b"#" * (1 << 20) for number in range((MAX_BYTES >> 20) + 1)}
    paths, diagnostics = split({**files, "agents/x.md": b""})
    assert paths == ["agents/x.md"]
    assert {code for _, code in diagnostics} == {Code.TOO_LARGE}
