"""The page of what a terminal shows is what it shows."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from support.forkserver import Child

_SCRIPT = Path(__file__).parents[2] / "docs" / "captures.py"


def _start(arguments: Sequence[str], variables: Mapping[str, str], directory: Path, terminal: int) -> Callable[[], int]:
    child = Child(arguments, environment=variables, cwd=directory, streams=[terminal] * 3)
    return partial(child.wait, 60)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_the_captures_are_those_of_the_program() -> None:
    spec = spec_from_file_location("captures", _SCRIPT)
    assert spec
    assert spec.loader
    captures = module_from_spec(spec)
    spec.loader.exec_module(captures)
    page: str = captures.page(_start)
    assert captures.PAGE.read_text(encoding="utf-8") == page, "run `make docs`"
    blocks = page.split("```\n")[1::2]
    lines = [line for block in blocks for line in block.splitlines()]
    assert max(map(len, lines)) <= 80
    first, again, *_ = (block.splitlines()[1:-2] for block in blocks)
    assert (len(first) <= 40, len(again) <= 5) == (True, True)
