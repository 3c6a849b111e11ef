"""Slugs, and names that are unsafe or that mislead."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsync.core.naming import (
    has_hidden_character,
    hidden_character,
    hidden_in_text,
    is_slug,
    is_unsafe,
    is_windows_device,
    mixes_scripts,
    name_key,
    slug,
)
from support.agents import thorough


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("code-reviewer", "code-reviewer"),
        ("Code Reviewer", "code-reviewer"),
        ("Senior Dev 🚀 (v2)", "senior-dev-v2"),
        ("SE: Reviewer", "se-reviewer"),
        ("Prüfer", "prufer"),
        ("__a__b__", "a-b"),
        ("ﬁx", "fix"),
        ("!!", ""),
        ("審査", "shenzha"),
        ("Größe", "grosse"),
        ("UXアーキテクト", "uxakitekuto"),
        ("🎨", "art"),
    ],
)
def test_slugs(name: str, expected: str) -> None:
    assert slug(name) == expected


@pytest.mark.parametrize(
    ("name", "stem", "expected"),
    [
        ("人類学者", "anthropologist", "anthropologist"),
        ("UXアーキテクト", "UX_Architect", "ux-architect"),
        ("人類学者", "人類学者", "renleixuezhe"),
        ("🎨", "designer", "designer"),
        ("Prüfer", "checker", "prufer"),
        ("Checker", "prüfer", "checker"),
        ("!!", "checker", ""),
    ],
)
def test_a_stem_counts_only_where_letters_would_be_lost(name: str, stem: str, expected: str) -> None:
    assert slug(name, stem) == expected


def test_a_long_transliteration_is_cut_to_one_of_its_own() -> None:
    one, other = slug("審" * 120), slug("審" * 121)
    assert one != other
    assert max(len(one), len(other)) <= 200


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("Prüfer", "PRUFER", True),
        ("Проверяющий", "проверяющий", True),
        ("人類学者", "社会学者", False),
        ("UXアーキテクト", "UXリサーチャー", False),
        ("里", "李", False),  # one transliteration
    ],
)
def test_keys_of_names(one: str, other: str, *, equal: bool) -> None:
    assert (name_key(one) == name_key(other)) is equal


@thorough
@given(st.text())
def test_a_slug_is_one_or_nothing_and_stays_as_it_is(name: str) -> None:
    made = slug(name)
    assert made == "" or is_slug(made)
    assert slug(made) == made


@pytest.mark.parametrize("name", ["a", "a1", "a-b-c", "0"])
def test_valid_slugs(name: str) -> None:
    assert is_slug(name)


@pytest.mark.parametrize("name", ["", "A", "a_b", "a--b", "-a", "a-", "a b", "é", "a\n"])
def test_invalid_slugs(name: str) -> None:
    assert not is_slug(name)


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/x",
        "/abs",
        "a/",
        "a//b",
        "./a",
        "a/ /b",
        "C:/a",
        "a\\b",
        "-rf",
        "~root",
        "a..b",
        "a\x00b",
        "a\nb",
        "a\x7fb",
        "!!",
        "a" * 240,
    ],
)
def test_unsafe_names(name: str) -> None:
    assert is_unsafe(name)


@pytest.mark.parametrize(
    "name", ["a", "a b", "a/b", "C#/.NET Janitor", "SE: Reviewer", "v1.2", "Prüfer 🚀", "審査", "🚀", "a" * 200]
)
def test_names_that_are_not_unsafe(name: str) -> None:
    assert not is_unsafe(name)


@thorough
@given(st.text())
def test_a_name_that_is_not_unsafe_always_has_a_slug_that_fits(name: str) -> None:
    assert is_unsafe(name) or 0 < len(slug(name)) <= 200


@pytest.mark.parametrize("stem", ["con", "NUL", "com1", "lpt9.md", "aux .txt"])
def test_windows_devices(stem: str) -> None:
    assert is_windows_device(stem)


@pytest.mark.parametrize("stem", ["console", "com0", "com10", "con-man", "my.con"])
def test_no_windows_devices(stem: str) -> None:
    assert not is_windows_device(stem)


@pytest.mark.parametrize("name", ["аdmin", "cοde", "Ꭺgent"])  # noqa: RUF001 (look-alikes are the point)
def test_names_that_mix_scripts(name: str) -> None:
    assert mixes_scripts(name)


@pytest.mark.parametrize("name", ["admin", "админ", "Prüfer", "agent 審査"])
def test_names_of_one_script_or_of_scripts_that_differ(name: str) -> None:
    assert not mixes_scripts(name)


@pytest.mark.parametrize("character", "\u200b\u00ad\u202e\u2066\u2060\ufeff\u200e\U000e0041")
def test_hidden_characters(character: str) -> None:
    assert hidden_character(f"abc{character}d") == 3
    assert has_hidden_character(f"abc{character}d")


@pytest.mark.parametrize("text", ["👩\u200d💻", "⚙\ufe0f", "\u0645\u06cc\u200c\u062e", "plain", "é", ""])
def test_joiners_of_emoji_and_scripts_are_not_hidden(text: str) -> None:
    assert hidden_character(text) == -1


_SCOTLAND = "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in "gbsct") + "\U000e007f"


@pytest.mark.parametrize(
    "text", ["\u05d0\u200f", "a\u200eb", "1\ufe0f\u20e3", "\u845b\U000e0100", _SCOTLAND, "\U0001f441\ufe0f\u200d"]
)
def test_ordinary_characters_of_running_text(text: str) -> None:
    assert hidden_in_text(text) == -1


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("ab\ufe0f\ufe00\U000e0100", 2),
        ("a\u200d\u200c\u200d", 1),
        ("\u200f\u200f\u200f", 0),
        (_SCOTLAND + "\U000e0041", 7),
        ("\U0001f3f4\U000e0067\U000e0041\U000e007f", 1),
        ("\u202e\u200d\u200d\u200d", 0),
        ("\u200d\u200d\u200d\u202e", 0),
        ("a\u3164b", 1),
    ],
)
def test_hidden_characters_of_running_text(text: str, index: int) -> None:
    assert hidden_in_text(text) == index


@pytest.mark.parametrize(
    "name", ["🛡\ufe0f Guard", "👩\u200d💻", "🏳\ufe0f\u200d🌈", "1\ufe0f\u20e3", "می\u200cخ", "क्\u200dष"]
)
def test_names_may_hold_the_joiners_of_emoji_and_scripts(name: str) -> None:
    assert not has_hidden_character(name)


@pytest.mark.parametrize(
    "name",
    ["ad\u200dmin", "ad\ufe0fmin", "\u200dadmin", "ade\u0301\u200dmin", "\u0430\u200d\u0431", "🛡\ufe0f\ufe0f\ufe0f"],
)
def test_names_may_not_hide_joiners_either(name: str) -> None:
    assert has_hidden_character(name)
