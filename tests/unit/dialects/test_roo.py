"""A file of custom modes: our entries change, and everything else in it is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from agentsync.core.codes import Code
from agentsync.dialects import UneditableError, dialects
from agentsync.dialects.roo.modes_file import canonical, edited, entries
from agentsync.dialects.roo.modes_layout import MAX_BYTES
from agentsync.repository.dialect_detection import NoAgent, read_agent
from agentsync.targets.installed_tools import directory_of, has_home
from support.conversion import spares_other_tools

USER = """# Mine, keep out
version: 1   # odd, but mine
customModes:
  # first
  - slug: own   # the best
    name: 'Own'
    roleDefinition: >-
      Folded
      text
    groups: [read, [edit, {fileRegex: \\.md$}]]

  # second
  -   slug: other
      name: Other
      roleDefinition: |
        Line
        # content, no comment

      groups:
      - read
# tail
extra: [1, 2]
"""


def mode(slug: str = "reviewer", **more: JsonValue) -> bytes:
    value: dict[str, JsonValue] = {
        "slug": slug,
        "name": slug.title(),
        "roleDefinition": "You review.\nCarefully.\n\n# Not a comment\n",
        "groups": ["read"],
    }
    return canonical({**value, **more})


def test_an_entry_is_a_file_of_its_own() -> None:
    assert mode().decode() == (
        'customModes:\n  - slug: "reviewer"\n    name: "Reviewer"\n    roleDefinition: |\n      You review.\n'
        '      Carefully.\n\n      # Not a comment\n    groups: ["read"]\n'
    )
    assert entries(mode()) == {"reviewer": mode()}


def test_no_changes_keep_the_file() -> None:
    assert edited(USER.encode(), {}) == USER.encode()
    assert edited(USER.encode(), {"gone": None}) == USER.encode()


def test_a_mode_is_added_behind_the_others() -> None:
    before, after = USER.split("# tail")
    added = mode().decode().removeprefix("customModes:\n")
    assert edited(USER.encode(), {"reviewer": mode()}).decode() == f"{before}{added}# tail{after}"


def test_new_modes_come_in_the_order_of_their_slugs() -> None:
    assert list(entries(edited(None, {"b": mode("b"), "a": mode("a")}))) == ["a", "b"]


def test_adding_and_taking_away_again_gives_the_same_bytes() -> None:
    assert edited(edited(USER.encode(), {"reviewer": mode()}), {"reviewer": None}) == USER.encode()


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("", "customModes: []\n"),
        ("customModes: []\n", "customModes: []\n"),
        ("customModes:\n", "customModes: []\n"),
        ("customModes: null # none\n# after\n", "customModes: [] # none\n# after\n"),
        ("customModes:# no comment: 1\n", None),
        ("a: 1\n", "a: 1\ncustomModes: []\n"),
        ("a: 1", "a: 1\ncustomModes: []\n"),
        ("# mine\n", "# mine\ncustomModes: []\n"),
        ("---\na: |\n  text\n\n", "---\na: |\n  text\n\ncustomModes: []\n"),
    ],
)
def test_the_first_mode_goes_below_its_key(start: str, end: str | None) -> None:
    out = edited(start.encode(), {"reviewer": mode()})
    assert entries(out) == {"reviewer": mode()}
    if end is not None:
        assert edited(out, {"reviewer": None}).decode() == end


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_entry_with_the_same_value_keeps_its_bytes(newline: str) -> None:
    """Roo Code rewrites the whole file when a mode is edited in its window."""
    text = "You review.\nCarefully.\n\n# Not a comment\n"
    again = (
        f"customModes:\n  - groups:\n      - read\n    source: global\n    slug: reviewer\n    name: Reviewer\n"
        f"    roleDefinition: {json.dumps(text)}\n"
    ).replace("\n", newline)
    assert entries(again.encode()) == {"reviewer": mode()}
    assert edited(again.encode(), {"reviewer": mode()}) == again.encode()


def test_windows_line_ends_stay() -> None:
    out = edited(USER.replace("\n", "\r\n").encode(), {"reviewer": mode()}).decode()
    assert "\n" not in out.replace("\r\n", "")
    assert out.replace("\r\n", "\n") == edited(USER.encode(), {"reviewer": mode()}).decode()


@pytest.mark.parametrize(
    "comment",
    ["    # why\n", "  - # why\n", "      # why\n", '    groups: ["read"] # why\n', "roleDefinition: | # why\n"],
)
def test_a_comment_in_an_entry_is_an_edit_of_it(comment: str) -> None:
    text = mode().decode()
    places = {
        "    # why\n": text + comment,
        "  - # why\n": text.replace("  - slug", "  - # why\n    slug"),
        "      # why\n": text + comment,
        '    groups: ["read"] # why\n': text.replace('    groups: ["read"]\n', comment),
        "roleDefinition: | # why\n": text.replace("roleDefinition: |\n", comment),
    }
    commented = places[comment].encode()
    assert entries(commented) == {"reviewer": commented}
    assert entries(edited(USER.encode(), {"reviewer": commented}))["reviewer"] == commented


def test_a_comment_before_or_behind_an_entry_is_not_an_edit() -> None:
    text = mode().decode().replace("  - slug", "  # before\n  - slug") + "  # behind\n\n# end\n"
    assert entries(text.encode()) == {"reviewer": mode()}
    assert edited(text.encode(), {"reviewer": None}) == b"customModes: []\n  # before\n  # behind\n\n# end\n"


def test_a_text_that_keeps_its_blank_lines_keeps_them() -> None:
    text = USER.replace("# content, no comment\n\n      groups:\n      - read\n", "x\n").replace("|\n", "|+\n")
    text = text.replace("        x\n", "        x\n\n\n")
    out = edited(text.encode(), {"reviewer": mode()})
    assert entries(out)["other"] == entries(text.encode())["other"]
    assert edited(out, {"reviewer": None}) == text.encode()


def test_a_text_that_keeps_its_blank_lines_gets_none_from_a_removed_entry() -> None:
    file = b"customModes:\n- slug: own\n  roleDefinition: |+\n    keep\n\n- slug: ours\n\nother: 1\n"
    with pytest.raises(UneditableError, match="without changing others"):
        edited(file, {"ours": None})


def test_a_text_at_the_end_ends_with_its_line() -> None:
    """As the tool reads it, whether or not a line end follows."""
    text = b"customModes:\n- slug: own\n  roleDefinition: |\n    text"
    assert entries(text) == entries(text + b"\n")
    assert edited(text, {"a": mode("a")}).startswith(text + b"\n- slug")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"customModes": [{"slug": "a"}]}', "JSON"),
        ("customModes: [{slug: a}]\n", "JSON"),
        ("customModes:\n  - &a {slug: a}\n  - *a\n", "anchors"),
        ("customModes: !!seq []\n", "tags"),
        ("a: 1\n---\ncustomModes: []\n", "several documents"),
        ("  customModes: []\n", "left edge"),
        ("customModes: text\n", "not a list"),
        ("- a\n", "mapping"),
        ("customModes:\n\t- slug: a\n", "valid YAML"),
        ("customModes: [\n", "valid YAML"),
        ("a: 1\ra: 2", "lines end"),
        ("a: 1\r\nb: 2\n", "lines end"),
        ("a: '\u2028'\n", "lines end"),
        ("\ufeffcustomModes: []\n", "byte order mark"),
        ("customModes:\n  - slug: a\n  - slug: a\n", "twice"),
        ("a: 1\na: 2\n", "repeated"),
        ("? [a]\n: 1\n", "not text"),
        ("customModes:\n  []\n", "without changing others"),
        ('"customModes": []\n', "written in a way"),
        ("a: 1\n...\n", "without changing others"),
        (f"a: {'[' * 40}{']' * 40}\n", "nested"),
        ("#" * (MAX_BYTES + 1), "over"),
    ],
)
def test_a_file_that_cannot_be_edited_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UneditableError, match=reason):
        edited(text.encode(), {"reviewer": mode()})


def test_a_file_that_is_not_text_is_refused() -> None:
    with pytest.raises(UneditableError, match="UTF-8"):
        entries(b"a: \xff\n")


HOSTILE = (
    "“quotes” \u2014 and \u2013 dashes\nsecond",
    "a\nb ",
    " lead\nx",
    "tab\there\nx",
    "x\n\n\n",
    "\n",
    "'\"\\#:- ",
    "é\u2028x\ny",
    "- a\n- b",
    "---\n...\n",
    "%TAG\nx",
    "|-\nx",
    "\u200b\nx",
    "a: b\nc: d\n",
    "x\ry",
    "# a\n\n  # b",
    "no",
    "12",
    "\U0001f600\n\u3000\nx",
)

texts = st.one_of(st.sampled_from(HOSTILE), st.text(st.characters(codec="utf-8"), max_size=30)).map(
    lambda text: text or "x"
)
groups: st.SearchStrategy[list[JsonValue]] = st.lists(
    st.sampled_from([["edit", {"fileRegex": "\\.md$", "description": "it's: #1"}], "read", "mcp"]),
    max_size=3,
)
ours = st.builds(lambda role, name, some: {"roleDefinition": role, "name": name, "groups": some}, texts, texts, groups)

LINES = st.sampled_from(["", "# note", "  # deeper", "    # deepest - x: 1"])
ITEMS = st.sampled_from(
    [
        "- slug: {}\n  name: N # c\n  roleDefinition: |+\n    a\n\n\n",
        "- slug: {}\n  name: 'it''s'\n  roleDefinition: >-\n    a\n    # b\n  g:\n  - - edit\n    - fileRegex: x\n",
        '-\n  # why\n  slug: "{}"\n  name: "two\n    lines"\n  groups: [\n    read, # c\n    edit ]\n',
        "- {{slug: {}, name: x, groups: []}}\n",
        "-   name: N\n    nested: {{a: [1, 2]}}\n    slug: {}\n    roleDefinition: |\n      - slug: fake\n      # c\n",
        "- # nothing else\n",
        "- text {}\n",
    ]
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A file as users write it, with modes of their own."""
    indent = draw(st.sampled_from(["", "  ", "    "]))
    out = [*draw(st.lists(LINES, max_size=2)), *draw(st.sampled_from([[], ["top: 1"], ["top:", "- a", "  # b"]]))]
    items = draw(st.lists(ITEMS, max_size=4))
    out.append("customModes:" if items else "customModes: []  # none")
    for number, item in enumerate(items):
        out += draw(st.lists(LINES, max_size=2))
        out += [f"{indent}{line}" if line else "" for line in item.format(f"own-{number}").split("\n")[:-1]]
    out += draw(st.lists(LINES, max_size=2))
    out += draw(st.sampled_from([[], ["last: |", "  text", ""], ["last: [1]"]]))
    text = "\n".join(out) + draw(st.sampled_from(["", "\n", "\n\n"]))
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))


@settings(max_examples=300, deadline=None)
@given(
    files(),
    st.lists(st.dictionaries(st.sampled_from(["a", "b", "no", "123"]), st.one_of(st.none(), ours)), max_size=4),
)
def test_whatever_is_written_the_users_entries_keep_their_bytes(
    text: str, rounds: list[Mapping[str, Mapping[str, JsonValue] | None]]
) -> None:
    data = text.encode()
    theirs = entries(data)
    written: dict[str, bytes] = {}
    for changes in rounds:
        bytes_of = {slug: canonical({"slug": slug, **value}) if value else None for slug, value in changes.items()}
        data = edited(data, bytes_of)
        for slug, entry in bytes_of.items():
            if entry is None:
                written.pop(slug, None)
            else:
                written[slug] = entry
        assert entries(data) == theirs | written
    bare = edited(data, dict.fromkeys(written)).decode()
    newline = "\r\n" if "\r" in text else "\n"
    assert bare.removesuffix(newline) == text.removesuffix(newline)


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"groups": None}, Code.WRONG_TYPE),
        ({"groups": ["read", "read"]}, Code.WRONG_TYPE),
        ({"groups": [["edit"]]}, Code.WRONG_TYPE),
        ({"groups": [["edit", {"fileRegex": "("}]]}, Code.WRONG_TYPE),
        ({"groups": [["edit", {"fileRegex": "(?i)x"}]]}, Code.WRONG_TYPE),
        ({"groups": [["edit", {"fileRegex": None}]]}, Code.WRONG_TYPE),
        ({"groups": [{"edit": {}}]}, Code.WRONG_TYPE),
        ({"groups": [["edit", {"paths": ["x"]}]]}, Code.NO_EFFECT),
        ({"groups": [["read", {"fileRegex": "x"}]]}, Code.NO_EFFECT),
        ({"groups": [["edit", {"fileRegex": "(?<n>x)(?<!y)(?=z)\\.md$"}]]}, None),
        ({"name": ""}, Code.LEFT_OUT),
        ({"name": None}, Code.LEFT_OUT),
        ({"roleDefinition": "", "customInstructions": "x"}, Code.WRONG_TYPE),
        ({"description": None}, Code.LEFT_OUT),
        ({"slug": 123}, Code.LEFT_OUT),
        ({"allowedMcpServers": "x"}, Code.WRONG_TYPE),
        ({"groups": ["Read"]}, Code.UNKNOWN_TOOL),
        ({"groups": ["web"]}, Code.UNKNOWN_TOOL),
        ({"whenToUse": 5}, Code.WRONG_TYPE),
    ],
)
def test_a_mode_that_would_break_all_modes_is_refused(keys: Mapping[str, JsonValue], code: Code | None) -> None:
    data = canonical({"slug": "a", "name": "A", "roleDefinition": "R", "groups": ["read"], **keys})
    read = read_agent("a.yaml", data, "roo")
    assert isinstance(read, NoAgent) == (code is Code.WRONG_TYPE)
    assert code is None or code in {diagnostic.code for diagnostic in read.diagnostics}


@pytest.mark.parametrize(
    ("keys", "granted"),
    [({"groups": ["read", "web"]}, {"read"}), ({"groups": ["Read"]}, set()), ({"name": None}, {"read"})],
)
def test_a_group_that_roo_has_not_costs_other_tools_nothing(keys: Mapping[str, JsonValue], granted: set[str]) -> None:
    data = canonical({"slug": "a", "name": "A", "roleDefinition": "R", "groups": ["read"], **keys})
    grants = spares_other_tools("a.yaml", data, "roo")
    assert {tool for tool in ("read", "edit", "bash", "webfetch") if grants.approval(tool)} == granted


def test_a_file_of_several_modes_is_not_an_agent() -> None:
    read = read_agent("a.yaml", edited(None, {"a": mode("a"), "b": mode("b")}), "roo")
    assert isinstance(read, NoAgent)
    assert not read.refused
    assert [(diagnostic.code, diagnostic.message) for diagnostic in read.diagnostics] == [
        (Code.NOT_AN_AGENT, "The file holds 2 modes, and is read only where it holds one.")
    ]


def test_a_mode_keeps_keys_that_only_its_tool_knows() -> None:
    """It is written in canonical form, so formatting makes no difference."""
    loose = b"customModes:\n- {groups: [read], slug: a, name: A, source: x, roleDefinition: R, customInstructions: C}\n"
    read = read_agent("a.yaml", loose, "roo")
    assert not isinstance(read, NoAgent)
    assert read.agent.prompt == "R\n\nC"
    assert read.document.data == canonical(
        {"slug": "a", "name": "A", "roleDefinition": "R", "customInstructions": "C", "groups": ["read"]}
    )


def test_the_dialect_is_one_file() -> None:
    assert dialects()["roo"].path_of("reviewer") == "reviewer"
    assert dialects()["claude"].path_of("reviewer") == "reviewer.md"


def test_the_project_file_is_the_existing_one(tmp_path: Path) -> None:
    assert directory_of(dialects()["roo"], tmp_path) == tmp_path / ".roomodes"
    (tmp_path / ".zoomodes").touch()
    assert directory_of(dialects()["roo"], tmp_path) == tmp_path / ".zoomodes"


@pytest.mark.parametrize(
    "place",
    ["Library/Application Support/Cursor", ".config/Code - Insiders", "AppData/Roaming/Code", ".vscode-server/data"],
)
def test_the_users_file_is_where_the_extension_keeps_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    roo = dialects()["roo"]
    assert directory_of(roo) == tmp_path / roo.user_directory
    assert not has_home(roo)
    for extension in ("rooveterinaryinc.roo-cline", "zoocodeorganization.zoo-code"):
        settings = tmp_path / place / "User/globalStorage" / extension / "settings"
        settings.mkdir(parents=True)
        assert directory_of(roo) == settings / "custom_modes.yaml"
        assert has_home(roo)
