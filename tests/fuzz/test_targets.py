"""The fuzz targets hold for what they start from, and for every input that failed once."""

from __future__ import annotations

import pytest

from fuzz.targets import seeds, targets


@pytest.mark.parametrize("name", targets())
def test_a_target_holds_for_its_seeds(name: str) -> None:
    inputs = list(seeds(name))
    assert inputs
    for data in inputs:
        targets()[name](data)
