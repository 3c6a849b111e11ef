"""docs/reliability.md and docs/security.md name existing tests; each numbered test here has its row in the first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[1]
_PAGE = (_ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
_SECURITY = (_ROOT / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [_PAGE, _SECURITY], ids=["reliability", "security"])
def test_every_test_that_is_named_is_there(page: str) -> None:
    named = re.findall(r"`((?:tests/[\w/]+/)?test_\w+\.py)`(?:\s`(test_\w+)`)?", page)
    assert named
    # A name alone is of a file in tests/fault.
    files = {file: (_ROOT if "/" in file else _HERE) / file for file, _ in named}
    missing = [
        f"{file} {name}"
        for file, name in named
        if not re.search(rf"^def {name}", files[file].read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert missing == []


def test_every_row_that_is_tested_is_on_the_page() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in _HERE.glob("test_*.py"))
    tested = {int(number) for number in re.findall(r"^def test_(\d\d)_", source, re.MULTILINE)}
    assert tested <= {int(number) for number in re.findall(r"^\| (\d+) ", _PAGE, re.MULTILINE)}
