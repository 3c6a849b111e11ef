"""TOML against a model: each mistake with its line, its key and the nearest right word."""

from pathlib import Path
from typing import Annotated, Literal, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, Field, model_validator

from agentsync.core.errors import ConfigError
from agentsync.formats.validated_toml import MisplacedError, Settings, load, validate


class Inner(Settings):
    colour: str = "red"
    size: int = 1
    mood: Literal["happy", "sad"] = "sad"


def _known(name: str) -> str:
    raise ValueError(f"there is no `{name}`")


class Outer(Settings):
    name: str
    words: tuple[str, ...] = ()
    on: bool = True
    place: Path = Path()
    known: dict[Annotated[str, AfterValidator(_known)], Inner] = Field(default_factory=dict)
    inner: Inner = Inner()
    tables: dict[str, Inner] = Field(default_factory=dict)
    rows: list[Inner] = Field(default_factory=list)
    maybe: Inner | None = None

    @model_validator(mode="after")
    def _no_twins(self) -> Self:
        if "twin" in self.tables:
            raise MisplacedError("there is a twin", "tables", "twin")
        return self


def mistake(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(text, Outer, "a.toml")
    return caught.value


def test_a_document_without_mistakes_becomes_the_model() -> None:
    loaded = load('name = "x"\n[tables.a]\nsize = 3\n[[rows]]\ncolour = "blue"\n', Outer, "a.toml")
    assert loaded == Outer(name="x", tables={"a": Inner(size=3)}, rows=[Inner(colour="blue")])


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ('name = "x"\n[inner]\ncolor = "red"\n', "a.toml:3", "unknown key `inner.color`", "did you mean `colour`?"),
        ('name = "x"\n[inner]\nzzz = 1\n', "a.toml:3", "unknown key `inner.zzz`", "known keys: colour, mood, size"),
        ('name = "x"\n[tables.a]\nsiez = 1\n', "a.toml:3", "unknown key `tables.a.siez`", "did you mean `size`?"),
        ('name = "x"\n[tables."a b"]\nsiez = 1\n', "a.toml:3", "unknown key `tables.a b.siez`", "did you mean `size`?"),
        ('name = "x"\ninner.siez = 1\n', "a.toml:2", "unknown key `inner.siez`", "did you mean `size`?"),
        ('name = "x"\n[maybe]\nsiez = 1\n', "a.toml:3", "unknown key `maybe.siez`", "did you mean `size`?"),
        ('# name = 1\nname = "x"\nnmae = 2\n', "a.toml:3", "unknown key `nmae`", "did you mean `name`?"),
        ('name = "x"\n[inner]\nsize = "big"\n', "a.toml:3", "`inner.size`: should be a whole number", ""),
        ('name = "x"\ninner = 3\n', "a.toml:2", "`inner`: should be a table", ""),
        ('name = "x"\ntables = 3\n', "a.toml:2", "`tables`: should be a table", ""),
        ('name = "x"\nrows = "red"\n', "a.toml:2", "`rows`: should be a list", ""),
        ('name = "x"\nwords = "red"\n', "a.toml:2", "`words`: should be a list", ""),
        ("name = 3\n", "a.toml:1", "`name`: should be text", ""),
        ('name = "x"\non = "maybe"\n', "a.toml:2", "`on`: should be true or false", ""),
        ('name = "x"\nplace = 3\n', "a.toml:2", "`place`: should be text", ""),
        ('name = "x"\n[known.blue]\nsize = 1\n', "a.toml:2", "`known.blue`: there is no `blue`", ""),
        ('\ufeffname = "x"\nnmae = 2\n', "a.toml:2", "unknown key `nmae`", "did you mean `name`?"),
        ("", "a.toml", "`name` is missing", ""),
        ('name = "x"\n[tables.twin]\n', "a.toml:2", "`tables.twin`: there is a twin", ""),
        ("name = [\n\n", "a.toml", "this is not valid TOML", ""),
        ('name = "x"\nname = "y"\n', "a.toml:2", "this is not valid TOML", ""),
    ],
)
def test_a_mistake_is_reported_with_place_key_and_hint(text: str, place: str, message: str, hint: str) -> None:
    error = mistake(text)
    assert error.place.startswith(place)
    assert message in error.message
    assert hint in error.hint
    assert bool(hint) or not error.hint


def test_all_mistakes_are_reported_in_the_order_of_their_lines() -> None:
    error = mistake('name = "x"\non = 3\n[inner]\nsiez = 1\ncolour = 7\nmood = "hapy"\n')
    assert error.mistakes == (
        ("a.toml:2: `on`: should be true or false", ""),
        ("a.toml:4: unknown key `inner.siez`", "did you mean `size`?"),
        ("a.toml:5: `inner.colour`: should be text", ""),
        ("a.toml:6: `inner.mood`: should be 'happy' or 'sad'", "did you mean `happy`?"),
    )
    assert str(error) == "a.toml:2: `on`: should be true or false (and 3 more)"
    assert [one["place"] for one in error.as_dict()["others"]] == ["a.toml:4", "a.toml:5", "a.toml:6"]  # type: ignore[attr-defined]


def test_a_parsed_document_is_checked_without_lines() -> None:
    with pytest.raises(ConfigError, match=r"^the options: unknown key `nmae`$"):
        validate({"name": "x", "nmae": 1}, Outer, "the options")


@given(st.text(max_size=200).filter(lambda text: "name" not in text))
def test_no_text_is_more_than_a_mistake(text: str) -> None:
    assert mistake(text).place.startswith("a.toml")
