"""docs/reliability.md names tests that there are, and each numbered test has its row there."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).parent
_PAGE = (_HERE.parents[1] / "docs" / "reliability.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_is_there() -> None:
    named = re.findall(r"`(test_\w+\.py)` `(test_\w+)`", _PAGE)
    assert named
    missing = [
        f"{file} {name}"
        for file, name in named
        if not re.search(rf"^def {name}", (_HERE / file).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_every_row_that_is_tested_is_on_the_page() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in _HERE.glob("test_*.py"))
    tested = {int(number) for number in re.findall(r"^def test_(\d\d)_", source, re.MULTILINE)}
    assert tested <= {int(number) for number in re.findall(r"^\| (\d+) ", _PAGE, re.MULTILINE)}
