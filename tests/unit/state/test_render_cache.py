"""The cache of outcomes: its content, and damage, which costs only cached values."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentsync.core.errors import StateError
from agentsync.state.render_cache import Cache

VALUES = {f"key-{number}": os.urandom(number * 50) for number in range(100)}
HEADER = 100  # bytes; damage in the header may also mean that another program made the file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "outcomes.sqlite3"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with VALUES."""
    path = tmp_path_factory.mktemp("filled") / "outcomes.sqlite3"
    with Cache.open(path) as cache:
        cache.put_many(VALUES.items())
    return path


def test_values_are_there_after_reopening(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.put_many({"key": b"old", "other": b""}.items())
        cache.put_many({"key": b"new"}.items())
    with Cache.open(path) as cache:
        assert dict(cache.get_many(["key", "other", "unknown"])) == {"key": b"new", "other": b""}
        assert dict(cache.get_many([])) == {}


def test_thousands_of_keys_are_answered_and_the_newest_kept(path: Path) -> None:
    values = {f"key-{number}": bytes([number % 256]) * 20 for number in range(3000)}
    with Cache.open(path) as cache:
        cache.trim(2)
        cache.put_many(values.items())
        cache.trim(3000)
        assert dict(cache.get_many([*values, "unknown"])) == values
        cache.put_many({"key-0": b"new"}.items())
        cache.trim(2)
        assert dict(cache.get_many(values)) == {"key-0": b"new", "key-2999": values["key-2999"]}


@pytest.mark.skipif(os.name == "nt", reason="there are no modes there")
def test_only_the_owner_can_read_it(path: Path) -> None:
    Cache.open(path).close()
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [b"garbage" * 1000, b"x"])
def test_a_file_that_is_not_a_database_is_made_again(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with Cache.open(path) as cache:
        cache.put_many({"key": b"value"}.items())
        assert dict(cache.get_many(["key"])) == {"key": b"value"}
    assert list(path.parent.iterdir()) == [path]


def test_another_layout_is_made_again(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE outcomes (key TEXT, value TEXT)")
    with Cache.open(path) as cache:
        cache.put_many({"key": b"value"}.items())
        assert dict(cache.get_many(["key"])) == {"key": b"value"}


def test_a_value_that_changed_on_disk_is_not_answered(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.put_many({"good": b"its own bytes", "bad": b"the right bytes"}.items())
    path.write_bytes(path.read_bytes().replace(b"the right bytes", b"the wrong bytes"))
    with Cache.open(path) as cache:
        assert dict(cache.get_many(["good", "bad"])) == {"good": b"its own bytes"}


def test_a_value_whose_type_changed_on_disk_is_not_answered(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.put_many({"good": b"value", "bad": b"value"}.items())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE outcomes SET value = 'value' WHERE key = 'bad'")
        connection.commit()
    with Cache.open(path) as cache:
        assert dict(cache.get_many(["good", "bad"])) == {"good": b"value"}


@pytest.mark.parametrize("text", [b"INTEGER PRIMARY", b"a-long-key"])
def test_text_that_is_not_utf8_is_damage(path: Path, text: bytes) -> None:
    with Cache.open(path) as cache:
        cache.put_many({"a-long-key": b"value"}.items())
    path.write_bytes(path.read_bytes().replace(text, b"\xff" + text[1:], 1))
    with Cache.open(path) as cache:
        dict(cache.get_many(["a-long-key"]))
        cache.put_many({"a-long-key": b"new"}.items())
        assert dict(cache.get_many(["a-long-key"])) == {"a-long-key": b"new"}


@settings(max_examples=60, deadline=None)
@given(start=st.integers(HEADER, 300_000), garbage=st.binary(min_size=1, max_size=8000), cut=st.booleans())
def test_no_damage_makes_it_answer_wrongly_or_fail(filled: Path, start: int, garbage: bytes, *, cut: bool) -> None:
    data = filled.read_bytes()
    start = max(HEADER, start % len(data))
    path = filled.with_name("damaged.sqlite3")
    path.write_bytes(data[:start] + garbage + (b"" if cut else data[start + len(garbage) :]))
    with Cache.open(path) as cache:
        assert dict(cache.get_many(VALUES)).items() <= VALUES.items()
        cache.put_many(VALUES.items())
        cache.trim(1000)
        dict(cache.get_many(VALUES))
    path.unlink()


def test_a_directory_in_its_place_is_an_error_with_the_path(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(StateError) as caught:
        Cache.open(path)
    assert caught.value.place == str(path)


def test_a_full_disk_is_an_error_and_leaves_the_cache_as_it_was(path: Path) -> None:
    with Cache.open(path) as cache:
        cache.put_many({"key": b"value"}.items())
        pages = cache._query("PRAGMA page_count")[0][0]
        cache._query(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StateError):
            cache.put_many({"large": bytes(100_000)}.items())
        assert dict(cache.get_many(["key", "large"])) == {"key": b"value"}
